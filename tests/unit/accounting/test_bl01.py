from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from accounting.settlement_days import SettlementDay
from accounting.volumes import from_meter
from tests.unit.accounting.samples import EVENT, WORKING, at, days_before, flat, method, put, worked_history

HALF = Decimal("-0.5")
LONG_AGO = EVENT - timedelta(days=61)


def constant():
    return flat(LONG_AGO, EVENT)


def test_a_constant_history_gives_the_same_baseline():
    baseline = method(constant()).baseline(at(36), "BOA")
    assert (baseline.ub_mwh, baseline.ida_mwh, baseline.baseline_mwh) == (HALF, 0, HALF)


def test_ten_kwh_more_in_all_six_periods_of_the_window_adjust_by_ten():
    history = constant()
    for period in range(28, 34):
        put(history, EVENT, period, 510)
    baseline = method(history).baseline(at(36), "BOA")
    assert baseline.ida_mwh == from_meter(Decimal(10))
    assert baseline.baseline_mwh == from_meter(Decimal(510))
    assert baseline.ida_applied


def test_the_window_is_six_periods_that_end_an_hour_before_the_event():
    assert method({}).window(at(36)) == [at(period) for period in range(28, 34)]


def test_load_outside_the_window_does_not_adjust():
    history = constant()
    for period in (27, 34, 35, 36):
        put(history, EVENT, period, 900)
    assert method(history).adjustment(at(36)) == 0


def test_an_event_day_is_skipped():
    yesterday = EVENT - timedelta(days=1)
    history = constant()
    put(history, yesterday, 36, 0)
    days = method(history, yesterday).days(SettlementDay(EVENT))
    assert yesterday not in days.used
    assert days.skipped == (yesterday,)
    assert method(history, yesterday).unadjusted(SettlementDay(EVENT), 36) == HALF


def test_event_days_are_used_when_data_are_short():
    ten = days_before(EVENT, 10, working=True)
    history = flat(ten[-1], EVENT)
    short = method(history, *ten[:3])
    assert short.days(SettlementDay(EVENT)).used == tuple(ten)
    assert not method(history, *ten[:3], event_day_fallback=False).days(SettlementDay(EVENT)).suffice


def test_a_bank_holiday_is_no_working_day():
    day = date(2026, 9, 2)
    history = flat(day - timedelta(days=61), day)
    assert date(2026, 8, 31) not in method(history).days(SettlementDay(day)).used
    holiday = method(history).days(SettlementDay(date(2026, 8, 31)))
    assert len(holiday.used) == 4
    assert all(each.weekday() >= 5 for each in holiday.used)


def test_a_missing_period_drops_its_day():
    history, yesterday = constant(), EVENT - timedelta(days=1)
    del history[at(3, yesterday)]
    assert yesterday not in method(history).days(SettlementDay(EVENT)).used


def test_a_day_when_the_clocks_change_is_never_selected():
    day = date(2026, 11, 1)
    history = flat(day - timedelta(days=61), day)
    used = method(history).days(SettlementDay(day)).used
    assert date(2026, 10, 25) not in used
    assert len(used) == 4


def test_a_notification_alone_leaves_the_adjustment_out():
    baseline = method(worked_history()).baseline(at(36), "WMAN")
    assert (baseline.ida_mwh, baseline.ida_applied) == (Decimal("-0.01"), False)
    assert baseline.baseline_mwh == baseline.ub_mwh


def test_without_a_trigger_the_baseline_is_what_was_metered():
    baseline = method(worked_history()).baseline(at(36), None)
    assert baseline.baseline_mwh == Decimal("-0.3")
    assert not baseline.ida_applied


def test_the_order_of_the_input_changes_nothing():
    history = worked_history()
    mixed = list(history.items())
    random.Random(4).shuffle(mixed)
    assert method(dict(mixed)).baseline(at(36), "BOA") == method(history).baseline(at(36), "BOA")


def test_nothing_after_gate_closure_is_read():
    known = {start: mwh for start, mwh in worked_history().items() if start < at(34)}
    assert method(known).baseline(at(36), "BOA") == method(worked_history()).baseline(at(36), "BOA")


def test_without_enough_days_there_is_no_baseline():
    history = flat(EVENT - timedelta(days=8), EVENT)
    baseline = method(history).baseline(at(36), "BOA")
    assert (baseline.ub_mwh, baseline.ida_mwh, baseline.baseline_mwh) == (None, None, None)
    assert not baseline.ida_applied


def test_with_a_gap_in_the_window_an_accepted_bid_has_no_baseline():
    history = constant()
    del history[at(30)]
    baseline = method(history).baseline(at(36), "BOA")
    assert (baseline.ub_mwh, baseline.baseline_mwh) == (HALF, None)


def test_a_window_may_reach_into_the_day_before():
    monday, history = date(2026, 10, 19), constant()
    for start in method({}).window(at(3, monday)):
        history[start] = from_meter(Decimal(530))
    assert method(history).adjustment(at(3, monday)) == from_meter(Decimal(30))


def test_the_highest_usage_may_be_selected_instead_of_the_most_recent():
    history = constant()
    thirsty = days_before(EVENT, 30, working=True)[20:]
    for day in thirsty:
        for period in range(1, 49):
            put(history, day, period, 600)
    assert method(history).unadjusted(SettlementDay(EVENT), 36) == HALF
    chosen = method(history, selection="highest_usage")
    assert set(chosen.days(SettlementDay(EVENT)).used) == set(thirsty)
    assert chosen.unadjusted(SettlementDay(EVENT), 36) == from_meter(Decimal(600))


def test_periods_that_only_a_long_day_has_have_no_baseline():
    long = date(2026, 10, 25)
    history = flat(long - timedelta(days=61), long)
    assert method(history).unadjusted(SettlementDay(long), 48) == HALF
    assert method(history).unadjusted(SettlementDay(long), 49) is None


@pytest.mark.parametrize("number", [1, 5, 9])
def test_an_event_hangs_on_its_first_period(number):
    history = worked_history()
    first = method(history).baseline(at(36), "BOA")
    later = method(history).baseline(at(36 + number), "BOA", at(36))
    assert later.ida_mwh == first.ida_mwh


def test_samples_have_a_calendar():
    assert EVENT in WORKING
