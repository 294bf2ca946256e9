from __future__ import annotations

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.halfhours import (
    agile_known_until,
    indexes,
    instant_of,
    is_weekend,
    london_half_hour,
    slot_index,
    utc_half_hour,
    wall_index,
)
from core.slots import LONDON, SLOT, slots_between
from tests.unit.energy.fakes import utc

ZONES = ("Europe/London", "America/New_York", "Asia/Singapore", "Australia/Sydney", "America/St_Johns", "UTC")


@given(st.datetimes(utc(2018, 1, 1).replace(tzinfo=None), utc(2030, 1, 1).replace(tzinfo=None)))
def test_local_half_hours_agree_with_the_time_zone_database(moment):
    start = instant_of(slot_index(moment.replace(tzinfo=utc(2020, 1, 1).tzinfo)))
    index = indexes(start, 96)
    local = [(start + SLOT * i).astimezone(LONDON) for i in range(96)]
    assert london_half_hour(index).tolist() == [each.hour * 2 + each.minute // 30 for each in local]


@pytest.mark.parametrize("change", [utc(2023, 3, 26), utc(2023, 10, 29), utc(2024, 3, 31), utc(2026, 10, 25)])
def test_local_half_hours_cross_the_clock_change_at_one_o_clock_utc(change):
    index = indexes(change, 8)
    local = [(change + SLOT * i).astimezone(LONDON) for i in range(8)]
    assert london_half_hour(index).tolist() == [each.hour * 2 + each.minute // 30 for each in local]


def test_half_hours_of_nothing_are_nothing():
    assert london_half_hour(np.array([], dtype=np.int64)).size == 0


@given(st.integers(700_000, 1_100_000), st.integers(1, 3000), st.sampled_from(ZONES))
def test_a_wall_index_is_the_time_on_the_wall_for_any_zone_and_season(first, count, timezone):
    slots = np.arange(first, first + count)
    wall = wall_index(slots, timezone)
    for slot, found in ((slots[0], wall[0]), (slots[-1], wall[-1])):
        local = instant_of(int(slot)).astimezone(ZoneInfo(timezone)).replace(tzinfo=UTC)
        assert found == slot_index(local)


def test_every_change_of_two_years_falls_on_its_slot():
    first = slot_index(utc(2022, 1, 1))
    slots = np.arange(first, first + 2 * 365 * 48)
    offsets = np.diff(wall_index(slots, "Europe/London") - slots)
    changes = [instant_of(int(slot)) for slot in slots[1:][offsets != 0]]
    days = [(2022, 3, 27), (2022, 10, 30), (2023, 3, 26), (2023, 10, 29)]
    assert changes == [utc(*day, 1) for day in days]


def test_no_slots_have_no_wall_indexes():
    assert wall_index(np.array([], dtype=np.int64), "Europe/London").size == 0


def test_index_and_instant_are_inverse():
    assert instant_of(slot_index(utc(2023, 3, 1, 12, 47))) == utc(2023, 3, 1, 12, 30)
    assert utc_half_hour(indexes(utc(2023, 3, 1, 12, 30), 1)).tolist() == [25]


def test_weekends_are_saturday_and_sunday():
    days = [bool(is_weekend(indexes(utc(2023, 3, day), 1))[0]) for day in range(1, 8)]
    assert days == [False, False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("now", "slots"),
    [
        (utc(2023, 1, 10, 16), 62),
        (utc(2023, 1, 10, 15, 59), 15),
        (utc(2023, 1, 10, 15, 30), 15),
        (utc(2023, 1, 10, 23, 30), 47),
        (utc(2023, 6, 10, 15), 62),
        (utc(2023, 6, 10, 14, 30), 15),
        (utc(2023, 3, 25, 16), 60),
        (utc(2023, 10, 28, 15), 64),
    ],
)
def test_agile_prices_are_known_to_23_00_local_and_a_day_further_from_16_00(now, slots):
    known_until = agile_known_until(now)
    assert known_until.astimezone(LONDON).hour == 23
    assert slots_between(instant_of(slot_index(now)), known_until) == slots


def test_agile_horizon_never_goes_back():
    moments = [utc(2023, 3, 24) + timedelta(minutes=30 * i) for i in range(48 * 5)]
    horizons = [agile_known_until(moment) for moment in moments]
    assert horizons == sorted(horizons)
