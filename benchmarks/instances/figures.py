"""The sites' figures: as recorded where a folder of records is given, else synthetic; the same for every method.

Recorded: Agile of region J and national carbon intensity for GB, hourly wholesale prices and direct carbon intensity
for the other zones. PUE is modelled in both cases.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from agents.energy.recorded import Recorded, read_carbon, read_gb, read_prices_usd
from agents.energy.replay import USD_TO_GBP_2023
from benchmarks.instances.climate import Climate, drawn_figures, modelled_pue
from core.halfhours import slot_index
from core.series import FloatArray
from core.slots import SLOTS_PER_DAY

Json = dict[str, Any]

CARBON_PRICE_GBP_PER_TONNE = 100.0
FIRST_SLOT = datetime(2023, 2, 6, tzinfo=UTC)
"""a Monday; the clocks do not change in the weeks that follow"""
LONGEST_HOLE_SLOTS = 4
TEN_ZONES = (
    Climate("GB", 0, 0.25, 160, 0.45, 1.12),
    Climate("DE-LU", 1, 0.11, 380, 0.50, 1.15),
    Climate("US-CAL-CISO", -8, 0.05, 200, 0.55, 1.20),
    Climate("US-MIDA-PJM", -5, 0.03, 320, 0.20, 1.18),
    Climate("US-NY-NYIS", -5, 0.03, 190, 0.20, 1.15),
    Climate("US-TEX-ERCO", -6, 0.03, 300, 0.55, 1.30),
    Climate("CA-ON", -5, 0.02, 30, 0.30, 1.12),
    Climate("AU-NSW", 10, 0.10, 520, 0.60, 1.25),
    Climate("KR", 9, 0.11, 370, 0.25, 1.22),
    Climate("SG", 8, 0.16, 370, 0.10, 1.40),
)
"""Zones of which both price and carbon are recorded and trusted."""


@dataclass(frozen=True)
class Figures:
    """Price in GBP/kWh, carbon in g/kWh and PUE, each (S, T), from ``start`` on.

    :ivar source: ``recorded`` or ``synthetic``.
    """

    source: str
    start: datetime
    zones: tuple[str, ...]
    price: FloatArray
    carbon: FloatArray
    pue: FloatArray

    @property
    def slots(self) -> int:
        """Half-hours that the figures are for."""
        return int(self.price.shape[1])


def figures(
    zones: Sequence[str],
    slots: int,
    data: Path | None,
    start: datetime = FIRST_SLOT,
    longest_hole_slots: int = LONGEST_HOLE_SLOTS,
) -> Figures:
    """Figures of ``zones``; recorded ones of the folder ``data``, synthetic ones without it.

    Holes of the record up to ``longest_hole_slots`` are bridged; a longer one is a :class:`ValueError`.
    """
    climates = [next(climate for climate in TEN_ZONES if climate.region == zone) for zone in zones]
    if data is None:
        drawn = drawn_figures(np.random.default_rng(slots), climates, slots)
        return Figures("synthetic", start, tuple(zones), *drawn)
    first = slot_index(start)
    price, carbon = (
        np.stack([_whole(zone, found[zone].window(first, slots), longest_hole_slots) for zone in zones])
        for found in _read(zones, data)
    )
    return Figures("recorded", start, tuple(zones), price, carbon, modelled_pue(climates, slots))


def _read(zones: Sequence[str], data: Path) -> tuple[dict[str, Recorded], dict[str, Recorded]]:
    """Price in GBP/kWh and carbon in g/kWh of each zone."""
    gb, others = read_gb(data), [zone for zone in zones if zone != "GB"]
    usd = read_prices_usd(data, others)
    price = {zone: Recorded(one.first, one.values * USD_TO_GBP_2023 / 1000) for zone, one in usd.items()}
    return (
        price | {"GB": Recorded(gb.agile_j_p.first, gb.agile_j_p.values / 100)},
        read_carbon(data, others) | {"GB": gb.actual_g},
    )


def _whole(zone: str, values: FloatArray, longest_hole_slots: int) -> FloatArray:
    """The same with short holes bridged by straight lines; :class:`ValueError` where a hole is too long for that."""
    known = np.flatnonzero(~np.isnan(values))
    if not known.size or np.diff(known, prepend=-1, append=values.size).max() > longest_hole_slots + 1:
        raise ValueError(f"{zone}: more than {longest_hole_slots} half-hours in a row were not recorded")
    return np.interp(np.arange(values.size), known, values[known])


def uneven_headroom(rng: Generator, sites: int, slots: int, total_kw_slots: float) -> FloatArray:
    """(S, T) kW: sites of unlike size, each with an own load that swings over the day, summing to the total."""
    size = rng.uniform(0.8, 1.2, (sites, 1))
    phase = rng.uniform(0, 2 * np.pi, (sites, 1))
    shape = size * (1 + 0.15 * np.sin(np.arange(slots) / SLOTS_PER_DAY * 2 * np.pi + phase))
    return np.asarray(shape * (total_kw_slots / float(shape.sum())))


def site_rows(found: Figures, headroom_kw: FloatArray) -> list[Json]:
    """The sites of an instance file, one a zone; ``headroom_kw`` is (S, T) at the meter."""
    return [
        {
            "id": zone.lower(),
            "region": zone,
            "headroom_kw": headroom_kw[s].round(3).tolist(),
            "price_gbp_per_kwh": found.price[s].round(5).tolist(),
            "carbon_g_per_kwh": found.carbon[s].round(1).tolist(),
            "pue": found.pue[s].round(4).tolist(),
        }
        for s, zone in enumerate(found.zones)
    ]


def instance(name: str, found: Figures, sites: list[Json], jobs: list[Json]) -> Json:
    """An instance file."""
    return {
        "name": name,
        "start": found.start.isoformat(),
        "slots": found.slots,
        "carbon_price_gbp_per_tonne": CARBON_PRICE_GBP_PER_TONNE,
        "sites": sites,
        "jobs": jobs,
    }


def write(made: Json, path: Path) -> None:
    """Write an instance as it stands: a million jobs pass through no models on their way to the file."""
    path.write_text(json.dumps(made, separators=(",", ":")))
