"""Every method keeps every limit, does each job as asked or counts it missed, and comes from its seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.backtest import clairvoyant
from benchmarks.backtest.forecasts import Forecasts
from benchmarks.backtest.rolling import Rolling
from benchmarks.backtest.rules import RULES, follow
from benchmarks.backtest.running import RISK
from benchmarks.backtest.settlement import Delivery, Settled, settle
from benchmarks.backtest.world import World
from core.instance import Risk
from tests.unit.benchmarks.backtest.worlds import TWO_SITES, block, drawn

Json = dict[str, Any]
Method = Callable[[World, list[Json]], list[Delivery]]


def rolling(world: World, jobs: list[Json]) -> list[Delivery]:
    return [made for step in Rolling(world, jobs, Forecasts(world, 1)).run() for made in step]


def cautious(world: World, jobs: list[Json]) -> list[Delivery]:
    return [made for step in Rolling(world, jobs, Forecasts(world, 1), risk=RISK).run() for made in step]


METHODS: dict[str, Method] = {
    "rolling": rolling,
    "cautious": cautious,
    "foresight": lambda world, jobs: list(clairvoyant.foresee(world, jobs, [])),
    **{
        name: lambda world, jobs, rule=rule: list(follow(rule, world, jobs, Forecasts(world, 1)))
        for name, rule in RULES.items()
    },
}


@pytest.fixture(scope="module")
def made() -> dict[str, list[Delivery]]:
    return {name: method(*drawn()) for name, method in METHODS.items()}


def settled(deliveries: list[Delivery]) -> Settled:
    return settle(*drawn(), deliveries)


@pytest.mark.parametrize("name", METHODS)
def test_no_method_breaks_a_limit(name: str, made: dict[str, list[Delivery]]) -> None:
    found = settled(made[name])
    assert found.faults == ()
    assert found.peak_share <= 1 + 1e-6
    assert found.peak_share > 0.8


def test_weeks_of_foresight_leave_one_another_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clairvoyant, "WEEK_SLOTS", 12)
    gaps: list[float] = []
    assert settled(list(clairvoyant.foresee(*drawn(), gaps))).faults == ()
    assert len(gaps) > 4


@pytest.mark.parametrize("name", METHODS)
def test_every_job_is_done_as_asked_or_counted_missed(name: str, made: dict[str, list[Delivery]]) -> None:
    _, jobs = drawn()
    missed = settled(made[name]).missed
    power: list[list[float]] = [[] for _ in jobs]
    for delivery in made[name]:
        power[delivery.job].append(delivery.power_kw)
    for job, own, gone in zip(jobs, power, missed.tolist(), strict=True):
        if job["kind"] == "elastic":
            pace = {round(level["power_kw"], 6): level["work_per_slot"] for level in job["levels"]}
            done = sum(pace[round(kw, 6)] for kw in own)
            assert gone == (done < job["work"] - 1e-9)
            assert done - min([1.0, *(pace[round(kw, 6)] for kw in own)]) < job["work"]
        else:
            assert set(own) <= {job["power_kw"]}
            assert gone == (len(own) < job["duration_slots"])
            assert len(own) <= job["duration_slots"]
    assert len(jobs) > 20
    assert missed.sum() < 3


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_deliveries(name: str, made: dict[str, list[Delivery]]) -> None:
    assert METHODS[name](*drawn()) == made[name]
    assert METHODS[name](*drawn(seed=4)) != made[name]


def test_the_planner_costs_less_than_running_now(made: dict[str, list[Delivery]]) -> None:
    planner, now = (settled(made[name]).cost_gbp(100.0).sum() for name in ("rolling", "run-now"))
    assert planner < 0.9 * now


@pytest.mark.parametrize("risk", [None, RISK])
def test_re_plans_are_counted_and_agree_with_the_referee(risk: Risk | None) -> None:
    world, jobs = drawn(days=1, jobs_a_day=40)
    planner = Rolling(world, jobs, Forecasts(world, 1), risk=risk)
    list(planner.run(frozenset(range(0, 48, 4))))
    log = planner.log
    assert log.judged >= 8
    assert log.disagreements == []
    assert len(log.gap) == len(log.wall_s) == len(log.cpu_s) == len(log.jobs) <= 48
    assert all(gap >= 0 for gap in log.gap)
    assert np.median(log.gap) < 0.05
    assert 0 < log.moved < log.planned


def test_a_plan_that_the_referee_refuses_is_a_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    world, jobs = drawn(days=1)
    planner = Rolling(world, jobs, Forecasts(world, 1))
    judge = planner._judge
    monkeypatch.setattr(
        planner,
        "_judge",
        lambda instance, plan: judge(instance, plan.model_copy(update={"objective_gbp": plan.objective_gbp - 1})),
    )
    list(planner.run(frozenset(range(20))))
    assert any("claims an objective" in text for text in planner.log.disagreements)


def test_a_job_that_cannot_end_in_time_is_let_go_and_missed() -> None:
    late = block(duration_slots=2, earliest_slot=1)
    assert rolling(TWO_SITES, [late]) == []
    assert settle(TWO_SITES, [late], []).missed.tolist() == [True]


def test_the_planner_waits_for_the_cheap_half_hour_and_run_now_does_not() -> None:
    assert rolling(TWO_SITES, [block()]) == [Delivery(0, 1, 1, 2.0)]
    assert METHODS["run-now"](TWO_SITES, [block()]) == [Delivery(0, 0, 0, 2.0)]
    assert METHODS["cheapest-window"](TWO_SITES, [block()]) == [Delivery(0, 1, 1, 2.0)]


def test_a_rule_takes_what_is_left_and_turns_away_what_does_not_fit() -> None:
    jobs = [block(number, power_kw=4.0, sites=("fr",)) for number in range(3)]
    found = METHODS["run-now"](TWO_SITES, jobs)
    assert sorted(made.slot for made in found) == [0, 1]
    assert settle(TWO_SITES, jobs, found).missed.sum() == 1
