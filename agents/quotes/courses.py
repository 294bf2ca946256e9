"""The least charge at which a job can run by each of several deadlines, over all its sites at once.

Block and pausable jobs here, exactly, in plain numpy; :mod:`agents.quotes.throttling` has the third kind. A later
deadline is never dearer, because a course that ends by one deadline does so by every later one. Of courses that are
charged the same the first to end is taken, and of these the first site's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np

from agents.quotes.book import Openings
from core.series import BoolArray, FloatArray, IntArray

DIGITS = 10
"""Of GBP per kW: what differs by less is the same, so that no hour of patience is spent on an error of rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """How a job runs.

    :param row: of the book, the site.
    :param power_kw: (T,) IT power in the slots of the book, as far as the openings go.
    :param charge_gbp: what was minimised: power, carbon at its price, scarcity, and pauses.
    """

    row: int
    power_kw: FloatArray
    charge_gbp: float


class Courses(Protocol):
    """All courses of one job within its openings."""

    @property
    def earliest_end(self) -> int | None:
        """The first slot of the book by whose start the job can have ended; None where it never can."""
        ...

    def best(self, deadlines: Sequence[int]) -> list[Course | None]:
        """The course of least charge that ends by each of ``deadlines``: slots of the book, rising. None: none does.

        Deadlines that share a course share the object.
        """
        ...


class FullPower(ABC):
    """Courses of ``slots`` slots at ``power_kw``, counted by their delay: the slots in which the job waits."""

    def __init__(self, openings: Openings, power_kw: float, slots: int) -> None:
        self.openings = openings
        self.power_kw = power_kw
        self.slots = slots
        self._soonest = openings.first + slots
        charges = np.round(self.charges(max(0, openings.slots - slots + 1)), DIGITS)
        self._site = np.argmin(charges, axis=0) if charges.size else np.zeros(0, dtype=np.int64)
        self._least = np.take_along_axis(charges, self._site[None], axis=0)[0] if charges.size else np.zeros(0)
        self._lowest = _lowest_so_far(self._least)

    @abstractmethod
    def charges(self, delays: int) -> FloatArray:
        """(R, delays) least charge per kW at each site of a course with exactly that delay; inf where there is none."""

    @abstractmethod
    def taken(self, site: int, delay: int) -> IntArray:
        """(slots,) slots of the openings that this course runs in."""

    @cached_property
    def earliest_end(self) -> int | None:
        possible = np.isfinite(self._least)
        return self._soonest + int(np.argmax(possible)) if possible.any() else None

    def best(self, deadlines: Sequence[int]) -> list[Course | None]:
        made: dict[int, Course] = {}
        found: list[Course | None] = []
        for deadline in deadlines:
            most = min(deadline - self._soonest, len(self._lowest) - 1)
            delay = int(self._lowest[most]) if most >= 0 else -1
            if delay < 0 or not np.isfinite(self._least[delay]):
                found.append(None)
                continue
            if delay not in made:
                made[delay] = self._course(delay)
            found.append(made[delay])
        return found

    def _course(self, delay: int) -> Course:
        site = int(self._site[delay])
        power = np.zeros(self.openings.first + self.openings.slots)
        power[self.openings.first + self.taken(site, delay)] = self.power_kw
        return Course(int(self.openings.rows[site]), power, self.power_kw * float(self._least[delay]))


class Block(FullPower):
    """One unbroken run."""

    def charges(self, delays: int) -> FloatArray:
        shut = self.openings.kw < self.power_kw
        total = _window_sums(self.openings.charge, self.slots, delays)
        total[_window_sums(shut, self.slots, delays) > 0] = np.inf
        return total

    def taken(self, site: int, delay: int) -> IntArray:  # noqa: ARG002  a block starts after its delay at every site
        return delay + np.arange(self.slots)


class Pausable(FullPower):
    """Whole slots, with ``pause_gbp`` charged for every pause between them.

    A dynamic programme over how many slots have run and how many have been waited: a job that has run ``c`` slots with
    a delay of ``d`` is at slot ``c + d``, so each step adds one more slot for every site and delay together:
    ``least[c, d] = min(least[c - 1, d], pause + min(least[c - 1, :d])) + charge[c + d - 1]``.
    """

    def __init__(self, openings: Openings, power_kw: float, slots: int, pause_gbp: float) -> None:
        self._pause = pause_gbp / power_kw
        super().__init__(openings, power_kw, slots)

    def charges(self, delays: int) -> FloatArray:
        charge = np.where(self.openings.kw >= self.power_kw, self.openings.charge, np.inf)
        self._layers = np.empty((self.slots, len(charge), delays))
        self._layers[0] = charge[:, :delays]
        for count in range(1, self.slots):
            before, here = self._layers[count - 1], self._layers[count]
            here[:] = before
            resumed = np.minimum.accumulate(before[:, :-1], axis=1) + self._pause
            np.minimum(before[:, 1:], resumed, out=here[:, 1:])
            here += charge[:, count : count + delays]
        return np.asarray(self._layers[-1])

    def taken(self, site: int, delay: int) -> IntArray:
        slots = np.empty(self.slots, dtype=np.int64)
        for count in range(self.slots - 1, -1, -1):
            slots[count] = count + delay
            if count and delay:
                before = self._layers[count - 1, site]
                earlier = int(before[:delay].argmin())
                if before[earlier] + self._pause < before[delay]:
                    delay = earlier
        return slots


def _window_sums(values: FloatArray | BoolArray, width: int, count: int) -> FloatArray:
    """(R, count): sums of ``width`` neighbouring values from each place on."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return np.asarray(sums[:, width : width + count] - sums[:, :count])


def _lowest_so_far(values: FloatArray) -> IntArray:
    """(n,) where the least of the values up to each stands first."""
    record: BoolArray = np.ones(len(values), dtype=np.bool_)
    record[1:] = values[1:] < np.minimum.accumulate(values)[:-1]
    return np.asarray(np.maximum.accumulate(np.where(record, np.arange(len(values)), 0)))


def runs_of(power_kw: FloatArray) -> tuple[tuple[int, int, float], ...]:
    """``(start, end, power_kw)`` of each stretch of constant power in a profile (T,)."""
    between = np.zeros(len(power_kw) + 2)
    between[1:-1] = power_kw
    (edges,) = (between[1:] != between[:-1]).nonzero()
    return tuple((first, last, power) for first, last in pairwise(edges.tolist()) if (power := float(power_kw[first])))
