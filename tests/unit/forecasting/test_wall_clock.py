"""Weekdays and bank holidays agree with the calendar and with gov.uk's lists."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from core.halfhours import slot_index, wall_index
from forecasting.wall_clock import bank_holidays, easter, is_holiday, weekday


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
