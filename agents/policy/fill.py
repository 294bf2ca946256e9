"""The fill: from prices to a plan in which every job is whole and no limit is broken.

Jobs bid for what is still free; of the bids, taken in order, those that fit beside the ones before them are
accepted, and the rest bid again. Ruin and recreate then frees some jobs and fills again, keeping what is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.bid import NOWHERE, TOLERANCE_KW, BidBatch, Market, Prices
from core.series import FloatArray, IntArray

CHUNK = 256
Ask = Callable[[Prices, IntArray, FloatArray], BidBatch]
"""Asks the jobs for bids at prices, within residual kW (S, T) at the meter."""


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

    def copy(self) -> WholePlan:
        """An independent copy."""
        return WholePlan(
            self.site.copy(),
            self.power_kw.copy(),
            self.cost_gbp.copy(),
            self.carbon_kg.copy(),
            self.residual_kw.copy(),
            self.carbon_left_kg,
        )

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

    def remove(self, jobs: IntArray, market: Market) -> None:
        """Take jobs out and give back what they held."""
        served = jobs[self.site[jobs] != NOWHERE]
        np.add.at(self.residual_kw, self.site[served], self.power_kw[served] * market.pue[self.site[served]])
        self.carbon_left_kg += float(self.carbon_kg[served].sum())
        self.site[served] = NOWHERE
        self.power_kw[served] = 0.0
        self.cost_gbp[served] = np.inf
        self.carbon_kg[served] = 0.0


def fill(plan: WholePlan, jobs: IntArray, prices: Prices, penalty_gbp: FloatArray, ask: Ask, market: Market) -> None:
    """Place as many of ``jobs`` as fit and are worth it, in the order given; changes ``plan``."""
    waiting = jobs
    while waiting.size:
        bids = ask(prices, waiting, np.maximum(plan.residual_kw, 0.0))
        keen = np.flatnonzero(bids.found & (bids.cost_gbp < penalty_gbp[waiting]))
        if not keen.size:
            return
        bids = bids.take(keen)
        fits = fitting(bids, plan, market)
        if not fits.any():
            return
        plan.place(bids.take(np.flatnonzero(fits)), market)
        waiting = bids.job[~fits]


def fitting(bids: BidBatch, plan: WholePlan, market: Market) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(n,) True for bids that fit together when every earlier bid is counted too; the first bid within carbon fits."""
    draw = bids.power_kw * market.pue[bids.site]
    fits = np.zeros(len(bids.job), dtype=bool)
    for site in np.unique(bids.site):
        rows = np.flatnonzero(bids.site == site)
        before = np.zeros(draw.shape[1])
        for part in np.array_split(rows, max(1, len(rows) // CHUNK)):
            running = before + np.cumsum(draw[part], axis=0)
            over = (running > plan.residual_kw[site] + TOLERANCE_KW) & (draw[part] > 0)
            fits[part] = ~over.any(axis=1)
            before = running[-1]
    if np.isfinite(plan.carbon_left_kg):
        carbon = np.einsum("nt,nt->n", bids.power_kw, market.carbon_kg_per_kw[bids.site])
        fits &= np.cumsum(np.where(fits, carbon, 0.0)) <= plan.carbon_left_kg + 1e-9
    return fits


def neighbours(plan: WholePlan, jobs: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """A random job of ``jobs`` and up to ``count`` that share its site and slots, an unserved one among them."""
    unserved = jobs[plan.site[jobs] == NOWHERE]
    seeds = unserved if unserved.size and rng.random() < 0.5 else jobs
    seed = int(rng.choice(seeds))
    if plan.site[seed] == NOWHERE:
        others = rng.permutation(jobs[plan.site[jobs] != NOWHERE])[: count - 1]
    else:
        shared = np.einsum("nt,t->n", plan.power_kw[jobs] > 0, (plan.power_kw[seed] > 0).astype(float))
        near = jobs[(shared > 0) & ((plan.site[jobs] == plan.site[seed]) | (rng.random(len(jobs)) < 0.3))]
        others = rng.permutation(near)[: count - 1]
    return np.unique(np.append(others, seed))


def improve(
    plan: WholePlan,
    jobs: IntArray,
    prices: Prices,
    penalty_gbp: FloatArray,
    ask: Ask,
    market: Market,
    rng: np.random.Generator,
    carry_on: Callable[[float], bool],
) -> WholePlan:
    """Ruin and recreate while ``carry_on(objective)`` says so; returns the best plan found, never a worse one."""
    best = plan
    best_gbp = best.objective_gbp(jobs, penalty_gbp)
    while carry_on(best_gbp):
        trial = best.copy()
        ruined = neighbours(trial, jobs, int(rng.integers(3, 24)), rng)
        trial.remove(ruined, market)
        scale = float(rng.choice([0.0, 0.5, 1.0, 1.0]))
        guide = Prices(prices.headroom * scale, prices.carbon * scale)
        fill(trial, rng.permutation(ruined), guide, penalty_gbp, ask, market)
        trial_gbp = trial.objective_gbp(jobs, penalty_gbp)
        if trial_gbp <= best_gbp:
            best, best_gbp = trial, trial_gbp
    return best
