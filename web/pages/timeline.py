"""The timeline of the decision log: its filters as the address holds them, its records by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from flask import request

from audit.log import AuditLog
from audit.record import Record
from core.errors import NotFound

FILTERS = ("kind", "job", "site", "tenant", "date", "start", "end", "text")
"""Names in the address: ``date`` is a settlement date, ``start`` and ``end`` are days on which records were written."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """Records of one day in UTC, newest first."""

    date: date
    records: tuple[Record, ...]


def filters_of_request() -> dict[str, str]:
    """What the address asks for; an empty text does not restrict."""
    return {name: request.args.get(name, "").strip() for name in FILTERS}


def criteria(filters: Mapping[str, str], log: AuditLog) -> dict[str, Any]:
    """The filters as :meth:`AuditLog.records` takes them; the last day is included whole.

    :param log: knows by which commitments a tenant stands in it, as far as that can still be told.
    :raises NotFound: for a day that is none.
    """
    start, end, settled = (_day(filters[name]) for name in ("start", "end", "date"))
    return {
        "kind": filters["kind"] or None,
        "job_id": filters["job"] or None,
        "site_id": filters["site"] or None,
        "tenant_commits": log.known_as("tenant", filters["tenant"]) if filters["tenant"] else None,
        "settlement_date": settled.isoformat() if settled else None,
        "start": _midnight(start) if start else None,
        "end": _midnight(end + _DAY) if end else None,
        "text": filters["text"] or None,
    }


def counts(log: AuditLog, chosen: Mapping[str, Any]) -> dict[str, int]:
    """How many records of each kind match all filters but that of the kind, the most frequent first."""
    found = log.counts("kind", **{**chosen, "kind": None})
    return {str(kind): count for (kind,), count in sorted(found.items(), key=lambda each: -each[1])}


def days(records: Sequence[Record]) -> list[Day]:
    """Records, newest first, by the day in UTC on which they were written."""
    by_day = groupby(records, key=lambda record: record.recorded_at.astimezone(UTC).date())
    return [Day(day, tuple(group)) for day, group in by_day]


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return (day + _DAY - _DAY).date()
    except (ValueError, OverflowError) as error:
        raise NotFound(f"{text[:40]!r} is not a date", remedy="Write dates like 2026-11-20.") from error


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
