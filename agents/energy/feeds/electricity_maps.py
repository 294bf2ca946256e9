"""Average carbon intensity from Electricity Maps, with the user's key: hourly history and forecast.

API: https://app.electricitymaps.com/docs, version 3. Life-cycle emission factors are asked for, because they are what
the API answers with where it does not heed the question; a row that names other factors is refused, so that direct
and life-cycle figures never mix. Marginal figures are not asked for at all. Hours are held over both their half-hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from agents.energy import resample
from agents.energy.feed import Ask, Authorisation, Authorise, Declaration, Feed, Fetched, Flag, Limits
from agents.energy.reading import json_of, mapping, rows
from core.errors import FeedInvalid
from core.series import FloatArray, IntArray, Kind, KindArray
from core.settings import Settings
from core.slots import format_utc, slot_floor
from core.vintage import RawAnswer

ZONES = {
    **{zone: zone for zone in ("GB", "IE", "IS", "NO-NO2", "CA-ON", "JP-TK", "AU-NSW", "US-TEX-ERCO", "SG")},
    **{zone: zone for zone in ("FR", "BE", "NL", "AT", "CH", "DK-DK1")},
    "DE-LU": "DE",
    "CL-SIC": "CL-SEN",
}
"""Electricity Maps' name of each zone that is served."""
FACTORS = "lifecycle"
HIGHEST_G = 2000.0
HOUR_S = 3600
RECENT = timedelta(hours=24)
NEWEST_HISTORY = timedelta(hours=6)
LONGEST_RANGE = timedelta(days=10)
SOURCE = "life-cycle average"


def authorise_with(key: str) -> Authorise:
    """The header of a user's key."""

    def authorise() -> Authorisation:
        return Authorisation(headers={"auth-token": key})

    return authorise


class _CarbonFeed:
    """What history and forecast share: how they ask, and how rows become half-hours."""

    def __init__(self, url: str, key: str | None, declaration: Callable[[str], Declaration]) -> None:
        self._url = f"{url.rstrip('/')}/v3/carbon-intensity"
        self._authorise = None if key is None else authorise_with(key)
        self._declaration = replace(declaration(urlsplit(url).netloc), ready=key is not None)

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def serves(self, zone: str) -> bool:
        return zone in ZONES

    def _ask(self, ask: Ask, path: str, where: str, **parameters: str) -> Mapping[str, Any]:
        asked = {"zone": ZONES[ask.zone], "emissionFactorType": FACTORS, "temporalGranularity": "hourly", **parameters}
        answer = ask.get(f"{self._url}/{path}", asked, authorise=self._authorise)
        return _answer_about(answer, ZONES[ask.zone], where)

    def _fetched(self, ask: Ask, found: list[Mapping[str, Any]], kind_of: Callable[..., Kind], where: str) -> Fetched:
        times, figures, kinds = _columns(found, kind_of, where)
        kept, values, twice = resample.distinct(times, figures)
        _, kind_codes, _ = resample.distinct(times, kinds)
        zeros = kept[values == 0]
        values = np.where(values == 0, np.nan, values)
        start, count = resample.slots_asked(ask)
        steps = np.full(kept.size, HOUR_S, dtype=np.int64)
        held = resample.held(kept, values, steps, start, count)
        codes = resample.held(kept, np.where(np.isnan(values), np.nan, kind_codes), steps, start, count)
        under_way = resample.kinds_by_time(start, held, ask.now) == Kind.FORECAST
        codes = np.where(under_way, Kind.FORECAST, codes)
        kinds_held: KindArray = np.where(np.isnan(held), Kind.MISSING, np.nan_to_num(codes)).astype(np.int8)
        source = f"Electricity Maps {ZONES[ask.zone]}, {SOURCE}"
        series = resample.known_part("carbon", start, held, kinds_held, source, ask.now)
        findings = (
            *resample.at_times(Flag.SPURIOUS_ZERO, "carbon", zeros, "0 g/kWh with life-cycle factors is no figure."),
            *resample.at_times(Flag.DUPLICATE, "carbon", twice, "an hour came twice; the last counts."),
        )
        return Fetched(series, findings)


class HistoryFeed(_CarbonFeed):
    """The feed ``electricity-maps-history``: past hours."""

    def __init__(self, url: str, key: str | None) -> None:
        super().__init__(url, key, _history_declaration)

    def fetch(self, ask: Ask) -> Fetched:
        where = f"Electricity Maps history {ZONES[ask.zone]}:"
        found = list(self._rows(ask, where))
        fetched = self._fetched(ask, found, _history_kind, where)
        resample.require_figures(fetched.series, ask, NEWEST_HISTORY, where)
        return fetched

    def _rows(self, ask: Ask, where: str) -> Iterator[Mapping[str, Any]]:
        """The last 24 hours in one answer where they suffice, else ranges of at most ten days."""
        if ask.start >= ask.now - RECENT:
            yield from rows(self._ask(ask, "history", where).get("history"), where)
            return
        start, end = slot_floor(ask.start), min(ask.end, ask.now)
        start = start.replace(minute=0)
        while start < end:
            stop = min(start + LONGEST_RANGE, end)
            body = self._ask(ask, "past-range", where, start=format_utc(start), end=format_utc(stop))
            yield from rows(body.get("data"), where)
            start = stop


class ForecastFeed(_CarbonFeed):
    """The feed ``electricity-maps-forecast``: the coming hours that the user's plan includes."""

    def __init__(self, url: str, key: str | None) -> None:
        super().__init__(url, key, _forecast_declaration)

    def fetch(self, ask: Ask) -> Fetched:
        where = f"Electricity Maps forecast {ZONES[ask.zone]}:"
        found = rows(self._ask(ask, "forecast", where).get("forecast"), where)
        fetched = self._fetched(ask, found, lambda _: Kind.FORECAST, where)
        resample.require_figures(fetched.series, ask, timedelta(0), where)
        return fetched


def _answer_about(answer: RawAnswer, zone: str, where: str) -> Mapping[str, Any]:
    body = mapping(json_of(answer, where), where)
    if body.get("zone") != zone:
        raise FeedInvalid(f"{where} the answer is about {body.get('zone')!r}.")
    _require_factors(body, where)
    return body


def _require_factors(row: Mapping[str, Any], where: str) -> None:
    """Where factors are named they must be the ones asked for."""
    if row.get("emissionFactorType", FACTORS) != FACTORS:
        raise FeedInvalid(f"{where} figures have {row['emissionFactorType']!r} factors, {FACTORS!r} was asked for.")


def _history_kind(row: Mapping[str, Any]) -> Kind:
    return Kind.SETTLED if row.get("isEstimated") is False else Kind.ESTIMATE


def _columns(
    found: list[Mapping[str, Any]], kind_of: Callable[..., Kind], where: str
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Begin of each hour in seconds since 1970, its g/kWh (NaN for null), and its kind's code; shapes (n,)."""
    for row in found:
        _require_factors(row, where)
    times = np.array([resample.time_s(row.get("datetime"), f"{where} datetime") for row in found], dtype=np.int64)
    column = [row.get("carbonIntensity") for row in found]
    figures = resample.column(column, len(found), 0, HIGHEST_G, f"{where} carbonIntensity (g/kWh)")
    return times, figures, np.array([kind_of(row) for row in found], dtype=np.float64)


def _history_declaration(host: str) -> Declaration:
    return Declaration(
        name="electricity-maps-history",
        title="Electricity Maps carbon intensity, past hours",
        home="https://app.electricitymaps.com/docs",
        licence="by the user's contract with Electricity Maps; free keys are for non-commercial use only",
        attribution="Carbon intensity: Electricity Maps",
        host=host,
        quantities=("carbon",),
        units="gCO2eq/kWh, average over consumption, life-cycle factors",
        limits=Limits(60, timedelta(minutes=1)),
        done=(
            "hourly figures of the last 24 hours, older ones in ranges of ten days where the plan allows",
            "settled where the answer says they are not estimated; null stays missing; 0 g/kWh is refused",
        ),
        exempt=(
            "marginal figures and direct factors: neither may mix with these",
            "5- and 15-minute figures: hours suffice for half-hourly plans",
            "hours older than 24 unless a backfill asks for them: not every plan includes them",
            "no body was recorded: rows, names of zones (CL-SEN for central Chile) and limits are from public code",
        ),
        least_period=timedelta(minutes=30),
        first_history=RECENT - timedelta(hours=1),
        past_only=True,
        key_setting="ELECTRICITY_MAPS_KEY",
    )


def _forecast_declaration(host: str) -> Declaration:
    return replace(
        _history_declaration(host),
        name="electricity-maps-forecast",
        past_only=False,
        title="Electricity Maps carbon intensity, forecast",
        done=("hourly forecast as far as the plan reaches, each hour held over its two half-hours",),
        exempt=(
            "longer horizons that a plan may allow (horizonHours): the plan's default is used",
            "no body was recorded: shapes are from public code",
            "whether forecast rows name their factors could not be confirmed: any but life-cycle ones are refused",
        ),
    )


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """Forecast and history, which a plan may include apart; the forecast first, since plans look ahead."""
    secret = settings.electricity_maps_key
    key = None if secret is None else secret.get_secret_value()
    return ForecastFeed(settings.electricity_maps_url, key), HistoryFeed(settings.electricity_maps_url, key)
