"""Stand-ins for the feeds and the vintage store, and bodies in the shapes that the feeds answer with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.energy.feed import FetchedSeries
from core.errors import FeedError
from core.series import Kind, Series, Unit
from core.slots import SLOT, format_utc, slot_floor, slots_between
from core.vintage import Quantity, Vintage


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


class MemoryVintages:
    """A vintage store in a list."""

    def __init__(self) -> None:
        self.kept: list[Vintage] = []

    def add(self, vintage: Vintage) -> None:
        self.kept.append(vintage)

    def latest(self, feed: str, zone: str, quantity: str) -> Vintage | None:
        found = [each for each in self.kept if (each.feed, each.zone, each.quantity) == (feed, zone, quantity)]
        return max(found, key=lambda each: each.fetched_at, default=None)

    def covering(self, feed: str, zone: str, quantity: str, start: datetime, end: datetime) -> list[Vintage]:
        return [
            each
            for each in self.kept
            if (each.feed, each.zone, each.quantity) == (feed, zone, quantity)
            and each.series.start < end
            and each.series.end > start
        ]


class FullStore(MemoryVintages):
    """A vintage store whose disk is full."""

    def add(self, vintage: Vintage) -> None:
        raise OSError("no space left on device")


class ScriptedFeed:
    """A feed that answers ``value`` for every slot up to ``ahead``, or raises what :attr:`fault` holds."""

    attribution = "scripted"

    def __init__(
        self,
        now: Callable[[], datetime],
        quantity: Quantity = "carbon",
        *,
        name: str = "scripted",
        zones: Sequence[str] = ("GB-A", "GB-C", "GB-J"),
        ahead: timedelta = timedelta(hours=48),
        host: str = "feed.example",
    ) -> None:
        self._now = now
        self.name = name
        self.quantity: Quantity = quantity
        self.zones = frozenset(zones)
        self.host = host
        self.ahead = ahead
        self.value = 100.0
        self.fault: FeedError | None = None
        self.is_overdue = False
        self.asked: list[tuple[str, datetime, datetime]] = []

    def fetch(self, zone: str, start: datetime, end: datetime) -> FetchedSeries:
        self.asked.append((zone, start, end))
        if self.fault is not None:
            raise self.fault
        now, first = self._now(), slot_floor(start)
        last = slot_floor(min(end, now + self.ahead))
        count = slots_between(first, last)
        firm = Kind.SETTLED if self.quantity == "price" else Kind.ESTIMATE
        unit = Unit.GBP_PER_KWH if self.quantity == "price" else Unit.G_PER_KWH
        past = Series.of(first, [self.value] * slots_between(first, slot_floor(now)), firm, unit, self.name, now)
        whole = Series.of(first, [self.value] * count, Kind.FORECAST, unit, self.name, now)
        series = past.window(first, count).overlay(whole)
        return FetchedSeries(series, f"{zone} {format_utc(now)}".encode())

    def overdue(self, known_until: datetime, now: datetime) -> bool:
        return self.is_overdue


def carbon_row(start: datetime, forecast: float | None, actual: float | None = None, **extra: Any) -> dict[str, Any]:
    """A row of the Carbon Intensity API."""
    return {
        "from": start.strftime("%Y-%m-%dT%H:%MZ"),
        "to": (start + SLOT).strftime("%Y-%m-%dT%H:%MZ"),
        "intensity": {"forecast": forecast, "actual": actual, "index": "moderate"},
        **extra,
    }


def rate(start: datetime, price_exc_vat_p: float, end: datetime | None = None, **extra: Any) -> dict[str, Any]:
    """A unit rate of the Octopus API; half an hour long unless ``end`` is given."""
    return {
        "value_exc_vat": price_exc_vat_p,
        "value_inc_vat": -999.0,
        "valid_from": format_utc(start),
        "valid_to": format_utc(end or start + SLOT),
        "payment_method": None,
        **extra,
    }
