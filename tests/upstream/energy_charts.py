"""energy-charts.info: parallel arrays over UNIX seconds, with nulls, in steps of 15 minutes or an hour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from tests.upstream.faults import Fault, Row
from tests.upstream.wire import Refusal, Reply, Request, json_reply
from tests.upstream.world import slot_of, slots

QUARTERLY = frozenset({"de", "at", "DE-LU", "AT"})
BRUSSELS = ZoneInfo("Europe/Brussels")
PRICES_AT_HOUR = 13
ACTUAL_AGE = timedelta(hours=1)
FORECAST_AHEAD = timedelta(hours=36)


class EnergyCharts:
    """Mounted at ``/energy_charts``."""

    name = "energy_charts"

    def settings(self, base: str) -> Mapping[str, str]:
        return {"energy_charts_url": base}

    def answer(self, request: Request) -> Reply:
        match request.path:
            case "/co2eq":
                return self._carbon(request, request.query.get("country", "de"))
            case "/price":
                return self._price(request, request.query.get("bzn", "DE-LU"))
        raise Refusal(json_reply({"detail": "Not Found"}, 404))

    @staticmethod
    def _times(request: Request, zone: str, until: datetime) -> np.ndarray:
        """From ``start`` to ``end``, dates of local days or times or seconds; today where they are not given."""
        local = request.now.astimezone(BRUSSELS)
        midnight = datetime(local.year, local.month, local.day, tzinfo=BRUSSELS)

        def read(name: str, otherwise: datetime, *, end_of_day: bool) -> datetime:
            text = request.query.get(name)
            if text is None:
                return otherwise
            try:
                if text.isdigit():
                    return datetime.fromtimestamp(int(text), UTC) - request.back
                found = datetime.fromisoformat(text)
            except ValueError:
                raise Refusal(json_reply({"detail": "Invalid date"}, 422)) from None
            day = timedelta(days=1) if end_of_day and len(text) == len("2026-01-01") else timedelta(0)
            return (found if found.tzinfo else found.replace(tzinfo=BRUSSELS)) + day - request.back

        start = read("start", midnight, end_of_day=False)
        end = read("end", until, end_of_day=True)
        return slots(start.astimezone(UTC), min(end, until).astimezone(UTC), 15 if zone in QUARTERLY else 60)

    def _carbon(self, request: Request, country: str) -> Reply:
        """The figure until an hour ago; a forecast from two hours ago on, so that both are set for a while."""
        times = self._times(request, country, request.now + FORECAST_AHEAD)
        now = slot_of(request.now)
        figures = request.world.zone_carbon(country.upper(), times)
        rows: list[tuple[float, Row]] = []
        for slot, figure in zip(times, figures, strict=True):
            actual = float(figure) if slot + 2 <= now else None
            ahead = round(float(figure) * 1.04, 1) if slot + 4 > now else None
            rows.append((slot, {"unix_seconds": round(slot * 1800), "co2eq": actual, "co2eq_forecast": ahead}))
        told = request.spoil(rows, "co2eq", "co2eq_forecast")
        columns = {name: [row[name] for row in told] for name in ("unix_seconds", "co2eq", "co2eq_forecast")}
        return json_reply({**columns, "deprecated": False})

    def _price(self, request: Request, zone: str) -> Reply:
        """To the end of the local day, and of tomorrow from 13:00 on."""
        local = request.now.astimezone(BRUSSELS)
        day = local.date() + timedelta(days=1 + int(local.hour >= PRICES_AT_HOUR))
        times = self._times(request, zone, datetime(day.year, day.month, day.day, tzinfo=BRUSSELS))
        rows: list[tuple[float, Row]] = [
            (slot, {"unix_seconds": round(slot * 1800), "price": float(figure)})
            for slot, figure in zip(times, request.world.zone_price(zone, times), strict=True)
        ]
        told = request.spoil(rows, "price")
        columns = {name: [row[name] for row in told] for name in ("unix_seconds", "price")}
        unit = "CHF / MWh" if Fault.OTHER_UNITS in request.faults else "EUR / MWh"
        return json_reply({"license_info": "CC BY 4.0", **columns, "unit": unit, "deprecated": False})
