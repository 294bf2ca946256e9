from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.settlement_days import SettlementDay, gate_closure
from accounting.working_days import WorkingDays
from core.errors import InputError
from core.slots import SLOT, settlement_period

SHORT, LONG = date(2027, 3, 28), date(2026, 10, 25)


@pytest.mark.parametrize(("day", "count"), [(SHORT, 46), (LONG, 50), (date(2026, 10, 20), 48)])
def test_a_day_has_46_48_or_50_periods(day, count):
    assert SettlementDay(day).count == count
    assert SettlementDay(day).changes_clock is (count != 48)


@pytest.mark.parametrize(("day", "period"), [(SHORT, 47), (LONG, 51), (date(2026, 1, 1), 0), (date(2026, 1, 1), 49)])
def test_a_period_that_a_day_does_not_have_is_refused_with_those_it_has(day, period):
    with pytest.raises(InputError, match="has settlement periods 1 to") as refusal:
        SettlementDay(day).period_start(period)
    assert refusal.value.field == "settlement_period"


def test_in_summer_the_first_period_starts_an_hour_earlier_in_utc():
    assert SettlementDay(date(2026, 7, 1)).start == datetime(2026, 6, 30, 23, tzinfo=UTC)
    assert SettlementDay(date(2026, 1, 1)).start == datetime(2026, 1, 1, tzinfo=UTC)


def test_gate_closes_an_hour_before_the_period():
    assert gate_closure(SettlementDay(date(2026, 10, 20)).period_start(36)) == datetime(
        2026, 10, 20, 15, 30, tzinfo=UTC
    )


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_every_period_of_a_day_comes_back_from_its_instant(day):
    starts = SettlementDay(day).starts()
    assert [settlement_period(at) for at in starts] == [(day, number) for number in range(1, len(starts) + 1)]
    assert SettlementDay(day).end == starts[-1] + SLOT
    assert SettlementDay(day + timedelta(days=1)).start == SettlementDay(day).end


def test_working_days_leave_out_weekends_and_bank_holidays():
    calendar = WorkingDays(frozenset({date(2026, 8, 31)}))
    assert date(2026, 8, 31) not in calendar
    assert date(2026, 8, 29) not in calendar
    assert calendar.after(date(2026, 8, 28), 1) == date(2026, 9, 1)
    assert calendar.after(date(2026, 8, 28), 5) == date(2026, 9, 7)


def test_there_is_no_working_day_number_zero():
    with pytest.raises(ValueError, match="count from 1"):
        WorkingDays().after(date(2026, 8, 28), 0)
