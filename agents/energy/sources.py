"""Where figures come from: live feeds, recorded figures or nothing, behind one set of questions."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from agents.energy.book import Book
from agents.energy.entry import MUST_COVER_NOW, Condition
from agents.energy.feed import FetchStore
from agents.energy.live import LiveFeeds
from agents.energy.replay import Replay
from core.series import Kind, Series
from core.slots import slots_between
from core.vintage import UNITS, Quantity

SIMULATED = "simulated"
REPLAY = "replay"
LAST_PUBLISHED_WITHIN = timedelta(hours=6)
MISSING = np.int8(Kind.MISSING)


class Sources:
    """The figures of one run: of live feeds (modes auto and live), recorded (mode replay), or none (simulated).

    :param started: when the run began: zones without figures of their own have been simulated since then.
    """

    def __init__(
        self, started: datetime, *, live: LiveFeeds | None, replay: Replay | None, store: FetchStore | None
    ) -> None:
        self._started = started
        self._live = live
        self._replay = replay
        self._store = store

    def serves(self, zone: str, quantity: Quantity) -> bool:
        """Whether there are figures that were not made here."""
        if self._replay is not None:
            return self._replay.serves(zone, quantity)
        return self._live is not None and self._live.serves(zone, quantity)

    def condition(self, zone: str, quantity: Quantity) -> tuple[str, Condition]:
        """Name of the source in use and how it stands."""
        if self._live is not None and self._live.serves(zone, quantity):
            return self._live.name(zone, quantity), self._live.condition(zone, quantity)
        if self._replay is not None and self._replay.serves(zone, quantity):
            return REPLAY, Condition("replayed", self._started, self._replay.description)
        return SIMULATED, Condition("simulated", self._started, self._why_simulated())

    def book(self, zone: str, quantity: Quantity) -> Book | None:
        """What a live feed says just now, with its answers; None without one or before its first answer."""
        if self._live is None or not self._live.serves(zone, quantity):
            return None
        return self._live.book(zone, quantity)

    def recent(self, zone: str, quantity: Quantity, start: datetime, slots: int, now: datetime) -> Series:
        """What is known at ``now`` of ``slots`` slots from ``start``, as far as it is at hand; MISSING elsewhere."""
        if self._replay is not None and self._replay.serves(zone, quantity):
            return self._replay.figures(zone, quantity, now, start, slots)
        series = Series.missing(start, slots, UNITS[quantity], f"no figures of {zone}", now)
        for book in self._books(zone, quantity):
            found = book.series.window(start, slots)
            series = found if np.all(series.kinds == MISSING) else series.overlay(found)
        return series

    def known(self, zone: str, quantity: Quantity, start: datetime, slots: int, now: datetime) -> Series:
        """What is known at ``now`` however long ago, from the store where it is no longer at hand.

        Of what plans are made of, only figures of the source in use: others count emissions, and prices, differently.
        """
        at_hand = self.recent(zone, quantity, start, slots, now)
        if self._live is None or self._store is None or not np.any(at_hand.kinds == MISSING):
            return at_hand
        past = slots_between(start, now)
        if past <= 0:
            return at_hand
        feeds = self._live.family(zone, quantity) if quantity in MUST_COVER_NOW else None
        stored = self._store.history(zone, quantity, start, min(past, slots), feeds)
        if np.all(at_hand.kinds == MISSING):
            return stored.window(start, slots)
        return at_hand.overlay(stored)

    def published(self, zone: str, quantity: Quantity, at: datetime) -> Series | None:
        """What was published at the past instant ``at``; None where that is lost."""
        if self._replay is not None:
            return self._replay.figures(zone, quantity, at, at, 2 * 48) if self._replay.serves(zone, quantity) else None
        if self._live is None or self._store is None or not self._live.serves(zone, quantity):
            return None
        feed = self._live.name(zone, quantity)
        told = self._store.vintages(feed, zone, quantity, at - LAST_PUBLISHED_WITHIN, at)
        found = [vintage.series for vintage in told if vintage.series.end > at]
        return found[-1] if found else None

    def recorded_until(self) -> datetime | None:
        """End of recorded figures; None where none are replayed."""
        return self._replay.end if self._replay is not None else None

    def attributions(self) -> tuple[str, ...]:
        """Whose figures are in use and under which licence."""
        source = self._live or self._replay
        return source.attributions if source is not None else ()

    def _books(self, zone: str, quantity: Quantity) -> tuple[Book, ...]:
        """One source alone for what plans are made of: sources do not mean quite the same. All of them for the rest."""
        if quantity in MUST_COVER_NOW:
            book = self.book(zone, quantity)
            return () if book is None else (book,)
        return () if self._live is None else self._live.books(zone, quantity)

    def _why_simulated(self) -> str:
        if self._live is not None:
            return "There is no live feed for these zones."
        if self._replay is not None:
            return "No figures were recorded for these zones."
        return "Simulated signals were asked for."
