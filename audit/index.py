"""Where each record stands in the file and what it is about: enough to filter without reading bodies."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

import numpy as np

from audit.record import FORMER_KINDS
from core.series import BoolArray, IntArray
from core.slots import require_aware

_ABSENT = -1
_UNKNOWN = -2
Counts = dict[tuple[str | None, ...], int]
"""how many records have each combination of words"""


def _microseconds(instant: datetime) -> int:
    return round(require_aware(instant).timestamp() * 1_000_000)


class Filters(TypedDict, total=False):
    """The fields of :class:`Query`, as keywords."""

    kind: str | None
    job_id: str | None
    site_id: str | None
    start: datetime | None
    end: datetime | None
    tenant_commits: Collection[str] | None
    round_id: str | None
    settlement_date: str | None
    follows: int | None


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; None does not restrict. ``start`` is inclusive, ``end`` exclusive, both of ``recorded_at``.

    :param tenant_commits: any of these commitments. :param round_id: of a negotiation and of what was decided in it.
    :param settlement_date: such as ``2026-10-20``. :param follows: the record that it follows. See :class:`Row`.
    """

    kind: str | None = None
    job_id: str | None = None
    site_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    tenant_commits: Collection[str] | None = None
    round_id: str | None = None
    settlement_date: str | None = None
    follows: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A record: ``size`` bytes without line end at ``offset`` of its file, and what it is found by.

    :param settlement_date: that it states or on which, in Europe/London, what it tells of starts; None for a record
        that follows another, and so lies on the date of that one.
    :param follows: the decision that a delivery follows, or the record that a correction corrects.
    """

    offset: int
    size: int
    digest: bytes
    recorded_at: datetime
    kind: str
    job_id: str | None
    site_id: str | None
    tenant_commit: str | None = None
    round_id: str | None = None
    settlement_date: str | None = None
    follows: int | None = None


class _Words:
    """A column of texts, each kept once."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._column = array("q")

    def add(self, text: str | None) -> None:
        self._column.append(_ABSENT if text is None else self._codes.setdefault(text, len(self._codes)))

    def drop(self, rows: int) -> None:
        del self._column[:rows]

    def texts(self, rows: IntArray) -> list[str | None]:
        """The texts of ``rows``."""
        words = [*self._codes, None]
        return [words[code] for code in np.array(self._column, dtype=np.int64)[rows].tolist()]

    def any_of(self, texts: Collection[str]) -> BoolArray:
        """Which rows hold one of ``texts``."""
        codes = [self._codes.get(text, _UNKNOWN) for text in texts]
        return np.isin(np.array(self._column, dtype=np.int64), codes)


class Index:
    """Columns over the records of a log, in memory, some 100 bytes a record. Safe to use from several threads.

    ``base`` is the first record's number: those before it were removed with their segments.
    """

    def __init__(self) -> None:
        self.base = 0
        self._lock = threading.Lock()
        self._offsets = array("q")
        self._sizes = array("q")
        self._times = array("q")
        self._follows = array("q")
        self._hashes = bytearray()
        self._kinds, self._jobs, self._sites = _Words(), _Words(), _Words()
        self._tenants, self._rounds, self._dates = _Words(), _Words(), _Words()

    def add(self, row: Row) -> None:
        """Note the next record."""
        with self._lock:
            self._sizes.append(row.size)
            self._times.append(_microseconds(row.recorded_at))
            self._hashes += row.digest
            self._kinds.add(row.kind)
            self._jobs.add(row.job_id)
            self._sites.add(row.site_id)
            self._tenants.add(row.tenant_commit)
            self._rounds.add(row.round_id)
            self._dates.add(row.settlement_date or self._date_of(row.follows))
            self._follows.append(_ABSENT if row.follows is None else row.follows)
            self._offsets.append(row.offset)

    def _date_of(self, seq: int | None) -> str | None:
        row = -1 if seq is None else seq - self.base
        return self._dates.texts(np.array([row]))[0] if 0 <= row < len(self._offsets) else None

    def where(self, seq: int) -> tuple[int, int, str]:
        """Offset in its file, size and hash of record ``seq``."""
        with self._lock:
            row = seq - self.base
            return self._offsets[row], self._sizes[row], self._hashes[32 * row : 32 * row + 32].hex()

    def recorded_at(self, seq: int) -> datetime:
        """When record ``seq`` was written."""
        with self._lock:
            return datetime.fromtimestamp(self._times[seq - self.base] / 1_000_000, tz=UTC)

    def drop_before(self, seq: int) -> None:
        """Forget the records before ``seq``."""
        with self._lock:
            rows = seq - self.base
            for column in (self._offsets, self._sizes, self._times, self._follows):
                del column[:rows]
            for words in (self._kinds, self._jobs, self._sites, self._tenants, self._rounds, self._dates):
                words.drop(rows)
            del self._hashes[: 32 * rows]
            self.base = seq

    def find(self, query: Query) -> IntArray:
        """Sequence numbers of the records that match, newest first."""
        with self._lock:
            mask = np.ones(len(self._offsets), dtype=np.bool_)
            kind = FORMER_KINDS.get(query.kind, query.kind) if query.kind else None
            words = (
                (self._kinds, kind),
                (self._jobs, query.job_id),
                (self._sites, query.site_id),
                (self._rounds, query.round_id),
                (self._dates, query.settlement_date),
            )
            for column, text in words:
                if text is not None:
                    mask &= column.any_of((text,))
            if query.tenant_commits is not None:
                mask &= self._tenants.any_of(query.tenant_commits)
            if query.follows is not None:
                mask &= np.array(self._follows, dtype=np.int64) == query.follows
            times = np.array(self._times, dtype=np.int64)
        if query.start is not None:
            mask &= times >= _microseconds(query.start)
        if query.end is not None:
            mask &= times < _microseconds(query.end)
        return np.flatnonzero(mask)[::-1].astype(np.int64) + self.base

    def counts(self, seqs: Sequence[int], by: Sequence[str]) -> Counts:
        """How many of the records ``seqs`` there are of each kind, site_id and settlement_date, as ``by`` has them.

        Those that were removed since they were found are left out.
        """
        with self._lock:
            columns = {"kind": self._kinds, "site_id": self._sites, "settlement_date": self._dates}
            rows = np.asarray(seqs, dtype=np.int64) - self.base
            rows = rows[rows >= 0]
            return dict(Counter(zip(*(columns[name].texts(rows) for name in by), strict=True)))
