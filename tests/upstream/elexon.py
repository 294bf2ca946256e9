"""Elexon Insights: rows in ``data`` or, from streams, a bare array; local settlement periods; 24 h of frequency."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from core.slots import LONDON, format_utc, settlement_period
from tests.upstream.faults import Row
from tests.upstream.wire import Refusal, Reply, Request, json_reply, listed
from tests.upstream.world import at, slot_of, slots

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
SAMPLE_MINUTES = 0.25
CODES = {"CCGT": 0.45, "NUCLEAR": 0.2, "BIOMASS": 0.1, "NPSHYD": 0.02, "OCGT": 0.001, "COAL": 0.0, "OTHER": 0.01}
CABLES = {"INTFR": 1500.0, "INTIRL": -450.0}
DAY_AHEAD_AT_HOUR = 9
PUBLISHED_AFTER_SLOTS = 1.0


def _refuse(message: str, status: int = 400) -> Refusal:
    problem = {"title": "One or more validation errors occurred.", "status": status, "errors": {"": [message]}}
    return Refusal(json_reply(problem, status))


def local_midnight(day: date) -> datetime:
    """Start of settlement period 1."""
    return datetime(day.year, day.month, day.day, tzinfo=LONDON).astimezone(UTC)


class Elexon:
    """Mounted at ``/elexon``, with ``/bmrs/api/v1`` below."""

    name = "elexon"

    def __init__(self) -> None:
        routes: tuple[tuple[str, Callable[..., list[Row]]], ...] = (
            ("/datasets/FREQ", self._frequency),
            ("/system/frequency", self._frequency),
            ("/datasets/FUELHH", self._fuel_half_hourly),
            ("/datasets/FUELINST", self._fuel_instant),
            ("/demand/outturn", self._demand_outturn),
            ("/forecast/demand/day-ahead(?:/latest)?", self._demand_ahead),
            ("/forecast/generation/wind(?:/latest)?", self._wind_ahead),
            (r"/balancing/settlement/system-prices/(?P<day>\d{4}-\d{2}-\d{2})", self._system_prices),
            ("/balancing/pricing/market-index", self._market_index),
        )
        self._routes = [(re.compile(f"/bmrs/api/v1{pattern}(?P<stream>/stream)?"), rows) for pattern, rows in routes]

    def settings(self, base: str) -> Mapping[str, str]:
        return {"elexon_url": f"{base}/bmrs/api/v1"}

    def answer(self, request: Request) -> Reply:
        for pattern, answer in self._routes:
            if match := pattern.fullmatch(request.path):
                named = match.groupdict()
                streamed = named.pop("stream") is not None
                rows = answer(request, streamed=streamed, **named)
                dataset = request.path.removesuffix("/stream").rpartition("/")[2]
                return json_reply(rows if streamed else {"metadata": {"datasets": [dataset]}, "data": rows})
        raise _refuse("Resource not found", 404)

    # -- what is asked --------------------------------------------------------------------------------------------

    @staticmethod
    def _time(request: Request, *names: str) -> datetime | None:
        """The first of the named times that is given; without an offset it is UTC."""
        text = next((request.query[name] for name in names if name in request.query), None)
        if text is None:
            return None
        try:
            read = datetime.fromisoformat(text)
        except ValueError:
            raise _refuse(f"The value '{text}' is not valid for {names[0]}.") from None
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC) - request.back

    def _between(
        self, request: Request, start: tuple[str, ...], end: tuple[str, ...], longest: timedelta, otherwise: timedelta
    ) -> tuple[datetime, datetime]:
        """The range asked, both ends included; the last ``otherwise`` where the parameters are not those."""
        first, last = self._time(request, *start), self._time(request, *end)
        if first is None or last is None:
            return request.now - otherwise, request.now
        if last < first:
            raise _refuse("The start of the range must be before its end.")
        if last - first > longest:
            raise _refuse(f"The range must not exceed {longest.days} days.")
        return first, last

    def _settlement_days(self, request: Request, longest: timedelta) -> tuple[datetime, datetime] | None:
        """Start and end of the settlement days asked for, in UTC."""
        first, last = self._time(request, "settlementDateFrom"), self._time(request, "settlementDateTo")
        if first is None or last is None:
            return None
        if last - first > longest:
            raise _refuse(f"The range must not exceed {longest.days} days.")
        return local_midnight(first.date()), local_midnight(last.date() + DAY)

    @staticmethod
    def _settled(request: Request, starts: np.ndarray) -> np.ndarray:
        """Those slots whose outturn is public."""
        return starts[starts + 1 + PUBLISHED_AFTER_SLOTS <= slot_of(request.now)]

    @staticmethod
    def _named(slot: float) -> Row:
        day, period = settlement_period(at(slot))
        return {"startTime": format_utc(at(slot)), "settlementDate": day.isoformat(), "settlementPeriod": period}

    @classmethod
    def _published(cls, slot: float) -> Row:
        return {"publishTime": format_utc(at(slot + 1)), **cls._named(slot)}

    # -- datasets -------------------------------------------------------------------------------------------------

    def _frequency(self, request: Request, *, streamed: bool) -> list[Row]:
        """Every 15 s. Dataset and system endpoint name the range differently; other names are ignored."""
        dataset = "FREQ" in request.path
        names = ("measurementDateTimeFrom", "measurementDateTimeTo") if dataset else ("from", "to")
        longest = timedelta(days=3650) if streamed else DAY
        first, last = self._between(request, names[:1], names[1:], longest, DAY)
        times = slots(first, min(last, request.now) + timedelta(seconds=1), SAMPLE_MINUTES)
        hertz = request.world.frequency_hz(times)
        stamps = np.datetime_as_string(np.round(times * 1800).astype("datetime64[s]"), timezone="UTC")
        rows = [
            (slot, {"dataset": "FREQ", "measurementTime": stamp, "frequency": value})
            for slot, stamp, value in zip(times.tolist(), stamps.tolist(), hertz.tolist(), strict=True)
        ]
        return request.spoil(rows, "frequency")

    def _fuel_half_hourly(self, request: Request, *, streamed: bool) -> list[Row]:
        found = self._settlement_days(request, WEEK)
        if found is None:
            found = self._between(request, ("publishDateTimeFrom",), ("publishDateTimeTo",), WEEK, DAY)
        return self._by_fuel(request, "FUELHH", slots(*found))

    def _fuel_instant(self, request: Request, *, streamed: bool) -> list[Row]:
        first, last = self._between(request, ("publishDateTimeFrom",), ("publishDateTimeTo",), DAY, DAY)
        times = slots(first, min(last, request.now), 5)
        return self._by_fuel(request, "FUELINST", times)

    def _by_fuel(self, request: Request, dataset: str, starts: np.ndarray) -> list[Row]:
        wanted = set(listed(request.query.get("fuelType", "")))
        known = self._settled(request, starts)
        wind, demand = request.world.wind_mw(known), request.world.demand_mw(known)
        columns = {code: np.round(share * (demand - wind)) for code, share in CODES.items()}
        columns |= {"WIND": wind, "PS": np.round(-100 + 0 * wind)}
        columns |= {cable: np.full(known.shape, flow) for cable, flow in CABLES.items()}
        rows = [
            (slot, {"dataset": dataset, **self._published(slot), "fuelType": code, "generation": int(figures[i])})
            for i, slot in enumerate(known)
            for code, figures in columns.items()
            if not wanted or code in wanted
        ]
        return request.spoil(rows, "generation")

    # -- demand and wind ------------------------------------------------------------------------------------------

    def _demand_outturn(self, request: Request, *, streamed: bool) -> list[Row]:
        found = self._settlement_days(request, timedelta(days=28)) or (request.now - WEEK, request.now)
        known = self._settled(request, slots(*found))
        demand = request.world.demand_mw(known)
        rows = [
            (
                slot,
                {
                    **self._published(slot),
                    "initialDemandOutturn": int(value),
                    "initialTransmissionSystemDemandOutturn": int(value) + 600,
                },
            )
            for slot, value in zip(known, demand, strict=True)
        ]
        return request.spoil(rows, "initialDemandOutturn", "initialTransmissionSystemDemandOutturn")

    def _demand_ahead(self, request: Request, *, streamed: bool) -> list[Row]:
        """To the end of today, and of tomorrow from 09:00 local on."""
        local = request.now.astimezone(LONDON)
        until = local_midnight(local.date() + DAY * (2 if local.hour >= DAY_AHEAD_AT_HOUR else 1))
        first, last = self._ahead(request, until)
        starts = slots(first, last)
        published = local.replace(hour=DAY_AHEAD_AT_HOUR if local.hour >= DAY_AHEAD_AT_HOUR else 0, minute=0, second=0)
        demand = np.round(request.world.demand_mw(starts) * 1.01)
        rows = [
            (
                slot,
                {
                    **self._named(slot),
                    "publishTime": format_utc(published.replace(microsecond=0)),
                    "boundary": "N",
                    "nationalDemand": int(value),
                    "transmissionSystemDemand": int(value) + 600,
                },
            )
            for slot, value in zip(starts, demand, strict=True)
        ]
        return request.spoil(rows, "nationalDemand", "transmissionSystemDemand")

    def _ahead(self, request: Request, until: datetime) -> tuple[datetime, datetime]:
        first = self._time(request, "from", "publishDateTimeFrom") or request.now
        last = self._time(request, "to", "publishDateTimeTo") or until
        return first, min(last + timedelta(seconds=1), until)

    def _wind_ahead(self, request: Request, *, streamed: bool) -> list[Row]:
        """Hourly, to the third midnight from now."""
        until = local_midnight(request.now.astimezone(LONDON).date() + 3 * DAY)
        first, last = self._ahead(request, until)
        hours = slots(first, last, 60)
        wind = np.round(request.world.wind_mw(hours) * 0.96)
        published = request.now.replace(hour=request.now.hour // 3 * 3, minute=30, second=0, microsecond=0)
        if published > request.now:
            published -= timedelta(hours=3)
        rows = [
            (slot, {"publishTime": format_utc(published), "startTime": format_utc(at(slot)), "generation": int(value)})
            for slot, value in zip(hours, wind, strict=True)
        ]
        return request.spoil(rows, "generation")

    # -- prices ---------------------------------------------------------------------------------------------------

    def _system_prices(self, request: Request, *, streamed: bool, day: str) -> list[Row]:
        settled = date.fromisoformat(day) - request.back
        known = self._settled(request, slots(local_midnight(settled), local_midnight(settled + DAY)))
        price, volume = request.world.imbalance_gbp_per_mwh(known), request.world.imbalance_mwh(known)
        rows: list[tuple[float, Row]] = [
            (
                slot,
                {
                    **self._named(slot),
                    "createdDateTime": format_utc(at(slot + 2)),
                    "systemSellPrice": float(price[i]),
                    "systemBuyPrice": float(price[i]),
                    "netImbalanceVolume": float(volume[i]),
                },
            )
            for i, slot in enumerate(known)
        ]
        return request.spoil(rows, "systemSellPrice", "systemBuyPrice", "netImbalanceVolume")

    def _market_index(self, request: Request, *, streamed: bool) -> list[Row]:
        """Two providers, of which one has had no trades for years and says so with zeros."""
        first, last = self._between(request, ("from",), ("to",), WEEK, DAY)
        known = self._settled(request, slots(first, last + timedelta(seconds=1)))
        wanted = set(listed(request.query.get("dataProviders", "")))
        price = request.world.market_gbp_per_mwh(known)
        traded: dict[str, Callable[[int], Row]] = {
            "APXMIDP": lambda i: {"price": float(price[i]), "volume": 1000.0 + i % 7},
            "N2EXMIDP": lambda i: {"price": 0.0, "volume": 0.0},
        }
        rows: list[tuple[float, Any]] = [
            (slot, {**self._named(slot), "dataProvider": provider, **told(i)})
            for i, slot in enumerate(known)
            for provider, told in traded.items()
            if not wanted or provider in wanted
        ]
        return request.spoil(rows, "price")
