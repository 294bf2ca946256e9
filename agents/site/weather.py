"""Simulated outdoor weather: plausible for a latitude and season, and never anything but simulated.

A function of seed, site and instant alone: a season by latitude and hemisphere, a day by local solar time, and fronts
that pass in two to nine days. The coefficients are fitted by eye to climate normals at sea level (London 10 °C,
Singapore 28 °C, Reykjavik 5 °C yearly mean); they are no forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agents.site.draws import slot_seconds, wandering
from core.series import FloatArray, Kind
from core.site import Site

SOURCE = "simulated weather"
_DAY_S = 86_400.0
_YEAR_S = 365.2425 * _DAY_S
_WARMEST_DAY = 205  # of the year, northern hemisphere: late July
_FRONTS_S = (2 * _DAY_S, 9 * _DAY_S)


@dataclass(frozen=True, slots=True)
class Weather:
    """Outdoor conditions at S sites over T slots, all of ``kind``.

    :param temperature_c: (S, T) dry bulb.
    :param humidity_percent: (S, T) relative humidity, 15 to 98.
    """

    temperature_c: FloatArray
    humidity_percent: FloatArray
    kind: Kind = Kind.SIMULATED
    source: str = SOURCE


def _season(latitude: FloatArray, seconds: FloatArray) -> FloatArray:
    """Yearly course in °C, (S, T), given latitude (S, 1) and Unix seconds (T,)."""
    amplitude_c = 9.0 * np.sin(np.radians(latitude))
    phase = 2 * np.pi * (seconds / _YEAR_S - _WARMEST_DAY / 365.2425)
    return np.asarray(28.5 - 0.365 * np.abs(latitude) + amplitude_c * np.cos(phase), dtype=np.float64)


def _day(latitude: FloatArray, longitude: FloatArray, seconds: FloatArray) -> FloatArray:
    """Daily course in °C, (S, T): warmest at 15:00 local solar time."""
    solar_hour = seconds / 3600.0 + longitude / 15.0
    return np.asarray((1.0 + 3.5 * np.cos(np.radians(latitude))) * np.cos(2 * np.pi * (solar_hour - 15.0) / 24.0))


def _fronts(sites: Sequence[Site], quantity: str, seconds: FloatArray, seed: int) -> FloatArray:
    return np.stack([wandering(seconds, *_FRONTS_S, seed, quantity, site.site_id) for site in sites])


def simulate(sites: Sequence[Site], seed: int, start: datetime, slots: int) -> Weather:
    """Weather at ``sites`` in the middle of each of ``slots`` slots from ``start``."""
    if not sites:
        return Weather(np.empty((0, slots)), np.empty((0, slots)))
    seconds = slot_seconds(start, slots)
    latitude = np.array([[site.latitude] for site in sites])
    longitude = np.array([[site.longitude] for site in sites])
    unrest = np.abs(np.sin(np.radians(latitude)))
    day = _day(latitude, longitude, seconds)
    temperature = _season(latitude, seconds) + day + (0.8 + 3.2 * unrest) * _fronts(sites, "temperature", seconds, seed)
    humidity = 74.0 - 3.0 * day + (4.0 + 8.0 * unrest) * _fronts(sites, "humidity", seconds, seed)
    return Weather(temperature, np.clip(humidity, 15.0, 98.0))
