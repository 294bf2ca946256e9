"""Flexibility of the plan in force, for those who sell it: kept by plan, asked from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agents.flexibility.alert import CourseOfAction, answer_alert
from agents.flexibility.firm import Firm, Pricing, Wanted
from agents.flexibility.movable import MovableLoad
from agents.flexibility.present import present_of
from agents.proposal import Figures
from agents.sold import Sold
from agents.solver import Solver
from agents.standing import Negotiated, StandingPlan
from core.errors import Unavailable
from core.slots import slots_between

LOOK_S = 5.0
"""real seconds after which it is looked anew which jobs are still open, where all else is as it was"""


class InForce(Protocol):
    """Who knows the plan in force; both change together, under the plan's lock."""

    @property
    def standing(self) -> StandingPlan | None: ...
    @property
    def negotiated(self) -> Negotiated | None: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """What flexibility is read from.

    :param plan_lock: under which the plan changes.
    :param plan_start: the first half-hour that a plan begun now could still decide.
    :param open_jobs: ids of the jobs that have not ended.
    """

    in_force: InForce
    plan_lock: AbstractContextManager[bool]
    plan_start: Callable[[], datetime]
    open_jobs: Callable[[], Collection[str]]
    sold: Sold
    solver: Solver
    seed: int


@dataclass(slots=True)
class _Known:
    """What was worked out, from what, and when it was last looked whether it still holds (monotonic seconds)."""

    negotiated: Negotiated
    mark: tuple[object, ...]
    jobs: tuple[str, ...]
    load: MovableLoad
    looked_s: float


class Flexibility:
    """Answers about the plan in force. Safe to use from several threads."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._reading = threading.Lock()
        self._pricing = threading.Lock()
        self._known: _Known | None = None

    def movable(self) -> MovableLoad | None:
        """What may be moved; None where nothing is planned.

        Worked out once for each plan and each change in what has begun or is sold. That a job has ended is seen within
        some seconds: what is promised is priced by plans that know it at once. It takes a second for thousands of jobs
        and must not be asked for under the plan's lock. The plan is read
        before the lock of what may be moved is taken, so that who holds the plan's lock waits for nobody.
        """
        negotiated, standing = self._in_force()
        if negotiated is None or standing is None:
            return None
        figures, first = self._now(negotiated)
        with self._reading:
            mark, known = (first, figures.sold_kw.tobytes(), figures.cap_kw.tobytes()), self._known
            same = known is not None and known.negotiated is negotiated and known.mark == mark
            if known is not None and same and time.monotonic() - known.looked_s < LOOK_S:
                return known.load
            looked_s = time.monotonic()
            present = present_of(negotiated, figures, first, self._from.open_jobs())
            jobs = tuple(job.id for job in present.instance.jobs)
            if known is not None and same and known.jobs == jobs:
                known.looked_s = looked_s
                return known.load
            load = MovableLoad.of(present, standing)
            self._known = _Known(negotiated, mark, jobs, load, looked_s)
            return load

    def firm(self, wanted: Sequence[Wanted]) -> Firm:
        """What ``wanted`` costs, from plans with and without it.

        One asks at a time. Six plans at most are made, of two seconds each; a tick that comes meanwhile waits for the
        solver while one of them is made, in all for twelve seconds at most and in the usual case for two. A solver that
        does not answer is ended by its own deadline. The plan's lock is not held: who promises on the answer has to
        look under it whether the plan is still that of ``tick_id``.

        :raises Unavailable: nothing is planned here.
        """
        with self._pricing:
            negotiated, _ = self._in_force()
            if negotiated is None:
                raise Unavailable("no plan is in force here", remedy="Ask again after the next tick.")
            present = present_of(negotiated, *self._now(negotiated), self._from.open_jobs())
            return Pricing(present, self._from.solver, self._from.seed).firm(wanted)

    def answer_alert(self, site_id: str, starts: Collection[datetime], needed_kw: float) -> CourseOfAction:
        """What to do so that jobs draw ``needed_kw`` less at a site in these half-hours.

        :raises Unavailable: nothing is planned here.
        """
        load = self.movable()
        if load is None:
            raise Unavailable("no plan is in force here", remedy="Ask again after the next tick.")
        return answer_alert(load, site_id, starts, needed_kw)

    def _in_force(self) -> tuple[Negotiated | None, StandingPlan | None]:
        """The plan in force; both parts of it are of one negotiation."""
        with self._from.plan_lock:
            return self._from.in_force.negotiated, self._from.in_force.standing

    def _now(self, negotiated: Negotiated) -> tuple[Figures, int]:
        """Its figures beside what is sold now, and its first slot that may still be decided."""
        first = max(0, slots_between(negotiated.instance.start, self._from.plan_start()))
        return self._from.sold.beside(negotiated.figures), first
