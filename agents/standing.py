"""The standing plan as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agents.explanation.explainer import Explainer
from agents.proposal import Figures
from core.explanation import Eta
from core.instance import Instance, SitePrices
from core.ledger import TickRecord
from core.plan import Plan
from core.series import BoolArray, FloatArray, KindArray
from core.slots import SLOT, slots_between


@dataclass(frozen=True, slots=True)
class StandingPlan:
    """The plan in force; (S, T) arrays over ``site_ids`` and ``slots`` half-hours from ``start``.

    ``headroom_kw`` and ``planned_kw`` are at the meter; what is booked over Beckn is ``sold_kw``, and where a contract
    moves load away jobs draw at most ``cap_kw``, which is infinite elsewhere. ``price_ends`` and ``carbon_ends`` are
    the lower and upper ends of the 90 % intervals.
    """

    start: datetime
    slots: int
    site_ids: tuple[str, ...]
    headroom_kw: FloatArray
    planned_kw: FloatArray
    sold_kw: FloatArray
    cap_kw: FloatArray
    reserved_kw: FloatArray
    pue: FloatArray
    price: FloatArray
    carbon: FloatArray
    price_kind: KindArray
    carbon_kind: KindArray
    price_ends: tuple[FloatArray, FloatArray]
    carbon_ends: tuple[FloatArray, FloatArray]
    prices_gbp_per_kw_slot: FloatArray
    tick: TickRecord | None

    @property
    def free_kw(self) -> FloatArray:
        """(S, T) at the meter: neither planned, nor sold, nor kept for load that is expected: what may be sold.

        Nothing where a contract moves load away: a buyer's load there would undo what was sold.
        """
        return np.where(self.reduced, 0.0, np.maximum(0.0, self.room_kw - self.reserved_kw))

    @property
    def reduced(self) -> BoolArray:
        """(S, T) cells in which a contract moves load away."""
        return np.isfinite(self.cap_kw)

    @property
    def room_kw(self) -> FloatArray:
        """(S, T) at the meter: neither planned nor sold, and below the caps: what a job that arrives now may use."""
        may_draw = np.minimum(self.headroom_kw - self.sold_kw, self.cap_kw)
        return np.asarray(np.maximum(0.0, may_draw - self.planned_kw))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a negotiation leaves beside its awards.

    :param scarcity: headroom prices of the sites that were in the instance.
    :param reserved_kw: (S, T) at the meter, room kept for expected load.
    """

    scarcity: Mapping[str, Sequence[float]]
    reserved_kw: FloatArray


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The plan in force as it was negotiated: what a trial plan begins from.

    :param figures: what it was made of, with bookings and caps as they were when it was put in force.
    :param begun: ids of jobs of which something was committed already.
    :param move_cost_gbp: charged to a plan that moves a job.
    """

    tick_id: str
    figures: Figures
    instance: Instance
    plan: Plan
    begun: frozenset[str]
    move_cost_gbp: float


def scarcity_of(plan: Plan) -> dict[str, Sequence[float]]:
    """The headroom prices of a plan by site."""
    return {price.site: price.headroom_gbp_per_kw_slot for price in plan.prices}


def standing_of(
    figures: Figures, planned: FloatArray, tick: TickRecord | None, kept: Kept | None = None
) -> StandingPlan:
    """The standing plan of a tick; ``kept`` is None where nothing was negotiated."""
    prices = np.zeros_like(figures.headroom_kw)
    for row, site_id in enumerate(figures.site_ids):
        if kept is not None and site_id in kept.scarcity:
            prices[row] = kept.scarcity[site_id]
    return StandingPlan(
        start=figures.start,
        slots=figures.slots,
        site_ids=figures.site_ids,
        headroom_kw=figures.headroom_kw,
        planned_kw=planned,
        sold_kw=figures.sold_kw,
        cap_kw=figures.cap_kw,
        reserved_kw=np.zeros_like(prices) if kept is None else kept.reserved_kw,
        pue=figures.pue,
        price=figures.price_gbp_per_kwh,
        carbon=figures.carbon_g_per_kwh,
        price_kind=figures.price_kind,
        carbon_kind=figures.carbon_kind,
        price_ends=(figures.price_low_gbp_per_kwh, figures.price_high_gbp_per_kwh),
        carbon_ends=(figures.carbon_low_g_per_kwh, figures.carbon_high_g_per_kwh),
        prices_gbp_per_kw_slot=prices,
        tick=tick,
    )


def opening_of(plan: StandingPlan | None, figures: Figures) -> tuple[SitePrices, ...]:
    """The prices that a plan stands at, for the slots of ``figures``; beyond its last slot headroom is free."""
    if plan is None or plan.tick is None:
        return ()
    passed = slots_between(plan.start, figures.start)
    found = []
    for prices in plan.prices_gbp_per_kw_slot:
        left = prices[max(0, passed) :][: figures.slots]
        found.append(np.concatenate([left, np.zeros(figures.slots - left.size)]))
    return tuple(
        SitePrices(site=site, headroom_gbp_per_kw_slot=tuple(prices.tolist()))
        for site, prices in zip(plan.site_ids, found, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """When there is room for a job that waits, its deadline aside, in the plan whose first slot is ``plan_start``.

    :param start: None where there is none, and ``reason`` says why.
    :param beyond_horizon: not within the plan, but on the day after it if headroom is as on its last day.
    """

    plan_start: datetime
    site_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    beyond_horizon: bool = False
    reason: str = ""


def waiting(explainer: Explainer, job_id: str) -> Waiting | None:
    """When there is room for a job; None where the plan serves it or does not know it."""
    found = explainer.eta(job_id)
    if not isinstance(found, Eta):
        return None if found is None else Waiting(explainer.start, reason=found)
    first, last = (explainer.start + SLOT * slot for slot in (found.start_slot, found.end_slot))
    return Waiting(explainer.start, found.site, first, last, found.beyond_horizon)
