"""Live feeds: asked when due, a few at a time, each answer stored with its bytes before its figures are used."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from loguru import logger

from agents.energy import quality
from agents.energy.book import Book
from agents.energy.client import Client, HostState
from agents.energy.entry import MUST_COVER_NOW, Condition, Entry
from agents.energy.feed import Ask, Declaration, Feed, FeedStatus, Fetched, FetchStore, Finding, Flag
from core.clock import Clock
from core.errors import FeedError, FeedInvalid
from core.slots import slot_ceil, slot_floor
from core.vintage import UNITS, Fetch, Quantity, RawAnswer

WORKERS = 4
STEADY = timedelta(minutes=15)
"""Another source takes over once the one in use has been failing for so long, and gives way after being good as long:
a failed ask is asked again after 1, 2, 4 and 8 minutes, and plans made meanwhile do not change their source for it."""
RANK = {"live": 0, "stale": 1}
"""Other states have no figures of use: 2."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of asking: a fetch to be stored, and either what was noticed or why it failed."""

    fetch: Fetch
    noticed: tuple[Finding, ...] = ()
    error: FeedError | None = None


def ask(
    feed: Feed, zone: str, window: tuple[datetime, datetime], now: datetime, client: Client, terms: RawAnswer | None
) -> _Answer:
    """Ask one feed once, keeping every body that came, and with them the ``terms`` on which they are read."""
    start, end = slot_floor(window[0]), slot_ceil(window[1])
    recorder = client.recording(now)
    fetched, fault = Fetched({}), None
    try:
        fetched = _kept(feed, feed.fetch(Ask(zone, start, end, now, recorder)), now)
    except FeedError as error:
        fault = error
    except Exception as error:
        logger.exception("{} failed", feed.declaration.name)
        fault = FeedInvalid(f"{feed.declaration.name} could not read its answer: {type(error).__name__}.")
    reason = fault.diagnostics() if fault is not None else None
    kept = (*recorder.answers, terms) if recorder.answers and terms is not None else recorder.answers
    fetch = Fetch(feed.declaration.name, zone, now, start, end, kept, fetched.series, reason)
    quantity = next(iter(fetched.series), feed.declaration.quantities[0])
    return _Answer(fetch, (*fetched.findings, *quality.skew(quantity, recorder.skew_s, now)), fault)


def _kept(feed: Feed, fetched: Fetched, now: datetime) -> Fetched:
    """What a feed read, if it is something, in the units and of the time that it promises."""
    if not fetched.series:
        raise FeedInvalid(f"{feed.declaration.name} gave no figures at all.")
    for quantity, series in fetched.series.items():
        if series.unit is not UNITS[quantity] or series.issued_at != now or not len(series):
            raise FeedInvalid(f"{feed.declaration.name} gave {quantity} in {series.unit} as of {series.issued_at}.")
    return fetched


class LiveFeeds:
    """Every live feed for every watched zone. Reading never waits for the network.

    Where several feeds serve a quantity of a zone, the first in the order of registration that is live is used. Who is
    used changes at once where the one in use has no figures left, else only after :data:`STEADY`.

    :param period: how often a feed is asked, unless it declares a longer one.
    :param substitute: whether a zone whose figures have run out is simulated (mode auto) or left without (mode live).
    :param terms: the settings that the feeds were built with, to be kept with every answer.
    """

    def __init__(
        self,
        feeds: Sequence[Feed],
        store: FetchStore,
        client: Client,
        clock: Clock,
        period: timedelta,
        *,
        substitute: bool,
        terms: RawAnswer | None = None,
    ) -> None:
        self._feeds = tuple((feed, feed.declaration) for feed in feeds)
        self._terms = terms
        self._watched: set[tuple[str, Quantity | None]] = set()
        self._store = store
        self._client = client
        self._clock = clock
        self._period = period
        self._substitute = substitute
        self._entries: dict[tuple[str, str], Entry] = {}
        self._serving: dict[tuple[str, Quantity], tuple[Entry, ...]] = {}
        self._in_use: dict[tuple[str, Quantity], Entry] = {}
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        for declaration in self.declarations:
            client.limit(declaration.host, declaration.limits)

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """What every feed says of itself, those without their key too."""
        return tuple(declaration for _, declaration in self._feeds)

    @property
    def hosts(self) -> tuple[HostState, ...]:
        """How the client stands with every host asked so far."""
        return self._client.hosts()

    @property
    def attributions(self) -> tuple[str, ...]:
        """Whose figures are in use."""
        with self._lock:
            used = [entry.declaration.attribution for entry in self._entries.values()]
        return tuple(dict.fromkeys(used))

    def watch(self, zones: Iterable[str], only: Quantity | None = None) -> None:
        """Ask for these zones and places too from now on, and take up what was stored of them.

        :param only: ask the feeds of this quantity alone; None for all that serve the zone.
        """
        new = [zone for zone in zones if (zone, only) not in self._watched]
        if not new:
            return
        for zone in new:
            for feed, declared in self._feeds:
                wanted = declared.ready and (only is None or only in declared.quantities)
                if wanted and (declared.name, zone) not in self._entries and feed.serves(zone):
                    entry = self._remembered(feed, zone, self._clock.now())
                    with self._lock:
                        self._entries.setdefault((declared.name, zone), entry)
        with self._lock:
            self._serving = _serving(self._entries.values())
            self._watched.update((zone, only) for zone in new)

    def serves(self, zone: str, quantity: Quantity) -> bool:
        """Whether a feed gives this quantity for this zone."""
        return (zone, quantity) in self._serving

    def book(self, zone: str, quantity: Quantity) -> Book | None:
        """What may be used just now, past and ahead; None before the first answer, and of what no feed gives."""
        now = self._clock.now()
        with self._lock:
            serves = (zone, quantity) in self._serving
            return self._chosen(zone, quantity, now).book(quantity, now) if serves else None

    def books(self, zone: str, quantity: Quantity) -> tuple[Book, ...]:
        """What every feed of a quantity says, the preferred first: short forecasts, then those that reach further."""
        now = self._clock.now()
        with self._lock:
            found = [entry.book(quantity, now) for entry in self._serving.get((zone, quantity), ())]
        return tuple(book for book in found if book is not None)

    def condition(self, zone: str, quantity: Quantity) -> Condition:
        """How the feed in use stands for the zone; what it no longer gives is missing."""
        now = self._clock.now()
        with self._lock:
            if (zone, quantity) not in self._serving:
                return Condition("never", now, "No feed gives it any more.")
            return self._chosen(zone, quantity, now).condition(quantity, now)

    def name(self, zone: str, quantity: Quantity) -> str:
        """Name of the feed in use; ``no feed`` where there is none."""
        with self._lock:
            if (zone, quantity) not in self._serving:
                return "no feed"
            return self._chosen(zone, quantity, self._clock.now()).declaration.name

    def family(self, zone: str, quantity: Quantity) -> frozenset[str]:
        """The feeds whose figures mean the same as those in use: all of that source, forecasts and past."""
        with self._lock:
            if (zone, quantity) not in self._serving:
                return frozenset()
            host = self._chosen(zone, quantity, self._clock.now()).declaration.host
        return frozenset(d.name for _, d in self._feeds if d.host == host and quantity in d.quantities)

    def status(self) -> list[FeedStatus]:
        """Every feed, zone and quantity, in the order of watching."""
        now = self._clock.now()
        with self._lock:
            return [status for entry in self._entries.values() for status in entry.statuses(now)]

    def refresh(self, *, force: bool = False) -> bool:
        """Ask every feed that is due, or every one with ``force``; a second call waits for the first.

        :return: whether new figures came in.

        A feed's fault is kept in its status. Raises only what the store raises: what cannot be stored is not used, and
        is asked for again.
        """
        with self._refreshing:
            now = self._clock.now()
            with self._lock:
                due = [entry for entry in self._entries.values() if force or entry.due(now)]
            return bool(due) and self._ask(due, now)

    def backfill(self, zone: str, start: datetime, end: datetime, feeds: Sequence[str] = ()) -> list[Fetch]:
        """Ask the feeds of a zone (those named, or all) for the past, store what they answer; newest figures stay.

        Feeds that have no past to give (``first_history`` of nothing) are not asked; failed ones are in the list, with
        their ``error``.
        """
        now = self._clock.now()
        asked = [
            feed
            for feed, declared in self._feeds
            if declared.ready and declared.first_history and feed.serves(zone) and (not feeds or declared.name in feeds)
        ]
        fetches = [ask(feed, zone, (start, end), now, self._client, self._terms).fetch for feed in asked]
        for fetch in fetches:
            self._store.add(fetch)
        return fetches

    def _ask(self, due: Sequence[Entry], now: datetime) -> bool:
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="feeds") as pool:
            answers = list(pool.map(lambda e: self._answer(e, now), due))
        with self._lock:
            for entry, answer in zip(due, answers, strict=True):
                if answer.error is not None:
                    entry.failed(answer.error, now)
        for answer in answers:
            if answer.fetch.answers:
                self._store.add(answer.fetch)
        good = [(entry, answer) for entry, answer in zip(due, answers, strict=True) if answer.error is None]
        with self._lock:
            for entry, answer in good:
                entry.succeeded(answer.fetch, answer.noticed)
            self._serving = _serving(self._entries.values())
            self._compare(now)
        return bool(good)

    def _answer(self, entry: Entry, now: datetime) -> _Answer:
        return ask(entry.feed, entry.zone, entry.window(now), now, self._client, self._terms)

    def _compare(self, now: datetime) -> None:
        """Note where two live sources of one quantity differ."""
        for (_, quantity), entries in self._serving.items():
            live = [entry for entry in entries if entry.condition(quantity, now).state == "live"]
            for other in live[1:]:
                mine, theirs = live[0].books[quantity].series, other.books[quantity].series
                found = quality.disagreement(quantity, mine, theirs, now)
                before = [each for each in other.noticed if (each.flag, each.quantity) != (Flag.DISAGREES, quantity)]
                other.noticed = quality.joined((*before, *found))

    def _chosen(self, zone: str, quantity: Quantity, now: datetime) -> Entry:
        """The feed in use: to begin with the first that is live, else the first that is stale, else the first."""
        entries = self._serving[zone, quantity]
        if len(entries) == 1:
            return entries[0]
        best = min(entries, key=lambda entry: RANK.get(entry.condition(quantity, now).state, 2))
        in_use = self._in_use.get((zone, quantity), best)
        if not any(entry is in_use for entry in entries) or _gives_way(in_use, best, quantity, now):
            in_use = best
        self._in_use[zone, quantity] = in_use
        return in_use

    def _remembered(self, feed: Feed, zone: str, now: datetime) -> Entry:
        """A new entry with the last answer that the store remembers."""
        period = max(self._period, feed.declaration.least_period)
        entry = Entry(feed, zone, now, now, period, self._substitute)
        fetch = self._store.latest(feed.declaration.name, zone)
        if fetch is not None:
            entry.remember(fetch)
        return entry


def _gives_way(in_use: Entry, best: Entry, quantity: Quantity, now: datetime) -> bool:
    """Whether ``best``, the first of those in the best state, takes over."""
    condition, other = in_use.condition(quantity, now), best.condition(quantity, now)
    if condition.state not in RANK:
        return True
    if condition.state != other.state:
        return now >= condition.since + STEADY
    return other.state == "live" and best.good_since is not None and now >= best.good_since + STEADY


def _serving(entries: Iterable[Entry]) -> dict[tuple[str, Quantity], tuple[Entry, ...]]:
    """The feeds of each zone and quantity, in the order of registration; what a feed has never given it does not serve.

    Before its first answer a feed serves all that it declares.
    """
    found: dict[tuple[str, Quantity], list[Entry]] = {}
    for entry in entries:
        for quantity in entry.books or entry.declaration.quantities:
            if quantity not in MUST_COVER_NOW or entry.must_cover_now(quantity):
                found.setdefault((entry.zone, quantity), []).append(entry)
    return {key: tuple(of_key) for key, of_key in found.items()}
