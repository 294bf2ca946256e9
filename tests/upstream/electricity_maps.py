"""Electricity Maps v3: hourly average intensity, with a key; the newest figures are estimates, and may be null."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from tests.upstream.faults import Fault, Row
from tests.upstream.wire import Refusal, Reply, Request, json_reply
from tests.upstream.world import GB_REGION, at, slot_of, slots

KEY = "made-up-electricity-maps-key"
DIRECT_SHARE, LIFE_CYCLE = 0.8, 1.1
"""direct emissions are lower than those of the life cycle"""
ESTIMATED_FOR_SLOTS = 12


def _time(slot: float) -> str:
    return at(slot).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class ElectricityMaps:
    """Mounted at ``/electricity_maps``."""

    name = "electricity_maps"

    def settings(self, base: str) -> Mapping[str, str]:
        return {"electricity_maps_url": base, "electricity_maps_key": KEY}

    def answer(self, request: Request) -> Reply:
        if request.headers.get("auth-token") != KEY:
            raise Refusal(json_reply({"status": "error", "message": "Invalid auth-token"}, 401))
        zone, kind = request.query.get("zone"), request.query.get("emissionFactorType", "lifecycle")
        kind = "direct" if Fault.OTHER_UNITS in request.faults else kind
        if zone is None:
            raise Refusal(json_reply({"status": "error", "message": "Missing zone"}, 400))
        hour = request.now.replace(minute=0, second=0, microsecond=0)
        path = request.path.removeprefix("/v3").removeprefix("/carbon-intensity")
        match path:
            case "/forecast":
                hours = slots(hour, hour + timedelta(hours=int(request.query.get("horizonHours", 24)) + 1), 60)
                return self._forecast(request, zone, kind, hours)
            case "/history":
                hours = slots(hour - timedelta(hours=23), hour + timedelta(hours=1), 60)
                return json_reply({"zone": zone, "history": self._rows(request, zone, kind, hours)})
            case "/latest":
                return json_reply(self._rows(request, zone, kind, slots(hour, hour + timedelta(hours=1), 60))[0])
            case "/past-range":
                hours = slots(self._asked(request, "start"), min(self._asked(request, "end"), request.now), 60)
                return json_reply({"zone": zone, "data": self._rows(request, zone, kind, hours)})
        raise Refusal(json_reply({"status": "error", "message": "Not found"}, 404))

    @staticmethod
    def _asked(request: Request, name: str) -> datetime:
        try:
            return datetime.fromisoformat(request.query[name]) - request.back
        except (KeyError, ValueError):
            raise Refusal(json_reply({"status": "error", "message": f"Invalid {name}"}, 400)) from None

    @staticmethod
    def _figures(request: Request, zone: str, kind: str, hours: np.ndarray) -> np.ndarray:
        average = request.world.zone_carbon(zone, hours)
        if zone == "GB":
            average = LIFE_CYCLE * request.world.carbon(GB_REGION, hours)
        return np.round(average * DIRECT_SHARE) if kind == "direct" else np.round(average)

    def _forecast(self, request: Request, zone: str, kind: str, hours: np.ndarray) -> Reply:
        rows: list[tuple[float, Row]] = [
            (slot, {"carbonIntensity": int(value), "datetime": _time(slot)})
            for slot, value in zip(hours, self._figures(request, zone, kind, hours), strict=True)
        ]
        told = request.spoil(rows, "carbonIntensity")
        updated = _time(np.floor(slot_of(request.now)))
        return json_reply({"zone": zone, "forecast": told, "updatedAt": updated})

    def _rows(self, request: Request, zone: str, kind: str, hours: np.ndarray) -> list[Row]:
        now, updated = slot_of(request.now), _time(np.floor(slot_of(request.now)))
        rows: list[tuple[float, Row]] = []
        for slot, value in zip(hours, self._figures(request, zone, kind, hours), strict=True):
            estimated = bool(now - slot < ESTIMATED_FOR_SLOTS)
            row: dict[str, Any] = {"zone": zone, "carbonIntensity": int(value), "datetime": _time(slot)}
            row |= {"updatedAt": updated, "createdAt": _time(slot), "emissionFactorType": kind}
            row |= {"isEstimated": estimated, "estimationMethod": "TIME_SLICER_AVERAGE" if estimated else None}
            rows.append((slot, row))
        return request.spoil(rows, "carbonIntensity")
