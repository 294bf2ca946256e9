"""One quoted series: published figures, below them our forecast, and below that simulation where it is allowed.

Each slot takes the firmest figure there is, keeps its kind and interval, and remembers the stored answer it is from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agents.energy.book import NOWHERE, Book, runs
from agents.messages import Origin
from core.series import IntArray, Kind, Series

MISSING = np.int8(Kind.MISSING)


@dataclass(slots=True)
class Layers:
    """Figures laid over weaker ones.

    :param series: what has been laid so far.
    :param positions: (n,) into ``answers``; ``NOWHERE`` where missing.
    """

    series: Series
    positions: IntArray
    answers: list[tuple[str | None, str]]

    @classmethod
    def of_book(cls, book: Book, start: datetime, slots: int) -> Layers:
        """The published figures of a live feed."""
        series = book.series.window(start, slots)
        return cls(series, book.origins(start, slots), list(book.answers))

    @classmethod
    def of(cls, series: Series) -> Layers:
        """Figures that no stored answer holds."""
        return cls(series, np.where(series.kinds == MISSING, NOWHERE, 0).astype(np.int64), [(None, series.source)])

    @property
    def has_gaps(self) -> bool:
        """Whether a slot is still without a figure."""
        return bool(np.any(self.series.kinds == MISSING))

    def under(self, weaker: Layers) -> None:
        """Fill gaps; where nothing was laid yet, ``weaker`` under its own name."""
        gaps = self.series.kinds == MISSING
        offset = len(self.answers)
        moved = np.where(weaker.positions == NOWHERE, NOWHERE, weaker.positions + offset)
        self.positions = np.where(gaps, moved, self.positions)
        self.answers = [*self.answers, *weaker.answers]
        joined = weaker.series if bool(np.all(gaps)) else self.series.overlay(weaker.series)
        self.series = replace(joined, stale=self.series.stale or weaker.series.stale)

    def origins(self) -> tuple[Origin, ...]:
        """Where each stretch of slots is from."""
        return runs(self.positions, self.answers)
