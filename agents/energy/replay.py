"""Recorded figures played as if live: at any instant of the clock no more is visible than was known then.

Carbon: forecasts to 48 h ahead, outturns of slots that ended half an hour ago or more. Agile prices: to 23:00 local of
today, from 16:00 local on of tomorrow. The recorded carbon forecast is its last revision, so what is shown before the
fact carries an error that follows an AR(1) process, grows with lead to 24 g/kWh mean absolute a day ahead, and vanishes
at lead 0. Zones of which only outturns were recorded are forecast from their outturn with an error in the same
proportion to their spread. Prices that were recorded for one region only are derived for the others by the tariff's
formula, and say so: within 0.1 p/kWh of what was recorded of one of them, except that from January to April 2023, under
older adders, peak half-hours come out 1.6 p/kWh too dear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from agents.energy import noise
from agents.energy.recorded import GbRecords, Recorded, read_carbon, read_gb, read_prices_usd
from agents.energy.simulated import ERROR_PHI, PRICE_ERROR_SHARE
from agents.energy.tariff import VAT, region_price_p, wholesale_p, with_vat_gbp
from agents.energy.zones import REGIONS, is_gb, price_region
from core.halfhours import agile_known_until, instant_of, slot_index
from core.series import FloatArray, Kind, Series
from core.slots import SLOT, slot_floor
from core.vintage import UNITS, Quantity

CARBON_AHEAD_SLOTS = 96
OUTTURN_AFTER_SLOTS = 2
"""A slot's outturn is known half an hour after its end: two slots after its start."""
USD_TO_GBP_2023 = 0.804
"""Mean rate of 2023, applied to all recorded years."""
UNTRUSTED_PRICES = frozenset({"CL-SIC", "CH", "BR-SP", "ZA"})
"""Zones whose recorded prices hold long constant runs."""
CARBON_ERROR_SHARE = 0.39
"""Standard deviation of the added error as a share of the spread: with the last revision's own error of 10 g/kWh it
makes a mean absolute error of 24 g/kWh at leads of 24 to 48 h on the GB figures of 2023."""
RECORDED_REGION = "GB-J"


@dataclass(frozen=True, slots=True)
class Track:
    """What replay plays for one zone and quantity.

    :param outturn: what happened; NaN where it is not known.
    :param forecast: what the forecast converges to and the scaled process of its error; None where none is made.
    :param lag_slots: by how much the forecaster's knowledge lags behind the present slot.
    :param firm: kind of the outturn.
    """

    outturn: Recorded
    forecast: tuple[Recorded, Recorded] | None
    lag_slots: int
    firm: Kind
    source: str


def spread(values: FloatArray) -> float:
    """Half the distance from the 16th to the 84th percentile: a standard deviation that price spikes do not sway."""
    low, high = np.nanpercentile(values, (16, 84))
    return float(high - low) / 2


def _error(seed: int, zone: str, quantity: Quantity, recorded: Recorded) -> Recorded:
    index = np.arange(recorded.first, recorded.end, dtype=np.int64)
    key = noise.key_of(seed, "replay", zone, quantity)
    share = PRICE_ERROR_SHARE if quantity == "price" else CARBON_ERROR_SHARE
    process = noise.autoregressive(key, index, ERROR_PHI)
    return Recorded(recorded.first, process * share * spread(recorded.values))


def _outturn_track(seed: int, zone: str, quantity: Quantity, recorded: Recorded, source: str) -> Track:
    """A zone of which only outturns were recorded: its forecaster knows no more than the last outturn."""
    error = _error(seed, zone, quantity, recorded)
    return Track(recorded, (recorded, error), OUTTURN_AFTER_SLOTS, Kind.ESTIMATE, source)


def _gb_carbon(seed: int, records: GbRecords) -> Track:
    error = _error(seed, "GB", "carbon", records.forecast_g)
    source = "recorded Carbon Intensity API, national"
    return Track(records.actual_g, (records.forecast_g, error), 0, Kind.ESTIMATE, source)


def _agile_track(zone: str, agile_j_p: Recorded) -> Track:
    """Agile as recorded for region J and derived for the others; nothing is known of it before it is published."""
    values, firm, source = _agile(zone, agile_j_p)
    prices = Recorded(agile_j_p.first, values)
    return Track(prices, None, 0, firm, source)


def _agile(zone: str, agile_j_p: Recorded) -> tuple[FloatArray, Kind, str]:
    """GBP/kWh of a zone, as recorded for region J and derived for the others."""
    if zone == RECORDED_REGION:
        return agile_j_p.values / 100, Kind.SETTLED, "recorded Octopus Agile region J"
    index = np.arange(agile_j_p.first, agile_j_p.end, dtype=np.int64)
    region = price_region(zone)
    wholesale = wholesale_p(agile_j_p.values / (1 + VAT), REGIONS[RECORDED_REGION], index)
    values = with_vat_gbp(region_price_p(wholesale, region, index), index)
    return values, Kind.ESTIMATE, f"recorded Octopus Agile region J, region {region.letter} derived by D*W+P"


class Replay:
    """The recorded figures of one folder. Read once at construction; :meth:`figures` only slices arrays."""

    attributions = (
        "Recorded carbon intensity: NESO Carbon Intensity API, CC BY 4.0; Electricity Maps, ODbL",
        "Recorded prices: Octopus Energy API, Agile tariff; wholesale prices of the zones' markets",
    )

    def __init__(self, folder: Path, zones: Sequence[str], seed: int) -> None:
        self.folder = folder
        gb = read_gb(folder)
        self.start, self.end = instant_of(gb.forecast_g.first), instant_of(gb.forecast_g.end)
        last = self.end - SLOT
        self.description = f"Recorded figures of {self.start:%d %b %Y} to {last:%d %b %Y} are played as if live."
        others = [zone for zone in zones if not is_gb(zone)]
        self._tracks: dict[tuple[str, Quantity], Track] = {}
        self._add_gb([zone for zone in zones if is_gb(zone)], gb, seed)
        for zone, carbon in read_carbon(folder, others).items():
            source = f"recorded Electricity Maps {zone}, direct, hourly"
            self._tracks[zone, "carbon"] = _outturn_track(seed, zone, "carbon", carbon, source)
        trusted = [zone for zone in others if zone not in UNTRUSTED_PRICES]
        for zone, usd in read_prices_usd(folder, trusted).items():
            gbp = Recorded(usd.first, usd.values * USD_TO_GBP_2023 / 1000)
            source = f"recorded wholesale {zone}, hourly, at {USD_TO_GBP_2023} GBP/USD"
            self._tracks[zone, "price"] = _outturn_track(seed, zone, "price", gbp, source)

    def _add_gb(self, zones: Sequence[str], gb: GbRecords, seed: int) -> None:
        carbon = _gb_carbon(seed, gb)
        for zone in zones:
            self._tracks[zone, "carbon"] = carbon
            self._tracks[zone, "price"] = _agile_track(zone, gb.agile_j_p)

    def serves(self, zone: str, quantity: Quantity) -> bool:
        """Whether figures were recorded for this zone."""
        return (zone, quantity) in self._tracks

    def figures(self, zone: str, quantity: Quantity, now: datetime, start: datetime, count: int) -> Series:
        """What was known at ``now`` of the ``count`` slots from ``start``; MISSING where nothing was."""
        track = self._tracks[zone, quantity]
        present, first = slot_index(now), slot_index(start)
        index = np.arange(first, first + count, dtype=np.int64)
        if quantity == "price" and is_gb(zone):
            known = index < slot_index(agile_known_until(now))
        else:
            known = index <= present - OUTTURN_AFTER_SLOTS
        outturn = track.outturn.window(first, count)
        expected = self._expected(track, quantity, present, first, count)
        known &= ~np.isnan(outturn)
        values = np.where(known, outturn, expected)
        kinds = np.where(known, track.firm, Kind.FORECAST)
        kinds = np.where(np.isnan(values), Kind.MISSING, kinds).astype(np.int8)
        return Series(instant_of(first), values, kinds, UNITS[quantity], track.source, slot_floor(now))

    @staticmethod
    def _expected(track: Track, quantity: Quantity, present: int, first: int, count: int) -> FloatArray:
        """Forecasts issued in the slot ``present``: what they converge to, plus their error by lead."""
        if track.forecast is None:
            return np.full(count, np.nan)
        forecast, error = track.forecast
        index = np.arange(first, first + count, dtype=np.int64)
        issue = present - track.lag_slots
        at_issue = float(error.window(issue, 1, outside=0.0)[0])
        process = error.window(first, count, outside=0.0)
        values = forecast.window(first, count)
        values += noise.forecast_error(process, index - issue, at_issue, ERROR_PHI)
        values[index >= present + CARBON_AHEAD_SLOTS] = np.nan
        return np.maximum(values, 0.0) if quantity == "carbon" else values
