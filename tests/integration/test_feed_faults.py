"""Every fault of a feed, over real sockets: no crash, no wrong figure, a clear state, and the next answer counts."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from datetime import timedelta
from itertools import zip_longest

import numpy as np
import pytest
from markupsafe import escape

from agents.energy.feed import Flag
from agents.energy.live import LiveFeeds
from agents.energy.places import place_of
from core.errors import FeedError
from core.series import Kind
from core.settings import Settings
from store.database import Database
from store.vintages import VintageRepository
from tests.upstream import Fault, affected
from tests.upstream.desk import Desk, all_feeds, utc
from tests.upstream.household import household
from tests.upstream.truth import told
from tests.upstream.watch import NAMES, PERIOD, ZONES, Watch
from tests.upstream.world import slots

NOW = utc(2026, 11, 20, 13, 47)
APIS = ("octopus", "carbon")
WIRE = {
    Fault.HTML: "text/html instead of JSON",
    Fault.EMPTY_OBJECT: "no figures|an array was expected",
    Fault.EMPTY_LIST: "no figures|no rates|on sale",
    Fault.EMPTY_BODY: "broken JSON",
    Fault.NOT_A_NUMBER: "broken JSON: NaN",
    Fault.CUT_JSON: "broken JSON",
    Fault.TRUNCATED: "cut short",
    Fault.HUGE: "more than 2097152 bytes",
    Fault.BOMB: "more than 2097152 bytes after decompression",
    Fault.REDIRECT_LOOP: "302.*redirect.*not followed",
    Fault.TLS: "cannot be reached",
    Fault.BUSY: "429",
    Fault.BUSY_RETRY_AFTER: "429",
    Fault.BUSY_UNTIL: "429",
    Fault.BAD_REQUEST: "400",
    Fault.SERVER_ERROR: "500.*Requested resource not found",
    Fault.SERVER_ERROR_HTML: "502",
    Fault.DRIP: "not complete after",
    Fault.SILENT: "silent for",
    Fault.RESET: "reset|closed",
    Fault.LAST_WEEK: "no figures|no rates|newest",
}
"""What the state says of each fault that leaves no figure, by what a person must be able to read in it."""


@pytest.fixture
def desk():
    with Desk(NOW) as made:
        yield made


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A database with nothing in it, to be copied: migrating takes longer than most of these tests."""
    path = tmp_path_factory.mktemp("migrated") / "vintages.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def database(migrated, tmp_path):
    made = Database(f"sqlite:///{shutil.copy(migrated, tmp_path)}")
    yield made
    made.close()


@pytest.fixture
def watch(desk, database):
    made = Watch(desk, database)
    assert made.states() == {"live"}
    return made


def break_all(desk, fault):
    for api in APIS:
        desk.upstream.break_(fault, api)


@pytest.mark.parametrize("fault", WIRE, ids=lambda fault: fault.name)
def test_an_answer_without_figures_leaves_the_last_good_ones_and_says_why(desk, watch, fault):
    before = {zone: watch.live.book(zone, "price").series.values.tolist() for zone in ZONES}
    break_all(desk, fault)
    watch.later()
    for status in watch.statuses().values():
        assert status.state == "stale"
        assert status.last_good == NOW
        assert status.next_try > desk.clock.now()
        assert re.search(WIRE[fault], status.error), status.error
    assert {zone: watch.live.book(zone, "price").series.values.tolist() for zone in ZONES} == before
    watch.assert_figures_are_those_told()
    desk.upstream.mend()
    watch.later()
    assert watch.states() == {"live"}
    assert {status.error for status in watch.statuses().values()} == {None}
    assert watch.live.book("GB", "carbon").series.issued_at == desk.clock.now()
    watch.assert_figures_are_those_told()
    watch.assert_bytes_give_the_same()


def test_a_host_that_asks_for_two_minutes_is_given_them(desk, watch):
    desk.upstream.break_(Fault.BUSY_RETRY_AFTER, "carbon")
    watch.later()
    told_until = {s.next_try for s in watch.statuses().values() if s.feed == "carbon-intensity"}
    assert min(told_until) >= desk.clock.now() + timedelta(seconds=119)


def test_a_host_that_says_it_is_busy_is_not_asked_for_the_other_zones(desk, watch):
    desk.upstream.break_(Fault.BUSY_RETRY_AFTER, "carbon")
    desk.upstream.forget()
    watch.later()
    assert len(desk.upstream.requests("carbon")) <= 2 * len(ZONES)


@pytest.mark.parametrize("fault", [Fault.BUSY_RETRY_AFTER, Fault.RESET])
def test_once_a_host_answers_again_every_zone_has_its_figures_at_the_next_refresh(desk, database, fault):
    feeds = [desk.feeds["carbon-intensity"]]
    live = LiveFeeds(feeds, VintageRepository(database), desk.client, desk.clock, PERIOD, substitute=False)
    live.watch([f"GB-{letter}" for letter in "ABCDEFGH"])
    with desk.upstream.broken(fault, "carbon"):
        live.refresh()
        assert {status.state for status in live.status()} == {"never"}
    desk.clock.advance(timedelta(minutes=30))
    live.refresh()
    assert [status.error for status in live.status() if status.error is not None] == []
    assert {status.state for status in live.status()} == {"live"}


def test_a_failed_handshake_is_named_and_gives_no_figure(database):
    with Desk(NOW, without_tls=("carbon",)) as desk:
        states = {status.feed: status for status in Watch(desk, database).statuses().values()}
    assert states["carbon-intensity"].state == "never"
    assert "TLS" in states["carbon-intensity"].error
    assert states["octopus-agile"].state == "live"


def test_figures_that_were_never_had_are_never_made_up(desk, database):
    break_all(desk, Fault.SERVER_ERROR)
    watch = Watch(desk, database)
    assert watch.states() == {"never"}
    assert watch.live.book("GB-C", "price") is None


# -- every feed -------------------------------------------------------------------------------------------------------

WHERE = ("GB", "DE-LU", "US-TEX-ERCO", "BTC", place_of(51.75, -1.25))
SLOW = {Fault.DRIP, Fault.SILENT, Fault.HUGE, Fault.BOMB}
"""Faults that the client ends, whatever the feed; they would take a second for each feed."""


@pytest.mark.parametrize("name", sorted(all_feeds(Settings(_env_file=None))))
def test_whatever_comes_a_feed_gives_figures_or_says_why_not(desk, name):
    feed = desk.feeds[name]
    zone = next(zone for zone in WHERE if feed.serves(zone))
    for fault in sorted(set(Fault) - SLOW, key=lambda each: each.value):
        desk.clock.advance(timedelta(hours=1))
        now = desk.clock.now()
        with desk.upstream.broken(fault), suppress(FeedError):
            desk.fetch(name, zone, now - timedelta(hours=6), now + timedelta(days=3))
            assert fault not in WIRE, fault


# -- answers that hold figures, but odd ones --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "flag"),
    [(Fault.SPURIOUS_ZERO, Flag.SPURIOUS_ZERO), (Fault.GAP, Flag.GAP), (Fault.SHORT_HORIZON, Flag.SHORT_HORIZON)],
    ids=lambda value: value.name,
)
def test_odd_figures_are_left_out_and_noted(desk, watch, fault, flag):
    desk.upstream.break_(fault, "carbon")
    watch.later()
    assert watch.states() == {"live"}
    assert flag in watch.flags()
    watch.assert_figures_are_those_told(but=affected if fault is Fault.SPURIOUS_ZERO else lambda slot: False)
    values = watch.live.book("GB", "carbon").series.values
    assert np.nanmin(values) > 0
    watch.assert_bytes_give_the_same()


def test_a_gap_does_not_take_away_what_was_known(desk, watch):
    start, count = NOW - timedelta(days=5), 5 * 48
    known = watch.live.book("GB-C", "price").series.window(start, count)
    desk.upstream.break_(Fault.GAP, "octopus")
    watch.later()
    np.testing.assert_array_equal(watch.live.book("GB-C", "price").series.window(start, count).values, known.values)


@pytest.mark.parametrize(
    ("fault", "flag"),
    [(Fault.FROZEN, Flag.FROZEN), (Fault.DUPLICATES, Flag.DUPLICATE), (Fault.OUTLIER, Flag.OUTLIER)],
    ids=lambda value: value.name,
)
def test_figures_that_are_hard_to_believe_are_noted(desk, watch, fault, flag):
    break_all(desk, fault)
    watch.later()
    assert flag in watch.flags()
    watch.assert_bytes_give_the_same()


@pytest.mark.parametrize("api", APIS)
def test_nothing_but_zeros_is_not_taken_for_free_or_clean_power_without_a_word(desk, watch, api):
    desk.upstream.break_(Fault.ZEROS, api)
    watch.later()
    for (feed, _), status in watch.statuses().items():
        if feed == NAMES[APIS.index(api)]:
            assert status.state != "live" or {finding.flag for finding in status.findings}, feed


def test_a_clock_an_hour_ahead_is_noted_and_changes_no_figure(desk, watch):
    break_all(desk, Fault.SKEW)
    watch.later()
    assert watch.states() == {"live"}
    for status in watch.statuses().values():
        (finding,) = [each for each in status.findings if each.flag is Flag.CLOCK_SKEW]
        assert "60 minutes ahead" in finding.detail
    watch.assert_figures_are_those_told()


def test_of_two_answers_that_disagree_the_later_is_used_and_both_are_kept(desk, watch):
    first = {quantity: watch.live.book("GB", quantity).series for quantity in ("price", "carbon")}
    break_all(desk, Fault.DISAGREE)
    watch.later()
    now = desk.clock.now()
    assert Flag.REVISED in watch.flags()
    truth = desk.world.revised()
    for quantity in ("price", "carbon"):
        book = watch.live.book("GB", quantity)
        asked, later = slots(book.series.start, book.series.end), book.origin == len(book.answers) - 1
        assert later.sum() >= 96
        expected = told(truth, "GB", quantity, asked, now)
        np.testing.assert_allclose(book.series.values[later], expected[later], atol=1e-9)
        vintages = watch.store.vintages(NAMES[quantity == "carbon"], "GB", quantity, NOW, now)
        assert [vintage.fetched_at for vintage in vintages] == [NOW, now]
        kept = vintages[0].series.window(first[quantity].start, len(first[quantity]))
        np.testing.assert_array_equal(kept.values, first[quantity].values)
    watch.assert_bytes_give_the_same()


def test_a_feed_that_stays_away_runs_out_and_says_so(desk, watch):
    break_all(desk, Fault.SERVER_ERROR)
    for _ in range(5):
        watch.later(12 * 60)
    for zone in ZONES:
        for quantity in ("price", "carbon"):
            book = watch.live.book(zone, quantity)
            present = book.series.window(desk.clock.now(), 4) if book is not None else None
            assert present is None or set(present.kinds) == {Kind.MISSING}
    assert "live" not in watch.states()
    desk.upstream.mend()
    watch.later()
    assert watch.states() == {"live"}
    watch.assert_figures_are_those_told()


def test_hosts_are_asked_within_the_limits_that_the_feeds_declare(desk, database):
    """NESO recommends no more than two requests a minute; a third one is not made."""
    feeds = [desk.feeds[name] for name in ("neso-wind", "neso-demand", "neso-solar")]
    live = LiveFeeds(feeds, VintageRepository(database), desk.client, desk.clock, PERIOD, substitute=False)
    live.watch(["GB"])
    live.refresh()
    assert len(desk.upstream.requests("neso")) == 2
    (left,) = [status for status in live.status() if status.error is not None]
    assert "allows no further request" in left.error


# -- the whole application --------------------------------------------------------------------------------------------

PRICES, CARBON = ("octopus", "energy_charts"), ("carbon", "electricity_maps")
FEEDS_OF = {PRICES: {"octopus-agile", "energy-charts-price"}, CARBON: {"carbon-intensity", "electricity-maps-forecast"}}
HONEST = [*WIRE, Fault.SKEW, Fault.GAP, Fault.NULLS, Fault.SPURIOUS_ZERO, Fault.SHORT_HORIZON, Fault.LATE, Fault.ZEROS]
"""Faults after which every figure that is left is what the source really says."""
LYING = [Fault.OUTLIER, Fault.FROZEN, Fault.DUPLICATES, Fault.DISAGREE]
"""Faults of figures that cannot be told from true ones: they are noted and used."""
SITES_ZONES = ("GB-C", "GB-M", "NO-NO2")


def pairs(faults):
    """Each fault once, two at a time: one for the sources of prices, one for those of carbon."""
    middle = (len(faults) + 1) // 2
    return [*zip_longest(faults[:middle], faults[middle:], fillvalue=faults[0])]


def live_through(home, faults):
    """A tick with each pair of faults, one after every third when all is well again; what each came to."""
    outcomes = []
    for number, (for_prices, for_carbon) in enumerate(pairs(faults), 1):
        for apis, fault in ((PRICES, for_prices), (CARBON, for_carbon)):
            for api in apis:
                home.upstream.break_(fault, api)
        home.submit()
        outcomes.append(home.live_on().outcome)
        for apis, fault in ((PRICES, for_prices), (CARBON, for_carbon)):
            if fault in WIRE:
                assert_state_is_clear(home, FEEDS_OF[apis], fault)
        if Fault.SKEW in {for_prices, for_carbon}:
            assert "60 minutes ahead" in home.page("/signals")
        home.upstream.mend()
        if number % 6 == 0:
            home.house.energy.learn()
        if number % 3 == 0:
            outcomes.append(home.live_on().outcome)
    return outcomes


def assert_state_is_clear(home, names, fault):
    """/health says which feeds do not answer and why, and every page says what is used instead."""
    said = [feed for feed in home.feeds(*SITES_ZONES) if feed["feed"] in names]
    assert {feed["feed"] for feed in said} == names
    for feed in said:
        assert feed["state"] in {"stale", "simulated"}, (fault, feed)
        assert feed["error"], (fault, feed)
    assert home.health()["status"] == "degraded"
    titles = {each.title for each in home.house.energy.declarations() if each.name in names}
    every_page, signals = home.page("/jobs"), home.page("/signals")
    assert [title for title in titles if title not in every_page or title not in signals] == [], fault
    assert [feed["error"] for feed in said if str(escape(feed["error"])) not in signals] == [], fault


@pytest.fixture
def home(tmp_path, monkeypatch):
    with household(tmp_path, NOW, monkeypatch) as made:
        assert {feed["state"] for feed in made.feeds(*SITES_ZONES)} == {"live"}
        yield made


@pytest.mark.slow
def test_the_application_lives_through_every_fault_and_no_decision_rests_on_a_wrong_figure(home):
    outcomes = live_through(home, HONEST)
    assert home.assert_planned_with_what_was_told() > 96 * len(outcomes)
    outcomes += live_through(home, LYING)
    assert set(outcomes) == {"planned"}
    rounds = home.reread()
    assert len(rounds) == len(outcomes)
    assert [mismatch for each in rounds for mismatch in each.mismatches] == []
    assert min(each.compared for each in rounds) > 96
    assert home.house.log.verify().ok
    for _ in range(2):
        home.live_on()
    assert {feed["state"] for feed in home.feeds(*SITES_ZONES)} == {"live"}


def test_when_every_feed_is_gone_for_days_plans_go_on_and_say_that_they_are_simulated(home):
    home.upstream.break_(Fault.SERVER_ERROR_HTML)
    for _ in range(4):
        home.clock.advance(timedelta(hours=13))
        home.submit()
        assert home.live_on().outcome == "planned"
    assert {feed["state"] for feed in home.feeds("GB-C", "GB-M")} == {"simulated"}
    body, _ = next(home.rounds())
    kinds = {kind for use in body["feeds"] if use["zone"] == "GB-C" for kind in use["kinds"]}
    assert "simulated" in kinds
    assert "simulated" in home.page("/jobs")
