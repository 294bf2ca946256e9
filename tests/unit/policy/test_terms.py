"""Site terms: answers within limits, proofs that no schedule is below, and relaxations for cvxpy that are none."""

from __future__ import annotations

import itertools

import cvxpy as cp
import numpy as np
import pytest

from agents.policy.terms import BatteryTerm, InferenceTerm, MiningTerm
from core.errors import PlanError
from core.instance import Battery, Inference, Mining

SLOTS = 5
GRID_KW = (0.0, 2.0, 4.0, 6.0, 8.0)
MINING = Mining(min_kw=4, max_kw=8, value_gbp_per_kwh=0.2, ramp_kw=2, initial_kw=0)
BATTERY = Battery(capacity_kwh=6, power_kw=4, efficiency=0.8, initial_kwh=2, final_kwh=1, wear_gbp_per_kwh=0.02)


def rates(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.08, 0.08, SLOTS)


def pue(seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 100).uniform(1.0, 1.5, SLOTS)


def may_follow(one: float, other: float, given: Mining) -> bool:
    if given.ramp_kw is None:
        return True
    if one > 0 and other > 0:
        return abs(one - other) <= given.ramp_kw
    return max(one, other) <= given.min_kw + given.ramp_kw


def mining_schedules(given: Mining) -> list[tuple[float, ...]]:
    """Every schedule on the grid that keeps the limits."""
    on = [kw for kw in GRID_KW if kw == 0 or given.min_kw <= kw <= given.max_kw]
    return [
        powers
        for powers in itertools.product(on, repeat=SLOTS)
        if all(may_follow(one, other, given) for one, other in itertools.pairwise((given.initial_kw, *powers)))
    ]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("changes", [{}, {"ramp_kw": None}, {"initial_kw": 8.0}, {"value_gbp_per_kwh": -0.1}])
def test_mining_answers_with_the_best_of_all_schedules_and_proves_it(seed: int, changes: dict[str, float | None]):
    given = Mining.model_validate(MINING.model_dump() | changes)
    term = MiningTerm(0, given, pue(seed), SLOTS)
    rate = rates(seed)
    earned = given.value_gbp_per_kwh * 0.5
    best = min(float(np.dot(pue(seed) * rate - earned, powers)) for powers in mining_schedules(given))
    answer = term.respond(rate)
    assert term.floor_gbp(rate) == pytest.approx(best)
    assert float(answer.draw_kw @ rate) + answer.own_gbp == pytest.approx(best)
    assert tuple(np.round(answer.power_kw["mining_kw"], 9)) in mining_schedules(given)


@pytest.mark.parametrize("seed", range(8))
def test_mining_fits_into_what_is_left_and_keeps_its_ramp(seed: int):
    term, room = MiningTerm(0, MINING, pue(seed), SLOTS), np.random.default_rng(seed).uniform(0, 14, SLOTS)
    schedule = term.fit(np.full(SLOTS, -0.1), room)
    powers = schedule.power_kw["mining_kw"]
    assert (schedule.draw_kw <= room + 1e-5).all()
    assert ((powers == 0) | ((powers >= 4 - 1e-9) & (powers <= 8 + 1e-9))).all()
    assert all(may_follow(a, b, MINING.model_copy(update={"ramp_kw": 2 + 1e-9})) for a, b in itertools.pairwise(powers))


def test_mining_that_runs_ramps_down_where_nothing_is_left():
    term = MiningTerm(0, Mining.model_validate(MINING.model_dump() | {"initial_kw": 8.0}), np.ones(SLOTS), SLOTS)
    assert term.least_kw().tolist() == [6.0, 0, 0, 0, 0]
    assert term.fit(np.zeros(SLOTS), np.zeros(SLOTS)).draw_kw.tolist() == [6.0, 0, 0, 0, 0]


def stored_kwh(charged: np.ndarray, discharged: np.ndarray) -> np.ndarray:
    return BATTERY.initial_kwh + 0.5 * np.cumsum(BATTERY.efficiency * charged - discharged)


@pytest.mark.parametrize("seed", range(8))
def test_a_battery_stays_within_its_limits_and_no_random_schedule_is_below_its_floor(seed: int):
    term, rate, rng = BatteryTerm(0, BATTERY, np.ones(SLOTS), SLOTS), rates(seed), np.random.default_rng(seed)
    answer = term.respond(rate)
    charged, discharged = answer.power_kw["charge_kw"], answer.power_kw["discharge_kw"]
    stored = stored_kwh(charged, discharged)
    assert stored.min() >= -1e-7
    assert stored.max() <= BATTERY.capacity_kwh + 1e-7
    assert stored[-1] >= BATTERY.final_kwh - 1e-7
    assert max(charged.max(), discharged.max()) <= BATTERY.power_kw + 1e-7
    floor = term.floor_gbp(rate)
    assert float(answer.draw_kw @ rate) + answer.own_gbp == pytest.approx(floor, abs=1e-5)
    for _ in range(2000):
        one, other = rng.uniform(0, 4, (2, SLOTS)) * (rng.random((2, SLOTS)) < 0.5)
        held = stored_kwh(one, other)
        if held.min() >= 0 and held.max() <= BATTERY.capacity_kwh and held[-1] >= BATTERY.final_kwh:
            assert float((one - other) @ rate) + 0.5 * BATTERY.wear_gbp_per_kwh * other.sum() >= floor


def test_a_battery_charges_no_more_than_there_is_room_for_unless_it_must():
    term = BatteryTerm(0, BATTERY, np.ones(SLOTS), SLOTS)
    room = np.array([1.0, 0.0, 3.0, 0.5, 2.0])
    assert (term.fit(np.array([-1.0, -1, -1, 1, 1]), room).draw_kw <= room + 1e-6).all()
    owed = Battery.model_validate(BATTERY.model_dump() | {"initial_kwh": 0.0, "final_kwh": 4.0})
    must = BatteryTerm(0, owed, np.ones(SLOTS), SLOTS).fit(rates(1), np.zeros(SLOTS)).draw_kw
    assert must.sum() == pytest.approx(4.0 / 0.5 / 0.8), "it owes 4 kWh at last, and no more"


def test_a_battery_that_cannot_keep_its_promise_is_refused_with_its_figures():
    owed = Battery.model_validate(BATTERY.model_dump() | {"power_kw": 0.1, "initial_kwh": 0.0, "final_kwh": 6.0})
    with pytest.raises(PlanError, match=r"battery of site 3 .* 6 kWh at last, 0.1 kW"):
        BatteryTerm(3, owed, np.ones(SLOTS), SLOTS).respond(rates(1))


def test_inference_serves_what_earns_more_than_it_costs():
    given = Inference(demand_kw=(1, 2, 3, 4, 5), value_gbp_per_kwh=0.2)
    term = InferenceTerm(0, given, np.full(SLOTS, 2.0), SLOTS)
    rate = np.array([0.04, 0.06, 0.04, 0.2, -0.1])
    answer = term.respond(rate)
    assert answer.power_kw["inference_kw"].tolist() == [1, 0, 3, 0, 5]
    assert float(answer.draw_kw @ rate) + answer.own_gbp == pytest.approx(term.floor_gbp(rate))
    assert term.fit(rate, np.array([1.0, 9, 9, 9, -3])).power_kw["inference_kw"].tolist() == [0.5, 0, 3, 0, 0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["battery", "mining", "inference"])
def test_what_cvxpy_is_given_is_a_relaxation(seed: int, name: str):
    term = {
        "battery": BatteryTerm(0, BATTERY, pue(seed), SLOTS),
        "mining": MiningTerm(0, MINING, pue(seed), SLOTS),
        "inference": InferenceTerm(0, Inference(demand_kw=(1, 2, 3, 4, 5), value_gbp_per_kwh=0.1), pue(seed), SLOTS),
    }[name]
    rate = rates(seed)
    draw, charge, limits = term.expression(rate)
    problem = cp.Problem(cp.Minimize(charge), limits)
    problem.solve(solver=cp.HIGHS)
    assert problem.value <= term.floor_gbp(rate) + 1e-5
    assert draw.shape == (SLOTS,)
