"""The keys with which this participant signs, in a file that its owner alone may read.

A key is made first, registered with the registry by its public half, and put to use when the registry knows it: others
look it up there, so a key in use that is not registered is refused by all. Former keys stay until they are dropped.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit.storage import make_folder, replace_durably
from beckn.signing import DIGEST_LABEL, KeyForm, KeyId, Signer
from core.errors import Conflict, InputError, NotFound
from core.job import Instant

FILE = "beckn-keys.json"
_OWNER_ALONE = 0o600


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Kept(_Part):
    """A key as it stands in the file."""

    unique_key_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$")]
    private: str = Field(description="seed of 32 bytes, Base64")
    made_at: Instant


class _File(_Part):
    """What the file holds; ``used`` is the id of the key that signs."""

    used: str | None = None
    keys: tuple[_Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What others may know of a key.

    :param signing_public_key: 32 bytes, Base64, as registries hold it.
    """

    unique_key_id: str
    signing_public_key: str
    made_at: datetime
    used: bool


class KeyRing:
    """The keys in the file at ``path``, read anew whenever it was written, so that a server sees a command's change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_of: tuple[tuple[int, int, int], _File] | None = None

    def public(self) -> list[PublicKey]:
        """All keys, the oldest first."""
        held = self._read()
        return [_shown(key, held.used) for key in held.keys]

    def make(self, now: datetime) -> PublicKey:
        """A new key, in use at once when it is the first."""
        held = self._read()
        seed = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
        key = _Kept(unique_key_id=str(uuid.uuid4()), private=seed, made_at=now)
        used = held.used or key.unique_key_id
        self._write(_File(used=used, keys=(*held.keys, key)))
        return _shown(key, used)

    def use(self, unique_key_id: str) -> None:
        """Sign with this key from now on; :class:`NotFound` where there is none."""
        held = self._read()
        self._require(held, unique_key_id)
        self._write(held.model_copy(update={"used": unique_key_id}))

    def drop(self, unique_key_id: str) -> None:
        """Forget a key for ever; :class:`Conflict` for the one in use."""
        held = self._read()
        self._require(held, unique_key_id)
        if held.used == unique_key_id:
            raise Conflict(f"key {unique_key_id} is in use", remedy="Put another one to use first.")
        kept = tuple(key for key in held.keys if key.unique_key_id != unique_key_id)
        self._write(held.model_copy(update={"keys": kept}))

    def signer(
        self,
        subscriber_id: str,
        label: str = DIGEST_LABEL,
        form: KeyForm = "subscriber",
        network_id: str | None = None,
    ) -> Signer:
        """Who signs for ``subscriber_id``; :class:`NotFound` before the first key was made.

        :param label: of the digest. :param form: of the keyId, in ``network_id`` where it is of a record.
        """
        held = self._read()
        key = next((key for key in held.keys if key.unique_key_id == held.used), None)
        if key is None:
            raise NotFound("there is no Beckn key yet", remedy="Make one: python app.py beckn keys --make")
        key_id = KeyId(subscriber_id, key.unique_key_id).written(form, network_id)
        return Signer(key_id, _private(key), label)

    @staticmethod
    def _require(held: _File, unique_key_id: str) -> None:
        if unique_key_id not in {key.unique_key_id for key in held.keys}:
            raise NotFound(f"there is no Beckn key {unique_key_id}", remedy="List them: python app.py beckn keys")

    def _read(self) -> _File:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return _File()
        written = found.st_mtime_ns, found.st_size, found.st_ino
        if self._read_of is not None and self._read_of[0] == written:
            return self._read_of[1]
        try:
            held = _File.model_validate_json(self.path.read_bytes())
            for key in held.keys:
                _private(key)
        except (ValidationError, ValueError) as error:
            raise InputError(
                f"{self.path} holds no Beckn keys",
                field="DATA_DIR",
                value=str(self.path),
                remedy="Restore it from a copy; or move it away and make a new key.",
            ) from error
        self._read_of = written, held
        return held

    def _write(self, held: _File) -> None:
        make_folder(self.path.parent)
        replace_durably(self.path, held.model_dump_json(indent=1).encode() + b"\n", _OWNER_ALONE)


def _private(key: _Kept) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.private, validate=True))


def _shown(key: _Kept, used: str | None) -> PublicKey:
    public = base64.b64encode(_private(key).public_key().public_bytes_raw()).decode()
    return PublicKey(key.unique_key_id, public, key.made_at, key.unique_key_id == used)
