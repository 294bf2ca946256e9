"""The least change that makes a job feasible in what a plan leaves: one change, or two where no single one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from agents.explanation.changes import Change, Made
from agents.explanation.choice import cheapest_of
from agents.explanation.courses import Courses, Pricing
from agents.explanation.wants import Wants
from core.series import BoolArray, IntArray

PAIRS_TRIED = 3
"""of the pairs of changes that would do, the cheapest so many are made as small as they can be"""


def placed(pricing: Pricing, wants: Wants) -> Courses:
    """The cheapest course of each row at any of its sites within the room."""
    row, site = np.nonzero(wants.sites)
    courses = pricing.best(wants.take(row), site)
    best = cheapest_of(row, courses, courses.counted_gbp)
    found = Courses.none(len(wants), pricing.grid.slots)
    found.put(best.group, best.courses)
    return found


def works(wants: Wants, courses: Courses) -> BoolArray:
    """(n,) True where there is a course that costs less than leaving the job out."""
    return np.asarray(courses.found & (courses.counted_gbp < wants.penalty_gbp))


class Offer(NamedTuple):
    """Row of the job, what was changed, and what that leads to."""

    row: int
    changes: tuple[Change, ...]
    made: Made

    @property
    def counted_gbp(self) -> float:
        """What the course costs, carbon counted."""
        return float(self.made.course.counted_gbp[0])

    @property
    def words(self) -> str:
        """The changes for a person."""
        return " and ".join(change.words(self.made) for change in self.changes)


class _Trials(NamedTuple):
    """m trials: the row changed, the change and, ``base`` (m rows), the row with any other change made already."""

    row: IntArray
    change: IntArray
    base: Wants

    def take(self, rows: IntArray | BoolArray) -> _Trials:
        return _Trials(self.row[rows], self.change[rows], self.base.take(rows))


@dataclass(frozen=True, slots=True)
class Search:
    """Looks for changes that let jobs ``wants`` (n rows) into the room of ``pricing``."""

    pricing: Pricing
    changes: Sequence[Change]
    wants: Wants

    def singles(self) -> list[Offer]:
        """Every single change that suffices, each the least of its kind; of kinds in several forms the first."""
        count = len(self.wants)
        change = np.repeat(np.arange(len(self.changes)), count)
        row = np.tile(np.arange(count), len(self.changes))
        found = self._least(_Trials(row, change, self.wants.take(row)))
        return _first_of_each_kind([self._offer(t, (self.changes[t.change],)) for t in found])

    def pairs(self) -> list[Offer]:
        """Pairs of changes that suffice, the cheapest few: the first made as small as it can be, then the second."""
        names = [change.name for change in self.changes]
        pairs = [(a, b) for a, b in combinations(range(len(names)), 2) if names[a] != names[b]]
        row = np.repeat(np.arange(len(self.wants)), len(pairs))
        first, second = np.tile(np.array(pairs).T, len(self.wants))
        base = self.wants.take(row)
        base, second_applies = self._changed(base, second, self._most(base, second))
        both, first_applies = self._changed(base, first, self._most(base, first))
        possible = np.flatnonzero(first_applies & second_applies)
        courses = placed(self.pricing, both.take(possible))
        good = works(both.take(possible), courses)
        promising = possible[good][_cheapest_few(row[possible[good]], courses.counted_gbp[good], PAIRS_TRIED)]
        return self._made_small(row[promising], first[promising], second[promising], base.take(promising))

    def _made_small(self, row: IntArray, first: IntArray, second: IntArray, base: Wants) -> list[Offer]:
        """Pairs that suffice in full, made as small as they can be; ``base`` has the second change in full."""
        smaller = self._least(_Trials(row, first, base))
        offers = []
        for found, other in zip(smaller, second.tolist(), strict=True):
            half, _ = self._changed(self.wants.take(np.array([found.row])), np.array([found.change]), found.size)
            for least in self._least(_Trials(np.array([found.row]), np.array([other]), half)):
                offers.append(self._offer(least, (self.changes[found.change], self.changes[other])))
        return offers

    def _offer(self, found: _Found, changes: tuple[Change, ...]) -> Offer:
        before = self.wants.take(np.array([found.row]))
        return Offer(found.row, changes, Made(before, found.after, found.courses))

    def _most(self, wants: Wants, change: IntArray) -> IntArray:
        most = np.zeros(len(wants), dtype=np.int64)
        for number, kind in enumerate(self.changes):
            rows = np.flatnonzero(change == number)
            if rows.size:
                most[rows] = kind.most(wants.take(rows))
        return most

    def _changed(self, wants: Wants, change: IntArray, size: IntArray) -> tuple[Wants, BoolArray]:
        """Each row with its change in its size, and where there is such a change; elsewhere it stays as it is."""
        parts, order = [wants.take(size == 0)], [np.flatnonzero(size == 0)]
        for number, kind in enumerate(self.changes):
            rows = np.flatnonzero((change == number) & (size > 0))
            if rows.size:
                parts.append(kind.made(wants.take(rows), size[rows]))
                order.append(rows)
        back = np.argsort(np.concatenate(order), kind="stable")
        return Wants.join(parts).take(back), np.asarray(size > 0)

    def _least(self, trials: _Trials) -> list[_Found]:
        """The least size of each trial's change that works, for those where the greatest does."""
        most = self._most(trials.base, trials.change)
        trials, most = trials.take(most > 0), most[most > 0]
        if not most.size:
            return []
        there = self._sites_that_work(self._changed(trials.base, trials.change, most)[0])
        good = np.flatnonzero(there.any(axis=1))
        trials, high, there = trials.take(good), most[good], there[good]
        low = np.zeros_like(high)
        while (open_ := np.flatnonzero(high - low > 1)).size:
            middle = (low[open_] + high[open_]) // 2
            tried, _ = self._changed(trials.base.take(open_), trials.change[open_], middle)
            enough = works(tried, placed(self.pricing, tried.with_(sites=tried.sites & there[open_])))
            high[open_[enough]], low[open_[~enough]] = middle[enough], middle[~enough]
        after, _ = self._changed(trials.base, trials.change, high)
        courses = placed(self.pricing, after)
        return [
            _Found(int(row), int(change), high[at], after.take(at), courses.take(at))
            for row, change, at in zip(trials.row, trials.change, np.arange(len(high))[:, None], strict=True)
        ]

    def _sites_that_work(self, wants: Wants) -> BoolArray:
        """(n, S) where each row has a course that is worth it."""
        row, site = np.nonzero(wants.sites)
        asked = wants.take(row)
        good = works(asked, self.pricing.best(asked, site))
        there = np.zeros_like(wants.sites)
        there[row[good], site[good]] = True
        return there


class _Found(NamedTuple):
    """The least size of one trial's change that works, and what it leads to; all arrays of one row."""

    row: int
    change: int
    size: IntArray
    after: Wants
    courses: Courses


def _cheapest_few(row: IntArray, cost: np.ndarray, few: int) -> IntArray:
    """Positions of the ``few`` cheapest of each row."""
    order = np.lexsort((cost, row))
    _, first = np.unique(row[order], return_index=True)
    rank = np.arange(len(order)) - np.repeat(first, np.diff([*first, len(order)]))
    return np.sort(order[rank < few])


def _first_of_each_kind(offers: list[Offer]) -> list[Offer]:
    kinds: dict[tuple[int, str], Offer] = {}
    for offer in offers:
        kinds.setdefault((offer.row, offer.changes[0].name), offer)
    return list(kinds.values())
