"""A metered year of one site, and the worked example of a job that moves from an evening to the next night."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from accounting.bl01 import Bl01, Bl01Parameters
from accounting.settlement_days import SettlementDay
from accounting.volumes import from_meter
from accounting.working_days import WorkingDays

EVENT = date(2026, 10, 20)
"""a Tuesday"""
WORKING = WorkingDays(frozenset({date(2026, 8, 31)}))
TEN_DAYS_KWH = (498, 502, 500, 505, 495, 500, 503, 497, 501, 499)
WINDOW_KWH = (12, 10, 8, 14, 10, 6)


def days_before(day: date, count: int, *, working: bool | None = None) -> list[date]:
    """The ``count`` days before ``day``, newest first; of one type where asked."""
    found: list[date] = []
    while len(found) < count:
        day -= timedelta(days=1)
        if working is None or (day in WORKING) is working:
            found.append(day)
    return found


def flat(first: date, last: date, kwh: int = 500) -> dict[datetime, Decimal]:
    """The same import in every period from day ``first`` to ``last``, both included."""
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return {at: from_meter(Decimal(kwh)) for day in days for at in SettlementDay(day).starts()}


def put(history: dict[datetime, Decimal], day: date, period: int, kwh: int) -> None:
    history[SettlementDay(day).period_start(period)] = from_meter(Decimal(kwh))


def worked_history() -> dict[datetime, Decimal]:
    """500 kWh a period, the ten days of period 36, the window before it, 300 in it; and the night that follows."""
    history = flat(EVENT - timedelta(days=61), EVENT + timedelta(days=1))
    for day, kwh in zip(days_before(EVENT, 10, working=True), TEN_DAYS_KWH, strict=True):
        put(history, day, 36, kwh)
    for period, more in zip(range(28, 34), WINDOW_KWH, strict=True):
        put(history, EVENT, period, 500 + more)
    put(history, EVENT, 36, 300)
    night = EVENT + timedelta(days=1)
    for day in days_before(night, 60):
        put(history, day, 6, 420)
    put(history, night, 6, 628)
    return history


def method(history: dict[datetime, Decimal], *events: date, **parameters: object) -> Bl01:
    return Bl01(history, WORKING, frozenset(events), Bl01Parameters.model_validate(parameters))


def at(period: int, day: date = EVENT) -> datetime:
    return SettlementDay(day).period_start(period)
