from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.baselines import BaselineDemand, BaselinePlacement, run_at_submission
from core.series import FloatArray
from core.slots import SLOT_HOURS
from tests.pace import paced_s

SITES, SLOTS = 3, 16


def occupy(free_kw: FloatArray, placement: BaselinePlacement, power_kw: float, pue: FloatArray) -> FloatArray:
    """What is free at the meter beside ``placement``, worked out by the test itself."""
    left_kw = free_kw.copy()
    if placement.site_index is not None and placement.start_slot is not None:
        block = placement.site_index, slice(placement.start_slot, placement.start_slot + placement.work_slots)
        left_kw[block] -= power_kw * pue[block]
    return left_kw


@st.composite
def problems(draw):
    """Free capacity, PUE and demands that sometimes do not fit."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    free_kw = rng.uniform(0, 60, (SITES, SLOTS)).round(1)
    pue = rng.uniform(1, 1.6, (SITES, SLOTS))
    demands = [
        BaselineDemand(
            job_id=f"job-{i}",
            site_indexes=tuple(sorted(rng.choice(SITES, rng.integers(1, SITES + 1), replace=False).tolist())),
            first_slot=int(rng.integers(0, SLOTS)),
            work_slots=int(rng.integers(1, 6)),
            power_kw=float(rng.uniform(1, 25)),
            deadline_slot=int(rng.integers(1, SLOTS + 1)),
        )
        for i in range(draw(st.integers(0, 12)))
    ]
    return demands, free_kw, pue


def _naive(demands, free_kw, pue):
    """The policy word by word: slot after slot, site after site."""
    left, found = free_kw.copy(), []
    for demand in demands:
        place = None
        for start in range(demand.first_slot, SLOTS - demand.work_slots + 1):
            block = slice(start, start + demand.work_slots)
            room = {
                s: left[s, block].min()
                for s in demand.site_indexes
                if (demand.power_kw * pue[s, block] <= left[s, block] + 1e-9).all()
            }
            if room:
                place = (max(room, key=room.__getitem__), start)
                left[place[0], block] -= demand.power_kw * pue[place[0], block]
                break
        found.append(place or (None, None))
    return found


@settings(max_examples=150, deadline=None)
@given(problems())
def test_the_search_finds_what_the_policy_says(problem):
    placements = run_at_submission(*problem)
    assert [(p.site_index, p.start_slot) for p in placements] == _naive(*problem)


@settings(max_examples=150, deadline=None)
@given(problems())
def test_energy_is_conserved_and_no_capacity_is_exceeded(problem):
    demands, free_kw, pue = problem
    left_kw = free_kw
    for demand, placement in zip(demands, run_at_submission(*problem), strict=True):
        after_kw = occupy(left_kw, placement, demand.power_kw, pue)
        it_kwh = ((left_kw - after_kw) / pue).sum() * SLOT_HOURS
        expected = 0 if placement.site_index is None else demand.work_slots * demand.power_kw * SLOT_HOURS
        assert it_kwh == pytest.approx(expected)
        left_kw = after_kw
    assert left_kw.min(initial=0) >= -1e-8


@settings(max_examples=100, deadline=None)
@given(problems(), st.integers(0, 12))
def test_placing_in_two_calls_is_placing_in_one(problem, split):
    demands, free_kw, pue = problem
    first = run_at_submission(demands[:split], free_kw, pue)
    for demand, placement in zip(demands[:split], first, strict=True):
        free_kw = occupy(free_kw, placement, demand.power_kw, pue)
    assert first + run_at_submission(demands[split:], free_kw, pue) == run_at_submission(*problem)


@settings(max_examples=50, deadline=None)
@given(problems())
def test_what_is_passed_in_is_not_changed(problem):
    demands, free_kw, pue = problem
    before = free_kw.copy()
    for demand, placement in zip(demands, run_at_submission(demands, free_kw, pue), strict=True):
        occupy(free_kw, placement, demand.power_kw, pue)
    assert np.array_equal(free_kw, before)


@settings(max_examples=100, deadline=None)
@given(problems())
def test_a_job_is_late_exactly_when_its_block_ends_after_its_deadline(problem):
    for demand, placement in zip(problem[0], run_at_submission(*problem), strict=True):
        placed = placement.start_slot is not None
        assert placement.late == (placed and placement.start_slot + demand.work_slots > demand.deadline_slot)


def _one(demand, free_kw, pue=1.0):
    free = np.array(free_kw, dtype=float)
    return run_at_submission([demand], free, np.full(free.shape, pue))[0]


def test_the_earliest_start_wins_over_the_roomier_site():
    placement = _one(BaselineDemand("j", (0, 1), 0, 2, 10.0), [[0, 99, 99, 99], [10, 10, 0, 0]])
    assert (placement.site_index, placement.start_slot) == (1, 0)


def test_of_sites_that_can_start_the_one_with_most_room_over_the_whole_block_wins():
    placement = _one(BaselineDemand("j", (0, 1), 0, 2, 10.0), [[99, 11], [20, 20]])
    assert placement.site_index == 1


def test_a_site_that_the_job_may_not_use_is_left_alone():
    placement = _one(BaselineDemand("j", (1,), 0, 1, 10.0), [[99, 99], [0, 10]])
    assert (placement.site_index, placement.start_slot) == (1, 1)


def test_cooling_counts_against_the_capacity_at_the_meter():
    demand = BaselineDemand("j", (0,), 0, 1, 10.0)
    assert _one(demand, [[12.0]], pue=1.2).start_slot == 0
    assert _one(demand, [[11.9]], pue=1.2).start_slot is None


@pytest.mark.parametrize(
    "demand",
    [
        BaselineDemand("too long", (0,), 0, 5, 1.0),
        BaselineDemand("too late", (0,), 4, 1, 1.0),
        BaselineDemand("far beyond", (0,), 400, 1, 1.0),
        BaselineDemand("too large", (0,), 0, 1, 11.0),
        BaselineDemand("nowhere", (), 0, 1, 1.0),
    ],
)
def test_a_job_that_does_not_fit_has_no_baseline_and_takes_nothing(demand):
    free = np.full((1, 4), 10.0)
    pue = np.ones((1, 4))
    placement = run_at_submission([demand], free, pue)[0]
    assert (placement.site_index, placement.start_slot, placement.late) == (None, None, False)
    assert np.array_equal(occupy(free, placement, demand.power_kw, pue), free)


@pytest.mark.parametrize(("first", "work", "power"), [(-1, 1, 1.0), (0, 0, 1.0), (0, 1, 0.0), (0, 1, float("nan"))])
def test_a_demand_that_makes_no_sense_is_refused_with_its_figures(first, work, power):
    with pytest.raises(ValueError, match=f"job j: first_slot {first} must be at least 0, work_slots {work}"):
        BaselineDemand("j", (0,), first, work, power)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"free_kw has shape \(2, 3\) and pue \(2, 4\)"):
        run_at_submission([], np.ones((2, 3)), np.ones((2, 4)))


def test_a_thousand_jobs_at_thirteen_sites_take_less_than_a_second():
    rng = np.random.default_rng(7)
    free_kw, pue = rng.uniform(100, 400, (13, 400)), rng.uniform(1.1, 1.5, (13, 400))
    demands = [
        BaselineDemand(str(i), tuple(range(13)), int(rng.integers(300)), int(rng.integers(1, 20)), 10.0)
        for i in range(1000)
    ]
    assert paced_s(lambda: run_at_submission(demands, free_kw, pue), tries=2) < 1
