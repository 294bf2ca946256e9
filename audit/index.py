"""Where each record stands in the file and what it is about: enough to filter without reading bodies."""

from __future__ import annotations

import threading
from array import array
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from core.series import BoolArray, IntArray
from core.slots import require_aware

_ABSENT = -1
_UNKNOWN = -2


def _microseconds(instant: datetime) -> int:
    return round(require_aware(instant).timestamp() * 1_000_000)


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; None does not restrict. ``start`` is inclusive, ``end`` exclusive, both of ``recorded_at``."""

    kind: str | None = None
    job_id: str | None = None
    site_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class _Words:
    """A column of texts, each kept once."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._column = array("q")

    def add(self, text: Any) -> None:
        known = isinstance(text, str)
        self._column.append(self._codes.setdefault(text, len(self._codes)) if known else _ABSENT)

    def equal(self, text: str) -> BoolArray:
        return np.equal(np.array(self._column, dtype=np.int64), self._codes.get(text, _UNKNOWN))


class Index:
    """Columns over all records of a log, in memory, some 60 bytes a record. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offsets = array("q")
        self._sizes = array("q")
        self._times = array("q")
        self._hashes = bytearray()
        self._kinds, self._jobs, self._sites = _Words(), _Words(), _Words()

    def add(self, offset: int, raw_size: int, line_hash: str, envelope: dict[str, Any]) -> None:
        """Note the next record: ``raw_size`` bytes without line end at ``offset``."""
        with self._lock:
            body = envelope["body"]
            self._sizes.append(raw_size)
            self._times.append(_microseconds(datetime.fromisoformat(envelope["recorded_at"])))
            self._hashes += bytes.fromhex(line_hash)
            self._kinds.add(envelope["kind"])
            self._jobs.add(body.get("job_id"))
            self._sites.add(body.get("site_id"))
            self._offsets.append(offset)

    def where(self, seq: int) -> tuple[int, int, str]:
        """Offset, size and hash of record ``seq``."""
        with self._lock:
            return self._offsets[seq], self._sizes[seq], self._hashes[32 * seq : 32 * seq + 32].hex()

    def find(self, query: Query) -> IntArray:
        """Sequence numbers of the records that match, newest first."""
        with self._lock:
            mask = np.ones(len(self._offsets), dtype=np.bool_)
            words = ((self._kinds, query.kind), (self._jobs, query.job_id), (self._sites, query.site_id))
            for column, text in words:
                if text is not None:
                    mask &= column.equal(text)
            times = np.array(self._times, dtype=np.int64)
        if query.start is not None:
            mask &= times >= _microseconds(query.start)
        if query.end is not None:
            mask &= times < _microseconds(query.end)
        return np.flatnonzero(mask)[::-1].astype(np.int64)
