"""The exact twin finds optima that can be worked out by hand, and agrees with trying every course there is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import exact, referee
from tests.unit.benchmarks.every_course import every_course, pause_gbp, spent
from tests.unit.benchmarks.referee import tiny
from tests.worlds import features, world

Json = dict[str, Any]


def site(cost: list[float], headroom: float | list[float] = 10.0, **fields: Any) -> Json:
    """A site where an IT kW costs so much when held for a slot."""
    slots = len(cost)
    return {
        "id": "a",
        "region": "GB",
        "headroom_kw": [headroom] * slots if isinstance(headroom, float) else headroom,
        "price_gbp_per_kwh": [2 * gbp for gbp in cost],
        "carbon_g_per_kwh": [2000.0] * slots,
        "pue": 1.0,
    } | fields


def block(name: str, slots: int = 1, **fields: Any) -> Json:
    """A job of 10 kW that may run anywhere; a slot emits 10 kg."""
    return {
        "id": name,
        "kind": "block",
        "earliest_slot": 0,
        "latest_slot": 5,
        "sites": ["a"],
        "unserved_penalty_gbp": 1000.0,
        "power_kw": 10.0,
        "duration_slots": slots,
    } | fields


def pausable(slots: int, **fields: Any) -> Json:
    return block("p", slots, kind="pausable", **fields)


def elastic(work: float, **fields: Any) -> Json:
    levels = [{"power_kw": 4.0, "work_per_slot": 0.7}, {"power_kw": 10.0, "work_per_slot": 1.0}]
    job = block("e", levels=levels, work=work, kind="elastic", **fields)
    return {name: value for name, value in job.items() if name not in ("power_kw", "duration_slots")}


def made_of(sites: list[Json], *jobs: Json, **fields: Any) -> Json:
    return {
        "name": "small",
        "start": "2023-03-01T00:00Z",
        "slots": len(sites[0]["price_gbp_per_kwh"]),
        "carbon_price_gbp_per_tonne": 0.0,
        "sites": sites,
        "jobs": list(jobs),
    } | fields


COST = [3.0, 1.0, 5.0, 1.0, 9.0]
SCENARIOS = {
    "scenarios": [
        {"probability": 0.8, "price_gbp_per_kwh": {"a": [2.0, 0.0, 9.0, 9.0, 9.0]}},
        {"probability": 0.2, "price_gbp_per_kwh": {"a": [2.0, 4.0, 9.0, 9.0, 9.0]}},
    ]
}
MINING = {"min_kw": 2.0, "max_kw": 8.0, "ramp_kw": 2.0, "value_gbp_per_kwh": 0.0}
BATTERY = {"capacity_kwh": 5.0, "power_kw": 10.0, "efficiency": 1.0, "initial_kwh": 0.0, "final_kwh": 0.0}
CASES: dict[str, tuple[Json, float]] = {
    "a block in the cheapest slots": (made_of([site(COST)], block("b", 2)), 40),
    "one waits for the other's room": (made_of([site(COST)], block("b"), block("c"), block("d")), 10 + 10 + 30),
    "left out where that is cheaper": (made_of([site(COST)], block("b", unserved_penalty_gbp=9.5)), 9.5),
    "too large for the site": (made_of([site(COST)], block("b", power_kw=10.1)), 1000),
    "pauses where that is cheaper": (made_of([site(COST)], pausable(2, pause_cost_gbp=15.0)), 20 + 15),
    "runs on where pauses are dear": (made_of([site(COST)], pausable(2, pause_cost_gbp=25.0)), 40),
    "a restart takes a slot": (made_of([site(COST)], pausable(2, restart_slots=1)), 40),
    "a restart that earns is taken": (made_of([site([-3, 2, -1, -1, -1])], pausable(3, restart_slots=1)), -60),
    "a restart needs a pause": (made_of([site([-1.0] * 5)], pausable(3, restart_slots=1)), -40),
    "the first run may be shorter than a restart": (
        made_of([site([-1, 9, -1, -1, -1])], pausable(2, restart_slots=2)),
        -40,
    ),
    "a later run may not": (made_of([site([-1, -1, -1, 9, -1])], pausable(2, restart_slots=2)), -20),
    "no run is short": (made_of([site(COST)], pausable(2, min_run_slots=2)), 40),
    "pauses are few": (made_of([site([1, 9, 1, 9, 1])], pausable(3, max_pauses=1)), 10 + 10 + 90),
    "the least power that does the work": (made_of([site(COST)], elastic(1.4)), 4 + 4),
    "more power where it is cheap": (made_of([site([1, 9, 9, 9, 9])], elastic(1.7)), 10 + 36),
    "a price limit": (made_of([site(COST)], block("b", 2, max_price_gbp_per_kwh=2.0)), 1000),
    "a gang is left out together": (
        made_of([site([1.0, 1.0])], *(block(name, latest_slot=2, gang="g") for name in "bcd")),
        3000,
    ),
    "a gang is served though one of it is not worth it": (
        made_of([site(COST)], block("b", gang="g"), block("c", gang="g", unserved_penalty_gbp=0.0)),
        20,
    ),
    "one after the other": (made_of([site(COST)], block("b"), block("c", after=["b"]), block("d", after=["c"])), 50),
    "not before the other, though it is cheaper there": (
        made_of(
            [site([9.0, 2.0, 1.0])], block("b", latest_slot=3), block("c", latest_slot=3, power_kw=5.0, after=["b"])
        ),
        20 + 5,
    ),
    "not before one that is left out": (
        made_of([site(COST)], block("b", power_kw=11.0), block("c", after=["b"])),
        2000,
    ),
    "hardware is scarce": (
        made_of(
            [site(COST, 20.0, hardware_kw={"gpu": 10.0})],
            *(block(name, hardware="gpu") for name in "bcd"),
        ),
        50,
    ),
    "hardware is elsewhere": (made_of([site(COST)], block("b", hardware="gpu")), 1000),
    "a job's own cap": (made_of([site([1.0] * 5)], elastic(1.7, carbon_cap_kg=13.0)), 12),
    "a job's own cap that is too low": (made_of([site(COST)], block("b", 2, carbon_cap_kg=19.0)), 1000),
    "a cap on all": (made_of([site(COST)], block("b"), block("c"), carbon_cap_kg=15.0), 10 + 1000),
    "a cap on a tenant": (
        made_of(
            [site(COST)],
            block("b", tenant="t"),
            block("c", unserved_penalty_gbp=50.0),
            tenant_carbon_caps_kg={"t": 5.0},
        ),
        1000 + 10,
    ),
    "a cap on a region": (made_of([site(COST)], block("b"), region_carbon_caps_kg={"GB": 5.0, "NO": 50.0}), 1000),
    "stays at home": (
        made_of(
            [site(COST), site([0.0] * 5, id="b")],
            block("b", sites=["a", "b"], home="a", migration_cost_gbp=11.0),
        ),
        10,
    ),
    "leaves home": (
        made_of([site(COST), site([0.0] * 5, id="b")], block("b", sites=["a", "b"], home="a", migration_cost_gbp=9.0)),
        9,
    ),
    "a planned block stays": (
        made_of([site(COST)], block("b", planned={"site": "a", "runs": [[0, 1, 10.0]]}, move_cost_gbp=21.0)),
        30,
    ),
    "a planned course with a pause stays": (
        made_of(
            [site([1.0, 9.0, 2.0, 1.0, 1.0])],
            pausable(2, planned={"site": "a", "runs": [[0, 1, 10.0], [2, 3, 10.0]]}, move_cost_gbp=11.0),
        ),
        30,
    ),
    "a planned course moves where that pays": (
        made_of([site(COST)], elastic(1.0, planned={"site": "a", "runs": [[4, 5, 10.0]]}, move_cost_gbp=20.0)),
        20 + 8,
    ),
    "a planned course that is no longer enough is left": (
        made_of([site(COST)], elastic(1.4, planned={"site": "a", "runs": [[1, 2, 4.0]]}, move_cost_gbp=20.0)),
        20 + 8,
    ),
    "a planned course of nothing is not kept": (
        made_of(
            [site(COST)],
            elastic(1.4, planned={"site": "a", "runs": []}, move_cost_gbp=20.0, unserved_penalty_gbp=9.0),
        ),
        9,
    ),
    "what is frozen takes what it takes": (
        made_of(
            [site(COST, [0.0, 10.0, 10.0, 10.0, 10.0]), site(COST, id="b")],
            block("b", 2, home="b", migration_cost_gbp=7.0),
            block("c"),
            frozen=[{"job": "b", "site": "a", "runs": [[0, 2, 10.0]]}],
            carbon_cap_kg=30.0,
        ),
        40 + 7 + 10,
    ),
    "what is sold is gone": (made_of([site(COST, 20.0, sold_kw=[0.0, 11.0, 0.0, 30.0, 0.0])], block("b")), 30),
    "a battery makes room": (
        made_of([site([1.0, 1.0], 10.0, battery=BATTERY)], block("b", latest_slot=2, power_kw=15.0)),
        15 + 5 - 5,
    ),
    "a battery trades": (made_of([site([1.0, 5.0], battery=BATTERY | {"wear_gbp_per_kwh": 1.0})]), 10 - 50 + 5),
    "mining ramps": (made_of([site([-1.0] * 4, mining=MINING)]), -4 - 6 - 8 - 8),
    "mining must come down": (made_of([site([1.0] * 4, mining=MINING | {"initial_kw": 8.0})]), 6 + 4),
    "inference gives way to a job": (
        made_of([site([1.0], inference={"demand_kw": [8.0], "value_gbp_per_kwh": 5.0})], block("b", latest_slot=1)),
        10,
    ),
    "inference takes what is left": (
        made_of(
            [site([1.0], 12.0, inference={"demand_kw": [8.0], "value_gbp_per_kwh": 5.0})], block("b", latest_slot=1)
        ),
        10 + 2 - 2 * 2.5,
    ),
    "the mean counts": (made_of([site(COST)], block("b"), **SCENARIOS), 0.2 * 20),
    "the worst counts": (
        made_of([site(COST)], block("b"), **SCENARIOS, risk={"level": 0.8, "weight": 1.0}),
        10,
    ),
    "mean and worst count": (
        made_of([site(COST)], block("b"), **SCENARIOS, risk={"level": 0.8, "weight": 0.25}),
        0.75 * 4 + 0.25 * 20,
    ),
    "nothing to do": (made_of([site(COST)]), 0),
}


@pytest.mark.parametrize(("instance", "expected"), CASES.values(), ids=CASES.keys())
def test_the_optimum_is_what_it_was_worked_out_to_be(instance: Json, expected: float) -> None:
    answer = exact.solve(instance)
    assert answer.status == "optimal"
    assert answer.objective_gbp == pytest.approx(expected)
    assert referee.judge(instance, answer.plan or {}).violations == ()


def test_the_small_instance_of_the_referees_tests_is_planned_as_by_hand() -> None:
    answer = exact.solve(tiny.instance())
    assert answer.objective_gbp == pytest.approx(tiny.OBJECTIVE)
    assert answer.bound_gbp == pytest.approx(tiny.OBJECTIVE)
    assert referee.judge(tiny.instance(), answer.plan or {}).violations == ()


def test_an_instance_without_a_valid_plan_is_infeasible() -> None:
    answer = exact.solve(made_of([site(COST, battery=BATTERY | {"final_kwh": 5.0}, headroom_kw=[0.0] * 5)]))
    assert (answer.status, answer.objective_gbp, answer.plan) == ("infeasible", float("inf"), None)


def test_relaxed_jobs_may_run_in_part() -> None:
    instance = made_of([site([1.0])], block("b", latest_slot=1, power_kw=20.0))
    assert exact.solve(instance, relaxed=True).objective_gbp == pytest.approx(0.5 * 20 + 0.5 * 1000)
    assert exact.solve(instance, relaxed=True).plan is None


def test_at_the_time_limit_there_is_a_plan_and_a_bound() -> None:
    rng = np.random.default_rng(1)
    jobs = [
        pausable(3, id=str(number), power_kw=power, latest_slot=24, pause_cost_gbp=2.0)
        for number, power in enumerate(rng.uniform(5, 15, 40).tolist())
    ]
    instance = made_of([site(rng.uniform(1, 9, 24).tolist(), 47.0)], *jobs)
    answer = exact.solve(instance, time_limit_s=0.5)
    assert answer.status == "stopped"
    assert answer.bound_gbp < answer.objective_gbp
    assert referee.judge(instance, answer.plan or {}).violations == ()


costs = st.lists(st.integers(-3, 9), min_size=6, max_size=6)
shapes = st.one_of(
    st.builds(block, st.just("j"), st.integers(1, 4)),
    st.builds(
        pausable,
        st.integers(1, 4),
        pause_cost_gbp=st.sampled_from([0.0, 15.0]),
        restart_slots=st.sampled_from([0, 1, 2]),
        min_run_slots=st.sampled_from([1, 2, 3]),
        max_pauses=st.sampled_from([None, 0, 1]),
    ),
    st.builds(elastic, st.sampled_from([0.5, 1.7, 2.4])),
)


@given(costs, shapes, st.integers(0, 2), st.integers(3, 6), st.sampled_from([None, 10.0, 25.0]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_one_job_alone_takes_the_best_course_of_all(
    cost: list[float], shape: Json, first: int, last: int, cap: float | None, standing: bool
) -> None:
    job = shape | {"earliest_slot": first, "latest_slot": last, "unserved_penalty_gbp": 90.0}
    courses = every_course(job, 6)
    gbp = spent(courses, np.array(cost, dtype=float)) + pause_gbp(job, courses)
    if standing and len(courses):
        power = courses[len(courses) // 2]
        runs = [[slot, slot + 1, kw] for slot, kw in enumerate(power.tolist()) if kw]
        job |= {"planned": {"site": "a", "runs": runs}, "move_cost_gbp": 12.0}
        gbp = gbp + 12.0 * (courses != power).any(axis=1)
    if cap is not None:
        job |= {"carbon_cap_kg": cap}
        gbp = gbp[courses.sum(axis=1) <= cap + 1e-9]
    instance = made_of([site(cost)], job)
    answer, expected = exact.solve(instance), min(90.0, gbp.min(initial=np.inf))
    assert answer.objective_gbp == pytest.approx(expected)
    verdict = referee.judge(instance, answer.plan or {})
    assert verdict.violations == ()
    assert cap is not None or verdict.bound_gbp == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(40))
def test_the_referee_accepts_the_best_plan_of_a_random_world_at_its_value(seed: int) -> None:
    instance = json.loads(world(seed).model_dump_json(exclude_none=True))
    answer = exact.solve(instance, time_limit_s=2)
    verdict = referee.judge(instance, answer.plan or {})
    assert verdict.violations == ()
    assert verdict.objective_gbp == pytest.approx(answer.objective_gbp, rel=1e-6, abs=1e-6)
    assert verdict.bound_gbp <= answer.objective_gbp + 1e-6 * max(1.0, abs(answer.objective_gbp))


@pytest.mark.parametrize("seed", range(40, 80))
def test_no_prices_prove_more_than_the_best_plan_costs(seed: int) -> None:
    instance, rng = json.loads(world(seed).model_dump_json(exclude_none=True)), np.random.default_rng(seed)
    answer = exact.solve(instance, time_limit_s=2)
    plan = answer.plan or {}

    def prices(size: int, scale: float) -> list[float]:
        return (scale * rng.exponential(1.0, size) * rng.integers(0, 2, size)).tolist()

    for row in plan["prices"]:
        row["headroom_gbp_per_kw_slot"] = prices(instance["slots"], 0.05)
        for name in row["hardware_gbp_per_kw_slot"]:
            row["hardware_gbp_per_kw_slot"][name] = prices(instance["slots"], 0.05)
    plan["carbon_cap_price_gbp_per_kg"] = prices(1, 0.2)[0]
    for field in ("tenant_carbon_prices_gbp_per_kg", "region_carbon_prices_gbp_per_kg"):
        plan[field] = {name: prices(1, 0.2)[0] for name in plan[field]}
    verdict = referee.judge(instance, plan)
    assert verdict.bound_gbp <= answer.objective_gbp + 1e-6 * max(1.0, abs(answer.objective_gbp))


def test_random_worlds_have_every_feature_in_a_good_share() -> None:
    worlds = [features(world(seed)) for seed in range(200)]
    names = frozenset().union(*worlds)
    assert len(names) == 20
    assert {name for name in names if sum(name in used for used in worlds) < 20} == set()
