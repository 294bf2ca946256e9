"""Jobs trading places, from one whole plan to a better one (agents/job/kernels/trades.py does the work)."""

from __future__ import annotations

import numpy as np

from agents.job.orders import Guides, Orders, Standing, Terms
from core.bid import NOWHERE, Market, Prices
from core.series import FloatArray, IntArray


class Trading:
    """The trials over one plan.

    :param jobs: the jobs that may move.
    :param guides: prices at which they are asked again; the first without a price of headroom.
    :param scarcity: (S, T) weights of sites and slots: where to look.
    """

    def __init__(
        self,
        orders: Orders,
        market: Market,
        penalty_gbp: FloatArray,
        jobs: IntArray,
        plan: Standing,
        guides: list[Prices],
        scarcity: FloatArray,
    ) -> None:
        from agents.job.kernels.trades import Scene, State  # brings the compiler, which only negotiations need

        guided = _guides(orders, jobs, [Terms.of(market, guide) for guide in guides])
        weights = np.cumsum(scarcity.ravel()) / scarcity.sum()
        self._scene = Scene(orders, jobs, Terms.of(market, guides[0]), guided, penalty_gbp, weights, guides[0].carbon)
        present = float(np.where(plan.site[jobs] == NOWHERE, penalty_gbp[jobs], plan.cost_gbp[jobs]).sum())
        same = np.zeros(len(plan.site), dtype=np.bool_)
        charged = present + guides[0].carbon * float(plan.carbon_kg[jobs].sum())
        objectives = np.array([present, charged])
        self._state = State(plan.copied(), plan.copied(), same, objectives, objectives.copy())

    @property
    def best(self) -> Standing:
        """The best plan seen, but for its residuals."""
        return self._state.best

    @property
    def best_gbp(self) -> float:
        """Objective of the best plan seen."""
        return float(self._state.least_gbp[0])

    def trade(self, warmth_gbp: FloatArray, seed: int) -> None:
        """Make a trial for each of ``warmth_gbp`` (n,): how much worse than the best it may be."""
        from agents.job.kernels.trades import trade  # brings the compiler, which only negotiations need

        trade(self._scene, self._state, warmth_gbp, seed)


def _guides(orders: Orders, jobs: IntArray, terms: list[Terms]) -> Guides:
    """What the jobs' courses are charged at least at each of ``terms``."""
    from agents.job.kernels.course import site_floors  # brings the compiler, which only negotiations need

    shape = (len(terms), *orders.at_site.shape)
    floors, sites = np.full(shape, np.inf), np.zeros(shape, dtype=np.int64)
    unlimited_kw = np.full(terms[0].charge.shape, np.inf)
    for number, announced in enumerate(terms):
        site_floors(orders, jobs, announced, unlimited_kw, floors[number], sites[number])
    charge = np.array([announced.charge for announced in terms])
    return Guides(charge, np.array([announced.order for announced in terms]), floors, sites)
