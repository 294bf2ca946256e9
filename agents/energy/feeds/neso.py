"""NESO data portal (CKAN): forecasts of demand, wind and embedded solar to 14 days, and carbon intensity since 2009.

API: https://www.neso.energy/data-portal/api-guidance. No key; two datastore requests a minute are recommended.

How a record names its half-hour differs by table. ``Date`` with ``Settlement_Period`` is local and unambiguous. Times
without an offset are GMT; ``GDATETIME`` of the demand forecast is the *end* of the half-hour (each day's records run
from 00:30 to 24:00 clock time, as they do in ``TIME_GMT`` of the embedded forecast), ``DATETIME`` of the history its
start. CKAN gives numbers as such or as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from agents.energy.feed import Ask, Declaration, Feed, Fetched, Limits
from agents.energy.feeds.elexon_rows import (
    Figures,
    GbFeed,
    Plausible,
    Rows,
    chunks,
    contradictions,
    half_hours,
    naive_seconds,
    newest_figures,
    numbers,
    past_end,
    require_some,
    screened,
    series,
    settlement_slots,
)
from agents.energy.reading import json_of, mapping, rows
from core.errors import FeedInvalid
from core.halfhours import instant_of
from core.series import FloatArray, IntArray, Kind
from core.settings import Settings
from core.slots import slot_floor
from core.vintage import Quantity, RawAnswer

DEMAND = "7c0411cd-2714-4bb5-a408-adb065edf34d"
WIND = "93c3048e-1dab-4057-a2a9-417540583929"
EMBEDDED = "db6c038f-98af-4570-ab60-24d71ebd0ae5"
GENERATION_MIX = "f93d1835-75bc-43e5-84ad-12472b180a98"
LIMITS = Limits(2, timedelta(minutes=1))
MOST_RECORDS = 5000
"""A forecast has about 700 records."""
SHORTEST_HORIZON = timedelta(days=10)
"""Each of the tables reaches thirteen days or more when it is new: one that does not is days old."""
PLAUSIBLE: Mapping[Quantity, Plausible] = {
    "demand": Plausible(0.0, 80_000.0, zero=False),
    "wind": Plausible(0.0, 60_000.0, zero=False),
    "solar": Plausible(0.0, 80_000.0),
    "carbon": Plausible(0.0, 1500.0, zero=False),
}
HISTORY_STARTS = datetime(2009, 1, 1, tzinfo=UTC)
HISTORY_RANGE = timedelta(days=365)
"""17,520 records, of the 32,000 that CKAN gives at most."""


def records_of(answer: RawAnswer, where: str) -> Rows:
    """The records of a CKAN answer; :class:`FeedInvalid` where it failed or gives fewer than it has."""
    body = mapping(json_of(answer, where), where)
    if body.get("success") is not True:
        raise FeedInvalid(f"{where} answered without success.")
    result = mapping(body.get("result"), f"{where} result")
    records = rows(result.get("records"), f"{where} records")
    total = result.get("total")
    if result.get("records_truncated") is True or (isinstance(total, int) and total > len(records)):
        raise FeedInvalid(f"{where} gave {len(records)} of {total or 'more'} records.")
    return records


def _numeric(value: Any, where: str) -> Any:
    """Text that holds a number as that number, empty text as null, anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return float(value) if value.strip() else None
    except ValueError as error:
        raise FeedInvalid(f"{where} is {value!r}, a number was expected.") from error


def _values(found: Rows, column: str, where: str) -> FloatArray:
    """The column as numbers; :class:`FeedInvalid` where no record has it."""
    if found and not any(column in row for row in found):
        raise FeedInvalid(f"{where} has no column {column}.")
    read = [{column: _numeric(row.get(column), f"{where} {column}")} for row in found]
    return numbers(read, column, where)


def _ends_of_half_hours(column: str) -> Callable[[Rows, str], IntArray]:
    def slots(found: Rows, where: str) -> IntArray:
        ends = naive_seconds([row.get(column) for row in found], f"{where} {column}")
        return half_hours(ends, where) - 1

    return slots


def _settlement_periods(day: str, period: str) -> Callable[[Rows, str], IntArray]:
    def slots(found: Rows, where: str) -> IntArray:
        read = [_numeric(row.get(period), f"{where} {period}") for row in found]
        whole = [int(number) if isinstance(number, float) and number.is_integer() else number for number in read]
        return settlement_slots([row.get(day) for row in found], whole, where)

    return slots


@dataclass(frozen=True, slots=True)
class _Forecast:
    """One table of forecasts: the whole of it is asked for, and what was asked is cut out.

    :param slots: the slot indexes of its records.
    """

    resource: str
    quantity: Quantity
    column: str
    slots: Callable[[Rows, str], IntArray]
    source: str

    def __call__(self, ask: Ask, base: str) -> Fetched:
        where = f"{self.source}:"
        require_some(max(ask.start, slot_floor(ask.now)), ask.end, where, "coming")
        answer = ask.get(
            f"{base}/api/3/action/datastore_search", {"resource_id": self.resource, "limit": str(MOST_RECORDS)}
        )
        found = records_of(answer, where)
        index = self.slots(found, where)
        megawatts, findings = screened(
            ask, self.quantity, index, _values(found, self.column, where), PLAUSIBLE[self.quantity]
        )
        findings += contradictions(ask, self.quantity, index, np.zeros_like(index), megawatts)
        figures = newest_figures(index, megawatts, Kind.FORECAST)
        _require_new(figures, ask.now, where)
        return Fetched({self.quantity: series(ask, self.quantity, self.source, figures)}, findings)


def _require_new(figures: Figures, now: datetime, where: str) -> None:
    """:class:`FeedInvalid` for a table that is days old, or of nothing but zeros: even solar is 0 by night only."""
    if not figures.index.size:
        raise FeedInvalid(f"{where} has no figures.")
    end = instant_of(int(figures.index[-1]) + 1)
    if end < now + SHORTEST_HORIZON:
        raise FeedInvalid(f"{where} ends at {end:%Y-%m-%d %H:%M} UTC, which a table of today would be well beyond.")
    if not np.any(figures.values):
        raise FeedInvalid(f"{where} gives nothing but zeros.")


def carbon_history(ask: Ask, base: str) -> Fetched:
    """Carbon intensity of slots long past, as modelled from metered generation: estimates, g/kWh."""
    where = "NESO historic generation mix:"
    start, end = max(slot_floor(ask.start), HISTORY_STARTS), past_end(ask)
    require_some(start, end, where, "past")
    found = [
        row for first, last in chunks(start, end, HISTORY_RANGE) for row in _history(ask, base, first, last, where)
    ]
    index = half_hours(naive_seconds([row.get("DATETIME") for row in found], f"{where} DATETIME"), where)
    grams, findings = screened(ask, "carbon", index, _values(found, "CARBON_INTENSITY", where), PLAUSIBLE["carbon"])
    figures = newest_figures(index, grams, Kind.ESTIMATE)
    findings += contradictions(ask, "carbon", index, np.zeros_like(index), grams)
    return Fetched({"carbon": series(ask, "carbon", "NESO historic carbon intensity GB", figures)}, findings)


def _history(ask: Ask, base: str, first: datetime, last: datetime, where: str) -> Rows:
    """The records of ``[first, last)``."""
    sql = (
        f'SELECT "DATETIME", "CARBON_INTENSITY" FROM "{GENERATION_MIX}" '  # noqa: S608  nothing foreign is in it
        f"WHERE \"DATETIME\" >= '{first:%Y-%m-%dT%H:%M:%S}' AND \"DATETIME\" < '{last:%Y-%m-%dT%H:%M:%S}' "
        'ORDER BY "DATETIME"'
    )
    return records_of(ask.get(f"{base}/api/3/action/datastore_search_sql", {"sql": sql}), where)


_PORTAL = "https://www.neso.energy/data-portal"
_COMMON = Declaration(
    name="neso",
    title="NESO data portal",
    home=_PORTAL,
    licence="NESO Open Data Licence v1.0",
    attribution="Supported by National Energy SO Open Data",
    host="",
    quantities=(),
    units="MW",
    limits=LIMITS,
    done=(),
    least_period=timedelta(hours=6),
    first_history=timedelta(0),
    use_for=timedelta(hours=48),
)
_DATASETS: tuple[tuple[Callable[[Ask, str], Fetched], Declaration], ...] = (
    (
        _Forecast(DEMAND, "demand", "NATIONALDEMAND", _ends_of_half_hours("GDATETIME"), "NESO demand forecast GB"),
        replace(
            _COMMON,
            name="neso-demand",
            title="National demand, 2 to 14 days ahead (NESO)",
            home=f"{_PORTAL}/2-14-days-ahead-national-demand-forecast",
            quantities=("demand",),
            done=("half-hourly national demand from two to fourteen days ahead",),
            exempt=("cardinal points: the half-hourly table is made from them",),
        ),
    ),
    (
        _Forecast(
            WIND, "wind", "Wind_Forecast", _settlement_periods("Date", "Settlement_Period"), "NESO wind forecast GB"
        ),
        replace(
            _COMMON,
            name="neso-wind",
            title="Wind generation, 14 days ahead (NESO)",
            home=f"{_PORTAL}/14-days-ahead-wind-forecasts",
            quantities=("wind",),
            done=("half-hourly output of the farms in NESO's incentive forecast, to fourteen days",),
            exempt=(
                "the day-ahead wind table: the fourteen-day one covers its day",
                "single farms: GB is planned as one zone",
            ),
        ),
    ),
    (
        _Forecast(
            EMBEDDED,
            "solar",
            "EMBEDDED_SOLAR_FORECAST",
            _settlement_periods("SETTLEMENT_DATE", "SETTLEMENT_PERIOD"),
            "NESO embedded solar forecast GB",
        ),
        replace(
            _COMMON,
            name="neso-solar",
            title="Embedded solar, 14 days ahead (NESO)",
            home=f"{_PORTAL}/embedded-wind-and-solar-forecasts",
            quantities=("solar",),
            done=("half-hourly output of solar in distribution networks, to fourteen days",),
            exempt=("embedded wind: wind is that of the transmission system, and the two are not to be mixed",),
        ),
    ),
    (
        carbon_history,
        replace(
            _COMMON,
            name="neso-carbon-history",
            title="Historic carbon intensity (NESO)",
            home=f"{_PORTAL}/historic-generation-mix",
            quantities=("carbon",),
            units="gCO2/kWh",
            done=("half-hourly national carbon intensity since 2009, of slots that are over",),
            exempt=("its generation mix: FUELHH has it, with imports apart",),
            least_period=timedelta(hours=24),
            first_history=timedelta(days=28),
            use_for=timedelta(days=3650),
            past_only=True,
        ),
    ),
)


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """The feeds of NESO's data portal, which need no key."""
    base = settings.neso_url.rstrip("/")
    host = urlsplit(base).netloc
    return tuple(GbFeed(replace(declared, host=host), base, read) for read, declared in _DATASETS)
