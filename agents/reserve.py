"""Room kept for load that nobody has submitted yet.

An expected spike takes part in the negotiation like a job: it bids for the cheapest room in its window and pays its
price. Leaving it out costs less than leaving out any real job, so no real job is ever refused for its sake; what it
wins is awarded to nobody. The room is not offered for sale over Beckn, and the job that then arrives finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from agents.job.arrivals import ExpectedLoad
from agents.job.demand import VALUE_GBP_PER_KWH
from agents.negotiation import Outcome
from agents.proposal import Figures
from core.instance import Instance, JobInstance
from core.job import Tier
from core.series import FloatArray
from core.slots import SLOT_HOURS, slots_between

PREFIX = "~expected-"
"""No job's identifier may begin like this."""


def reservations(expected: Sequence[ExpectedLoad], figures: Figures) -> tuple[JobInstance, ...]:
    """The expected spikes that end within the horizon, as bidders at sites that have figures."""
    priced = {site for site, ok in zip(figures.site_ids, figures.priced, strict=True) if ok}
    found = []
    for number, load in enumerate(load for load in expected if load.spike):
        first = slots_between(figures.start, load.slot_start)
        last = min(first + load.deadline_slots, figures.slots)
        sites = tuple(site for site in load.site_ids if site in priced)
        if sites and first >= 0 and last - first >= load.duration_slots:
            found.append(_bidder(f"{PREFIX}{number}", load, sites, first, last))
    return tuple(found)


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


def with_reservations(instance: Instance, reserved: Sequence[JobInstance]) -> Instance:
    """The instance with expected load bidding beside its jobs."""
    return instance.model_copy(update={"jobs": (*instance.jobs, *reserved)}) if reserved else instance


def is_reservation(job_id: str) -> bool:
    """Whether a bidder stands for expected load."""
    return job_id.startswith(PREFIX)


def awarded(outcome: Outcome) -> Outcome:
    """The outcome for real jobs alone; its plan stays whole, because the certificate is about all that took part."""
    return replace(
        outcome,
        awards=tuple(award for award in outcome.awards if not is_reservation(award.job_id)),
        counters=tuple(counter for counter in outcome.counters if not is_reservation(counter.job_id)),
        options={job_id: options for job_id, options in outcome.options.items() if not is_reservation(job_id)},
    )


def reserved_kw(outcome: Outcome, figures: Figures) -> FloatArray:
    """(S, T) at the meter: what is kept for expected load."""
    kept = np.zeros_like(figures.headroom_kw)
    place = {site_id: row for row, site_id in enumerate(figures.site_ids)}
    for assignment in outcome.plan.assignments:
        if is_reservation(assignment.job):
            row = place[assignment.site]
            for first, last, power_kw in assignment.runs:
                kept[row, first:last] += power_kw * figures.pue[row, first:last]
    return kept
