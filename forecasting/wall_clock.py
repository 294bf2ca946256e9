"""The clock on the wall: local half-hours, weekdays and bank holidays of slots, vectorised.

A *wall index* counts half-hours since 1970-01-01T00:00 local time. It skips the hour that spring leaves out and gives
the hour that autumn repeats twice: ``wall % 48`` is always the local half-hour and ``wall // 48`` the local day.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from core.halfhours import instant_of
from core.series import BoolArray, IntArray
from core.slots import SLOT, SLOTS_PER_DAY

EPOCH_DAY = date(1970, 1, 1)
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday."""
HOLIDAY_ZONE = "Europe/London"
"""The one clock whose bank holidays are known, those of England and Wales."""


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


def weekday(wall: IntArray) -> IntArray:
    """Local weekday, 0 for Monday; same shape."""
    return np.asarray((wall // SLOTS_PER_DAY + EPOCH_WEEKDAY) % 7)


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the computus of Meeus, Jones and Butcher)."""
    golden, (century, of_century) = year % 19, divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    moon = (19 * golden + century - leap_centuries - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    leaps, year_rest = divmod(of_century, 4)
    to_sunday = (32 + 2 * century_rest + 2 * leaps - moon - year_rest) % 7
    late = (golden + 11 * moon + 22 * to_sunday) // 451
    month, day = divmod(moon + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _monday_from(day: date) -> date:
    return day + timedelta(days=-day.weekday() % 7)


def _last_monday(year: int, month: int) -> date:
    return _monday_from(date(year, month, 25))


def _on_working_days(days: list[date]) -> set[date]:
    """Each day, or the next working day that is not yet a holiday where it falls on a weekend."""
    kept: set[date] = set()
    for named in days:
        day = named
        while day.weekday() >= 5 or day in kept:
            day += timedelta(days=1)
        kept.add(day)
    return kept


@lru_cache(maxsize=64)
def bank_holidays(year: int) -> frozenset[date]:
    """The regular bank holidays of England and Wales, with their substitute days; none that were proclaimed once."""
    sunday = easter(year)
    fixed = _on_working_days([date(year, 1, 1)]) | _on_working_days([date(year, 12, 25), date(year, 12, 26)])
    moving = {sunday - timedelta(days=2), sunday + timedelta(days=1), _monday_from(date(year, 5, 1))}
    return frozenset(fixed | moving | {_last_monday(year, 5), _last_monday(year, 8)})


def is_holiday(wall: IntArray, timezone: str) -> BoolArray:
    """True on bank holidays where they are known, never elsewhere; same shape."""
    if timezone != HOLIDAY_ZONE or wall.size == 0:
        return np.zeros(wall.shape, dtype=np.bool_)
    day = wall // SLOTS_PER_DAY
    years = range((EPOCH_DAY + timedelta(int(day.min()))).year, (EPOCH_DAY + timedelta(int(day.max()))).year + 1)
    numbers = [(holiday - EPOCH_DAY).days for year in years for holiday in bank_holidays(year)]
    return np.isin(day, numbers)
