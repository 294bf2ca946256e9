"""The world of the backtest: what power cost and emitted at ten sites, as recorded, and how much of it there was.

Great Britain pays Agile of region J. Of the other zones only wholesale prices are recorded: to each a fixed fee is
added that makes its mean over the record that of Great Britain, so that nothing is saved by taking a wholesale price
for a retail one. Carbon is each zone's own; hourly figures are held for both half-hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.instances.families import ZONES
from benchmarks.instances.figures import figures, uneven_headroom
from core.errors import InputError
from core.series import FloatArray
from core.slots import SLOTS_PER_DAY

START = datetime(2023, 1, 1, tzinfo=UTC)
MOST_DAYS = 273
"""recorded of Great Britain: January to September 2023"""
HEADROOM_SEED = 11
LONGEST_HOLE_SLOTS = 5
"""Great Britain's carbon, 26 January; bridged by a straight line"""


@dataclass(frozen=True)
class World:
    """Figures as they were, each (S, T): GBP/kWh, g/kWh, PUE, and kW at the meter."""

    start: datetime
    zones: tuple[str, ...]
    price: FloatArray
    carbon: FloatArray
    pue: FloatArray
    headroom_kw: FloatArray

    @property
    def slots(self) -> int:
        """Half-hours of the record."""
        return int(self.price.shape[1])

    @property
    def site_ids(self) -> tuple[str, ...]:
        """Names of the sites, in their order."""
        return tuple(zone.lower() for zone in self.zones)

    def day(self, slot: int) -> date:
        """The UTC day of a half-hour."""
        return (self.start + timedelta(minutes=30 * slot)).date()


def recorded(data: Path, days: int, demand_kw_slots: float, utilisation: float) -> World:
    """The first ``days`` of the record, with headroom of which ``demand_kw_slots`` of IT power are ``utilisation``.

    :raises InputError: where there are no recorded figures, or not of so many days.
    """
    if not data.is_dir():
        raise InputError(
            f"no recorded figures in {data}",
            field="--data",
            value=str(data),
            remedy="Name the folder that holds them with --data; the backtest has no synthetic figures.",
        )
    if not 1 <= days <= MOST_DAYS:
        raise InputError(
            f"{days} days: from 1 to {MOST_DAYS} were recorded from {START:%-d %B %Y} on",
            field="--days",
            value=days,
            remedy=f"Give --days a number from 1 to {MOST_DAYS}.",
        )
    found = figures(ZONES, MOST_DAYS * SLOTS_PER_DAY, data, START, LONGEST_HOLE_SLOTS)
    level = found.price[ZONES.index("GB")].mean()
    price = found.price + (level - found.price.mean(axis=1, keepdims=True))
    slots = days * SLOTS_PER_DAY
    pue = found.pue[:, :slots]
    offered = demand_kw_slots * float(pue.mean()) / utilisation
    headroom = uneven_headroom(np.random.default_rng(HEADROOM_SEED), len(ZONES), slots, offered)
    return World(START, ZONES, price[:, :slots], found.carbon[:, :slots], pue, headroom)
