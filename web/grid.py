"""What is known of a grid zone just now, besides its price and carbon: mix, stress, marginal carbon, what was noted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from agents.energy.agent import EnergyAgent
from agents.energy.feed import FeedStatus, Finding
from agents.energy.feeds.carbon_bands import Band, index_of
from agents.energy.zones import is_gb
from core.series import BoolArray, Kind, Series
from core.slots import SLOT, slot_floor, slots_between
from core.vintage import FUELS, Quantity

MIX_LOOKED_BACK = timedelta(hours=3)
"""Metered generation is published up to an hour or two late."""
STRESS_AHEAD_SLOTS = 48


@dataclass(frozen=True, slots=True)
class Share:
    """One fuel of a generation mix."""

    fuel: str
    percent: float


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of generation in one half-hour, the largest first."""

    slot_start: datetime
    kind: Kind
    source: str
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Stress:
    """How strained a grid is, 0 to 1, why, and when in the next 24 hours it will be the most."""

    index: float
    kind: Kind
    reasons: tuple[str, ...]
    peak: float
    peak_at: datetime


def quantities_of(energy: EnergyAgent, zone: str) -> tuple[Quantity, ...]:
    """Every quantity that a feed which is asked for ``zone`` may give."""
    asked = {status.feed for status in energy.status() if status.zone == zone}
    declared = (each for each in energy.declarations() if each.name in asked)
    return tuple(dict.fromkeys(quantity for each in declared for quantity in each.quantities))


def mix(energy: EnergyAgent, zone: str, now: datetime) -> Mix | None:
    """The newest half-hour up to the present one of which shares are known; None without such a feed or figure."""
    given = quantities_of(energy, zone)
    start = slot_floor(now - MIX_LOOKED_BACK)
    slots = slots_between(start, slot_floor(now)) + 1
    named = {fuel: quantity for fuel in FUELS for quantity in given if quantity == f"share_{fuel}"}
    known = {fuel: energy.known(zone, quantity, start, slots) for fuel, quantity in named.items()}
    newest = max((int(each[-1]) for s in known.values() if (each := np.flatnonzero(_known(s))).size), default=None)
    if newest is None:
        return None
    there = {fuel: series for fuel, series in known.items() if _known(series)[newest]}
    shares = sorted((Share(fuel, float(s.values[newest])) for fuel, s in there.items()), key=lambda s: -s.percent)
    kind = Kind(max(int(series.kinds[newest]) for series in there.values()))
    sources = dict.fromkeys(series.source for series in there.values())
    return Mix(start + SLOT * newest, kind, ", ".join(sources), tuple(shares))


def stress(energy: EnergyAgent, zone: str, now: datetime) -> Stress | None:
    """The stress of the zone's grid in the present half-hour; None where nothing of it is known."""
    start = slot_floor(now)
    series = energy.stress((zone,), start, STRESS_AHEAD_SLOTS).get(zone)
    if series is None or not _known(series)[0]:
        return None
    peak = int(np.nanargmax(series.values))
    return Stress(
        index=float(series.values[0]),
        kind=Kind(int(series.kinds[0])),
        reasons=energy.stress_reasons(zone),
        peak=float(series.values[peak]),
        peak_at=start + SLOT * peak,
    )


def marginal_carbon(energy: EnergyAgent, zone: str, now: datetime) -> Series | None:
    """Marginal carbon of the present half-hour, which is no average and never stands for one; None where not known."""
    if "marginal_carbon" not in quantities_of(energy, zone):
        return None
    series = energy.known(zone, "marginal_carbon", slot_floor(now), 1)
    return series if _known(series)[0] else None


def carbon_index(zone: str, carbon: Series, slot: int) -> Band | None:
    """The word of the Carbon Intensity API for an intensity in Great Britain; None elsewhere and where not known."""
    if not is_gb(zone) or not _known(carbon)[slot]:
        return None
    return index_of(float(carbon.values[slot]), (carbon.start + SLOT * slot).year)


def findings_of(statuses: Iterable[FeedStatus], zone: str, quantity: Quantity) -> tuple[Finding, ...]:
    """What was noted about the figures of a quantity of a zone."""
    found = (finding for status in statuses if status.zone == zone for finding in status.findings)
    return tuple(dict.fromkeys(finding for finding in found if finding.quantity == quantity))


def flags(findings: Iterable[Finding], start: datetime) -> list[str]:
    """Flags of the findings that cover the slot that starts at ``start``, each once."""
    return list(dict.fromkeys(str(each.flag) for each in findings if each.start <= start < each.end))


def _known(series: Series) -> BoolArray:
    return np.asarray(series.kinds != np.int8(Kind.MISSING))
