"""The clearing problem as it stands now: the last negotiation's, with what has begun since then held in its place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from agents.job.demand import VALUE_GBP_PER_KWH
from agents.proposal import DECIMALS, Figures, drawn_kw
from agents.standing import Negotiated
from core.instance import Course, Frozen, Instance, JobInstance, Run
from core.job import Tier
from core.plan import Assignment, Plan
from core.series import FloatArray


@dataclass(frozen=True, slots=True)
class Present:
    """What a trial plan is made of.

    :param instance: of the last negotiation from slot ``first`` on, each job's standing course its ``planned`` one.
        Slots keep their numbers.
    :param figures: the quotes of that negotiation beside what is sold now.
    :param begun: ids of jobs that have begun, also those that still may pause.
    """

    tick_id: str
    instance: Instance
    figures: Figures
    plan: Plan
    begun: frozenset[str]
    first: int

    @property
    def served(self) -> frozenset[str]:
        """Ids of the jobs that the plan in force still serves."""
        return frozenset(job.id for job in self.instance.jobs if job.planned is not None) | self.frozen

    @property
    def frozen(self) -> frozenset[str]:
        """Ids of those of which nothing may move."""
        return frozenset(frozen.job for frozen in self.instance.frozen)

    @property
    def frozen_kw(self) -> FloatArray:
        """(S, T) at the meters of ``figures``: what draws whatever is planned."""
        return drawn_kw(self.instance.frozen, self.figures)

    @property
    def drawn_kw(self) -> FloatArray:
        """(S, T) at the meters of ``figures``: what jobs draw in the plan in force."""
        planned = [job.planned for job in self.instance.jobs if job.planned is not None]
        return drawn_kw([*planned, *self.instance.frozen], self.figures)


def present_of(negotiated: Negotiated, figures: Figures, first: int, still_open: Collection[str]) -> Present:
    """What is left of a negotiation from slot ``first`` on.

    :param figures: those of the negotiation, beside what is sold now.
    :param still_open: ids of jobs that have not ended since; the others draw nothing any more.
    """
    old, held = negotiated.instance, {frozen.job: frozen for frozen in negotiated.instance.frozen}
    done = {assigned.job: assigned for assigned in negotiated.plan.assignments}
    jobs: list[JobInstance] = []
    frozen: list[Frozen] = []
    begun = set(negotiated.begun)
    for job in old.jobs:
        if job.id not in still_open:
            continue
        course = done.get(job.id)
        if course is not None and _cut(course.runs, 0, first):
            begun.add(job.id)
        left, still = _left(job, course, first, negotiated, frozen=job.id in held)
        jobs += [left] if left is not None else []
        frozen += [still] if still is not None else []
    known = {job.id for job in jobs}
    jobs = [
        job if known.issuperset(job.after) else job.model_copy(update={"after": tuple(known & set(job.after))})
        for job in jobs
    ]
    room = np.round(np.maximum(figures.unsold_kw, drawn_kw(frozen, figures)), DECIMALS)
    row = {site: number for number, site in enumerate(figures.site_ids)}
    sites = tuple(
        site.model_copy(update={"headroom_kw": tuple(room[row[site.id]].tolist()), "sold_kw": None})
        for site in old.sites
    )
    changes = {"jobs": tuple(jobs), "frozen": tuple(frozen), "sites": sites, "opening": negotiated.plan.prices}
    instance = old.model_copy(update=changes)
    return Present(negotiated.tick_id, instance, figures, negotiated.plan, frozenset(begun & known), first)


def _left(
    job: JobInstance, course: Assignment | None, first: int, negotiated: Negotiated, *, frozen: bool
) -> tuple[JobInstance | None, Frozen | None]:
    """What is left of a job from slot ``first`` on: as a bidder, and frozen where nothing may move."""
    changes: dict[str, object] = {"earliest_slot": min(max(job.earliest_slot, first), job.latest_slot)}
    if course is None:
        return job.model_copy(update=changes | {"planned": None, "move_cost_gbp": None}), None
    past, coming = _cut(course.runs, 0, first), _cut(course.runs, first, negotiated.instance.slots)
    if not coming:
        return None, None
    if frozen or (past and job.kind == "block"):
        changes |= {"planned": None, "move_cost_gbp": None}
        return job.model_copy(update=changes), Frozen(job=job.id, site=course.site, runs=coming)
    changes |= {"planned": Course(site=course.site, runs=coming), "move_cost_gbp": negotiated.move_cost_gbp}
    if past:
        changes |= _rest(job, past) | {"sites": (course.site,)}
        if job.id not in negotiated.begun:
            premium = VALUE_GBP_PER_KWH[Tier.PREMIUM] / VALUE_GBP_PER_KWH[Tier(job.tier)]
            changes |= {"unserved_penalty_gbp": premium * job.unserved_penalty_gbp}
    return job.model_copy(update=changes), None


def _rest(job: JobInstance, past: Sequence[Run]) -> dict[str, object]:
    """The work that is left of a pausable or elastic job after some runs."""
    if not job.levels:
        return {"duration_slots": (job.duration_slots or 0) - sum(end - start for start, end, _ in past)}
    pace = {round(level.power_kw, 6): level.work_per_slot for level in job.levels}
    done = sum((end - start) * pace.get(round(power_kw, 6), 0.0) for start, end, power_kw in past)
    return {"work": max(1e-9, (job.work or 0.0) - done)}


def _cut(runs: Sequence[Run], first: int, last: int) -> tuple[Run, ...]:
    """The parts of runs within slots ``[first, last)``."""
    return tuple((max(a, first), min(b, last), power_kw) for a, b, power_kw in runs if min(b, last) > max(a, first))
