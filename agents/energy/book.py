"""What is known of one quantity from one feed: its answers merged, and for each slot the answer it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from agents.messages import Origin
from core.series import IntArray, Kind, Series
from core.slots import SLOT, slot_floor, slots_between

KEPT = timedelta(days=10)
"""Slots that ended longer ago are in the store alone."""
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Book:
    """Merged answers.

    :param origin: (n,) position in ``answers`` of the answer that each figure is from; ``NOWHERE`` where missing.
    :param answers: ``(fetch_id, source)`` of the answers in use.
    """

    series: Series
    origin: IntArray
    answers: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, fetch_id: str, series: Series) -> Book:
        """The book of one answer alone."""
        origin = np.where(series.kinds == Kind.MISSING, NOWHERE, 0).astype(np.int64)
        return cls(series, origin, ((fetch_id, series.source),))._trimmed()

    def updated(self, fetch_id: str, newer: Series) -> Book:
        """This book with a later answer merged in.

        The later answer wins, except over firmer figures; forecasts that it no longer makes are dropped, so that the
        horizon is the one it has.
        """
        start, end = min(self.series.start, newer.start), max(self.series.end, newer.end)
        count = slots_between(start, end)
        old, new = self.series.window(start, count), newer.window(start, count)
        before = np.arange(count) < slots_between(start, newer.start)
        keep = (old.kinds < new.kinds) & ((old.kinds <= Kind.ESTIMATE) | before)
        origin = np.full(count, NOWHERE, dtype=np.int64)
        offset = slots_between(start, self.series.start)
        origin[offset : offset + len(self.series)] = self.origin
        series = replace(
            newer,
            start=start,
            values=np.where(keep, old.values, new.values),
            kinds=np.where(keep, old.kinds, new.kinds).astype(np.int8),
        )
        latest = np.where(new.kinds == Kind.MISSING, NOWHERE, len(self.answers))
        answers = (*self.answers, (fetch_id, newer.source))
        return Book(series, np.where(keep, origin, latest), answers)._trimmed()

    def origins(self, start: datetime, count: int) -> IntArray:
        """(count,) positions in ``answers`` from ``start`` on; ``NOWHERE`` outside the book."""
        found = np.full(count, NOWHERE, dtype=np.int64)
        offset = slots_between(self.series.start, slot_floor(start))
        low, high = max(0, -offset), min(count, len(self.series) - offset)
        if high > low:
            found[low:high] = self.origin[low + offset : high + offset]
        return found

    def firm(self) -> Book:
        """Without its forecasts: what has become too old to be believed of the future."""
        weak = self.series.kinds > Kind.ESTIMATE
        series = replace(
            self.series,
            values=np.where(weak, np.nan, self.series.values),
            kinds=np.where(weak, np.int8(Kind.MISSING), self.series.kinds).astype(np.int8),
        )
        return Book(series, np.where(weak, NOWHERE, self.origin), self.answers)._trimmed()

    def _trimmed(self) -> Book:
        """Without slots of more than ten days ago, missing slots at the end, and answers that no slot is from."""
        found = np.flatnonzero(self.series.kinds != Kind.MISSING)
        last = int(found[-1]) + 1 if found.size else 0
        first = min(max(0, slots_between(self.series.start, self.series.issued_at - KEPT)), last)
        origin = self.origin[first:last]
        used, packed = np.unique(origin[origin != NOWHERE], return_inverse=True)
        repacked = np.full(origin.size, NOWHERE, dtype=np.int64)
        repacked[origin != NOWHERE] = packed
        answers = tuple(self.answers[int(number)] for number in used)
        return Book(self.series.window(self.series.start + SLOT * first, last - first), repacked, answers)


def runs(positions: IntArray, answers: Sequence[tuple[str | None, str]]) -> tuple[Origin, ...]:
    """Stretches of slots of one answer, in order; slots of ``NOWHERE`` are in none."""
    if not positions.size:
        return ()
    breaks = np.flatnonzero(np.concatenate(([True], positions[1:] != positions[:-1], [True]))).tolist()
    return tuple(
        Origin(first, last, answers[int(positions[first])][1], answers[int(positions[first])][0])
        for first, last in pairwise(breaks)
        if positions[first] != NOWHERE
    )
