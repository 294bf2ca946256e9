"""The master over the bids: its value and duals against the same programme written out plainly."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from agents.policy.master import Bids, Master, joined
from agents.policy.risk import RiskWeights
from core.market import NOWHERE, Market
from tests.unit.planning import random_instance


def bids(rng: np.random.Generator, jobs: int, market: Market) -> Bids:
    """Some random courses of each job at random sites."""
    count = 3 * jobs
    power = rng.choice([0.0, 10.0], (count, market.shape[1]))
    return Bids(
        job=np.repeat(np.arange(jobs), 3),
        place=rng.integers(0, market.shape[0], count),
        power_kw=power,
        other_gbp=rng.uniform(0, 1, count),
        penalty_gbp=rng.uniform(1, 20, jobs),
        gang=np.full(count, NOWHERE),
        tenant_cap=np.full(jobs, NOWHERE),
    )


def plainly(pool: Bids, market: Market) -> tuple[float, np.ndarray]:
    """Least cost and duals (S, T) of shares of the bids within headroom and the carbon cap."""
    own = pool.other_gbp + np.einsum("nt,nt->n", pool.power_kw, market.cost_gbp_per_kw(market.probability)[pool.place])
    gain = own - pool.penalty_gbp[pool.job]
    rows, limits = [], []
    for site in range(market.shape[0]):
        for slot in range(market.shape[1]):
            rows.append(np.where(pool.place == site, pool.power_kw[:, slot] * market.pue[site, slot], 0.0))
            limits.append(market.headroom_kw[site, slot])
    cells = len(rows)
    rows += [(pool.job == job).astype(float) for job in range(len(pool.penalty_gbp))]
    limits += [1.0] * len(pool.penalty_gbp)
    rows.append(np.einsum("nt,nt->n", pool.power_kw, market.carbon_kg_per_kw[pool.place]))
    limits.append(float(market.cap_kg[0]))
    found = linprog(gain, np.array(rows), np.array(limits), method="highs")
    return found.fun + pool.penalty_gbp.sum(), -found.ineqlin.marginals[:cells].reshape(market.shape)


@pytest.mark.parametrize("seed", range(15))
def test_the_master_comes_to_the_least_cost_of_shares_of_bids(seed: int):
    market = Market.of(random_instance(seed, carbon_cap=True))
    pool = bids(np.random.default_rng(seed), 5, market)
    risk = RiskWeights(market.probability, None)
    found = Master(pool, market, (), risk, np.zeros(1)).relaxed(10.0)
    assert found is not None
    least, duals = plainly(pool, market)
    assert found.objective_gbp == pytest.approx(least, abs=1e-5)
    worth = float((found.prices.headroom * market.headroom_kw).sum() + found.prices.carbon @ market.cap_kg)
    assert (found.prices.headroom >= 0).all()
    if np.count_nonzero(duals):
        assert worth > 0


def test_bids_said_twice_are_in_the_pool_once_and_change_nothing():
    market = Market.of(random_instance(3, carbon_cap=True))
    pool = bids(np.random.default_rng(3), 5, market)
    risk = RiskWeights(market.probability, None)
    once, twice = (Master(each, market, (), risk, np.zeros(1)).relaxed(10.0) for each in (pool, joined([pool, pool])))
    assert once is not None
    assert twice is not None
    assert once.objective_gbp == pytest.approx(twice.objective_gbp, abs=1e-6)
    assert len(joined([pool, pool]).job) == len(joined([pool]).job)
