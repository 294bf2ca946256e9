"""Simulated price and carbon for every zone: plausible, repeatable, and labelled simulated wherever it goes.

The outturn of a slot is a function of (seed, zone, slot): a demand shape by hour, weekday and season, sun by solar time
and cloud, and wind as noise over hours to days shared by neighbouring zones. A forecast is the outturn plus an error
that follows an AR(1) process in time and grows with lead, to 24 g/kWh mean absolute a day ahead for Great Britain's
carbon (the error known of the Carbon Intensity API) and in proportion to the spread of the figures elsewhere.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agents.energy import noise
from agents.energy.climate import CLIMATES, Climate
from agents.energy.tariff import region_price_p, with_vat_gbp
from agents.energy.zones import is_gb, price_region
from core.halfhours import indexes, instant_of, slot_index
from core.series import LEVEL_SIGMAS, FloatArray, IntArray, Kind, Series
from core.slots import SLOTS_PER_DAY
from core.vintage import UNITS, Quantity

MEAN_SUN = 0.17
"""Mean of the simulated solar output over a year, so that the zone means stay what the climate says."""
BLOCK_SLOTS = 1024
BLOCKS_KEPT = 512
ERROR_PHI = 0.97
"""Half of a forecast's error is forgotten in 11 hours."""
GB_CARBON_ERROR_G = 33.0
"""Standard deviation that gives a mean absolute error of 24 g/kWh at a lead of 24 h."""
PRICE_ERROR_SHARE = 0.35
"""Standard deviation of a price forecast's error, as a share of the spread of the price."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Outturn and unit error process of ``BLOCK_SLOTS`` slots."""

    values: FloatArray
    error: FloatArray


def spread_of(climate: Climate, quantity: Quantity) -> float:
    """Rough standard deviation of a zone's simulated figures (the sun counts a third of its peak)."""
    if quantity == "carbon":
        parts = (climate.carbon_wind, climate.carbon_solar / 3, climate.carbon_demand)
    else:
        parts = (climate.price_wind, climate.price_solar / 3, climate.price_demand)
    return float(np.hypot(np.hypot(parts[0], parts[1]), parts[2]))


def _demand(climate: Climate, index: IntArray) -> FloatArray:
    """Demand about zero, in units of its usual evening peak: low at night, at weekends and in the mild season."""
    hour = (index / 2 + climate.longitude / 15) % 24
    day = np.floor((index / 2 + climate.longitude / 15) / 24)
    daily = 0.75 * np.cos(2 * np.pi * (hour - 14.5) / 24)
    evening = 0.9 * np.exp(-(((hour - 18.5) / 2.2) ** 2)) + 0.35 * np.exp(-(((hour - 8.5) / 1.8) ** 2))
    weekend = -0.35 * ((day + 3) % 7 >= 5)
    winter = 0.45 * climate.season * np.cos(2 * np.pi * (day % 365.2425 - 15) / 365.2425)
    return np.asarray(daily + evening + weekend + winter - 0.2)


def _sun(seed: int, climate: Climate, index: IntArray) -> FloatArray:
    """Solar output as a share of full sun, 0 to 1, after season and cloud."""
    hour = (index / 2 + climate.longitude / 15) % 24
    day = np.floor(index / SLOTS_PER_DAY) % 365.2425
    summer = -climate.season * np.cos(2 * np.pi * (day - 5) / 365.2425)
    height = np.cos(2 * np.pi * (hour - 12.2) / 24) + 0.25 * summer
    cloud = noise.smooth(noise.key_of(seed, climate.weather, "cloud"), index, 10)
    clearness = 1 / (1 + np.exp(-(0.6 + cloud)))
    return np.asarray(np.clip(height, 0, 1.1) * (0.7 + 0.3 * summer) * clearness)


def _wind(seed: int, zone: str, climate: Climate, index: IntArray) -> FloatArray:
    """Wind output in standard deviations about its mean: synoptic over days, gusts over hours, more in winter."""
    slow = noise.smooth(noise.key_of(seed, climate.weather, "synoptic"), index, 150)
    fast = noise.smooth(noise.key_of(seed, climate.weather, "front"), index, 37)
    local = noise.smooth(noise.key_of(seed, zone, "local wind"), index, 17)
    day = index / SLOTS_PER_DAY % 365.2425
    winter = 0.35 * climate.season * np.cos(2 * np.pi * (day - 15) / 365.2425)
    return np.asarray(0.8 * slow + 0.5 * fast + 0.3 * local + winter)


def _carbon_g(seed: int, zone: str, index: IntArray) -> FloatArray:
    climate = CLIMATES[zone]
    raw = (
        climate.carbon_mean
        + climate.carbon_demand * _demand(climate, index)
        - climate.carbon_wind * _wind(seed, zone, climate, index)
        - climate.carbon_solar * (_sun(seed, climate, index) - MEAN_SUN)
    )
    softness = max(0.15 * climate.carbon_mean, 1.0)
    return np.asarray(climate.carbon_floor + softness * np.logaddexp(0, (raw - climate.carbon_floor) / softness))


def _wholesale_p(seed: int, zone: str, index: IntArray) -> FloatArray:
    """Wholesale price in p/kWh: linear in residual demand, steeper when it is scarce; below zero when wind abounds."""
    climate = CLIMATES[zone]
    region = climate.weather if is_gb(zone) else zone
    linear = (
        climate.price_demand * _demand(climate, index)
        - climate.price_wind * _wind(seed, region, climate, index)
        - climate.price_solar * (_sun(seed, climate, index) - MEAN_SUN)
    )
    grain = 0.06 * climate.price_mean * noise.normal(noise.key_of(seed, region, "price grain"), index)
    tightness = np.maximum(0, linear / max(climate.price_mean, 1e-9) - 0.35)
    return np.asarray(climate.price_mean * (1 + 2.5 * tightness**2) + linear + grain)


def _price_gbp(seed: int, zone: str, index: IntArray) -> FloatArray:
    """GBP/kWh: Agile's formula with VAT on the simulated wholesale price in GB, the wholesale price elsewhere."""
    if not is_gb(zone):
        return _wholesale_p(seed, zone, index) / 100
    wholesale = _wholesale_p(seed, "GB", index)
    return with_vat_gbp(region_price_p(wholesale, price_region(zone), index), index)


class Simulator:
    """Simulated figures of every zone. Thread-safe; computed in blocks that are kept."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._blocks: OrderedDict[tuple[str, Quantity, int], _Block] = OrderedDict()
        self._lock = threading.Lock()

    def _compute(self, zone: str, quantity: Quantity, number: int) -> _Block:
        index = np.arange(number * BLOCK_SLOTS, (number + 1) * BLOCK_SLOTS, dtype=np.int64)
        values = _price_gbp(self._seed, zone, index) if quantity == "price" else _carbon_g(self._seed, zone, index)
        error_name = "GB" if is_gb(zone) and quantity == "price" else zone
        error = noise.autoregressive(noise.key_of(self._seed, error_name, quantity, "error"), index, ERROR_PHI)
        return _Block(np.round(values, 6 if quantity == "price" else 1), error)

    def _block(self, zone: str, quantity: Quantity, number: int) -> _Block:
        key = (zone, quantity, number)
        with self._lock:
            if key in self._blocks:
                self._blocks.move_to_end(key)
                return self._blocks[key]
        block = self._compute(zone, quantity, number)
        with self._lock:
            self._blocks[key] = block
            while len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        return block

    def _slots(self, zone: str, quantity: Quantity, first: int, count: int) -> tuple[FloatArray, FloatArray]:
        """Outturn and error process of ``count`` slots from index ``first``."""
        numbers = range(first // BLOCK_SLOTS, (first + max(count, 1) - 1) // BLOCK_SLOTS + 1)
        blocks = [self._block(zone, quantity, number) for number in numbers]
        cut = slice(first - numbers[0] * BLOCK_SLOTS, first - numbers[0] * BLOCK_SLOTS + count)
        return np.concatenate([b.values for b in blocks])[cut], np.concatenate([b.error for b in blocks])[cut]

    def outturn(self, zone: str, quantity: Quantity, start: datetime, count: int, issued_at: datetime) -> Series:
        """What the simulated world does in the ``count`` slots from ``start``."""
        values, _ = self._slots(zone, quantity, slot_index(start), count)
        return self._series(zone, quantity, start, values, issued_at)

    def forecast(self, zone: str, quantity: Quantity, start: datetime, count: int, issued_at: datetime) -> Series:
        """What is expected at ``issued_at``: the outturn up to its slot, and the outturn plus an error beyond."""
        values, process = self._slots(zone, quantity, slot_index(start), count)
        issue = slot_index(issued_at)
        at_issue = float(self._slots(zone, quantity, issue, 1)[1][0])
        lead = indexes(start, count) - issue
        scale = self._error_scale(zone, quantity)
        values = values + noise.forecast_error(process, lead, at_issue, ERROR_PHI) * scale
        half = LEVEL_SIGMAS * scale * np.sqrt(1 - ERROR_PHI ** (2 * np.maximum(lead, 0)))
        low, high = values - half, values + half
        if quantity == "carbon":
            values, low, high = (np.maximum(each, 0.0) for each in (values, low, high))
        return self._series(zone, quantity, start, values, issued_at).with_interval(low, high)

    @staticmethod
    def _error_scale(zone: str, quantity: Quantity) -> float:
        if quantity == "carbon":
            return GB_CARBON_ERROR_G * spread_of(CLIMATES[zone], quantity) / spread_of(CLIMATES["GB"], quantity)
        retail = price_region(zone).distribution if is_gb(zone) else 1.0
        return PRICE_ERROR_SHARE * spread_of(CLIMATES[zone], quantity) * retail / 100

    @staticmethod
    def _series(zone: str, quantity: Quantity, start: datetime, values: FloatArray, issued_at: datetime) -> Series:
        first = instant_of(slot_index(start))
        return Series.of(first, values, Kind.SIMULATED, UNITS[quantity], f"simulated {zone}", issued_at)
