"""The certificate: a lower bound on the objective of any valid plan, recomputable from prices and instance.

For any prices ``lambda >= 0`` of headroom and ``mu >= 0`` of capped carbon, weak duality gives

    bound = sum_j min(penalty_j, least value of job j at these prices) - sum lambda * headroom - mu * cap

because a valid plan pays for no more headroom and carbon than there is. No solver has to be trusted: only the jobs'
least values, which each kind of job proves for itself (``BidBatch.floor_gbp``).
"""

from __future__ import annotations

import numpy as np

from core.bid import BidBatch, Market, Prices, carbon_kg, draw_kw
from core.series import FloatArray


def lower_bound_gbp(bids: BidBatch, penalty_gbp: FloatArray, prices: Prices, market: Market) -> float:
    """The bound that ``bids``, the unrestricted best answers to ``prices``, prove.

    :param penalty_gbp: (n,) what it costs not to serve each of the bidding jobs.
    """
    served = np.minimum(bids.floor_gbp, penalty_gbp).sum()
    capped = 0.0 if market.carbon_cap_kg is None else prices.carbon * market.carbon_cap_kg
    return float(served - (prices.headroom * market.headroom_kw).sum() - capped)


def excess(bids: BidBatch, penalty_gbp: FloatArray, market: Market) -> tuple[FloatArray, float]:
    """What the bids that beat their penalty draw beyond headroom (S, T), and beyond the carbon cap in kg.

    This is a supergradient of the bound; positive where there is too much demand.
    """
    willing = bids.take(np.flatnonzero(bids.value_gbp < penalty_gbp))
    over_kw = draw_kw(willing, market) - market.headroom_kw
    over_kg = 0.0 if market.carbon_cap_kg is None else float(carbon_kg(willing, market).sum()) - market.carbon_cap_kg
    return over_kw, over_kg


def gap(objective_gbp: float, bound_gbp: float) -> float:
    """Distance of a plan from the best possible, as a share of the bound; 0 when both are nought."""
    difference = max(0.0, objective_gbp - bound_gbp)
    if difference <= 1e-9:
        return 0.0
    return difference / abs(bound_gbp) if bound_gbp else float("inf")
