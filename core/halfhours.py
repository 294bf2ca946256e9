"""Half-hours as whole numbers, and local clocks over them, vectorised.

A slot's *index* is its UTC start in half-hours since 1970-01-01T00:00Z (int64): it knows no clock change. A *wall
index* counts half-hours since 1970-01-01T00:00 local time. It skips the hour that spring leaves out and gives the hour
that autumn repeats twice: ``wall % 48`` is always the local half-hour and ``wall // 48`` the local day.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

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


def _offset(index: int, zone: ZoneInfo) -> int:
    """Half-hours by which local time is ahead of UTC at a slot, rounded down."""
    return int((instant_of(index).astimezone(zone).utcoffset() or timedelta(0)) // SLOT)


@lru_cache(maxsize=256)
def _changes(timezone: str, first_day: int, days: int) -> tuple[IntArray, IntArray]:
    """Slots at which the offset changes within ``days`` UTC days, and the offsets before, between and after them."""
    zone = ZoneInfo(timezone)
    marks = [day * SLOTS_PER_DAY for day in range(first_day, first_day + days + 1)]
    offsets, changes = [_offset(marks[0], zone)], []
    for start, end in pairwise(marks):
        after = _offset(end, zone)
        if after != offsets[-1]:
            changes.append(next(slot for slot in range(start, end + 1) if _offset(slot, zone) == after))
            offsets.append(after)
    return np.array(changes, dtype=np.int64), np.array(offsets, dtype=np.int64)


def wall_index(index: IntArray, timezone: str) -> IntArray:
    """Wall indexes of ascending slot indexes; same shape."""
    if index.size == 0:
        return index
    # Whole hundreds of days, so that the cache serves the next call too.
    first_day = int(index[0]) // SLOTS_PER_DAY // 100 * 100
    days = (int(index[-1]) // SLOTS_PER_DAY + 1 - first_day) // 100 * 100 + 100
    changes, offsets = _changes(timezone, first_day, days)
    return np.asarray(index + offsets[np.searchsorted(changes, index, side="right")])


def london_half_hour(index: IntArray) -> IntArray:
    """Half-hour of the local day (0 to 47) in Europe/London; ``index`` ascends, same shape."""
    return wall_index(index, LONDON.key) % SLOTS_PER_DAY


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
