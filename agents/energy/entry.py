"""One feed for one zone: what it has answered, how asking it has gone, and when it is to be asked again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agents.energy import quality
from agents.energy.book import Book
from agents.energy.client import HostBusy
from agents.energy.feed import Declaration, Feed, FeedStatus, Finding, State
from core.errors import FeedError
from core.vintage import Fetch, Quantity

REVISED_WITHIN = timedelta(days=2)
"""How far back it is asked once its history is there: published figures are revised for more than a day."""
NO_LONGER_AWAY = timedelta(days=1)
"""After more than this without figures the whole history is asked for again."""
AHEAD = timedelta(days=15)
"""Beyond every published horizon."""
FIRST_POLL = timedelta(minutes=2)
LONGEST_POLL = timedelta(minutes=15)
POLL_GROWTH = 1.5
"""Figures that are due are asked for after 2, 3, 4.5, ... and at most 15 minutes."""
FIRST_BACKOFF = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(minutes=15)
LONGEST_ASKED_FOR = timedelta(hours=6)
LATE_AFTER_PERIODS = 3
"""Figures older than this many periods are stale even where no attempt has failed."""
MUST_COVER_NOW: frozenset[Quantity] = frozenset({"price", "carbon"})
"""What plans are made of is of no use once it ends before the present; other figures are judged by their age."""


@dataclass(frozen=True, slots=True)
class Condition:
    """In which state a feed is for a zone and quantity, since when, and why."""

    state: State
    since: datetime
    detail: str


@dataclass(slots=True)
class Entry:
    """Changed only under the lock of its :class:`agents.energy.live.LiveFeeds`.

    :param period: how often the feed is asked.
    :param substitute: whether figures that have run out are simulated (mode auto) or left out (mode live).
    :param books: what is known, by quantity.
    :param fetch_id: the last good answer.
    :param noticed: findings of the last good answer.
    :param failing_since: when it first failed since it last gave figures; None while it gives them.
    :param good_since: when it first gave figures since it last failed; None while it fails.
    """

    feed: Feed
    zone: str
    watched_since: datetime
    next_try: datetime
    period: timedelta
    substitute: bool
    books: dict[Quantity, Book] = field(default_factory=dict)
    fetch_id: str | None = None
    noticed: tuple[Finding, ...] = ()
    last_good: datetime | None = None
    asked_at: datetime | None = None
    failing_since: datetime | None = None
    good_since: datetime | None = None
    failures: int = 0
    polls: int = 0
    error: str | None = None
    declaration: Declaration = field(init=False)

    def __post_init__(self) -> None:
        self.declaration = self.feed.declaration

    def must_cover_now(self, quantity: Quantity) -> bool:
        """Whether figures that end before the present are of no use."""
        return quantity in MUST_COVER_NOW and not self.declaration.past_only

    def due(self, now: datetime) -> bool:
        """Whether it is to be asked at ``now``."""
        if now >= self.next_try:
            return True
        if self.failures or self.asked_at is None or not self._overdue(now):
            return False
        return now >= self.asked_at + self._poll_pause()

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """What to ask for: two days back where the history is there without a break, else the whole of it."""
        history = self.declaration.first_history
        fresh = self.last_good is not None and now - self.last_good < NO_LONGER_AWAY
        return now - (min(REVISED_WITHIN, history) if fresh else history), now + AHEAD

    def remember(self, fetch: Fetch) -> None:
        """Take up an answer of before a restart."""
        self.books = {quantity: Book.of(fetch.fetch_id, series) for quantity, series in fetch.series.items()}
        self.fetch_id = fetch.fetch_id
        self.last_good = self.asked_at = self.good_since = fetch.fetched_at
        self.next_try = fetch.fetched_at + self.period

    def succeeded(self, fetch: Fetch, noticed: tuple[Finding, ...]) -> None:
        """New figures came in."""
        now, found = fetch.fetched_at, list(noticed)
        for quantity, series in fetch.series.items():
            known = self.books.get(quantity)
            if known is not None:
                found += quality.revisions(quantity, known.series, series)
            book = Book.of(fetch.fetch_id, series) if known is None else known.updated(fetch.fetch_id, series)
            self.books[quantity] = book
            told = {finding.flag for finding in noticed if finding.quantity == quantity}
            found += [each for each in quality.findings(quantity, book.series, now) if each.flag not in told]
        self.fetch_id, self.noticed = fetch.fetch_id, quality.joined(found)
        self.last_good = self.asked_at = now
        self.failing_since = self.error = None
        self.good_since = self.good_since or now
        self.failures = 0
        self.polls = self.polls + 1 if self._overdue(now) else 0
        self.next_try = now + (min(self._poll_pause(), self.period) if self._overdue(now) else self.period)

    def failed(self, error: FeedError, now: datetime) -> None:
        """No figures came in: the last good ones stay, and the next try waits longer each time."""
        self.failing_since = self.failing_since or now
        self.good_since = None
        self.asked_at = now
        self.error = error.diagnostics()
        pause = min(FIRST_BACKOFF * 2 ** min(self.failures, 10), LONGEST_BACKOFF)
        asked = timedelta(seconds=error.retry_after_s if isinstance(error, HostBusy) else 0)
        self.next_try = now + max(pause, min(asked, LONGEST_ASKED_FOR))
        self.failures += 1

    def book(self, quantity: Quantity, now: datetime) -> Book | None:
        """What may be used at ``now``: forecasts of an answer that is too old are left out; None where none came."""
        known = self.books.get(quantity)
        if known is None or now - known.series.issued_at <= self.declaration.use_for:
            return known
        return known.firm()

    def known_until(self, quantity: Quantity) -> datetime | None:
        """End of the figures it gave; None before the first."""
        known = self.books.get(quantity)
        return known.series.end if known is not None else None

    def condition(self, quantity: Quantity, now: datetime) -> Condition:
        """Live, stale while its figures may be used, then simulated (stale or never where nothing may be)."""
        usable = self.book(quantity, now)
        until = usable.series.end if usable is not None else None
        needed = self.must_cover_now(quantity)
        covers = until is not None and (until + self.declaration.lag > now or not needed)
        given = usable.series.issued_at if usable is not None else None
        if covers and given is not None:
            late = given + LATE_AFTER_PERIODS * self.period
            if self.failing_since is None and now <= late:
                return Condition("live", given, "")
            return Condition("stale", self.failing_since or late, self.error or "No new figures came in time.")
        detail = self.error or self._why_nothing(now)
        ran_out = self.watched_since if until is None else max(until, self.watched_since)
        if self.substitute and needed:
            return Condition("simulated", max(ran_out, self.failing_since or ran_out), detail)
        return Condition("never" if until is None else "stale", self.failing_since or ran_out, detail)

    def statuses(self, now: datetime) -> list[FeedStatus]:
        """For people and for /health: one for each quantity that plans are made of, else one for all it gives."""
        return [self._status(quantity, now) for quantity in self._reported()]

    def _status(self, quantity: Quantity, now: datetime) -> FeedStatus:
        given = self.books[quantity].series.issued_at if quantity in self.books else None
        return FeedStatus(
            self.declaration.name,
            self.zone,
            quantity,
            self.condition(quantity, now).state,
            given,
            (now - given).total_seconds() if given else None,
            self.known_until(quantity),
            self.error,
            self.next_try,
            self.fetch_id,
            self._findings(quantity, now),
        )

    def _reported(self) -> list[Quantity]:
        given = list(self.books or self.declaration.quantities)
        return [quantity for quantity in given if quantity in MUST_COVER_NOW] or given[:1]

    def _findings(self, quantity: Quantity, now: datetime) -> tuple[Finding, ...]:
        """What was noticed about a quantity; the first one that is reported speaks for those that are not."""
        reported = self._reported()
        mine = {quantity} if quantity != reported[0] else {*self.declaration.quantities, quantity} - {*reported[1:]}
        found = [finding for finding in self.noticed if finding.quantity in mine]
        published, known = self.declaration.published_until, self.books.get(quantity)
        if published is not None and known is not None:
            found += quality.lateness(quantity, known.series, published(now), now)
        return quality.joined(found)

    def _why_nothing(self, now: datetime) -> str:
        if self.last_good is None:
            return "The feed has not been asked yet."
        return f"Its last answer is {(now - self.last_good).total_seconds() / 3600:.0f} h old: too old to be used."

    def _overdue(self, now: datetime) -> bool:
        """Whether figures that ought to be published by ``now`` are missing."""
        published = self.declaration.published_until
        if published is None or not self.books:
            return False
        return min(book.series.end for book in self.books.values()) < published(now)

    def _poll_pause(self) -> timedelta:
        return min(FIRST_POLL * POLL_GROWTH ** min(self.polls, 12), LONGEST_POLL)
