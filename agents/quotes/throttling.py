"""Throttlable jobs: a power level or none in each slot, until the work is done, at the least charge by each deadline.

A *step* lifts one slot from one level to the next. Taken in order of charge per unit of work, the last one in part,
steps cost the least that any course can, because levels are concave: the *floor* of a site, whose rate is that of the
last step. Whole levels cost more; how much, :mod:`agents.quotes.knapsack` finds out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from agents.quotes.book import Openings
from agents.quotes.courses import Course
from agents.quotes.knapsack import Ladder, least_counts, states
from core.job import Level
from core.series import FloatArray, IntArray

WORK_TOLERANCE = 1e-9
CHARGE_TOLERANCE = 1e-9


class _Steps(NamedTuple):
    """All steps at R sites, (R, n) by rising charge per unit of work, those that do not fit last.

    :param gain: work of each, 0 where it does not fit; ``cost`` likewise.
    :param earning: (R,) how many are charged less than nothing.
    """

    rate: FloatArray
    slot: IntArray
    gain: FloatArray
    cost: FloatArray
    earning: IntArray


class _Floor(NamedTuple):
    """The least charge at a site within its first ``width`` slots with a step in part, at ``rate`` per unit of work.

    :param whole: (width,) the levels with that step taken whole.
    """

    width: int
    gbp: float
    rate: float
    whole: IntArray


class _Reduced(NamedTuple):
    """n slots at the rate of a floor: the best level (n,) of each, the excess (n, L + 1) of every level above it by
    reduced cost, inf where it does not fit, and how far the next best one strays (n,)."""

    levels: IntArray
    excess: FloatArray
    stray: FloatArray


class Throttlable:
    """Courses that do ``work`` (slots at full power) at ``levels``."""

    def __init__(self, openings: Openings, levels: Sequence[Level], work: float) -> None:
        self.openings = openings
        self.work = work
        self._kw = np.array([0.0, *(level.power_kw for level in levels)])
        self._done = np.array([0.0, *(level.work_per_slot for level in levels)])
        self._rungs = (openings.kw[:, :, None] >= self._kw[1:]).sum(axis=2)

    @cached_property
    def earliest_end(self) -> int | None:
        ends = (self._done[self._rungs].cumsum(axis=1) >= self.work - WORK_TOLERANCE).any(axis=0)
        return self.openings.first + int(np.argmax(ends)) + 1 if ends.any() else None

    def best(self, deadlines: Sequence[int]) -> list[Course | None]:
        widths = [min(max(0, deadline - self.openings.first), self.openings.slots) for deadline in deadlines]
        steps = self._steps(max(widths))
        asked: dict[int, _Floor] = {}
        found: list[Course | None] = []
        best: Course | None = None
        for width in widths:
            for site, floor in self._floors(steps, width):
                ceiling = np.inf if best is None else best.charge_gbp - CHARGE_TOLERANCE
                if floor.gbp >= ceiling:
                    break
                levels = self._levels(site, floor, ceiling, asked.get(site))
                asked[site] = floor
                if levels is not None and (charge := self._charge(site, levels)) < ceiling:
                    best = self._course(site, levels, charge)
            found.append(best)
        return found

    def _steps(self, width: int) -> _Steps:
        depth, work = len(self._kw) - 1, np.diff(self._done)
        rate = self.openings.charge[:, :width, None] * (np.diff(self._kw) / work)
        rate[np.arange(depth) >= self._rungs[:, :width, None]] = np.inf
        rate = rate.reshape(len(rate), width * depth)
        order = np.argsort(rate, axis=1, kind="stable")
        rate = np.take_along_axis(rate, order, axis=1)
        gain = np.where(np.isfinite(rate), work[order % depth], 0.0)
        return _Steps(rate, order // depth, gain, np.where(gain > 0, rate, 0.0) * gain, (rate < 0).sum(axis=1))

    def _floors(self, steps: _Steps, width: int) -> Iterator[tuple[int, _Floor]]:
        """The sites that can do the work within the first ``width`` slots, by rising floor."""
        if not width or not len(self.openings.rows):
            return
        within = steps.slot < width
        work = np.where(within, steps.gain, 0.0).cumsum(axis=1)
        cost = np.where(within, steps.cost, 0.0).cumsum(axis=1)
        enough = work >= self.work - WORK_TOLERANCE
        crossing = enough.argmax(axis=1)
        last = np.maximum(crossing, steps.earning - 1)
        at = (np.arange(len(last)), last)
        rate = np.where(crossing >= steps.earning, steps.rate[at], 0.0)
        rate[~enough[:, -1]] = 0.0
        charge = cost[at] - rate * (work[at] - self.work)
        order = charge.argsort(kind="stable")
        for site in order[enough[order, -1]].tolist():
            taken = steps.slot[site, : last[site] + 1]
            whole = np.bincount(taken[taken < width], minlength=width)
            yield site, _Floor(width, float(charge[site]), float(rate[site]), whole)

    def _levels(self, site: int, floor: _Floor, ceiling: float, asked: _Floor | None) -> IntArray | None:
        """(width,) the best levels at one site that are below ``ceiling``, or any.

        None where there is nothing new since the site was ``asked`` for an earlier deadline.
        """
        charge = self._charge(site, floor.whole)
        gap = min(charge, ceiling) - floor.gbp
        if asked is not None and asked.gbp == floor.gbp:
            later = self._reduced(site, floor, asked.width)
            if not (later.stray < gap).any():
                return None
        found = self._searched(site, floor, gap)
        if found is not None and self._charge(site, found) < charge:
            return found
        return floor.whole

    def _reduced(self, site: int, floor: _Floor, first: int = 0) -> _Reduced:
        """The levels of slots ``[first, width)`` at the floor's rate."""
        cut = slice(first, floor.width)
        excess = self.openings.charge[site, cut, None] * self._kw - floor.rate * self._done
        excess[np.arange(len(self._kw)) > self._rungs[site, cut, None]] = np.inf
        levels: IntArray = excess.argmin(axis=1)
        excess -= excess[np.arange(len(levels)), levels, None]
        return _Reduced(levels, excess, np.partition(excess, 1, axis=1)[:, 1])

    def _searched(self, site: int, floor: _Floor, gap: float) -> IntArray | None:
        """(width,) the best levels where only slots change whose next best level strays less than ``gap``.

        Of these slots, most can run up to the same level: the ladder. The odd ones are tried beside it. None where no
        slot may change, or the work cannot be done so.
        """
        held, excess, stray = self._reduced(site, floor)
        core, rungs, charge = stray < gap, self._rungs[site, : floor.width], self.openings.charge[site, : floor.width]
        if not core.any():
            return None
        depth = int(np.bincount(rungs[core]).argmax())
        (odd,) = (core & (rungs != depth)).nonzero()
        tried = states(excess[odd], self._done - self._done[held[odd], None], floor.rate, gap)
        (alike,) = (core & (rungs == depth)).nonzero()
        alike = alike[charge[alike].argsort(kind="stable")]
        held[alike] = 0
        need = self.work - float(self._done[held].sum()) - tried.gain
        costs = self._charge(site, held) + tried.excess + floor.rate * tried.gain
        ladder = Ladder(charge[alike], np.diff(self._kw)[:depth], np.diff(self._done)[:depth])
        best = least_counts(ladder, need, costs, floor.rate, gap)
        if best is None:
            return None
        held[odd], held[alike] = tried.chosen[best[0]], _levels_of(best[1], len(alike))
        return held

    def _charge(self, site: int, levels: IntArray) -> float:
        return float(self._kw[levels] @ self.openings.charge[site, : len(levels)])

    def _course(self, site: int, levels: IntArray, charge: float) -> Course:
        power = np.zeros(self.openings.first + self.openings.slots)
        power[self.openings.first : self.openings.first + len(levels)] = self._kw[levels]
        return Course(int(self.openings.rows[site]), power, charge)


def _levels_of(counts: IntArray, slots: int) -> IntArray:
    """(slots,) levels, the highest first, of so many slots at each level or above."""
    return np.asarray((np.arange(slots)[:, None] < counts).sum(axis=1))
