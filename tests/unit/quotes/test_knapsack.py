"""The parts of the knapsack: equal to trying every count and every choice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from agents.quotes.knapsack import Ladder, least_counts, states


def ladder_of(rng: np.random.Generator, depth: int, slots: int) -> Ladder:
    """A concave ladder of odd steps: each further kW does less work."""
    work_per_kw = np.sort(rng.uniform(0.02, 0.3, depth))[::-1]
    step_kw = rng.uniform(0.3, 5, depth)
    return Ladder(np.sort(rng.normal(0.15, 0.1, slots)), step_kw, step_kw * work_per_kw)


def all_counts(ladder: Ladder, need: float) -> float:
    """The least charge of counts that do not rise with the level."""
    sums = np.concatenate([[0.0], np.cumsum(ladder.charge)])
    charges = [
        float(ladder.step_kw @ sums[list(counts)])
        for counts in itertools.product(range(len(sums)), repeat=len(ladder.step_kw))
        if list(counts) == sorted(counts, reverse=True) and ladder.step_work @ counts >= need - 1e-9
    ]
    return min(charges, default=np.inf)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_counts_are_the_cheapest_that_do_not_rise_with_the_level(seed: int, depth: int):
    rng = np.random.default_rng(seed)
    ladder = ladder_of(rng, depth, 7)
    need = float(rng.uniform(0.1, 1.0)) * 7 * float(ladder.step_work.sum())
    found = least_counts(ladder, np.array([need]), np.array([2.0]), 1.0, np.inf)
    assert found is not None
    state, counts = found
    assert (state, counts.tolist()) == (0, sorted(counts.tolist(), reverse=True))
    assert ladder.step_work @ counts >= need - 1e-9
    sums = np.concatenate([[0.0], np.cumsum(ladder.charge)])
    assert float(ladder.step_kw @ sums[counts]) == pytest.approx(all_counts(ladder, need))


@pytest.mark.parametrize("seed", range(10))
def test_of_several_states_the_one_is_completed_that_is_cheapest_in_all(seed: int):
    rng = np.random.default_rng(seed)
    ladder = ladder_of(rng, 3, 5)
    need, held = rng.uniform(0, 5 * ladder.step_work.sum(), 4), rng.uniform(0, 3, 4)
    found = least_counts(ladder, need, held, 1.0, np.inf)
    assert found is not None
    totals = [charge + all_counts(ladder, each) for charge, each in zip(held, need, strict=True)]
    assert found[0] == int(np.argmin(totals))


def test_what_is_more_than_all_slots_can_do_is_not_completed():
    ladder = Ladder(np.array([0.1, 0.2]), np.array([5.0, 5.0]), np.array([0.8, 0.2]))
    assert least_counts(ladder, np.array([2.1]), np.zeros(1), 1.0, np.inf) is None
    assert least_counts(ladder, np.array([2.0]), np.zeros(1), 1.0, np.inf) is not None


@pytest.mark.parametrize("seed", range(20))
def test_of_all_choices_within_the_gap_none_is_lost_that_is_not_beaten(seed: int):
    rng = np.random.default_rng(seed)
    excess, gain = rng.uniform(0, 1, (6, 3)), rng.normal(0, 1, (6, 3))
    excess[:, 0], gain[:, 0], rate, gap = 0.0, 0.0, 0.7, 1.2
    found = states(excess, gain, rate, gap)
    rows = np.arange(6)
    for chosen, total, work in zip(found.chosen, found.excess, found.gain, strict=True):
        assert (total, work) == pytest.approx((excess[rows, chosen].sum(), gain[rows, chosen].sum()))
        assert total < gap
    kept = np.column_stack([found.gain, found.excess + rate * found.gain])
    for chosen in itertools.product(range(3), repeat=6):
        total, work = excess[rows, chosen].sum(), gain[rows, chosen].sum()
        if total < gap:
            assert ((kept[:, 0] >= work - 1e-9) & (kept[:, 1] <= total + rate * work + 1e-9)).any()
