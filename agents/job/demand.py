"""Demand: open jobs as the negotiation sees them, less what has been committed already.

A job that has begun keeps its site. Of a block, what is left is frozen; of a pausable or throttlable job, what is
left is still movable at that site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from core.instance import Course, Frozen, JobInstance, Run
from core.job import AVAILABILITY_OF_TIER, FlexibilityType, Job, JobStatus, Tier
from core.ledger import SlotEntry
from core.slots import slots_between

VALUE_GBP_PER_KWH = {Tier.PREMIUM: 10.0, Tier.STANDARD: 4.0, Tier.FLEXIBLE: 1.5, Tier.SPOT: 0.5}
"""What leaving out a kWh of IT work costs, by tier: an assumption that ranks the tiers; spot waits above 50 p/kWh."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One job's demand from ``start`` on: as a bidder, and frozen where nothing may move. None: nothing is left.

    ``begun``: something of it is committed already.
    """

    instance: JobInstance | None
    frozen: Frozen | None
    begun: bool = False


def demand(
    job: Job,
    rows: Sequence[SlotEntry],
    sites: tuple[str, ...],
    start: datetime,
    slots: int,
    move_cost_gbp: float = 0.0,
) -> Demand:
    """What ``job`` still needs in ``slots`` slots from ``start``.

    :param rows: the job's planned rows, in order of time; those before ``start`` are committed.
    :param sites: ids of the sites that it may use.
    :param move_cost_gbp: charged to a plan that moves it; a job that is planned keeps its course unless that pays.
    """
    committed = committed_rows(rows, start)
    coming = [row for row in rows if row.slot_start >= start]
    begun = bool(committed) or job.status in (JobStatus.RUNNING, JobStatus.PAUSED)
    if job.flexibility_type in (FlexibilityType.FIXED, FlexibilityType.DEFERRABLE) and begun:
        return _frozen_rest(job, coming, start, slots)
    left = _work_left(job, committed)
    if left <= 1e-9:
        return Demand(None, None)
    places = (committed[0].site_id,) if committed else sites
    bidder = _bidder(job, left, places, start, slots, tier=Tier.PREMIUM if committed else job.tier)
    runs = tuple(run for run in frozen_runs(coming, start) if run[1] <= slots)
    if runs and move_cost_gbp > 0 and coming[0].site_id in places:
        standing = Course(site=coming[0].site_id, runs=runs)
        bidder = bidder.model_copy(update={"planned": standing, "move_cost_gbp": move_cost_gbp})
    return Demand(bidder, None, begun)


def committed_rows(rows: Sequence[SlotEntry], start: datetime) -> list[SlotEntry]:
    """Rows before ``start``, less those that passed without anything delivered: a missed slot is still to do."""
    return [row for row in rows if row.slot_start < start and row.delivered_kwh != 0.0]


def _work_left(job: Job, committed: Sequence[SlotEntry]) -> float:
    """Slots at full power still to do."""
    if not job.levels:
        return float(job.work_slots - len(committed))
    pace = {round(level.power_kw, 6): level.work_per_slot for level in job.levels}
    return job.work_slots - sum(pace.get(round(row.power_kw, 6), 0.0) for row in committed)


def _window(job: Job, start: datetime, slots: int) -> tuple[int, int]:
    """Window in slots of the instance; a fixed job has room for nothing but itself."""
    first = max(0, slots_between(start, job.first_slot))
    last = min(slots, slots_between(start, job.window_end))
    if job.flexibility_type is FlexibilityType.FIXED:
        last = min(last, first + job.work_slots)
    return first, max(last, 0)


def _bidder(job: Job, left: float, sites: tuple[str, ...], start: datetime, slots: int, *, tier: Tier) -> JobInstance:
    """``tier`` is what leaving the job out costs: one under way counts as premium, so that no other displaces it."""
    first, last = _window(job, start, slots)
    figures: dict[str, object]
    if job.levels:
        levels = tuple(level for level in job.levels)
        figures = {"kind": "elastic", "levels": levels, "work": left}
    else:
        pausable = job.flexibility_type is FlexibilityType.PAUSABLE
        figures = {
            "kind": "pausable" if pausable else "block",
            "power_kw": job.power_kw,
            "duration_slots": round(left),
            "pause_cost_gbp": job.pause_cost_gbp if pausable else None,
        }
    return JobInstance.model_validate(
        figures
        | {
            "id": job.job_id,
            "tenant": job.tenant,
            "tier": job.tier.value,
            "earliest_slot": min(first, slots),
            "latest_slot": last,
            "sites": sites,
            "availability": AVAILABILITY_OF_TIER[job.tier],
            "unserved_penalty_gbp": VALUE_GBP_PER_KWH[tier] * job.it_energy_kwh,
            "max_price_gbp_per_kwh": job.max_price_gbp_per_kwh,
            "max_carbon_g_per_kwh": job.carbon_cap_g_per_kwh,
        }
    )


def _frozen_rest(job: Job, coming: Sequence[SlotEntry], start: datetime, slots: int) -> Demand:
    if not coming:
        return Demand(None, None)
    runs = tuple(run for run in frozen_runs(coming, start) if run[0] < slots)
    bidder = _bidder(job, float(len(coming)), (coming[0].site_id,), start, slots, tier=job.tier)
    return Demand(bidder, Frozen(job=job.job_id, site=coming[0].site_id, runs=runs), begun=True)


def frozen_runs(rows: Sequence[SlotEntry], start: datetime) -> tuple[Run, ...]:
    """Rows as runs of constant power in slots from ``start``."""
    placed = [(slots_between(start, row.slot_start), row.power_kw) for row in rows]
    runs = []
    for _, group in groupby(enumerate(placed), key=lambda item: (item[1][0] - item[0], item[1][1])):
        members = [slot_power for _, slot_power in group]
        runs.append((members[0][0], members[-1][0] + 1, members[0][1]))
    return tuple(runs)
