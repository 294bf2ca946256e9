"""The certificate: how far a plan can be from the best possible one (docs/planner.md)."""

from __future__ import annotations

from collections.abc import Sequence

from agents.policy.terms import SiteTerm
from core.market import Market, Prices


def lower_bound_gbp(jobs_gbp: float, terms: Sequence[SiteTerm], prices: Prices, market: Market) -> float:
    """Least cost of any valid plan, as the jobs' least charges at ``prices`` and the terms' prove it."""
    rate = market.cost_gbp_per_kw(prices.weights) / market.pue + prices.headroom
    sites = sum(term.floor_gbp(rate[term.site]) for term in terms)
    return jobs_gbp + sites - market.scarcity_gbp(prices)


def gap(objective_gbp: float, bound_gbp: float) -> float:
    """Distance of a plan from the best possible, as a share of the bound; 0 when both are nought."""
    difference = max(0.0, objective_gbp - bound_gbp)
    if difference <= 1e-9:
        return 0.0
    return difference / abs(bound_gbp) if bound_gbp else float("inf")
