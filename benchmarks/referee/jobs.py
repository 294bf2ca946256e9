"""The jobs of an instance as columns, so that a million of them can be looked at together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import numpy as np

from benchmarks.referee.courses import Courses
from benchmarks.referee.figures import Figures
from benchmarks.referee.verdict import Array, Ints, Json, Mask

BLOCK, PAUSABLE, ELASTIC = KINDS = ("block", "pausable", "elastic")
WORK_TOLERANCE = 1e-9
"""in slots at the lowest level: sums of decimal works do not come out even"""
ANY_NUMBER = 1 << 30
Texts = np.ndarray[Any, np.dtype[np.str_]]


@dataclass(frozen=True)
class Jobs:
    """Columns over n jobs. Where a job does not name a limit it is infinite, and where not a cost, nought.

    :ivar allowed: (n, S) whether the job may run at the site: it names it, and its hardware is there.
    :ivar tenant: row of the tenant in ``tenants``; ``hardware``, ``home``, ``gang`` likewise, -1 for none.
    :ivar first_run: least slots of the first run; ``later_run`` of every other one, ``restart`` of which do no work.
    :ivar ladder_kw: (n, L) powers of the levels in ascending order, NaN beyond the last; ``ladder_work`` likewise.
    :ivar after: (m, 2) rows of a job and of one that it comes after.
    :ivar planned: courses in the standing plan, ``planned_row`` the row of each job's or -1.
    :ivar frozen: courses that must appear, ``frozen_row`` likewise.
    """

    ids: list[str]
    index: dict[str, int]
    kind: Texts
    earliest: Ints
    latest: Ints
    allowed: Mask
    penalty_gbp: Array
    power_kw: Array
    duration: Ints
    pause_gbp: Array
    first_run: Ints
    later_run: Ints
    restart: Ints
    max_pauses: Ints
    ladder_kw: Array
    ladder_work: Array
    work: Array
    max_price: Array
    max_carbon: Array
    cap_kg: Array
    home: Ints
    migration_gbp: Array
    move_gbp: Array
    hardware: Ints
    tenant: Ints
    tenants: dict[str, int]
    gang: Ints
    gangs: list[str]
    after: Ints
    planned: Courses
    planned_row: Ints
    frozen: Courses
    frozen_row: Ints

    @classmethod
    def of(cls, instance: Json, figures: Figures) -> Jobs:
        """The jobs of an instance as read from its file."""
        rows = instance["jobs"]
        ids = [row["id"] for row in rows]
        index = {name: number for number, name in enumerate(ids)}
        if len(index) < len(ids):
            raise ValueError("two jobs have one id")
        tenants, tenant = _coded([row.get("tenant") or "default" for row in rows])
        gangs, gang = _coded([row.get("gang") for row in rows])
        hardware = _looked_up([row.get("hardware") for row in rows], figures.classes)
        restart = _whole(rows, "restart_slots", 0)
        first_run = _whole(rows, "min_run_slots", 1)
        ladder_kw, ladder_work = _ladders(rows)
        planned, planned_row = _given(
            [row["planned"] | {"job": row["id"]} for row in rows if row.get("planned")], index, figures
        )
        frozen, frozen_row = _given(instance.get("frozen") or [], index, figures)
        return cls(
            ids=ids,
            index=index,
            kind=np.array([row["kind"] for row in rows], dtype="U8"),
            earliest=_whole(rows, "earliest_slot", 0),
            latest=_whole(rows, "latest_slot", 0),
            allowed=_allowed(rows, hardware, figures),
            penalty_gbp=_figures(rows, "unserved_penalty_gbp", 0.0),
            power_kw=_figures(rows, "power_kw", np.nan),
            duration=_whole(rows, "duration_slots", 0),
            pause_gbp=_figures(rows, "pause_cost_gbp", 0.0),
            first_run=first_run,
            later_run=np.maximum(first_run, restart + 1),
            restart=restart,
            max_pauses=_whole(rows, "max_pauses", ANY_NUMBER),
            ladder_kw=ladder_kw,
            ladder_work=ladder_work,
            work=_figures(rows, "work", np.nan),
            max_price=_figures(rows, "max_price_gbp_per_kwh", np.inf),
            max_carbon=_figures(rows, "max_carbon_g_per_kwh", np.inf),
            cap_kg=_figures(rows, "carbon_cap_kg", np.inf),
            home=_looked_up([row.get("home") for row in rows], figures.sites),
            migration_gbp=_figures(rows, "migration_cost_gbp", 0.0),
            move_gbp=_figures(rows, "move_cost_gbp", 0.0),
            hardware=hardware,
            tenant=tenant,
            tenants=tenants,
            gang=gang,
            gangs=list(gangs),
            after=np.array(
                [(number, index[name]) for number, row in enumerate(rows) for name in row.get("after") or ()],
                dtype=np.int64,
            ).reshape(-1, 2),
            planned=planned,
            planned_row=planned_row,
            frozen=frozen,
            frozen_row=frozen_row,
        )

    @property
    def free(self) -> Mask:
        """(n,) True where the job is not frozen."""
        return np.asarray(self.frozen_row < 0)

    def least_slots(self) -> Ints:
        """(n,) slots that each job takes at least."""
        if not self.ladder_work.shape[1]:
            return self.duration
        fastest = np.fmax.reduce(self.ladder_work, axis=1)
        elastic = self.kind == ELASTIC
        slots = np.ceil(np.where(elastic, self.work, 1.0) / np.where(elastic, fastest, 1.0) - WORK_TOLERANCE)
        return np.where(elastic, np.clip(slots, 1, ANY_NUMBER).astype(np.int64), self.duration)

    def first_slots(self) -> Ints:
        """(n,) the first slot in which each job could start, its predecessors done in their least slots.

        What is frozen ends when it ends. :class:`ValueError` for jobs that come after one another in a circle.
        """
        first, least = self.earliest.copy(), self.least_slots()
        frozen_end = self.frozen.last
        before: dict[int, list[int]] = {}
        for job, predecessor in self.after.tolist():
            before.setdefault(job, []).append(predecessor)
        for job in TopologicalSorter(before).static_order():
            for predecessor in before.get(job, ()):
                row = self.frozen_row[predecessor]
                end = first[predecessor] + least[predecessor] if row < 0 else frozen_end[row]
                first[job] = max(first[job], end)
        return first


def _figures(rows: list[Json], field: str, default: float) -> Array:
    return np.array([default if (value := row.get(field)) is None else value for row in rows], dtype=float)


def _whole(rows: list[Json], field: str, default: int) -> Ints:
    return np.array([default if (value := row.get(field)) is None else value for row in rows], dtype=np.int64)


def _looked_up(names: list[str | None], index: Mapping[str, int]) -> Ints:
    """Row of each name; -1 for none, -2 for one that is unknown."""
    return np.array([-1 if name is None else index.get(name, -2) for name in names], dtype=np.int64)


def _coded(names: list[str | None]) -> tuple[dict[str, int], Ints]:
    """Each name once with its row, and the row of each name; -1 for none."""
    index = {name: row for row, name in enumerate(dict.fromkeys(name for name in names if name is not None))}
    return index, _looked_up(names, index)


def _allowed(rows: list[Json], hardware: Ints, figures: Figures) -> Mask:
    allowed: Mask = np.zeros((len(rows), len(figures.sites)), dtype=bool)
    places = [figures.sites[name] for row in rows for name in row["sites"]]
    allowed[np.repeat(np.arange(len(rows)), [len(row["sites"]) for row in rows]), places] = True
    nowhere = np.zeros((1, len(figures.sites)), dtype=bool)
    equipped = np.concatenate([~np.isnan(figures.hardware_kw[:, :, 0]), nowhere, ~nowhere])
    return np.asarray(allowed & equipped[hardware])


def _ladders(rows: list[Json]) -> tuple[Array, Array]:
    """(n, L) power and work of the levels, lowest first, NaN beyond a job's last."""
    most = max((len(row.get("levels") or ()) for row in rows), default=0)
    ladders = np.full((len(rows), most, 2), np.nan)
    for number, row in enumerate(rows):
        if row.get("levels"):
            steps = sorted((level["power_kw"], level["work_per_slot"]) for level in row["levels"])
            ladders[number, : len(steps)] = steps
    return ladders[:, :, 0], ladders[:, :, 1]


def _given(rows: list[Json], index: dict[str, int], figures: Figures) -> tuple[Courses, Ints]:
    """Courses that the instance states, and the row of each job's."""
    courses, faults = Courses.read(rows, index, figures.sites, figures.slots)
    if faults or len(courses.job) != len(rows):
        raise ValueError(f"the instance states a course that is none: {next(iter(faults), 'unknown job or site')}")
    row = np.full(len(index), -1, dtype=np.int64)
    row[courses.job] = np.arange(len(rows))
    return courses, row
