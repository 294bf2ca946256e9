"""Texas: prices, demand, fuel mix and the carbon computed from it, from ERCOT's public dashboards.

Addresses: https://www.ercot.com/gridmktinfo/dashboards. They need no key and are not documented: the body of the load
was recorded, those of prices and fuel mix are known from public code. Each row is named by its *end* in Central time;
its timestamp carries the UTC offset, so the hour that comes twice in November needs no ``dstFlag``. Prices are in
USD/MWh, loads and generation in MW.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import numpy as np

from agents.energy import currency, resample
from agents.energy.currency import Rate
from agents.energy.feed import Ask, Declaration, Feed, Fetched, Flag, Limits
from agents.energy.reading import json_of, mapping, number, rows
from core.errors import FeedInvalid
from core.series import FloatArray, IntArray, Kind, Series
from core.settings import Settings
from core.vintage import Quantity

ZONE = "US-TEX-ERCO"
CENTRAL = ZoneInfo("America/Chicago")
HOUR_S, QUARTER_S, FIVE_MINUTES_S = 3600, 900, 300
LOWEST_USD, HIGHEST_USD = -1000.0, 10_000.0
LOWEST_MW, HIGHEST_MW = 5_000.0, 200_000.0
HUB = "hbHubAvg"
"""The mean of the trading hubs."""
NEWEST = timedelta(hours=2)
DAYS = ("previousDay", "currentDay", "nextDay")
FUELS: Mapping[str, tuple[Quantity, float]] = {
    "Coal and Lignite": ("share_coal", 820.0),
    "Natural Gas": ("share_gas", 450.0),
    "Nuclear": ("share_nuclear", 12.0),
    "Hydro": ("share_hydro", 24.0),
    "Solar": ("share_solar", 41.0),
    "Wind": ("share_wind", 11.0),
    "Other": ("share_other", 350.0),
}
"""The quantity of each of ERCOT's fuels and its assumed life-cycle factor in g/kWh; Other is taken as mixed."""
STORAGE = "Power Storage"
"""Begins the name of what is neither fuel nor generation: batteries give back what others made before."""
FACTORS_NOTE = ", ".join(f"{name} {factor:g}" for name, (_, factor) in FUELS.items())


class _DashboardFeed:
    """What the three dashboards share."""

    def __init__(self, url: str, dashboard: str, declaration: Declaration) -> None:
        self._url = f"{url.rstrip('/')}/api/1/services/read/dashboards/{dashboard}.json"
        self._declaration = replace(declaration, host=urlsplit(url).netloc)

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def serves(self, zone: str) -> bool:
        return zone == ZONE

    def _body(self, ask: Ask, where: str) -> Mapping[str, Any]:
        return mapping(json_of(ask.get(self._url), where), where)


class PriceFeed(_DashboardFeed):
    """The feed ``ercot-prices``: quarter-hours of the real-time market, then the hours of the day-ahead market."""

    def __init__(self, url: str, rate: Rate) -> None:
        super().__init__(url, "systemWidePrices", _PRICES)
        self._rate = rate

    def fetch(self, ask: Ask) -> Fetched:
        where = "ERCOT prices:"
        body = self._body(ask, where)
        start, _ = resample.slots_asked(ask)
        real, twice = self._market(body, "rtSppData", QUARTER_S, ask, where)
        ahead, _ = self._market(body, "damSppData", HOUR_S, ask, where)
        coming = resample.kinds_by_time(start, ahead, ask.now) == Kind.FORECAST
        usd = np.where(np.isnan(real) & coming, ahead, real)
        kinds = resample.kinds_by_time(start, usd, ask.now)
        source = f"ERCOT hub average, real time then day ahead, wholesale, {self._rate.note}"
        series = resample.known_part("price", start, self._rate.gbp_per_kwh(usd), kinds, source, ask.now)
        resample.require_figures(series, ask, NEWEST, where)
        repeated = resample.at_times(Flag.DUPLICATE, "price", twice, "a quarter came twice; the last counts.")
        return Fetched(series, repeated)

    def _market(
        self, body: Mapping[str, Any], name: str, step_s: int, ask: Ask, where: str
    ) -> tuple[FloatArray, IntArray]:
        """USD/MWh of the half-hours asked for, and the begins that came more than once."""
        found = rows(body.get(name), f"{where} {name}")
        begins = np.array([_begin_s(row, step_s, f"{where} {name}") for row in found], dtype=np.int64)
        column = [row.get(HUB) for row in found]
        usd = resample.column(column, len(found), LOWEST_USD, HIGHEST_USD, f"{where} {name} {HUB} (USD/MWh)")
        return _held(begins, usd, step_s, ask)


class LoadFeed(_DashboardFeed):
    """The feed ``ercot-load``: demand of past hours and its forecast to the end of tomorrow."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "loadForecastVsActual", _LOAD)

    def fetch(self, ask: Ask) -> Fetched:
        where = "ERCOT load:"
        body = self._body(ask, where)
        found = [row for day in DAYS for row in rows(mapping(body.get(day), f"{where} {day}").get("data"), where)]
        begins = np.array([_begin_s(row, HOUR_S, where) for row in found], dtype=np.int64)
        load, forecast = (self._column(found, name, where) for name in ("systemLoad", "currentLoadForecast"))
        load = np.where(begins + HOUR_S <= resample.seconds(ask.now), load, np.nan)
        actual, twice = _held(begins, load, HOUR_S, ask)
        foreseen, _ = _held(begins, forecast, HOUR_S, ask)
        start, _ = resample.slots_asked(ask)
        megawatts = np.where(np.isnan(actual), foreseen, actual)
        kinds = resample.kinds_where(np.isnan(actual), megawatts)
        series = resample.known_part("demand", start, megawatts, kinds, "ERCOT system load", ask.now)
        resample.require_figures(series, ask, NEWEST, where)
        repeated = resample.at_times(Flag.DUPLICATE, "demand", twice, "an hour came twice; the last counts.")
        return Fetched(series, repeated)

    def _column(self, found: list[Mapping[str, Any]], name: str, where: str) -> FloatArray:
        column = [row.get(name) for row in found]
        return resample.column(column, len(found), LOWEST_MW, HIGHEST_MW, f"{where} {name} (MW)")


class MixFeed(_DashboardFeed):
    """The feed ``ercot-mix``: shares of generation, and average carbon from them with assumed factors."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "fuel-mix", _MIX)

    def fetch(self, ask: Ask) -> Fetched:
        where = "ERCOT fuel mix:"
        days = mapping(self._body(ask, where).get("data"), f"{where} data").values()
        points = [point for day in days for point in mapping(day, where).items()]
        begins = np.array([_five_minutes_begin_s(stamp, where) for stamp, _ in points], dtype=np.int64)
        generation = np.array([_generation_mw(mapping(fuels, where), where) for _, fuels in points])
        generation = generation.reshape(-1, len(FUELS))
        total = generation.sum(axis=1)
        whole = (total >= LOWEST_MW) & (total <= HIGHEST_MW)
        shares = np.where(whole[:, None], generation / np.maximum(total, 1.0)[:, None], np.nan)
        series, twice = self._series(begins, shares, ask)
        resample.require_figures(series, ask, NEWEST, where)
        findings = (
            *resample.at_times(
                Flag.GAP, "carbon", begins[~whole], "a fuel is missing, or all of them together too small."
            ),
            *resample.at_times(Flag.DUPLICATE, "carbon", twice, "a time came twice; the last counts."),
        )
        return Fetched(series, findings)

    def _series(self, begins: IntArray, shares: FloatArray, ask: Ask) -> tuple[dict[Quantity, Series], IntArray]:
        """A series for each fuel and for carbon; means of shares, so that those of a half-hour add to 100."""
        start, _ = resample.slots_asked(ask)
        quantities: list[Quantity] = [*(quantity for quantity, _ in FUELS.values()), "carbon"]
        factors = np.array([factor for _, factor in FUELS.values()])
        columns = np.column_stack([shares * 100, shares @ factors])
        series: dict[Quantity, Series] = {}
        twice = np.array([], dtype=np.int64)
        for quantity, column in zip(quantities, columns.T, strict=True):
            values, twice = _held(begins, column, FIVE_MINUTES_S, ask)
            kinds = resample.kinds_by_time(start, values, ask.now)
            source = "ERCOT fuel mix" if quantity != "carbon" else "computed from ERCOT's fuel mix, life-cycle factors"
            series |= resample.known_part(quantity, start, values, kinds, source, ask.now)
        return series, twice


def _held(begins: IntArray, figures: FloatArray, step_s: int, ask: Ask) -> tuple[FloatArray, IntArray]:
    start, count = resample.slots_asked(ask)
    kept, values, twice = resample.distinct(begins, figures)
    return resample.held(kept, values, np.full(kept.size, step_s, dtype=np.int64), start, count), twice


def _begin_s(row: Mapping[str, Any], step_s: int, where: str) -> int:
    """Begin of a row named by its end; an hour's label must agree with its timestamp."""
    begin_s = resample.time_s(row.get("timestamp"), f"{where} timestamp") - step_s
    if begin_s < 0:
        raise FeedInvalid(f"{where} timestamp is {row['timestamp']!r}, a time since 1970 was expected.")
    hour = datetime.fromtimestamp(begin_s, UTC).astimezone(CENTRAL).hour
    if row.get("hourEnding", hour + 1) != hour + 1:
        raise FeedInvalid(f"{where} {row['timestamp']!r} is called hour ending {row['hourEnding']!r}.")
    return begin_s


def _five_minutes_begin_s(stamp: str, where: str) -> int:
    """Begin of the five minutes that end near ``stamp``, which comes some seconds before their end."""
    end_s = resample.time_s(stamp, f"{where} timestamp")
    return (end_s + FIVE_MINUTES_S // 2) // FIVE_MINUTES_S * FIVE_MINUTES_S - FIVE_MINUTES_S


def _generation_mw(fuels: Mapping[str, Any], where: str) -> list[float]:
    """MW of each of ``FUELS``; NaN where one is not given, 0 for the own use of plants at rest."""
    unknown = next((name for name in fuels if name not in FUELS and not name.startswith(STORAGE)), None)
    if unknown is not None:
        raise FeedInvalid(f"{where} {unknown!r} is no fuel that is known.")
    return list(_megawatts(fuels, where))


def _megawatts(fuels: Mapping[str, Any], where: str) -> Iterator[float]:
    for name in FUELS:
        figure = None if name not in fuels else mapping(fuels[name], f"{where} {name}").get("gen")
        yield np.nan if figure is None else max(0.0, number(figure, -1000, HIGHEST_MW, f"{where} {name} (MW)"))


_COMMON = Declaration(
    name="ercot",
    title="ERCOT dashboards",
    home="https://www.ercot.com/gridmktinfo/dashboards",
    licence="ERCOT's terms of use (https://www.ercot.com/help/terms); leave to pass figures on is not confirmed",
    attribution="Electric Reliability Council of Texas (ERCOT)",
    host="",
    quantities=(),
    units="",
    limits=Limits(30, timedelta(minutes=1)),
    done=(),
    exempt=(
        "the host turns away many networks outside the United States with 403: the feed then says so",
        "the API of single nodes, which wants a key",
        "the host's own limit is not documented: 30 a minute is this side's choice",
    ),
    least_period=timedelta(minutes=5),
)
_NOT_RECORDED = "no body was recorded: names and shapes are from public code that reads the dashboard"
_PRICES = replace(
    _COMMON,
    name="ercot-prices",
    title="ERCOT prices",
    quantities=("price",),
    units="USD/MWh, to GBP/kWh at USD_GBP",
    done=(
        "the mean of the hubs: real-time quarter-hours as estimates, then day-ahead hours as forecasts of them",
        "rows are named by their end; the repeated hour of November is told by the UTC offset",
    ),
    exempt=(*_COMMON.exempt, _NOT_RECORDED, "prices of single hubs and load zones; other days than the present one"),
)
_LOAD = replace(
    _COMMON,
    name="ercot-load",
    title="ERCOT demand",
    quantities=("demand",),
    units="MW, means of an hour held over both half-hours",
    done=("system load of hours that are over as estimates, the current forecast to the end of tomorrow",),
    exempt=(*_COMMON.exempt, "days before yesterday: the dashboard has none"),
)
_MIX = replace(
    _COMMON,
    name="ercot-mix",
    title="ERCOT fuel mix",
    quantities=(*(quantity for quantity, _ in FUELS.values()), "carbon"),
    units="MW, to % of generation; carbon in g/kWh with assumed life-cycle factors",
    done=(
        "five-minute generation of yesterday and today as half-hour shares of generation, batteries left out",
        f"carbon as estimates from the shares with g/kWh: {FACTORS_NOTE}",
    ),
    exempt=(
        *_COMMON.exempt,
        _NOT_RECORDED,
        "biomass, which ERCOT counts under Other, and imports over the few direct-current ties",
    ),
    lag=timedelta(hours=2),
)


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """Prices, demand and fuel mix, which fail apart."""
    url = settings.ercot_url
    return PriceFeed(url, currency.dollar(settings)), LoadFeed(url), MixFeed(url)
