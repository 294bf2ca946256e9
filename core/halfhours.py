"""Half-hours as whole numbers, and the calendar of Great Britain over them, vectorised.

A slot's *index* is its UTC start in half-hours since 1970-01-01T00:00Z (int64): it knows no clock change.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np

from core.series import BoolArray, IntArray
from core.slots import LONDON, SLOT, SLOTS_PER_DAY, require_aware

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_ENDS_AT_HOUR = 23
"""Agile days run from 23:00 to 23:00 local time."""
PUBLISHED_AT_HOUR = 16
"""From this local hour on tomorrow's Agile prices are due."""


def slot_index(instant: datetime) -> int:
    """Index of the slot that contains ``instant``."""
    return (require_aware(instant) - EPOCH) // SLOT


def instant_of(index: int) -> datetime:
    """Start of the slot ``index``, aware UTC."""
    return EPOCH + SLOT * int(index)


def indexes(start: datetime, count: int) -> IntArray:
    """Indexes of the ``count`` slots from ``start``; shape (count,)."""
    first = slot_index(start)
    return np.arange(first, first + count, dtype=np.int64)


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def _summer_bounds(first_year: int, last_year: int) -> IntArray:
    """Indexes at which UK summer time begins and ends, in turn: the last Sundays of March and October, 01:00 UTC."""
    days = [_last_sunday(year, month) for year in range(first_year, last_year + 1) for month in (3, 10)]
    return np.array([slot_index(datetime(d.year, d.month, d.day, 1, tzinfo=UTC)) for d in days], dtype=np.int64)


def london_half_hour(index: IntArray) -> IntArray:
    """Half-hour of the local day (0 to 47) in Europe/London under the rule in force since 1996; shape as ``index``."""
    if index.size == 0:
        return index
    bounds = _summer_bounds(instant_of(int(index[0])).year, instant_of(int(index[-1])).year)
    summer = np.searchsorted(bounds, index, side="right") % 2
    return (index + 2 * summer) % SLOTS_PER_DAY


def utc_half_hour(index: IntArray) -> IntArray:
    """Half-hour of the UTC day (0 to 47); shape as ``index``."""
    return index % SLOTS_PER_DAY


def is_weekend(index: IntArray) -> BoolArray:
    """True on Saturdays and Sundays UTC (day 0 of the epoch was a Thursday); shape as ``index``."""
    return np.asarray((index // SLOTS_PER_DAY + 3) % 7 >= 5)


def agile_known_until(now: datetime) -> datetime:
    """The end of published Agile prices at ``now``: 23:00 local today, or of tomorrow from 16:00 local on.

    That is 14 slots ahead just before publication and 62 at it (60 or 64 around clock changes).
    """
    local = require_aware(now).astimezone(LONDON)
    day = local.date() + timedelta(days=1 if local.hour >= PUBLISHED_AT_HOUR else 0)
    return datetime(day.year, day.month, day.day, DAY_ENDS_AT_HOUR, tzinfo=LONDON).astimezone(UTC)
