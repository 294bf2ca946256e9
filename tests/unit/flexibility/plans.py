"""Small plans in force, made of random instances, and figures that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.flexibility.movable import MovableLoad
from agents.flexibility.present import Present, present_of
from agents.negotiation import Effort, negotiate
from agents.proposal import Figures, drawn_kw
from agents.standing import Kept, Negotiated, scarcity_of, standing_of
from core.instance import Instance, JobInstance, SiteInstance
from core.series import FloatArray, Kind
from tests.unit.planning import START

MOVE_GBP = 0.05


def figures_of(instance: Instance) -> Figures:
    """The quotes that an instance was made of, nothing sold."""

    def table(field: str) -> FloatArray:
        rows = [np.broadcast_to(getattr(site, field), instance.slots) for site in instance.sites]
        return np.array(rows, dtype=np.float64)

    headroom, price, carbon = table("headroom_kw"), table("price_gbp_per_kwh"), table("carbon_g_per_kwh")
    kinds = np.full(headroom.shape, Kind.FORECAST, dtype=np.int8)
    return Figures(
        start=instance.start,
        site_ids=tuple(site.id for site in instance.sites),
        zones=tuple(site.region for site in instance.sites),
        availability=(0.999,) * len(instance.sites),
        headroom_kw=headroom,
        sold_kw=np.zeros_like(headroom),
        pue=table("pue"),
        price_gbp_per_kwh=price,
        carbon_g_per_kwh=carbon,
        price_kind=kinds,
        carbon_kind=kinds,
        price_low_gbp_per_kwh=price,
        price_high_gbp_per_kwh=price,
        carbon_low_g_per_kwh=carbon,
        carbon_high_g_per_kwh=carbon,
        cap_kw=np.full_like(headroom, np.inf),
    )


def planned(instance: Instance, begun: Sequence[str] = ()) -> Negotiated:
    """The instance, and a plan for it."""
    plan = negotiate(instance, 1, Effort(time_limit_s=5)).plan
    return Negotiated("tick-1", figures_of(instance), instance, plan, frozenset(begun), MOVE_GBP)


def present(negotiated: Negotiated, first: int = 0) -> Present:
    """All of its jobs are still open."""
    return present_of(negotiated, negotiated.figures, first, {job.id for job in negotiated.instance.jobs})


def movable(negotiated: Negotiated, first: int = 0, reserved_kw: float = 0.0) -> MovableLoad:
    """What may be moved of a plan from slot ``first`` on."""
    figures, now = negotiated.figures, present(negotiated, first)
    kept = Kept(scarcity_of(negotiated.plan), np.full_like(figures.headroom_kw, reserved_kw))
    drawn = drawn_kw(negotiated.plan.assignments, figures)
    return MovableLoad.of(now, standing_of(figures, drawn, None, kept))


def job(
    job_id: str, kind: str = "block", *, first: int = 0, last: int = 8, slots: int = 2, **changes: Any
) -> JobInstance:
    """10 kW at any of two sites."""
    fields: dict[str, Any] = {
        "id": job_id,
        "kind": kind,
        "earliest_slot": first,
        "latest_slot": last,
        "sites": ("a", "b"),
        "unserved_penalty_gbp": 50.0,
        "power_kw": 10.0,
        "duration_slots": slots,
        "pause_cost_gbp": 0.1 if kind == "pausable" else None,
    }
    return JobInstance.model_validate(fields | changes)


def two_sites(*jobs: JobInstance, price: Sequence[float] = (0.1,) * 8, headroom_kw: float = 100.0) -> Instance:
    """Site b costs twice what a does; carbon 100 g/kWh, a PUE of 1, no carbon price."""
    sites = tuple(
        SiteInstance(
            id=name,
            region="GB",
            headroom_kw=(headroom_kw,) * len(price),
            price_gbp_per_kwh=tuple(times * each for each in price),
            carbon_g_per_kwh=(100.0,) * len(price),
            pue=1.0,
        )
        for name, times in (("a", 1), ("b", 2))
    )
    return Instance(
        name="two sites", start=START, slots=len(price), carbon_price_gbp_per_tonne=0, sites=sites, jobs=jobs
    )
