"""Clocks: one moves by hand, one runs faster than the machine's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.clock import ManualClock, ScaledClock, SystemClock

START = datetime(2023, 3, 1, tzinfo=UTC)


def test_a_manual_clock_moves_only_forward():
    clock = ManualClock(START)
    clock.advance(timedelta(hours=1))
    with pytest.raises(ValueError, match="cannot go back"):
        clock.set(START)
    assert clock.now() == START + timedelta(hours=1)


def test_a_scaled_clock_starts_where_it_is_told_and_says_how_long_its_time_takes():
    clock = ScaledClock(START, 600)
    assert START <= clock.now() < START + timedelta(hours=1)
    assert clock.real_seconds(timedelta(minutes=30)) == 3.0


def test_clocks_that_stood_there_at_one_instant_agree_and_go_on_when_made_anew():
    since = datetime.now(UTC) - timedelta(seconds=3)
    one, other = ScaledClock(START, 600, since), ScaledClock(START, 600, since)
    assert START + timedelta(minutes=30) <= one.now() < START + timedelta(hours=1)
    assert abs(one.now() - other.now()) < timedelta(seconds=60)


def test_a_clock_that_does_not_run_is_refused():
    with pytest.raises(ValueError, match="must be positive"):
        ScaledClock(START, 0)


def test_the_machines_clock_is_aware_and_in_utc():
    assert SystemClock().now().utcoffset() == timedelta(0)
