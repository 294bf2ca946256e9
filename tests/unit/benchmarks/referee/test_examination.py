"""The referee accepts a valid plan and names each way in which a plan can be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import referee
from tests.unit.benchmarks.referee.tiny import OBJECTIVE, Json, faults, job_of, runs_of


def test_a_valid_plan_is_accepted_with_its_figures_worked_out_anew(instance: Json, plan: Json) -> None:
    verdict = referee.judge(instance, plan)
    assert verdict.violations == ()
    assert verdict.objective_gbp == pytest.approx(OBJECTIVE)
    assert verdict.bound_gbp == pytest.approx(OBJECTIVE)
    assert verdict.gap == pytest.approx(0.0)
    assert (verdict.placed, verdict.unserved) == (3, 1)
    assert verdict.carbon_kg == pytest.approx((40 + 30) * 0.5 * 0.1 + 30 * 1.5 * 0.5 * 0.2)


def test_a_price_on_headroom_that_is_full_leaves_the_bound_below_the_objective(instance: Json, plan: Json) -> None:
    plan["prices"][0]["headroom_gbp_per_kw_slot"] = [0.0, 0.01, 0.0, 0.0, 0.0, 0.0]
    verdict = referee.judge(instance, plan)
    assert verdict.violations == ()  # 30 kW wanted of 30 kW: what the jobs pay more is what the headroom earns
    assert verdict.bound_gbp == pytest.approx(OBJECTIVE)


def test_a_price_on_headroom_that_nobody_needs_weakens_the_bound(instance: Json, plan: Json) -> None:
    plan["prices"][0]["headroom_gbp_per_kw_slot"] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.01]
    assert "its prices prove only" in faults(instance, plan)


@pytest.mark.parametrize(
    ("job", "runs", "expected"),
    [
        ("block", [[1, 2, 20.0]], "runs 1 of 2 slots"),
        ("block", [[1, 2, 20.0], [3, 4, 20.0]], "a block in 2 runs"),
        ("block", [[1, 3, 19.0]], "does not run at its 20.0 kW"),
        ("block", [[5, 7, 20.0]], "not inside the 6 slots"),
        ("block", [[1.0, 3, 20.0]], "not inside the 6 slots"),
        ("block", [[1, 3, -20.0]], "has a power of -20.0 kW"),
        ("block", [[1, 3, 20.0], [2, 3, 20.0]], "overlaps another"),
        ("block", [], "runs 0 of 2 slots"),
        ("pausable", [[0, 3, 10.0]], "runs in [0, 3), outside [1, 6)"),
        ("pausable", [[1, 3, 10.0]], "runs 2 of 3 slots"),
        ("elastic", [[0, 1, 20.0]], "does 1 of 1.8 units of work"),
        ("elastic", [[0, 2, 15.0]], "a power that is none of its levels"),
        ("elastic", [[2, 4, 20.0]], "outside [0, 3)"),
    ],
)
def test_a_profile_that_is_not_what_the_job_asked_for_is_a_violation(
    instance: Json, plan: Json, job: str, runs: list[Any], expected: str
) -> None:
    runs_of(plan, job, runs)
    assert expected in faults(instance, plan)


def test_a_site_that_the_job_does_not_allow_is_a_violation(instance: Json, plan: Json) -> None:
    plan["assignments"][1]["site"] = "south"
    assert "site 'south' is not among its sites" in faults(instance, plan)


def test_a_site_that_does_not_exist_is_a_violation(instance: Json, plan: Json) -> None:
    plan["assignments"][1]["site"] = "atlantis"
    assert "unknown site 'atlantis'" in faults(instance, plan)


def test_more_than_the_headroom_at_the_meter_is_a_violation(instance: Json, plan: Json) -> None:
    instance["sites"][0]["headroom_kw"][2] = 29.0
    assert "site 'north' slot 2: draws 30.000 of 29.000 kW" in faults(instance, plan)


def test_the_pue_counts_against_the_headroom(instance: Json, plan: Json) -> None:
    instance["sites"][1]["headroom_kw"][0] = 14.9
    assert "site 'south' slot 0: draws 15.000 of 14.900 kW" in faults(instance, plan)


@pytest.mark.parametrize(("limit", "value"), [("max_price_gbp_per_kwh", 0.09), ("max_carbon_g_per_kwh", 99.0)])
def test_a_slot_above_the_jobs_own_limit_is_a_violation(instance: Json, plan: Json, limit: str, value: float) -> None:
    job_of(instance, "block")[limit] = value
    assert f"above its {limit}" in faults(instance, plan)


def test_a_limit_of_a_job_is_in_the_bound_too(instance: Json, plan: Json) -> None:
    job_of(instance, "block")["max_price_gbp_per_kwh"] = 0.05
    runs_of(plan, "block", [])
    plan["assignments"] = [row for row in plan["assignments"] if row["job"] != "block"]
    plan["unserved"].append({"job": "block", "reason": "dear", "counter_offers": []})
    plan["objective_gbp"] = plan["bound_gbp"] = OBJECTIVE - 2.20 + 50.0
    assert faults(instance, plan) == ""


def test_a_frozen_assignment_must_appear_unchanged(instance: Json, plan: Json) -> None:
    instance["frozen"] = [{"job": "block", "site": "north", "runs": [[1, 3, 20.0]]}]
    assert faults(instance, plan) == ""
    instance["frozen"][0]["runs"] = [[2, 4, 20.0]]
    assert "frozen at 'north' as [[2, 4, 20.0]]" in faults(instance, plan)


def test_a_frozen_job_that_is_left_out_is_a_violation(instance: Json, plan: Json) -> None:
    instance["frozen"] = [{"job": "hopeless", "site": "south", "runs": [[0, 1, 5.0]]}]
    assert "job 'hopeless': frozen, but not placed" in faults(instance, plan)


def test_frozen_runs_answer_neither_to_the_window_nor_to_a_headroom_that_fell(instance: Json, plan: Json) -> None:
    instance["frozen"] = [{"job": "hopeless", "site": "south", "runs": [[2, 4, 5.0]]}]
    instance["sites"][1]["headroom_kw"][3] = 1.0
    plan["assignments"].append({"job": "hopeless", "site": "south", "runs": [[2, 4, 5.0]]})
    plan["unserved"] = []
    plan["objective_gbp"] = plan["bound_gbp"] = OBJECTIVE - 2.00 + 5 * 2 * 0.165
    assert faults(instance, plan) == ""


def test_a_carbon_cap_holds_for_all_assignments_together(instance: Json, plan: Json) -> None:
    instance["carbon_cap_kg"] = 7.9
    assert "emits 8.000 kg, above the cap of 7.900 kg" in faults(instance, plan)


def test_the_price_of_carbon_counts_in_the_bound_only_where_there_is_a_cap(instance: Json, plan: Json) -> None:
    plan["carbon_cap_price_gbp_per_kg"] = 0.001
    assert faults(instance, plan) == ""
    instance["carbon_cap_kg"] = 8.0
    assert referee.judge(instance, plan).bound_gbp == pytest.approx(OBJECTIVE)
    instance["carbon_cap_kg"] = 9.0
    assert referee.judge(instance, plan).bound_gbp == pytest.approx(OBJECTIVE - 0.001)


def test_every_job_is_placed_or_unserved_and_only_once(instance: Json, plan: Json) -> None:
    plan["unserved"] = [{"job": "block", "reason": ""}, {"job": "ghost", "reason": ""}]
    found = faults(instance, plan)
    assert "job 'block' is named 2 times" in found
    assert "job 'ghost' is not in the instance" in found
    assert "job 'hopeless' is neither placed nor unserved" in found


def test_a_job_that_is_not_in_the_instance_is_not_placed(instance: Json, plan: Json) -> None:
    plan["assignments"].append({"job": "ghost", "site": "north", "runs": [[0, 1, 1.0]]})
    assert "job 'ghost' is not in the instance" in faults(instance, plan)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("objective_gbp", OBJECTIVE - 0.01, "claims an objective"),
        ("bound_gbp", OBJECTIVE + 0.01, "its prices prove only"),
        ("gap", 0.01, "claims a gap"),
        ("instance", "other", "the plan is for 'other'"),
        ("carbon_cap_price_gbp_per_kg", -1.0, "a price is missing, below zero or not finite"),
        ("objective_gbp", float("nan"), "claims an objective"),
        ("bound_gbp", float("nan"), "claims a bound"),
    ],
)
def test_a_false_claim_is_a_violation(instance: Json, plan: Json, field: str, value: Any, expected: str) -> None:
    plan[field] = value
    assert expected in faults(instance, plan)


@pytest.mark.parametrize("prices", [[-0.01] + [0.0] * 5, [0.0] * 5, [float("inf")] + [0.0] * 5])
def test_prices_that_cannot_prove_anything_are_a_violation(instance: Json, plan: Json, prices: list[float]) -> None:
    plan["prices"][0]["headroom_gbp_per_kw_slot"] = prices
    assert "a price is missing, below zero or not finite" in faults(instance, plan)


def test_a_lower_claim_than_the_prices_prove_is_allowed(instance: Json, plan: Json) -> None:
    plan["bound_gbp"] = OBJECTIVE - 1
    plan["gap"] = 1 / (OBJECTIVE - 1)
    assert faults(instance, plan) == ""


def test_the_command_prints_a_table_and_tells_by_its_status(
    tmp_path: Any, instance: Json, plan: Json, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "instance.json", tmp_path / "plan.json"]
    for path, content in zip(files, (instance, plan), strict=True):
        path.write_text(json.dumps(content))
    arguments = [str(path) for path in files]
    assert referee.main(arguments) == 0
    assert "objective, GBP" in capsys.readouterr().out
    files[1].write_text(json.dumps({**plan, "objective_gbp": 1.0}))
    assert referee.main(arguments) == 1
    assert "claims an objective of 1.000000 GBP" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{", "{}", '{"objective_gbp": NaN}', "[]"])
def test_a_file_that_is_no_plan_is_refused_without_a_traceback(
    tmp_path: Any, instance: Json, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "instance.json").write_text(json.dumps(instance))
    (tmp_path / "plan.json").write_text(content)
    assert referee.main([str(tmp_path / "instance.json"), str(tmp_path / "plan.json")]) == 2
    assert "cannot be judged" in capsys.readouterr().err


def test_the_command_without_two_files_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert referee.main([]) == 2
    assert "usage" in capsys.readouterr().err
