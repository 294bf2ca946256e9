"""The order book's arrays: every open job as one row, and the board on which terms are announced to them.

All are plain tuples of arrays, so that the compiled answers (agents/job/kernels) can read them. Axes as in
core/market.py; J jobs, L the longest ladder of levels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from graphlib import TopologicalSorter
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from agents.job.courses import standing
from core.instance import Course, Instance, JobInstance
from core.market import NOWHERE, Market
from core.series import FloatArray, IntArray, LevelArray

BLOCK, PAUSABLE, ELASTIC = range(3)
BEND = {"block": 1.0, "pausable": 0.3, "elastic": 0.0}
KIND = {"block": BLOCK, "pausable": PAUSABLE, "elastic": ELASTIC}
UNLIMITED = 1 << 30
TOLD = [
    *("kind", "power_kw", "duration_slots", "pause_cost_gbp", "restart_slots", "min_run_slots", "max_pauses"),
    *("latest_slot", "tenant", "gang", "work", "max_price_gbp_per_kwh", "max_carbon_g_per_kwh", "carbon_cap_kg"),
    *("unserved_penalty_gbp", "move_cost_gbp"),
]
"""fields of a job that become figures of its row"""
RowArray = NDArray[np.void]


ROW = np.dtype(
    [
        (name, np.int64 if kind is int else np.float64)
        for kind, names in (
            (int, "kind duration restart min_run max_pauses first last roomy_last depth planned tenant_cap gang"),
            (float, "power_kw pause_gbp max_price max_carbon cap_kg work penalty_gbp move_gbp bulk"),
        )
        for name in names.split()
    ]
)


class Orders(NamedTuple):
    """What J jobs want. Powers are IT kW; windows are slots ``[first, last)``.

    ``row`` (J,) has a field for each single figure of a job (``ROW``). ``level_kw`` and ``level_work`` (J, L) are
    ladders, filled up with infinite power where they end; a block or pausable job has one level. The places where job j
    may run are ``place[place_at[j]:place_at[j + 1]]``, where ``place_gbp`` is what it costs to move there, and
    ``place_floor`` what it is charged there at least, at whatever prices; they are in order of these.
    ``before[before_at[j]:...]`` come before j and ``behind`` after it; ``roomy_last`` is where its window ends when
    those shall still find room. ``planned`` is the row of its standing course, or ``NOWHERE``, in ``planned_place``
    (R,) and ``planned_level`` (R, T). ``tenant_cap`` is the index of its tenant's carbon cap, ``gang`` the number of
    its gang, ``bulk`` how hard it is to fit in.
    """

    row: RowArray
    level_kw: FloatArray
    level_work: FloatArray
    place_at: IntArray
    place: IntArray
    place_gbp: FloatArray
    place_floor: FloatArray
    planned_place: IntArray
    planned_level: LevelArray
    before_at: IntArray
    before: IntArray
    behind_at: IntArray
    behind: IntArray


class Board(NamedTuple):
    """Terms as the jobs see them. ``*_price`` are prices; ``*_slope`` how fast they rise with load beyond ``*_room``.

    A kW at the meter of site s in slot t is charged ``max(0, price + slope * (load - room))``, where load includes half
    of what the job itself would add; hardware and carbon likewise. Where slopes are nought, prices are as announced.

    :param hard: whether a job must fit into the rooms, or only alone into what there is.
    :param alone_kw: (S, T) what a single job may draw at a meter at most, ``alone_hardware_kw`` (P, T) of hardware: no
        course that breaks them is one.
    """

    place_site: IntArray
    pue: FloatArray
    price: FloatArray
    carbon: FloatArray
    kg: FloatArray
    cost: FloatArray
    alone_kw: FloatArray
    alone_hardware_kw: FloatArray
    headroom_price: FloatArray
    headroom_slope: FloatArray
    headroom_room: FloatArray
    hardware_price: FloatArray
    hardware_slope: FloatArray
    hardware_room: FloatArray
    carbon_price: FloatArray
    carbon_slope: FloatArray
    carbon_room: FloatArray
    total_cap: int
    site_cap: IntArray
    hard: bool


class Courses(NamedTuple):
    """What J jobs do: ``place`` (J,) or ``NOWHERE``, ``level`` (J, T) from 1, ``gbp`` (J,) own costs where served; and
    what they draw together: ``load_kw`` (S, T) at the meters, ``hardware_kw`` (P, T), ``kg`` (C,) under the caps."""

    place: IntArray
    level: LevelArray
    gbp: FloatArray
    load_kw: FloatArray
    hardware_kw: FloatArray
    kg: FloatArray

    @classmethod
    def none(cls, jobs: int, market: Market) -> Courses:
        """Nothing runs."""
        return cls(
            np.full(jobs, NOWHERE, dtype=np.int64),
            np.zeros((jobs, market.shape[1]), dtype=np.int8),
            np.zeros(jobs),
            np.zeros(market.shape),
            np.zeros(market.hardware_kw.shape),
            np.zeros(market.cap_kg.shape),
        )

    def copied(self) -> Courses:
        """An independent copy."""
        own = (self.place.copy(), self.level.copy(), self.gbp.copy())
        return Courses(*own, self.load_kw.copy(), self.hardware_kw.copy(), self.kg.copy())


def orders_of(instance: Instance, market: Market, jobs: Sequence[JobInstance]) -> Orders:
    """``jobs`` of an instance as arrays, in their order; of those they come after, frozen ones have ended already."""
    at = {job.id: number for number, job in enumerate(jobs)}
    level_kw, level_work, depth = _ladders(jobs)
    first, roomy_last, before = _chained(jobs, at, _frozen_ends(instance))
    behind: list[list[int]] = [[] for _ in jobs]
    for at_row, earlier in enumerate(before):
        for other in earlier:
            behind[other].append(at_row)
    places = _places_of(instance, market, jobs)
    planned = [number for number, job in enumerate(jobs) if job.planned is not None]
    ladders = level_kw[planned], level_work[planned]
    planned_place, planned_level = _standing(instance, market, [jobs[number] for number in planned], ladders)
    row_of = np.full(len(jobs), NOWHERE, dtype=np.int64)
    row_of[planned] = np.arange(len(planned))
    told = _told(jobs)
    gangs = {name: number for number, name in enumerate(sorted(set(told["gang"]) - {None}))}
    power, duration = _numbers(told["power_kw"], 0.0), _numbers(told["duration_slots"], 0)
    row = np.zeros(len(jobs), dtype=ROW)
    for name, values in {
        "kind": [KIND[kind] for kind in told["kind"]],
        "power_kw": power,
        "duration": duration,
        "pause_gbp": _numbers(told["pause_cost_gbp"], 0.0),
        "restart": _numbers(told["restart_slots"], 0),
        "min_run": _numbers(told["min_run_slots"], 1),
        "max_pauses": _numbers(told["max_pauses"], UNLIMITED),
        "first": first,
        "last": told["latest_slot"],
        "roomy_last": roomy_last,
        "max_price": _numbers(told["max_price_gbp_per_kwh"], np.inf),
        "max_carbon": _numbers(told["max_carbon_g_per_kwh"], np.inf),
        "cap_kg": _numbers(told["carbon_cap_kg"], np.inf),
        "work": _numbers(told["work"], 0.0),
        "depth": depth,
        "penalty_gbp": told["unserved_penalty_gbp"],
        "planned": row_of,
        "move_gbp": _numbers(told["move_cost_gbp"], 0.0),
        "tenant_cap": [market.tenant_cap.get(tenant, NOWHERE) for tenant in told["tenant"]],
        "gang": [NOWHERE if gang is None else gangs[gang] for gang in told["gang"]],
        "bulk": np.array([BEND[kind] for kind in told["kind"]]) * power * duration,
    }.items():
        row[name] = values
    return Orders(
        row=row,
        level_kw=level_kw,
        level_work=level_work,
        place_at=_starts([len(own) for own, _ in places]),
        place=np.array(list(chain.from_iterable(own for own, _ in places)), dtype=np.int64),
        place_gbp=np.array(list(chain.from_iterable(gbp for _, gbp in places)), dtype=np.float64),
        place_floor=np.full(sum(len(own) for own, _ in places), -np.inf),
        planned_place=planned_place,
        planned_level=planned_level,
        before_at=_starts([len(own) for own in before]),
        before=np.array(list(chain.from_iterable(before)), dtype=np.int64),
        behind_at=_starts([len(own) for own in behind]),
        behind=np.array(list(chain.from_iterable(behind)), dtype=np.int64),
    )


def _standing(
    instance: Instance, market: Market, jobs: Sequence[JobInstance], ladders: tuple[FloatArray, FloatArray]
) -> tuple[IntArray, LevelArray]:
    """Places (R,) and levels (R, T) of standing courses; ``NOWHERE`` for one that cannot be kept: it no longer does
    what the job asks, or is where the job may not be."""
    number = {site.id: row for row, site in enumerate(instance.sites)}
    at = market.places
    does, level = standing(jobs, *ladders, instance.slots)
    place = np.full(len(jobs), NOWHERE, dtype=np.int64)
    for row, (job, kept) in enumerate(zip(jobs, does.tolist(), strict=True)):
        course = cast(Course, job.planned)
        if kept and course.site in job.sites:
            place[row] = at.get((number[course.site], job.hardware), NOWHERE)
    return place, level


def _told(jobs: Sequence[JobInstance]) -> dict[str, tuple[Any, ...]]:
    """What the jobs say in each of ``TOLD``, job by job."""
    return (
        dict(zip(TOLD, zip(*map(attrgetter(*TOLD), jobs), strict=True), strict=True))
        if jobs
        else dict.fromkeys(TOLD, ())
    )


def _numbers(values: Sequence[float | None], otherwise: float) -> FloatArray:
    """(J,): what is said, or what holds where nothing is."""
    return np.array([otherwise if value is None else value for value in values], dtype=np.float64)


def _ladders(jobs: Sequence[JobInstance]) -> tuple[FloatArray, FloatArray, IntArray]:
    depth = _whole(jobs, lambda job: len(job.levels) if job.levels else 1)
    width = int(depth.max(initial=1))
    level_kw, level_work = np.full((len(jobs), width), np.inf), np.ones((len(jobs), width))
    level_kw[:, 0] = [job.power_kw or 0.0 for job in jobs]
    for row, job in enumerate(jobs):
        if job.levels:
            level_kw[row, : len(job.levels)] = [level.power_kw for level in job.levels]
            level_work[row, : len(job.levels)] = [level.work_per_slot for level in job.levels]
    return level_kw, level_work, depth


def _places_of(instance: Instance, market: Market, jobs: Sequence[JobInstance]) -> list[tuple[list[int], list[float]]]:
    """For each job its places, and what it costs to run there for it is not its home."""
    number = {site.id: row for row, site in enumerate(instance.sites)}
    by_class = market.places

    @cache
    def at(
        sites: tuple[str, ...], hardware: str | None, home: str | None, move_gbp: float | None
    ) -> tuple[list[int], list[float]]:
        here = [(by_class.get((number[site], hardware), NOWHERE), site) for site in sites]
        own = [(place, site) for place, site in here if place != NOWHERE]
        elsewhere = move_gbp or 0.0
        return [place for place, _ in own], [elsewhere if home not in (None, site) else 0.0 for _, site in own]

    return [at(job.sites, job.hardware, job.home, job.migration_cost_gbp) for job in jobs]


def _frozen_ends(instance: Instance) -> dict[str, int]:
    """When each frozen job ends."""
    return {frozen.job: max((end for _, end, _ in frozen.runs), default=0) for frozen in instance.frozen}


def _chained(
    jobs: Sequence[JobInstance], at: dict[str, int], frozen_ends: dict[str, int]
) -> tuple[IntArray, IntArray, list[list[int]]]:
    """First slots no earlier than predecessors can end, last slots that leave successors room, and predecessors."""
    first = _whole(jobs, lambda job: max([job.earliest_slot, *(frozen_ends.get(other, 0) for other in job.after)]))
    last = _whole(jobs, lambda job: job.latest_slot)
    before = [[at[other] for other in job.after if other in at] for job in jobs]
    least = {row: jobs[row].least_slots for row in range(len(jobs)) if before[row]}
    least |= {other: jobs[other].least_slots for row in list(least) for other in before[row]}
    order = _in_order(before)
    for row in order:
        first[row] = max([first[row], *(first[other] + least[other] for other in before[row])])
    for row in reversed(order):
        for other in before[row]:
            last[other] = min(last[other], last[row] - least[row])
    return first, last, before


def _in_order(before: list[list[int]]) -> list[int]:
    """Rows that have predecessors, or are some, each after all of its own."""
    return list(TopologicalSorter({row: own for row, own in enumerate(before) if own}).static_order())


def _starts(lengths: Sequence[int]) -> IntArray:
    return np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))]).astype(np.int64)


def _whole(jobs: Sequence[JobInstance], of: Callable[[JobInstance], int]) -> IntArray:
    return np.array([of(job) for job in jobs], dtype=np.int64)
