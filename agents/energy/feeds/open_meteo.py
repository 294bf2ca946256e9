"""Weather at a place from Open-Meteo: temperature, humidity, wet bulb, wind and cloud, hourly made half-hourly.

API: https://open-meteo.com/en/docs. Hourly figures are of the instant, so a half-hour gets the middle of the straight
line between its two hours. Times are asked for in seconds since 1970; local times without an offset, as older answers
have them, are shifted by the answer's own ``utc_offset_seconds``, which holds all year. Units are those that the answer
names. What lies further back than five days comes from the archive, on a host of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from agents.energy import resample
from agents.energy.feed import Ask, Declaration, Feed, Fetched, Flag, Limits
from agents.energy.places import coordinates, is_place
from agents.energy.reading import json_of, mapping, number
from core.air import wet_bulb_c
from core.errors import FeedInvalid
from core.series import FloatArray, IntArray, Series
from core.settings import Settings
from core.vintage import Quantity, RawAnswer

HOUR_S = 3600
ARCHIVE_AGE = timedelta(days=5)
HORIZON = timedelta(days=15)
LONGEST_RANGE = timedelta(days=366)
NEAR_DEGREES = 1.0
"""How far the point that is answered for may lie from the one asked for."""

_SPELLINGS: Mapping[Quantity, tuple[str, ...]] = {
    "temperature": ("temperature_2m",),
    "humidity": ("relative_humidity_2m", "relativehumidity_2m"),
    "wet_bulb": ("wet_bulb_temperature_2m",),
    "wind_speed": ("wind_speed_10m", "windspeed_10m"),
    "cloud_cover": ("cloud_cover", "cloudcover"),
}
"""The variable of each quantity, and how older answers spell it."""
_BOUNDS: Mapping[Quantity, tuple[float, float]] = {
    "temperature": (-90, 65),
    "humidity": (0, 100),
    "wet_bulb": (-90, 65),
    "wind_speed": (0, 120),
    "cloud_cover": (0, 100),
}
"""Least and greatest figure in our units that is read as weather."""
_CELSIUS = {"°C": (1.0, 0.0), "°F": (5 / 9, -160 / 9)}
_PERCENT = {"%": (1.0, 0.0)}
_CONVERSIONS: Mapping[Quantity, Mapping[str, tuple[float, float]]] = {
    "temperature": _CELSIUS,
    "humidity": _PERCENT,
    "wet_bulb": _CELSIUS,
    "wind_speed": {"m/s": (1.0, 0.0), "km/h": (1 / 3.6, 0.0), "mp/h": (0.44704, 0.0), "kn": (1852 / 3600, 0.0)},
    "cloud_cover": _PERCENT,
}
"""Factor and offset from each unit that an answer may name to ours."""


class OpenMeteoFeed:
    """The feed ``open-meteo``: any place ``lat,lon``."""

    def __init__(self, url: str, archive_url: str) -> None:
        self._forecast = f"{url.rstrip('/')}/v1/forecast"
        self._archive = f"{archive_url.rstrip('/')}/v1/archive"
        self._declaration = _declaration(urlsplit(url).netloc)

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def serves(self, zone: str) -> bool:
        return is_place(zone)

    def fetch(self, ask: Ask) -> Fetched:
        where = f"Open-Meteo at {ask.zone}:"
        answers = [_hours(ask.get(url, parameters), ask.zone, where) for url, parameters in self._requests(ask)]
        if not answers:
            raise FeedInvalid(f"{where} nothing is forecast further than {HORIZON.days} days ahead.")
        times = np.concatenate([times for times, _ in answers])
        columns = {q: np.concatenate([read[q] for _, read in answers]) for q in _SPELLINGS}
        start, count = resample.slots_asked(ask)
        series: dict[Quantity, Series] = {}
        for quantity, column in columns.items():
            kept, figures, _ = resample.distinct(times, column)
            values = resample.interpolated(kept, figures, HOUR_S, start, count)
            kinds = resample.kinds_by_time(start, values, ask.now)
            series |= resample.known_part(quantity, start, values, kinds, f"Open-Meteo {ask.zone}", ask.now)
        resample.require_figures(series, ask, timedelta(0), where)
        twice = np.concatenate([resample.distinct(times, times.astype(np.float64))[2] for times, _ in answers])
        repeated = resample.at_times(Flag.DUPLICATE, "temperature", twice, "an hour came twice; the last counts.")
        return Fetched(series, repeated)

    def _requests(self, ask: Ask) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Archive first, then forecast: of an hour that both have, the newer analysis counts."""
        border = (ask.now - ARCHIVE_AGE).replace(hour=0, minute=0, second=0, microsecond=0)
        start, end = ask.start, min(ask.end, ask.now + HORIZON)
        while start < min(end, border):
            stop = min(start + LONGEST_RANGE, end, border)
            yield self._archive, _parameters(ask.zone, start, stop)
            start = stop
        if start < end:
            yield self._forecast, _parameters(ask.zone, start, end)


def _parameters(place: str, start: datetime, end: datetime) -> Mapping[str, str]:
    """Whole UTC days, both named; the day that begins at ``end`` too, because its first hour ends the last line."""
    latitude, longitude = coordinates(place)
    return {
        "latitude": f"{latitude:.2f}",
        "longitude": f"{longitude:.2f}",
        "hourly": ",".join(names[0] for names in _SPELLINGS.values()),
        "wind_speed_unit": "ms",
        "timezone": "UTC",
        "timeformat": "unixtime",
        "start_date": f"{start:%Y-%m-%d}",
        "end_date": f"{end:%Y-%m-%d}",
    }


def _hours(answer: RawAnswer, place: str, where: str) -> tuple[IntArray, dict[Quantity, FloatArray]]:
    """Seconds since 1970 of the hours, and the figures of each quantity in our units, NaN where not given."""
    body = mapping(json_of(answer, where), where)
    _require_near(body, place, where)
    hourly = mapping(body.get("hourly"), f"{where} hourly")
    units = mapping(body.get("hourly_units"), f"{where} hourly_units")
    times = _times_s(hourly.get("time"), units.get("time"), body.get("utc_offset_seconds"), where)
    read = {quantity: _figures(quantity, hourly, units, times.size, where) for quantity in _SPELLINGS}
    computed = wet_bulb_c(read["temperature"], read["humidity"])
    read["wet_bulb"] = np.where(np.isnan(read["wet_bulb"]), computed, read["wet_bulb"])
    return times, read


def _require_near(body: Mapping[str, Any], place: str, where: str) -> None:
    latitude, longitude = coordinates(place)
    north = abs(number(body.get("latitude"), -90, 90, f"{where} latitude") - latitude)
    east = abs(number(body.get("longitude"), -180, 180, f"{where} longitude") - longitude)
    if max(north, min(east, 360 - east)) > NEAR_DEGREES:
        raise FeedInvalid(f"{where} the answer is about {body['latitude']},{body['longitude']}.")


def _times_s(values: Any, unit: Any, offset_s: Any, where: str) -> IntArray:
    """The hours in seconds since 1970, from ``unixtime`` or from local times without an offset."""
    if not isinstance(values, list) or not values:
        raise FeedInvalid(f"{where} has no hours.")
    try:
        if unit == "unixtime":
            times = np.array([int(number(v, 0, 1e11, f"{where} time")) for v in values], dtype=np.int64)
        elif unit == "iso8601" and all(isinstance(v, str) and len(v) == len("2023-01-01T00:00") for v in values):
            local_s = np.array(values, dtype="datetime64[s]").astype(np.int64)
            times = local_s - int(number(offset_s, -86_400, 86_400, f"{where} utc_offset_seconds"))
        else:
            raise FeedInvalid(f"{where} times are {unit!r} such as {values[0]!r}, unixtime was asked for.")
    except ValueError as error:
        raise FeedInvalid(f"{where} a time is broken: {error}.") from error
    if np.any(times % resample.SLOT_S):
        raise FeedInvalid(f"{where} an hour is not on a half-hour UTC.")
    return times


def _figures(
    quantity: Quantity, hourly: Mapping[str, Any], units: Mapping[str, Any], count: int, where: str
) -> FloatArray:
    """The column of a quantity in our unit; all NaN where the answer has none."""
    name = next((name for name in _SPELLINGS[quantity] if name in hourly), None)
    if name is None:
        return np.full(count, np.nan)
    unit = units.get(name)
    if not isinstance(unit, str) or unit not in _CONVERSIONS[quantity]:
        known = ", ".join(_CONVERSIONS[quantity])
        raise FeedInvalid(f"{where} {name} is in {unit!r}, one of {known} was expected.")
    factor, offset = _CONVERSIONS[quantity][unit]
    low, high = ((bound - offset) / factor for bound in _BOUNDS[quantity])
    return resample.column(hourly[name], count, low, high, f"{where} {name}") * factor + offset


def _declaration(host: str) -> Declaration:
    return Declaration(
        name="open-meteo",
        title="Open-Meteo weather",
        home="https://open-meteo.com/en/docs",
        licence="CC BY 4.0; the free service is for non-commercial use only",
        attribution="Weather data by Open-Meteo.com, CC BY 4.0",
        host=host,
        quantities=tuple(_SPELLINGS),
        units="°C, %, m/s at 10 m (asked for; °F, km/h, mph and knots are converted where an answer names them)",
        limits=Limits(10_000, timedelta(days=1)),
        done=(
            "hourly temperature, humidity, wet bulb, wind speed and cloud, up to 15 days ahead",
            "past hours as estimates: analyses, from the archive when older than 5 days",
            "half-hours as the middle of the line between two hours; a missing hour leaves three half-hours open",
            "wet bulb by Stull's formula at sea-level pressure where the answer has none",
        ),
        exempt=(
            "15-minute, daily and ensemble figures, radiation and rain: nothing here is planned by them",
            "the limits of 600 a minute and 5,000 an hour: the day's limit is reached first at the rates used here",
            "the weight of long ranges, of which a year counts as some 26 calls: backfills are rare",
        ),
        least_period=timedelta(minutes=15),
        first_history=timedelta(days=60),
        use_for=timedelta(hours=24),
    )


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """The one feed of this source."""
    return (OpenMeteoFeed(settings.open_meteo_url, settings.open_meteo_archive_url),)
