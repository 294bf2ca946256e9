"""Working Days of the BSC: Monday to Friday without the bank holidays of England and Wales, which are given as data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """A calendar in which ``bank_holidays`` are not worked."""

    bank_holidays: frozenset[date] = frozenset()

    def __contains__(self, day: date) -> bool:
        return day.weekday() < SATURDAY and day not in self.bank_holidays

    def after(self, day: date, count: int) -> date:
        """The ``count``-th working day after ``day``."""
        if count < 1:
            raise ValueError(f"the {count}-th working day after {day} is none: count from 1")
        while count:
            day += timedelta(days=1)
            count -= day in self
        return day
