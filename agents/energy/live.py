"""Live feeds: asked when due, a few at a time, each answer stored as a vintage before its figures are used."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from agents.energy.book import Condition, Entry, merged_vintages
from agents.energy.client import HostBusy, HostUnreachable
from agents.energy.feed import Feed, FeedStatus, FetchedSeries, VintageStore
from core.clock import Clock
from core.errors import FeedError
from core.series import Series
from core.vintage import Quantity, Vintage

WORKERS = 4
Outcome = FetchedSeries | FeedError


class Breaker:
    """One refresh's memory of hosts that gave no answer: after the first, their other zones are not asked."""

    def __init__(self) -> None:
        self._open: dict[str, FeedError] = {}
        self._lock = threading.Lock()

    def fetch(self, feed: Feed, zone: str, start: datetime, end: datetime) -> Outcome:
        """The feed's answer or its failure, or at once the failure of its host."""
        with self._lock:
            if feed.host in self._open:
                return self._open[feed.host]
        try:
            return feed.fetch(zone, start, end)
        except (HostUnreachable, HostBusy) as error:
            with self._lock:
                self._open.setdefault(feed.host, error)
            return error
        except FeedError as error:
            return error


class LiveFeeds:
    """Every live feed for every watched zone. Reading never waits for the network.

    :param period: how often a feed is asked.
    :param substitute: whether a zone whose figures have run out is simulated (mode auto) or left without (mode live).
    """

    def __init__(
        self, feeds: Sequence[Feed], vintages: VintageStore, clock: Clock, period: timedelta, *, substitute: bool
    ) -> None:
        self._feeds = tuple(feeds)
        self._vintages = vintages
        self._clock = clock
        self._period = period
        self._substitute = substitute
        self._entries: dict[tuple[str, Quantity], Entry] = {}
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()

    @property
    def attributions(self) -> tuple[str, ...]:
        """Whose figures these are."""
        return tuple(feed.attribution for feed in self._feeds)

    def watch(self, zones: Iterable[str]) -> None:
        """Ask for these zones too from now on, and take up what was stored of them."""
        for zone in zones:
            for feed in self._feeds:
                if zone in feed.zones and (zone, feed.quantity) not in self._entries:
                    entry = self._remembered(feed, zone, self._clock.now())
                    with self._lock:
                        self._entries.setdefault((zone, feed.quantity), entry)

    def serves(self, zone: str, quantity: Quantity) -> bool:
        """Whether a feed gives this quantity for this zone."""
        with self._lock:
            return (zone, quantity) in self._entries

    def figures(self, zone: str, quantity: Quantity) -> Series | None:
        """Everything known just now, past and ahead; None before the first answer."""
        with self._lock:
            return self._entries[zone, quantity].series

    def stored(self, zone: str, quantity: Quantity, start: datetime, end: datetime) -> Series | None:
        """Figures of ``[start, end)`` from the stored vintages, for slots older than those kept at hand."""
        feed = self._entries[zone, quantity].feed
        return merged_vintages(self._vintages.covering(feed.name, zone, quantity, start, end))

    def condition(self, zone: str, quantity: Quantity) -> Condition:
        """How the feed stands for the zone."""
        now = self._clock.now()
        with self._lock:
            return self._entries[zone, quantity].condition(now, self._period, substitute=self._substitute)

    def name(self, zone: str, quantity: Quantity) -> str:
        """Name of the feed that serves the zone."""
        return self._entries[zone, quantity].feed.name

    def status(self) -> list[FeedStatus]:
        """Every feed and zone, in the order of watching."""
        now = self._clock.now()
        with self._lock:
            entries = list(self._entries.values())
            return [entry.status(now, self._period, substitute=self._substitute) for entry in entries]

    def refresh(self, *, force: bool = False) -> None:
        """Ask every feed that is due, or every one with ``force``; a second call waits for the first.

        A feed's fault is kept in its status. Raises only what the vintage store raises: what cannot be stored is not
        used, and is asked for again.
        """
        with self._refreshing:
            now = self._clock.now()
            with self._lock:
                due = [entry for entry in self._entries.values() if force or entry.due(now)]
            if due:
                self._ask(due, now)

    def _ask(self, due: Sequence[Entry], now: datetime) -> None:
        breaker = Breaker()
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="feeds") as pool:
            outcomes = list(pool.map(lambda entry: breaker.fetch(entry.feed, entry.zone, *entry.period(now)), due))
        answers = [(e, o) for e, o in zip(due, outcomes, strict=True) if isinstance(o, FetchedSeries)]
        with self._lock:
            for entry, outcome in zip(due, outcomes, strict=True):
                if isinstance(outcome, FeedError):
                    entry.failed(outcome, now)
        for entry, answer in answers:
            self._vintages.add(_vintage(entry, answer))
        with self._lock:
            for entry, answer in answers:
                entry.succeeded(answer.series, now, self._period)

    def _remembered(self, feed: Feed, zone: str, now: datetime) -> Entry:
        """A new entry with the last answer that the store remembers."""
        entry = Entry(feed, zone, watched_since=now, next_try=now)
        vintage = self._vintages.latest(feed.name, zone, feed.quantity)
        if vintage is not None:
            entry.series = vintage.series
            entry.last_good = entry.asked_at = vintage.fetched_at
            entry.next_try = vintage.fetched_at + self._period
        return entry


def _vintage(entry: Entry, answer: FetchedSeries) -> Vintage:
    digest = hashlib.sha256(answer.body).hexdigest()
    series = answer.series
    return Vintage(entry.feed.name, entry.zone, entry.feed.quantity, series.issued_at, digest, answer.body, series)
