"""What a new plan changes in the standing one: courses compared slot by slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from agents.job.demand import Demand
from agents.messages import Award
from agents.proposal import Figures, rows_of
from core.job import Job, JobStatus
from core.ledger import Leg, SlotEntry

Course = frozenset[tuple[str, datetime, float]]


def course_of(rows: Sequence[SlotEntry]) -> Course:
    """Where, when and how much: what makes two plans of a job the same."""
    return frozenset((row.site_id, row.slot_start, round(row.power_kw, 6)) for row in rows)


def made_of(figures: Figures, awards: Sequence[Award]) -> dict[str, list[SlotEntry]]:
    """The ledger rows of each award."""
    place = {site_id: row for row, site_id in enumerate(figures.site_ids)}
    return {a.job_id: rows_of(a.job_id, Leg.PLAN, figures, place[a.site_id], a.runs) for a in awards}


def coming(rows: Sequence[SlotEntry], start: datetime, job_ids: Mapping[str, object]) -> dict[str, Course]:
    """The standing course of each of some jobs from ``start`` on."""
    found: dict[str, list[SlotEntry]] = {}
    for row in rows:
        if row.slot_start >= start and row.job_id in job_ids:
            found.setdefault(row.job_id, []).append(row)
    return {job_id: course_of(own) for job_id, own in found.items()}


def churn(standing: Mapping[str, Course], rows: Sequence[SlotEntry]) -> float:
    """Share of the standing job-slots that the new plan moves or drops."""
    total = sum(len(course) for course in standing.values())
    if not total:
        return 0.0
    planned = {(row.job_id, row.site_id, row.slot_start) for row in rows}
    kept = sum((job_id, site, slot) in planned for job_id, course in standing.items() for site, slot, _ in course)
    return 1 - kept / total


def too_late(job: Job, wanted: Demand | None) -> bool:
    """Whether a job that has not begun has too short a window left for its work, capacity and limits left aside."""
    if wanted is None or wanted.instance is None or wanted.frozen is not None:
        return False
    if job.status not in (JobStatus.PENDING, JobStatus.SCHEDULED):
        return False
    left = wanted.instance
    window = left.latest_slot - left.earliest_slot
    if left.levels:
        return window * left.levels[-1].work_per_slot < (left.work or 0.0) - 1e-9
    return window < (left.duration_slots or 0)
