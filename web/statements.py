"""Statements of a site's settlement day out of the decision log, for the pages and for the JSON routes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from accounting.working_days import WorkingDays
from agents.settlement.claims import ClaimInForce, claims_on
from agents.settlement.statement import KIND, DayStatement, day_statement
from audit.log import AuditLog
from core.errors import NotFound


@dataclass(frozen=True, slots=True)
class StatedDay:
    """A site's settlement day on the log, and how many records there are of it, restatements included."""

    site_id: str
    date: str
    records: int


def stated_days(log: AuditLog) -> list[StatedDay]:
    """The days of which the log holds settlement periods, the latest first."""
    found = log.counts("settlement_date", "site_id", kind=KIND)
    days = [StatedDay(str(site), str(day), count) for (day, site), count in found.items()]
    return sorted(sorted(days, key=lambda each: each.site_id), key=lambda each: each.date, reverse=True)


def statement(log: AuditLog, site_id: str, day: date, instant: datetime) -> DayStatement:
    """What the log stated of a site's day at ``instant``; :class:`NotFound` where it stated nothing by then.

    The days of settlement runs are not part of it: they are the operator's data, not the log's.
    """
    if not any(each.site_id == site_id and each.date == day.isoformat() for each in stated_days(log)):
        raise _nothing(site_id, day, instant)
    found = day_statement(log, site_id, day, instant, None, WorkingDays(frozenset()))
    if not found.periods:
        raise _nothing(site_id, day, instant)
    return found


def _nothing(site_id: str, day: date, instant: datetime) -> NotFound:
    return NotFound(
        f"nothing was stated of {site_id} for {day} by {instant:%Y-%m-%d %H:%M} UTC",
        remedy="/audit/statements lists the sites and days that have settlement periods on the log.",
    )


def claims(log: AuditLog, site_id: str, day: date, instant: datetime) -> list[ClaimInForce]:
    """What the deliveries of the day at the site claim about carbon, as it was stated at ``instant``."""
    return claims_on(log, instant, site_id=site_id, settlement_date=day.isoformat())


def claim_of_job(log: AuditLog, job_id: str, instant: datetime) -> ClaimInForce | None:
    """What the delivery of a job claims about carbon, as it was stated at ``instant``; None where it claims nothing."""
    found = claims_on(log, instant, job_id=job_id)
    return found[-1] if found else None
