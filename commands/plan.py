"""``plan``: an instance file in, a plan file out."""

from __future__ import annotations

import argparse
import sys

from agents.negotiation import Effort, negotiate
from core.instance import read_instance, write_json


def plan(arguments: argparse.Namespace) -> int:
    """Plan and say how good the plan is; the exit status is 0 also when jobs are unserved."""
    instance = read_instance(arguments.instance)
    outcome = negotiate(instance, arguments.seed, Effort(time_limit_s=arguments.time_limit))
    made = outcome.plan
    if arguments.out is None:
        print(made.model_dump_json(exclude_none=True))
    else:
        write_json(made, arguments.out)
    print(
        f"{len(made.assignments)} jobs placed, {len(made.unserved)} unserved, objective GBP {made.objective_gbp:.2f}, "
        f"bound GBP {made.bound_gbp:.2f}, gap {made.gap:.3%}, {made.wall_s:.2f} s",
        file=sys.stderr,
    )
    return 0
