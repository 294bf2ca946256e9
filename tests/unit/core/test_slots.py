"""Slots and settlement periods: half-hours in UTC, numbered in Europe/London."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.slots import (
    SLOT,
    SettlementPeriod,
    format_utc,
    require_aware,
    settlement_period,
    slot_ceil,
    slot_floor,
    slot_starts,
    slots_between,
)

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=22_000)).map(lambda since: EPOCH + since)


def periods_of(day: date) -> list[int]:
    """Periods of every slot of a local day, in order."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=2)
    found = [settlement_period(slot) for slot in slot_starts(start, 104)]
    return [period.period for period in found if period.date == day]


@pytest.mark.parametrize(
    ("day", "count"),
    [(date(2023, 3, 1), 48), (date(2023, 3, 26), 46), (date(2023, 10, 29), 50), (date(2024, 2, 29), 48)],
)
def test_a_day_has_46_48_or_50_settlement_periods_numbered_without_gaps(day: date, count: int):
    assert periods_of(day) == list(range(1, count + 1))


def test_the_first_period_of_a_summer_day_starts_an_hour_before_midnight_utc():
    slot = datetime(2023, 6, 30, 23, 0, tzinfo=UTC)
    assert settlement_period(slot) == SettlementPeriod(date(2023, 7, 1), 1)
    assert settlement_period(slot + timedelta(minutes=29)) == SettlementPeriod(date(2023, 7, 1), 1)


@given(INSTANTS)
@settings(max_examples=60)
def test_floor_and_ceiling_enclose_an_instant_within_one_slot(instant: datetime):
    floor, ceiling = slot_floor(instant), slot_ceil(instant)
    assert floor <= instant <= ceiling
    assert ceiling - floor in (timedelta(0), SLOT)
    assert (floor == ceiling) == (floor == instant)
    assert floor.minute % 30 == floor.second == floor.microsecond == 0


@given(INSTANTS, st.integers(-500, 500))
@settings(max_examples=40)
def test_counting_slots_inverts_stepping_by_slots(instant: datetime, count: int):
    start = slot_floor(instant)
    assert slots_between(start, start + SLOT * count) == count


def test_a_naive_time_is_refused_with_an_example_of_what_to_write():
    with pytest.raises(ValueError, match="2023-03-01T00:00Z"):
        require_aware(datetime(2023, 3, 1))  # noqa: DTZ001  that is the case tested


def test_an_offset_is_turned_into_utc_and_written_with_z():
    instant = datetime(2023, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=1)))
    assert format_utc(instant) == "2023-03-01T00:30:00Z"
    assert format_utc(instant + timedelta(milliseconds=5)) == "2023-03-01T00:30:00.005Z"
