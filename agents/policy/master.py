"""The master problem: the policy agent's clearing of bids, in cvxpy.

minimise    energy over the scenarios (expected and CVaR) + other costs of bids taken + penalties of jobs not served
subject to  sum over bids k of job j of x_k + u_j = 1          every job served once, or its penalty paid
            u_j alike for all jobs of a gang
            every limit (agents/policy/limits.py)                duals: the prices
            x, u >= 0, and the site terms' own limits
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from agents.policy.limits import CarbonCaps, HardwareLimits, HeadroomLimits, Limit
from agents.policy.risk import RiskWeights
from agents.policy.terms import SiteTerm
from core.errors import SolverFailed
from core.market import NOWHERE, Market, Prices
from core.series import FloatArray, IntArray

SOLVED = (cp.OPTIMAL, cp.OPTIMAL_INACCURATE)


@dataclass(frozen=True, slots=True)
class Bids:
    """n bids of J jobs, several of one job.

    :param job: (n,) index among the J jobs; ``place`` (n,), ``power_kw`` (n, T) IT power.
    :param other_gbp: (n,) what a bid costs besides energy and carbon.
    :param penalty_gbp: (J,); ``gang`` (J,) its number or ``NOWHERE``; ``tenant_cap`` (J,).
    """

    job: IntArray
    place: IntArray
    power_kw: FloatArray
    other_gbp: FloatArray
    penalty_gbp: FloatArray
    gang: IntArray
    tenant_cap: IntArray


@dataclass(frozen=True, slots=True)
class Cleared:
    """A solved master: its objective, its duals as prices, and how much of each bid it takes (n,)."""

    objective_gbp: float
    prices: Prices
    share: FloatArray


def joined(parts: Sequence[Bids]) -> Bids:
    """The bids of several answers of the same jobs, each profile of a job once."""
    job, place, power, other = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("job", "place", "power_kw", "other_gbp")
    )
    mark = power @ np.random.default_rng(0).random(power.shape[1])
    keys = np.rec.fromarrays([job, place, np.round(mark, 9)])
    _, first = np.unique(keys, return_index=True)
    head = parts[0]
    return Bids(job[first], place[first], power[first], other[first], head.penalty_gbp, head.gang, head.tenant_cap)


class Master:
    """The master problem over one pool of bids.

    :param settled_gbp: (K,) energy of what is frozen, in each scenario.
    """

    def __init__(
        self, bids: Bids, market: Market, terms: Sequence[SiteTerm], risk: RiskWeights, settled_gbp: FloatArray
    ) -> None:
        self.bids = bids
        self._market, self._risk = market, risk
        self._take = cp.Variable(len(bids.job), nonneg=True)
        self._unserved = cp.Variable(len(bids.penalty_gbp), nonneg=True)
        drawn, costs, self._constraints = self._terms(terms, settled_gbp)
        self._limits: list[Limit] = [
            HeadroomLimits(market, bids, self._take, drawn),
            HardwareLimits(market, bids, self._take),
            CarbonCaps(market, bids, self._take),
        ]
        self._constraints += self._served() + [c for limit in self._limits for c in limit.constraints]
        energy, self._tail = self._energy(costs)
        other = bids.other_gbp @ self._take + bids.penalty_gbp @ self._unserved
        self._objective = energy + other + sum(cost for _, cost in costs)

    def _served(self) -> list[Any]:
        jobs, bids = len(self.bids.penalty_gbp), len(self.bids.job)
        serve = sp.csr_matrix((np.ones(bids), (self.bids.job, np.arange(bids))), shape=(jobs, bids))
        found = [serve @ self._take + self._unserved == 1]
        members = np.flatnonzero(self.bids.gang != NOWHERE)
        order = members[np.argsort(self.bids.gang[members], kind="stable")]
        pairs = [(a, b) for a, b in pairwise(order) if self.bids.gang[a] == self.bids.gang[b]]
        if pairs:
            one, other = (np.array(side) for side in zip(*pairs, strict=True))
            found.append(self._unserved[one] == self._unserved[other])
        return found

    def _terms(self, terms: Sequence[SiteTerm], settled_gbp: FloatArray) -> tuple[dict[int, Any], list[Any], list[Any]]:
        """Draw at the meter by site; for each term (and what is frozen) energy by scenario and own cost; limits."""
        drawn: dict[int, Any] = {}
        costs: list[Any] = [(settled_gbp, 0.0)]
        limits: list[Any] = []
        for term in terms:
            draw, own, own_limits = term.expression(np.zeros(self._market.shape[1]))
            drawn[term.site] = drawn.get(term.site, 0) + draw
            rates = self._market.scenario_gbp_per_kw[:, term.site] / self._market.pue[term.site]
            costs.append((rates @ draw, own))
            limits += own_limits
        return drawn, costs, limits

    def _energy(self, costs: list[Any]) -> tuple[Any, Any]:
        """Expected energy and its CVaR; the constraint whose duals are the tail's weights, None without risk."""
        site = self._market.place_site[self.bids.place]
        by_bid = np.einsum("kns,ns->kn", self._market.scenario_gbp_per_kw[:, site], self.bids.power_kw)
        total = by_bid @ self._take + sum(energy for energy, _ in costs)
        expected = self._risk.probability @ total
        if not self._risk.moves:
            return expected, None
        least, beyond = cp.Variable(), cp.Variable(len(self._risk.probability), nonneg=True)
        tail = beyond >= total - least
        self._constraints.append(tail)
        return (1 - self._risk.weight) * expected + self._risk.weight * (least + self._risk.most @ beyond), tail

    def relaxed(self, time_limit_s: float) -> Cleared | None:
        """Clear with shares of bids; the duals are the next prices. None when time runs out."""
        problem = cp.Problem(cp.Minimize(self._objective), self._constraints)
        if not _solved(problem, time_limit_s):
            return None
        free = self._market.free_prices()
        weights = self._risk.probability
        if self._tail is not None:
            tail = np.maximum(0.0, np.asarray(self._tail.dual_value)) / self._risk.weight
            weights = self._risk.mixed(tail)
        headroom, hardware, carbon = (limit.prices() for limit in self._limits)
        prices = Prices(headroom, hardware, carbon.reshape(free.carbon.shape), weights)
        return Cleared(float(problem.value), prices, np.asarray(self._take.value))


def _solved(problem: Any, time_limit_s: float) -> bool:
    """Solve with HiGHS on one thread, so that the same inputs give the same answer; False: no time, or no answer."""
    options = {"threads": 1, "random_seed": 0, "time_limit": time_limit_s}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cvxpy warns of inaccurate solutions; the status below says the same
            problem.solve(solver=cp.HIGHS, warm_start=False, highs_options=options)
    except cp.SolverError as error:
        raise SolverFailed(f"HiGHS gave up on the master problem: {error}") from error
    except ValueError:  # cvxpy found a status that has no solution to unpack
        return False
    return problem.status in SOLVED
