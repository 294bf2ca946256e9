"""``python -m benchmarks.plan_bench``: gap and time of the planner as sites fill up, each plan judged by the referee.

Plans are made in this process, without reading files: the time is the negotiation's own. ``busy s`` is processor time,
which says more than the clock where the machine is shared.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import NamedTuple

from agents.negotiation import Effort, negotiate, warm_up
from benchmarks import referee
from benchmarks.instances import generate

UTILISATIONS = (0.1, 0.3, 0.6)
COLUMNS = "{:>12} {:>5} {:>12} {:>12} {:>9} {:>9} {:>8} {:>8}  {}"


class Result(NamedTuple):
    """One plan, judged."""

    verdict: referee.Verdict
    wall_s: float
    busy_s: float


def plan(jobs: int, utilisation: float, seed: int, time_limit_s: float) -> Result:
    """Generate an instance, plan it and have the plan judged."""
    instance = generate(jobs=jobs, utilisation=utilisation, seed=seed)
    started, busy = time.perf_counter(), time.process_time()
    made = negotiate(instance, seed, Effort(time_limit_s=time_limit_s)).plan
    wall_s, busy_s = time.perf_counter() - started, time.process_time() - busy
    return Result(referee.judge(*(json.loads(model.model_dump_json()) for model in (instance, made))), wall_s, busy_s)


def row(utilisation: float, seed: int, result: Result) -> str:
    """One line of the table."""
    verdict = result.verdict
    return COLUMNS.format(
        f"{utilisation:.0%}",
        seed,
        f"{verdict.objective_gbp:.2f}",
        f"{verdict.bound_gbp:.2f}",
        verdict.unserved,
        f"{verdict.gap:.3%}",
        f"{result.wall_s:.2f}",
        f"{result.busy_s:.2f}",
        "; ".join(verdict.violations) or "valid",
    )


def main(arguments: list[str]) -> int:
    """Print the table and the median of each utilisation; 1 when the referee refuses a plan."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan_bench", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds of each utilisation")
    parser.add_argument("--time-limit", type=float, default=20.0, metavar="S")
    options = parser.parse_args(arguments)
    warm_up()
    print(f"{options.jobs} mixed jobs, 13 sites, 96 slots")
    print(COLUMNS.format("utilisation", "seed", "objective", "bound", "unserved", "gap", "wall s", "busy s", "referee"))
    refused = False
    for utilisation in UTILISATIONS:
        results = []
        for seed in range(1, options.seeds + 1):
            results.append(plan(options.jobs, utilisation, seed, options.time_limit))
            print(row(utilisation, seed, results[-1]), flush=True)
        gap, busy_s = (
            statistics.median(values) for values in zip(*((r.verdict.gap, r.busy_s) for r in results), strict=True)
        )
        print(f"{utilisation:>12.0%} median gap {gap:.3%}, busy {busy_s:.2f} s")
        refused = refused or any(result.verdict.violations for result in results)
    return int(refused)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
