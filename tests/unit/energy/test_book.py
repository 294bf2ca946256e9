from __future__ import annotations

from datetime import timedelta

import numpy as np

from agents.energy.book import Entry, merged, merged_vintages
from agents.energy.client import HostBusy
from core.errors import FeedUnreachable
from core.series import Kind, Series, Unit
from core.slots import SLOT
from core.vintage import Vintage
from tests.unit.energy.fakes import ScriptedFeed, utc

NOW = utc(2026, 11, 20, 12)
PERIOD = timedelta(minutes=30)
NAN = float("nan")


def series(values, kind=Kind.FORECAST, start=NOW, issued_at=NOW):
    return Series.of(start, np.array(values, dtype=float), kind, Unit.G_PER_KWH, "s", issued_at)


def test_the_newer_vintage_wins_and_names_the_whole():
    newer = series([5, 6], issued_at=NOW + PERIOD)
    result = merged(series([1, 2]), newer)
    assert result.values.tolist() == [5, 6]
    assert result.issued_at == NOW + PERIOD


def test_a_firmer_figure_is_not_replaced_by_a_forecast_but_is_by_its_own_revision():
    older = series([1, 2], Kind.ESTIMATE)
    assert merged(older, series([5, 6])).values.tolist() == [1, 2]
    assert merged(older, series([5, 6], Kind.ESTIMATE)).values.tolist() == [5, 6]


def test_forecasts_that_the_newer_vintage_no_longer_makes_are_dropped():
    result = merged(series([1, 2, 3, 4]), series([5, NAN], issued_at=NOW + PERIOD))
    assert result.values.tolist() == [5]
    assert result.end == NOW + SLOT


def test_what_came_before_the_newer_vintage_is_kept():
    result = merged(series([1, 2]), series([5], start=NOW + 2 * SLOT, issued_at=NOW + SLOT))
    assert result.values.tolist() == [1, 2, 5]


def test_slots_older_than_ten_days_are_let_go():
    later = NOW + timedelta(days=11)
    result = merged(series([1] * 96, Kind.ESTIMATE), series([5], start=later, issued_at=later))
    assert result.start == later - timedelta(days=10)


def test_stored_vintages_are_merged_in_the_order_of_fetching():
    def vintage(values, minutes):
        at = NOW + timedelta(minutes=minutes)
        return Vintage("f", "GB", "carbon", at, "", b"", series(values, issued_at=at))

    assert merged_vintages([vintage([3], 20), vintage([1], 0), vintage([2], 10)]).values.tolist() == [3]
    assert merged_vintages([]) is None


def entry():
    return Entry(ScriptedFeed(lambda: NOW), "GB-C", watched_since=NOW, next_try=NOW)


def test_failures_wait_longer_each_time_up_to_a_quarter_of_an_hour():
    subject, pauses = entry(), []
    for _ in range(7):
        subject.failed(FeedUnreachable("down"), NOW)
        pauses.append((subject.next_try - NOW).total_seconds() / 60)
    assert pauses == [1, 2, 4, 8, 15, 15, 15]


def test_a_host_that_asks_for_a_pause_gets_it_up_to_six_hours():
    subject = entry()
    subject.failed(HostBusy("busy", 1800), NOW)
    assert subject.next_try == NOW + timedelta(minutes=30)
    subject.failed(HostBusy("busy", 1e9), NOW)
    assert subject.next_try == NOW + timedelta(hours=6)


def test_success_ends_the_waiting_and_the_error():
    subject = entry()
    subject.failed(FeedUnreachable("down"), NOW)
    subject.succeeded(series([1, 2]), NOW, PERIOD)
    assert (subject.failures, subject.error, subject.failing_since) == (0, None, None)
    assert subject.next_try == NOW + PERIOD


def test_overdue_figures_are_asked_for_every_five_minutes():
    subject = entry()
    subject.feed.is_overdue = True
    subject.succeeded(series([1, 2]), NOW, PERIOD)
    assert subject.next_try == NOW + timedelta(minutes=5)
    subject.feed.is_overdue = False
    subject.succeeded(series([1, 2]), NOW, PERIOD)
    subject.feed.is_overdue = True
    assert not subject.due(NOW + timedelta(minutes=4))
    assert subject.due(NOW + timedelta(minutes=5))


def test_an_overdue_feed_that_fails_waits_its_turn():
    subject = entry()
    subject.succeeded(series([1, 2]), NOW, PERIOD)
    subject.feed.is_overdue = True
    for _ in range(6):
        subject.failed(FeedUnreachable("down"), NOW)
    assert not subject.due(NOW + timedelta(minutes=6))


def test_a_week_is_asked_for_at_first_and_two_days_while_figures_keep_coming():
    subject = entry()
    assert subject.period(NOW) == (NOW - timedelta(days=7), NOW + timedelta(days=3))
    subject.succeeded(series([1]), NOW, PERIOD)
    assert subject.period(NOW + PERIOD)[0] == NOW + PERIOD - timedelta(days=7)
    subject.succeeded(series([1] * 336, start=NOW - timedelta(days=7)), NOW, PERIOD)
    assert subject.period(NOW + PERIOD)[0] == NOW + PERIOD - timedelta(days=2)
    assert subject.period(NOW + timedelta(days=2))[0] == NOW - timedelta(days=5)


def condition(subject, now, *, substitute=True):
    found = subject.condition(now, PERIOD, substitute=substitute)
    return found.state, found.since


def test_a_feed_is_live_then_stale_from_its_first_failure_then_simulated_from_where_its_figures_end():
    subject = entry()
    subject.succeeded(series([1] * 8), NOW, PERIOD)
    assert condition(subject, NOW) == ("live", NOW)
    subject.failed(FeedUnreachable("down"), NOW + PERIOD)
    subject.failed(FeedUnreachable("down"), NOW + 2 * PERIOD)
    assert condition(subject, NOW + 2 * PERIOD) == ("stale", NOW + PERIOD)
    assert condition(subject, NOW + 9 * SLOT) == ("simulated", NOW + 8 * SLOT)


def test_a_feed_that_nobody_asks_any_more_is_stale():
    subject = entry()
    subject.succeeded(series([1] * 8), NOW, PERIOD)
    assert condition(subject, NOW + timedelta(minutes=91)) == ("stale", NOW + timedelta(minutes=90))


def test_before_the_first_answer_a_zone_is_simulated_since_it_is_watched_or_never_had_where_nothing_may_be_simulated():
    subject = entry()
    assert condition(subject, NOW + SLOT) == ("simulated", NOW)
    assert condition(subject, NOW + SLOT, substitute=False) == ("never", NOW)


def test_figures_that_ran_out_stay_stale_where_nothing_may_be_simulated():
    subject = entry()
    subject.succeeded(series([1]), NOW, PERIOD)
    subject.failed(FeedUnreachable("down"), NOW + PERIOD)
    assert condition(subject, NOW + timedelta(days=1), substitute=False) == ("stale", NOW + PERIOD)
