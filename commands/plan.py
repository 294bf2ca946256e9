"""``plan``: an instance file in, a plan file out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agents.negotiation import Effort, negotiate
from core.errors import InputError
from core.instance import read_instance, write_json
from core.plan import Plan


def plan(arguments: argparse.Namespace) -> int:
    """Plan and say how good the plan is; the exit status is 0 also when jobs are unserved."""
    instance = read_instance(arguments.instance)
    outcome = negotiate(instance, arguments.seed, Effort(time_limit_s=arguments.time_limit))
    made = outcome.plan
    if arguments.out is None:
        print(made.model_dump_json(exclude_none=True))
    else:
        _write(made, arguments.out)
    print(
        f"{len(made.assignments)} jobs placed, {len(made.unserved)} unserved, objective GBP {made.objective_gbp:.2f}, "
        f"bound GBP {made.bound_gbp:.2f}, gap {made.gap:.3%}, {made.wall_s:.2f} s",
        file=sys.stderr,
    )
    return 0


def _write(made: Plan, path: Path) -> None:
    try:
        write_json(made, path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}",
            field="--out",
            value=str(path),
            remedy="Name a file in a folder that is there and that you may write to.",
        ) from error
