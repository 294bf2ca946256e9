"""Every course that a job may run, as columns and rows: blocks by their start, other kinds slot by slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.exact.program import TIGHT, Array, Ints, Program
from benchmarks.referee.figures import Figures

Json = dict[str, Any]
Draws = tuple[Ints, Ints, Any]
"""slots, columns, and the IT kW that each column draws in its slot"""


def earliest_slots(instance: Json) -> dict[str, int]:
    """For each job the first slot in which it could start, if all that comes before it is as short as can be."""
    jobs = {job["id"]: job for job in instance["jobs"]}
    ends = {row["job"]: max((run[1] for run in row["runs"]), default=0) for row in instance.get("frozen") or ()}
    first: dict[str, int] = {}

    def start(name: str) -> int:
        if name not in first:
            before = [ends[p] if p in ends else start(p) + least_slots(jobs[p]) for p in jobs[name].get("after") or ()]
            first[name] = max([jobs[name]["earliest_slot"], *before])
        return first[name]

    return {name: start(name) for name in jobs}


def least_slots(job: Json) -> int:
    """Slots that a job takes at least."""
    if job["kind"] != "elastic":
        return int(job["duration_slots"])
    fastest = max(level["work_per_slot"] for level in job["levels"])
    return max(1, int(np.ceil(job["work"] / fastest - TIGHT)))


@dataclass(frozen=True)
class Place:
    """One job at one site.

    :ivar open: (T,) slots in which it may run there; ``kg`` (T,) carbon of one IT kW.
    :ivar away_gbp: what it costs to be at this site.
    :ivar planned_kw: (T,) the planned course if it is at this site.
    """

    program: Program
    job: Json
    open: Any
    kg: Array
    away_gbp: float
    planned_kw: Array | None

    @classmethod
    def of(cls, program: Program, job: Json, site: str, figures: Figures, first: int) -> Place:
        """A job at a site, not before slot ``first``."""
        row, slots = figures.sites[site], np.arange(figures.slots)
        open_ = (slots >= first) & (slots < job["latest_slot"])
        for field, table in (("max_price_gbp_per_kwh", figures.price), ("max_carbon_g_per_kwh", figures.carbon)):
            if job.get(field) is not None:
                open_ &= table[row] <= job[field]
        away = (job.get("migration_cost_gbp") or 0.0) if job.get("home") not in (None, site) else 0.0
        planned = job.get("planned") or {"site": None}
        there = profile(planned["runs"], figures.slots) if planned["site"] == site else None
        return cls(program, job, open_, figures.kg[row], away, there)

    @property
    def move_gbp(self) -> float:
        """What any other course than the planned one costs."""
        return float(self.job.get("move_cost_gbp") or 0.0)

    def courses(self) -> tuple[Ints, Draws]:
        """Columns of which one is 1 when the job runs here, and what is drawn."""
        return {"block": self._block, "pausable": self._pausable, "elastic": self._elastic}[self.job["kind"]]()

    def _block(self) -> tuple[Ints, Draws]:
        length, power = self.job["duration_slots"], self.job["power_kw"]
        if length > len(self.open):
            return _none()
        runs = np.lib.stride_tricks.sliding_window_view
        starts = np.flatnonzero(runs(self.open, length).all(axis=1))
        cap = self.job.get("carbon_cap_kg")
        if cap is not None:
            kg = power * runs(self.kg, length).sum(axis=1)[starts]
            starts = starts[kg <= cap + TIGHT * max(1.0, cap)]
        slots = starts[:, None] + np.arange(length)
        moved = np.full(len(starts), self.move_gbp)
        if self.planned_kw is not None:
            wanted = power * (np.arange(len(self.open)) == slots[:, :, None]).any(axis=1)
            moved[np.isclose(wanted, self.planned_kw, rtol=1e-6, atol=0).all(axis=1)] = 0.0
        columns = self.program.columns(len(starts), self.away_gbp + moved)
        return columns, (slots.ravel(), np.repeat(columns, length), power)

    def _pausable(self) -> tuple[Ints, Draws]:
        """On or off in each slot; each restart lengthens the job by what it takes."""
        job, program, slots = self.job, self.program, np.flatnonzero(self.open)
        each, restart = np.arange(slots.size), job.get("restart_slots") or 0
        here = program.columns(1, self.away_gbp + self.move_gbp)
        on = program.columns(slots.size)
        program.rows(slots.size, (each, on, 1.0), (each, here, -1.0), upper=0.0)
        later = self._starts(slots, here, on, restart)
        if job.get("max_pauses") is not None:
            program.rows(1, (0, later, 1.0), (0, here, -float(job["max_pauses"])), upper=0.0)
        length = ((0, on, 1.0), (0, later, -float(restart)), (0, here, -float(job["duration_slots"])))
        program.rows(1, *length, lower=0.0, upper=0.0)
        self._under_cap(here, slots, on, job["power_kw"])
        self._keep(here, slots, on[None], [job["power_kw"]])
        return here, (slots, on, job["power_kw"])

    def _starts(self, slots: Ints, here: Ints, on: Ints, restart: int) -> Ints:
        """Where runs start: the first, and, returned, later ones, which may have to be longer.

        With restarts it pays to start where the job was on in the slot before, so that is ruled out.
        """
        program, size, each = self.program, slots.size, np.arange(slots.size)
        least = self.job.get("min_run_slots") or 1
        later_least = max(least, restart + 1)
        first = program.columns(size, upper=self._room(least)[slots])
        later = program.columns(size, self.job.get("pause_cost_gbp") or 0.0, upper=self._room(later_least)[slots])
        follows = np.flatnonzero(np.diff(slots, prepend=-9) == 1)
        began = ((each, on, 1.0), (follows, on[follows - 1], -1.0), (each, first, -1.0), (each, later, -1.0))
        program.rows(size, *began, upper=0.0)
        if restart:
            fresh = ((follows, on[follows - 1], 1.0), (each, first, 1.0), (each, later, 1.0), (each, here, -1.0))
            program.rows(size, *fresh, upper=0.0)
        back = slots[:, None] - slots
        under_way = [
            (now, starts[then], 1.0)
            for starts, length in ((first, least), (later, later_least))
            for now, then in [np.nonzero((back >= 0) & (back < length))]
        ]
        program.rows(size, *under_way, (each, on, -1.0), upper=0.0)
        program.rows(1, (0, first, 1.0), (0, here, -1.0), lower=0.0, upper=0.0)
        second, earlier = np.tril_indices(size, -1)
        program.rows(size, (each, later, 1.0), (second, first[earlier], -1.0), upper=0.0)
        return later

    def _room(self, length: int) -> Array:
        """(T,) 1 where a run of that length may start."""
        room = np.zeros(len(self.open))
        if length <= len(self.open):
            room[: len(room) + 1 - length] = np.lib.stride_tricks.sliding_window_view(self.open, length).all(axis=1)
        return room

    def _elastic(self) -> tuple[Ints, Draws]:
        program, slots, ladder = self.program, np.flatnonzero(self.open), self.job["levels"]
        power = np.array([level["power_kw"] for level in ladder])
        work = np.array([level["work_per_slot"] for level in ladder])
        here = program.columns(1, self.away_gbp + self.move_gbp)
        at = program.columns(len(ladder) * len(slots)).reshape(len(ladder), len(slots))
        each = np.arange(len(slots))
        program.rows(len(slots), (each, at, 1.0), (each, here, -1.0), upper=0.0)
        program.rows(1, (0, at, work[:, None]), (0, here, -float(self.job["work"])), lower=0.0)
        kw = np.broadcast_to(power[:, None], at.shape).ravel()
        self._under_cap(here, np.tile(slots, len(ladder)), at.ravel(), kw)
        self._keep(here, slots, at, power.tolist())
        return here, (np.tile(slots, len(ladder)), at.ravel(), kw)

    def _under_cap(self, here: Ints, slots: Ints, columns: Ints, power: Any) -> None:
        cap = self.job.get("carbon_cap_kg")
        if cap is not None:
            self.program.rows(1, (0, columns, power * self.kg[slots]), (0, here, -float(cap)), upper=0.0)

    def _keep(self, here: Ints, slots: Ints, at: Ints, powers: list[float]) -> None:
        """A binary that is 1 only when the course is the planned one, which saves the cost of moving.

        :param at: (L, n) columns that are 1 when the job runs in slot n at power L.
        """
        if self.planned_kw is None or not set(np.flatnonzero(self.planned_kw)) <= set(slots.tolist()):
            return
        wanted = np.isclose(self.planned_kw[slots], np.array(powers)[:, None], rtol=1e-6, atol=0)
        if not (wanted.any(axis=0) == (self.planned_kw[slots] > 0)).all():
            return
        keep = self.program.columns(1, -self.move_gbp)
        each = np.arange(at.size)
        sign = np.where(wanted, -1.0, 1.0).ravel()
        self.program.rows(at.size, (each, at.ravel(), sign), (each, keep, 1.0), upper=(~wanted).ravel().astype(float))
        self.program.rows(1, (0, keep, 1.0), (0, here, -1.0), upper=0.0)


def profile(runs: list[Any], slots: int) -> Array:
    """(T,) IT power of runs."""
    power = np.zeros(slots)
    for start, end, power_kw in runs:
        power[start:end] = power_kw
    return power


def _none() -> tuple[Ints, Draws]:
    nothing = np.zeros(0, dtype=np.int64)
    return nothing, (nothing, nothing, 0.0)
