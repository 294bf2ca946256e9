"""What came of what was sold: what jobs drew where load was moved away, and what stayed free for windows sold.

Figures are of half-hours that are over; None stands where a meter has not told yet, never a guess. Readings of the own
load say what kind they are: those of simulated meters are simulated.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from agents.site.agent import SiteAgent
from core.clock import Clock
from core.ledger import Leg, SlotEntry
from core.series import Kind
from core.slots import SLOT, SLOT_HOURS
from store.ledger import LedgerRepository
from store.reductions import ReductionRepository


@dataclass(frozen=True, slots=True)
class Delivered:
    """One half-hour of a reduction, kW at the meter, mean over the half-hour.

    :param baseline_kw: what jobs drew in the plan that was in force when it was promised.
    :param usage_kw: what they were measured to draw; None where that is not known yet.
    """

    site_id: str
    starts: datetime
    baseline_kw: float
    promised_kw: float
    usage_kw: float | None

    @property
    def reduction_kw(self) -> float | None:
        """How much less was drawn; negative: more."""
        return None if self.usage_kw is None else self.baseline_kw - self.usage_kw


@dataclass(frozen=True, slots=True)
class Available:
    """What a site had free in one half-hour.

    :param available_kw: capacity less own load and what jobs drew, at the meter; never below nought. None: not known.
    :param kind: of the reading of the own load.
    """

    site_id: str
    starts: datetime
    available_kw: float | None
    kind: Kind


@dataclass(frozen=True, slots=True)
class Actuals:
    """Reads the ledger and the meters."""

    clock: Clock
    ledger: LedgerRepository
    reductions: ReductionRepository
    sites: SiteAgent

    def of_contract(self, contract_id: str) -> list[Delivered]:
        """Every half-hour of the reductions of a contract, by start and site."""
        held = self.reductions.of_contract(contract_id)
        used = {
            site: self.drawn_kw(site, {one.starts for one in held if one.site_id == site})
            for site in {one.site_id for one in held}
        }
        return [
            Delivered(one.site_id, one.starts, one.baseline_kw, one.reduction_kw, used[one.site_id][one.starts])
            for one in held
        ]

    def drawn_kw(self, site_id: str, starts: Collection[datetime]) -> dict[datetime, float | None]:
        """What jobs were measured to draw at the meter of a site, by half-hour; None where it is not known yet."""
        if not starts:
            return {}
        rows: dict[datetime, list[SlotEntry]] = {start: [] for start in sorted(starts)}
        found = self.ledger.entries(leg=Leg.PLAN, start=min(starts), end=max(starts) + SLOT, site_id=site_id)
        for row in found:
            if row.slot_start in rows:
                rows[row.slot_start].append(row)
        now = self.clock.now()
        return {start: _kw(own) if start + SLOT <= now else None for start, own in rows.items()}

    def available_kw(self, site_id: str, starts: Collection[datetime]) -> list[Available]:
        """What a site had free for those who bought windows, by half-hour."""
        site, now, drawn = self.sites.get(site_id), self.clock.now(), self.drawn_kw(site_id, starts)
        found = []
        for start, used in drawn.items():
            if used is None or start + SLOT > now:
                found.append(Available(site_id, start, None, Kind.MISSING))
                continue
            load, kind = self.sites.read_meters([site], start, 1)
            found.append(Available(site_id, start, max(0.0, site.capacity_kw - float(load[0, 0]) - used), kind))
        return found


def _kw(rows: Collection[SlotEntry]) -> float | None:
    """Mean power at the meter of measured rows; None where one of them has not been measured yet."""
    energy_kwh = 0.0
    for row in rows:
        if row.delivered_kwh is None:
            return None
        energy_kwh += row.site_kwh
    return energy_kwh / SLOT_HOURS
