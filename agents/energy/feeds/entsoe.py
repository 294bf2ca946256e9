"""Day-ahead prices of European zones from the ENTSO-E Transparency Platform, with the user's security token.

API: https://transparencyplatform.zendesk.com (guide to the web API), document A44. Answers are XML: a series has
periods, a period has a resolution and points by position. With curve type A03 a position that is absent repeats the
one before it; with A01 it is a gap. Of several auctions, that of the coupled market (sequence 1) counts. "No data" is
a document of its own, Acknowledgement.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NoReturn
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from agents.energy import currency, resample
from agents.energy.currency import Rate
from agents.energy.feed import Ask, Authorisation, Declaration, Feed, Fetched, Flag, Limits
from agents.energy.feeds.energy_charts import HIGHEST_EUR, LOWEST_EUR, day_ahead_until
from agents.energy.reading import number
from core.errors import FeedInvalid
from core.series import FloatArray, IntArray
from core.settings import Settings
from core.vintage import RawAnswer

DOMAINS = {
    "DE-LU": "10Y1001A1001A82H",
    "NO-NO2": "10YNO-2--------T",
    "IE": "10Y1001A1001A59C",
    "FR": "10YFR-RTE------C",
    "BE": "10YBE----------2",
    "NL": "10YNL----------L",
    "AT": "10YAT-APG------L",
    "CH": "10YCH-SWISSGRIDZ",
    "DK-DK1": "10YDK-1--------W",
}
"""The bidding zone (EIC) of each zone that is served; Ireland's is the single market of the island."""
DAY_AHEAD_PRICES = "A44"
STEPS_S = {"PT15M": 900, "PT30M": 1800, "PT60M": 3600}
REPEATS = {"A01": False, "A03": True}
"""Whether an absent position repeats the one before it, by curve type."""
AUCTION = "classificationSequence_AttributeInstanceComponent.position"
COUPLED_MARKET = "1"
LONGEST_RANGE = timedelta(days=364)
MOST_POINTS = 400 * 96


_Prices = tuple[IntArray, FloatArray, IntArray]
"""Begins in seconds since 1970, EUR/MWh, and for how many seconds each holds; shapes (n,)."""


def _no_document_type(*_: object) -> NoReturn:
    raise FeedInvalid("the answer brings a document type of its own, which is never read.")


def parse_xml(body: bytes, where: str) -> Element:
    """The root of an XML document, namespaces left off; one with a document type or broken is :class:`FeedInvalid`."""
    builder, parser = TreeBuilder(), expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _no_document_type
    parser.StartElementHandler = lambda name, attributes: builder.start(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda name: builder.end(name.rpartition(":")[2])
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
        return builder.close()
    except (expat.ExpatError, FeedInvalid, AssertionError) as error:
        raise FeedInvalid(f"{where} answered with XML that is not read: {error}.") from error


class DayAheadFeed:
    """The feed ``entsoe-day-ahead``: the zones in ``DOMAINS``."""

    def __init__(self, url: str, key: str | None, rate: Rate) -> None:
        self._url = f"{url.rstrip('/')}/api"
        self._key = key
        self._rate = rate
        self._declaration = _declaration(urlsplit(url).netloc, ready=key is not None)

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def serves(self, zone: str) -> bool:
        return zone in DOMAINS

    def fetch(self, ask: Ask) -> Fetched:
        domain = DOMAINS[ask.zone]
        where = f"ENTSO-E day-ahead {ask.zone}:"
        periods = [
            period
            for parameters in _requests(ask, domain)
            for period in _periods(ask.get(self._url, parameters, authorise=self._authorise), domain, where)
        ]
        if not periods:
            raise FeedInvalid(f"{where} has no prices for the time asked.")
        times, eur, steps, twice = _joined(periods, where)
        start, count = resample.slots_asked(ask)
        values = self._rate.gbp_per_kwh(resample.held(times, eur, steps, start, count))
        kinds = resample.kinds_where(np.zeros(count, dtype=np.bool_), values)
        source = f"ENTSO-E day-ahead {ask.zone}, wholesale, {self._rate.note}"
        series = resample.known_part("price", start, values, kinds, source, ask.now)
        resample.require_figures(series, ask, timedelta(0), where)
        repeated = resample.at_times(Flag.DUPLICATE, "price", twice, "a price came twice; the last counts.")
        return Fetched(series, repeated)

    def _authorise(self) -> Authorisation:
        return Authorisation(parameters={"securityToken": self._key or ""})


def _requests(ask: Ask, domain: str) -> Iterator[dict[str, str]]:
    """Whole UTC hours, at most a year an answer."""
    start = ask.start.replace(minute=0, second=0, microsecond=0)
    while start < ask.end:
        stop = min(start + LONGEST_RANGE, ask.end)
        yield {
            "documentType": DAY_AHEAD_PRICES,
            "in_Domain": domain,
            "out_Domain": domain,
            "periodStart": f"{start:%Y%m%d%H%M}",
            "periodEnd": f"{_next_hour(stop):%Y%m%d%H%M}",
        }
        start = stop


def _next_hour(instant: datetime) -> datetime:
    floor = instant.replace(minute=0, second=0, microsecond=0)
    return floor if floor == instant else floor + timedelta(hours=1)


def _periods(answer: RawAnswer, domain: str, where: str) -> Iterator[_Prices]:
    """The prices of each period of the coupled market."""
    root = parse_xml(answer.body, where)
    if root.tag.startswith("Acknowledgement"):
        raise FeedInvalid(f"{where} has no figures: {(root.findtext('Reason/text') or 'no reason given').strip()}")
    if root.tag != "Publication_MarketDocument":
        raise FeedInvalid(f"{where} answered with a {root.tag!r} document.")
    for series in root.iterfind("TimeSeries"):
        if series.findtext(AUCTION, COUPLED_MARKET) != COUPLED_MARKET:
            continue
        _require_unit(series, domain, where)
        repeats = REPEATS.get(series.findtext("curveType", "A01"))
        if repeats is None:
            raise FeedInvalid(f"{where} curve type {series.findtext('curveType')!r} is not known.")
        for period in series.iterfind("Period"):
            yield _period(period, where, repeats=repeats)


def _joined(periods: list[_Prices], where: str) -> tuple[IntArray, FloatArray, IntArray, IntArray]:
    """The prices of all periods by ascending time, each once, and the times that came twice."""
    times, eur, steps = (np.concatenate([period[i] for period in periods]) for i in range(3))
    kept, figures, twice = resample.distinct(times, eur)
    _, first = np.unique(times, return_index=True)
    of_time = steps[first]
    if np.any(of_time[np.searchsorted(kept, times)] != steps):
        raise FeedInvalid(f"{where} the same time is given in two resolutions.")
    return kept, figures, of_time, twice


def _require_unit(series: Element, domain: str, where: str) -> None:
    expected = {"in_Domain.mRID": domain, "currency_Unit.name": "EUR", "price_Measure_Unit.name": "MWH"}
    for name, value in expected.items():
        if series.findtext(name) != value:
            raise FeedInvalid(f"{where} {name} is {series.findtext(name)!r}, {value!r} was expected.")


def _period(period: Element, where: str, *, repeats: bool) -> _Prices:
    start_s, end_s = (
        resample.time_s(period.findtext(f"timeInterval/{name}"), f"{where} {name}") for name in ("start", "end")
    )
    step_s = STEPS_S.get(period.findtext("resolution", ""))
    if step_s is None:
        raise FeedInvalid(f"{where} resolution {period.findtext('resolution')!r} is none of {', '.join(STEPS_S)}.")
    count = (end_s - start_s) // step_s
    if not 0 < count <= MOST_POINTS or (end_s - start_s) % step_s:
        raise FeedInvalid(f"{where} a period of {end_s - start_s} s has no whole number of steps of {step_s} s.")
    prices = _by_position(period, count, where)
    times = start_s + step_s * np.arange(count, dtype=np.int64)
    return times, repeated(prices) if repeats else prices, np.full(count, step_s, dtype=np.int64)


def _by_position(period: Element, count: int, where: str) -> FloatArray:
    """Prices of positions 1 to ``count``, NaN where one is absent."""
    prices: FloatArray = np.full(count, np.nan)
    for point in period.iterfind("Point"):
        position = int(_number(point, "position", 1, count, where))
        prices[position - 1] = _number(point, "price.amount", LOWEST_EUR, HIGHEST_EUR, where)
    return prices


def _number(point: Element, name: str, low: float, high: float, where: str) -> float:
    text = point.findtext(name)
    try:
        figure = float(text or "")
    except ValueError as error:
        raise FeedInvalid(f"{where} {name} is {text!r}, a number was expected.") from error
    return number(figure, low, high, f"{where} {name}")


def repeated(values: FloatArray) -> FloatArray:
    """Each NaN replaced by the last figure before it; shape kept. NaN stays where there is none before."""
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(values.size)))
    return np.where(last >= 0, values[last], np.nan)


def _declaration(host: str, *, ready: bool) -> Declaration:
    return Declaration(
        name="entsoe-day-ahead",
        title="ENTSO-E day-ahead prices",
        home="https://transparencyplatform.zendesk.com",
        licence="CC BY 4.0 for most figures of the platform; its terms name those that are not",
        attribution="Day-ahead prices: ENTSO-E Transparency Platform",
        host=host,
        quantities=("price",),
        units="EUR/MWh, to GBP/kWh at EUR_GBP",
        limits=Limits(400, timedelta(minutes=1)),
        done=(
            "day-ahead wholesale prices (A44) in steps of 15, 30 or 60 minutes as half-hour means",
            "positions left out are repeated with curve type A03 and stay open with A01",
            "always estimates: the exchange rate is the operator's assumption",
        ),
        exempt=(
            "auctions beside the coupled market (sequence 2, EXAA), intraday prices and imbalance prices",
            "other documents, such as load and generation",
            "hourly answers were recorded; steps of 15 and 30 minutes and curve type A03 are from documentation",
        ),
        least_period=timedelta(minutes=15),
        first_history=timedelta(days=60),
        published_until=day_ahead_until,
        key_setting="ENTSOE_KEY",
        ready=ready,
    )


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """The one feed of this source."""
    key = None if settings.entsoe_key is None else settings.entsoe_key.get_secret_value()
    return (DayAheadFeed(settings.entsoe_url, key, currency.euro(settings)),)
