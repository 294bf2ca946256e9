"""What is said of a plan follows from instance and plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.negotiation import Effort, negotiate
from benchmarks.comparison.judging import judgement, main
from benchmarks.instances import build
from benchmarks.peers.forms import Json
from core.instance import Instance
from tests.unit.benchmarks.peers.worlds import block, elastic, pausable, world

PRICES = [1.0, 2.0, 3.0, 4.0]


def plan_of(**runs: list[list[float]]) -> Json:
    rows = [{"job": job, "site": "site-0", "runs": courses} for job, courses in runs.items()]
    return {"instance": "world", "wall_s": 0.5, "assignments": rows, "unserved": []}


def test_cost_carbon_energy_and_pauses_are_added_up() -> None:
    jobs = [pausable("a", 2, 2, pause_gbp=0.25)]
    instance = world(PRICES, jobs) | {"carbon_price_gbp_per_tonne": 1e4}
    found = judgement(instance, plan_of(a=[[0, 1, 2.0], [2, 3, 2.0]]))
    assert found["violations"] == 0, found["first_violation"]
    assert (found["pauses"], found["peak_kw"]) == (1, 2.0)
    assert found["energy_gbp"] == pytest.approx(2 * (1 + 3))
    assert found["carbon_kg"] == pytest.approx(2 * 0.1)
    assert found["objective_gbp"] == pytest.approx(8 + 2 + 0.25)
    assert found["bound_gbp"] is None


def test_levels_that_follow_each_other_are_no_pause() -> None:
    jobs = [elastic("a", [(1.0, 0.75), (2.0, 1.0)], work=1.75)]
    found = judgement(world(PRICES, jobs), plan_of(a=[[0, 1, 2.0], [1, 2, 1.0]]))
    assert (found["violations"], found["pauses"]) == (0, 0)


def test_what_is_over_capacity_is_counted_in_slots_and_kw_slots() -> None:
    instance = world(PRICES, [block("a", 2, 2), block("b", 3, 3)], headroom_kw=4)
    found = judgement(instance, plan_of(a=[[0, 2, 2.0]], b=[[0, 3, 3.0]]))
    assert (found["over_slots"], found["over_kw_slots"]) == (2, 2.0)
    assert found["violations"] > 0


def test_a_tenants_share_is_the_energy_that_it_got_of_what_it_asked_for() -> None:
    jobs = [
        block("a", 2, 2) | {"tenant": "x"},
        block("b", 1, 4) | {"tenant": "x"},
        block("c", 1, 1) | {"tenant": "y"},
    ]
    plan = plan_of(a=[[0, 2, 2.0]], c=[[0, 1, 1.0]]) | {"unserved": [{"job": "b", "reason": "no place"}]}
    found = judgement(world(PRICES, jobs), plan)
    assert (found["unserved"], found["unserved_kwh"]) == (1, 2.0)
    assert found["least_share"] == pytest.approx(0.5)
    assert found["jain"] == pytest.approx(1.5**2 / (2 * (0.5**2 + 1)))


def test_a_certified_plan_keeps_the_bound_that_its_prices_prove() -> None:
    made = build("b3-20", None)
    plan = negotiate(Instance.model_validate(made), 1, Effort(time_limit_s=2)).plan.model_dump(mode="json")
    found = judgement(made, plan)
    assert found["violations"] == 0, found["first_violation"]
    assert found["bound_gbp"] == pytest.approx(plan["bound_gbp"], rel=1e-6)


def test_a_claim_that_is_not_true_is_a_violation() -> None:
    made = build("b3-20", None)
    plan = negotiate(Instance.model_validate(made), 1, Effort(time_limit_s=2)).plan.model_dump(mode="json")
    assert judgement(made, plan | {"objective_gbp": plan["objective_gbp"] - 1})["violations"] > 0


def test_a_value_without_a_plan_is_passed_on(tmp_path: Path) -> None:
    for name, content in (("instance", world(PRICES, [])), ("plan", {"wall_s": 1.0, "fractional_gbp": 7.0})):
        (tmp_path / name).write_text(json.dumps(content))
    assert main([str(tmp_path / "instance"), str(tmp_path / "plan"), "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out").read_text()) == {"wall_s": 1.0, "fractional_gbp": 7.0}
