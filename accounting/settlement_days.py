"""Settlement days of the GB market: local days in Europe/London of 46, 48 or 50 half-hour periods, numbered from 1.

The other way, from an instant to its period, is :func:`core.slots.settlement_period`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from core.errors import InputError
from core.slots import LONDON, SLOT, SLOTS_PER_DAY, require_aware, slot_starts

GATE_CLOSURE_LEAD = timedelta(hours=1)
"""Gate Closure is this long before a period starts (BSC Annex X-2)."""


@lru_cache(maxsize=1024)
def london_instant(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """A wall-clock time of a London day, in UTC."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=LONDON).astimezone(UTC)


@dataclass(frozen=True, slots=True, order=True)
class SettlementDay:
    """The settlement date ``date``."""

    date: date

    @property
    def start(self) -> datetime:
        """Local midnight, in UTC."""
        return london_instant(self.date)

    @property
    def end(self) -> datetime:
        """The next local midnight, in UTC."""
        return london_instant(self.date + timedelta(days=1))

    @property
    def count(self) -> int:
        """Number of periods: both midnights are taken in UTC first, for local times subtract as wall clocks do."""
        return (self.end - self.start) // SLOT

    @property
    def changes_clock(self) -> bool:
        """Whether the clocks change on it."""
        return self.count != SLOTS_PER_DAY

    def starts(self) -> list[datetime]:
        """The start of every period, in UTC."""
        return slot_starts(self.start, self.count)

    def period_start(self, period: int) -> datetime:
        """The start of a period, in UTC; :class:`InputError` for one that the day does not have."""
        if not 1 <= period <= self.count:
            raise InputError(
                f"{self.date} has settlement periods 1 to {self.count}, not {period}",
                field="settlement_period",
                value=period,
                remedy=f"Use a period from 1 to {self.count}.",
            )
        return self.start + SLOT * (period - 1)

    def before(self, days: int) -> SettlementDay:
        """The settlement day ``days`` earlier."""
        return SettlementDay(self.date - timedelta(days=days))


def gate_closure(sp_start: datetime) -> datetime:
    """The instant after which nothing may be submitted for the period that starts at ``sp_start``."""
    return require_aware(sp_start) - GATE_CLOSURE_LEAD
