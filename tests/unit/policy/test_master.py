import numpy as np
import pytest

from agents.job.book import JobBook
from agents.policy.master import Master, promising
from core.bid import BidBatch, Market, Prices, draw_kw
from tests.unit.planning import random_instance


def pooled(seed, **changes):
    instance = random_instance(seed, jobs=20, sites=2, slots=12, **changes)
    market = Market.of(instance)
    book = JobBook(instance, market)
    rng = np.random.default_rng(seed)
    answers = [book.bids(Prices(rng.random(market.pue.shape) * scale)) for scale in (0, 0.1, 0.5, 1)]
    bids = BidBatch.join([batch.take(np.flatnonzero(batch.found)) for batch in answers])
    return bids.take(np.argsort(bids.job, kind="stable")), book, market


@pytest.mark.parametrize("capped", [False, True])
def test_shares_serve_no_job_twice_and_prices_are_not_negative(capped):
    bids, book, market = pooled(7, carbon_cap=capped)
    cleared = Master(bids, np.arange(20), book.penalty_gbp, market, Prices.zero(market)).relaxed(10)
    assert (cleared.share >= -1e-6).all()
    assert (np.bincount(bids.job, weights=cleared.share) <= 1 + 1e-6).all()
    assert (cleared.prices.headroom >= 0).all()
    assert cleared.prices.carbon >= 0


def test_prices_appear_only_where_bids_together_exceed_the_headroom():
    bids, book, market = pooled(7)
    expected = Prices(np.full(market.pue.shape, 0.1))
    cleared = Master(bids, np.arange(20), book.penalty_gbp, market, expected).relaxed(10)
    uncontested = draw_kw(bids, market) <= market.headroom_kw
    assert (cleared.prices.headroom[uncontested] == 0).all()
    assert cleared.prices.headroom.max() <= 0.1 * 1.3 + 1e-3


def test_a_master_that_runs_out_of_time_says_so():
    bids, book, market = pooled(7)
    assert Master(bids, np.arange(20), book.penalty_gbp, market, Prices.zero(market)).relaxed(0.0) is None


def test_the_promising_bids_are_each_jobs_cheapest_at_the_prices():
    bids, _, market = pooled(3)
    prices = Prices(np.full(market.pue.shape, 0.2))
    kept = promising(bids, prices, market, 1)
    scarce = np.einsum("nt,nt->n", bids.power_kw, market.pue[bids.site] * 0.2)
    value = bids.cost_gbp + scarce
    assert (np.bincount(bids.job[kept]) <= 1).all()
    for row in kept:
        assert value[row] == pytest.approx(value[bids.job == bids.job[row]].min())
