"""What to do about an alert in the middle of an event: shift load, pause it, or go on as planned.

A pure decision on the plan in force: no plan is made, no promise broken, and every figure it rests on is in the answer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np

from agents.flexibility.movable import MovableLoad
from agents.flexibility.moves import Moves
from core.market import TOLERANCE_KW
from core.series import BoolArray, FloatArray
from core.slots import slots_between


class Action(StrEnum):
    """What is done about an alert."""

    SHIFT = "shift"
    """load runs at other times, or elsewhere"""
    PAUSE = "pause"
    """jobs under way stop where they are, and go on after the event"""
    CONTINUE = "continue"
    """nothing changes"""


@dataclass(frozen=True, slots=True)
class Means:
    """One way to meet an alert.

    :param possible_kw: what it frees at the meter in every half-hour of the event, at most.
    :param cost_gbp: for what is needed; infinite where ``possible_kw`` is less. Never below nought.
    :param carbon_kg: emitted more; negative: less.
    :param freed_kw: by half-hour, for what is needed: whole jobs move, so it may be more.
    :param job_ids: those that would move or pause.
    """

    action: Action
    possible_kw: float
    cost_gbp: float
    carbon_kg: float
    freed_kw: tuple[float, ...]
    job_ids: tuple[str, ...]

    @property
    def suffices(self) -> bool:
        """Whether it meets the need."""
        return bool(np.isfinite(self.cost_gbp))


@dataclass(frozen=True, slots=True)
class CourseOfAction:
    """The answer to an alert.

    :param action: the cheapest that meets it, of equally cheap ones the pause; ``continue`` where none does without
        breaking a promise to a job.
    :param means: what was chosen; None to continue. ``considered`` are both, with their figures.
    :param starts: the half-hours that the plan still decides; ``too_late`` those asked about that it does not.
    :param planned_kw: by half-hour of ``starts``, what jobs draw at the meter as planned.
    :param tick_id: of the plan that the figures are of.
    """

    action: Action
    reason: str
    site_id: str
    starts: tuple[datetime, ...]
    too_late: tuple[datetime, ...]
    needed_kw: float
    planned_kw: tuple[float, ...]
    means: Means | None
    considered: tuple[Means, ...]
    tick_id: str


def answer_alert(load: MovableLoad, site_id: str, starts: Collection[datetime], needed_kw: float) -> CourseOfAction:
    """What to do so that jobs draw ``needed_kw`` less at the meter of a site in each half-hour from ``starts``.

    Jobs that shift or pause still end within their windows; a block that has begun does neither. Half-hours that no
    plan decides any more stay as they are, and are named in the answer.
    """
    asked = tuple(sorted(set(starts)))
    times = tuple(start for start in asked if load.shut({site_id}, {start}).any())
    shut, known = load.shut({site_id}, times), bool(times)
    every = load.seats.from_all(shut)
    pausing = load.seats.from_all(shut, among=_may_pause(load), stay=True)
    slots = np.array([slots_between(load.start, start) for start in times], dtype=np.int64)
    pause = _means(Action.PAUSE, load, pausing.where(pausing.possible), slots, needed_kw)
    shift = _means(Action.SHIFT, load, every.where(every.possible), slots, needed_kw)
    planned = tuple(load.planned_kw[load.site_ids.index(site_id), slots].tolist()) if known else ()
    able = [means for means in (pause, shift) if means.suffices and known]
    chosen = min(able, key=lambda means: means.cost_gbp, default=None)
    action = Action.CONTINUE if chosen is None else chosen.action
    reason = _reason(chosen, (pause, shift), known, needed_kw)
    return CourseOfAction(
        action=action,
        reason=reason,
        site_id=site_id,
        starts=times,
        too_late=tuple(start for start in asked if start not in times),
        needed_kw=needed_kw,
        planned_kw=planned,
        means=chosen,
        considered=(pause, shift),
        tick_id=load.tick_id,
    )


def _may_pause(load: MovableLoad) -> BoolArray:
    """(J,) seated jobs that are under way: those among them that cannot pause are not seated, but frozen."""
    return np.array([job in load.present.begun for job in load.seats.jobs], dtype=np.bool_)


def _means(action: Action, load: MovableLoad, moves: Moves, slots: np.ndarray, needed_kw: float) -> Means:
    """The cheapest jobs, one after another, until every half-hour is freed of what is needed; spare ones stay."""
    jobs, number = np.unique(moves.job, return_inverse=True)
    freed = np.zeros((len(jobs), len(slots)))
    at = np.searchsorted(slots, moves.slot)
    freed[number, at] = moves.kw
    gbp, kg = np.zeros(len(jobs)), np.zeros(len(jobs))
    gbp[number], kg[number] = np.maximum(0.0, moves.extra_gbp), moves.extra_kg
    possible = float(freed.sum(axis=0).min(initial=np.inf)) if len(slots) else 0.0
    if possible < needed_kw - TOLERANCE_KW:
        return Means(action, possible, float("inf"), 0.0, (), ())
    chosen = _cheapest(freed, gbp, needed_kw)
    ids = tuple(load.seats.jobs[job] for job in jobs[chosen].tolist())
    total = tuple(freed[chosen].sum(axis=0).tolist())
    return Means(action, possible, float(gbp[chosen].sum()), float(kg[chosen].sum()), total, ids)


def _cheapest(freed: FloatArray, gbp: FloatArray, needed_kw: float) -> BoolArray:
    """(J,) jobs by rising price of what they free (J, D) until each half-hour is met, less those not needed then."""
    chosen = np.zeros(len(gbp), dtype=np.bool_)
    order = np.argsort(gbp / np.maximum(freed.sum(axis=1), TOLERANCE_KW), kind="stable")
    lacking = np.full(freed.shape[1], needed_kw - TOLERANCE_KW)
    for job in order.tolist():
        if (lacking <= 0).all():
            break
        if (freed[job][lacking > 0] > 0).any():
            chosen[job] = True
            lacking -= freed[job]
    for job in np.flatnonzero(chosen)[np.argsort(-gbp[chosen], kind="stable")].tolist():
        if (lacking + freed[job] <= 0).all():
            chosen[job] = False
            lacking += freed[job]
    return chosen


def _reason(chosen: Means | None, considered: tuple[Means, Means], known: bool, needed_kw: float) -> str:
    """Why this and nothing else, in words."""
    pause, shift = considered
    if not known:
        return "the plan in force decides nothing any more for these half-hours"
    if chosen is None:
        return (
            f"{needed_kw:.1f} kW are needed; without a job missing its deadline at most {shift.possible_kw:.1f} kW can "
            f"be shifted and {pause.possible_kw:.1f} kW paused"
        )
    other = shift if chosen is pause else pause
    rest = f", £{other.cost_gbp:.2f} to {other.action}" if other.suffices else f"; to {other.action} is not enough"
    return f"it costs £{chosen.cost_gbp:.2f} to {chosen.action}{rest}"
