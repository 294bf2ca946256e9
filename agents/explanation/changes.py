"""Changes that could make a job feasible, each in sizes from the smallest up; adding one is one class and one line.

A change of a greater size allows all that a smaller one does, so that the least that suffices can be found by halving.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from agents.explanation.courses import MOST_GBP_PER_KG, Courses
from agents.explanation.grid import Grid
from agents.explanation.wants import BLOCK, ELASTIC, NONE, PAUSABLE, Wants
from core.series import BoolArray, FloatArray, IntArray

MOST_PAUSES = 3
"""more pauses than these are offered as any number"""
STRETCHES = (1.25, 1.5, 2.0, 3.0, 4.0)
"""times as long at as much less power"""


class Made(NamedTuple):
    """A change made: the job before and after it, and the course that it then has; one row each."""

    before: Wants
    after: Wants
    course: Courses


class Change(Protocol):
    """One kind of change."""

    name: str

    def most(self, wants: Wants, /) -> IntArray:
        """(n,) how many sizes there are for each row; 0 where the change is none."""
        ...

    def made(self, wants: Wants, size: IntArray, /) -> Wants:
        """The rows with a change of ``size`` (n,), 1 being the smallest."""
        ...

    def words(self, made: Made, /) -> str:
        """The change for a person."""
        ...


def all_changes(grid: Grid, not_before: IntArray) -> tuple[Change, ...]:
    """Every change there is. ``not_before`` (J,): when those that each job comes after have ended."""
    return (
        Later(grid.slots),
        Earlier(not_before),
        Elsewhere(grid.site_ids, grid.availability),
        Pauses(),
        *(Slower(stretch, grid.slots) for stretch in STRETCHES),
        ShorterRuns(),
        Dearer(grid.price),
        Dirtier(grid.carbon),
        MoreCarbon(),
        AnyHardware(),
        Worth(),
    )


def time(slots: int) -> str:
    """``3 h 30 min`` of slots."""
    hours, half = divmod(int(slots), 2)
    return " ".join([f"{hours} h"] * bool(hours) + ["30 min"] * half)


def _once(rows: BoolArray) -> IntArray:
    """1 where a change has its one size, else 0."""
    return np.asarray(rows, dtype=np.int64)


class Later:
    """A later deadline, by half-hours, as far as there are ``slots``."""

    name = "deadline"

    def __init__(self, slots: int) -> None:
        self._slots = slots

    def most(self, wants: Wants) -> IntArray:
        return np.maximum(0, self._slots - wants.last)

    def made(self, wants: Wants, size: IntArray) -> Wants:
        return wants.with_(last=wants.last + size)

    def words(self, made: Made) -> str:
        return f"finish up to {time(int(made.after.last[0] - made.before.last[0]))} later"


class Earlier:
    """An earlier start, by half-hours, but not before other jobs have ended that come first."""

    name = "window_start"

    def __init__(self, not_before: IntArray) -> None:
        self._not_before = not_before

    def most(self, wants: Wants) -> IntArray:
        return np.asarray(np.maximum(0, wants.first - self._not_before[wants.job]))

    def made(self, wants: Wants, size: IntArray) -> Wants:
        return wants.with_(first=wants.first - size)

    def words(self, made: Made) -> str:
        return f"start up to {time(int(made.before.first[0] - made.after.first[0]))} earlier"


class Elsewhere:
    """One more site; where it is not as available as the job's tier promises, that tier has to go."""

    name = "sites"

    def __init__(self, site_ids: Sequence[str], availability: FloatArray) -> None:
        self._site_ids, self._availability = site_ids, availability

    def most(self, wants: Wants) -> IntArray:
        return _once(np.asarray(~wants.sites.all(axis=1)))

    def made(self, wants: Wants, _size: IntArray) -> Wants:
        return wants.with_(sites=np.ones_like(wants.sites))

    def words(self, made: Made) -> str:
        site = int(made.course.site[0])
        here, least = self._availability[site], made.after.availability[0]
        run_there = f"run at {self._site_ids[site]} too"
        if here >= least:
            return run_there
        return f"{run_there}, in a tier that asks for {100 * here:.4g} % availability or less"


class Pauses:
    """Pauses where none were allowed, or more than were."""

    name = "pauses"

    def most(self, wants: Wants) -> IntArray:
        bound = (wants.kind == BLOCK) | ((wants.kind == PAUSABLE) & (wants.max_pauses != NONE))
        return np.where(bound & (wants.duration > 1), MOST_PAUSES + 1, 0)

    def made(self, wants: Wants, size: IntArray) -> Wants:
        allowed = np.where(wants.kind == BLOCK, 0, wants.max_pauses) + size
        return wants.with_(kind=np.full(len(wants), PAUSABLE), max_pauses=np.where(size > MOST_PAUSES, NONE, allowed))

    def words(self, made: Made) -> str:
        most = int(made.after.max_pauses[0])
        return f"allow {({NONE: 'any number of pauses', 1: 'a pause'}).get(most, f'{most} pauses')}"


class ShorterRuns:
    """A lower least length of runs."""

    name = "min_run"

    def most(self, wants: Wants) -> IntArray:
        return np.where(wants.kind == PAUSABLE, wants.min_run - 1, 0)

    def made(self, wants: Wants, size: IntArray) -> Wants:
        return wants.with_(min_run=wants.min_run - size)

    def words(self, made: Made) -> str:
        return f"allow runs of {time(int(made.after.min_run[0]))}"


class Slower:
    """The same energy over ``stretch`` times as long, where half the power does half the work."""

    name = "power"

    def __init__(self, stretch: float, slots: int) -> None:
        self._stretch, self._slots = stretch, slots

    def _duration(self, wants: Wants) -> IntArray:
        return np.asarray(np.ceil(self._stretch * wants.duration - 1e-9), dtype=np.int64)

    def most(self, wants: Wants) -> IntArray:
        return _once((wants.kind != ELASTIC) & (self._duration(wants) <= self._slots))

    def made(self, wants: Wants, _size: IntArray) -> Wants:
        duration = self._duration(wants)
        return wants.with_(duration=duration, power_kw=wants.power_kw * wants.duration / duration)

    def words(self, made: Made) -> str:
        return f"run at {made.after.power_kw[0]:.4g} kW for {time(int(made.after.duration[0]))}"


class _Limit:
    """A limit raised to the least of the figures in ``figures`` that suffices."""

    name: str

    def __init__(self, figures: FloatArray) -> None:
        self._levels = np.unique(figures)

    def _rank(self, wants: Wants) -> IntArray:
        return np.asarray(np.searchsorted(self._levels, getattr(wants, self.name), side="right"))

    def most(self, wants: Wants) -> IntArray:
        return np.asarray(len(self._levels) - self._rank(wants))

    def made(self, wants: Wants, size: IntArray) -> Wants:
        return wants.with_(**{self.name: self._levels[self._rank(wants) + size - 1]})


class Dearer(_Limit):
    """A higher price limit."""

    name = "max_price"

    def words(self, made: Made) -> str:
        return f"raise its price limit to {_up(100 * made.after.max_price[0], 1)} p/kWh"


class Dirtier(_Limit):
    """A higher limit of carbon intensity."""

    name = "max_carbon"

    def words(self, made: Made) -> str:
        return f"raise its carbon limit to {_up(made.after.max_carbon[0], 0)} g/kWh"


class MoreCarbon:
    """A higher carbon cap of its own, no higher than the least that it can emit."""

    name = "cap_kg"

    def most(self, wants: Wants) -> IntArray:
        return _once(np.isfinite(wants.cap_kg))

    def made(self, wants: Wants, _size: IntArray) -> Wants:
        return wants.with_(cap_kg=np.full(len(wants), np.inf), kg_gbp=np.full(len(wants), MOST_GBP_PER_KG))

    def words(self, made: Made) -> str:
        return f"raise its carbon cap to {_up(made.course.carbon_kg[0], 1)} kg"


class AnyHardware:
    """Whatever hardware there is."""

    name = "hardware"

    def most(self, wants: Wants) -> IntArray:
        return _once(wants.hardware > 0)

    def made(self, wants: Wants, _size: IntArray) -> Wants:
        return wants.with_(hardware=np.zeros_like(wants.hardware))

    def words(self, _made: Made) -> str:
        return "run on any hardware"


class Worth:
    """A tier in which leaving the job out counts for more than what its course costs."""

    name = "tier"

    def most(self, wants: Wants) -> IntArray:
        return np.ones(len(wants), dtype=np.int64)

    def made(self, wants: Wants, _size: IntArray) -> Wants:
        return wants.with_(penalty_gbp=np.full(len(wants), np.inf))

    def words(self, made: Made) -> str:
        return f"take a tier that pays GBP {_up(made.course.counted_gbp[0], 2)} or more for it"


def _up(value: float, places: int) -> str:
    """A limit rounded up, so that it still suffices as it is written."""
    scale = 10**places
    return f"{np.ceil(value * scale - 1e-6) / scale:.{places}f}"
