"""Reading a log line by line, each checked against the one before: the base of opening and of verifying.

A link that does not hold is blamed on the line that was changed: when the line after it still links to it, the line
before was changed, else the line itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from audit.canonical import NotCanonical, parse_canonical
from audit.record import ENVELOPE_FIELDS, NO_HASH, SCHEMA, digest

MAX_LINE_BYTES = 8 * 1024 * 1024
"""Longest line that is written or read, so that a damaged file cannot fill the memory."""


class LineFault(Exception):
    """The first bad line, 1-based, and why it is bad."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        self.reason = reason


class TornTail(LineFault):
    """The last line has no line end: its write was cut short. ``offset`` is where it begins."""

    def __init__(self, number: int, offset: int, size: int) -> None:
        super().__init__(number, f"torn tail: {size} bytes without a line end")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Head:
    """The last acknowledged record as kept beside the log: how many records there were, and the last one's hash."""

    records: int
    hash: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is canonical, well-formed and follows from the lines before it."""

    number: int
    offset: int
    raw: bytes
    hash: str
    envelope: dict[str, Any]


def _raw_lines(stream: BinaryIO, end: int | None) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and bytes (without line end) of each whole line before byte ``end``."""
    offset, number = 0, 1
    while end is None or offset < end:
        raw = stream.readline(MAX_LINE_BYTES + 1)
        if not raw:
            return
        if not raw.endswith(b"\n"):
            if len(raw) > MAX_LINE_BYTES:
                raise LineFault(number, f"not JSON: a line of more than {MAX_LINE_BYTES} bytes")
            raise TornTail(number, offset, len(raw))
        yield number, offset, raw[:-1]
        offset, number = offset + len(raw), number + 1


def _is_time(text: Any) -> bool:
    if not isinstance(text, str) or not text.endswith("Z"):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _envelope(number: int, raw: bytes) -> dict[str, Any]:
    """The envelope spelled by a line; :class:`LineFault` when it is none of a known schema."""
    try:
        envelope = parse_canonical(raw)
    except NotCanonical as error:
        raise LineFault(number, str(error)) from error
    if not isinstance(envelope, dict):
        raise LineFault(number, "not a record: the line is not a JSON object")
    if envelope.get("schema") != SCHEMA:
        raise LineFault(number, f"unknown schema {envelope.get('schema')!r}; this verifier knows {SCHEMA!r}")
    if tuple(envelope) != ENVELOPE_FIELDS:
        raise LineFault(number, f"not a record: its fields are {', '.join(envelope)}")
    texts = (envelope[name] for name in ("actor", "kind", "log_id", "prev"))
    if not (
        all(isinstance(text, str) for text in texts)
        and isinstance(envelope["body"], dict)
        and type(envelope["seq"]) is int
        and _is_time(envelope["recorded_at"])
    ):
        raise LineFault(number, "not a record: a field of the envelope has the wrong type")
    return envelope


def _links_to(raw: bytes | None, line_hash: str) -> bool:
    """Whether a following line, if there is one and it can be read, names ``line_hash`` as the one before it."""
    if raw is None:
        return False
    try:
        following = parse_canonical(raw)
    except NotCanonical:
        return False
    return isinstance(following, dict) and following.get("prev") == line_hash


def _blame(line: Line, following: bytes | None, head: Head | None) -> int:
    """Number of the line that was changed, given that ``line`` does not link to the one before."""
    anchored = head is not None and head == Head(line.number, line.hash)
    intact = line.number > 1 and (anchored or _links_to(following, line.hash))
    return line.number - 1 if intact else line.number


def _whole(lines: Iterator[tuple[int, int, bytes]]) -> Iterator[bytes]:
    """The bytes of the lines up to the first that cannot be read."""
    try:
        yield from (raw for _, _, raw in lines)
    except LineFault:
        return


def _check(line: Line, before: Line | None, rest: Iterator[tuple[int, int, bytes]], head: Head | None) -> None:
    """That a line stands where it belongs; reads one line ahead only to find which of two was changed."""
    if line.envelope["seq"] != line.number - 1:
        raise LineFault(line.number, f"wrong seq: {line.envelope['seq']} where {line.number - 1} belongs")
    if line.envelope["prev"] != (before.hash if before else NO_HASH):
        changed = _blame(line, next(_whole(rest), None), head)
        raise LineFault(changed, f"broken chain: line {line.number} does not link to the line before it")
    if before is not None and line.envelope["log_id"] != before.envelope["log_id"]:
        raise LineFault(line.number, "a record of another log: its log_id differs from the line before")
    if head is not None and line.number == head.records and line.hash != head.hash:
        raise LineFault(line.number, "changed: it is not the record that was acknowledged (see the .head file)")


def scan(stream: BinaryIO, *, head: Head | None = None, end: int | None = None) -> Iterator[Line]:
    """Each line of a log in order, in constant memory.

    :param head: when known, the record it counts must be there with its hash.
    :param end: read no further than this byte (the acknowledged part of a log that is being written).
    :raises LineFault: at the first line that is bad; :class:`TornTail` when it is the last and unfinished.
    """
    before: Line | None = None
    lines = _raw_lines(stream, end)
    for number, offset, raw in lines:
        line = Line(number, offset, raw, digest(raw), _envelope(number, raw))
        _check(line, before, lines, head)
        yield line
        before = line
    count = before.number if before else 0
    if head is not None and count < head.records:
        raise LineFault(count + 1, f"missing: {head.records} records were acknowledged, {count} are here")
