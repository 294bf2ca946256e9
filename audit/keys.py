"""The key that signs checkpoints: Ed25519, kept beside the log in a file that its owner alone may read.

``decisions.jsonl.key`` holds the private key in the form of signed notes (``PRIVATE+KEY+name+hash+base64``, C2SP
signed-note), ``decisions.jsonl.vkey`` every verifier key that the log has had, one a line, the present one last.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.storage import beside, replace_durably, sync_folder
from core.errors import LogUnavailable

ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the name it signs under, which is the log's origin."""

    name: str
    private: Ed25519PrivateKey

    @classmethod
    def new(cls, name: str) -> SigningKey:
        """A key never used before."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Read the text of a key file; :class:`ValueError` when it is none."""
        name, told, encoded = text.strip().removeprefix(_PRIVATE).split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
        key = cls(name, Ed25519PrivateKey.from_private_bytes(raw[1:]))
        if not text.startswith(_PRIVATE) or raw[:1] != ED25519 or told != key.key_id.hex():
            raise ValueError("it is no signing key of a log")
        return key

    def text(self) -> str:
        """The text of its file."""
        raw = base64.b64encode(ED25519 + self.private.private_bytes_raw()).decode()
        return f"{_PRIVATE}{self.name}+{self.key_id.hex()}+{raw}\n"

    @property
    def _public(self) -> bytes:
        return ED25519 + self.private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + self._public).digest()[:4]

    @property
    def vkey(self) -> str:
        """The verifier key, to be published."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self._public).decode()}"

    def sign(self, text: str) -> str:
        """``text``, which ends in a line end, as a signed note."""
        signature = base64.b64encode(self.key_id + self.private.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"


def read_vkeys(path: Path) -> list[str]:
    """The verifier keys of the log at ``path``, the present one last."""
    file = beside(path, ".vkey")
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def signing_key(path: Path, name: str) -> SigningKey:
    """The key of the log at ``path``; a new one when there is none yet.

    :raises LogUnavailable: the file holds no key, or one of another log.
    """
    file = beside(path, ".key")
    if not file.exists():
        key = SigningKey.new(name)
        _publish(path, key)
        replace_durably(file, key.text().encode(), 0o600)
        return key
    try:
        key = SigningKey.parse(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LogUnavailable(
            f"{file.name} holds no signing key: {error}",
            remedy="Restore it from a copy; or move it away, and a new key signs from now on.",
        ) from error
    if key.name != name:
        raise LogUnavailable(
            f"{file.name} is the key of {key.name}, not of {name}",
            remedy="Put the key of this log in its place, or move it away.",
        )
    if key.vkey not in read_vkeys(path):
        _publish(path, key)
    return key


def stage_key(path: Path, key: SigningKey) -> None:
    """Keep the key that is to follow, until the log says so: see :func:`settle_key`."""
    replace_durably(beside(path, ".key.next"), key.text().encode(), 0o600)


def _staged(path: Path) -> SigningKey | None:
    file = beside(path, ".key.next")
    try:
        return SigningKey.parse(file.read_text(encoding="utf-8")) if file.exists() else None
    except ValueError:  # cut short while it was written: no record can name it
        return None


def staged_vkey(path: Path) -> str | None:
    """The verifier key of the key that is to follow; None when there is none."""
    key = _staged(path)
    return None if key is None else key.vkey


def settle_key(path: Path, recorded_vkey: str | None) -> None:
    """Put a staged key in force when the log's last ``key`` record names it, else drop it."""
    staged, key = beside(path, ".key.next"), _staged(path)
    if not staged.exists():
        return
    if key is not None and key.vkey == recorded_vkey:
        _publish(path, key)
        staged.replace(beside(path, ".key"))
    else:
        staged.unlink()
    sync_folder(path.parent)


def _publish(path: Path, key: SigningKey) -> None:
    known = [vkey for vkey in read_vkeys(path) if vkey != key.vkey]
    replace_durably(beside(path, ".vkey"), "".join(f"{vkey}\n" for vkey in [*known, key.vkey]).encode(), 0o644)
