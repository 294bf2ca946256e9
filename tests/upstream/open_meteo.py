"""Open-Meteo's forecast and archive: parallel arrays by the hour, local times without an offset unless asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from tests.upstream.faults import Row
from tests.upstream.wire import Refusal, Reply, Request, json_reply, listed
from tests.upstream.world import at, slot_of, slots

HORIZON_DAYS = 16
ARCHIVE_AGE = timedelta(days=2)
UNITS = {
    "temperature_2m": "°C",
    "relative_humidity_2m": "%",
    "wet_bulb_temperature_2m": "°C",
    "cloud_cover": "%",
    "wind_speed_10m": "km/h",
    "wind_speed_100m": "km/h",
}
MS_PER_KMH = 1 / 3.6


def _refuse(reason: str) -> Refusal:
    return Refusal(json_reply({"error": True, "reason": reason}, 400))


class OpenMeteo:
    """Mounted twice: the forecast at ``/open_meteo``, the archive at ``/open_meteo_archive``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def settings(self, base: str) -> Mapping[str, str]:
        return {f"{self.name}_url": base}

    @property
    def _is_archive(self) -> bool:
        return self.name.endswith("archive")

    def answer(self, request: Request) -> Reply:
        if request.path != ("/v1/archive" if self._is_archive else "/v1/forecast"):
            raise Refusal(json_reply({"error": True, "reason": "Not Found"}, 404))
        try:
            latitude, longitude = float(request.query["latitude"]), float(request.query["longitude"])
        except (KeyError, ValueError):
            raise _refuse("Value of type 'Float' required for key 'latitude'.") from None
        names = listed(request.query.get("hourly", ""))
        if unknown := [name for name in names if name not in UNITS]:
            raise _refuse(f"Data corrupted at path ''. Cannot initialize from invalid String value {unknown[0]}.")
        zone = ZoneInfo(request.query.get("timezone", "GMT").replace("auto", "GMT"))
        hours = self._hours(request, zone)
        offset = int((at(hours[0]).astimezone(zone).utcoffset() or timedelta(0)).total_seconds()) if hours.size else 0
        return json_reply(
            {
                "latitude": round(latitude * 4) / 4,
                "longitude": round(longitude * 4) / 4,
                "generationtime_ms": 0.1,
                "utc_offset_seconds": offset,
                "timezone": str(zone),
                "timezone_abbreviation": "GMT",
                "elevation": 30.0,
                **self._columns(request, names, hours, offset, (latitude, longitude)),
            }
        )

    def _hours(self, request: Request, zone: ZoneInfo) -> np.ndarray:
        """Whole local days."""
        today = request.now.astimezone(zone).date()
        if "start_date" in request.query:
            try:
                first, last = (date.fromisoformat(request.query[name]) for name in ("start_date", "end_date"))
            except (KeyError, ValueError):
                raise _refuse("Parameter 'start_date' and 'end_date' must both be dates.") from None
            first, last = first - request.back, last - request.back
        elif self._is_archive:
            raise _refuse("Parameter 'start_date' is required.")
        else:
            first = today - timedelta(days=int(request.query.get("past_days", 0)))
            last = today + timedelta(days=int(request.query.get("forecast_days", 7)) - 1)
        if last < first or last > today + timedelta(days=HORIZON_DAYS - 1):
            raise _refuse(f"Parameter 'end_date' is out of allowed range to {today + timedelta(days=HORIZON_DAYS - 1)}")
        begin, end = (datetime(d.year, d.month, d.day, tzinfo=zone) for d in (first, last + timedelta(days=1)))
        return slots(begin.astimezone(UTC), end.astimezone(UTC), 60)

    def _columns(
        self, request: Request, names: list[str], hours: np.ndarray, offset: int, place: tuple[float, float]
    ) -> dict[str, Any]:
        figures = request.world.weather(*place, hours)
        metric = request.query.get("wind_speed_unit") == "ms"
        known_until = slot_of(request.now - ARCHIVE_AGE) if self._is_archive else np.inf
        unix = request.query.get("timeformat") == "unixtime"
        rows: list[tuple[float, Row]] = []
        for i, hour in enumerate(hours):
            row: Row = {"time": self._written(hour, offset, unix=unix)}
            for name in names:
                value = figures[name][i] * (MS_PER_KMH if metric and "wind" in name else 1)
                row[name] = round(float(value), 2) if hour <= known_until else None
            rows.append((hour, row))
        told = request.spoil(rows, *names)
        units = {name: "m/s" if metric and "wind" in name else UNITS[name] for name in names}
        return {
            "hourly_units": {"time": "unixtime" if unix else "iso8601", **units},
            "hourly": {name: [row[name] for row in told] for name in ("time", *names)},
        }

    @staticmethod
    def _written(hour: float, offset: int, *, unix: bool) -> int | str:
        if unix:
            return round(hour * 1800)
        return (at(hour) + timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M")
