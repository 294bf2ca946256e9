import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.job.book import JobBook
from agents.policy.certificate import excess, gap, lower_bound_gbp
from core.bid import Market, Prices
from tests.unit.planning import optimum_gbp, random_instance


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 500), scale=st.floats(0, 2), carbon=st.floats(0, 5), capped=st.booleans())
def test_no_valid_plan_is_below_the_bound_at_any_prices(seed, scale, carbon, capped):
    instance = random_instance(seed, jobs=3, slots=5, carbon_cap=capped)
    market = Market.of(instance)
    headroom = scale * np.random.default_rng(seed).random(market.pue.shape)
    prices = Prices(headroom, carbon if capped else 0.0)
    book = JobBook(instance, market)
    bound = lower_bound_gbp(book.bids(prices), book.penalty_gbp, prices, market)
    assert bound <= optimum_gbp(instance) + 1e-6


def test_excess_is_what_willing_bids_draw_beyond_the_headroom_and_the_cap():
    instance = random_instance(4, jobs=5, carbon_cap=True)
    market = Market.of(instance)
    book = JobBook(instance, market)
    bids = book.bids(Prices.zero(market))
    over_kw, over_kg = excess(bids, np.full(5, -1e9), market)
    assert (over_kw == -market.headroom_kw).all()
    assert over_kg == pytest.approx(-market.carbon_cap_kg)
    every_kw, every_kg = excess(bids, np.full(5, 1e9), market)
    assert (every_kw >= over_kw).all()
    assert every_kg >= over_kg


@pytest.mark.parametrize(
    ("objective", "bound", "expected"), [(0, 0, 0), (110, 100, 0.1), (-90, -100, 0.1), (1, 0, np.inf), (99, 100, 0)]
)
def test_the_gap_is_relative_to_the_size_of_the_bound(objective, bound, expected):
    assert gap(objective, bound) == pytest.approx(expected)
