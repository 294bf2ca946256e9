import numpy as np
import pytest

from agents.job.book import JobBook
from core.bid import NOWHERE, Market, Prices
from core.instance import Instance
from core.job import Level
from tests.unit.planning import LADDERS, courses, pause_gbp, random_instance


def prices_for(market: Market, seed: int) -> Prices:
    rng = np.random.default_rng(seed)
    return Prices(rng.exponential(0.05, market.pue.shape) * (rng.random(market.pue.shape) < 0.6), float(rng.random()))


def cheapest(instance: Instance, row: int, per_kw, free_kw=None) -> float:
    job = instance.jobs[row]
    values = [
        float(power @ per_kw[site]) + pause_gbp(job, power)
        for site, power in courses(instance, job)
        if free_kw is None or (power <= free_kw[site] + 1e-9).all()
    ]
    return min(values, default=np.inf)


@pytest.mark.parametrize("seed", range(60))
def test_every_kind_bids_its_cheapest_course_at_any_prices(seed):
    instance = random_instance(seed, jobs=6)
    market = Market.of(instance)
    prices = prices_for(market, seed)
    per_kw = prices.per_kw(market)
    bids = JobBook(instance, market).bids(prices)
    for row, job in enumerate(instance.jobs):
        best = cheapest(instance, row, per_kw)
        assert bids.floor_gbp[row] <= best + 1e-9
        if job.levels is None or len(job.levels) <= 3:
            assert bids.value_gbp[row] == pytest.approx(best, abs=1e-9)
            assert bids.floor_gbp[row] == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_a_bid_is_a_course_that_the_job_may_run_and_costs_what_it_says(seed):
    instance = random_instance(seed, jobs=6)
    market = Market.of(instance)
    prices = prices_for(market, seed)
    free_kw = np.random.default_rng(seed).uniform(0, 15, market.pue.shape)
    for residual in (None, free_kw * market.pue):
        bids = JobBook(instance, market).bids(prices, residual_kw=residual)
        for row in np.flatnonzero(bids.found):
            job, site, power = instance.jobs[row], bids.site[row], bids.power_kw[row]
            assert any(s == site and np.allclose(p, power) for s, p in courses(instance, job))
            cost = power @ market.cost_gbp_per_kw[site] + pause_gbp(job, power)
            assert bids.cost_gbp[row] == pytest.approx(cost)
            assert bids.value_gbp[row] == pytest.approx(power @ prices.per_kw(market)[site] + pause_gbp(job, power))
            if residual is not None:
                assert (power <= free_kw[site] + 1e-5).all()


@pytest.mark.parametrize("seed", range(40))
def test_block_and_pausable_jobs_find_the_cheapest_course_in_what_is_free(seed):
    instance = random_instance(seed, jobs=6)
    market = Market.of(instance)
    prices = prices_for(market, seed)
    free_kw = np.random.default_rng(seed).uniform(0, 15, market.pue.shape)
    bids = JobBook(instance, market).bids(prices, residual_kw=free_kw * market.pue)
    for row, job in enumerate(instance.jobs):
        best = cheapest(instance, row, prices.per_kw(market), free_kw)
        if job.kind != "elastic":
            assert bids.value_gbp[row] == pytest.approx(best, abs=1e-9)
        else:
            assert bids.found[row] == np.isfinite(best)
            assert bids.floor_gbp[row] <= best + 1e-9


@pytest.mark.parametrize("ladder", LADDERS)
def test_an_elastic_job_runs_at_full_power_where_it_is_paid_to(ladder: tuple[Level, ...]):
    instance = random_instance(3, jobs=1, sites=1, slots=5)
    site = instance.sites[0].model_copy(
        update={"price_gbp_per_kwh": (-1.0,) * 5, "carbon_g_per_kwh": (0.0,) * 5, "headroom_kw": (100.0,) * 5}
    )
    job = instance.jobs[0].model_copy(
        update={
            "kind": "elastic", "levels": ladder, "work": 1.0, "power_kw": None, "duration_slots": None,
            "pause_cost_gbp": None, "earliest_slot": 0, "latest_slot": 5, "sites": ("s0",),
            "max_price_gbp_per_kwh": None, "max_carbon_g_per_kwh": None,
        }
    )  # fmt: skip
    instance = instance.model_copy(update={"sites": (site,), "jobs": (job,)})
    market = Market.of(instance)
    assert JobBook(instance, market).bids(Prices.zero(market)).power_kw[0].tolist() == [10.0] * 5


@pytest.mark.parametrize("seed", range(20))
def test_bids_in_turn_fit_together_and_stay_below_their_ceilings(seed):
    instance = random_instance(seed, jobs=12)
    market = Market.of(instance)
    prices = prices_for(market, seed)
    book = JobBook(instance, market)
    jobs = np.random.default_rng(seed).permutation(12)
    ceiling = np.full(12, 2.0)
    before = market.headroom_kw.copy()
    bids = book.bids_in_turn(prices, jobs, market.headroom_kw, 5.0, ceiling)
    taken = np.zeros_like(before)
    carbon = 0.0
    for row in np.flatnonzero(bids.found):
        taken[bids.site[row]] += bids.power_kw[row] * market.pue[bids.site[row]]
        carbon += float(bids.power_kw[row] @ market.carbon_kg_per_kw[bids.site[row]])
        assert bids.value_gbp[row] < 2.0
    assert (taken <= before + 1e-4).all()
    assert carbon <= 5.0 + 1e-6
    assert (market.headroom_kw == before).all()
    assert (bids.power_kw[~bids.found] == 0).all()


def test_bids_keep_the_order_in_which_they_were_asked_for():
    instance = random_instance(1, jobs=6)
    market = Market.of(instance)
    book = JobBook(instance, market)
    every = book.bids(Prices.zero(market))
    asked = np.array([4, 1, 3])
    some = book.bids(Prices.zero(market), asked)
    assert some.job.tolist() == [4, 1, 3]
    assert (some.power_kw == every.power_kw[asked]).all()


def test_only_the_sites_asked_for_are_bid_for():
    instance = random_instance(2, jobs=8)
    market = Market.of(instance)
    bids = JobBook(instance, market).bids(Prices.zero(market), sites=np.array([False, True]))
    assert set(bids.site.tolist()) <= {NOWHERE, 1}
    assert (bids.site == 1).any()
