"""The exact twin: the whole formulation of docs/planner.md as one mixed-integer programme, for small instances.

:func:`solve` gives the least objective of any valid plan, and such a plan. It shares nothing with the planner.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from benchmarks.exact.formulation import Formulation
from benchmarks.exact.jobs import Json
from benchmarks.exact.plans import plan_of

TIME_LIMIT_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What is the best that can be done.

    :ivar status: ``optimal``, ``infeasible`` where no plan is valid, ``stopped`` at the time limit.
    :ivar objective_gbp: of the best plan found, infinity for none; no valid plan costs less than ``bound_gbp``.
    :ivar plan: in the shape of a plan file, with a bound proved by the prices of the relaxed programme; None when
        relaxed or none was found.
    """

    status: str
    objective_gbp: float
    bound_gbp: float
    plan: Json | None = None


def solve(instance: Json, *, relaxed: bool = False, time_limit_s: float = TIME_LIMIT_S) -> Answer:
    """The best plan for an instance as read from its file; ``relaxed``: jobs may run in part, and only the value."""
    started = time.perf_counter()
    formulation = Formulation(instance)
    found = formulation.program.solve(relaxed=relaxed, time_limit_s=time_limit_s)
    if relaxed or found.value == math.inf:
        return Answer(found.status, found.value, found.bound)
    plan = plan_of(formulation, found, time.perf_counter() - started)
    return Answer(found.status, found.value, found.bound, plan)
