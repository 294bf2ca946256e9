"""WattTime v3: a login for half an hour, then marginal emissions every five minutes in pounds a megawatt-hour."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta

from tests.upstream.faults import Fault, Row
from tests.upstream.wire import Refusal, Reply, Request, json_reply
from tests.upstream.world import at, slot_of, slots

USER, PASSWORD = "made-up-user", "made-up-password"
TOKEN_FOR_SLOTS = 1.0
AVERAGE_SIGNALS = frozenset({"co2_aoer"})
LONGEST = timedelta(days=32)


def _time(slot: float) -> str:
    return at(slot).isoformat()


class WattTime:
    """Mounted at ``/watttime``."""

    name = "watttime"

    def settings(self, base: str) -> Mapping[str, str]:
        return {"watttime_url": base, "watttime_username": USER, "watttime_password": PASSWORD}

    def answer(self, request: Request) -> Reply:
        if request.path.rstrip("/") == "/login":
            return self._login(request)
        self._require_token(request)
        match request.path.rstrip("/"):
            case "/v3/forecast":
                hours = int(request.query.get("horizon_hours", 24))
                start = at(slot_of(request.now) // (1 / 6) / 6)
                return self._points(request, start, start + timedelta(hours=hours), forecast=True)
            case "/v3/historical":
                start, end = (self._asked(request, name) for name in ("start", "end"))
                if end - start > LONGEST:
                    raise Refusal(json_reply({"error": "Range too long", "message": "at most 32 days"}, 400))
                return self._points(request, start, min(end, request.now - timedelta(minutes=10)), forecast=False)
        raise Refusal(json_reply({"error": "Not Found"}, 404))

    @staticmethod
    def _login(request: Request) -> Reply:
        right = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("authorization") != right:
            raise Refusal(json_reply({"detail": "Unauthorized"}, 403))
        return json_reply({"token": f"token-{slot_of(request.now + request.back):.4f}"})

    @staticmethod
    def _require_token(request: Request) -> None:
        """A token says when it was given; it holds for half an hour of the upstream's time."""
        given = request.headers.get("authorization", "").removeprefix("Bearer token-")
        try:
            age = slot_of(request.now + request.back) - float(given)
        except ValueError:
            age = TOKEN_FOR_SLOTS + 1
        if not -0.001 <= age <= TOKEN_FOR_SLOTS:
            raise Refusal(json_reply({"detail": "Invalid or expired token"}, 401))

    @staticmethod
    def _asked(request: Request, name: str) -> datetime:
        try:
            return datetime.fromisoformat(request.query[name]) - request.back
        except (KeyError, ValueError):
            raise Refusal(json_reply({"error": f"{name} is not a time"}, 400)) from None

    @staticmethod
    def _points(request: Request, start: datetime, end: datetime, *, forecast: bool) -> Reply:
        region, signal = request.query.get("region", ""), request.query.get("signal_type", "co2_moer")
        times = slots(start, end, 5)
        figures = request.world.zone_marginal(region, times)
        if signal in AVERAGE_SIGNALS:
            figures = request.world.zone_carbon(region, times)
        rows: list[tuple[float, Row]] = [
            (slot, {"point_time": _time(slot), "value": float(value)})
            for slot, value in zip(times, figures, strict=True)
        ]
        meta = {
            "region": region,
            "signal_type": signal,
            "units": "g_co2_per_kwh" if Fault.OTHER_UNITS in request.faults else "lbs_co2_per_mwh",
            "data_point_period_seconds": 300,
            "model": {"date": "2026-01-01"},
            "warnings": [],
        }
        if forecast:
            meta |= {"generated_at": start.isoformat(), "generated_at_period_seconds": 300}
        return json_reply({"data": request.spoil(rows, "value"), "meta": meta})
