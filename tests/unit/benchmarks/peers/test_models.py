"""The linear relaxation, POP and the mixed-integer programme: in order, and right where the answer is known."""

from __future__ import annotations

from itertools import product

import pytest

from benchmarks.comparison.judging import judgement
from benchmarks.instances.demand import MIXED
from benchmarks.instances.families import one_site, ten_sites
from benchmarks.peers import linear, rules
from benchmarks.peers.forms import Json, NoAnswer, Unsuited
from benchmarks.peers.mixed_integer import exact_mixed_integer
from tests.unit.benchmarks.peers.worlds import block, elastic, pausable, world

LIMIT_S = 20.0


def small(seed: int) -> Json:
    if seed % 2:
        return one_site("small", None, seed, jobs=6, slots=32, cap_factor=2.0, shares=MIXED)
    return ten_sites("small", None, seed, jobs=8, shares=MIXED)


def best_gbp(instance: Json) -> float:
    found = judgement(instance, exact_mixed_integer(instance, LIMIT_S))
    assert found["violations"] == 0, found["first_violation"]
    return float(found["objective_gbp"])


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_relaxation_is_below_the_exact_plan_and_that_below_every_other(seed: int) -> None:
    instance = small(seed)
    exact = exact_mixed_integer(instance, LIMIT_S)
    found = judgement(instance, exact)
    assert found["violations"] == 0, found["first_violation"]
    assert exact["solver_bound_gbp"] <= found["objective_gbp"] * (1 + 1e-9)
    assert linear.exact_linear(instance, LIMIT_S)["bound_gbp"] <= exact["solver_bound_gbp"] * (1 + 1e-4)
    for rule in (rules.run_now_in_room, rules.greedy_due_first, rules.greedy_largest_first):
        assert found["objective_gbp"] <= judgement(instance, rule(instance, LIMIT_S))["objective_gbp"] * (1 + 1e-4)


@pytest.mark.parametrize("seed", range(1, 4))
def test_pop_of_one_part_is_the_relaxation_and_of_more_parts_no_better(seed: int) -> None:
    instance = small(seed)
    whole = linear.exact_linear(instance, LIMIT_S)["fractional_gbp"]
    assert linear.pop(instance, LIMIT_S, parts=1)["fractional_gbp"] == pytest.approx(whole)
    assert linear.pop(instance, LIMIT_S, parts=4)["fractional_gbp"] >= whole - 1e-6


def test_two_blocks_that_do_not_fit_together_are_placed_as_by_trying_all() -> None:
    prices, slots = [3, 1, 2, 5, 1, 4], 2
    instance = world(prices, [block("a", 1, slots), block("b", 1, slots)], headroom_kw=1.5)
    starts = range(len(prices) - slots + 1)
    costs = [sum(prices[at : at + slots]) for at in starts]
    assert best_gbp(instance) == pytest.approx(
        min(costs[a] + costs[b] for a, b in product(starts, starts) if abs(a - b) >= slots)
    )


@pytest.mark.parametrize(("pause_gbp", "cost"), [(0.0, 2.0), (1.0, 3.0), (10.0, 5.0)])
def test_a_pause_is_paid_for(pause_gbp: float, cost: float) -> None:
    assert best_gbp(world([5, 1, 9, 1, 4], [pausable("a", 1, 2, pause_gbp)])) == pytest.approx(cost)


def test_an_elastic_job_does_its_work_at_one_site() -> None:
    instance = world([1, 9], [elastic("a", [(1.0, 0.75), (2.0, 1.0)], work=1.5)], sites=2)
    assert best_gbp(instance) == pytest.approx(1 + 9)


def test_a_job_that_costs_more_than_its_penalty_is_left_out() -> None:
    instance = world([9, 9], [block("a", 1, 1) | {"unserved_penalty_gbp": 2.0}])
    assert best_gbp(instance) == pytest.approx(2.0)
    assert linear.exact_linear(instance, LIMIT_S)["fractional_gbp"] == pytest.approx(2.0)


def test_a_block_does_not_start_where_one_of_its_slots_is_not_permitted() -> None:
    job = block("a", 1, 2) | {"max_price_gbp_per_kwh": 10.0}
    assert best_gbp(world([1, 6, 4, 5], [job])) == pytest.approx(4 + 5)


def test_an_elastic_job_takes_no_step_without_the_one_below_it() -> None:
    job = elastic("a", [(3.0, 0.8), (4.0, 1.0)], work=0.2)
    assert best_gbp(world([1, 1], [job], headroom_kw=1.0)) == pytest.approx(job["unserved_penalty_gbp"])


def test_the_relaxation_may_move_a_job_but_not_double_it() -> None:
    instance = world([1, 4], [pausable("a", 1, 2, 0.0)], sites=2)
    assert linear.exact_linear(instance, LIMIT_S)["fractional_gbp"] == pytest.approx(1 + 4)


def test_instances_of_one_kind_only_have_models_too() -> None:
    assert best_gbp(world([2, 1], [block("a", 1, 1)])) == pytest.approx(1)
    assert best_gbp(world([2, 1], [pausable("a", 1, 1, 0.5)])) == pytest.approx(1)


def test_time_that_is_over_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="building the model took"):
        exact_mixed_integer(small(1), 0.0)


def test_what_a_model_cannot_express_is_said() -> None:
    instance = world([1, 1], [block("a", 1, 1) | {"home": "site-0"}]) | {"carbon_cap_kg": 3.0}
    with pytest.raises(Unsuited, match="its form has no carbon_cap_kg, home"):
        linear.exact_linear(instance, LIMIT_S)
