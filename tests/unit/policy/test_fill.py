import numpy as np
import pytest

from agents.job.book import JobBook
from agents.job.orders import Standing
from agents.policy.fill import WholePlan, fill, fitting, guides, improve, scarcity
from core.bid import NOWHERE, Market, Prices, carbon_kg
from tests.unit.planning import random_instance


def filled(seed, **changes):
    instance = random_instance(seed, jobs=20, sites=2, slots=12, **changes)
    market = Market.of(instance)
    book = JobBook(instance, market)
    plan = WholePlan.empty(20, market)
    fill(plan, np.arange(20), Prices.zero(market), book.penalty_gbp, book.bids_in_turn, market)
    return plan, book, market


def trading_for(plan, book, prices):
    left = np.array([plan.carbon_left_kg])
    standing = Standing(plan.site, plan.power_kw, plan.cost_gbp, plan.carbon_kg, plan.residual_kw, left)
    return book.trading(np.arange(20), standing, guides(prices, np.random.default_rng(0)), scarcity(prices))


@pytest.mark.parametrize("seed", range(8))
def test_a_filled_plan_leaves_no_less_than_nothing(seed):
    plan, _, market = filled(seed, carbon_cap=True)
    assert plan.residual_kw.min() >= -1e-5
    assert plan.carbon_left_kg >= -1e-9
    assert (plan.power_kw[plan.site == NOWHERE] == 0).all()
    assert plan.carbon_kg.sum() + plan.carbon_left_kg == pytest.approx(market.carbon_cap_kg)


@pytest.mark.parametrize("seed", range(8))
def test_trading_places_never_makes_the_plan_worse_and_keeps_every_limit(seed):
    plan, book, market = filled(seed, carbon_cap=seed % 2 == 0)
    jobs = np.arange(20)
    trading = trading_for(plan, book, Prices(np.full(market.pue.shape, 0.05), 0.1 if seed % 2 == 0 else 0.0))
    improve(trading, 400, np.random.default_rng(seed), lambda _: False)
    best = trading.best
    after = WholePlan.of(market, best.site, best.power_kw, best.cost_gbp)
    assert after.objective_gbp(jobs, book.penalty_gbp) <= plan.objective_gbp(jobs, book.penalty_gbp) + 1e-9
    assert after.objective_gbp(jobs, book.penalty_gbp) == pytest.approx(trading.best_gbp)
    assert after.residual_kw.min() >= -1e-4
    assert after.carbon_left_kg >= -1e-6


def test_trading_stops_when_the_plan_is_good_enough():
    plan, book, market = filled(1)
    trading = trading_for(plan, book, Prices.zero(market))
    before = trading.best_gbp
    improve(trading, 400, np.random.default_rng(1), lambda _: True)
    assert trading.best_gbp == before


def test_bids_fit_as_long_as_all_before_them_fit_beside():
    _, book, market = filled(2)
    bids = book.bids(Prices.zero(market))
    bids = bids.take(np.flatnonzero(bids.found))
    empty = WholePlan.empty(20, market)
    fits = fitting(bids, empty, market)
    empty.place(bids.take(np.flatnonzero(fits)), market)
    assert empty.residual_kw.min() >= -1e-5
    assert fits.any()
    assert not fits.all()


def test_bids_beyond_the_carbon_cap_do_not_fit():
    _, book, market = filled(2, carbon_cap=True)
    bids = book.bids(Prices.zero(market))
    bids = bids.take(np.flatnonzero(bids.found))
    plan = WholePlan.empty(20, market)
    kept = bids.take(np.flatnonzero(fitting(bids, plan, market)))
    assert carbon_kg(kept, market).sum() <= market.carbon_cap_kg + 1e-6
