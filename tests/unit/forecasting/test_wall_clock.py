"""Local half-hours and bank holidays agree with the tables of time zones and with gov.uk's lists."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.halfhours import instant_of, slot_index
from forecasting.wall_clock import bank_holidays, easter, is_holiday, wall_index, weekday

ZONES = ("Europe/London", "America/New_York", "Asia/Singapore", "Australia/Sydney", "America/St_Johns", "UTC")


@given(st.integers(700_000, 1_100_000), st.integers(1, 3000), st.sampled_from(ZONES))
def test_a_wall_index_is_the_time_on_the_wall_for_any_zone_and_season(first: int, count: int, timezone: str) -> None:
    slots = np.arange(first, first + count)
    wall = wall_index(slots, timezone)
    for slot, found in ((slots[0], wall[0]), (slots[-1], wall[-1])):
        local = instant_of(int(slot)).astimezone(ZoneInfo(timezone)).replace(tzinfo=UTC)
        assert found == slot_index(local)


def test_every_change_of_two_years_falls_on_its_slot() -> None:
    first = slot_index(datetime(2022, 1, 1, tzinfo=UTC))
    slots = np.arange(first, first + 2 * 365 * 48)
    offsets = np.diff(wall_index(slots, "Europe/London") - slots)
    changes = [instant_of(int(slot)) for slot in slots[1:][offsets != 0]]
    days = [(2022, 3, 27), (2022, 10, 30), (2023, 3, 26), (2023, 10, 29)]
    assert changes == [datetime(*day, 1, tzinfo=UTC) for day in days]


def test_no_slots_have_no_wall_indexes() -> None:
    assert wall_index(np.array([], dtype=np.int64), "Europe/London").size == 0


def test_the_weekday_is_that_of_the_local_day() -> None:
    sunday_evening_in_new_york = slot_index(datetime(2023, 5, 1, 2, tzinfo=UTC))
    assert weekday(wall_index(np.array([sunday_evening_in_new_york]), "America/New_York"))[0] == 6


@pytest.mark.parametrize(
    ("year", "days"),
    [
        (2021, ["01-01", "04-02", "04-05", "05-03", "05-31", "08-30", "12-27", "12-28"]),
        (2022, ["01-03", "04-15", "04-18", "05-02", "05-30", "08-29", "12-26", "12-27"]),
        (2023, ["01-02", "04-07", "04-10", "05-01", "05-29", "08-28", "12-25", "12-26"]),
        (2026, ["01-01", "04-03", "04-06", "05-04", "05-25", "08-31", "12-25", "12-28"]),
    ],
)
def test_regular_bank_holidays_and_their_substitute_days_are_known(year: int, days: list[str]) -> None:
    assert bank_holidays(year) == {date.fromisoformat(f"{year}-{day}") for day in days}


def test_easter_is_known_at_its_earliest_and_latest() -> None:
    assert (easter(2008), easter(2038)) == (date(2008, 3, 23), date(2038, 4, 25))


def test_a_bank_holiday_counts_in_london_only_and_from_local_midnight() -> None:
    slots = slot_index(datetime(2023, 5, 28, 22, tzinfo=UTC)) + np.arange(4)
    assert is_holiday(wall_index(slots, "Europe/London"), "Europe/London").tolist() == [False, False, True, True]
    assert not is_holiday(wall_index(slots, "Europe/Paris"), "Europe/Paris").any()
