from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agents.job.fairness.shares import dominant_shares, jain, water_filled

TENANTS, RESOURCES = 4, 3
TOTAL = np.array([1.0, 2.0, 0.5])
AMOUNT = st.floats(0, 5).map(lambda value: round(value, 6))
DEMANDS = arrays(np.float64, (TENANTS, RESOURCES), elements=AMOUNT)
WEIGHTS = arrays(np.float64, (TENANTS,), elements=st.floats(0.1, 10).map(lambda value: round(value, 6)))


def got(weights: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """What each can use of its room."""
    return np.minimum(water_filled(weights, demand, TOTAL), demand)


def test_the_dominant_share_is_the_greatest_of_any_resource_and_says_of_which():
    share, which = dominant_shares(np.array([[1.0, 30.0], [8.0, 10.0], [0.0, 0.0]]), np.array([10.0, 100.0]))
    assert share.tolist() == [0.3, 0.8, 0.0]
    assert which.tolist()[:2] == [1, 0]


def test_a_resource_of_which_there_is_nothing_counts_for_nobody():
    assert dominant_shares(np.array([[5.0, 1.0]]), np.array([0.0, 4.0]))[0].tolist() == [0.25]


def test_what_one_does_not_want_is_divided_among_the_rest_by_weight():
    demand = np.array([[0.1], [5.0], [5.0]])
    assert water_filled(np.array([1.0, 1.0, 2.0]), demand, np.ones(1))[:, 0] == pytest.approx([0.1, 0.3, 0.6])


def test_where_all_are_served_what_is_left_goes_to_all_by_weight():
    found = water_filled(np.array([1.0, 3.0]), np.array([[0.2], [0.4]]), np.ones(1))[:, 0]
    assert found == pytest.approx([0.3, 0.7])


@given(WEIGHTS, DEMANDS)
def test_all_there_is_is_given_out_and_no_more(weights: np.ndarray, demand: np.ndarray):
    assert water_filled(weights, demand, TOTAL).sum(axis=0) == pytest.approx(TOTAL)
    assert got(weights, demand).sum(axis=0) == pytest.approx(np.minimum(TOTAL, demand.sum(axis=0)))


@given(WEIGHTS, DEMANDS)
def test_nobody_is_worse_off_than_alone_with_its_part_of_everything(weights: np.ndarray, demand: np.ndarray):
    own = np.minimum(demand, np.outer(weights / weights.sum(), TOTAL))
    assert (got(weights, demand) >= own - 1e-9).all()


@given(WEIGHTS, DEMANDS)
def test_nobody_would_rather_have_what_another_has_for_its_weight(weights: np.ndarray, demand: np.ndarray):
    mine = got(weights, demand)
    for one in range(TENANTS):
        others = mine / weights[:, np.newaxis] * weights[one]
        assert (np.minimum(others, demand[one]) <= mine[one] + 1e-9).all()


@given(WEIGHTS, DEMANDS, arrays(np.float64, (RESOURCES,), elements=AMOUNT), st.integers(0, TENANTS - 1))
def test_nobody_gains_by_asking_for_more_or_less_than_it_wants(weights, demand, claimed, liar):
    told = demand.copy()
    told[liar] = claimed
    lying = np.minimum(water_filled(weights, told, TOTAL)[liar], demand[liar])
    honest = got(weights, demand)[liar]
    assert (np.minimum(lying, claimed) <= honest + 1e-9).all()


def test_jain_is_1_for_equals_and_1_over_n_where_one_has_all():
    assert jain([3, 3, 3]) == pytest.approx(1)
    assert jain([1, 0, 0, 0]) == pytest.approx(0.25)
    assert jain([0, 0]) == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_equal_tenants_that_want_more_than_there_is_get_alike(seed: int):
    demand = np.random.default_rng(seed).uniform(1, 50, (8, 1))
    assert jain(water_filled(np.ones(8), demand, np.ones(1))[:, 0]) >= 0.95
