"""Room kept for load that nobody has submitted yet.

Expected spikes are placed like jobs, by the same solver, in what the plan of the real jobs leaves free: no real job is
moved, made dearer or refused for their sake, and objective, bound and gap of the plan are those of the real jobs alone.
The room that they win is awarded to nobody and not offered for sale over Beckn, so the load that then arrives finds it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from loguru import logger

from agents.job.arrivals import ExpectedLoad
from agents.job.demand import VALUE_GBP_PER_KWH
from agents.negotiation import Effort
from agents.proposal import Figures, Stakes, drawn_kw, instance_of
from agents.solver import Solver
from core.errors import PlanError
from core.instance import Instance, JobInstance
from core.job import Tier
from core.plan import Assignment
from core.series import FloatArray
from core.slots import SLOT_HOURS, slots_between

EFFORT = Effort(time_limit_s=2.0)


def reserved_kw(
    expected: Sequence[ExpectedLoad],
    figures: Figures,
    planned: Sequence[Assignment],
    solver: Solver,
    carbon_price_gbp_per_tonne: float,
) -> FloatArray:
    """(S, T) at the meter: what is kept for the spikes among ``expected`` beside the ``planned`` assignments.

    Room that costs more than the load is worth is not kept; where the solver fails, none is, and the plan stands.
    """
    kept = np.zeros_like(figures.headroom_kw)
    bidders = bidders_of(expected, figures)
    if not bidders:
        return kept
    instance = instance_of(figures, {}, Stakes(carbon_price_gbp_per_tonne))
    residual = np.maximum(0.0, figures.unsold_kw - drawn_kw(planned, figures))
    room = dict(zip(figures.site_ids, residual.tolist(), strict=True))
    sites = tuple(site.model_copy(update={"headroom_kw": tuple(room[site.id])}) for site in instance.sites)
    try:
        outcome = solver.solve(_beside(instance, sites, bidders), 0, EFFORT)
    except PlanError as error:
        logger.warning("no room is kept for expected load: {}", error)
        return kept
    return drawn_kw(outcome.plan.assignments, figures)


def bidders_of(expected: Sequence[ExpectedLoad], figures: Figures) -> tuple[JobInstance, ...]:
    """The expected spikes that end within the horizon, as bidders at sites that have figures."""
    priced = {site for site, ok in zip(figures.site_ids, figures.priced, strict=True) if ok}
    found = []
    for number, load in enumerate(load for load in expected if load.spike):
        first = slots_between(figures.start, load.slot_start)
        last = min(first + load.deadline_slots, figures.slots)
        sites = tuple(site for site in load.site_ids if site in priced)
        if sites and first >= 0 and last - first >= load.duration_slots:
            found.append(_bidder(f"expected-{number}", load, sites, first, last))
    return tuple(found)


def _beside(instance: Instance, sites: tuple[object, ...], bidders: tuple[JobInstance, ...]) -> Instance:
    return instance.model_copy(update={"name": f"{instance.name}, expected", "sites": sites, "jobs": bidders})


def _bidder(name: str, load: ExpectedLoad, sites: tuple[str, ...], first: int, last: int) -> JobInstance:
    energy_kwh = load.power_kw * load.duration_slots * SLOT_HOURS
    return JobInstance(
        id=name,
        tenant=load.tenant,
        tier="spot",
        kind="block",
        earliest_slot=first,
        latest_slot=last,
        sites=sites,
        unserved_penalty_gbp=VALUE_GBP_PER_KWH[Tier.SPOT] * energy_kwh * load.probability,
        power_kw=load.power_kw,
        duration_slots=load.duration_slots,
    )
