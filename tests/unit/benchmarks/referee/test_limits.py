"""What a job asks of its own course, and what its course costs it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.benchmarks.referee.tiny import OBJECTIVE, Json, claim, faults, job_of, runs_of

PAUSABLE = 1.90
"""what the pausable job pays in the small instance's plan: 10 kW in three slots at 0.055, and a pause at 0.25"""


@pytest.mark.parametrize(
    ("fields", "runs", "expected"),
    [
        ({"restart_slots": 1}, [[1, 3, 10.0], [4, 5, 10.0]], "runs 3 of 4 slots"),
        ({"restart_slots": 1}, [[1, 4, 10.0], [5, 6, 10.0]], "a run shorter than 1 slots at first, 2 after a pause"),
        ({"min_run_slots": 2}, [[1, 3, 10.0], [4, 5, 10.0]], "a run shorter than 2 slots at first, 2 after a pause"),
        ({"min_run_slots": 2}, [[1, 2, 10.0], [3, 5, 10.0]], "a run shorter than 2 slots at first, 2 after a pause"),
        ({"max_pauses": 0}, [[1, 3, 10.0], [4, 5, 10.0]], "pauses 1 times, at most 0"),
        ({"carbon_cap_kg": 1.4}, [[1, 3, 10.0], [4, 5, 10.0]], "emits 1.500 kg, above its carbon_cap_kg of 1.400"),
        ({"hardware": "gpu"}, [[1, 3, 10.0], [4, 5, 10.0]], "'north' is not among its sites with its hardware"),
    ],
)
def test_a_course_that_breaks_what_its_job_asks_for_is_a_violation(
    instance: Json, plan: Json, fields: Json, runs: list[Any], expected: str
) -> None:
    job_of(instance, "pausable").update(fields)
    runs_of(plan, "pausable", runs)
    assert expected in faults(instance, plan)


@pytest.mark.parametrize(
    ("fields", "runs", "gbp"),
    [
        ({"restart_slots": 1}, [[1, 4, 10.0]], 2.15),
        ({"duration_slots": 2}, [[1, 3, 10.0]], 1.10),
        ({"min_run_slots": 2}, [[1, 4, 10.0]], 2.15),
        ({"max_pauses": 0}, [[1, 2, 10.0], [2, 4, 10.0]], 2.15),
        ({"pause_cost_gbp": 0.7}, [[1, 4, 10.0]], 2.15),
        ({"carbon_cap_kg": 1.5}, [[1, 3, 10.0], [4, 5, 10.0]], PAUSABLE),
        ({"home": "south", "migration_cost_gbp": 3.0}, [[1, 3, 10.0], [4, 5, 10.0]], PAUSABLE + 3.0),
        ({"home": "north", "migration_cost_gbp": 3.0}, [[1, 3, 10.0], [4, 5, 10.0]], PAUSABLE),
    ],
    ids=[
        "a restart is dear",
        "no pause needed",
        "no short runs",
        "runs that touch",
        "a dear pause",
        "cap",
        "away",
        "at home",
    ],
)
def test_the_best_course_under_a_limit_is_worth_the_bound(
    instance: Json, plan: Json, fields: Json, runs: list[Any], gbp: float
) -> None:
    job_of(instance, "pausable").update(fields)
    runs_of(plan, "pausable", runs)
    claim(plan, OBJECTIVE - PAUSABLE + gbp)
    assert faults(instance, plan) == ""


@pytest.mark.parametrize(
    ("planned", "runs", "gbp"),
    [
        ([[1, 3, 10.0], [4, 5, 10.0]], [[1, 3, 10.0], [4, 5, 10.0]], PAUSABLE),
        ([[1, 2, 10.0], [2, 3, 10.0], [4, 5, 10.0]], [[1, 3, 10.0], [4, 5, 10.0]], PAUSABLE),
        ([[1, 4, 10.0]], [[1, 4, 10.0]], 2.15),
        ([[3, 6, 10.0]], [[1, 3, 10.0], [4, 5, 10.0]], PAUSABLE + 0.3),
        ([[1, 3, 10.0]], [[1, 3, 10.0], [4, 5, 10.0]], PAUSABLE + 0.3),
        ([[0, 3, 10.0]], [[1, 3, 10.0], [4, 5, 10.0]], PAUSABLE + 0.3),
        ([[1, 3, 10.0], [4, 5, 9.0]], [[1, 3, 10.0], [4, 5, 10.0]], PAUSABLE + 0.3),
    ],
    ids=["kept", "said otherwise", "kept though dearer", "moved", "not enough now", "not allowed now", "other power"],
)
def test_a_job_pays_for_moving_from_the_planned_course(
    instance: Json, plan: Json, planned: list[Any], runs: list[Any], gbp: float
) -> None:
    fields = {"planned": {"site": "north", "runs": planned}, "move_cost_gbp": 0.3}
    job_of(instance, "pausable").update(fields)
    runs_of(plan, "pausable", runs)
    claim(plan, OBJECTIVE - PAUSABLE + gbp)
    assert faults(instance, plan) == ""


def test_a_job_that_is_left_out_pays_its_penalty_and_nothing_else(instance: Json, plan: Json) -> None:
    job_of(instance, "hopeless").update(
        {"planned": {"site": "south", "runs": [[0, 1, 5.0]]}, "move_cost_gbp": 9.0}
        | {"home": "north", "migration_cost_gbp": 9.0}
    )
    assert faults(instance, plan) == ""


def test_frozen_jobs_pay_for_pauses_moves_and_migrations_like_others(instance: Json, plan: Json) -> None:
    fields = {"planned": {"site": "north", "runs": [[1, 4, 10.0]]}, "move_cost_gbp": 0.3, "home": "south"}
    job_of(instance, "pausable").update(fields | {"migration_cost_gbp": 3.0})
    instance["frozen"] = [{"job": "pausable", "site": "north", "runs": [[1, 3, 10.0], [4, 5, 10.0]]}]
    claim(plan, OBJECTIVE + 0.3 + 3.0)
    assert faults(instance, plan) == ""


def test_frozen_jobs_answer_to_no_limit_of_their_own(instance: Json, plan: Json) -> None:
    limits = {"max_price_gbp_per_kwh": 0.0, "carbon_cap_kg": 0.0, "hardware": "gpu", "min_run_slots": 4, "sites": []}
    job_of(instance, "pausable").update(limits)
    instance["frozen"] = [{"job": "pausable", "site": "north", "runs": [[1, 3, 10.0], [4, 5, 10.0]]}]
    assert faults(instance, plan) == ""


def test_an_instance_whose_own_courses_are_none_cannot_be_judged(instance: Json, plan: Json) -> None:
    instance["frozen"] = [{"job": "block", "site": "north", "runs": [[1, 9, 20.0]]}]
    with pytest.raises(ValueError, match=r"states a course that is none: .* not inside the 6 slots"):
        faults(instance, plan)
