"""What sites do themselves: limits, and what it costs and earns."""

from __future__ import annotations

import pytest

from tests.unit.benchmarks.referee.tiny import OBJECTIVE, Json, claim, faults

MINING = {"min_kw": 2.0, "max_kw": 6.0, "ramp_kw": 1.0, "initial_kw": 0.0, "value_gbp_per_kwh": 0.0}
BATTERY = {"capacity_kwh": 4.0, "power_kw": 4.0, "efficiency": 0.5, "initial_kwh": 1.0, "final_kwh": 1.0}


def power(plan: Json, site: str = "south", **fields: list[float]) -> None:
    plan["site_power"] = [{"site": site, **fields}]


@pytest.mark.parametrize(
    ("mining", "expected"),
    [
        ([0, 1, 0, 0, 0, 0], "mining is neither off nor within limits in slot 1"),
        ([3, 4, 5, 6, 7, 6], "mining is neither off nor within limits in slot 4"),
        ([0, 4, 3, 0, 0, 0], "mining starts above min_kw and a ramp in slot 1"),
        ([3, 4, 0, 0, 0, 0], "mining stops from above min_kw and a ramp in slot 2"),
        ([2, 4, 3, 0, 0, 0], "mining changes by more than its ramp in slot 1"),
        ([2, 4, 2, 0, 0, 0], "mining changes by more than its ramp in slot 1 and 1 more"),
        ([-1, 0, 0, 0, 0, 0], "mining_kw is not one power of at least 0 for each slot"),
        ([0, 0], "mining_kw is not one power of at least 0 for each slot"),
        ([float("nan")] * 6, "mining_kw is not one power of at least 0 for each slot"),
    ],
)
def test_mining_beyond_its_limits_is_a_violation(
    instance: Json, plan: Json, mining: list[float], expected: str
) -> None:
    instance["sites"][1]["mining"] = MINING
    power(plan, mining_kw=mining)
    assert f"site 'south': {expected}" in faults(instance, plan)


@pytest.mark.parametrize(("before", "first", "expected"), [(6, 0, "stops from"), (6, 4, "ramp"), (2, 4, "ramp")])
def test_mining_goes_on_from_its_power_before_the_first_slot(
    instance: Json, plan: Json, before: float, first: float, expected: str
) -> None:
    instance["sites"][1]["mining"] = MINING | {"initial_kw": before}
    power(plan, mining_kw=[first] + [0.0] * 5)
    assert expected in faults(instance, plan)


@pytest.mark.parametrize(
    ("charge", "discharge", "expected"),
    [
        ([5, 0, 0, 0, 0, 0], [0] * 6, "charges above its power in slot 0"),
        ([0] * 6, [0, 5, 0, 0, 0, 0], "discharges above its power in slot 1"),
        ([0] * 6, [0, 4, 0, 0, 0, 0], "is below empty in slot 1"),
        ([4, 4, 4, 4, 0, 0], [0] * 6, "is above its capacity in slot 3"),
        ([0] * 6, [0, 1, 0, 0, 0, 0], "holds 0.500 kWh at last, not its 1.000"),
    ],
)
def test_a_battery_beyond_its_limits_is_a_violation(
    instance: Json, plan: Json, charge: list[float], discharge: list[float], expected: str
) -> None:
    instance["sites"][1]["battery"] = BATTERY
    power(plan, charge_kw=charge, discharge_kw=discharge)
    assert f"site 'south': the battery {expected}" in faults(instance, plan)


def test_inference_above_its_demand_is_a_violation(instance: Json, plan: Json) -> None:
    instance["sites"][1]["inference"] = {"demand_kw": [1, 1, 1, 1, 1, 1], "value_gbp_per_kwh": 0.0}
    power(plan, inference_kw=[1, 1, 2, 0, 0, 0])
    assert "site 'south': inference is above its demand in slot 2" in faults(instance, plan)


def test_power_of_what_a_site_does_not_have_is_a_violation(instance: Json, plan: Json) -> None:
    power(plan, inference_kw=[1.0] * 6)
    assert "site 'south': inference_kw, but it has no inference" in faults(instance, plan)
    power(plan, "atlantis", inference_kw=[1.0] * 6)
    assert "site_power of unknown site 'atlantis'" in faults(instance, plan)
    plan["site_power"] = [{"site": "south"}] * 2
    assert "site_power names a site twice" in faults(instance, plan)


def test_everything_that_a_site_does_draws_from_its_headroom(instance: Json, plan: Json) -> None:
    instance["sites"][1] |= {
        "mining": MINING,
        "inference": {"demand_kw": [5.0] * 6, "value_gbp_per_kwh": 0.0},
        "battery": BATTERY,
        "headroom_kw": [0.0] * 6,
    }
    power(plan, mining_kw=[2.0] * 6, inference_kw=[4.0] * 6, charge_kw=[4, 3, 0, 0, 0, 0], discharge_kw=[1] * 6)
    # 10 kW of the elastic job in slots 0 to 2, 2 kW mining, 4 kW inference at a PUE of 1.5, charging less discharging.
    found = faults(instance, plan)
    assert "slot 0: draws 27.000 of 0.000 kW" in found
    assert "slot 1: draws 26.000 of 0.000 kW" in found
    assert "slot 5: draws 8.000 of 0.000 kW" in found


@pytest.mark.parametrize(
    ("term", "fields", "gbp"),
    [
        # Half an hour of one IT kW at the south costs 0.165 and here earns 0.5 * 0.4 = 0.2.
        ("mining", {"mining_kw": [3.0, 4.0, 5.0, 6.0, 6.0, 6.0]}, -30 * 0.035),
        ("inference", {"inference_kw": [2.0, 0.0, 2.0, 2.0, 2.0, 2.0]}, -10 * 0.035),
    ],
)
def test_what_mining_and_inference_earn_counts(
    instance: Json, plan: Json, term: str, fields: dict[str, list[float]], gbp: float
) -> None:
    limits = MINING if term == "mining" else {"demand_kw": [2.0, 0.0, 2.0, 2.0, 2.0, 2.0]}
    instance["sites"][1][term] = limits | {"value_gbp_per_kwh": [0.4] * 6}
    power(plan, **fields)
    claim(plan, OBJECTIVE + gbp)
    assert faults(instance, plan) == ""


def test_a_battery_buys_sells_and_wears(instance: Json, plan: Json) -> None:
    # At the north a kWh costs 0.31 0.11 0.11 0.21 0.11 0.31. It holds 1 kWh, sold in the first slot; to sell it once
    # more in the last, 2 kWh are bought. Each kWh sold brings 0.31 less wear.
    instance["sites"][0]["battery"] = BATTERY | {"capacity_kwh": 1.0, "wear_gbp_per_kwh": 0.05, "final_kwh": 0.0}
    power(plan, "north", charge_kw=[0, 0, 0, 0, 4.0, 0], discharge_kw=[2.0, 0, 0, 0, 0, 2.0])
    claim(plan, OBJECTIVE - 2 * (0.31 - 0.05) + 2 * 0.11)
    assert faults(instance, plan) == ""


def test_a_site_of_which_a_plan_says_nothing_does_nothing(instance: Json, plan: Json) -> None:
    instance["sites"][1] |= {"mining": MINING, "battery": BATTERY}
    assert faults(instance, plan) == ""
    instance["sites"][1] |= {"battery": BATTERY | {"final_kwh": 2.0}}
    assert "the battery holds 1.000 kWh at last, not its 2.000" in faults(instance, plan)
