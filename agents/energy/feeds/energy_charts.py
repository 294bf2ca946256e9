"""Day-ahead prices and carbon intensity of European zones from Energy-Charts (Fraunhofer ISE).

API: https://api.energy-charts.info. Answers are columns over ``unix_seconds``, whose step is 15, 30 or 60 minutes and
may change within an answer. Prices are in EUR/MWh for every zone, whatever its currency. Of carbon, either column may
be null at a time, or both may be set: then the actual one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import numpy as np

from agents.energy import currency, resample
from agents.energy.currency import Rate
from agents.energy.feed import Ask, Declaration, Feed, Fetched, Finding, Flag, Limits
from agents.energy.reading import json_of, mapping, number
from core.errors import FeedInvalid
from core.series import FloatArray, IntArray, Kind
from core.settings import Settings
from core.slots import require_aware
from core.vintage import RawAnswer

BIDDING_ZONES = {
    "DE-LU": "DE-LU",
    "FR": "FR",
    "BE": "BE",
    "NL": "NL",
    "AT": "AT",
    "CH": "CH",
    "DK-DK1": "DK1",
    "NO-NO2": "NO2",
}
"""Energy-Charts' name of each zone whose price is read."""
COUNTRIES = {"DE-LU": "de", "FR": "fr", "BE": "be", "NL": "nl", "AT": "at", "CH": "ch", "IE": "ie"}
"""Energy-Charts' country of each zone whose carbon is read."""
MARKET_TIME = ZoneInfo("Europe/Brussels")
AUCTION_OUT_AT_HOUR = 14
"""From this local hour on tomorrow's day-ahead prices are due; they come about 13:00, later when an auction is late."""
LOWEST_EUR, HIGHEST_EUR = -1000.0, 10_000.0
HIGHEST_G = 1500.0
NEWEST_CARBON = timedelta(hours=6)
LONGEST_RANGE = timedelta(days=366)
LIMITS = Limits(30, timedelta(minutes=1))
_PRICE_UNITS = ("EUR / MWh", "EUR/MWh", "No Unit", None)
"""What the answer calls EUR/MWh; older ones name no unit."""


def day_ahead_until(now: datetime) -> datetime:
    """The end of the day-ahead prices that are due at ``now``: of today, or of tomorrow from 14:00 market time on."""
    local = require_aware(now).astimezone(MARKET_TIME)
    day = local.date() + timedelta(days=2 if local.hour >= AUCTION_OUT_AT_HOUR else 1)
    return datetime(day.year, day.month, day.day, tzinfo=MARKET_TIME).astimezone(UTC)


class PriceFeed:
    """The feed ``energy-charts-price``: day-ahead prices of ``BIDDING_ZONES``."""

    def __init__(self, url: str, rate: Rate) -> None:
        self._url = f"{url.rstrip('/')}/price"
        self._rate = rate
        self._declaration = _price_declaration(urlsplit(url).netloc)

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def serves(self, zone: str) -> bool:
        return zone in BIDDING_ZONES

    def fetch(self, ask: Ask) -> Fetched:
        zone = BIDDING_ZONES[ask.zone]
        where = f"Energy-Charts price {zone}:"
        times, columns, twice = _read(ask, self._url, {"bzn": zone}, {"price": (LOWEST_EUR, HIGHEST_EUR)}, where)
        start, count = resample.slots_asked(ask)
        steps = resample.steps_of(times, where)
        values = self._rate.gbp_per_kwh(resample.held(times, columns["price"], steps, start, count))
        kinds = resample.kinds_where(np.zeros(count, dtype=np.bool_), values)
        source = f"Energy-Charts day-ahead {zone}, wholesale, {self._rate.note}"
        series = resample.known_part("price", start, values, kinds, source, ask.now)
        resample.require_figures(series, ask, timedelta(0), where)
        repeated = resample.at_times(Flag.DUPLICATE, "price", twice, "a time came twice; the last counts.")
        return Fetched(series, repeated)


class CarbonFeed:
    """The feed ``energy-charts-carbon``: carbon intensity of the countries in ``COUNTRIES``."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/co2eq"
        self._declaration = _carbon_declaration(urlsplit(url).netloc)

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def serves(self, zone: str) -> bool:
        return zone in COUNTRIES

    def fetch(self, ask: Ask) -> Fetched:
        country = COUNTRIES[ask.zone]
        where = f"Energy-Charts co2eq {country}:"
        bounds = dict.fromkeys(("co2eq", "co2eq_forecast"), (0.0, HIGHEST_G))
        times, columns, twice = _read(ask, self._url, {"country": country}, bounds, where)
        actual, forecast = (np.where(columns[name] == 0, np.nan, columns[name]) for name in bounds)
        zeros = times[(columns["co2eq"] == 0) | (columns["co2eq_forecast"] == 0)]
        figures = np.where(np.isnan(actual), forecast, actual)
        foreseen = np.where(np.isnan(figures), np.nan, np.isnan(actual))
        start, count = resample.slots_asked(ask)
        steps = resample.steps_of(times, where)
        values = resample.held(times, figures, steps, start, count)
        under_way = resample.kinds_by_time(start, values, ask.now) == Kind.FORECAST
        kinds = resample.kinds_where(under_way | (resample.held(times, foreseen, steps, start, count) > 0), values)
        series = resample.known_part("carbon", start, values, kinds, f"Energy-Charts CO2eq {country.upper()}", ask.now)
        resample.require_figures(series, ask, NEWEST_CARBON, where)
        return Fetched(series, _carbon_findings(zeros, twice))


def _carbon_findings(zeros: IntArray, twice: IntArray) -> tuple[Finding, ...]:
    return (
        *resample.at_times(Flag.SPURIOUS_ZERO, "carbon", zeros, "0 g/kWh is no figure."),
        *resample.at_times(Flag.DUPLICATE, "carbon", twice, "a time came twice; the last counts."),
    )


def _ranges(ask: Ask) -> Iterator[tuple[datetime, datetime]]:
    start = ask.start
    while start < ask.end:
        stop = min(start + LONGEST_RANGE, ask.end)
        yield start, stop
        start = stop


def _read(
    ask: Ask, url: str, what: Mapping[str, str], bounds: Mapping[str, tuple[float, float]], where: str
) -> tuple[IntArray, dict[str, FloatArray], IntArray]:
    """Times ascending in seconds since 1970, the columns named in ``bounds`` at them, and the times that came twice."""
    bodies = [
        _body(ask.get(url, {**what, "start": str(resample.seconds(a)), "end": str(resample.seconds(b))}), where)
        for a, b in _ranges(ask)
    ]
    times = [_times_s(body, where) for body in bodies]
    repeated = np.concatenate([resample.distinct(one, np.zeros(one.size))[2] for one in times])
    columns = {}
    for name, (low, high) in bounds.items():
        parts = zip(bodies, times, strict=True)
        read = [resample.column(body.get(name), one.size, low, high, f"{where} {name}") for body, one in parts]
        kept, columns[name], _ = resample.distinct(np.concatenate(times), np.concatenate(read))
    return kept, columns, repeated


def _body(answer: RawAnswer, where: str) -> Mapping[str, Any]:
    body = mapping(json_of(answer, where), where)
    if not isinstance(body.get("unix_seconds"), list):
        raise FeedInvalid(f"{where} the answer has no times.")
    if body.get("unit") not in _PRICE_UNITS and "price" in body:
        raise FeedInvalid(f"{where} prices are in {body['unit']!r}, EUR/MWh was expected.")
    return body


def _times_s(body: Mapping[str, Any], where: str) -> IntArray:
    return np.array([int(number(v, 0, 1e11, f"{where} time")) for v in body["unix_seconds"]], dtype=np.int64)


def _price_declaration(host: str) -> Declaration:
    return Declaration(
        name="energy-charts-price",
        title="Energy-Charts day-ahead prices",
        home="https://api.energy-charts.info",
        licence="CC BY 4.0 where the answer says so (DE-LU and others from SMARD); other zones for own use only",
        attribution="Day-ahead prices: Energy-Charts (Fraunhofer ISE), Bundesnetzagentur | SMARD.de",
        host=host,
        quantities=("price",),
        units="EUR/MWh for every zone, to GBP/kWh at EUR_GBP",
        limits=LIMITS,
        done=(
            "day-ahead wholesale prices in steps of 15, 30 or 60 minutes as half-hour means, negative ones too",
            "always estimates: the exchange rate is the operator's assumption",
        ),
        exempt=(
            "Ireland: its market is not among the bidding zones",
            "grid fees and taxes: they differ by customer",
            "the host's own limit is not documented: 30 a minute is this side's choice",
            "what unit today's price answers name could not be confirmed: EUR/MWh or none is read, others refused",
        ),
        least_period=timedelta(minutes=15),
        first_history=timedelta(days=60),
        published_until=day_ahead_until,
    )


def _carbon_declaration(host: str) -> Declaration:
    return Declaration(
        name="energy-charts-carbon",
        title="Energy-Charts carbon intensity",
        home="https://api.energy-charts.info",
        licence="CC BY 4.0",
        attribution="Carbon intensity: Energy-Charts (Fraunhofer ISE)",
        host=host,
        quantities=("carbon",),
        units="gCO2eq/kWh",
        limits=LIMITS,
        done=(
            "actual figures as estimates, the forecast where there is no actual one",
            "a half-hour with any part forecast or still to come is a forecast; 0 g/kWh is refused as an outage",
        ),
        exempt=(
            "Norway: one country there, so its mean is not that of NO-NO2",
            "whether the factors are direct or life-cycle is not stated with the figures: do not add them to others",
            "whether IE is served, and how far a forecast reaches when start and end are given, could not be confirmed",
            "the host's own limit is not documented: 30 a minute is this side's choice",
        ),
        least_period=timedelta(minutes=15),
        first_history=timedelta(days=60),
    )


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """Prices and carbon, which fail apart."""
    url = settings.energy_charts_url
    return PriceFeed(url, currency.euro(settings)), CarbonFeed(url)
