"""Plan files: the planner's output (docs/planner.md).

A plan holds what runs where, with a lower bound that anyone can recompute from its prices and the instance.
"""

from __future__ import annotations

from pydantic import Field

from core.instance import Course, SitePrices, Strict


class Assignment(Course):
    """What one job does."""

    job: str


class CounterOffer(Strict):
    """A change that would make the job feasible in what the plan leaves, and what that would cost.

    Extra costs are those of the course named here over the job's cheapest one within its own limits with every site
    empty; where its limits leave no course at all, they are the whole costs.

    :ivar change: one change, or two joined by "and", each the least that suffices.
    :ivar extra_gbp: money, and carbon at the carbon price, which nobody is charged; never negative.
    :ivar extra_cost_gbp: the money alone; like ``extra_carbon_kg`` it may be negative.
    :ivar site: where it would then run, from ``start_slot`` until ``end_slot``.
    """

    change: str
    extra_gbp: float
    extra_cost_gbp: float | None = None
    extra_carbon_kg: float | None = None
    site: str | None = None
    start_slot: int | None = None
    end_slot: int | None = None


class Unserved(Strict):
    """A job that the plan does not serve."""

    job: str
    reason: str
    counter_offers: tuple[CounterOffer, ...] = ()


class SitePower(Strict):
    """What a site's own terms do in each slot: IT kW of mining and inference, AC kW of its battery."""

    site: str
    mining_kw: tuple[float, ...] | None = None
    inference_kw: tuple[float, ...] | None = None
    charge_kw: tuple[float, ...] | None = None
    discharge_kw: tuple[float, ...] | None = None


class Plan(Strict):
    """A valid plan with its certificate: ``bound_gbp`` is below the objective of any valid plan.

    Prices and ``scenario_weights`` (one for each scenario, adding up to 1) are what the bound is recomputed from.
    """

    instance: str
    objective_gbp: float
    bound_gbp: float
    gap: float
    wall_s: float
    seed: int
    assignments: tuple[Assignment, ...]
    unserved: tuple[Unserved, ...]
    prices: tuple[SitePrices, ...]
    carbon_cap_price_gbp_per_kg: float
    tenant_carbon_prices_gbp_per_kg: dict[str, float] = Field(default_factory=dict)
    region_carbon_prices_gbp_per_kg: dict[str, float] = Field(default_factory=dict)
    scenario_weights: tuple[float, ...] = ()
    site_power: tuple[SitePower, ...] = ()
