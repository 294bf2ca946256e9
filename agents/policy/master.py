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

    def __init__(self, bids: BidBatch, jobs: IntArray, penalty_gbp: FloatArray, market: Market) -> None:
        self._market = market
        self._contested, draw = _contested_draw(bids, market)
        self._take = cp.Variable(len(bids.job), nonneg=True)
        self._whole = cp.Variable(len(bids.job), boolean=True)
        self._unserved = cp.Variable(len(jobs), nonneg=True)
        row = np.searchsorted(jobs, bids.job)
        serve = sp.csr_matrix((np.ones(len(row)), (row, np.arange(len(row)))), shape=(len(jobs), len(row)))
        self._cost, self._penalty, self._serve, self._draw = bids.cost_gbp, penalty_gbp, serve, draw
        self._headroom = market.headroom_kw.ravel()[self._contested]
        self._carbon = carbon_kg(bids, market)

    def _problem(self, take: cp.Variable) -> tuple[Any, Any, Any]:
        """The problem, its headroom constraint and its carbon cap (None where nothing is scarce)."""
        served = self._serve @ take + self._unserved == 1
        constraints: list[Any] = [served]
        headroom = cap = None
        if self._contested.size:
            headroom = self._draw @ take <= self._headroom
            constraints.append(headroom)
        if self._market.carbon_cap_kg is not None:
            cap = self._carbon @ take <= self._market.carbon_cap_kg
            constraints.append(cap)
        objective = cp.Minimize(self._cost @ take + self._penalty @ self._unserved)
        return cp.Problem(objective, constraints), headroom, cap

    def relaxed(self) -> Cleared:
        """Clear with shares of bids; the duals are the next prices. :class:`SolverFailed` when HiGHS gives up."""
        problem, headroom, cap = self._problem(self._take)
        _solve(problem)
        prices = np.zeros(self._market.headroom_kw.size)
        if headroom is not None:
            prices[self._contested] = np.maximum(0.0, headroom.dual_value)
        carbon = 0.0 if cap is None else max(0.0, float(cap.dual_value))
        shape = self._market.headroom_kw.shape
        return Cleared(float(problem.value), Prices(prices.reshape(shape), carbon), np.asarray(self._take.value))

    def whole(self, time_limit_s: float, relative_gap: float) -> FloatArray | None:
        """Clear with whole bids only; (n,) of 0 and 1, or None when none was found in time."""
        problem, _, _ = self._problem(self._whole)
        try:
            _solve(problem, time_limit=time_limit_s, mip_rel_gap=relative_gap)
        except SolverFailed:
            return None
        return None if self._whole.value is None else np.round(self._whole.value)


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


def _solve(problem: Any, **options: float) -> None:
    """Solve with HiGHS on one thread, so that the same inputs give the same answer."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cvxpy warns of inaccurate solutions; the status below says the same
            problem.solve(solver=cp.HIGHS, warm_start=False, threads=1, random_seed=0, **options)
    except cp.SolverError as error:
        raise SolverFailed(f"HiGHS gave up on the master problem: {error}") from error
    if problem.status not in (*SOLVED, cp.USER_LIMIT):
        raise SolverFailed(f"the master problem came back {problem.status}")
