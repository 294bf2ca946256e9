"""The second plan begins where the first one stands."""

from __future__ import annotations

import json
from pathlib import Path

from agents.negotiation import Effort, negotiate
from benchmarks.instances.demand import MIXED
from benchmarks.instances.families import ten_sites
from benchmarks.instances.figures import write
from benchmarks.replanning import ARRIVALS, churn, main, with_arrivals
from core.instance import Instance, read_instance

MADE = ten_sites("small", None, 1, jobs=30, shares=MIXED)


def test_every_job_is_planned_as_it_was_and_ten_have_come() -> None:
    instance = Instance.model_validate(MADE)
    plan = negotiate(instance, 1, Effort(time_limit_s=1)).plan
    again = with_arrivals(instance, plan, ARRIVALS, seed=2)
    assert len(again.jobs) == len(instance.jobs) + ARRIVALS
    standing = {job.id: job.planned for job in again.jobs if job.planned}
    assert {made.job: (made.site, made.runs) for made in plan.assignments} == {
        job: (course.site, course.runs) for job, course in standing.items()
    }
    assert all(job.move_cost_gbp > 0 for job in again.jobs if job.planned)


def test_churn_is_the_share_of_job_slots_that_are_not_as_they_were() -> None:
    plan = negotiate(Instance.model_validate(MADE), 1, Effort(time_limit_s=1)).plan
    gone = plan.assignments[0]
    slots = [end - start for made in plan.assignments for start, end, _ in made.runs]
    less = plan.model_copy(update={"assignments": plan.assignments[1:]})
    assert churn(plan, plan) == 0
    assert churn(plan, less) == sum(end - start for start, end, _ in gone.runs) / sum(slots)


def test_the_command_writes_the_second_instance_and_plan(tmp_path: Path) -> None:
    write(MADE, tmp_path / "first.json")
    assert main([str(tmp_path / name) for name in ("first.json", "again.json", "plan.json")]) == 0
    again, plan = read_instance(tmp_path / "again.json"), json.loads((tmp_path / "plan.json").read_text())
    assert plan["instance"] == again.name
    assert 0 <= plan["churn"] <= 1
