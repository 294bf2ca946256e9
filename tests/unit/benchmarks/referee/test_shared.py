"""Limits that jobs share, and what binds them to one another."""

from __future__ import annotations

import pytest

from benchmarks import referee
from tests.unit.benchmarks.referee.tiny import OBJECTIVE, Json, claim, faults, job_of, leave_out, runs_of


def test_what_is_sold_is_not_there_to_be_drawn(instance: Json, plan: Json) -> None:
    instance["sites"][0]["sold_kw"] = [0, 0, 1.0, 0, 0, 0]
    assert "site 'north' slot 2: draws 30.000 of 29.000 kW" in faults(instance, plan)


def test_where_more_is_sold_than_there_is_nothing_may_be_drawn(instance: Json, plan: Json) -> None:
    instance["sites"][0]["sold_kw"] = [99.0, 0, 0, 0, 0, 0]
    assert faults(instance, plan) == ""
    runs_of(plan, "block", [[0, 2, 20.0]])
    assert "site 'north' slot 0: draws 20.000 of 0.000 kW" in faults(instance, plan)


def test_hardware_is_shared_by_the_jobs_that_need_it(instance: Json, plan: Json) -> None:
    job_of(instance, "block")["hardware"] = job_of(instance, "pausable")["hardware"] = "gpu"
    instance["sites"][0]["hardware_kw"] = {"gpu": 30.0}
    assert faults(instance, plan) == ""
    instance["sites"][0]["hardware_kw"] = {"gpu": [30.0, 30.0, 25.0, 30.0, 30.0, 30.0]}
    assert "site 'north' slot 2: hardware 'gpu' draws 30.000 of 25.000 kW" in faults(instance, plan)


@pytest.mark.parametrize(
    ("caps", "expected"),
    [
        ({"tenant_carbon_caps_kg": {"a": 3.4}}, "emits 3.500 kg, above the cap of tenant 'a' of 3.400 kg"),
        ({"tenant_carbon_caps_kg": {"b": 4.4, "c": 0.0}}, "emits 4.500 kg, above the cap of tenant 'b' of 4.400 kg"),
        ({"region_carbon_caps_kg": {"NO-NO2": 3.4}}, "emits 3.500 kg, above the cap of region 'NO-NO2' of 3.400 kg"),
        ({"region_carbon_caps_kg": {"GB-C": 4.4}}, "emits 4.500 kg, above the cap of region 'GB-C' of 4.400 kg"),
        ({"tenant_carbon_caps_kg": {"a": 3.5, "b": 4.5}, "region_carbon_caps_kg": {"GB-C": 4.5}}, ""),
    ],
)
def test_caps_hold_for_a_tenant_and_for_a_region(instance: Json, plan: Json, caps: Json, expected: str) -> None:
    found = faults(instance | caps, plan)
    assert expected in found
    assert bool(expected) == bool(found)


def test_limits_that_frozen_jobs_alone_break_are_raised_to_what_they_take(instance: Json, plan: Json) -> None:
    instance["frozen"] = [row | {} for row in plan["assignments"] if row["job"] != "pausable"]
    job_of(instance, "block")["hardware"] = "gpu"
    instance["sites"][0] |= {"hardware_kw": {"gpu": 0.0}, "headroom_kw": [30, 20, 20, 30, 30, 30]}
    instance |= {"carbon_cap_kg": 1.0, "tenant_carbon_caps_kg": {"a": 1.0}, "region_carbon_caps_kg": {"GB-C": 1.0}}
    leave_out(plan, "pausable")
    claim(plan, OBJECTIVE - 1.90 + 50.0, 1.0)
    assert faults(instance, plan) == ""


def test_jobs_of_a_gang_are_served_all_or_none(instance: Json, plan: Json) -> None:
    job_of(instance, "block")["gang"] = job_of(instance, "pausable")["gang"] = "g"
    assert faults(instance, plan) == ""
    leave_out(plan, "block")
    assert "gang 'g': 1 of 2 jobs served" in faults(instance, plan)


def test_a_frozen_job_is_no_part_of_its_gang(instance: Json, plan: Json) -> None:
    job_of(instance, "block")["gang"] = job_of(instance, "hopeless")["gang"] = "g"
    instance["frozen"] = [{"job": "block", "site": "north", "runs": [[1, 3, 20.0]]}]
    assert faults(instance, plan) == ""


def test_a_job_starts_after_those_before_it_have_ended(instance: Json, plan: Json) -> None:
    job_of(instance, "elastic")["after"] = ["block"]
    assert "job 'elastic': comes after 'block', which ends at 3; starts at 0" in faults(instance, plan)
    job_of(instance, "elastic")["after"] = []
    job_of(instance, "pausable")["after"] = ["elastic"]
    assert "comes after 'elastic', which ends at 3; starts at 1" in faults(instance, plan)
    job_of(instance, "pausable")["after"] = ["hopeless"]
    assert "job 'pausable': comes after 'hopeless', which is not served" in faults(instance, plan)


def test_a_job_may_start_in_the_slot_in_which_another_has_ended(instance: Json, plan: Json) -> None:
    job_of(instance, "pausable")["after"] = ["elastic"]
    runs_of(plan, "pausable", [[3, 6, 10.0]])
    assert "comes after" not in faults(instance, plan)


def test_a_frozen_job_waits_for_nobody_but_others_wait_for_it(instance: Json, plan: Json) -> None:
    job_of(instance, "elastic")["after"] = ["hopeless"]
    job_of(instance, "pausable")["after"] = ["elastic"]
    instance["frozen"] = [{"job": "elastic", "site": "south", "runs": [[0, 3, 10.0]]}]
    found = faults(instance, plan)
    assert "job 'elastic'" not in found
    assert "job 'pausable': comes after 'elastic', which ends at 3" in found


def test_jobs_that_come_after_one_another_in_a_circle_cannot_be_judged(instance: Json, plan: Json) -> None:
    job_of(instance, "pausable")["after"] = ["elastic"]
    job_of(instance, "elastic")["after"] = ["pausable"]
    with pytest.raises(ValueError, match="cycle"):
        referee.judge(instance, plan)
