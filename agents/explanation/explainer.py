"""Explanations of a plan: of every job, of some, or of one when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from agents.explanation.grid import Grid, Room, Runs, Scarcity
from agents.explanation.served import Chosen, Served
from agents.explanation.unserved import Bonds, Gang
from agents.explanation.unserved import Unserved as LeftOut
from agents.explanation.wants import NONE, Wants
from core.explanation import Eta, Explanation
from core.instance import Course, Instance, JobInstance
from core.plan import Plan, Unserved
from core.series import FloatArray, IntArray
from core.threads import one_thread

CELLS_AT_ONCE = 400_000
"""jobs times slots explained at once, which bounds the memory"""
MOST_SOUGHT = 200
"""jobs of a batch for which a plan seeks counter-offers"""


class Explainer:
    """Explains the jobs of ``instance`` under ``plan``; built once, and asked as often as is wanted."""

    def __init__(self, instance: Instance, plan: Plan) -> None:
        self.start = instance.start
        """when the plan's first slot begins"""
        self._instance = instance
        self._rows = {job.id: row for row, job in enumerate(instance.jobs)}
        self._assigned = {assignment.job: assignment for assignment in plan.assignments}
        self._frozen = {frozen.job for frozen in instance.frozen}
        self._grid = Grid.of(instance, plan)
        self._prices = Scarcity.of(self._grid, instance, plan)
        self._room = Room.of(self._grid, instance, plan, Runs.of(self._grid, self._rows, plan))
        self._own_first = np.array([job.earliest_slot for job in instance.jobs], dtype=np.int64)
        self._not_before = np.array([self._ended(job) for job in instance.jobs], dtype=np.int64)
        self._gangs: dict[str, list[str]] = {}
        for job in instance.jobs:
            if job.gang is not None:
                self._gangs.setdefault(job.gang, []).append(job.id)

    def explain(self, job_ids: Iterable[str] | None = None) -> dict[str, Explanation]:
        """The explanation of each of ``job_ids`` (default: all); jobs that the instance does not have are left out."""
        asked = [job for job in (self._rows if job_ids is None else job_ids) if job in self._rows]
        with one_thread():  # also because sums would depend on how many there are
            explained = self._explained(asked)
        return {job: explained[job] for job in asked}

    def _explained(self, asked: list[str]) -> dict[str, Explanation]:
        explained: dict[str, Explanation] = {}
        for batch in self._batches([job for job in asked if job in self._assigned and job not in self._frozen]):
            explained |= zip(batch, self._served(batch).explained(batch), strict=True)
        for batch in self._batches([job for job in asked if job in self._frozen]):
            explained |= zip(batch, self._served(batch).kept(batch), strict=True)
        for batch in self._batches([job for job in asked if job not in self._assigned]):
            explained |= zip(batch, self._unserved(batch).explained(batch), strict=True)
        return explained

    def refuse(self, most_sought: int = MOST_SOUGHT) -> tuple[Unserved, ...]:
        """Every job that the plan leaves out, with its reason.

        Counter-offers are sought for ``most_sought`` of each batch of jobs, those dearest to leave out first, so that
        a plan does not wait for them where it leaves out many; :meth:`explain` seeks them for every job asked about.
        """
        left = [job.id for job in self._instance.jobs if job.id not in self._assigned]
        return tuple(
            Unserved(job=job, reason=why.reason, counter_offers=why.offers)
            for batch in self._batches(left)
            for job, why in zip(batch, self._unserved(batch).refused(most_sought), strict=True)
        )

    def eta(self, job_id: str) -> Eta | str | None:
        """When there is room for a job that the plan leaves out, or why there is none; None for all other jobs."""
        if job_id not in self._rows or job_id in self._assigned:
            return None
        return self._unserved([job_id]).etas()[0]

    def _batches(self, job_ids: list[str]) -> Iterator[list[str]]:
        at_once = max(1, CELLS_AT_ONCE // self._grid.slots)
        for first in range(0, len(job_ids), at_once):
            yield job_ids[first : first + at_once]

    def _served(self, job_ids: Sequence[str]) -> Served:
        wants, chosen = self._wants(job_ids), self._chosen(job_ids)
        return Served(self._grid, self._prices, self._room, self._own_first, wants, chosen)

    def _unserved(self, job_ids: Sequence[str]) -> LeftOut:
        bonds = Bonds(self._waits_for(job_ids), self._gang_of(job_ids))
        return LeftOut(self._grid, self._prices, self._room, self._not_before, self._wants(job_ids), bonds)

    def _wants(self, job_ids: Sequence[str]) -> Wants:
        rows = np.array([self._rows[job] for job in job_ids], dtype=np.int64)
        jobs = [self._instance.jobs[row] for row in rows.tolist()]
        wants = Wants.of(jobs, rows, self._grid)
        return wants.with_(first=np.maximum(wants.first, self._not_before[rows]))

    def _ended(self, job: JobInstance) -> int:
        """When the jobs have ended that ``job`` comes after, as far as they are served."""
        before = [self._assigned[name] for name in job.after if name in self._assigned]
        return max((run[1] for course in before for run in course.runs), default=0)

    def _waits_for(self, job_ids: Sequence[str]) -> dict[int, str]:
        """By row, a job without a place that it comes after."""
        found = {}
        for row, job_id in enumerate(job_ids):
            missing = [name for name in self._instance.jobs[self._rows[job_id]].after if name not in self._assigned]
            if missing:
                found[row] = missing[0]
        return found

    def _gang_of(self, job_ids: Sequence[str]) -> dict[int, Gang]:
        """By row, its gang."""
        found = {}
        for row, job_id in enumerate(job_ids):
            name = self._instance.jobs[self._rows[job_id]].gang
            mates = [mate for mate in self._gangs.get(name or "", ()) if mate != job_id]
            if name is not None and mates:
                found[row] = Gang(name, mates, self._wants(mates))
        return found

    def _chosen(self, job_ids: Sequence[str]) -> Chosen:
        """What jobs do, and what they had been planned to do."""
        planned = [self._instance.jobs[self._rows[job]].planned for job in job_ids]
        return Chosen(*self._profiles([self._assigned[job] for job in job_ids]), *self._profiles(planned))

    def _profiles(self, courses: Sequence[Course | None]) -> tuple[IntArray, FloatArray]:
        """(n,) site and (n, T) IT power of courses; no site and no power where there is none."""
        site = np.array(
            [NONE if course is None else self._grid.place[course.site] for course in courses], dtype=np.int64
        )
        power = np.zeros((len(courses), self._grid.slots))
        for row, course in enumerate(courses):
            for start, end, power_kw in course.runs if course else ():
                power[row, start:end] = power_kw
        return site, power


def explain(instance: Instance, plan: Plan, job_ids: Iterable[str] | None = None) -> Mapping[str, Explanation]:
    """Explain ``job_ids`` (default: all) of ``instance`` under ``plan``, by job id."""
    return Explainer(instance, plan).explain(job_ids)
