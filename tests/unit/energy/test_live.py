from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from agents.energy.client import HostBusy, HostUnreachable
from agents.energy.feed import Fetched, Finding, Flag
from agents.energy.live import STEADY, LiveFeeds
from core.clock import ManualClock
from core.errors import FeedInvalid, FeedUnreachable
from core.slots import SLOT
from tests.unit.energy.fakes import FakeClient, FullStore, MemoryStore, ScriptedFeed, utc

NOW = utc(2026, 11, 20, 12)
PERIOD = timedelta(minutes=30)
ZONES = ("GB-A", "GB-C", "GB-J")


class House:
    """Two feeds, a store and a clock."""

    def __init__(self, store=None):
        self.clock = ManualClock(NOW)
        self.store = store or MemoryStore()
        self.client = FakeClient()
        self.carbon = ScriptedFeed("carbon", name="carbon", host="carbon.example")
        self.price = ScriptedFeed("price", name="price", host="price.example")
        self.live = self.restarted()

    def restarted(self, *more):
        feeds = (self.price, self.carbon, *more)
        live = LiveFeeds(feeds, self.store, self.client, self.clock, PERIOD, substitute=True)
        live.watch(ZONES)
        return live

    def states(self, quantity="carbon"):
        return [status.state for status in self.live.status() if status.quantity == quantity]

    def carbon_of(self, zone="GB-C"):
        return self.live.book(zone, "carbon").series


@pytest.fixture
def house():
    return House()


def test_every_watched_zone_is_asked_once_and_stored_with_its_bytes(house):
    assert house.live.refresh()
    assert not house.live.refresh()
    assert sorted(zone for zone, _, _ in house.carbon.asked) == list(ZONES)
    assert len(house.store.kept) == 6
    fetch = next(each for each in house.store.kept if each.feed == "carbon" and each.zone == "GB-C")
    assert fetch.series["carbon"].issued_at == fetch.fetched_at == NOW
    (answer,) = fetch.answers
    assert len(answer.sha256) == 64
    assert answer.body == b"{}"


def test_the_client_is_told_what_each_host_allows(house):
    assert set(house.client.limits) == {"carbon.example", "price.example"}


def test_a_feed_is_asked_again_after_its_period_or_its_own_longer_one(house):
    slow = ScriptedFeed("demand", name="slow", least_period=timedelta(hours=6))
    house.live = house.restarted(slow)
    house.live.refresh()
    house.clock.advance(PERIOD)
    house.live.refresh()
    assert len(house.carbon.asked) == 6
    assert len(slow.asked) == 3


def test_every_feed_is_asked_at_once_where_that_is_forced(house):
    house.live.refresh()
    house.live.refresh(force=True)
    assert len(house.carbon.asked) == 6


def test_a_feed_without_its_key_is_declared_and_never_asked(house):
    locked = ScriptedFeed("demand", name="locked", ready=False, key_setting="ENTSOE_KEY")
    house.live = house.restarted(locked)
    house.live.refresh()
    assert locked.asked == []
    assert "locked" in [declaration.name for declaration in house.live.declarations]
    assert not house.live.serves("GB-C", "demand")


@pytest.mark.parametrize("fault", [FeedInvalid("odd"), FeedUnreachable("500"), HostUnreachable("down")])
def test_a_feed_that_fails_leaves_the_others_alone(house, fault):
    house.carbon.fault = fault
    house.live.refresh()
    assert house.states("carbon") == ["simulated"] * 3
    assert house.states("price") == ["live"] * 3
    assert all(str(fault) in s.error for s in house.live.status() if s.quantity == "carbon")


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
    assert again.book("GB-C", "carbon").series.values.tolist() == house.carbon_of().values.tolist()
    assert again.condition("GB-C", "carbon").state == "live"


def test_bytes_that_gave_no_figures_are_kept_with_the_reason(house):
    class Odd(ScriptedFeed):
        def fetch(self, ask):
            ask.get("https://feed.example/odd")
            raise FeedInvalid("this is not what was asked for.")

    house.live = house.restarted(Odd("demand", name="odd"))
    house.live.refresh()
    kept = [fetch for fetch in house.store.kept if fetch.feed == "odd"]
    assert len(kept) == 3
    assert all("not what was asked for" in fetch.error and fetch.answers and not fetch.series for fetch in kept)


def test_a_fault_of_one_feed_s_own_is_shown_and_costs_the_others_nothing(house):
    class Buggy(ScriptedFeed):
        def fetch(self, ask):
            raise TypeError("unhashable type: 'list'")

    house.live = house.restarted(Buggy("demand", name="buggy"))
    house.live.refresh()
    assert house.states("carbon") == house.states("price") == ["live"] * 3
    errors = {status.error for status in house.live.status() if status.feed == "buggy"}
    assert all("could not read its answer: TypeError" in error for error in errors)


def test_an_answer_without_any_figures_is_no_answer(house):
    class Empty(ScriptedFeed):
        def fetch(self, ask):
            return Fetched({})

    house.live = house.restarted(Empty("demand", name="empty"))
    house.live.refresh()
    assert all("no figures at all" in s.error for s in house.live.status() if s.feed == "empty")


def test_a_quantity_that_no_feed_gives_any_more_is_missing_and_not_an_error(house):
    house.live = house.restarted(ScriptedFeed("demand", name="grid", zones=("GB-A",)))
    house.live.refresh()
    del house.live._serving["GB-A", "demand"]
    assert house.live.book("GB-A", "demand") is None
    assert house.live.condition("GB-A", "demand").state == "never"
    assert house.live.name("GB-A", "demand") == "no feed"


def test_the_feeds_of_one_source_are_a_family_and_those_of_another_are_not(house):
    past = ScriptedFeed("carbon", name="past", host="carbon.example", past_only=True, ahead=-timedelta(days=1))
    other = ScriptedFeed("carbon", name="other", host="other.example")
    house.live = house.restarted(past, other)
    house.live.refresh()
    assert house.live.family("GB-C", "carbon") == {"carbon", "past"}


def test_what_cannot_be_stored_is_not_used_and_is_asked_for_again():
    house = House(FullStore())
    with pytest.raises(OSError, match="no space"):
        house.live.refresh()
    assert house.live.book("GB-C", "carbon") is None
    house.live._store = MemoryStore()
    house.live.refresh()
    assert house.live.book("GB-C", "carbon") is not None


def test_zones_that_no_feed_has_are_not_served(house):
    house.live.watch(("DE-LU",))
    assert not house.live.serves("DE-LU", "carbon")
    assert house.live.serves("GB-C", "price")
    assert house.live.name("GB-C", "price") == "price"


@pytest.fixture
def two(house):
    """A house with a second source of carbon; :meth:`after` lets it live on and says which of the two is used."""
    second = ScriptedFeed("carbon", name="second", host="second.example")
    second.value = 110.0
    house.live = house.restarted(second)

    def after(span):
        house.clock.advance(span)
        house.live.refresh()
        return house.live.name("GB-C", "carbon")

    house.second, house.after = second, after
    assert after(timedelta(0)) == "carbon"
    return house


def test_a_source_that_fails_for_a_while_stays_in_use(two):
    two.carbon.fault = HostUnreachable("down")
    assert two.after(PERIOD) == "carbon"
    assert two.live.condition("GB-C", "carbon").state == "stale"
    assert two.after(STEADY - timedelta(minutes=2)) == "carbon"
    two.carbon.fault = None
    assert two.after(timedelta(minutes=8)) == "carbon"
    assert two.live.condition("GB-C", "carbon").state == "live"
    assert two.after(STEADY) == "carbon"


def test_the_second_source_takes_over_from_one_that_goes_on_failing_until_that_has_been_good_as_long(two):
    two.carbon.fault = HostUnreachable("down")
    two.after(PERIOD)
    assert two.after(STEADY) == "second"
    assert set(two.carbon_of().values) == {110.0}
    two.carbon.fault = None
    assert two.after(STEADY) == "second"
    assert {s.state for s in two.live.status() if s.feed == "carbon"} == {"live"}
    assert two.after(STEADY - timedelta(minutes=1)) == "second"
    assert two.after(timedelta(minutes=1)) == "carbon"


def test_a_source_that_fails_again_meanwhile_has_to_be_good_anew(two):
    two.carbon.fault = HostUnreachable("down")
    two.after(PERIOD)
    two.after(STEADY)
    two.carbon.fault = None
    assert two.after(STEADY) == "second"
    two.carbon.fault = HostUnreachable("down")
    assert two.after(PERIOD) == "second"
    two.carbon.fault = None
    assert two.after(timedelta(minutes=1)) == "second"
    assert two.after(STEADY) == "carbon"


def test_a_source_that_has_no_figures_left_gives_way_at_once(house):
    house.carbon.ahead = PERIOD
    second = ScriptedFeed("carbon", name="second", host="second.example")
    house.live = house.restarted(second)
    house.live.refresh()
    assert house.live.name("GB-C", "carbon") == "carbon"
    house.carbon.fault = HostUnreachable("down")
    house.clock.advance(PERIOD)
    house.live.refresh()
    assert house.live.name("GB-C", "carbon") == "second"


def test_two_sources_that_differ_are_noted_at_the_one_that_is_not_used(house):
    second = ScriptedFeed("carbon", name="second", host="second.example")
    second.value = 300.0
    house.live = house.restarted(second)
    house.live.refresh()
    noted = {status.feed: [f.flag for f in status.findings] for status in house.live.status() if status.zone == "GB-A"}
    assert Flag.DISAGREES in noted["second"]
    assert Flag.DISAGREES not in noted["carbon"]


def test_what_a_feed_and_the_client_notice_stands_in_the_status(house):
    house.client.skew_s = 3600.0
    odd = Finding(Flag.DUPLICATE, "carbon", NOW, NOW + SLOT, "two rows for one slot.")
    house.carbon.findings = (odd,)
    house.live.refresh()
    status = next(s for s in house.live.status() if s.feed == "carbon")
    assert {finding.flag for finding in status.findings} >= {Flag.DUPLICATE, Flag.CLOCK_SKEW}


def test_status_tells_age_horizon_error_and_next_try(house):
    house.live.refresh()
    house.clock.advance(timedelta(minutes=10))
    status = next(s for s in house.live.status() if s.quantity == "carbon" and s.zone == "GB-A")
    assert (status.feed, status.state, status.error) == ("carbon", "live", None)
    assert (status.last_good, status.age_s) == (NOW, 600)
    assert status.known_until == NOW + timedelta(hours=48)
    assert status.next_try == NOW + PERIOD
    assert status.fetch_id in [fetch.fetch_id for fetch in house.store.kept]


def test_figures_are_read_while_a_refresh_waits_for_the_network(house):
    house.live.refresh()
    house.clock.advance(PERIOD)
    asked, let_go = threading.Event(), threading.Event()
    answer = house.carbon.fetch

    def slow(ask):
        asked.set()
        assert let_go.wait(5)
        return answer(ask)

    house.carbon.fetch = slow
    refresh = threading.Thread(target=house.live.refresh)
    refresh.start()
    assert asked.wait(5)
    assert house.carbon_of().issued_at == NOW
    assert house.states() == ["live"] * 3
    let_go.set()
    refresh.join(5)
    assert house.carbon_of().issued_at == NOW + PERIOD


def test_the_past_is_asked_for_and_stored_and_what_is_in_use_stays(house):
    house.live.refresh()
    before = house.carbon_of()
    fetches = house.live.backfill("GB-C", NOW - timedelta(days=60), NOW - timedelta(days=30), ["carbon"])
    assert [(fetch.feed, fetch.start) for fetch in fetches] == [("carbon", NOW - timedelta(days=60))]
    assert house.carbon_of() is before
    stored = house.store.history("GB-C", "carbon", NOW - timedelta(days=60), 48)
    assert set(stored.values) == {100.0}


def test_a_source_of_the_past_alone_is_live_by_its_age_and_serves_no_plan(house):
    past = ScriptedFeed("carbon", name="past", host="past.example", past_only=True, ahead=-timedelta(days=1))
    house.carbon.fault = HostUnreachable("down")
    house.live = house.restarted(past)
    house.live.refresh()
    assert {status.state for status in house.live.status() if status.feed == "past"} == {"live"}
    assert house.live.name("GB-C", "carbon") == "carbon"
    assert house.store.history("GB-C", "carbon", NOW - timedelta(days=3), 4).values.tolist() == [100.0] * 4
