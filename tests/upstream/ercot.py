"""ERCOT's dashboards: yesterday, today and tomorrow in local hours, each named by its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from tests.upstream.faults import Row
from tests.upstream.wire import Refusal, Reply, Request, json_reply
from tests.upstream.world import at, slot_of, slots

CHICAGO = ZoneInfo("America/Chicago")
DAY = timedelta(days=1)
LOAD_SHARE = 1.6
"""the demand of Great Britain, made Texan"""
DAY_AHEAD_AT_HOUR = 14
HUB = "ERCOT"


def _stamp(instant: datetime) -> str:
    return instant.astimezone(CHICAGO).strftime("%Y-%m-%d %H:%M:%S%z")


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=CHICAGO).astimezone(UTC)


class Ercot:
    """Mounted at ``/ercot``."""

    name = "ercot"

    def settings(self, base: str) -> Mapping[str, str]:
        return {"ercot_url": base}

    def answer(self, request: Request) -> Reply:
        today = request.now.astimezone(CHICAGO).date()
        stamp = {"lastUpdated": _stamp(request.now)}
        match request.path.removeprefix("/api/1/services/read/dashboards/"):
            case "loadForecastVsActual.json":
                days = {"previousDay": today - DAY, "currentDay": today, "nextDay": today + DAY}
                told = {name: self._load(request, day) for name, day in days.items()}
                return json_reply({**stamp, **told})
            case "systemWidePrices.json":
                return json_reply(
                    {
                        **stamp,
                        "rtSppData": self._real_time(request, today),
                        "damSppData": self._day_ahead(request, today),
                    }
                )
            case "fuel-mix.json":
                return json_reply({**stamp, "monthlyCapacity": {"Wind": 40405}, "data": self._fuels(request, today)})
        raise Refusal(Reply(b"<html>404</html>", 404, "text/html"))

    @staticmethod
    def _hour_ending(slot: float, hours: float = 1) -> Row:
        """Hour 1 ends at 01:00; the hour that a clock change repeats carries the flag."""
        end = at(slot + 2 * hours)
        local = at(slot).astimezone(CHICAGO)
        return {"hourEnding": local.hour + 1, "dstFlag": "Y" if local.fold else "N", "timestamp": _stamp(end)}

    def _load(self, request: Request, day: date) -> Row:
        hours = slots(_midnight(day), _midnight(day + DAY), 60)
        load = request.world.demand_mw(hours) * LOAD_SHARE
        rows: list[tuple[float, Row]] = []
        for slot, value in zip(hours, load, strict=True):
            row = {**self._hour_ending(slot), "epoch": round((slot + 2) * 1_800_000)}
            row["currentLoadForecast"] = round(float(value) * 1.01, 4)
            if day <= request.now.astimezone(CHICAGO).date():
                row["dayAheadForecast"] = round(float(value) * 0.99, 4)
            if slot + 2 <= slot_of(request.now):
                row["systemLoad"] = round(float(value), 2)
            rows.append((slot, row))
        data = request.spoil(rows, "currentLoadForecast", "systemLoad")
        return {"dayDate": _stamp(_midnight(day)), "data": data}

    @staticmethod
    def _hubs(figure: float) -> Row:
        near = {"hbHouston": 0.99, "hbNorth": 0.98, "hbSouth": 1.01, "hbWest": 1.05, "hbPan": 0.7, "lzHouston": 1.0}
        return {"hbBusAvg": figure, "hbHubAvg": figure} | {hub: round(figure * share, 2) for hub, share in near.items()}

    def _real_time(self, request: Request, day: date) -> list[Row]:
        """Today's quarter-hours so far."""
        quarters = slots(_midnight(day), request.now - timedelta(minutes=15), 15)
        prices = request.world.zone_price(HUB, quarters)
        rows: list[tuple[float, Row]] = []
        for slot, price in zip(quarters, prices, strict=True):
            end = at(slot + 0.5).astimezone(CHICAGO)
            row = {"intervalEnding": f"{end:%H:%M}", "dstFlag": "N", **self._hubs(float(price))}
            rows.append((slot, row | {"timestamp": _stamp(end), "interval": round((slot + 0.5) * 1_800_000)}))
        return request.spoil(rows, "hbBusAvg", "hbHubAvg")

    def _day_ahead(self, request: Request, day: date) -> list[Row]:
        """Today, and tomorrow from 14:00 local on."""
        last = day + DAY * (1 + int(request.now.astimezone(CHICAGO).hour >= DAY_AHEAD_AT_HOUR))
        hours = slots(_midnight(day), _midnight(last), 60)
        rows: list[tuple[float, Row]] = [
            (slot, {**self._hour_ending(slot), **self._hubs(float(price)), "interval": round((slot + 2) * 1_800_000)})
            for slot, price in zip(hours, request.world.zone_price(HUB, hours), strict=True)
        ]
        return request.spoil(rows, "hbBusAvg", "hbHubAvg")

    @staticmethod
    def _fuels(request: Request, day: date) -> Row:
        """Every five minutes of yesterday and today so far, by local day."""
        found: Row = {}
        for each in (day - DAY, day):
            times = slots(_midnight(each), min(_midnight(each + DAY), request.now), 5)
            wind = request.world.wind_mw(times) * 1.5
            load = request.world.demand_mw(times) * LOAD_SHARE
            found[each.isoformat()] = {
                _stamp(at(slot)): {
                    "Coal and Lignite": {"gen": round(float(0.15 * load[i]), 2)},
                    "Hydro": {"gen": 20.0},
                    "Nuclear": {"gen": 5010.0},
                    "Other": {"gen": 50.8},
                    "Power Storage": {"gen": -120.5},
                    "Solar": {"gen": round(float(0.1 * load[i]), 2)},
                    "Wind": {"gen": round(float(wind[i]), 2)},
                    "Natural Gas": {"gen": round(float(np.maximum(0.75 * load[i] - 5080.8 - wind[i], 500)), 2)},
                }
                for i, slot in enumerate(times)
            }
        return found
