"""``python -m benchmarks.replanning INSTANCE AGAIN PLAN``: plan, let ten jobs arrive, plan again; time the second.

AGAIN is written with the instance of the second plan: every job of the first is planned as it was and costs a little to
move. PLAN holds the second plan and ``churn``, the share of the first plan's job-slots that changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from agents.negotiation import Effort, negotiate, warm_up
from benchmarks.instances.demand import MIXED, draw, draw_sites, job_rows
from core.instance import Instance, read_instance
from core.plan import Plan
from core.slots import SLOT_HOURS

Json = dict[str, Any]

ARRIVALS, ALLOWED_SITES = 10, 3
MOVE_GBP_PER_KWH = 0.005
FIRST_LIMIT_S, AGAIN_LIMIT_S = 10.0, 0.5
AGAIN_GAP = 0.0025


def with_arrivals(instance: Instance, plan: Plan, arrivals: int, seed: int) -> Instance:
    """The instance as it stands when its plan is in force and ``arrivals`` jobs have come in."""
    courses = {made.job: made.model_dump(include={"site", "runs"}) for made in plan.assignments}
    rows = [job.model_dump(exclude_none=True) for job in instance.jobs]
    for row in rows:
        if row["id"] in courses:
            course = courses[row["id"]]
            energy_kwh = sum((end - start) * kw for start, end, kw in course["runs"]) * SLOT_HOURS
            row |= {"planned": course, "move_cost_gbp": MOVE_GBP_PER_KWH * energy_kwh}
    rng = np.random.default_rng(seed)
    sites = draw_sites(rng, arrivals, [site.id for site in instance.sites], ALLOWED_SITES)
    new = job_rows(draw(rng, arrivals, instance.slots, MIXED), sites, prefix="new")
    return Instance.model_validate(
        instance.model_dump(exclude={"jobs"}, exclude_none=True)
        | {"name": f"{instance.name}-again", "jobs": [*rows, *new], "opening": plan.prices}
    )


def churn(before: Plan, after: Plan) -> float:
    """Job-slots that changed site or power, or are gone, as a share of those planned before."""
    one, other = (
        {
            (made.job, made.site, slot, run[2])
            for made in plan.assignments
            for run in made.runs
            for slot in range(*run[:2])
        }
        for plan in (before, after)
    )
    return len(one - other) / max(1, len(one))


def main(arguments: list[str]) -> int:
    """Write both files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replanning", description=__doc__)
    for name in ("instance", "again", "plan"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args(arguments)
    instance = read_instance(options.instance)
    warm_up()
    first = negotiate(instance, 1, Effort(time_limit_s=FIRST_LIMIT_S)).plan
    again = with_arrivals(instance, first, ARRIVALS, seed=2)
    second = negotiate(again, 1, Effort(time_limit_s=AGAIN_LIMIT_S, target_gap=AGAIN_GAP)).plan
    options.again.write_text(again.model_dump_json(exclude_none=True))
    made: Json = second.model_dump(mode="json", exclude_none=True)
    options.plan.write_text(json.dumps(made | {"churn": churn(first, second)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
