"""Checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature) and the keys that sign them, checked."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from audit.verifier.ed25519 import ed25519_verifies

_NOTE = rb"(?:[^\n]+\n){3,}\n(?:\xe2\x80\x94 [^\n]+\n)+"
_CLOSED_NOTE = re.compile(_NOTE + rb"\n")
_HELD_NOTE = re.compile(_NOTE + rb"\n*")
_UNFINISHED = re.compile(rb"[^\n]*|[^\n]+\n(?:[0-9]*|[0-9]+\n(?:[A-Za-z0-9+/=]*|[A-Za-z0-9+/=]+\n.*))", re.DOTALL)


class BadEvidence(ValueError):
    """A key, checkpoint or proof that cannot be read or does not hold; the message says why."""


@dataclass(frozen=True)
class Key:
    """A verifier key: of a log (type 1) or of a witness (type 4)."""

    name: str
    key_id: bytes
    kind: int
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> Key:
        """Read ``name+hash+base64``."""
        name, _, rest = vkey.strip().partition("+")
        told, _, encoded = rest.partition("+")
        raw = unbase64(encoded)
        key_id = hashlib.sha256(name.encode(errors="surrogatepass") + b"\n" + raw).digest()[:4]
        if len(raw) != 33 or raw[0] not in {1, 4} or key_id.hex() != told:
            raise BadEvidence(f"{vkey.strip()[:100]!r} is no Ed25519 verifier key")
        return cls(name, key_id, raw[0], raw[1:])

    def verifies(self, signature: bytes, text: str) -> bool:
        """Whether ``signature`` (without key id) is this key's over a note's text."""
        if self.kind == 1:
            return ed25519_verifies(self.public, signature, text.encode())
        message = f"cosignature/v1\ntime {int.from_bytes(signature[:8], 'big')}\n{text}"
        return ed25519_verifies(self.public, signature[8:], message.encode())


@dataclass(frozen=True)
class Checkpoint:
    """A signed note about a tree: its text, what the text says, and the signatures: name, key id and bytes of each."""

    text: str
    origin: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        """Read one signed note."""
        text, _, signed = note.partition("\n\n")
        lines = text.split("\n")
        if len(lines) < 3 or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]) or len(unbase64(lines[2])) != 32:
            raise BadEvidence(f"no checkpoint: {note[:60]!r}")
        return cls(text + "\n", lines[0], int(lines[1]), unbase64(lines[2]), tuple(_signatures(signed)))

    def signers(self, keys: Iterable[Key]) -> list[str]:
        """The names of those of ``keys`` that signed; :class:`BadEvidence` where a signature of one does not hold."""
        found = []
        for key in keys:
            for name, key_id, signature in self.signatures:
                if (name, key_id) == (key.name, key.key_id):
                    if not key.verifies(signature, self.text):
                        raise BadEvidence(f"the signature of {name} over {self.size} records does not hold")
                    found.append((key.kind, name))
        return [name for _, name in sorted(set(found))]

    def require_signed(self, keys: Sequence[Key]) -> None:
        """:class:`BadEvidence` unless one of the log's ``keys`` signed."""
        self.signers(keys)
        own = [key for key in keys if key.kind == 1 and key.name == self.origin]
        if not self.signers(own):
            raise BadEvidence(f"the checkpoint of {self.size} records is signed by no key given")


def note_of(checkpoint: Checkpoint) -> str:
    """A checkpoint as the signed note that it was read from."""
    lines = (
        f"\u2014 {name} {base64.b64encode(key_id + raw).decode()}\n" for name, key_id, raw in checkpoint.signatures
    )
    return f"{checkpoint.text}\n{''.join(lines)}"


def unbase64(text: str) -> bytes:
    """The bytes that Base64 spells; none where it spells nothing."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _signatures(lines: str) -> Iterator[tuple[str, bytes, bytes]]:
    for line in lines.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        raw = unbase64(encoded)
        if dash != "\u2014" or len(raw) < 5:
            raise BadEvidence(f"no signature line: {line[:60]!r}")
        yield name, raw[:4], raw[4:]


def shown(text: str) -> str:
    """``text`` for a terminal: what is not printable ASCII is escaped as JSON does, so that it commands nothing."""
    return re.sub(r"[^ -~]", lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return re.sub("(....)", r"\\u\1", character.encode("utf-16-be", "surrogatepass").hex())


def decoded(data: bytes) -> str:
    """The text of a file that was handed over, its line ends as they were written; :class:`BadEvidence` when binary."""
    try:
        return data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadEvidence(f"no text: {error.reason} in byte {error.start}") from error


def _notes(data: bytes, note: re.Pattern[bytes]) -> tuple[list[Checkpoint], int]:
    """The notes that ``data`` begins with, and the byte after the last."""
    found, place = [], 0
    while match := note.match(data, place):
        found.append(Checkpoint.parse(decoded(match[0]).rstrip("\n")))
        place = match.end()
    return found, place


def read_checkpoints(text: str) -> list[Checkpoint]:
    """The notes of a file that was kept elsewhere.

    :raises BadEvidence: there is none, or something besides whole notes.
    """
    data = text.strip("\n").encode() + b"\n"
    found, end = _notes(data, _HELD_NOTE)
    if not found or end < len(data):
        raise BadEvidence(f"no checkpoint: {data[end : end + 60]!r}")
    return found


def read_own_checkpoints(data: bytes) -> tuple[list[Checkpoint], int]:
    """The notes of the file beside a log, each closed by an empty line, and how many bytes they take.

    An unfinished last one is left out: a crash cut it short. :class:`BadEvidence`: what follows is no such thing.
    """
    found, end = _notes(data, _CLOSED_NOTE)
    rest = data[end:]
    if rest.startswith(b"\n") or rest.count(b"\n\n") > 1 or not _UNFINISHED.fullmatch(rest):
        raise BadEvidence(f"no checkpoint: {rest[:60]!r}")
    return found, end
