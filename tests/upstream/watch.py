"""Price and carbon of two zones watched through an upstream, and what must hold of them whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np

from agents.energy.feed import FeedStatus, Flag
from agents.energy.live import LiveFeeds
from agents.energy.reread import Rereader
from store.database import Database
from store.vintages import VintageRepository
from tests.upstream.desk import Desk, assert_same_series
from tests.upstream.truth import told
from tests.upstream.world import slots

PERIOD = timedelta(minutes=30)
NAMES = ("octopus-agile", "carbon-intensity")
ZONES = ("GB", "GB-C")


class Watch:
    """Price and carbon of two zones, watched through one upstream; each stored answer can be read again."""

    def __init__(self, desk: Desk, database: Database) -> None:
        self.desk = desk
        self.store = VintageRepository(database)
        self.feeds = [desk.feeds[name] for name in NAMES]
        self.live = LiveFeeds(self.feeds, self.store, desk.client, desk.clock, PERIOD, substitute=False)
        self.live.watch(ZONES)
        self.live.refresh()

    def later(self, minutes: float = 30) -> None:
        """Some time on, every feed is asked."""
        self.desk.clock.advance(timedelta(minutes=minutes))
        self.live.refresh(force=True)

    def statuses(self) -> dict[tuple[str, str], FeedStatus]:
        """How price and carbon stand, by feed and zone."""
        return {(s.feed, s.zone): s for s in self.live.status() if s.quantity in {"price", "carbon"}}

    def states(self) -> set[str]:
        return {status.state for status in self.statuses().values()}

    def flags(self) -> set[Flag]:
        return {finding.flag for status in self.statuses().values() for finding in status.findings}

    def assert_figures_are_those_told(self, but: Callable[[float], bool] = lambda slot: False) -> None:
        """Each figure in use is what its source said in the answer that it is from, ``but`` in some slots."""
        for zone in ZONES:
            for quantity in ("price", "carbon"):
                book = self.live.book(zone, quantity)
                asked = slots(book.series.start, book.series.end)
                for number, (fetch_id, _) in enumerate(book.answers):
                    at = self.store.get(fetch_id).fetched_at
                    mine = (book.origin == number) & np.array([not but(slot) for slot in asked])
                    expected = told(self.desk.world, zone, quantity, asked, at)
                    np.testing.assert_allclose(book.series.values[mine], expected[mine], atol=1e-9)

    def assert_bytes_give_the_same(self) -> None:
        """Every answer in use, parsed anew from its stored bytes, gives the series that was used."""
        rereader = Rereader(self.store, self.feeds)
        for zone in ZONES:
            for quantity in ("price", "carbon"):
                for fetch_id, _ in self.live.book(zone, quantity).answers:
                    fetch = self.store.get(fetch_id)
                    assert_same_series(rereader.again(fetch)[quantity], fetch.series[quantity])
