"""Asking a feed over the wire in tests: feed module, shared client, the upstream's sockets, and the bytes once more."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import numpy as np

import agents.energy.feeds
from agents.energy import quality
from agents.energy.client import Bounds, Client, StoredAnswers
from agents.energy.feed import Ask, Feed, Fetched, Flag
from core.clock import Clock, ManualClock
from core.series import Kind, Series
from core.settings import Settings
from core.slots import SLOT
from core.vintage import Quantity, RawAnswer
from tests.upstream.server import Upstream
from tests.upstream.world import World, slot_of

BOUNDS = Bounds(
    connect_s=1.5,
    silence_s=1.5,
    whole_s=2.5,
    body_bytes=2 * 1024 * 1024,
    attempts=2,
    attempts_within_s=4.0,
    pause_s=0.01,
    longest_pause_s=0.05,
    open_s=0.01,
    longest_open_s=0.01,
)
"""Those of the application, about a quarter as long: longer than a busy machine stands still."""


def ticking(clock: Clock) -> Callable[[], float]:
    """Seconds that pass as on the machine, and besides as ``clock`` is moved: for the limits and pauses of hosts."""
    return lambda: clock.now().timestamp() + time.monotonic()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def all_feeds(settings: Settings) -> dict[str, Feed]:
    """Every feed of every module, by name."""
    found: dict[str, Feed] = {}
    for module in pkgutil.iter_modules(agents.energy.feeds.__path__):
        loaded = importlib.import_module(f"agents.energy.feeds.{module.name}")
        if hasattr(loaded, "feeds"):
            found |= {feed.declaration.name: feed for feed in loaded.feeds(settings)}
    return found


@dataclass
class Desk:
    """An upstream, a clock that both sides go by, and a client with short patience.

    Whatever is fetched is read once more from the bytes that were kept; that the series are the same is asserted.

    :param changes: settings besides the base URLs.
    """

    now: datetime
    world: World = field(default_factory=World)
    changes: dict[str, Any] = field(default_factory=dict)
    without_tls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.clock = ManualClock(self.now)
        self.upstream = Upstream(self.world, self.clock, drip_s=0.1)
        self.client = Client(bounds=BOUNDS, monotonic=ticking(self.clock))
        self.answers: tuple[RawAnswer, ...] = ()

    def __enter__(self) -> Self:
        self.upstream.start()
        overrides = self.upstream.settings_overrides(without_tls=self.without_tls)
        self.settings = Settings(**{**overrides, **self.changes}, _env_file=None)  # type: ignore[call-arg]
        self.feeds = all_feeds(self.settings)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.upstream.stop()

    def fetch(self, name: str, zone: str, start: datetime, end: datetime) -> Fetched:
        """The feed's answer for ``[start, end)`` at the clock's present instant."""
        feed, now = self.feeds[name], self.clock.now()
        recorder = self.client.recording(now)
        try:
            fetched = feed.fetch(Ask(zone, start, end, now, recorder))
        finally:
            self.answers = recorder.answers
        again = feed.fetch(Ask(zone, start, end, now, StoredAnswers(self.answers)))
        assert_same(fetched, again)
        assert_in_order(fetched, start, end, now)
        return fetched

    def series(self, name: str, zone: str, start: datetime, end: datetime, quantity: Quantity) -> Series:
        return self.fetch(name, zone, start, end).series[quantity]

    def paths(self, api: str) -> list[str]:
        """What an API was asked: paths below its base."""
        return [received.path for received in self.upstream.requests(api)]

    def queries(self, api: str) -> list[str]:
        """What an API was asked: queries as they came."""
        return [received.query for received in self.upstream.requests(api)]


def assert_same(fetched: Fetched, again: Fetched) -> None:
    """The same bytes give the same figures."""
    assert fetched.series.keys() == again.series.keys()
    for quantity, series in fetched.series.items():
        assert_same_series(series, again.series[quantity])
    assert fetched.findings == again.findings


def assert_same_series(one: Series, other: Series) -> None:
    """The same figures of the same kinds in the same slots, of the same vintage."""
    assert (one.start, one.unit, one.issued_at) == (other.start, other.unit, other.issued_at)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.kinds, other.kinds)


def assert_in_order(fetched: Fetched, start: datetime, end: datetime, now: datetime) -> None:
    """What holds of every answer: no slot that was not asked for, the right vintage, no zero for nothing."""
    for series in fetched.series.values():
        assert series.start > start - SLOT
        assert series.end < end + SLOT
        assert series.issued_at == now
        assert len(series) > 0


def flags(fetched: Fetched) -> set[Flag]:
    """What the application notices of an answer: what the feed did while reading, and what the series itself shows."""
    shown = [
        finding
        for quantity, series in fetched.series.items()
        for finding in quality.findings(quantity, series, series.issued_at)
    ]
    return {finding.flag for finding in (*fetched.findings, *shown)}


def known(series: Series) -> np.ndarray:
    """Slot indexes that have a figure, as the world counts them."""
    return (slot_of(series.start) + np.flatnonzero(series.kinds != Kind.MISSING)).astype(float)


def missing(series: Series) -> set[int]:
    """Slot indexes inside the series that have no figure."""
    return {int(slot_of(series.start)) + int(i) for i in np.flatnonzero(series.kinds == Kind.MISSING)}
