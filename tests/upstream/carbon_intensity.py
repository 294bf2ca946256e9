"""The Carbon Intensity API: rows whose end lies in the range, ranges that stop at New Year, four shapes of ``data``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from tests.upstream.faults import Fault, Row
from tests.upstream.wire import Refusal, Reply, Request, json_reply
from tests.upstream.world import FUELS, GB_REGION, at, slot_of, slots

MINUTE = "%Y-%m-%dT%H:%MZ"
SLOT = timedelta(minutes=30)
LONGEST = timedelta(days=14)
ACTUAL_AFTER_SLOTS = 1
HORIZON = timedelta(hours=48)
SHORT_HORIZON = timedelta(hours=15)
REGIONS = {
    1: ("Scottish Hydro Electric Power Distribution", "North Scotland"),
    2: ("SP Distribution", "South Scotland"),
    3: ("Electricity North West", "North West England"),
    4: ("NPG North East", "North East England"),
    5: ("NPG Yorkshire", "Yorkshire"),
    6: ("SP Manweb", "North Wales & Merseyside"),
    7: ("WPD South Wales", "South Wales"),
    8: ("WPD West Midlands", "West Midlands"),
    9: ("WPD East Midlands", "East Midlands"),
    10: ("UKPN East", "East England"),
    11: ("WPD South West", "South West England"),
    12: ("SSE South", "South England"),
    13: ("UKPN London", "London"),
    14: ("UKPN South East", "South East England"),
    15: ("England", "England"),
    16: ("Scotland", "Scotland"),
    17: ("Wales", "Wales"),
    18: ("GB", "GB"),
}
COUNTRIES = {"england": 15, "scotland": 16, "wales": 17}
OUTWARD = {"EN2": 10, "BS16": 11, "SW1A": 13, "LS1": 5, "G1": 2, "IV1": 1, "M1": 3, "CF10": 7, "BN1": 14, "NE1": 4}
BANDS = {
    2017: (100, 200, 300, 400), 2018: (80, 180, 280, 380), 2019: (60, 160, 260, 360), 2020: (55, 150, 230, 350),
    2021: (50, 140, 220, 330), 2022: (45, 130, 210, 310), 2023: (40, 120, 200, 290), 2024: (35, 110, 190, 270),
    2025: (30, 100, 180, 250), 2026: (25, 90, 170, 230), 2027: (20, 80, 160, 210),
}  # fmt: skip
WORDS = ("very low", "low", "moderate", "high", "very high")


def index_of(intensity: float, year: int) -> str:
    """The word for an intensity in g/kWh; each band includes its lower bound."""
    return WORDS[int(np.searchsorted(BANDS[min(max(year, 2017), 2027)], intensity, side="right"))]


def _refuse(status: str, message: str) -> Refusal:
    return Refusal(json_reply({"error": {"code": status, "message": message}}, int(status[:3])))


class CarbonIntensity:
    """Mounted at ``/carbon``."""

    name = "carbon"

    def __init__(self) -> None:
        time, span = r"(?P<start>[^/]+)", r"(?P<span>fw24h|fw48h|pt24h)"
        where = r"(?:/(?P<by>postcode|regionid)/(?P<place>[^/]+))?"
        routes: tuple[tuple[str, Callable[..., Reply]], ...] = (
            (r"/intensity", self._present),
            (r"/intensity/date(?:/(?P<day>[^/]+)(?:/(?P<period>\d+))?)?", self._day),
            (r"/intensity/factors", self._factors),
            (rf"/intensity/stats/{time}/(?P<end>[^/]+)(?:/(?P<block>\d+))?", self._stats),
            (rf"/intensity/{time}/{span}", self._national),
            (rf"/intensity/{time}/(?P<end>[^/]+)", self._national),
            (rf"/intensity/{time}", self._one),
            (r"/generation", self._present_mix),
            (rf"/generation/{time}/(?P<span>pt24h)", self._mix),
            (rf"/generation/{time}/(?P<end>[^/]+)", self._mix),
            (r"/regional", self._present_regions),
            (r"/regional/(?P<place>england|scotland|wales)", self._present_region),
            (r"/regional/(?P<by>postcode|regionid)/(?P<place>[^/]+)", self._present_region),
            (rf"/regional/intensity/{time}/{span}{where}", self._regional),
            (rf"/regional/intensity/{time}/(?P<end>[^/]+?){where}", self._regional),
        )
        self._routes = [(re.compile(pattern), answer) for pattern, answer in routes]

    def settings(self, base: str) -> Mapping[str, str]:
        return {"carbon_intensity_url": base}

    def answer(self, request: Request) -> Reply:
        for pattern, answer in self._routes:
            if match := pattern.fullmatch(request.path.rstrip("/")):
                return answer(request, **match.groupdict())
        raise _refuse("404 Not Found", "No such endpoint.")

    # -- which slots ----------------------------------------------------------------------------------------------

    def _instant(self, request: Request, text: str) -> datetime:
        try:
            return datetime.strptime(text, MINUTE).replace(tzinfo=UTC) - request.back
        except ValueError:
            raise _refuse("400 Bad Request", "Please enter a valid date in ISO8601 format YYYY-MM-DDThh:mmZ.") from None

    def _range(self, request: Request, start: str, end: str | None, span: str | None) -> np.ndarray:
        """Starts of the slots whose end lies in the range asked, both ends included."""
        first = self._instant(request, start)
        if span is not None:
            hours = timedelta(hours=int(span[2:4]))
            return self._public(request, *((first, first + hours) if span[:2] == "fw" else (first - hours, first)))
        last = self._instant(request, str(end))
        if last < first or last - first > LONGEST:
            raise _refuse("400 Bad Request", "The maximum date range is 14 days and must not end before it starts.")
        new_year = datetime(first.year + 1, 1, 1, tzinfo=UTC)
        return self._public(request, first, min(last, new_year - timedelta(minutes=1)))

    def _public(self, request: Request, first: datetime, last: datetime) -> np.ndarray:
        """Starts of the slots with ``first <= end <= last`` that anything is known of."""
        ahead = SHORT_HORIZON if Fault.SHORT_HORIZON in request.faults else HORIZON
        known_until = at(np.floor(slot_of(request.now))) + ahead
        return slots(first - SLOT, min(last, known_until) - SLOT + timedelta(minutes=1))

    # -- rows -----------------------------------------------------------------------------------------------------

    def _national_rows(self, request: Request, starts: np.ndarray) -> list[Row]:
        asked = slot_of(request.now)
        forecast = request.world.carbon_forecast(GB_REGION, starts, asked)
        actual = request.world.carbon_actual(starts, asked)
        rows = []
        for slot, ahead, outturn in zip(starts, forecast, actual, strict=True):
            known = asked >= slot + 1 + ACTUAL_AFTER_SLOTS and not np.isnan(outturn)
            figures = {"forecast": int(ahead), "actual": int(outturn) if known else None}
            figures["index"] = index_of(outturn if known else ahead, at(slot).year)
            rows.append((slot, {**self._times(slot), "intensity": figures}))
        spoil = (
            ("intensity.actual",)
            if Fault.SPURIOUS_ZERO in request.faults
            else ("intensity.forecast", "intensity.actual")
        )
        return request.spoil(rows, *spoil)

    def _regional_rows(self, request: Request, region: int, starts: np.ndarray) -> list[Row]:
        """Forecasts alone: the zeros that were recorded are of actual figures, which regions do not have."""
        forecast = request.world.carbon_forecast(region, starts, slot_of(request.now))
        mix = request.world.mix(region, starts)
        rows = []
        for slot, ahead, shares in zip(starts, forecast, mix, strict=True):
            figures = {"forecast": int(ahead), "index": index_of(ahead, at(slot).year)}
            rows.append((slot, {**self._times(slot), "intensity": figures, "generationmix": self._fuels(shares)}))
        if Fault.SPURIOUS_ZERO in request.faults:
            return [row for _, row in rows]
        return request.spoil(rows, "intensity.forecast")

    @staticmethod
    def _times(slot: float) -> Row:
        return {"from": at(slot).strftime(MINUTE), "to": (at(slot) + SLOT).strftime(MINUTE)}

    @staticmethod
    def _fuels(shares: np.ndarray) -> list[Row]:
        return [{"fuel": fuel, "perc": float(share)} for fuel, share in zip(FUELS, shares, strict=True)]

    @staticmethod
    def _latest_complete(request: Request) -> np.ndarray:
        return np.array([np.floor(slot_of(request.now)) - 1])

    # -- national -------------------------------------------------------------------------------------------------

    def _present(self, request: Request) -> Reply:
        return json_reply({"data": self._national_rows(request, self._latest_complete(request))})

    def _one(self, request: Request, start: str) -> Reply:
        first = self._instant(request, start)
        return json_reply({"data": self._national_rows(request, self._public(request, first, first + SLOT)[-1:])})

    def _day(self, request: Request, day: str | None, period: str | None) -> Reply:
        wanted = request.now.strftime("%Y-%m-%d") if day is None else day
        try:
            first = datetime.strptime(wanted, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise _refuse("400 Bad Request", "Please enter a valid date in ISO8601 format YYYY-MM-DD.") from None
        starts = self._public(request, first + SLOT, first + timedelta(days=1))
        return json_reply(
            {"data": self._national_rows(request, starts if period is None else starts[int(period) - 1 :][:1])}
        )

    def _national(self, request: Request, start: str, end: str | None = None, span: str | None = None) -> Reply:
        return json_reply({"data": self._national_rows(request, self._range(request, start, end, span))})

    def _factors(self, request: Request) -> Reply:
        return json_reply(
            {"data": [{"Biomass": 120, "Coal": 937, "Gas (Combined Cycle)": 394, "Nuclear": 0, "Wind": 0}]}
        )

    def _stats(self, request: Request, start: str, end: str, block: str | None) -> Reply:
        first, last = self._instant(request, start), self._instant(request, end)
        hours = timedelta(hours=int(block)) if block else last - first
        found, begin = [], first
        while begin < last:
            stop = min(begin + hours, last)
            figures = request.world.carbon_actual(slots(begin, stop), slot_of(request.now))
            summary = {"max": int(figures.max()), "average": int(figures.mean()), "min": int(figures.min())}
            summary["index"] = index_of(summary["average"], begin.year)
            found.append({"from": begin.strftime(MINUTE), "to": stop.strftime(MINUTE), "intensity": summary})
            begin = stop
        return json_reply({"data": found})

    # -- generation mix -------------------------------------------------------------------------------------------

    def _present_mix(self, request: Request) -> Reply:
        return json_reply({"data": self._mix_rows(request, self._latest_complete(request))[0]})

    def _mix(self, request: Request, start: str, end: str | None = None, span: str | None = None) -> Reply:
        starts = self._range(request, start, end, span)
        return json_reply({"data": self._mix_rows(request, starts[starts + 1 <= slot_of(request.now)])})

    def _mix_rows(self, request: Request, starts: np.ndarray) -> list[Row]:
        shares = request.world.mix(GB_REGION, starts)
        rows = [
            (slot, {**self._times(slot), "generationmix": self._fuels(share)})
            for slot, share in zip(starts, shares, strict=True)
        ]
        return request.spoil(rows)

    # -- regions --------------------------------------------------------------------------------------------------

    def _present_regions(self, request: Request) -> Reply:
        return json_reply({"data": self._all_regions(request, self._latest_complete(request))})

    def _all_regions(self, request: Request, starts: np.ndarray) -> list[Row]:
        found = []
        for slot in starts:
            regions = []
            for region in REGIONS:
                row = self._regional_rows(request, region, np.array([slot]))[0]
                regions.append(
                    {**self._named(region), "intensity": row["intensity"], "generationmix": row["generationmix"]}
                )
            found.append({**self._times(slot), "regions": regions})
        return found

    @staticmethod
    def _named(region: int) -> Row:
        return {"regionid": region, "dnoregion": REGIONS[region][0], "shortname": REGIONS[region][1]}

    def _place(self, request: Request, by: str | None, place: str) -> tuple[int, Row]:
        """The region meant, and how the answer names it."""
        if by is None:
            return COUNTRIES[place], self._named(COUNTRIES[place])
        if by == "regionid":
            if not place.isdigit() or int(place) not in REGIONS:
                raise _refuse("400 Bad Request", "The region ID must be between 1 and 17.")
            return int(place), self._named(int(place))
        if place.upper() not in OUTWARD:
            raise _refuse("400 Bad Request", "Please enter a valid outward postcode, such as RG41.")
        region = OUTWARD[place.upper()]
        told = region - 1 if Fault.WRONG_REGION in request.faults else region
        return region, {**self._named(region), "regionid": told, "postcode": place.upper()}

    def _present_region(self, request: Request, place: str, by: str | None = None) -> Reply:
        region, named = self._place(request, by, place)
        rows = self._regional_rows(request, region, self._latest_complete(request))
        return json_reply({"data": [{**named, "data": rows}]})

    def _regional(
        self,
        request: Request,
        start: str,
        end: str | None = None,
        span: str | None = None,
        by: str | None = None,
        place: str | None = None,
    ) -> Reply:
        starts = self._range(request, start, end, span)
        if not starts.size:
            return json_reply({})
        if place is None:
            return json_reply({"data": self._all_regions(request, starts)})
        region, named = self._place(request, by, place)
        data: dict[str, Any] = {**named, "data": self._regional_rows(request, region, starts)}
        return json_reply({"data": data})
