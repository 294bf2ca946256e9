"""Flexibility of the plan in force, for those who sell it: kept by plan, asked from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agents.flexibility.alert import CourseOfAction, answer_alert
from agents.flexibility.firm import Firm, Pricing, Wanted
from agents.flexibility.movable import MovableLoad
from agents.flexibility.present import Present, present_of
from agents.proposal import Figures
from agents.sold import Sold
from agents.solver import Solver
from agents.standing import Negotiated, StandingPlan
from core.errors import Unavailable
from core.slots import slots_between


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


class Flexibility:
    """Answers about the plan in force. Safe to use from several threads."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._reading = threading.Lock()
        self._pricing = threading.Lock()
        self._known: tuple[object, MovableLoad] | None = None

    def movable(self) -> MovableLoad | None:
        """What may be moved; None where nothing is planned.

        Worked out once for each plan and each change in what has begun, is open or is sold. The plan's lock comes
        first: who holds it may ask.
        """
        found = self._present()
        if found is None:
            return None
        present, standing = found
        key = _key(present)
        with self._reading:
            if self._known is None or self._known[0] != key:
                self._known = key, MovableLoad.of(present, standing)
            return self._known[1]

    def firm(self, wanted: Sequence[Wanted]) -> Firm:
        """What ``wanted`` costs, from plans with and without it.

        One asks at a time. Six plans at most are made, of two seconds each; a tick that comes meanwhile waits for the
        solver while one of them is made, in all for twelve seconds at most and in the usual case for two. A solver that
        does not answer is ended by its own deadline. The plan's lock is not held: who promises on the answer has to
        look under it whether the plan is still that of ``tick_id``.

        :raises Unavailable: nothing is planned here.
        """
        with self._pricing:
            found = self._present()
            if found is None:
                raise Unavailable("no plan is in force here", remedy="Ask again after the next tick.")
            return Pricing(found[0], self._from.solver, self._from.seed).firm(wanted)

    def answer_alert(self, site_id: str, starts: Collection[datetime], needed_kw: float) -> CourseOfAction:
        """What to do so that jobs draw ``needed_kw`` less at a site in these half-hours.

        :raises Unavailable: nothing is planned here.
        """
        load = self.movable()
        if load is None:
            raise Unavailable("no plan is in force here", remedy="Ask again after the next tick.")
        return answer_alert(load, site_id, starts, needed_kw)

    def _present(self) -> tuple[Present, StandingPlan] | None:
        """What is planned as it stands now."""
        with self._from.plan_lock:
            negotiated, standing = self._from.in_force.negotiated, self._from.in_force.standing
        if negotiated is None or standing is None:
            return None
        figures = self._from.sold.beside(negotiated.figures)
        first = max(0, slots_between(negotiated.instance.start, self._from.plan_start()))
        return present_of(negotiated, figures, first, self._from.open_jobs()), standing


def _key(present: Present) -> tuple[object, ...]:
    """The same for a plan in the same situation."""
    figures: Figures = present.figures
    sold = figures.sold_kw.tobytes(), figures.cap_kw.tobytes()
    return present.tick_id, present.first, tuple(job.id for job in present.instance.jobs), *sold
