"""What prices and scenario weights prove."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import referee
from tests.unit.benchmarks.referee.tiny import OBJECTIVE, Json, claim, faults, job_of, leave_out, runs_of

BLOCK, ELASTIC = 2.20, 4.95
"""what these jobs pay in the small instance's plan"""


def bound(instance: Json, plan: Json) -> float:
    return referee.judge(instance, plan).bound_gbp


def test_a_gang_is_left_out_only_as_a_whole(instance: Json, plan: Json) -> None:
    job_of(instance, "block").update({"gang": "g", "unserved_penalty_gbp": 0.5})
    job_of(instance, "elastic").update({"gang": "g", "unserved_penalty_gbp": 6.0})
    # Alone the block would be left out at 0.50; together 2.20 + 4.95 is not better than 6.50.
    assert bound(instance, plan) == pytest.approx(OBJECTIVE - BLOCK - ELASTIC + 6.5)
    job_of(instance, "elastic")["unserved_penalty_gbp"] = 7.0
    assert bound(instance, plan) == pytest.approx(OBJECTIVE)


def test_a_gang_with_a_job_that_cannot_run_is_left_out(instance: Json, plan: Json) -> None:
    job_of(instance, "block")["gang"] = job_of(instance, "hopeless")["gang"] = "g"
    leave_out(plan, "block")
    claim(plan, OBJECTIVE - BLOCK + 50.0)
    assert faults(instance, plan) == ""


def test_a_job_cannot_start_before_those_before_it_could_have_ended(instance: Json, plan: Json) -> None:
    # The elastic job takes two slots at least, the block two more: that leaves 4 and 5 to the pausable job, too few.
    job_of(instance, "block")["after"] = ["elastic"]
    assert bound(instance, plan) == pytest.approx(OBJECTIVE - BLOCK + 20 * (0.055 + 0.105))
    job_of(instance, "pausable")["after"] = ["block"]
    runs_of(plan, "block", [[3, 5, 20.0]])
    leave_out(plan, "pausable")
    claim(plan, OBJECTIVE - BLOCK + 20 * (0.055 + 0.105) - 1.90 + 50.0)
    assert faults(instance, plan) == ""


def test_what_is_frozen_ends_when_it_ends(instance: Json, plan: Json) -> None:
    job_of(instance, "block")["after"] = ["elastic"]
    instance["frozen"] = [{"job": "elastic", "site": "south", "runs": [[0, 1, 10.0], [3, 4, 10.0]]}]
    runs_of(plan, "elastic", [[0, 1, 10.0], [3, 4, 10.0]])
    runs_of(plan, "block", [[4, 6, 20.0]])
    claim(plan, OBJECTIVE - BLOCK - ELASTIC + 20 * (0.055 + 0.155) + 3.30)
    assert faults(instance, plan) == ""


def test_hardware_has_a_price(instance: Json, plan: Json) -> None:
    job_of(instance, "pausable")["hardware"] = "gpu"
    instance["sites"][0]["hardware_kw"] = {"gpu": 10.0}
    plan["prices"][0]["hardware_gbp_per_kw_slot"] = {"gpu": [0.0, 0.01, 0.0, 0.0, 0.0, 0.0]}
    assert faults(instance, plan) == ""
    instance["sites"][0]["hardware_kw"] = {"gpu": 15.0}
    assert bound(instance, plan) == pytest.approx(OBJECTIVE - 5 * 0.01)
    plan["prices"][0]["hardware_gbp_per_kw_slot"] = {"tpu": [0.0] * 6}
    assert "hardware 'tpu' unknown" in faults(instance, plan)
    plan["prices"][0]["hardware_gbp_per_kw_slot"] = {"gpu": [-1.0] * 6}
    assert "a price is missing, below zero or not finite" in faults(instance, plan)


def test_hardware_has_no_price_where_there_is_none(instance: Json, plan: Json) -> None:
    job_of(instance, "elastic")["hardware"] = "gpu"
    instance["sites"][0]["hardware_kw"] = {"gpu": 0.0}
    instance["frozen"] = [row | {} for row in plan["assignments"] if row["job"] == "elastic"]
    plan["prices"][1]["hardware_gbp_per_kw_slot"] = {"gpu": [1.0] * 6}
    assert bound(instance, plan) == pytest.approx(OBJECTIVE)


@pytest.mark.parametrize(
    ("caps", "prices", "spare_kg"),
    [
        ({"carbon_cap_kg": 8.5}, {"carbon_cap_price_gbp_per_kg": 0.01}, 0.5),
        ({"tenant_carbon_caps_kg": {"a": 4.0}}, {"tenant_carbon_prices_gbp_per_kg": {"a": 0.01}}, 0.5),
        ({"tenant_carbon_caps_kg": {"b": 4.6}}, {"tenant_carbon_prices_gbp_per_kg": {"b": 0.01}}, 0.1),
        ({"tenant_carbon_caps_kg": {"nobody": 4.6}}, {"tenant_carbon_prices_gbp_per_kg": {"nobody": 0.01}}, 4.6),
        ({"region_carbon_caps_kg": {"GB-C": 4.6}}, {"region_carbon_prices_gbp_per_kg": {"GB-C": 0.01}}, 0.1),
        ({"region_carbon_caps_kg": {"GB-C": 4.6}}, {"region_carbon_prices_gbp_per_kg": {"NO-NO2": 0.01}}, 0.0),
    ],
)
def test_each_cap_has_a_price(instance: Json, plan: Json, caps: Json, prices: Json, spare_kg: float) -> None:
    assert bound(instance | caps, plan | prices) == pytest.approx(OBJECTIVE - 0.01 * spare_kg)


def test_what_a_site_does_pays_for_headroom_but_not_for_caps(instance: Json, plan: Json) -> None:
    instance["sites"][1]["inference"] = {"demand_kw": [4.0] * 6, "value_gbp_per_kwh": 1.0}
    instance["carbon_cap_kg"] = 8.0
    plan["site_power"] = [{"site": "south", "inference_kw": [4.0] * 6}]
    plan["prices"][1]["headroom_gbp_per_kw_slot"] = [0.0] * 5 + [0.1]
    plan["carbon_cap_price_gbp_per_kg"] = 0.01
    # 24 kW for half an hour earn 12.00 and cost 24 * 0.165; 34 kW of the last slot's headroom are bought by nobody.
    assert bound(instance, plan) == pytest.approx(OBJECTIVE - 12.0 + 24 * 0.165 - 34 * 0.1)


SCENARIOS: list[Json] = [
    {"probability": 0.75, "price_gbp_per_kwh": {}},
    {"probability": 0.25, "price_gbp_per_kwh": {"north": [0.5] * 6}},
]
WORSE = 35 * 0.5 - 35 * 0.1
"""the 35 kWh at the north cost so much more in the second scenario"""


@pytest.mark.parametrize(
    ("risk", "weights", "extra"),
    [
        (None, [0.75, 0.25], 0.25 * WORSE),
        ({"weight": 0.0, "level": 0.9}, [0.75, 0.25], 0.25 * WORSE),
        ({"weight": 1.0, "level": 0.75}, [0.0, 1.0], WORSE),
        ({"weight": 1.0, "level": 0.5}, [0.5, 0.5], 0.5 * WORSE),
        ({"weight": 0.5, "level": 0.9}, [0.375, 0.625], (0.125 + 0.5) * WORSE),
        ({"weight": 1.0, "level": 0.0}, [0.75, 0.25], 0.25 * WORSE),
    ],
)
def test_the_mean_and_the_worst_of_the_scenarios_count(
    instance: Json, plan: Json, risk: Json | None, weights: list[float], extra: float
) -> None:
    instance |= {"scenarios": SCENARIOS} | ({"risk": risk} if risk else {})
    plan["scenario_weights"] = weights
    verdict = referee.judge(instance, plan)
    assert verdict.objective_gbp == pytest.approx(OBJECTIVE + extra)
    assert [text for text in verdict.violations if "claims" not in text] == []


def test_the_bound_charges_energy_at_the_stated_weights(instance: Json, plan: Json) -> None:
    instance |= {"scenarios": SCENARIOS, "risk": {"weight": 1.0, "level": 0.75}, "jobs": [job_of(instance, "block")]}
    plan |= {"assignments": plan["assignments"][:1], "unserved": [], "scenario_weights": [0.5, 0.5]}
    job_of(instance, "block")["sites"] = ["north"]
    verdict = referee.judge(instance, plan)
    assert verdict.objective_gbp == pytest.approx(20 * 2 * 0.5 * 0.51)
    assert verdict.bound_gbp == pytest.approx(20 * 2 * 0.5 * (0.5 * 0.11 + 0.5 * 0.51))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([], "0 scenario weights for 2 scenarios"),
        ([1.0], "1 scenario weights for 2 scenarios"),
        ([0.2, 0.8], "are none that the risk allows"),
        ([0.9, 0.1], "are none that the risk allows"),
        ([0.5, 0.6], "are none that the risk allows"),
        ([float("nan"), 0.5], "are none that the risk allows"),
    ],
)
def test_other_weights_are_a_violation_and_the_probabilities_count(
    instance: Json, plan: Json, weights: list[Any], expected: str
) -> None:
    instance |= {"scenarios": SCENARIOS, "risk": {"weight": 0.5, "level": 0.5}}
    likely = bound(instance, plan | {"scenario_weights": [0.75, 0.25]})
    plan["scenario_weights"] = weights
    assert expected in faults(instance, plan)
    assert bound(instance, plan) == pytest.approx(likely)


def test_weights_without_scenarios_are_a_violation(instance: Json, plan: Json) -> None:
    plan["scenario_weights"] = [1.0]
    assert "1 scenario weights for 0 scenarios" in faults(instance, plan)


def test_a_scenario_may_name_carbon_and_leaves_other_sites_as_they_are(instance: Json, plan: Json) -> None:
    instance["scenarios"] = [{"probability": 1.0, "carbon_g_per_kwh": {"south": [0.0] * 6}}]
    plan["scenario_weights"] = [1.0]
    # At the south 22.5 kWh at the meter no longer pay for 0.2 kg each at 0.10 a kg; caps count its own carbon still.
    instance["carbon_cap_kg"] = 8.0
    claim(plan, OBJECTIVE - 22.5 * 0.02)
    assert faults(instance, plan) == ""


def test_no_gap_is_stated_as_null_where_the_bound_is_nought(instance: Json, plan: Json) -> None:
    instance["jobs"] = [job_of(instance, "hopeless")]
    plan |= {"assignments": [], "objective_gbp": 2.0, "bound_gbp": 0.0, "gap": None}
    assert faults(instance, plan) == ""
    assert "claims a gap of 0.5" in faults(instance, plan | {"gap": 0.5})
