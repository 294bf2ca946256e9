"""Signatures of Beckn messages: Ed25519 over the BLAKE2b-512 digest of the bytes that travel.

A request, and a callback that nobody asked for, sign three lines. An acknowledgement, and the callback that answers a
request, sign a fourth with the signature of that request, which ties them to it. The digest is of the bytes as sent and
as received: JSON that was read and written again is another message.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "ed25519"
LIFETIME_S = 300
AHEAD_S = 5
"""how far the clock of a signer may be ahead of ours"""
DIGEST_LABEL = "BLAKE-512"
DIGEST_LABELS = (DIGEST_LABEL, "BLAKE2b-512")
"""names of the one digest in signing strings: texts of the protocol differ, peers too"""
SUBSCRIBERS = "subscribers.beckn.one"
"""registry in which every subscriber's records are found under its own name"""
THREE_LINES = "(created) (expires) digest"
FOUR_LINES = f"{THREE_LINES} request-signature"
_SCHEME = "Signature "
_PARAMETER = re.compile(r'\s*([A-Za-z]+)="([^"]*)"\s*(?:,|$)')
_SIGNATURE_BYTES = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")
Fault = Literal["AUT_SIGNATURE_MISSING", "AUT_SIGNATURE_INVALID"]
KeyForm = Literal["subscriber", "record"]


class BadSignature(Exception):
    """A message whose signature does not hold; ``code`` is what the sender is told, the text says why."""

    def __init__(self, code: Fault, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class KeyId:
    """Who signs, and with which of its keys in the registry.

    :param registry: where the keyId names a record by its path, the registry that holds it; ``subscriber_id`` is then
        the namespace of that registry: the subscriber's own, or its network's.
    """

    subscriber_id: str
    unique_key_id: str
    registry: str | None = None

    def __post_init__(self) -> None:
        for part in (self.subscriber_id, self.unique_key_id, self.registry):
            if part is not None and _NAME.fullmatch(part) is None:
                raise ValueError(f"{part[:80]!r} is no name of a subscriber, of a registry or of a key")

    @classmethod
    def parse(cls, text: str) -> KeyId:
        """Read ``subscriber|key|ed25519`` or ``namespace/registry/record|ed25519``; else :class:`ValueError`."""
        *names, algorithm = text.split("|")
        if algorithm == ALGORITHM and len(names) == 2:
            return cls(names[0], names[1])
        path = names[0].split("/") if len(names) == 1 else []
        if algorithm == ALGORITHM and len(path) == 3:
            return cls(path[0], path[2], path[1])
        raise ValueError(
            f"keyId {text[:200]!r} is neither of the form subscriber_id|unique_key_id|{ALGORITHM} "
            f"nor namespace/registry/record|{ALGORITHM}"
        )

    def written(self, form: KeyForm, network_id: str | None = None) -> KeyId:
        """This key of a subscriber as it is told to peers.

        :param form: ``record`` for the path of its record: in the registry of the network where ``network_id`` names
            one (``namespace/registry``), else in the subscriber's own.
        """
        if form == "subscriber":
            return self
        namespace, slash, registry = (network_id or "").partition("/")
        if slash and "/" not in registry:
            return KeyId(namespace, self.unique_key_id, registry)
        return KeyId(self.subscriber_id, self.unique_key_id, SUBSCRIBERS)

    def __str__(self) -> str:
        if self.registry is None:
            return f"{self.subscriber_id}|{self.unique_key_id}|{ALGORITHM}"
        return f"{self.subscriber_id}/{self.registry}/{self.unique_key_id}|{ALGORITHM}"


@dataclass(frozen=True, slots=True)
class Signature:
    """What the headers ``Authorization`` and ``Signature`` say.

    :param created: seconds of the epoch, as ``expires``. :param value: Base64. :param answers: whether a fourth line is
        signed.
    """

    key_id: KeyId
    created: int
    expires: int
    value: str
    answers: bool

    @classmethod
    def parse(cls, header: str | None) -> Signature:
        """Read a header.

        :raises BadSignature: there is none, or it is not one.
        """
        if not header:
            raise BadSignature("AUT_SIGNATURE_MISSING", "the message carries no signature")
        try:
            return cls._read(header)
        except ValueError as error:
            raise BadSignature("AUT_SIGNATURE_INVALID", str(error)) from error

    @classmethod
    def _read(cls, header: str) -> Signature:
        told = _parameters(header)
        if told["algorithm"] != ALGORITHM:
            raise ValueError(f"algorithm {told['algorithm'][:40]!r} is not {ALGORITHM}")
        if told["headers"] not in (THREE_LINES, FOUR_LINES):
            raise ValueError(f"headers {told['headers'][:80]!r} are neither {THREE_LINES!r} nor {FOUR_LINES!r}")
        for name in ("created", "expires"):
            if not (told[name].isascii() and told[name].isdigit() and len(told[name]) <= 12):
                raise ValueError(f"{name} is not a count of seconds: {told[name][:40]!r}")
        _raw(told["signature"])
        answers = told["headers"] == FOUR_LINES
        return cls(KeyId.parse(told["keyId"]), int(told["created"]), int(told["expires"]), told["signature"], answers)

    def header(self) -> str:
        """The header's value."""
        signed = FOUR_LINES if self.answers else THREE_LINES
        return (
            f'{_SCHEME}keyId="{self.key_id}",algorithm="{ALGORITHM}",created="{self.created}",'
            f'expires="{self.expires}",headers="{signed}",signature="{self.value}"'
        )

    def require_current(self, now: datetime) -> None:
        """Return if it holds at ``now``; :class:`BadSignature` where it has expired or is from the future."""
        seconds = now.timestamp()
        if self.created > seconds + AHEAD_S:
            raise BadSignature("AUT_SIGNATURE_INVALID", f"it was created {self.created - seconds:.0f} s from now")
        if self.expires <= seconds:
            raise BadSignature("AUT_SIGNATURE_INVALID", f"it expired {seconds - self.expires:.0f} s ago")

    def require(
        self,
        body: bytes,
        public_key: bytes,
        now: datetime,
        request_signature: str | None = None,
        label: str | None = None,
    ) -> None:
        """Return if this signs ``body`` with the key to which ``public_key`` (32 bytes) belongs, at ``now``.

        :param request_signature: of the request that the message answers; needed where a fourth line is signed.
        :param label: of the digest; None for any of :data:`DIGEST_LABELS`, as the header does not tell it.
        :raises BadSignature: it does not, it has expired, or it is from the future.
        """
        self.require_current(now)
        if self.answers and request_signature is None:
            raise BadSignature("AUT_SIGNATURE_INVALID", "it answers a request that is not known here")
        for each in DIGEST_LABELS if label is None else (label,):
            text = signing_string(body, self.created, self.expires, request_signature if self.answers else None, each)
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(_raw(self.value), text.encode())
            except (InvalidSignature, ValueError):
                continue
            return
        raise BadSignature("AUT_SIGNATURE_INVALID", f"it is not {self.key_id}'s over these bytes")


def digest(body: bytes) -> str:
    """Base64 of the BLAKE2b-512 digest of ``body``."""
    return base64.b64encode(hashlib.blake2b(body).digest()).decode()


def signing_string(
    body: bytes, created: int, expires: int, request_signature: str | None = None, label: str = DIGEST_LABEL
) -> str:
    """What is signed: three lines, or four where ``request_signature`` is given; the last without a line end."""
    lines = [f"(created): {created}", f"(expires): {expires}", f"digest: {label}={digest(body)}"]
    if request_signature is not None:
        lines.append(f"request-signature: {request_signature}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Signer:
    """One participant's key.

    :param key_id: in the form in which it is told to peers. :param label: of the digest in what is signed.
    """

    key_id: KeyId
    private: Ed25519PrivateKey
    label: str = DIGEST_LABEL

    def sign(
        self, body: bytes, now: datetime, request_signature: str | None = None, lifetime_s: int = LIFETIME_S
    ) -> Signature:
        """Sign ``body``, as the answer to a request where its signature is given."""
        created = int(now.timestamp())
        text = signing_string(body, created, created + lifetime_s, request_signature, self.label)
        value = base64.b64encode(self.private.sign(text.encode())).decode()
        return Signature(self.key_id, created, created + lifetime_s, value, request_signature is not None)


def _parameters(header: str) -> dict[str, str]:
    """The parameters of a header, all of them and each once; :class:`ValueError` for anything else."""
    if not header.startswith(_SCHEME):
        raise ValueError("the header does not begin with the scheme Signature")
    told: dict[str, str] = {}
    at = len(_SCHEME)
    while at < len(header):
        found = _PARAMETER.match(header, at)
        if found is None or found[1] in told:
            raise ValueError(f"the header cannot be read from {header[at : at + 40]!r} on")
        told[found[1]] = found[2]
        at = found.end()
    if missing := {"keyId", "algorithm", "created", "expires", "headers", "signature"} - told.keys():
        raise ValueError(f"the header lacks {', '.join(sorted(missing))}")
    return told


def _raw(value: str) -> bytes:
    """The bytes of a signature; :class:`ValueError` where they are none."""
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("the signature is not Base64") from error
    if len(raw) != _SIGNATURE_BYTES:
        raise ValueError(f"the signature has {len(raw)} bytes, not {_SIGNATURE_BYTES}")
    return raw
