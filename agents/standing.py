"""The standing plan as arrays, and previews of jobs that are not submitted, against what it leaves free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from accounting.baselines import BaselineDemand, run_at_submission
from agents.job.book import JobBook
from agents.job.demand import demand
from agents.proposal import Figures
from core.bid import Market, Prices
from core.instance import Instance, JobInstance, Plan, SiteInstance
from core.job import Job
from core.ledger import TickRecord
from core.series import BoolArray, FloatArray, Kind, KindArray
from core.slots import SLOT, SLOT_HOURS, slots_between


@dataclass(frozen=True, slots=True)
class StandingPlan:
    """The plan in force; (S, T) arrays over ``site_ids`` and ``slots`` half-hours from ``start``.

    ``headroom_kw`` and ``planned_kw`` are at the meter; what is booked over Beckn is ``sold_kw``. ``price_ends`` and
    ``carbon_ends`` are the lower and upper ends of the 90 % intervals.
    """

    start: datetime
    slots: int
    site_ids: tuple[str, ...]
    headroom_kw: FloatArray
    planned_kw: FloatArray
    sold_kw: FloatArray
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
        """(S, T) at the meter: neither planned, nor sold, nor kept for load that is expected: what may be sold."""
        return np.asarray(np.maximum(0.0, self.room_kw - self.reserved_kw))

    @property
    def room_kw(self) -> FloatArray:
        """(S, T) at the meter: neither planned nor sold: what a job that arrives now may use."""
        return np.asarray(np.maximum(0.0, self.headroom_kw - self.planned_kw - self.sold_kw))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a negotiation leaves beside its awards.

    :param scarcity: headroom prices of the sites that were in the instance.
    :param reserved_kw: (S, T) at the meter, room kept for expected load.
    """

    scarcity: Mapping[str, Sequence[float]]
    reserved_kw: FloatArray


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


@dataclass(frozen=True, slots=True)
class Window:
    """One way to run a job: where, when, and what it would cost; between which ends if every slot errs the same way."""

    site_id: str
    start: datetime
    end: datetime
    cost_gbp: float
    carbon_kg: float
    kinds: tuple[str, ...]
    cost_low_gbp: float
    cost_high_gbp: float
    carbon_low_kg: float
    carbon_high_kg: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What a job would cost now and at best; ``reason`` says why there is no best."""

    now: Window | None
    best: Window | None
    reason: str | None = None


def preview(job: Job, sites: tuple[str, ...], plan: StandingPlan, carbon_price_gbp_per_tonne: float) -> Preview:
    """Price ``job`` against what ``plan`` leaves free, without a solve."""
    priced: BoolArray = np.asarray(np.isfinite(plan.price + plan.carbon).all(axis=1))
    usable = tuple(site for site, ok in zip(plan.site_ids, priced, strict=True) if ok and site in sites)
    wanted = demand(job, (), usable, plan.start, plan.slots).instance
    if wanted is None or not usable:
        return Preview(None, None, "none of its sites has a price and a carbon figure for the whole horizon")
    instance = _instance(plan, wanted, priced, carbon_price_gbp_per_tonne)
    market = Market.of(instance)
    free = plan.room_kw[priced]
    bid = JobBook(instance, market).bids(Prices.zero(market), residual_kw=free)
    rows = np.flatnonzero(priced)
    now = _at_submission(job, usable, plan)
    if not bid.found[0]:
        return Preview(now, None, "no site has enough headroom left in its window within its limits")
    site = int(rows[int(bid.site[0])])
    return Preview(now, _window(plan, site, bid.power_kw[0]))


def _instance(plan: StandingPlan, wanted: JobInstance, priced: BoolArray, carbon_price: float) -> Instance:
    """An instance of one job; its arrays are the plan's own, which are valid already."""
    return Instance.model_construct(
        name="preview",
        start=plan.start,
        slots=plan.slots,
        carbon_price_gbp_per_tonne=carbon_price,
        carbon_cap_kg=None,
        sites=tuple(
            SiteInstance.model_construct(
                id=plan.site_ids[row],
                region=plan.site_ids[row],
                headroom_kw=tuple(plan.headroom_kw[row].tolist()),
                price_gbp_per_kwh=tuple(plan.price[row].tolist()),
                carbon_g_per_kwh=tuple(plan.carbon[row].tolist()),
                pue=tuple(plan.pue[row].tolist()),
            )
            for row in np.flatnonzero(priced).tolist()
        ),
        jobs=(wanted,),
        frozen=(),
    )


def _at_submission(job: Job, sites: tuple[str, ...], plan: StandingPlan) -> Window | None:
    """What running at once would cost: the baseline policy against what is free."""
    rows = tuple(row for row, site in enumerate(plan.site_ids) if site in sites)
    first = max(0, slots_between(plan.start, job.first_slot))
    asked = BaselineDemand(job.job_id, rows, first, job.work_slots, job.power_kw)
    placed = run_at_submission([asked], plan.room_kw, plan.pue)[0]
    if placed.site_index is None or placed.start_slot is None:
        return None
    power = np.zeros(plan.slots)
    power[placed.start_slot : placed.start_slot + job.work_slots] = job.power_kw
    return _window(plan, placed.site_index, power)


def _window(plan: StandingPlan, site: int, power_kw: FloatArray) -> Window:
    """A profile (T,) at a site, with its worth and the kinds of figures it rests on."""
    used = np.flatnonzero(power_kw)
    energy = (power_kw * plan.pue[site] * SLOT_HOURS)[used]
    codes = set(plan.price_kind[site, used].tolist()) | set(plan.carbon_kind[site, used].tolist())
    cost_low, cost_high = (float(energy @ ends[site, used]) for ends in plan.price_ends)
    carbon_low, carbon_high = (float(energy @ ends[site, used] / 1000) for ends in plan.carbon_ends)
    return Window(
        site_id=plan.site_ids[site],
        start=plan.start + SLOT * int(used[0]),
        end=plan.start + SLOT * (int(used[-1]) + 1),
        cost_gbp=float((energy * plan.price[site, used]).sum()),
        carbon_kg=float((energy * plan.carbon[site, used]).sum() / 1000),
        kinds=tuple(Kind(code).label for code in sorted(codes)),
        cost_low_gbp=cost_low,
        cost_high_gbp=cost_high,
        carbon_low_kg=carbon_low,
        carbon_high_kg=carbon_high,
    )
