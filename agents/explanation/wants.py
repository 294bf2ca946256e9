"""What jobs want, as rows: one row for a job as it is, or as it would be with something changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from agents.explanation.grid import Grid
from core.instance import JobInstance
from core.series import BoolArray, FloatArray, IntArray

BLOCK, PAUSABLE, ELASTIC = range(3)
KIND = {"block": BLOCK, "pausable": PAUSABLE, "elastic": ELASTIC}
NONE = -1


@dataclass(frozen=True, slots=True)
class Wants:
    """n rows; powers in IT kW, windows in slots ``[first, last)``, L levels at most.

    :param job: (n,) row of the job in the instance.
    :param max_pauses: (n,) :data:`NONE` where they are unlimited; of a block it is 0.
    :param hardware: (n,) row of the class, 0 where none is asked for; ``tenant`` likewise for carbon caps.
    :param home: (n,) site, :data:`NONE` where it is nowhere.
    :param move_gbp: (n,) charged for any course but ``planned``, the row of which is in the instance.
    :param kg_gbp: (n,) GBP for each kg on top of the carbon price.
    :param availability: (n,) what its tier asks of a site, 0 where that is nothing.
    :param cap_kg: (n,) on the whole course.
    :param level_kw: (n, L) rising, infinite where a ladder has ended; ``level_work`` likewise, 0 there.
    """

    job: IntArray
    kind: IntArray
    power_kw: FloatArray
    duration: IntArray
    pause_gbp: FloatArray
    min_run: IntArray
    max_pauses: IntArray
    restart: IntArray
    first: IntArray
    last: IntArray
    sites: BoolArray
    availability: FloatArray
    max_price: FloatArray
    max_carbon: FloatArray
    cap_kg: FloatArray
    hardware: IntArray
    tenant: IntArray
    home: IntArray
    migration_gbp: FloatArray
    move_gbp: FloatArray
    kg_gbp: FloatArray
    penalty_gbp: FloatArray
    work: FloatArray
    level_kw: FloatArray
    level_work: FloatArray

    def __len__(self) -> int:
        return len(self.job)

    @property
    def least_slots(self) -> IntArray:
        """(n,) slots that each row takes at least."""
        most = self.level_work.max(axis=1)
        return np.where(self.kind == ELASTIC, np.ceil(self.work / most - 1e-9), self.duration).astype(np.int64)

    @property
    def least_kw(self) -> FloatArray:
        """(n,) the least power at which each row runs."""
        return np.where(self.kind == ELASTIC, self.level_kw[:, 0], self.power_kw)

    def take(self, rows: IntArray | BoolArray) -> Wants:
        """The rows asked for, in that order."""
        return Wants(*[getattr(self, name)[rows] for name in _FIELDS])

    def straight(self) -> Wants:
        """The same work begun with the window and run straight through at full power, whatever that costs."""
        slots = self.least_slots
        elastic = self.kind == ELASTIC
        full_kw = np.where(np.isfinite(self.level_kw), self.level_kw, 0.0).max(axis=1)
        unlimited = np.full(len(self), np.inf)
        return self.with_(
            kind=np.full(len(self), BLOCK),
            power_kw=np.where(elastic, full_kw, self.power_kw),
            duration=slots,
            last=self.first + slots,
            max_price=unlimited,
            max_carbon=unlimited,
            cap_kg=unlimited,
        )

    def with_(self, **changes: Any) -> Wants:
        """The rows with some fields changed, each an array of its field's kind."""
        return Wants(*[changes[name] if name in changes else getattr(self, name) for name in _FIELDS])

    @classmethod
    def join(cls, parts: Sequence[Wants]) -> Wants:
        """All rows of several batches, one after another."""
        return cls(*[np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS])

    @classmethod
    def of(cls, jobs: Sequence[JobInstance], rows: IntArray, grid: Grid) -> Wants:
        """Jobs as they are, at ``rows`` of the instance."""
        level_kw, level_work = _ladders(jobs)
        return cls(
            job=rows,
            kind=_whole(KIND[job.kind] for job in jobs),
            power_kw=_real(job.power_kw or 0.0 for job in jobs),
            duration=_whole(job.duration_slots or 0 for job in jobs),
            pause_gbp=_real(job.pause_cost_gbp or 0.0 for job in jobs),
            min_run=_whole(job.min_run_slots or 1 for job in jobs),
            max_pauses=_whole(_most_pauses(job) for job in jobs),
            restart=_whole(job.restart_slots or 0 for job in jobs),
            first=_whole(job.earliest_slot for job in jobs),
            last=_whole(job.latest_slot for job in jobs),
            sites=_sites(jobs, grid),
            availability=_real(job.availability or 0.0 for job in jobs),
            max_price=_limit(job.max_price_gbp_per_kwh for job in jobs),
            max_carbon=_limit(job.max_carbon_g_per_kwh for job in jobs),
            cap_kg=_limit(job.carbon_cap_kg for job in jobs),
            hardware=_whole(grid.classes.get(job.hardware or "", 0) for job in jobs),
            tenant=_whole(grid.tenants.get(job.tenant, 0) for job in jobs),
            home=_whole(NONE if job.home is None else grid.place[job.home] for job in jobs),
            migration_gbp=_real(job.migration_cost_gbp or 0.0 for job in jobs),
            move_gbp=_real(job.move_cost_gbp or 0.0 for job in jobs),
            kg_gbp=np.zeros(len(jobs)),
            penalty_gbp=_real(job.unserved_penalty_gbp for job in jobs),
            work=_real(job.work or 0.0 for job in jobs),
            level_kw=level_kw,
            level_work=level_work,
        )


_FIELDS = tuple(field.name for field in fields(Wants))


def _most_pauses(job: JobInstance) -> int:
    if job.kind == "block":
        return 0
    return NONE if job.max_pauses is None else job.max_pauses


def _ladders(jobs: Sequence[JobInstance]) -> tuple[FloatArray, FloatArray]:
    depth = max((len(job.levels or ()) for job in jobs), default=0) or 1
    level_kw, level_work = np.full((len(jobs), depth), np.inf), np.zeros((len(jobs), depth))
    level_work[:, 0] = 1.0
    for row, job in enumerate(jobs):
        for number, level in enumerate(job.levels or ()):
            level_kw[row, number], level_work[row, number] = level.power_kw, level.work_per_slot
    return level_kw, level_work


def _sites(jobs: Sequence[JobInstance], grid: Grid) -> BoolArray:
    allowed = np.zeros((len(jobs), len(grid.site_ids)), dtype=np.bool_)
    rows = [row for row, job in enumerate(jobs) for _ in job.sites]
    allowed[rows, [grid.place[site] for job in jobs for site in job.sites]] = True
    return allowed


def _whole(values: Iterable[int]) -> IntArray:
    return np.fromiter(values, dtype=np.int64)


def _real(values: Iterable[float]) -> FloatArray:
    return np.fromiter(values, dtype=np.float64)


def _limit(values: Iterable[float | None]) -> FloatArray:
    return _real(math.inf if value is None else value for value in values)
