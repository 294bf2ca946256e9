"""What a log holds, in memory: where each record stands in which file, what it is found by, and the tree over all.

Rebuilt from the log's files when it is opened; nothing of it is stored.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from audit.index import Index, Row
from audit.merkle import HASH_BYTES, MerkleIndex
from audit.record import Record, Ref, read_record
from audit.verifier.lines import NO_HASH, Head
from audit.verifier.tree import leaf_hash
from core.slots import settlement_period


class Contents:
    """The records of a log; written by the log's writer alone, read by all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = Index()
        self.tree = MerkleIndex()
        self.head = Head(0, NO_HASH)
        self.log_id: str | None = None
        self.vkey: str | None = None
        self.redacted: set[str] = set()
        self.deleted: set[str] = set()
        self.parts: list[tuple[int, Path]] = []
        self._live_digest = hashlib.sha256()

    @classmethod
    def load(cls, path: Path, parts: Sequence[Path], end: int) -> Contents:
        """Read files that were checked; of the last only up to byte ``end``."""
        made = cls(path)
        for part in parts:
            if part.suffix == ".leaves":
                made._take_leaves(part.read_bytes())
            else:
                made.begin(part)
                made._take_lines(part, end if part == path else part.stat().st_size)
        return made

    def _take_leaves(self, leaves: bytes) -> None:
        for start in range(0, len(leaves), HASH_BYTES):
            self.tree.append(leaves[start : start + HASH_BYTES])
        self.head = Head(self.tree.size, NO_HASH)
        self.index.base = self.tree.size

    def _take_lines(self, part: Path, end: int) -> None:
        offset = 0
        with part.open("rb") as stream:
            while offset < end:
                raw = stream.readline()
                envelope = json.loads(raw)
                self.log_id = envelope["log_id"]
                self._note_bookkeeping(envelope)
                self.add(raw[:-1], row_of(offset, read_record(raw[:-1], envelope)), leaf_hash(raw[:-1]))
                offset += len(raw)

    def _note_bookkeeping(self, envelope: dict[str, Any]) -> None:
        """What must be finished when the log is opened: see :class:`audit.log.AuditLog`."""
        body = envelope["body"]
        match envelope["kind"]:
            case "redaction":
                self.redacted.update(body["commitments"])
            case "deletion":
                self.deleted.add(body["name"])
            case "key":
                self.vkey = body["vkey"]

    def begin(self, part: Path) -> None:
        """The records that follow stand in another file."""
        self.parts.append((self.head.records, part))
        self._live_digest = hashlib.sha256()

    def add(self, raw: bytes, row: Row, leaf: bytes) -> None:
        """Note the next record."""
        self._live_digest.update(raw + b"\n")
        self.index.add(row)
        self.tree.append(leaf)
        self.head = Head(self.head.records + 1, row.digest.hex())

    def require_refs(self, place: int, refs: Sequence[Ref | int]) -> None:
        """:class:`ValueError` unless each names a record by the leaf hash that it has, or an entry before ``place``.

        A line with another reference would be called forged by the verifier, and so by the next start.
        """
        if any(isinstance(ref, int) and not 0 <= ref < place for ref in refs):
            raise ValueError(f"entry {place} refers to one that does not come before it: {list(refs)}")
        for ref in refs:
            if isinstance(ref, Ref) and (ref.seq < 0 or self.tree.leaf(ref.seq).hex() != ref.leaf):
                raise ValueError(f"entry {place} refers to record {ref.seq} by a leaf hash that it does not have")

    @property
    def first_seq(self) -> int:
        """Of the live file."""
        return self.parts[-1][0]

    @property
    def live_sha256(self) -> str:
        """Of the live file, all of it."""
        return self._live_digest.hexdigest()

    def part(self, seq: int) -> tuple[int, Path]:
        """The file that holds record ``seq``, after the number of its first record."""
        return self.parts[bisect_right(self.parts, seq, key=lambda part: part[0]) - 1]

    def sealed(self, name: Path) -> None:
        """The live file goes by ``name`` now; what follows stands in a new one."""
        self.parts[-1] = (self.first_seq, name)
        self.begin(self.path)

    def forget_oldest(self) -> None:
        """Drop the oldest file's records; its leaves stay in the tree."""
        del self.parts[0]
        self.index.drop_before(self.parts[0][0])


def row_of(offset: int, record: Record) -> Row:
    """What a record is found by."""
    body = record.body
    followed = body.get("corrected_seq", body.get("decision_seq"))
    return Row(
        offset=offset,
        size=len(record.line),
        digest=bytes.fromhex(record.hash),
        recorded_at=record.recorded_at,
        kind=record.kind,
        job_id=_text(body.get("job_id")),
        site_id=_text(body.get("site_id")),
        tenant_commit=_text(body.get("tenant_commit")),
        round_id=_text(body.get("round_id")) or _text(body.get("round_seq_id")),
        settlement_date=_text(body.get("settlement_date")) or _date_of_start(body),
        follows=followed if isinstance(followed, int) else None,
    )


def _date_of_start(body: dict[str, Any]) -> str | None:
    """The settlement date of the first run, or of the half-hour that a body is about."""
    runs = body.get("runs")
    start = runs[0]["start"] if runs else body.get("start")
    return _date(start) if isinstance(start, str) else None


@lru_cache(maxsize=4096)
def _date(start: str) -> str:
    return settlement_period(datetime.fromisoformat(start)).date.isoformat()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
