from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.energy.feed import Flag
from agents.energy.reading import (
    findings_at,
    instant,
    json_of,
    mapping,
    number,
    numbers,
    require_current,
    rows,
    runs,
    series_at,
    slot_of,
)
from core.errors import FeedInvalid
from core.halfhours import instant_of, slot_index
from core.series import Kind, Unit
from core.slots import SLOT
from core.vintage import RawAnswer

NOW = datetime(2026, 11, 20, 13, 47, tzinfo=UTC)
SLOT_NOW = slot_index(NOW)


def answer(body, content_type="application/json; charset=utf-8"):
    return RawAnswer.of("https://feed.test/", content_type, body)


def test_json_is_read_whatever_follows_its_content_type():
    assert json_of(answer(b'{"a": [1, null]}'), "feed") == {"a": [1, None]}
    assert json_of(answer(b"[]", "application/hal+JSON"), "feed") == []


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": 1', b'{"a": NaN}', b"[Infinity]", b"\xff\xfe\x00", b"[" * 200_000]
)
def test_a_body_that_is_no_json_is_refused(body):
    with pytest.raises(FeedInvalid, match="feed answered with broken JSON"):
        json_of(answer(body), "feed")


@pytest.mark.parametrize("content_type", ["text/html", "", "text/plain"])
def test_another_content_type_is_refused_though_its_body_be_json(content_type):
    with pytest.raises(FeedInvalid, match="instead of JSON"):
        json_of(answer(b"{}", content_type), "feed")


def test_objects_and_arrays_are_told_apart():
    assert mapping({"a": 1}, "feed") == {"a": 1}
    assert rows([{"a": 1}], "feed") == [{"a": 1}]
    for wrong in ([], "a", None):
        with pytest.raises(FeedInvalid, match="an object was expected"):
            mapping(wrong, "feed")
    for wrong in ({}, "a", None, [1]):
        with pytest.raises(FeedInvalid, match="was expected"):
            rows(wrong, "feed")


@pytest.mark.parametrize("text", ["2026-11-20T13:30Z", "2026-11-20T13:30:00+00:00", "2026-11-20T14:30:00+01:00"])
def test_a_time_is_an_instant_in_utc_whatever_its_offset(text):
    assert instant(text, "feed") == instant_of(SLOT_NOW)
    assert slot_of(text, "feed") == SLOT_NOW
    assert slot_of(text, "feed") == SLOT_NOW, "the second time from memory"


@pytest.mark.parametrize("wrong", ["2026-11-20T13:30", "2026-11-20T13:31Z", "soon", None, 7, True, [], {}])
def test_a_time_without_offset_off_the_half_hour_or_of_another_type_is_refused_each_time(wrong):
    for _ in range(2):
        with pytest.raises(FeedInvalid, match=r"feed is .* was expected|which is not on a half-hour"):
            slot_of(wrong, "feed")


@pytest.mark.parametrize("wrong", ["5", True, [], 10.1, -0.1, math.inf, 10**400], ids=lambda wrong: str(wrong)[:9])
def test_what_is_no_number_within_its_bounds_is_refused_alone_and_among_others(wrong):
    with pytest.raises(FeedInvalid, match="feed is"):
        number(wrong, 0, 10, "feed")
    with pytest.raises(FeedInvalid, match="feed is"):
        numbers([1, wrong, None, 2.5], 0, 10, "feed")


@pytest.mark.parametrize("wrong", [None, math.nan])
def test_nothing_is_no_number(wrong):
    with pytest.raises(FeedInvalid, match="a number was expected"):
        number(wrong, 0, 10, "feed")


@given(st.lists(st.none() | st.floats(-5, 5) | st.integers(-5, 5)))
def test_many_numbers_are_read_as_one_by_one_and_null_is_never_zero(values):
    read = numbers(values, -5, 5, "feed")
    expected = [math.nan if value is None else number(value, -5, 5, "feed") for value in values]
    np.testing.assert_array_equal(read, np.array(expected, dtype=np.float64))


@given(st.sets(st.integers(0, 60)))
def test_runs_hold_each_slot_once_and_never_touch(slots):
    found = runs(np.array(sorted(slots), dtype=np.int64))
    assert [slot for first, end in found for slot in range(first, end)] == sorted(slots)
    assert all(a[1] < b[0] for a, b in pairwise(found))


def test_a_finding_is_made_for_each_run_and_counts_its_slots():
    slots = np.array([SLOT_NOW, SLOT_NOW + 1, SLOT_NOW + 4])
    first, second = findings_at(Flag.GAP, "price", slots, "{count} slots")
    assert (first.detail, first.start, first.end) == ("2 slots", instant_of(SLOT_NOW), instant_of(SLOT_NOW + 2))
    assert (second.detail, second.start - first.start) == ("1 slots", 4 * SLOT)


def test_figures_in_any_order_make_a_series_whose_gaps_are_missing():
    index = np.array([SLOT_NOW + 3, SLOT_NOW, SLOT_NOW + 2])
    kinds = np.array([Kind.FORECAST, Kind.ESTIMATE, Kind.FORECAST], dtype=np.int8)
    series = series_at(index, np.array([3.0, 0.0, np.nan]), kinds, Unit.MW, "feed", NOW)
    assert series.start == instant_of(SLOT_NOW)
    assert series.kinds.tolist() == [Kind.ESTIMATE, Kind.MISSING, Kind.MISSING, Kind.FORECAST]
    assert series.values[[0, 3]].tolist() == [0, 3]


def test_figures_must_reach_the_present_where_slots_ahead_were_asked_for():
    require_current(SLOT_NOW, NOW + SLOT, NOW, "feed")
    with pytest.raises(FeedInvalid, match="feed has no figures after 2026-11-20 13:30 UTC"):
        require_current(SLOT_NOW - 1, NOW + SLOT, NOW, "feed")
    require_current(SLOT_NOW - 9_999, NOW, NOW, "feed")
