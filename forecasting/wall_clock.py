"""Local weekdays and bank holidays by wall index (:func:`core.halfhours.wall_index`), vectorised."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from core.series import BoolArray, IntArray
from core.slots import SLOTS_PER_DAY

EPOCH_DAY = date(1970, 1, 1)
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday."""
HOLIDAY_ZONE = "Europe/London"
"""The one clock whose bank holidays are known, those of England and Wales."""


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
