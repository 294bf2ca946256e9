"""Reading a log line by line, each checked against the one before."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from audit.verifier.spelling import NotCanonical, parse_canonical

MAX_LINE_BYTES = 8 * 1024 * 1024
"""longest line that is written or read, so that a damaged file cannot fill the memory"""
NO_HASH = "0" * 64
"""``prev`` of the first record"""


class LineFault(Exception):
    """The first bad record, by its number, and why it is bad."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq
        self.reason = reason


class TornTail(LineFault):
    """The last line has no line end: its write was cut short. ``offset`` is where it begins."""

    def __init__(self, seq: int, offset: int, size: int) -> None:
        super().__init__(seq, f"torn tail: {size} bytes without a line end")
        self.offset = offset


class Head(NamedTuple):
    """The last acknowledged record as kept beside the log: how many records there were, and the last one's hash."""

    records: int
    hash: str


class Place(NamedTuple):
    """Where a line stands: the number that belongs there, the hash of the line before, the log. None: not known."""

    seq: int = 0
    prev: str | None = NO_HASH
    log_id: str | None = None


class Links(NamedTuple):
    """What a line says of its place and of other lines."""

    seq: int
    prev: str
    log_id: str
    kind: str
    refs: tuple[tuple[int, bytes], ...] = ()
    """number and leaf hash of each earlier record that it names"""


FIRST = Place()
"""where a log begins"""


class Line(NamedTuple):
    """A line that is canonical, well-formed and follows from the lines before it."""

    offset: int
    raw: bytes
    hash: str
    envelope: dict[str, Any]

    @property
    def next(self) -> Place:
        """The place after it."""
        return Place(self.envelope["seq"] + 1, self.hash, self.envelope["log_id"])


def _raw_lines(stream: BinaryIO, seq: int, end: int | None) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes (without line end) of each whole line from where the stream stands to byte ``end``."""
    offset = stream.tell()
    while end is None or offset < end:
        raw = stream.readline(MAX_LINE_BYTES + 1)
        if not raw:
            return
        if not raw.endswith(b"\n"):
            if len(raw) > MAX_LINE_BYTES:
                raise LineFault(seq, f"not JSON: a line of more than {MAX_LINE_BYTES} bytes")
            raise TornTail(seq, offset, len(raw))
        yield offset, raw[:-1]
        offset, seq = offset + len(raw), seq + 1


def is_time(text: Any) -> bool:
    """Whether a field is a time in UTC as records have it."""
    try:
        return datetime.fromisoformat(text) is not None and text.endswith("Z")
    except (TypeError, ValueError):
        return False


_TYPES_2: dict[str, type] = {
    "actor": dict,
    "body": dict,
    "commit": dict,
    "kind": str,
    "log_id": str,
    "prev": str,
    "recorded_at": str,
    "refs": list,
    "schema": str,
    "seq": int,
    "trace": dict,
}
_TYPES_1 = _TYPES_2 | {"actor": str}
for _later in ("commit", "refs", "trace"):
    del _TYPES_1[_later]
SCHEMAS = {"slackwater.audit/1": _TYPES_1, "slackwater.audit/2": _TYPES_2}
"""every schema that was ever written, with the types of its envelope"""
_HEX64 = re.compile("[0-9a-f]{64}")
_FIELDS = {schema: tuple(types) for schema, types in SCHEMAS.items()}
_TYPES = {schema: tuple(types.values()) for schema, types in SCHEMAS.items()}


def envelope_of(seq: int, raw: bytes) -> dict[str, Any]:
    """The envelope spelled by a line; :class:`LineFault` when it is none of a known schema."""
    try:
        envelope = parse_canonical(raw)
    except NotCanonical as error:
        raise LineFault(seq, str(error)) from error
    if type(envelope) is not dict:
        raise LineFault(seq, "not a record: the line is not a JSON object")
    schema = str(envelope.get("schema"))
    if schema not in SCHEMAS:
        known = " and ".join(SCHEMAS)
        raise LineFault(seq, f"unknown schema {envelope.get('schema')!r}; this verifier knows {known}")
    if tuple(envelope) != _FIELDS[schema]:
        raise LineFault(seq, f"not a record: its fields are {', '.join(envelope)}")
    if tuple(map(type, envelope.values())) != _TYPES[schema]:
        wrong = [name for name, kind in SCHEMAS[schema].items() if type(envelope[name]) is not kind]
        raise LineFault(seq, f"not a record: {', '.join(wrong)} has the wrong type")
    if not is_time(envelope["recorded_at"]):
        raise LineFault(seq, "not a record: recorded_at has the wrong type, it is no time in UTC")
    if not all(is_ref(ref, envelope["seq"]) for ref in envelope.get("refs", ())):
        raise LineFault(seq, "not a record: refs do not name earlier records by seq and leaf hash alone")
    return envelope


def is_ref(ref: Any, seq: int) -> bool:
    """Whether an item of ``refs`` of record ``seq`` names an earlier record by its number and a leaf hash."""
    if type(ref) is not dict or tuple(ref) != ("leaf", "seq") or type(ref["seq"]) is not int:
        return False
    return 0 <= ref["seq"] < seq and type(ref["leaf"]) is str and _HEX64.fullmatch(ref["leaf"]) is not None


def links_of(envelope: dict[str, Any]) -> Links:
    """What a line with this envelope says of its place and of other lines."""
    refs = tuple((ref["seq"], bytes.fromhex(ref["leaf"])) for ref in envelope.get("refs", ()))
    return Links(envelope["seq"], envelope["prev"], envelope["log_id"], envelope["kind"], refs)


def _links_to(raw: bytes | None, line_hash: str) -> bool:
    """Whether a following line, if there is one and it can be read, names ``line_hash`` as the one before it."""
    try:
        following = None if raw is None else parse_canonical(raw)
    except NotCanonical:
        return False
    return isinstance(following, dict) and following.get("prev") == line_hash


def _following(lines: Iterator[tuple[int, bytes]]) -> bytes | None:
    try:
        return next(lines, (0, None))[1]
    except LineFault:
        return None


def follow(
    stream: BinaryIO,
    at: Place,
    read: Callable[[int, bytes], Links],
    *,
    head: Head | None = None,
    end: int | None = None,
) -> Iterator[tuple[int, bytes, str, Links]]:
    """Offset, bytes, hash and links of each line in order, from where the stream stands, in constant memory.

    A link that does not hold is blamed on the line that was changed: when the line after it still links to it, the
    line before was changed, else the line itself.

    :param at: what the first line must be. :param read: what a line says of its place, or a :class:`LineFault`.
    :param head: when known, the record it counts must have its hash.
    :param end: read no further than this byte (the acknowledged part of a log that is being written).
    :raises LineFault: at the first line that is bad; :class:`TornTail` when it is the last and unfinished.
    """
    seq, prev, log_id = at
    lines = _raw_lines(stream, seq, end)
    for offset, raw in lines:
        told, line_hash = read(seq, raw), hashlib.sha256(raw).hexdigest()
        if told.seq != seq:
            raise LineFault(seq, f"wrong seq: {told.seq} where {seq} belongs")
        if prev is not None and told.prev != prev:
            intact = (head is not None and head == (seq + 1, line_hash)) or _links_to(_following(lines), line_hash)
            raise LineFault(
                seq - 1 if intact and seq else seq, f"broken chain: record {seq} does not link to the one before"
            )
        if log_id is not None and told.log_id != log_id:
            raise LineFault(seq, "a record of another log: its log_id differs from the line before")
        if head is not None and seq + 1 == head.records and line_hash != head.hash:
            raise LineFault(seq, "changed: it is not the record that was acknowledged (see the .head file)")
        yield offset, raw, line_hash, told
        seq, prev, log_id = seq + 1, line_hash, told.log_id


def scan(stream: BinaryIO, at: Place = FIRST, *, head: Head | None = None, end: int | None = None) -> Iterator[Line]:
    """Each line of a log with its envelope; see :func:`follow`."""
    envelope: dict[str, Any] = {}

    def read(seq: int, raw: bytes) -> Links:
        nonlocal envelope
        envelope = envelope_of(seq, raw)
        return links_of(envelope)

    for offset, raw, line_hash, _ in follow(stream, at, read, head=head, end=end):
        yield Line(offset, raw, line_hash, envelope)
