from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from agents.energy.client import HostBusy
from agents.energy.entry import Entry
from agents.energy.feed import Finding, Flag
from core.errors import FeedUnreachable
from core.series import Kind, Series
from core.slots import SLOT
from core.vintage import UNITS
from tests.unit.energy.fakes import ScriptedFeed, fetch_of, utc

NOW = utc(2026, 11, 20, 12)
PERIOD = timedelta(minutes=30)


def fetch(values, quantity="carbon", kind=Kind.FORECAST, start=NOW, issued_at=NOW):
    return fetch_of(Series.of(start, np.array(values, dtype=float), kind, UNITS[quantity], "s", issued_at), quantity)


def entry(quantity="carbon", *, substitute=True, **declared):
    return Entry(ScriptedFeed(quantity, **declared), "GB-C", NOW, NOW, PERIOD, substitute)


def condition(subject, now, quantity="carbon"):
    found = subject.condition(quantity, now)
    return found.state, found.since


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
    subject.succeeded(fetch([1, 2]), ())
    assert (subject.failures, subject.error, subject.failing_since) == (0, None, None)
    assert subject.next_try == NOW + PERIOD


def test_figures_that_are_due_are_polled_for_with_growing_pauses_until_they_come():
    subject = entry(published_until=lambda now: NOW + timedelta(days=1))
    pauses = []
    for _ in range(7):
        subject.succeeded(fetch([1, 2]), ())
        pauses.append((subject.next_try - NOW).total_seconds() / 60)
    assert pauses == [3, 4.5, 6.75, 10.125, 15, 15, 15]
    subject.succeeded(fetch([1] * 48), ())
    assert subject.next_try == NOW + PERIOD


def test_figures_that_become_due_between_two_asks_are_polled_for_at_once():
    due_at = NOW + timedelta(minutes=10)
    subject = entry(published_until=lambda now: NOW + (timedelta(days=1) if now >= due_at else timedelta()))
    subject.succeeded(fetch([1, 2]), ())
    assert not subject.due(due_at - timedelta(minutes=1))
    assert subject.due(due_at)


def test_a_feed_that_is_due_and_fails_waits_its_turn():
    subject = entry(published_until=lambda now: NOW + timedelta(days=1))
    subject.succeeded(fetch([1, 2]), ())
    for _ in range(6):
        subject.failed(FeedUnreachable("down"), NOW)
    assert not subject.due(NOW + timedelta(minutes=6))


def test_missing_figures_that_are_due_are_a_finding_in_the_status():
    subject = entry(published_until=lambda now: NOW + timedelta(days=1))
    subject.succeeded(fetch([1, 2]), ())
    (status,) = subject.statuses(NOW)
    (finding,) = status.findings
    assert finding.flag is Flag.SHORT_HORIZON
    assert (finding.start, finding.end) == (NOW + 2 * SLOT, NOW + timedelta(days=1))


def test_the_whole_history_is_asked_for_at_first_and_two_days_while_figures_keep_coming():
    subject = entry(first_history=timedelta(days=28))
    assert subject.window(NOW)[0] == NOW - timedelta(days=28)
    subject.succeeded(fetch([1]), ())
    assert subject.window(NOW + PERIOD)[0] == NOW + PERIOD - timedelta(days=2)
    assert subject.window(NOW + timedelta(days=2))[0] == NOW + timedelta(days=2) - timedelta(days=28)


def test_a_feed_is_live_then_stale_from_its_first_failure_then_simulated_from_where_its_figures_end():
    subject = entry()
    subject.succeeded(fetch([1] * 8), ())
    assert condition(subject, NOW) == ("live", NOW)
    subject.failed(FeedUnreachable("down"), NOW + PERIOD)
    subject.failed(FeedUnreachable("down"), NOW + 2 * PERIOD)
    assert condition(subject, NOW + 2 * PERIOD) == ("stale", NOW + PERIOD)
    assert condition(subject, NOW + 9 * SLOT) == ("simulated", NOW + 8 * SLOT)


def test_forecasts_of_an_answer_that_is_too_old_are_not_used_and_settled_prices_are():
    subject = entry(use_for=timedelta(hours=6))
    subject.succeeded(fetch([1] * 96), ())
    late = NOW + timedelta(hours=7)
    subject.failed(FeedUnreachable("down"), late)
    assert len(subject.book("carbon", late).series) == 0
    assert condition(subject, late)[0] == "simulated"
    settled = entry("price", use_for=timedelta(hours=6))
    settled.succeeded(fetch([1] * 96, "price", Kind.SETTLED), ())
    settled.failed(FeedUnreachable("down"), late)
    assert len(settled.book("price", late).series) == 96
    assert condition(settled, late, "price")[0] == "stale"


def test_a_feed_that_nobody_asks_any_more_is_stale():
    subject = entry()
    subject.succeeded(fetch([1] * 8), ())
    assert condition(subject, NOW + timedelta(minutes=91)) == ("stale", NOW + timedelta(minutes=90))


def test_figures_of_the_past_alone_are_live_while_they_keep_coming_and_never_simulated():
    subject = entry("frequency")
    assert condition(subject, NOW, "frequency") == ("never", NOW)
    subject.succeeded(fetch([50.0], "frequency", Kind.SETTLED, NOW - SLOT), ())
    assert condition(subject, NOW, "frequency") == ("live", NOW)
    assert condition(subject, NOW + timedelta(hours=3), "frequency")[0] == "stale"


def test_before_the_first_answer_a_zone_is_simulated_or_never_had_where_nothing_may_be_simulated():
    assert condition(entry(), NOW + SLOT) == ("simulated", NOW)
    assert condition(entry(substitute=False), NOW + SLOT) == ("never", NOW)


def test_figures_that_ran_out_stay_stale_where_nothing_may_be_simulated():
    subject = entry(substitute=False)
    subject.succeeded(fetch([1]), ())
    subject.failed(FeedUnreachable("down"), NOW + PERIOD)
    assert condition(subject, NOW + timedelta(days=1)) == ("stale", NOW + PERIOD)


def test_a_settled_figure_that_changes_is_a_finding_and_the_later_one_is_used():
    subject = entry("price")
    subject.succeeded(fetch([1, 2, 3], "price", Kind.SETTLED), ())
    subject.succeeded(fetch([1, 9, 3], "price", Kind.SETTLED, issued_at=NOW + PERIOD), ())
    (status,) = subject.statuses(NOW + PERIOD)
    (finding,) = status.findings
    assert finding.flag is Flag.REVISED
    assert (finding.start, finding.end) == (NOW + SLOT, NOW + 2 * SLOT)
    assert "from 2 to 9 GBP/kWh" in finding.detail
    assert subject.book("price", NOW + PERIOD).series.values.tolist() == [1, 9, 3]


def test_what_is_noticed_of_quantities_that_are_not_reported_stands_with_the_first_that_is():
    subject = entry()
    odd = Finding(Flag.DUPLICATE, "share_wind", NOW, NOW + SLOT, "two rows for one slot.")
    series = fetch([1] * 8).series["carbon"]
    shares = Series.of(NOW, np.full(8, 50.0), Kind.ESTIMATE, UNITS["share_wind"], "s", NOW)
    both = replace(fetch_of(series), series={"carbon": series, "share_wind": shares})
    subject.declaration = replace(subject.declaration, quantities=("carbon", "share_wind"))
    subject.succeeded(both, (odd,))
    (status,) = subject.statuses(NOW)
    assert status.quantity == "carbon"
    assert status.findings == (odd,)


def test_a_restart_takes_up_the_last_answer():
    subject = entry()
    last = fetch([1] * 8)
    subject.remember(last)
    assert condition(subject, NOW + SLOT) == ("live", NOW)
    assert subject.statuses(NOW)[0].fetch_id == last.fetch_id
    assert subject.next_try == NOW + PERIOD


def test_each_quantity_has_the_age_of_its_own_figures():
    subject = entry(use_for=timedelta(hours=12))
    both = fetch([1] * 96)
    shares = Series.of(NOW, np.full(96, 50.0), Kind.FORECAST, UNITS["share_wind"], "s", NOW)
    subject.succeeded(replace(both, series={**both.series, "share_wind": shares}), ())
    later = NOW + timedelta(days=1)
    subject.succeeded(fetch([1] * 96, start=later, issued_at=later), ())
    assert condition(subject, later) == ("live", later)
    assert len(subject.book("share_wind", later).series) == 0, "its last figures are a day old"


def test_a_source_whose_figures_lag_behind_as_a_rule_is_live_all_the_same():
    subject = entry(lag=timedelta(hours=2))
    subject.succeeded(fetch([1] * 2, start=NOW - 3 * SLOT), ())
    assert condition(subject, NOW)[0] == "live"
    assert condition(subject, NOW + timedelta(hours=2))[0] == "simulated"
