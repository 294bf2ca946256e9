"""What a site does besides jobs: one class a term, each with its price response, its proof and its cvxpy expression.

A term draws power at its site's meter. ``rate`` is what one kW at the meter costs for one slot, energy, carbon and
scarcity together, (T,) GBP. A new term is one module here and one line in :func:`terms_of`.
"""

from __future__ import annotations

from agents.policy.terms.battery import BatteryTerm
from agents.policy.terms.inference import InferenceTerm
from agents.policy.terms.mining import MiningTerm
from agents.policy.terms.term import Schedule, SiteTerm, terms_cost
from core.instance import Instance
from core.market import Market

__all__ = ["BatteryTerm", "InferenceTerm", "MiningTerm", "Schedule", "SiteTerm", "terms_cost", "terms_of"]


def terms_of(instance: Instance, market: Market) -> tuple[SiteTerm, ...]:
    """The terms of an instance's sites; where they compete for headroom, the first ones choose first."""
    kinds = (("battery", BatteryTerm), ("inference", InferenceTerm), ("mining", MiningTerm))
    return tuple(
        make(site, getattr(given, name), market.pue[site], instance.slots)
        for name, make in kinds
        for site, given in enumerate(instance.sites)
        if getattr(given, name) is not None
    )
