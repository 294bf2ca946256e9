"""Moments: clock times and days, resolved from the present."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agents.advisor.instants import moments

FRIDAY = datetime(2026, 11, 20, 14, 10, tzinfo=UTC)


def at(day: int, hour: int = 0, minute: int = 0, month: int = 11, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("by 18:00", at(20, 18)),
        ("by 9:30", at(21, 9, 30)),
        ("before 6pm", at(20, 18)),
        ("by 6.30 am", at(21, 6, 30)),
        ("by noon", at(21, 12)),
        ("by midnight", at(21)),
        ("tomorrow at 6pm", at(21, 18)),
        ("6 am on Sunday", at(22, 6)),
        ("Friday 18:00", at(20, 18)),
        ("Friday noon", at(27, 12)),
        ("Mon 08:00", at(23, 8)),
        ("22 Nov 07:30", at(22, 7, 30)),
        ("November 22nd, 7 am", at(22, 7)),
        ("2 March 10:00", at(2, 10, month=3, year=2027)),
        ("2026-11-21 06:00", at(21, 6)),
        ("2026-11-21T06:00Z", at(21, 6)),
        ("2026-11-21T06:00+01:00", at(21, 5)),
    ],
)
def test_a_time_of_a_day_is_one_instant(sentence: str, found: datetime) -> None:
    (moment,) = moments(sentence, FRIDAY)
    assert (moment.at, moment.whole_day, moment.day_end) == (found, False, found)


@pytest.mark.parametrize(
    ("sentence", "day"), [("today", 20), ("tomorrow", 21), ("on Sunday", 22), ("Friday", 20), ("25 November", 25)]
)
def test_a_day_without_a_time_ends_at_its_midnight(sentence: str, day: int) -> None:
    (moment,) = moments(f"by {sentence}", FRIDAY)
    assert (moment.at, moment.whole_day, moment.day_end) == (at(day), True, at(day + 1))


@pytest.mark.parametrize("sentence", ["31 February", "2026-13-40", "13 pm", "at 5", "8 GPUs for 6 hours"])
def test_what_is_no_moment_is_none(sentence: str) -> None:
    assert moments(sentence, FRIDAY) == []


def test_several_moments_come_in_their_order() -> None:
    assert [m.said for m in moments("from tomorrow until Monday 9 am", FRIDAY)] == ["tomorrow", "Monday 9 am"]
