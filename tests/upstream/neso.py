"""NESO's data portal: CKAN's two searches over tables whose times carry no offset."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from core.slots import LONDON, settlement_period
from tests.upstream.faults import Row
from tests.upstream.wire import Refusal, Reply, Request, json_reply
from tests.upstream.world import FUELS, GB_REGION, at, slot_of, slots

NAIVE = "%Y-%m-%dT%H:%M:%S"
ROWS = 100
MOST_ROWS = 32000
CONDITION = re.compile(r'"(\w+)"(?:::\w+)?\s*(>=|<=|>|<|=)\s*\'([^\']*)\'')
FROM = re.compile(r'FROM\s+"([0-9a-f-]{36})"', re.IGNORECASE)
LIMIT = re.compile(r"LIMIT\s+(\d+)", re.IGNORECASE)
ORDER = re.compile(r'ORDER\s+BY\s+"(\w+)"(?:\s+(ASC|DESC))?', re.IGNORECASE)
COMPARE: Mapping[str, Callable[[str, str], bool]] = {
    ">=": str.__ge__, "<=": str.__le__, ">": str.__gt__, "<": str.__lt__, "=": str.__eq__,
}  # fmt: skip


def _refuse(message: str, status: int = 409) -> Refusal:
    error = {"__type": "Validation Error", "message": message}
    return Refusal(json_reply({"help": "", "success": False, "error": error}, status))


@lru_cache(maxsize=10_000)
def _local_hours(slot: float) -> Row:
    day, period = settlement_period(at(slot))
    return {"SETTLEMENT_DATE": f"{day:%Y-%m-%d}T00:00:00", "SETTLEMENT_PERIOD": period}


class Neso:
    """Mounted at ``/neso``."""

    name = "neso"

    def __init__(self) -> None:
        self._tables: dict[str, Callable[[Request], list[Row]]] = {
            "f93d1835-75bc-43e5-84ad-12472b180a98": self._generation_mix,
            "93c3048e-1dab-4057-a2a9-417540583929": self._wind_ahead,
            "b2f03146-f05d-4824-a663-3a4f36090c71": self._wind_day_ahead,
            "db6c038f-98af-4570-ab60-24d71ebd0ae5": self._embedded,
            "7c0411cd-2714-4bb5-a408-adb065edf34d": self._demand_ahead,
            "177f6fa4-ae49-4182-81ea-0c6b35f26ca6": self._demand_update,
        }

    def settings(self, base: str) -> Mapping[str, str]:
        return {"neso_url": base}

    def answer(self, request: Request) -> Reply:
        match request.path:
            case "/api/3/action/datastore_search":
                return self._search(request)
            case "/api/3/action/datastore_search_sql":
                return self._sql(request)
        raise _refuse("Bad request - Action name not known", 400)

    def _table(self, request: Request, resource: str) -> list[Row]:
        if resource not in self._tables:
            raise _refuse(f'Resource "{resource}" was not found.', 404)
        rows = self._tables[resource](request)
        return [{"_id": number, **row} for number, row in enumerate(rows, 1)]

    def _search(self, request: Request) -> Reply:
        rows = self._table(request, request.query.get("resource_id", ""))
        for column, value in json.loads(request.query.get("filters", "{}")).items():
            rows = [row for row in rows if str(row.get(column)) == str(value)]
        column, _, direction = request.query.get("sort", "").partition(" ")
        if column:
            rows = sorted(rows, key=lambda row: row[column.strip('"')], reverse=direction.lower() == "desc")
        first, size = int(request.query.get("offset", 0)), min(int(request.query.get("limit", ROWS)), MOST_ROWS)
        return self._found(rows[first : first + size], len(rows))

    def _sql(self, request: Request) -> Reply:
        """Conditions on columns joined by AND, ORDER BY one column, LIMIT."""
        sql = request.query.get("sql", "")
        table = FROM.search(sql)
        if table is None:
            raise _refuse("query: not a single SELECT statement")
        rows = self._table(request, table.group(1))
        for column, sign, value in CONDITION.findall(sql):
            moved = self._moved(value, request.back)
            rows = [row for row in rows if COMPARE[sign](str(row.get(column, "")), moved)]
        if order := ORDER.search(sql):
            rows = sorted(rows, key=lambda row: row[order.group(1)], reverse=(order.group(2) or "").upper() == "DESC")
        limit = LIMIT.search(sql)
        return self._found(rows[: int(limit.group(1)) if limit else MOST_ROWS], None)

    @staticmethod
    def _moved(value: str, back: timedelta) -> str:
        """A time asked for, moved; spelled as the tables spell theirs."""
        try:
            return (datetime.fromisoformat(value.removesuffix("Z")) - back).strftime(NAIVE)
        except ValueError:
            return value

    @staticmethod
    def _found(records: list[Row], total: int | None) -> Reply:
        result: dict[str, Any] = {"records": records} if total is None else {"records": records, "total": total}
        return json_reply({"help": "", "success": True, "result": result})

    # -- tables ---------------------------------------------------------------------------------------------------

    def _generation_mix(self, request: Request) -> list[Row]:
        """The last 40 days to half an hour ago."""
        known = slots(request.now - timedelta(days=40), request.now - timedelta(hours=1))
        carbon, wind = request.world.carbon(GB_REGION, known), request.world.wind_mw(known)
        shares = request.world.mix(GB_REGION, known)
        rows: list[tuple[float, Row]] = [
            (
                slot,
                {
                    "DATETIME": at(slot).strftime(NAIVE),
                    "WIND": float(wind[i]),
                    "CARBON_INTENSITY": float(carbon[i]),
                    **{f"{fuel.upper()}_perc": float(share) for fuel, share in zip(FUELS, shares[i], strict=True)},
                },
            )
            for i, slot in enumerate(known)
        ]
        return request.spoil(rows, "CARBON_INTENSITY", "WIND")

    def _wind_ahead(self, request: Request) -> list[Row]:
        starts = self._ahead(request, timedelta(0), timedelta(days=14))
        wind = np.round(request.world.wind_mw(starts) * 0.95)
        rows: list[tuple[float, Row]] = [
            (
                slot,
                {
                    "Datetime": at(slot).strftime(NAIVE),
                    "Date": _local_hours(slot)["SETTLEMENT_DATE"],
                    "Settlement_Period": _local_hours(slot)["SETTLEMENT_PERIOD"],
                    "Capacity": 30000,
                    "Wind_Forecast": int(value),
                },
            )
            for slot, value in zip(starts, wind, strict=True)
        ]
        return request.spoil(rows, "Wind_Forecast")

    def _wind_day_ahead(self, request: Request) -> list[Row]:
        day = request.now.astimezone(LONDON).date() + timedelta(days=1)
        first = datetime(day.year, day.month, day.day, tzinfo=LONDON).astimezone(UTC)
        starts = slots(first - timedelta(hours=1), first + timedelta(hours=23))
        wind = np.round(request.world.wind_mw(starts) * 0.95)
        rows: list[tuple[float, Row]] = [
            (
                slot,
                {
                    "Datetime_GMT": at(slot).strftime(NAIVE),
                    "Date": day.isoformat(),
                    "Settlement_period": number,
                    "Capacity": 30000,
                    "Incentive_forecast": int(value),
                },
            )
            for number, (slot, value) in enumerate(zip(starts, wind, strict=True), 1)
        ]
        return request.spoil(rows, "Incentive_forecast")

    def _embedded(self, request: Request) -> list[Row]:
        starts = self._ahead(request, timedelta(0), timedelta(days=14))
        solar, wind = request.world.solar_mw(starts), np.round(request.world.wind_mw(starts) * 0.25)
        rows: list[tuple[float, Row]] = [
            (
                slot,
                {
                    "DATE_GMT": f"{at(slot):%Y-%m-%d}T00:00:00",
                    "TIME_GMT": f"{at(slot + 1):%H:%M}",
                    **_local_hours(slot),
                    "EMBEDDED_WIND_FORECAST": int(wind[i]),
                    "EMBEDDED_WIND_CAPACITY": 6600,
                    "EMBEDDED_SOLAR_FORECAST": int(solar[i]),
                    "EMBEDDED_SOLAR_CAPACITY": 18000,
                },
            )
            for i, slot in enumerate(starts)
        ]
        return request.spoil(rows, "EMBEDDED_WIND_FORECAST", "EMBEDDED_SOLAR_FORECAST")

    def _demand_ahead(self, request: Request) -> list[Row]:
        """Two to fourteen days ahead; both times are of the half-hour's end."""
        starts = self._ahead(request, timedelta(days=2), timedelta(days=14))
        demand = np.round(request.world.demand_mw(starts) * 1.02)
        rows: list[tuple[float, Row]] = [
            (
                slot,
                {
                    "DATE": f"{at(slot).astimezone(LONDON):%Y-%m-%d}",
                    "CTIME": int(f"{at(slot + 1).astimezone(LONDON):%H%M}"),
                    "GDATETIME": at(slot + 1).strftime(NAIVE),
                    "NATIONALDEMAND": int(value),
                },
            )
            for slot, value in zip(starts, demand, strict=True)
        ]
        return request.spoil(rows, "NATIONALDEMAND")

    def _demand_update(self, request: Request) -> list[Row]:
        """Forecasts of the present day; an "A" marks what has happened."""
        known = slots(request.now - timedelta(days=7), request.now + timedelta(days=2))
        demand = request.world.demand_mw(known)
        rows: list[tuple[float, Row]] = [
            (
                slot,
                {
                    **_local_hours(slot),
                    "FORECAST_ACTUAL_INDICATOR": "A" if slot + 2 <= slot_of(request.now) else "F",
                    "ND": int(value),
                    "TSD": int(value) + 600,
                    "EMBEDDED_WIND_GENERATION": 1500,
                    "EMBEDDED_SOLAR_GENERATION": 0,
                },
            )
            for slot, value in zip(known, demand, strict=True)
        ]
        return request.spoil(rows, "ND", "TSD")

    @staticmethod
    def _ahead(request: Request, after: timedelta, until: timedelta) -> np.ndarray:
        midnight = request.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return slots(max(request.now, midnight + after), midnight + until)
