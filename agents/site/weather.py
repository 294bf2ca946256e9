"""Outdoor weather at the sites: the feeds' figures where they have one, simulated where they have none.

The simulation is plausible for a latitude and season, and never called anything but simulated. It is a function of
seed, site and instant alone: a season by latitude and hemisphere, a day by local solar time, and fronts that pass in
two to nine days. The coefficients are fitted by eye to climate normals at sea level (London 10 °C, Singapore 28 °C,
Reykjavik 5 °C yearly mean); they are no forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agents.messages import WeatherQuote
from agents.site.draws import slot_seconds, wandering
from core.series import FloatArray, Kind, KindArray, Series
from core.site import Site

_DAY_S = 86_400.0
_YEAR_S = 365.2425 * _DAY_S
_WARMEST_DAY = 205  # of the year, northern hemisphere: late July
_FRONTS_S = (2 * _DAY_S, 9 * _DAY_S)


@dataclass(frozen=True, slots=True)
class Weather:
    """Outdoor conditions at S sites over T slots; all arrays have shape (S, T), and every slot has a figure.

    :param temperature_c: dry bulb.
    :param humidity_percent: relative humidity.
    :param temperature_kind: codes of :class:`Kind`, never MISSING.
    :param humidity_kind: likewise.
    """

    temperature_c: FloatArray
    humidity_percent: FloatArray
    temperature_kind: KindArray
    humidity_kind: KindArray


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


def _simulated(temperature_c: FloatArray, humidity_percent: FloatArray) -> Weather:
    kinds = np.full(temperature_c.shape, Kind.SIMULATED, dtype=np.int8)
    return Weather(temperature_c, humidity_percent, kinds, kinds)


def simulate(sites: Sequence[Site], seed: int, start: datetime, slots: int) -> Weather:
    """Simulated weather at ``sites`` in the middle of each of ``slots`` slots; humidity from 15 to 98 %."""
    if not sites:
        return _simulated(np.empty((0, slots)), np.empty((0, slots)))
    seconds = slot_seconds(start, slots)
    latitude = np.array([[site.latitude] for site in sites])
    longitude = np.array([[site.longitude] for site in sites])
    unrest = np.abs(np.sin(np.radians(latitude)))
    day = _day(latitude, longitude, seconds)
    temperature = _season(latitude, seconds) + day + (0.8 + 3.2 * unrest) * _fronts(sites, "temperature", seconds, seed)
    humidity = 74.0 - 3.0 * day + (4.0 + 8.0 * unrest) * _fronts(sites, "humidity", seconds, seed)
    return _simulated(temperature, np.clip(humidity, 15.0, 98.0))


def _known(
    figures: Mapping[str, Series], sites: Sequence[Site], start: datetime, otherwise: FloatArray
) -> tuple[FloatArray, KindArray]:
    """``figures`` and their kinds, (S, T) each, with the simulated figures of ``otherwise`` in the gaps."""
    values, kinds = otherwise.copy(), np.full(otherwise.shape, Kind.SIMULATED, dtype=np.int8)
    for row, site in enumerate(sites):
        if site.site_id in figures:
            series = figures[site.site_id].window(start, otherwise.shape[1])
            found = series.kinds != Kind.MISSING
            values[row, found], kinds[row, found] = series.values[found], series.kinds[found]
    return values, kinds


def conditions(
    sites: Sequence[Site], seed: int, start: datetime, slots: int, known: WeatherQuote | None = None
) -> Weather:
    """Weather at ``sites`` in ``slots`` slots from ``start``: what is ``known``, and simulated figures in the gaps."""
    drawn = simulate(sites, seed, start, slots)
    if known is None:
        return drawn
    temperature, temperature_kind = _known(known.temperature, sites, start, drawn.temperature_c)
    humidity, humidity_kind = _known(known.humidity, sites, start, drawn.humidity_percent)
    return Weather(temperature, humidity, temperature_kind, humidity_kind)
