"""What sites metered: the readings of their own load, and beside them what jobs were measured to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from accounting.settlement_days import SettlementDay
from accounting.volumes import from_meter
from agents.site.agent import SiteAgent
from core.readings import READ, DayReading
from core.series import Kind
from core.site import Site
from core.slots import SLOT_HOURS
from store.ledger import LedgerRepository
from store.readings import ReadingRepository


@dataclass(frozen=True, slots=True)
class MeteredSite:
    """Volumes of one site, MWh by the BSC's signs, by the start of the period; and what kinds of figure they are.

    :param digests: a number for the figures of each day, in order; the same in one process only.
    """

    history: Mapping[datetime, Decimal]
    digests: Mapping[date, int]
    kinds: frozenset[Kind]

    def fingerprint(self, day: SettlementDay) -> int:
        """A number that changes with any figure up to the end of ``day``; the same in one process only."""
        return hash(tuple(digest for each, digest in self.digests.items() if each <= day.date))


@dataclass(frozen=True, slots=True)
class Metered:
    """Reads the meters once and keeps what they said."""

    sites: SiteAgent
    readings: ReadingRepository
    ledger: LedgerRepository

    def between(self, sites: Sequence[Site], first: date, last: date) -> dict[str, MeteredSite]:
        """What each site metered on the settlement days from ``first`` to ``last``, all of them passed."""
        held = self._held(sites, first, last)
        drawn = self.drawn(first, last)
        return {site.site_id: _volumes(site.site_id, held, drawn) for site in sites}

    def drawn(self, first: date, last: date) -> dict[tuple[str, datetime], float]:
        """kWh at the meter that jobs were measured to draw on these days, by site and period."""
        return self.ledger.drawn_by_site(SettlementDay(first).start, SettlementDay(last).end)

    def _held(self, sites: Sequence[Site], first: date, last: date) -> dict[tuple[str, date], DayReading]:
        """The readings kept, after reading the meters for days that are not."""
        held = self.readings.between(first, last)
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        new = [
            reading
            for day in days
            for reading in self._read([site for site in sites if (site.site_id, day) not in held], day)
        ]
        self.readings.add(new)
        return held | {(reading.site_id, reading.settlement_date): reading for reading in new}

    def _read(self, sites: Sequence[Site], day: date) -> list[DayReading]:
        if not sites:
            return []
        settlement_day = SettlementDay(day)
        load_kw, kind = self.sites.read_meters(sites, settlement_day.start, settlement_day.count)
        return [
            DayReading(site.site_id, day, kind, tuple(_kwh(kw * SLOT_HOURS) for kw in row))
            for site, row in zip(sites, load_kw.tolist(), strict=True)
        ]


def _kwh(figure: float) -> Decimal:
    return Decimal(str(figure)).quantize(READ, rounding=ROUND_HALF_EVEN)


def _volumes(
    site_id: str, held: Mapping[tuple[str, date], DayReading], drawn: Mapping[tuple[str, datetime], float]
) -> MeteredSite:
    history: dict[datetime, Decimal] = {}
    digests: dict[date, int] = {}
    own = [held[key] for key in sorted(held) if key[0] == site_id]
    for reading in own:
        starts = SettlementDay(reading.settlement_date).starts()
        day = {
            start: from_meter(kwh + _kwh(drawn.get((site_id, start), 0.0)))
            for start, kwh in zip(starts, reading.kwh, strict=True)
            if kwh is not None
        }
        history |= day
        digests[reading.settlement_date] = hash(tuple(day.items()))
    return MeteredSite(history, digests, frozenset(reading.kind for reading in own))
