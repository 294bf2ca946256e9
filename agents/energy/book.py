"""What is known of one feed for one zone: its merged vintages, and how asking it has gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from agents.energy.client import HostBusy
from agents.energy.feed import Feed, FeedStatus, State
from core.errors import FeedError
from core.series import Kind, Series
from core.slots import SLOT, slots_between
from core.vintage import Vintage

HISTORY = timedelta(days=7)
"""How far back a feed is asked at first: what the profile beyond the horizon is made of."""
REVISED_WITHIN = timedelta(days=2)
"""How far back it is asked after that: published figures are revised for more than a day."""
NO_LONGER_AWAY = timedelta(days=1)
"""After more than this without figures the whole history is asked for again."""
AHEAD = timedelta(days=3)
"""Beyond every published horizon."""
KEPT = timedelta(days=10)
POLL_OVERDUE = timedelta(minutes=5)
FIRST_BACKOFF = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(minutes=15)
LATE_AFTER_PERIODS = 3
"""Figures older than this many periods are stale even where no attempt has failed."""


def merged(older: Series | None, newer: Series) -> Series:
    """Both vintages as one series with the newer one's source and issue time.

    The newer one wins, except over firmer figures; forecasts that it no longer makes are dropped, so that the horizon
    is the one it has.
    """
    if older is None:
        return newer
    start, end = min(older.start, newer.start), max(older.end, newer.end)
    count = slots_between(start, end)
    old, new = older.window(start, count), newer.window(start, count)
    before = np.arange(count) < slots_between(start, newer.start)
    keep = (old.kinds < new.kinds) & ((old.kinds <= Kind.ESTIMATE) | before)
    return trimmed(
        replace(
            newer,
            start=start,
            values=np.where(keep, old.values, new.values),
            kinds=np.where(keep, old.kinds, new.kinds).astype(np.int8),
        )
    )


def trimmed(series: Series) -> Series:
    """Without slots that ended more than ten days before its issue and without missing slots at its end."""
    found = np.flatnonzero(series.kinds != Kind.MISSING)
    last = int(found[-1]) + 1 if found.size else 0
    first = min(max(0, slots_between(series.start, series.issued_at - KEPT)), last)
    return series.window(series.start + SLOT * first, last - first)


def merged_vintages(vintages: Iterable[Vintage]) -> Series | None:
    """All vintages as one series, later ones over earlier ones; None where there are none."""
    series: Series | None = None
    for vintage in sorted(vintages, key=lambda each: each.fetched_at):
        series = merged(series, vintage.series)
    return series


@dataclass(frozen=True, slots=True)
class Condition:
    """In which state a feed is for a zone, since when, and why."""

    state: State
    since: datetime
    detail: str


@dataclass(slots=True)
class Entry:
    """One feed for one zone. Changed only under the lock of its :class:`agents.energy.live.LiveFeeds`."""

    feed: Feed
    zone: str
    watched_since: datetime
    next_try: datetime
    series: Series | None = None
    last_good: datetime | None = None
    asked_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    error: str | None = None

    def due(self, now: datetime) -> bool:
        """Whether it is to be asked at ``now``."""
        if now >= self.next_try:
            return True
        if self.failures or self.series is None or self.asked_at is None:
            return False
        return self.feed.overdue(self.series.end, now) and now >= self.asked_at + POLL_OVERDUE

    def period(self, now: datetime) -> tuple[datetime, datetime]:
        """What to ask for: three days ahead, and two back if the week before is known without a break, else a week."""
        fresh = self.last_good is not None and now - self.last_good < NO_LONGER_AWAY
        whole = self.series is not None and self.series.start <= now - HISTORY + NO_LONGER_AWAY
        return now - (REVISED_WITHIN if fresh and whole else HISTORY), now + AHEAD

    def succeeded(self, series: Series, now: datetime, period: timedelta) -> None:
        """New figures came in."""
        self.series = merged(self.series, series)
        self.last_good = self.asked_at = now
        self.failing_since = self.error = None
        self.failures = 0
        overdue = self.feed.overdue(self.series.end, now)
        self.next_try = now + (min(POLL_OVERDUE, period) if overdue else period)

    def failed(self, error: FeedError, now: datetime) -> None:
        """No figures came in: the last good ones stay, and the next try waits longer each time."""
        self.failing_since = self.failing_since or now
        self.asked_at = now
        self.error = error.diagnostics()
        pause = min(FIRST_BACKOFF * 2 ** min(self.failures, 10), LONGEST_BACKOFF)
        asked = timedelta(seconds=error.retry_after_s if isinstance(error, HostBusy) else 0)
        self.next_try = now + max(pause, min(asked, timedelta(hours=6)))
        self.failures += 1

    def known_until(self) -> datetime | None:
        """End of the figures it gave; None before the first."""
        return self.series.end if self.series is not None else None

    def condition(self, now: datetime, period: timedelta, *, substitute: bool) -> Condition:
        """Live, stale while its figures cover the present, then simulated (stale or never where nothing may be)."""
        failing, until = self.failing_since, self.known_until()
        if until is not None and self.last_good is not None and until > now:
            late = self.last_good + LATE_AFTER_PERIODS * period
            if failing is None and now <= late:
                return Condition("live", self.last_good, "")
            return Condition("stale", failing or late, self.error or "The feed was not asked in time.")
        detail = self.error or "The feed has not been asked yet."
        ran_out = self.watched_since if until is None else max(until, self.watched_since)
        if substitute:
            return Condition("simulated", max(ran_out, failing or ran_out), detail)
        return Condition("never" if until is None else "stale", failing or ran_out, detail)

    def status(self, now: datetime, period: timedelta, *, substitute: bool) -> FeedStatus:
        """For people and for /health."""
        return FeedStatus(
            self.feed.name,
            self.zone,
            self.feed.quantity,
            self.condition(now, period, substitute=substitute).state,
            self.last_good,
            (now - self.last_good).total_seconds() if self.last_good else None,
            self.known_until(),
            self.error,
            self.next_try,
        )
