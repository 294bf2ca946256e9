"""The fill: from prices to a plan in which every job is whole and no limit is broken.

Jobs bid in turn, each for what those before it have left. Ruin and recreate then takes out a few jobs that share a
scarce site and time, has them bid again in another order or at other prices, and keeps what is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from core.bid import NOWHERE, TOLERANCE_KW, BidBatch, Market, Prices
from core.series import BoolArray, FloatArray, IntArray

GUIDES = 12
TRIALS_AT_ONCE = 100
WARMTH = 3e-4
"""a trial may be this share of the objective worse than the plan it is made from, at the beginning"""
AskInTurn = Callable[[Prices, IntArray, FloatArray, float, FloatArray], BidBatch]
"""Asks jobs in turn for bids at prices, within residual kW (S, T) and kg, each below its ceiling in GBP."""


@dataclass(slots=True)
class WholePlan:
    """Every job's profile, or none.

    :param site: (J,) site index or ``NOWHERE``.
    :param power_kw: (J, T) IT power.
    :param cost_gbp: (J,) cost where served, inf elsewhere.
    :param carbon_kg: (J,) carbon where served, 0 elsewhere.
    :param residual_kw: (S, T) at the meter, what is left.
    """

    site: IntArray
    power_kw: FloatArray
    cost_gbp: FloatArray
    carbon_kg: FloatArray
    residual_kw: FloatArray
    carbon_left_kg: float

    @classmethod
    def empty(cls, jobs: int, market: Market) -> WholePlan:
        """Nothing placed."""
        slots = market.pue.shape[1]
        left = np.inf if market.carbon_cap_kg is None else market.carbon_cap_kg
        return cls(
            np.full(jobs, NOWHERE, dtype=np.int64),
            np.zeros((jobs, slots)),
            np.full(jobs, np.inf),
            np.zeros(jobs),
            market.headroom_kw.copy(),
            left,
        )

    @classmethod
    def of(cls, market: Market, site: IntArray, power_kw: FloatArray, cost_gbp: FloatArray) -> WholePlan:
        """The plan of given profiles, with what they leave worked out anew."""
        plan = cls.empty(len(site), market)
        served = np.flatnonzero(site != NOWHERE)
        cost = cost_gbp[served]
        plan.place(BidBatch(served, site[served], power_kw[served], cost, cost, cost), market)
        return plan

    def objective_gbp(self, jobs: IntArray, penalty_gbp: FloatArray) -> float:
        """Cost of the served and penalties of the unserved among ``jobs``."""
        return float(np.where(self.site[jobs] == NOWHERE, penalty_gbp[jobs], self.cost_gbp[jobs]).sum())

    def place(self, bids: BidBatch, market: Market) -> None:
        """Put bids that are known to fit into the plan."""
        self.site[bids.job] = bids.site
        self.power_kw[bids.job] = bids.power_kw
        self.cost_gbp[bids.job] = bids.cost_gbp
        carbon = np.einsum("nt,nt->n", bids.power_kw, market.carbon_kg_per_kw[bids.site])
        self.carbon_kg[bids.job] = carbon
        self.carbon_left_kg -= float(carbon.sum())
        np.subtract.at(self.residual_kw, bids.site, bids.power_kw * market.pue[bids.site])


def fill(
    plan: WholePlan, jobs: IntArray, prices: Prices, penalty_gbp: FloatArray, ask: AskInTurn, market: Market
) -> None:
    """Place as many of ``jobs`` as fit and are worth it at ``prices``, in the order given; changes ``plan``."""
    bids = ask(prices, jobs, plan.residual_kw, plan.carbon_left_kg, penalty_gbp[jobs])
    plan.place(bids.take(np.flatnonzero(bids.found)), market)


def fitting(bids: BidBatch, plan: WholePlan, market: Market) -> BoolArray:
    """(n,) True for bids that fit into the plan together, when every earlier bid is counted whether it fits or not."""
    draw = bids.power_kw * market.pue[bids.site]
    fits = np.zeros(len(bids.job), dtype=np.bool_)
    for site in np.unique(bids.site):
        rows = np.flatnonzero(bids.site == site)
        over = (np.cumsum(draw[rows], axis=0) > plan.residual_kw[site] + TOLERANCE_KW) & (draw[rows] > 0)
        fits[rows] = ~over.any(axis=1)
    if np.isfinite(plan.carbon_left_kg):
        carbon = np.einsum("nt,nt->n", bids.power_kw, market.carbon_kg_per_kw[bids.site])
        fits &= np.cumsum(np.where(fits, carbon, 0.0)) <= plan.carbon_left_kg + 1e-9
    return fits


def guides(prices: Prices, rng: np.random.Generator) -> list[Prices]:
    """Prices to recreate at: without a price of headroom, the given ones, and the given ones in error."""
    made = [Prices(np.zeros_like(prices.headroom), prices.carbon), prices]
    for scale in rng.uniform(0.5, 1.2, GUIDES - len(made)).tolist():
        noise = rng.lognormal(0.0, 0.08, prices.headroom.shape)
        made.append(Prices(scale * noise * prices.headroom, prices.carbon))
    return made


def scarcity(prices: Prices) -> FloatArray:
    """(S, T): how often to look at a site and slot: as its headroom is priced, the others now and then."""
    return np.asarray(prices.headroom + 0.05 * prices.headroom.mean() + 1e-9, dtype=np.float64)


class Trading(Protocol):
    """Jobs trading places."""

    @property
    def best_gbp(self) -> float:
        """Objective of the best plan seen."""
        ...

    def trade(self, warmth_gbp: FloatArray, seed: int) -> None:
        """Make a trial for each of ``warmth_gbp`` (n,): how much worse than the best it may be."""
        ...


def improve(trading: Trading, trials: int, rng: np.random.Generator, enough: Callable[[float], bool]) -> None:
    """Ruin and recreate for ``trials`` or until ``enough(best objective)``, warm at first and then colder."""
    warmth = WARMTH * abs(trading.best_gbp) * np.linspace(1.0, 0.0, max(trials, 1)) ** 2
    for start in range(0, trials, TRIALS_AT_ONCE):
        if enough(trading.best_gbp):
            return
        trading.trade(warmth[start : start + TRIALS_AT_ONCE], int(rng.integers(2**31)))
