from __future__ import annotations

import threading
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.energy.client import HostUnreachable
from agents.energy.live import LiveFeeds
from agents.energy.replay import Replay
from agents.energy.simulated import Simulator
from core.clock import ManualClock
from core.errors import NotFound
from core.series import Kind
from core.slots import SLOT
from tests.pace import paced_s
from tests.unit.energy.fakes import FakeClient, MemoryStore, ScriptedFeed, agent_of, utc
from tests.unit.energy.recordings import write_folder

NOW = utc(2026, 11, 20, 12, 10)
PRESENT = utc(2026, 11, 20, 12)
PERIOD = timedelta(minutes=30)
ZONES = ("GB-C", "GB-J", "DE-LU")
SITES = (
    "IS", "NO-NO2", "CA-ON", "IE", "DE-LU", "CL-SIC", "JP-TK", "AU-NSW", "US-TEX-ERCO", "SG", "GB-C", "GB-J", "GB-P",
)  # fmt: skip


class House:
    """An energy agent in mode auto (or live) over two scripted feeds."""

    def __init__(self, *, live_only=False, use_for=timedelta(days=3), first_history=timedelta(days=7)):
        self.clock = ManualClock(NOW)
        self.store = MemoryStore()
        self.carbon = ScriptedFeed("carbon", name="carbon", host="carbon.example", use_for=use_for)
        self.price = ScriptedFeed(
            "price", name="price", host="price.example", ahead=timedelta(hours=11), first_history=first_history
        )
        feeds = (self.price, self.carbon)
        live = LiveFeeds(feeds, self.store, FakeClient(), self.clock, PERIOD, substitute=not live_only)
        self.agent = agent_of(self.clock, ZONES, live=live, store=self.store, allow_simulated=not live_only)

    def fail(self):
        self.carbon.fault = self.price.fault = HostUnreachable("feed.example cannot be reached.")

    def recover(self):
        self.carbon.fault = self.price.fault = None

    def ask(self):
        """Ask the feeds and learn from what they say, as the loop does."""
        self.agent.refresh()
        self.agent.learn()

    def tick(self, span):
        self.clock.advance(span)
        self.ask()

    def carbon_of(self, zone="GB-C", slots=336):
        return self.agent.quote(ZONES, self.clock.now(), slots).carbon[zone]

    def price_of(self, zone="GB-C", slots=336):
        return self.agent.quote(ZONES, self.clock.now(), slots).price[zone]

    def states(self):
        return {(notice.feed, notice.state): notice for notice in self.agent.notices()}


@pytest.fixture
def house():
    return House()


def test_published_figures_come_first_and_beyond_their_horizon_a_forecast_that_says_so(house):
    house.ask()
    carbon, price = house.carbon_of(), house.price_of()
    assert carbon.start == PRESENT
    assert carbon.kinds_used() == (Kind.FORECAST,)
    assert carbon.source == "carbon + slackwater 7-day profile"
    assert price.values.tolist() == pytest.approx([100.0] * 336)
    assert not carbon.stale


def test_prices_that_end_before_carbon_are_known_to_their_true_horizon(house):
    house.price.ahead = timedelta(hours=11)
    house.ask()
    price = house.price_of(slots=60)
    assert price.source == "price + slackwater 7-day profile"
    (status,) = [s for s in house.agent.status() if s.feed == "price" and s.zone == "GB-C"]
    assert status.known_until == PRESENT + timedelta(hours=11)


def test_before_any_answer_everything_is_simulated_and_said_to_be(house):
    carbon = house.carbon_of()
    assert carbon.kinds_used() == (Kind.SIMULATED,)
    assert carbon.source == "simulated GB-C"
    assert house.states()["carbon", "simulated"].detail == "The feed has not been asked yet."


def test_zones_without_a_live_feed_are_simulated_with_a_notice(house):
    house.ask()
    assert house.carbon_of("DE-LU").kinds_used() == (Kind.SIMULATED,)
    notices = house.states()
    assert set(notices) == {("simulated", "simulated")}
    assert notices["simulated", "simulated"].zones == ("DE-LU",)
    assert notices["simulated", "simulated"].since == NOW


def test_a_feed_that_goes_away_is_stale_then_simulated_and_live_again_when_it_is_back(house):
    house.ask()
    house.fail()
    house.tick(PERIOD)
    stale = house.carbon_of()
    assert stale.stale
    assert stale.kinds_used() == (Kind.FORECAST,)
    notice = house.states()["carbon", "stale"]
    assert notice.zones == ("GB-C", "GB-J")
    assert notice.since == NOW + PERIOD
    assert "cannot be reached" in notice.detail

    house.tick(timedelta(hours=47))
    assert house.carbon_of().kinds_used() == (Kind.FORECAST,)
    assert house.price_of().kinds_used() == (Kind.SIMULATED,)
    house.tick(timedelta(hours=1))
    assert house.carbon_of().kinds_used() == (Kind.SIMULATED,)
    notice = house.states()["carbon", "simulated"]
    assert notice.since == PRESENT + timedelta(hours=48)

    house.recover()
    house.tick(timedelta(minutes=20))
    assert house.carbon_of().kinds_used() == (Kind.FORECAST,)
    assert not house.carbon_of().stale
    assert set(house.states()) == {("simulated", "simulated")}


def test_after_a_recovery_the_past_that_was_missed_is_observed(house):
    house.ask()
    house.fail()
    house.tick(timedelta(days=3))
    assert house.agent.observed("GB-C", PRESENT + timedelta(days=2, hours=1), 4)[1].kinds_used() == (Kind.SIMULATED,)
    house.recover()
    house.tick(timedelta(hours=1))
    price, carbon = house.agent.observed("GB-C", PRESENT + timedelta(days=2, hours=1), 4)
    assert price.kinds_used() == (Kind.SETTLED,)
    assert carbon.kinds_used() == (Kind.ESTIMATE,)


def test_in_mode_live_nothing_is_simulated_for_gb_and_slots_without_figures_stay_missing():
    house = House(live_only=True)
    house.fail()
    house.ask()
    assert house.carbon_of().kinds_used() == (Kind.MISSING,)
    assert house.carbon_of("DE-LU").kinds_used() == (Kind.SIMULATED,)
    assert house.states()["carbon", "never"].zones == ("GB-C", "GB-J")
    assert house.agent.observed("GB-C", PRESENT - 4 * SLOT, 4)[1].kinds_used() == (Kind.MISSING,)
    house.recover()
    house.tick(timedelta(hours=1))
    house.fail()
    house.tick(timedelta(days=3))
    assert house.carbon_of().kinds_used() == (Kind.FORECAST,)
    assert house.carbon_of().source == "slackwater 7-day profile"


def test_only_slots_that_have_ended_are_observed(house):
    house.ask()
    price, carbon = house.agent.observed("GB-C", PRESENT - 2 * SLOT, 5)
    assert price.kinds.tolist() == [Kind.SETTLED] * 2 + [Kind.MISSING] * 3
    assert carbon.kinds.tolist() == [Kind.ESTIMATE] * 2 + [Kind.MISSING] * 3
    future = house.agent.observed("GB-C", PRESENT + 10 * SLOT, 5)[0]
    assert future.kinds_used() == (Kind.MISSING,)
    assert len(future) == 5


def test_past_slots_that_a_live_feed_did_not_give_stay_missing(house):
    house.ask()
    for series in house.agent.observed("GB-C", PRESENT - timedelta(days=9), 48):
        assert series.kinds_used() == (Kind.MISSING,)


def test_a_notice_counts_from_the_first_of_its_zones(house):
    house.fail()
    house.ask()
    house.tick(PERIOD)
    house.agent.watch(("GB-A",))
    notice = house.states()["carbon", "simulated"]
    assert notice.zones == ("GB-C", "GB-J", "GB-A")
    assert notice.since == NOW


def test_observing_asks_the_store_only_for_what_is_not_at_hand(house):
    house.ask()
    asked = []
    history = house.store.history
    house.store.history = lambda *period: asked.append(period[2:4]) or history(*period)
    house.agent.observed("GB-C", PRESENT - timedelta(days=2), 96)
    assert asked == []
    house.agent.observed("GB-C", PRESENT - timedelta(days=8), 96)
    assert asked == [(PRESENT - timedelta(days=8), 96)] * 2


def test_older_slots_are_observed_from_the_stored_vintages(house):
    house.ask()
    for _ in range(14):
        house.clock.advance(timedelta(days=1))
        house.agent.refresh()
    _, carbon = house.agent.observed("GB-C", PRESENT - timedelta(days=5), 48)
    assert carbon.kinds_used() == (Kind.ESTIMATE,)


def test_the_past_of_a_simulated_zone_is_its_outturn(house):
    _, carbon = house.agent.observed("DE-LU", PRESENT - 48 * SLOT, 48)
    expected = Simulator(1).outturn("DE-LU", "carbon", PRESENT - 48 * SLOT, 48, NOW)
    assert np.array_equal(carbon.values, expected.values)
    assert carbon.kinds_used() == (Kind.SIMULATED,)


def test_a_zone_asked_for_later_is_followed_from_then_on(house):
    house.agent.quote(("GB-A",), NOW, 4)
    assert house.agent.zones() == (*ZONES, "GB-A")
    house.ask()
    assert house.agent.quote(("GB-A",), NOW, 4).carbon["GB-A"].source == "carbon"


def test_zones_unknown_or_not_enabled_are_refused():
    agent = agent_of(ManualClock(NOW), ("GB-C",), allowed=("GB-C",))
    with pytest.raises(NotFound, match="'FR'"):
        agent.quote(("FR",), NOW, 4)
    with pytest.raises(NotFound, match="not enabled"):
        agent.quote(("DE-LU",), NOW, 4)


def test_in_mode_simulated_all_is_simulated_and_refresh_asks_nobody():
    agent = agent_of(ManualClock(NOW), ("GB-C", "IS"))
    assert {status.state for status in agent.refresh()} == {"simulated"}
    (notice,) = agent.notices()
    assert (notice.state, notice.zones) == ("simulated", ("GB-C", "IS"))
    assert notice.detail == "Simulated signals were asked for."
    assert agent.attributions() == ()


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("recorded"), utc(2023, 3, 1), 12)
    return Replay(folder, ("GB-C", "DE-LU", "CL-SIC", "IS"), 1)


def replaying(replay, now):
    agent = agent_of(ManualClock(now), ("GB-C", "DE-LU", "CL-SIC", "IS"), replay=replay)
    agent.learn()
    return agent


def test_in_mode_replay_recorded_zones_are_replayed_and_the_rest_simulated(replay):
    agent = replaying(replay, utc(2023, 3, 9))
    quote = agent.quote(agent.zones(), utc(2023, 3, 9), 336)
    assert quote.price["GB-C"].kinds_used() == (Kind.ESTIMATE, Kind.FORECAST)
    assert quote.price["GB-C"].source.endswith("derived by D*W+P + slackwater 7-day profile")
    assert quote.carbon["DE-LU"].kinds_used() == (Kind.FORECAST,)
    assert quote.price["CL-SIC"].source == "simulated CL-SIC"
    states = {notice.state: notice for notice in quote.notices}
    assert states["replayed"].zones == ("GB-C", "DE-LU", "CL-SIC")
    assert states["replayed"].detail == "Recorded figures of 01 Mar 2023 to 12 Mar 2023 are played as if live."
    assert states["simulated"].zones == ("CL-SIC", "IS")
    assert {status.state for status in agent.status()} == {"replayed", "simulated"}
    assert len(agent.attributions()) == 2


def test_at_the_start_of_a_recording_slots_beyond_the_horizon_are_simulated(replay):
    agent = replaying(replay, utc(2023, 3, 1))
    price = agent.quote(("GB-C",), utc(2023, 3, 1), 100).price["GB-C"]
    assert price.kinds_used() == (Kind.ESTIMATE, Kind.SIMULATED)
    assert price.source.endswith("+ simulated GB-C")


def test_replayed_slots_are_observed_when_they_are_known(replay):
    price, carbon = replaying(replay, utc(2023, 3, 9)).observed("GB-C", utc(2023, 3, 8), 48)
    assert price.kinds_used() == (Kind.ESTIMATE,)
    assert carbon.kinds.tolist() == [Kind.ESTIMATE] * 47 + [Kind.FORECAST]


@settings(max_examples=25, deadline=None)
@given(st.integers(-400, 400), st.integers(0, 400), st.sampled_from(["auto", "failing", "replay", "simulated"]))
@example(-400, 0, "replay")
@example(0, 0, "auto")
def test_every_slot_quoted_has_a_value_in_every_mode_that_may_simulate(replay, offset, slots, mode):
    if mode == "replay":
        agent, now = replaying(replay, utc(2023, 3, 9)), utc(2023, 3, 9)
    elif mode == "simulated":
        agent, now = agent_of(ManualClock(NOW), ZONES), PRESENT
    else:
        house = House()
        if mode == "failing":
            house.fail()
        house.ask()
        agent, now = house.agent, PRESENT
    quote = agent.quote(agent.zones(), now + SLOT * offset, slots)
    for series in (*quote.price.values(), *quote.carbon.values()):
        assert len(series) == slots
        assert series.start == now + SLOT * offset
        assert not np.isnan(series.values).any()


def test_thirteen_zones_over_a_week_are_quoted_in_less_than_50_milliseconds():
    agent = agent_of(ManualClock(NOW), SITES)
    agent.quote(SITES, NOW, 336)
    assert paced_s(lambda: agent.quote(SITES, NOW, 336)) < 0.05


def test_quotes_are_whole_while_the_figures_are_being_renewed(house):
    house.ask()
    seen, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            values = house.carbon_of(slots=96).values
            seen.append((values.min(), values.max()))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for value in range(100, 130):
        house.carbon.value = float(value)
        house.tick(PERIOD)
    stop.set()
    for reader in readers:
        reader.join(10)
    assert seen
    assert all(100 <= low <= high <= 129 for low, high in seen)


def test_a_forecast_of_ours_fills_what_is_not_published_and_every_slot_names_its_answer():
    house = House(first_history=timedelta(days=28))
    house.ask()
    quote = house.agent.quote(ZONES, house.clock.now(), 336)
    published, ours = quote.origins["GB-C", "price"]
    assert (published.source, published.first, published.last) == ("price", 0, 22)
    assert ours.source.startswith("slackwater forecast")
    assert (ours.first, ours.last) == (22, 336)
    assert {fetch.fetch_id for fetch in house.store.kept} >= {published.fetch_id, ours.fetch_id}
    assert quote.price["GB-C"].source == f"price + {ours.source}"
    (simulated,) = quote.origins["DE-LU", "price"]
    assert simulated.fetch_id is None


@settings(max_examples=20, deadline=None)
@given(st.integers(-100, 300), st.integers(1, 300))
def test_the_origins_of_a_quote_cover_each_slot_once(offset, slots):
    house = House()
    house.ask()
    quote = house.agent.quote(ZONES, PRESENT + SLOT * offset, slots)
    for zone in ZONES:
        for origins in (quote.origins[zone, "price"], quote.origins[zone, "carbon"]):
            assert [slot for origin in origins for slot in range(origin.first, origin.last)] == list(range(slots))


def test_published_forecasts_have_an_interval_and_settled_prices_are_certain(house):
    house.ask()
    quote = house.agent.quote(ZONES, house.clock.now(), 48)
    low, high = quote.carbon["GB-C"].interval
    assert (low < quote.carbon["GB-C"].values).all()
    assert (high > quote.carbon["GB-C"].values).all()
    price = quote.price["GB-C"]
    known = price.kinds == Kind.SETTLED
    assert np.array_equal(price.interval[0][known], price.values[known])


def test_a_forecast_answer_that_is_too_old_is_not_used():
    house = House(use_for=timedelta(hours=6))
    house.ask()
    house.fail()
    house.tick(timedelta(hours=7))
    assert house.carbon_of().kinds_used() == (Kind.SIMULATED,)
    assert house.states()["carbon", "simulated"].detail
