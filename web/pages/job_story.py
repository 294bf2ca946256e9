"""One job's story: its window on the curves, why here and why then, what it saved, what was delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounting.savings import savings_by_job
from audit.record import Record
from core.job import MAX_WINDOW, Job, JobStatus
from core.ledger import Leg, SlotEntry
from core.series import Series
from core.site import Site
from core.slots import SLOT, SLOT_HOURS, slot_ceil, slot_floor, slots_between
from web.pages.curves import Curves, Mark, chart_data, price_and_carbon, published_end, windows
from web.pages.drawing import drawing
from web.pages.home import default_zone
from web.pages.places import site_names
from web.pages.reasoning import reasoning
from web.services import Services
from web.statements import claim_of_job

MOST_RECORDS = 50
_STEPS = (JobStatus.PENDING, JobStatus.SCHEDULED, JobStatus.RUNNING, JobStatus.COMPLETED)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the lifecycle line: ``past``, ``present``, ``ended-badly`` or ``ahead``."""

    word: str
    state: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """IT energy measured in the slots that have passed, against what was planned for those slots."""

    measured_kwh: float
    planned_kwh: float
    slots_passed: int
    slots: int


def story(services: Services, job: Job) -> dict[str, Any]:
    """Everything the page of one job shows."""
    entries = services.ledger.entries(job_id=job.job_id)
    plan = [entry for entry in entries if entry.leg is Leg.PLAN]
    baseline = [entry for entry in entries if entry.leg is Leg.BASELINE]
    records, record_count = services.log.records(job_id=job.job_id, limit=MOST_RECORDS)
    decision = newest(records, "decision")
    site = services.sites.get(job.site_id) if job.site_id else None
    savings = savings_by_job(services.ledger.totals_by_job([job.job_id]))
    return {
        "job": job,
        "steps": steps(job, entered(job, plan)),
        "site": site,
        "site_names": site_names(services),
        "plan": plan,
        "plan_windows": windows(plan),
        "baseline_windows": windows(baseline),
        "baseline_site": baseline[0].site_id if baseline else None,
        "savings": next(iter(savings), None),
        "delivery": delivery(plan),
        "claim": claim_of_job(services.log, job.job_id, services.clock.now()),
        "decision": decision,
        "why": reasoning(decision.body) if decision is not None else None,
        "waiting": services.loop.waiting(job.job_id) if job.status is JobStatus.PENDING else None,
        **explained(services, decision),
        "records": records,
        "record_count": record_count,
        "output": services.dispatcher.output(job.job_id) if job.command else None,
        **chart(services, job, site, plan, baseline),
    }


def explained(services: Services, decision: Record | None) -> dict[str, Any]:
    """A decision in the words that are ready, and whether better ones may be asked for."""
    if decision is None:
        return {}
    advisor = services.advisor
    return {"explanation": advisor.at_hand(decision.body), "ask_advisor": advisor.may_reword(decision.body)}


def entered(job: Job, plan: Sequence[SlotEntry]) -> frozenset[JobStatus]:
    """The states that a job must have gone through, as far as its record shows."""
    reached = {JobStatus.PENDING, job.status}
    if job.site_id is not None or plan:
        reached.add(JobStatus.SCHEDULED)
    if job.exit_status is not None or any(entry.delivered_kwh for entry in plan):
        reached.add(JobStatus.RUNNING)
    if job.status in {JobStatus.COMPLETED, JobStatus.PAUSED}:
        reached |= {JobStatus.SCHEDULED, JobStatus.RUNNING}
    return frozenset(reached)


def steps(job: Job, reached: frozenset[JobStatus]) -> list[Step]:
    """The lifecycle as a line; a job that failed or was cancelled ends with that step instead."""
    line: list[JobStatus] = list(_STEPS)
    if job.status is JobStatus.PAUSED:
        line.insert(3, JobStatus.PAUSED)
    if job.status in {JobStatus.FAILED, JobStatus.CANCELLED}:
        line = [status for status in line[:3] if status in reached] + [job.status]
    return [Step(status.value, _state(status, job.status, reached)) for status in line]


def _state(step: JobStatus, present: JobStatus, reached: frozenset[JobStatus]) -> str:
    if step is present:
        return "ended-badly" if step is JobStatus.FAILED else "present"
    return "past" if step in reached else "ahead"


def delivery(plan: Sequence[SlotEntry]) -> Delivery | None:
    """What was measured so far, None before the first slot has passed."""
    passed = [entry for entry in plan if entry.delivered_kwh is not None]
    if not passed:
        return None
    return Delivery(
        measured_kwh=sum(entry.delivered_kwh or 0.0 for entry in passed),
        planned_kwh=sum(entry.power_kw * SLOT_HOURS for entry in passed),
        slots_passed=len(passed),
        slots=len(plan),
    )


def newest(records: Sequence[Record], kind: str) -> Record | None:
    """The newest record of a kind; ``records`` are newest first."""
    return next((record for record in records if record.kind == kind), None)


def chart(
    services: Services, job: Job, site: Site | None, plan: list[SlotEntry], baseline: list[SlotEntry]
) -> dict[str, Any]:
    """The job's window on price and carbon of its site's zone, planned and baseline slots shaded."""
    zone = site.zone if site else default_zone(services)
    now = slot_floor(services.clock.now())
    start = min([slot_floor(job.earliest_start), *(entry.slot_start for entry in baseline + plan)])
    count = min(slots_between(start, slot_ceil(job.latest_finish)), slots_between(start, start + MAX_WINDOW) + 1)
    price, carbon = figures(services, zone, start, max(1, count), now)
    curves = Curves(
        description=f"Price and carbon intensity in {zone} over the window of job {job.job_name}.",
        panels=price_and_carbon(price, carbon),
        plan=windows(plan),
        baseline=windows(baseline),
        marks=_marks(price, now),
    )
    return {"zone": zone, "chart": chart_data(curves), "drawing": drawing(curves)}


def figures(services: Services, zone: str, start: datetime, slots: int, now: datetime) -> tuple[Series, Series]:
    """Price and carbon from ``start``: what is known of the past, what is quoted from the present slot on."""
    past = max(0, min(slots, slots_between(start, now)))
    ahead = slots - past
    if not ahead:
        return services.energy.observed(zone, start, slots)
    quote = services.energy.quote((zone,), start + SLOT * past, ahead)
    price, carbon = quote.price[zone], quote.carbon[zone]
    if not past:
        return price, carbon
    known_price, known_carbon = services.energy.observed(zone, start, past)
    return known_price.window(start, slots).overlay(price), known_carbon.window(start, slots).overlay(carbon)


def _marks(price: Series, now: datetime) -> tuple[Mark, ...]:
    marks = [Mark(now, "now")] if price.start < now < price.end else []
    end = published_end(price)
    return (*marks, Mark(end, "published prices end", 0)) if end else tuple(marks)
