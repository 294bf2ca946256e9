"""Each adapter drives its peer as it means to: right where the answer is known, and no later than the deadline.

They run in the peers' own environments, and take seconds because those load slowly.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparison.judging import judgement
from benchmarks.comparison.measuring import measure
from benchmarks.comparison.running import PEERS, command_of
from benchmarks.peers.forms import UNSUITED, Json
from tests.unit.benchmarks.peers.worlds import block, elastic, pausable, world

pytestmark = pytest.mark.slow
PRICES = [5.0, 1.0, 2.0, 9.0, 1.0, 1.5, 8.0, 1.0]
BLOCKS = [block("a", 2, 3), block("b", 1, 2) | {"latest_slot": 3}, block("c", 1, 1) | {"earliest_slot": 7}]
FREE = [pausable("a", 2, 3, 0.0), pausable("b", 1, 2, 0.0) | {"latest_slot": 3}]


def ask(peer: str, instance: Json, folder: Path) -> tuple[int, Any]:
    """Exit status, and the plan or the last word."""
    if not (PEERS / peer).exists():
        pytest.skip("peers of the benchmarks are not installed (make bench-peers)")
    path, out = folder / "instance.json", folder / "plan.json"
    path.write_text(json.dumps(instance))
    run = measure([*command_of(peer), path, "--out", out, "--time-limit", "20"], 120)
    return run.status, json.loads(out.read_text()) if run.status == 0 else run.said


def courses(plan: Json) -> dict[str, list[list[float]]]:
    return {row["job"]: row["runs"] for row in plan["assignments"]}


def test_cats_finds_the_window_with_the_lowest_mean_of_the_trapezoids(tmp_path: Path) -> None:
    status, plan = ask("cats", world(PRICES, BLOCKS), tmp_path)
    assert status == 0

    def best(slots: int, latest_slot: int) -> int:
        points = [*PRICES, PRICES[-1]]
        means = [
            sum(points[at + k] + points[at + k + 1] for k in range(slots)) for at in range(latest_slot - slots + 1)
        ]
        return means.index(min(means))

    a, b = best(3, 8), best(2, 3)
    assert courses(plan) == {"a": [[a, a + 3, 2.0]], "b": [[b, b + 2, 1.0]], "c": [[7, 8, 1.0]]}
    assert b == 0  # though slots 1 and 2 are cheaper: the trapezoid sees the dear slot after them


def test_cats_leaves_out_what_cannot_end_in_time_and_runs_the_rest_at_full_power(tmp_path: Path) -> None:
    jobs = [block("late", 1, 4) | {"earliest_slot": 5}, elastic("slow", [(1.0, 0.75), (2.0, 1.0)], work=1.5)]
    status, plan = ask("cats", world(PRICES, jobs), tmp_path)
    assert status == 0
    assert [row["job"] for row in plan["unserved"]] == ["late"]
    (run,) = courses(plan)["slow"]
    assert (run[1] - run[0], run[2]) == (2, 2.0)


def test_cats_says_that_it_knows_one_place_only(tmp_path: Path) -> None:
    status, said = ask("cats", world(PRICES, BLOCKS, sites=2), tmp_path)
    assert (status, said) == (UNSUITED, "it schedules at one place, without price or carbon limits")


@pytest.mark.parametrize(("jobs", "cost"), [(BLOCKS, 25.0), (FREE, 10.0)])
def test_emhass_finds_the_best_plan_of_a_small_instance_to_its_gap(
    jobs: list[Json], cost: float, tmp_path: Path
) -> None:
    status, plan = ask("emhass", world(PRICES, jobs, headroom_kw=2.0), tmp_path)
    assert status == 0, plan
    found = judgement(world(PRICES, jobs, headroom_kw=2.0), plan)
    assert (found["violations"], found["unserved"]) == (0, 0), found["first_violation"]
    assert cost - 1e-6 <= found["objective_gbp"] <= 1.02 * cost


def test_flexmeasures_fills_the_stock_of_jobs_that_may_pause(tmp_path: Path) -> None:
    instance = world(PRICES, FREE, headroom_kw=2.0)
    status, plan = ask("flexmeasures", instance, tmp_path)
    assert status == 0, plan
    found = judgement(instance, plan)
    assert (found["violations"], found["unserved"]) == (0, 0), found["first_violation"]
    assert found["objective_gbp"] == pytest.approx(10.0)


def test_flexmeasures_has_only_a_value_for_blocks(tmp_path: Path) -> None:
    status, plan = ask("flexmeasures", world(PRICES, [block("a", 2, 3)], headroom_kw=2.0), tmp_path)
    assert status == 0, plan
    assert "assignments" not in plan
    assert plan["fractional_gbp"] == pytest.approx(2 * (1 + 1 + 1))


def test_a_price_of_pauses_is_more_than_emhass_knows(tmp_path: Path) -> None:
    status, said = ask("emhass", world(PRICES, [pausable("a", 1, 2, 0.5)]), tmp_path)
    assert (status, said) == (UNSUITED, "its form has no price of a pause between runs")
