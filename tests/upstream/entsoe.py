"""ENTSO-E's transparency platform: XML, and "no data" as another document with status 200."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from tests.upstream.faults import Fault
from tests.upstream.wire import Refusal, Reply, Request
from tests.upstream.world import at, slots

TOKEN = "made-up-entsoe-token"
BRUSSELS = ZoneInfo("Europe/Brussels")
PRICES_AT_HOUR = 13
YEAR = timedelta(days=366)
AREAS = {
    "10Y1001A1001A82H": "DE-LU", "10YFR-RTE------C": "FR", "10YBE----------2": "BE", "10YNL----------L": "NL",
    "10YAT-APG------L": "AT", "10YCH-SWISSGRIDZ": "CH", "10YDK-1--------W": "DK1", "10YNO-2--------T": "NO2",
}  # fmt: skip
"""Bidding zones by their code; their prices are those that energy-charts.info gives."""
QUARTERLY = frozenset({"10Y1001A1001A82H", "10YAT-APG------L"})
MINUTE = "%Y-%m-%dT%H:%MZ"


def _xml(text: str, status: int = 200) -> Reply:
    return Reply(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), status, "text/xml")


def _acknowledgement(request: Request, reason: str, status: int = 200) -> Reply:
    return _xml(
        '<Acknowledgement_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0">'
        f"<mRID>1</mRID><createdDateTime>{request.now:%Y-%m-%dT%H:%M:%SZ}</createdDateTime>"
        f"<Reason><code>999</code><text>{reason}</text></Reason></Acknowledgement_MarketDocument>",
        status,
    )


class Entsoe:
    """Mounted at ``/entsoe``."""

    name = "entsoe"

    def settings(self, base: str) -> Mapping[str, str]:
        return {"entsoe_url": base, "entsoe_key": TOKEN}

    def answer(self, request: Request) -> Reply:
        if request.path != "/api":
            raise Refusal(Reply(b"<html>404</html>", 404, "text/html"))
        if request.query.get("securityToken") != TOKEN:
            raise Refusal(_acknowledgement(request, "Unauthorized. Missing or invalid security token", 401))
        if request.query.get("documentType") != "A44":
            raise Refusal(_acknowledgement(request, "The combination of parameters is not valid", 400))
        start, end = (self._asked(request, name) for name in ("periodStart", "periodEnd"))
        if end - start > YEAR:
            raise Refusal(_acknowledgement(request, "Delivered time interval exceeds one year", 400))
        zone = request.query.get("in_Domain", "")
        days = self._days(start, min(end, self._public_until(request.now)))
        if not days or Fault.NULLS in request.faults:
            return _acknowledgement(request, "No matching data found for Data item")
        return _xml(self._document(request, zone, days))

    @staticmethod
    def _asked(request: Request, name: str) -> datetime:
        try:
            found = datetime.strptime(request.query[name], "%Y%m%d%H%M").replace(tzinfo=UTC)
        except (KeyError, ValueError):
            raise Refusal(_acknowledgement(request, f"Input parameter {name} is not valid", 400)) from None
        return found - request.back

    @staticmethod
    def _public_until(now: datetime) -> datetime:
        local = now.astimezone(BRUSSELS)
        day = local.date() + timedelta(days=1 + int(local.hour >= PRICES_AT_HOUR))
        return datetime(day.year, day.month, day.day, tzinfo=BRUSSELS).astimezone(UTC)

    @staticmethod
    def _days(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """The local days that the range touches: the platform answers with whole ones."""
        found, day = [], start.astimezone(BRUSSELS).date()
        while (begin := datetime(day.year, day.month, day.day, tzinfo=BRUSSELS).astimezone(UTC)) < end:
            day += timedelta(days=1)
            found.append((begin, datetime(day.year, day.month, day.day, tzinfo=BRUSSELS).astimezone(UTC)))
        return found

    def _document(self, request: Request, zone: str, days: list[tuple[datetime, datetime]]) -> str:
        series = "".join(self._series(request, zone, *day) for day in days)
        return (
            '<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">'
            f"<type>A44</type><createdDateTime>{request.now:%Y-%m-%dT%H:%M:%SZ}</createdDateTime>"
            f"<period.timeInterval><start>{days[0][0]:{MINUTE}}</start><end>{days[-1][1]:{MINUTE}}</end>"
            f"</period.timeInterval>{series}</Publication_MarketDocument>"
        )

    @staticmethod
    def _series(request: Request, zone: str, start: datetime, end: datetime) -> str:
        """A day; of curve type A03, whose points that repeat the one before are left out."""
        minutes = 15 if zone in QUARTERLY else 60
        times = slots(start, end, minutes)
        prices = request.world.zone_price(AREAS.get(zone, zone), times)
        if Fault.FROZEN in request.faults:
            prices = np.round(prices, -1)
        told = np.ones(times.shape, dtype=bool)
        told[1:] = prices[1:] != prices[:-1]
        points = "".join(
            f"<Point><position>{position}</position><price.amount>{price:.2f}</price.amount></Point>"
            for position, price, is_told in zip(range(1, times.size + 1), prices, told, strict=True)
            if is_told
        )
        return (
            f"<TimeSeries><mRID>1</mRID><businessType>A62</businessType>"
            f'<in_Domain.mRID codingScheme="A01">{zone}</in_Domain.mRID>'
            f'<out_Domain.mRID codingScheme="A01">{zone}</out_Domain.mRID>'
            "<currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>"
            f"<curveType>A03</curveType><Period><timeInterval><start>{at(times[0]):{MINUTE}}</start>"
            f"<end>{end:{MINUTE}}</end></timeInterval><resolution>PT{minutes}M</resolution>{points}</Period></TimeSeries>"
        )
