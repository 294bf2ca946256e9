"""Stand-ins for the feeds, the client and the store, and bodies in the shapes that the feeds answer with."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from agents.energy.agent import EnergyAgent
from agents.energy.build import subjects
from agents.energy.feed import Ask, Declaration, Fetched, Finding, Limits
from agents.energy.outlook import Outlook
from agents.energy.simulated import Simulator
from agents.energy.sources import Sources
from core.errors import FeedError, NotFound
from core.score import Score
from core.series import Kind, Series
from core.slots import SLOT, format_utc, slot_floor, slots_between
from core.vintage import OWN_FORECASTS, UNITS, Fetch, Quantity, RawAnswer, Vintage


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


class MemoryStore:
    """A store of fetches in a list."""

    def __init__(self) -> None:
        self.kept: list[Fetch] = []

    def add(self, fetch: Fetch) -> str:
        if fetch.fetch_id not in [each.fetch_id for each in self.kept]:
            self.kept.append(fetch)
        return fetch.fetch_id

    def get(self, fetch_id: str) -> Fetch:
        for fetch in self.kept:
            if fetch.fetch_id == fetch_id:
                return fetch
        raise NotFound(f"no fetch {fetch_id}")

    def described(self, fetch_id: str) -> tuple[Fetch, tuple[int, ...]]:
        fetch = self.get(fetch_id)
        return fetch, tuple(len(answer.body) for answer in fetch.answers)

    def latest(self, feed: str, zone: str) -> Fetch | None:
        found = [each for each in self.kept if (each.feed, each.zone, each.error) == (feed, zone, None)]
        return max(found, key=lambda each: each.fetched_at, default=None)

    def vintages(self, feed: str, zone: str, quantity: Quantity, since: datetime, until: datetime) -> list[Vintage]:
        return [
            Vintage(each.fetch_id, feed, zone, quantity, each.fetched_at, each.series[quantity])
            for each in sorted(self.kept, key=lambda each: each.fetched_at)
            if (each.feed, each.zone) == (feed, zone) and quantity in each.series and since <= each.fetched_at <= until
        ]

    def history(
        self,
        zone: str,
        quantity: Quantity,
        start: datetime,
        slots: int,
        feeds: Collection[str] | None = None,
    ) -> Series:
        found = Series.missing(start, slots, UNITS[quantity], "nothing stored", start)
        for each in sorted(self.kept, key=lambda each: each.fetched_at):
            of_feeds = each.feed != OWN_FORECASTS and (feeds is None or each.feed in feeds)
            if each.zone == zone and quantity in each.series and of_feeds:
                newer = each.series[quantity].window(start, slots)
                firm = newer.kinds <= found.kinds
                firm &= newer.kinds != Kind.MISSING
                found = replace(
                    newer,
                    values=np.where(firm, newer.values, found.values),
                    kinds=np.where(firm, newer.kinds, found.kinds).astype(np.int8),
                )
        return found


class MemoryScores:
    """A store of scores in a list."""

    def __init__(self) -> None:
        self.kept: list[Score] = []

    def add(self, scores: Sequence[Score]) -> None:
        self.kept += scores


class FullStore(MemoryStore):
    """A store whose disk is full."""

    def add(self, fetch: Fetch) -> str:
        raise OSError("no space left on device")


class FakeRecorder:
    """Asks what :class:`FakeClient` holds, and remembers the answers."""

    def __init__(self, client: FakeClient) -> None:
        self._client = client
        self.answers: tuple[RawAnswer, ...] = ()
        self.skew_s = client.skew_s

    def __call__(self, url: str, parameters: Any = None, *, authorise: Any = None) -> RawAnswer:
        self.answers = (*self.answers, RawAnswer.of(url, "application/json", self._client.answer(url)))
        return self.answers[-1]


class FakeClient:
    """A client without a network: ``answer`` makes the body of a URL."""

    def __init__(self, answer: Callable[[str], bytes] = lambda _: b"{}") -> None:
        self.answer = answer
        self.skew_s: float | None = None
        self.limits: dict[str, Limits] = {}

    def limit(self, host: str, limits: Limits) -> None:
        self.limits[host] = limits

    def hosts(self) -> tuple[Any, ...]:
        return ()

    def recording(self, now: datetime) -> FakeRecorder:
        return FakeRecorder(self)


class ScriptedFeed:
    """A feed that answers ``value`` for every slot up to ``ahead``, or raises what :attr:`fault` holds.

    What it answers is in the bytes it asks for, so that the stored bytes give the same series again.
    """

    def __init__(
        self,
        quantity: Quantity = "carbon",
        *,
        name: str = "scripted",
        zones: Sequence[str] = ("GB-A", "GB-C", "GB-J"),
        ahead: timedelta = timedelta(hours=48),
        host: str = "feed.example",
        **declared: Any,
    ) -> None:
        self.quantity: Quantity = quantity
        self.ahead = ahead
        self.value = 100.0
        self.fault: FeedError | None = None
        self.findings: tuple[Finding, ...] = ()
        self.asked: list[tuple[str, datetime, datetime]] = []
        self._zones = frozenset(zones)
        self.declaration = Declaration(
            name=name,
            title=name.title(),
            home="https://feed.example/docs",
            licence="none",
            attribution=f"figures of {name}",
            host=host,
            quantities=(quantity,),
            units="as they are",
            limits=Limits(100, timedelta(minutes=1)),
            done=("everything",),
            **declared,
        )

    def serves(self, zone: str) -> bool:
        return zone in self._zones

    def fetch(self, ask: Ask) -> Fetched:
        self.asked.append((ask.zone, ask.start, ask.end))
        if self.fault is not None:
            raise self.fault
        scripted = {"value": self.value, "ahead_s": self.ahead.total_seconds()}
        answer = ask.get(f"https://feed.example/{ask.zone}?{json.dumps(scripted)}")
        told = json.loads(answer.url.partition("?")[2])
        return Fetched({self.quantity: self._series(ask, told["value"], told["ahead_s"])}, self.findings)

    def _series(self, ask: Ask, value: float, ahead_s: float) -> Series:
        firm = Kind.SETTLED if self.quantity == "price" else Kind.ESTIMATE
        first, last = ask.start, slot_floor(min(ask.end, ask.now + timedelta(seconds=ahead_s)))
        count, name, unit = slots_between(first, last), self.declaration.name, UNITS[self.quantity]
        past = Series.of(first, [value] * slots_between(first, slot_floor(ask.now)), firm, unit, name, ask.now)
        whole = Series.of(first, [value] * count, Kind.FORECAST, unit, name, ask.now)
        return past.window(first, count).overlay(whole)


def agent_of(clock, zones, *, live=None, replay=None, store=None, allow_simulated=True, allowed=()):
    """An energy agent that forecasts by last week's profile, until ``learn`` is called."""
    sources = Sources(clock.now(), live=live, replay=replay, store=store)
    kept = store or MemoryStore()
    outlook = Outlook(sources.known, sources.published, clock, timedelta(hours=24), kept, MemoryScores())
    agent = EnergyAgent(
        clock, sources, Simulator(1), outlook, live=live,
        allow_simulated=allow_simulated, allowed=allowed, subjects=subjects,
    )  # fmt: skip
    agent.watch(zones)
    return agent


def fetch_of(series: Series, quantity: Quantity = "carbon", *, feed: str = "f", zone: str = "GB-C") -> Fetch:
    """A fetch of one series, with a body that names its time."""
    body = RawAnswer.of("https://feed.example/", "application/json", format_utc(series.issued_at).encode())
    return Fetch(feed, zone, series.issued_at, series.start, series.end, (body,), {quantity: series})


def carbon_row(start: datetime, forecast: float | None, actual: float | None = None, **extra: Any) -> dict[str, Any]:
    """A row of the Carbon Intensity API."""
    return {
        "from": start.strftime("%Y-%m-%dT%H:%MZ"),
        "to": (start + SLOT).strftime("%Y-%m-%dT%H:%MZ"),
        "intensity": {"forecast": forecast, "actual": actual, "index": "moderate"},
        **extra,
    }


def rate(start: datetime, price_exc_vat_p: float, end: datetime | None = None, **extra: Any) -> dict[str, Any]:
    """A unit rate of the Octopus API; half an hour long unless ``end`` is given."""
    return {
        "value_exc_vat": price_exc_vat_p,
        "value_inc_vat": -999.0,
        "valid_from": format_utc(start),
        "valid_to": format_utc(end or start + SLOT),
        "payment_method": None,
        **extra,
    }
