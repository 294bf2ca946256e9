"""Rules do what they say, and those that mind capacity keep it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.comparison.judging import judgement
from benchmarks.instances import build
from benchmarks.peers import rules
from benchmarks.peers.forms import Json, Unsuited
from tests.unit.benchmarks.peers.worlds import block, elastic, pausable, world

MINDFUL = (rules.run_now_in_room, rules.greedy_due_first, rules.greedy_largest_first)
METHODS = (*MINDFUL, rules.run_now, rules.cheapest_window)


def runs(plan: Json) -> dict[str, list[tuple[int, int, float]]]:
    return {row["job"]: row["runs"] for row in plan["assignments"]}


@pytest.mark.parametrize("method", MINDFUL)
@pytest.mark.parametrize("name", ["b2-mixed-1.17", "b3-20", "b4-1k"])
def test_a_rule_that_minds_capacity_makes_valid_plans(method: Callable[[Json, float], Json], name: str) -> None:
    instance = build(name, None)
    found = judgement(instance, method(instance, 1.0))
    assert found["violations"] == 0, found["first_violation"]
    assert found["placed"] > 0.8 * len(instance["jobs"])


@pytest.mark.parametrize("method", METHODS)
def test_every_job_is_placed_or_named_unserved(method: Callable[[Json, float], Json]) -> None:
    instance = build("b3-40", None)
    plan = method(instance, 1.0)
    named = [row["job"] for row in (*plan["assignments"], *plan["unserved"])]
    assert sorted(named) == sorted(job["id"] for job in instance["jobs"])


def test_without_limits_every_rule_that_seeks_the_cheapest_finds_the_same_cost() -> None:
    instance = build("b1", None)
    costs = {
        round(judgement(instance, method(instance, 1.0))["objective_gbp"], 6)
        for method in (rules.cheapest_window, rules.greedy_due_first, rules.greedy_largest_first)
    }
    assert len(costs) == 1


def test_rules_that_ignore_capacity_overbook_the_cheap_hours() -> None:
    instance = build("b2-block-1.3", None)
    found = judgement(instance, rules.cheapest_window(instance, 1.0))
    assert found["unserved"] == 0
    assert found["over_slots"] > 100
    assert found["over_kw_slots"] > 1000


def test_running_now_starts_at_once_and_waits_only_for_room() -> None:
    instance = world([1, 1, 1, 1, 1], [block("a", 2, 2), block("b", 2, 2)], headroom_kw=3)
    assert runs(rules.run_now(instance, 1.0)) == {"a": [(0, 2, 2.0)], "b": [(0, 2, 2.0)]}
    assert runs(rules.run_now_in_room(instance, 1.0)) == {"a": [(0, 2, 2.0)], "b": [(2, 4, 2.0)]}


def test_who_comes_first_takes_the_cheapest_room() -> None:
    jobs = [block("early", 1, 1) | {"latest_slot": 2}, block("large", 2, 1)]
    instance = world([5, 1, 3], jobs, headroom_kw=2)
    assert runs(rules.greedy_due_first(instance, 1.0)) == {"early": [(1, 2, 1.0)], "large": [(2, 3, 2.0)]}
    assert runs(rules.greedy_largest_first(instance, 1.0)) == {"large": [(1, 2, 2.0)], "early": [(0, 1, 1.0)]}


def test_a_block_takes_the_cheapest_window_and_a_pausable_job_the_cheapest_slots() -> None:
    instance = world([5, 1, 9, 1, 4], [block("block", 1, 2), pausable("free", 1, 2, pause_gbp=0.0)])
    assert runs(rules.cheapest_window(instance, 1.0)) == {
        "block": [(3, 5, 1.0)],
        "free": [(1, 2, 1.0), (3, 4, 1.0)],
    }


def test_a_pause_that_costs_more_than_it_saves_is_not_made() -> None:
    instance = world([5, 1, 9, 1, 4], [pausable("dear", 1, 2, pause_gbp=10.0)])
    assert runs(rules.cheapest_window(instance, 1.0)) == {"dear": [(3, 5, 1.0)]}


def test_an_elastic_job_runs_slower_where_that_is_cheaper() -> None:
    levels = [(1.0, 0.75), (2.0, 1.0)]
    instance = world([1, 1, 9], [elastic("slow", levels, work=1.5)])
    assert runs(rules.cheapest_window(instance, 1.0)) == {"slow": [(0, 2, 1.0)]}


def test_negative_prices_do_not_turn_the_levels_upside_down() -> None:
    levels = [(1.0, 0.75), (2.0, 1.0)]
    instance = world([-1, 5, 5], [elastic("paid", levels, work=0.9)])
    assert runs(rules.cheapest_window(instance, 1.0)) == {"paid": [(0, 1, 2.0)]}


def test_a_jobs_own_limits_are_kept() -> None:
    job = block("picky", 1, 1) | {"max_price_gbp_per_kwh": 6.0, "earliest_slot": 1, "latest_slot": 4}
    assert runs(rules.run_now(world([1, 9, 9, 3, 1], [job]), 1.0)) == {"picky": [(3, 4, 1.0)]}


@pytest.mark.parametrize("method", MINDFUL)
def test_a_job_with_no_place_is_left_out(method: Callable[[Json, float], Json]) -> None:
    short = [{"earliest_slot": 1}, {"earliest_slot": 2, "latest_slot": 1}, {"sites": []}]
    forms = (block("block", 1, 2), pausable("pausable", 1, 2, 0.0), elastic("elastic", [(1.0, 1.0)], work=2.0))
    jobs = [form | {"id": f"{form['id']}-{n}"} | fault for form in forms for n, fault in enumerate(short)]
    instance = world([1, 1], [*jobs, block("large", 9, 1)], headroom_kw=5)
    assert method(instance, 1.0)["assignments"] == []


def test_what_a_rule_cannot_express_is_said() -> None:
    instance = world([1, 1], [block("a", 1, 1) | {"gang": "g"}])
    with pytest.raises(Unsuited, match="its form has no gang"):
        rules.run_now(instance, 1.0)
