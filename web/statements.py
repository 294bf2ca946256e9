"""Statements of a site's settlement day out of the decision log, for the pages and for the JSON routes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from accounting.claims import AccountTotal
from accounting.working_days import WorkingDays
from agents.settlement.claimed import KIND
from agents.settlement.claims import ClaimInForce, claims_on
from agents.settlement.day_claims import DayClaims
from agents.settlement.statement import DayStatement, day_statement
from audit.fields import dec
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


@dataclass(frozen=True, slots=True)
class Account:
    """A sum of claims by one account as text, to six decimals; null where no claim has a figure."""

    saved_kg: str | None
    low_kg: str | None
    high_kg: str | None
    claim_level: str
    parts: int
    unknown: int


def accounts(found: DayClaims) -> dict[str, Account]:
    """The sums of a day's claims, by the names that the accounts have in records."""
    book = found.book
    return {
        "attributional_forecast": _account(book.by_forecast()),
        "attributional": _account(book.attributional()),
        "consequential": _account(book.consequential()),
    }


def _account(total: AccountTotal[Any]) -> Account:
    saved = total.saved
    low, high = (None, None) if saved is None else (dec(end, 6) for end in saved.interval_kg)
    kg = None if saved is None else dec(saved.kg, 6)
    return Account(kg, low, high, total.level.label, total.parts, total.unknown)
