"""The master problem: the policy agent's clearing of the bids received, in cvxpy.

minimise    sum_k cost_k x_k + sum_j penalty_j u_j
subject to  sum over bids k of job j of x_k + u_j = 1          every job served once, or its penalty paid
            sum_k draw_k[s,t] x_k <= headroom[s,t]              dual: the price of headroom
            sum_k carbon_k x_k <= cap                           dual: the price of capped carbon
            x, u >= 0  (whole: x in {0, 1})
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from core.bid import BidBatch, Market, Prices, carbon_kg
from core.errors import SolverFailed
from core.series import FloatArray, IntArray

TRUST = 0.3
LEAST_PRICE = 1e-4
SOLVED = (cp.OPTIMAL, cp.OPTIMAL_INACCURATE)


@dataclass(frozen=True, slots=True)
class Cleared:
    """A solved master: its objective, its duals as prices, and how much of each bid it takes (n,)."""

    objective_gbp: float
    prices: Prices
    share: FloatArray


class Master:
    """The master problem over one pool of bids.

    :param bids: n bids, each with a profile; several for one job.
    :param jobs: the job indexes to serve, each with its penalty in ``penalty_gbp``.
    """

    def __init__(self, bids: BidBatch, jobs: IntArray, penalty_gbp: FloatArray, market: Market, prices: Prices) -> None:
        self.bids = bids
        self._market = market
        self._contested, draw = _contested_draw(bids, market)
        self._take = cp.Variable(len(bids.job), nonneg=True)
        self._unserved = cp.Variable(len(jobs), nonneg=True)
        row = np.searchsorted(jobs, bids.job)
        serve = sp.csr_matrix((np.ones(len(row)), (row, np.arange(len(row)))), shape=(len(jobs), len(row)))
        self._cost, self._penalty, self._serve, self._draw = bids.cost_gbp, penalty_gbp, serve, draw
        self._headroom = market.headroom_kw.ravel()[self._contested]
        self._carbon = carbon_kg(bids, market)

        self._expected_gbp = prices.headroom.ravel()[self._contested]

    def relaxed(self, time_limit_s: float) -> Cleared | None:
        """Clear with shares of bids; the duals are the next prices. None when time runs out.

        Prices may move by no more than ``TRUST`` from those expected: headroom beyond the limit can be had at the
        upper end, and unused headroom is worth the lower end, so that few bids give useful prices. The objective is
        therefore not a bound of anything; the bids that answer the prices prove one.
        """
        take, unserved = self._take, self._unserved
        over, under = cp.Variable(self._contested.size, nonneg=True), cp.Variable(self._contested.size, nonneg=True)
        floor_gbp, ceiling_gbp = (1 - TRUST) * self._expected_gbp, (1 + TRUST) * self._expected_gbp + LEAST_PRICE
        constraints: list[Any] = [self._serve @ take + unserved == 1]
        cost = self._cost @ take + self._penalty @ unserved
        if self._contested.size:
            constraints.append(self._draw @ take - over + under <= self._headroom)
            cost += ceiling_gbp @ over - floor_gbp @ under
        if self._market.carbon_cap_kg is not None:
            constraints.append(self._carbon @ take <= self._market.carbon_cap_kg)
        problem = cp.Problem(cp.Minimize(cost), constraints)
        if not _solved(problem, time_limit_s):
            return None
        prices = np.zeros(self._market.headroom_kw.size)
        if self._contested.size:
            prices[self._contested] = np.maximum(0.0, constraints[1].dual_value)
        carbon = 0.0 if self._market.carbon_cap_kg is None else max(0.0, float(constraints[-1].dual_value))
        shape = self._market.headroom_kw.shape
        return Cleared(float(problem.value), Prices(prices.reshape(shape), carbon), np.asarray(take.value))


def promising(bids: BidBatch, prices: Prices, market: Market, most: int) -> IntArray:
    """Rows of the ``most`` bids of each job that are cheapest at ``prices``, in order; ``bids`` are ordered by job."""
    charge = prices.per_kw(market) - market.cost_gbp_per_kw
    value = bids.cost_gbp + np.einsum("nt,nt->n", bids.power_kw, charge[bids.site])
    order = np.lexsort((value, bids.job))
    rank = np.arange(len(order)) - np.searchsorted(bids.job, bids.job[order])
    return np.asarray(np.sort(order[rank < most]))


def _contested_draw(bids: BidBatch, market: Market) -> tuple[IntArray, sp.csr_matrix]:
    """Flat (s, t) indexes at which all bids together exceed the headroom, and their draw there (rows, n)."""
    slots = market.pue.shape[1]
    bid, slot = np.nonzero(bids.power_kw)
    place = bids.site[bid] * slots + slot
    draw = bids.power_kw[bid, slot] * market.pue[bids.site[bid], slot]
    total = np.bincount(place, weights=draw, minlength=market.pue.size)
    contested = np.flatnonzero(total > market.headroom_kw.ravel() + 1e-9)
    row = np.searchsorted(contested, place)
    kept = (row < contested.size) & (
        contested[np.minimum(row, max(contested.size - 1, 0))] == place if contested.size else False
    )
    shape = (contested.size, len(bids.job))
    return contested, sp.csr_matrix((draw[kept], (row[kept], bid[kept])), shape=shape)


def _solved(problem: Any, time_limit_s: float) -> bool:
    """Solve with HiGHS' interior point on one thread, so that the same inputs give the same answer; False: no time."""
    options = {"solver": "ipm", "run_crossover": "off", "threads": 1, "random_seed": 0, "time_limit": time_limit_s}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cvxpy warns of inaccurate solutions; the status below says the same
            problem.solve(solver=cp.HIGHS, warm_start=False, highs_options=options)
    except cp.SolverError as error:
        raise SolverFailed(f"HiGHS gave up on the master problem: {error}") from error
    if problem.status == cp.USER_LIMIT:
        return False
    if problem.status not in SOLVED:
        raise SolverFailed(f"the master problem came back {problem.status}")
    return True
