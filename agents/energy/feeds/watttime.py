"""Marginal carbon intensity from WattTime, with the user's account: five-minute history and forecast as half-hours.

API: https://docs.watttime.org, version 3. Figures are in lbs CO2/MWh of the plants that answer to one unit more demand:
never to be added to averages in g/kWh. A login gives a token for 30 minutes, which is kept in memory alone. Outages
have arrived as zeros, so 0.0 is never read as clean power.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from agents.energy import resample
from agents.energy.feed import Ask, Authorisation, Authorise, Declaration, Feed, Fetched, Finding, Flag, Limits
from agents.energy.reading import json_of, mapping, rows
from agents.energy.transport.bounds import Bounds
from agents.energy.transport.wire import Reply, Wire
from core.errors import FeedError, FeedInvalid, FeedUnreachable
from core.series import FloatArray, IntArray, Kind
from core.settings import Settings
from core.slots import format_utc
from core.vintage import RawAnswer

REGIONS = {
    "GB": "UK",
    "IE": "IE",
    "NO-NO2": "NO",
    "DE-LU": "DE",
    "IS": "ISL",
    "CL-SIC": "CHL",
    "JP-TK": "JP_TK",
    "AU-NSW": "NEM_NSW",
    "US-TEX-ERCO": "ERCOT_NORTHCENTRAL",
    "SG": "SGP",
    "FR": "FR",
    "BE": "BE",
    "NL": "NL",
}
"""WattTime's region for each zone that is served."""
G_PER_LB = 453.59237
KWH_PER_MWH = 1000.0
G_PER_KWH = G_PER_LB / KWH_PER_MWH
"""g/kWh in one lb/MWh."""
SIGNAL = "co2_moer"
UNITS = "lbs_co2_per_mwh"
HIGHEST_LBS = 10_000.0
HORIZON_HOURS = 72
LONGEST_RANGE = timedelta(days=31)
NEWEST_HISTORY = timedelta(hours=6)
TOKEN_SECONDS = 25 * 60.0
LEFT_ALONE_SECONDS = 60.0
"""After a failed login none is tried: each zone would wait for its own, one after another, and all feeds with them."""
LOGIN_BOUNDS = Bounds(body_bytes=16 * 1024)
OK, BUSY, SERVER_ERROR = 200, 429, 500
UNAUTHORISED = (401, 403)

Login = Callable[[str, str, str], str]
"""Login address, user name and password to a token."""


def login(url: str, username: str, password: str) -> str:
    """Ask once for a token; :class:`FeedUnreachable` or :class:`FeedInvalid`, without the password in them."""
    wire = Wire(LOGIN_BOUNDS, time.monotonic)
    account = base64.b64encode(f"{username}:{password}".encode()).decode()
    try:
        return _token(urlsplit(url).netloc, wire.get(url, {"Authorization": f"Basic {account}"}))
    finally:
        wire.close()


def _token(host: str, reply: Reply) -> str:
    if reply.status in UNAUTHORISED:
        remedy = "Check WATTTIME_USERNAME and WATTTIME_PASSWORD."
        raise FeedInvalid(f"{host} refused the login with {reply.status}.", remedy=remedy)
    if reply.status >= SERVER_ERROR or reply.status == BUSY:
        raise FeedUnreachable(f"{host} answered the login with {reply.status}.")
    if reply.status != OK:
        raise FeedInvalid(f"{host} answered the login with {reply.status}.")
    answer = RawAnswer.of(host, reply.headers.get("Content-Type", ""), reply.body)
    token = mapping(json_of(answer, f"{host} login"), f"{host} login").get("token")
    if not isinstance(token, str) or not token:
        raise FeedInvalid(f"{host} answered the login without a token.")
    return token


class Token:
    """An :class:`Authorise` that logs in when its token is about to end; safe to share by threads.

    A failed login is told to whoever asks within the next minute, instead of being tried again.

    :param seconds: a clock that only goes forward.
    """

    def __init__(
        self, url: str, account: tuple[str, str], log_in: Login = login, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._account = account
        self._log_in = log_in
        self._seconds = seconds
        self._lock = threading.Lock()
        self._token: tuple[str, float] | None = None
        self._failed: tuple[FeedError, float] | None = None

    def __call__(self) -> Authorisation:
        with self._lock:
            if self._token is None or self._seconds() >= self._token[1]:
                self._token = self._new_token()
            return Authorisation(headers={"Authorization": f"Bearer {self._token[0]}"})

    def _new_token(self) -> tuple[str, float]:
        """A token and when it is replaced."""
        asked_at = self._seconds()
        if self._failed is not None and asked_at < self._failed[1]:
            raise _once_more(self._failed[0])
        try:
            token = self._log_in(self._url, *self._account)
        except FeedError as error:
            self._failed = error, self._seconds() + LEFT_ALONE_SECONDS
            raise
        self._failed = None
        return token, asked_at + TOKEN_SECONDS


def _once_more(error: FeedError) -> FeedError:
    """The same fault for another who asks: one exception is not raised by several threads."""
    kind = FeedInvalid if isinstance(error, FeedInvalid) else FeedUnreachable
    return kind(str(error), remedy=error.remedy)


class _MarginalFeed:
    """What history and forecast share: how an answer is checked and becomes half-hours."""

    def __init__(self, url: str, authorise: Authorise | None, declaration: Declaration) -> None:
        self._url = f"{url.rstrip('/')}/v3"
        self._authorise = authorise
        self._declaration = replace(declaration, host=urlsplit(url).netloc, ready=authorise is not None)

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def serves(self, zone: str) -> bool:
        return zone in REGIONS

    def _points(self, ask: Ask, path: str, where: str, **parameters: str) -> tuple[IntArray, FloatArray, int]:
        asked = {"region": REGIONS[ask.zone], "signal_type": SIGNAL, **parameters}
        answer = ask.get(f"{self._url}/{path}", asked, authorise=self._authorise)
        body = mapping(json_of(answer, where), where)
        step_s = _step_s(mapping(body.get("meta"), f"{where} meta"), REGIONS[ask.zone], where)
        found = rows(body.get("data"), where)
        times = np.array(
            [resample.time_s(row.get("point_time"), f"{where} point_time") for row in found], dtype=np.int64
        )
        column = [row.get("value") for row in found]
        return times, resample.column(column, len(found), 0, HIGHEST_LBS, f"{where} value (lbs/MWh)"), step_s

    def _fetched(
        self, ask: Ask, points: list[tuple[IntArray, FloatArray, int]], *, forecast: bool, where: str
    ) -> Fetched:
        if len({step for _, _, step in points}) != 1:
            raise FeedInvalid(f"{where} has no figures of one step for the time asked.")
        times, lbs, twice = resample.distinct(*(np.concatenate([one[i] for one in points]) for i in (0, 1)))
        steps = np.full(times.size, points[0][2], dtype=np.int64)
        zeros = times[lbs == 0]
        start, count = resample.slots_asked(ask)
        values = resample.held(times, np.where(lbs == 0, np.nan, lbs), steps, start, count) * G_PER_KWH
        under_way = resample.kinds_by_time(start, values, ask.now) == Kind.FORECAST
        kinds = resample.kinds_where(under_way | forecast, values)
        source = f"WattTime {REGIONS[ask.zone]}, marginal"
        series = resample.known_part("marginal_carbon", start, values, kinds, source, ask.now)
        return Fetched(series, _findings(zeros, twice))


class HistoryFeed(_MarginalFeed):
    """The feed ``watttime-history``: past five-minute figures."""

    def __init__(self, url: str, authorise: Authorise | None) -> None:
        super().__init__(url, authorise, _HISTORY)

    def fetch(self, ask: Ask) -> Fetched:
        where = f"WattTime history {REGIONS[ask.zone]}:"
        points = [
            self._points(ask, "historical", where, start=format_utc(start), end=format_utc(end))
            for start, end in _ranges(ask)
        ]
        fetched = self._fetched(ask, points, forecast=False, where=where)
        resample.require_figures(fetched.series, ask, NEWEST_HISTORY, where)
        return fetched


class ForecastFeed(_MarginalFeed):
    """The feed ``watttime-forecast``: the coming three days."""

    def __init__(self, url: str, authorise: Authorise | None) -> None:
        super().__init__(url, authorise, _FORECAST)

    def fetch(self, ask: Ask) -> Fetched:
        where = f"WattTime forecast {REGIONS[ask.zone]}:"
        points = [self._points(ask, "forecast", where, horizon_hours=str(HORIZON_HOURS))]
        fetched = self._fetched(ask, points, forecast=True, where=where)
        resample.require_figures(fetched.series, ask, timedelta(0), where)
        return fetched


def _ranges(ask: Ask) -> Iterator[tuple[datetime, datetime]]:
    start, end = ask.start, min(ask.end, ask.now)
    while start < end:
        stop = min(start + LONGEST_RANGE, end)
        yield start, stop
        start = stop


def _step_s(meta: Mapping[str, Any], region: str, where: str) -> int:
    """The step that the answer names, after its unit, signal and region are the ones asked for."""
    for name, expected in (("units", UNITS), ("signal_type", SIGNAL), ("region", region)):
        if meta.get(name) != expected:
            raise FeedInvalid(f"{where} {name} is {meta.get(name)!r}, {expected!r} was expected.")
    step_s = meta.get("data_point_period_seconds", resample.STEPS_S[0])
    if step_s not in resample.STEPS_S:
        raise FeedInvalid(f"{where} figures are {step_s!r} s apart, one of {resample.STEPS_S} s was expected.")
    return int(step_s)


def _findings(zeros: IntArray, twice: IntArray) -> tuple[Finding, ...]:
    outage = "0 lbs/MWh is an outage, not clean power."
    return (
        *resample.at_times(Flag.SPURIOUS_ZERO, "marginal_carbon", zeros, outage),
        *resample.at_times(Flag.DUPLICATE, "marginal_carbon", twice, "a time came twice; the last counts."),
    )


_HISTORY = Declaration(
    name="watttime-history",
    title="WattTime marginal carbon intensity, past",
    home="https://docs.watttime.org",
    licence="by the user's contract with WattTime; without one only CAISO_NORTH may be previewed",
    attribution="Marginal emissions: WattTime",
    host="",
    quantities=("marginal_carbon",),
    units="lbs CO2/MWh, marginal operating rate, to g/kWh by 0.45359237",
    limits=Limits(3000, timedelta(minutes=5)),
    done=(
        "five-minute figures as half-hour means, in ranges of 31 days, always estimates",
        "0.0 is taken for an outage: those figures are left open and flagged, and zeros alone are no answer",
    ),
    exempt=(
        "health damage and other signals: only co2_moer is used",
        "Ontario and the GB regions: which region of theirs applies could not be confirmed",
        "Texas is several regions: that of Dallas (ERCOT_NORTHCENTRAL) stands for the zone and is named",
        "no body was recorded: shapes are from its OpenAPI document, names of regions from public code",
    ),
    least_period=timedelta(minutes=15),
    key_setting="WATTTIME_USERNAME",
)
_FORECAST = replace(
    _HISTORY,
    name="watttime-forecast",
    title="WattTime marginal carbon intensity, forecast",
    done=(f"the forecast of {HORIZON_HOURS} hours as half-hour means; 0.0 is taken for an outage",),
    exempt=(*_HISTORY.exempt, "past forecasts: the stored answers of this feed hold them"),
)


def feeds(settings: Settings, log_in: Login = login) -> tuple[Feed, ...]:
    """Forecast and history, which share one token; the forecast first, since plans look ahead."""
    url, username, password = settings.watttime_url, settings.watttime_username, settings.watttime_password
    token = None
    if username is not None and password is not None:
        token = Token(f"{url.rstrip('/')}/login", (username, password.get_secret_value()), log_in)
    return ForecastFeed(url, token), HistoryFeed(url, token)
