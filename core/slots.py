"""Slots: half-hours that start on a UTC half-hour, and their settlement periods in Europe/London."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

SLOT = timedelta(minutes=30)
SLOT_HOURS = 0.5
SLOTS_PER_DAY = 48
LONDON = ZoneInfo("Europe/London")


class SettlementPeriod(NamedTuple):
    """A half-hour of the GB electricity market: local date and period number, 1 to 46, 48 or 50."""

    date: date
    period: int


def require_aware(instant: datetime) -> datetime:
    """Return ``instant`` in UTC; a naive time raises :class:`ValueError`, because it has no instant."""
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise ValueError(f"time {instant.isoformat()} has no UTC offset; write it like 2023-03-01T00:00Z")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"time {instant.isoformat()} is outside the years 1 to 9999 in UTC") from error


def slot_floor(instant: datetime) -> datetime:
    """The start of the slot that contains ``instant``."""
    utc = require_aware(instant)
    return utc.replace(minute=utc.minute - utc.minute % 30, second=0, microsecond=0)


def slot_ceil(instant: datetime) -> datetime:
    """The first slot start at or after ``instant``."""
    floor = slot_floor(instant)
    return floor if floor == require_aware(instant) else floor + SLOT


def slots_between(start: datetime, end: datetime) -> int:
    """Whole slots from slot start ``start`` to ``end`` (negative when ``end`` is earlier)."""
    return (require_aware(end) - require_aware(start)) // SLOT


def slot_starts(start: datetime, count: int) -> list[datetime]:
    """The ``count`` slot starts from ``start``."""
    return [start + SLOT * i for i in range(count)]


def settlement_period(slot: datetime) -> SettlementPeriod:
    """The settlement period of a slot start. Period 1 starts at local midnight in Europe/London."""
    utc = slot_floor(slot)
    local = utc.astimezone(LONDON)
    midnight = datetime(local.year, local.month, local.day, tzinfo=LONDON).astimezone(UTC)
    return SettlementPeriod(local.date(), (utc - midnight) // SLOT + 1)


def format_utc(instant: datetime) -> str:
    """RFC 3339 in UTC with a ``Z``, seconds kept, fractions only where there are any."""
    utc = require_aware(instant)
    spec = "milliseconds" if utc.microsecond else "seconds"
    return utc.replace(tzinfo=None).isoformat(timespec=spec) + "Z"
