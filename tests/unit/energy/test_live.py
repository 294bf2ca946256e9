from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from agents.energy.client import HostBusy, HostUnreachable
from agents.energy.live import LiveFeeds
from core.clock import ManualClock
from core.errors import FeedInvalid, FeedUnreachable
from tests.unit.energy.fakes import FullStore, MemoryVintages, ScriptedFeed, utc

NOW = utc(2026, 11, 20, 12)
PERIOD = timedelta(minutes=30)
ZONES = ("GB-A", "GB-C", "GB-J")


class House:
    """Two feeds, a store and a clock."""

    def __init__(self, store=None):
        self.clock = ManualClock(NOW)
        self.store = store or MemoryVintages()
        self.carbon = ScriptedFeed(self.clock.now, "carbon", name="carbon", host="carbon.example")
        self.price = ScriptedFeed(self.clock.now, "price", name="price", host="price.example")
        self.live = self.restarted()

    def restarted(self):
        feeds = LiveFeeds((self.price, self.carbon), self.store, self.clock, PERIOD, substitute=True)
        feeds.watch(ZONES)
        return feeds

    def states(self, quantity="carbon"):
        return [status.state for status in self.live.status() if status.quantity == quantity]


@pytest.fixture
def house():
    return House()


def test_every_watched_zone_is_asked_once_and_stored_with_its_digest(house):
    house.live.refresh()
    house.live.refresh()
    assert sorted(zone for zone, _, _ in house.carbon.asked) == list(ZONES)
    assert len(house.store.kept) == 6
    vintage = next(each for each in house.store.kept if each.feed == "carbon" and each.zone == "GB-C")
    assert vintage.series.issued_at == vintage.fetched_at == NOW
    assert len(vintage.sha256) == 64
    assert vintage.body == b"GB-C 2026-11-20T12:00:00Z"


def test_a_feed_is_asked_again_after_its_period(house):
    house.live.refresh()
    house.clock.advance(PERIOD)
    house.live.refresh()
    assert len(house.carbon.asked) == 6


def test_every_feed_is_asked_at_once_where_that_is_forced(house):
    house.live.refresh()
    house.live.refresh(force=True)
    assert len(house.carbon.asked) == 6


def test_one_unreachable_host_fails_all_its_zones_at_once_and_leaves_other_hosts_alone(house):
    house.carbon.fault = HostUnreachable("carbon.example cannot be reached.")
    house.live.refresh()
    assert house.states("carbon") == ["simulated"] * 3
    assert house.states("price") == ["live"] * 3
    assert all("cannot be reached" in s.error for s in house.live.status() if s.quantity == "carbon")


def test_after_the_first_failure_of_a_host_its_later_zones_are_not_asked():
    clock = ManualClock(NOW)
    zones = [f"GB-{letter}" for letter in "ABCDEFGHJKLMNP"]
    feed = ScriptedFeed(clock.now, zones=zones)
    feed.fault = HostUnreachable("down")
    everyone = threading.Barrier(4)
    answer = feed.fetch

    def four_at_once(*period):
        everyone.wait(5)
        return answer(*period)

    feed.fetch = four_at_once
    live = LiveFeeds((feed,), MemoryVintages(), clock, PERIOD, substitute=True)
    live.watch(zones)
    live.refresh()
    assert len(feed.asked) == 4
    assert {status.next_try for status in live.status()} == {NOW + timedelta(minutes=1)}


@pytest.mark.parametrize("fault", [FeedInvalid("odd"), FeedUnreachable("500")])
def test_a_wrong_answer_for_one_zone_does_not_stop_the_others_being_asked(house, fault):
    house.carbon.fault = fault
    house.live.refresh()
    assert len(house.carbon.asked) == 3


def test_a_busy_host_is_left_alone_for_as_long_as_it_asks(house):
    house.carbon.fault = HostBusy("busy", 600)
    house.live.refresh()
    tries = {status.next_try for status in house.live.status() if status.quantity == "carbon"}
    assert tries == {NOW + timedelta(seconds=600)}


def test_a_restart_takes_up_the_stored_figures_without_asking(house):
    house.live.refresh()
    house.carbon.asked.clear()
    again = house.restarted()
    again.refresh()
    assert house.carbon.asked == []
    assert again.figures("GB-C", "carbon").values.tolist() == house.live.figures("GB-C", "carbon").values.tolist()
    assert again.condition("GB-C", "carbon").state == "live"


def test_what_cannot_be_stored_is_not_used_and_is_asked_for_again():
    house = House(FullStore())
    with pytest.raises(OSError, match="no space"):
        house.live.refresh()
    assert house.live.figures("GB-C", "carbon") is None
    house.live._vintages = MemoryVintages()
    house.live.refresh()
    assert house.live.figures("GB-C", "carbon") is not None


def test_zones_that_no_feed_has_are_not_served(house):
    house.live.watch(("DE-LU",))
    assert not house.live.serves("DE-LU", "carbon")
    assert house.live.serves("GB-C", "price")
    assert house.live.name("GB-C", "price") == "price"


def test_status_tells_age_horizon_error_and_next_try(house):
    house.live.refresh()
    house.clock.advance(timedelta(minutes=10))
    status = next(s for s in house.live.status() if s.quantity == "carbon" and s.zone == "GB-A")
    assert (status.feed, status.state, status.error) == ("carbon", "live", None)
    assert (status.last_good, status.age_s) == (NOW, 600)
    assert status.known_until == NOW + timedelta(hours=48)
    assert status.next_try == NOW + PERIOD


def test_figures_are_read_while_a_refresh_waits_for_the_network(house):
    house.live.refresh()
    house.clock.advance(PERIOD)
    asked, let_go = threading.Event(), threading.Event()
    answer = house.carbon.fetch

    def slow(*period):
        asked.set()
        assert let_go.wait(5)
        return answer(*period)

    house.carbon.fetch = slow
    refresh = threading.Thread(target=house.live.refresh)
    refresh.start()
    assert asked.wait(5)
    assert house.live.figures("GB-C", "carbon").issued_at == NOW
    assert house.states() == ["live"] * 3
    let_go.set()
    refresh.join(5)
    assert house.live.figures("GB-C", "carbon").issued_at == NOW + PERIOD
