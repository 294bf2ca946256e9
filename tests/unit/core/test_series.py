"""Series: nothing is invented, nothing is lost, and every value keeps its kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.series import Kind, Series, Unit
from core.slots import SLOT

START = datetime(2023, 3, 1, tzinfo=UTC)
VALUES = st.lists(st.one_of(st.floats(-5, 5, allow_nan=False), st.just(float("nan"))), min_size=1, max_size=12)


def series(values: list[float], kind: Kind = Kind.FORECAST, source: str = "a", offset: int = 0) -> Series:
    return Series.of(START + SLOT * offset, values, kind, Unit.GBP_PER_KWH, source, START)


def known(of: Series) -> dict[datetime, tuple[float, int]]:
    """Instant to value and kind, of the slots that are known."""
    return {
        of.start + SLOT * i: (float(value), int(kind))
        for i, (value, kind) in enumerate(zip(of.values, of.kinds, strict=True))
        if kind != Kind.MISSING
    }


@given(VALUES, st.integers(-15, 15), st.integers(0, 30))
@settings(max_examples=80)
def test_a_window_holds_the_known_values_inside_it_and_no_others(values: list[float], offset: int, count: int):
    whole = series(values)
    part = whole.window(START + SLOT * offset, count)
    assert len(part) == count
    assert known(part) == {at: value for at, value in known(whole).items() if part.start <= at < part.end}
    assert np.isnan(part.values[part.kinds == Kind.MISSING]).all()


@given(VALUES, VALUES, st.integers(-8, 8))
@settings(max_examples=80)
def test_an_overlay_keeps_every_stronger_value_and_fills_only_gaps(one: list[float], other: list[float], offset: int):
    strong, weak = series(one, Kind.SETTLED, "a"), series(other, Kind.SIMULATED, "b", offset)
    joined = strong.overlay(weak)
    inside = {at: value for at, value in known(weak).items() if strong.start <= at < strong.end}
    assert known(joined) == {**inside, **known(strong)}
    assert (joined.start, len(joined)) == (strong.start, len(strong))
    assert ("b" in joined.source) == bool(inside.keys() - known(strong).keys())


def test_an_overlay_of_another_unit_is_refused():
    with pytest.raises(ValueError, match="cannot join"):
        series([1.0]).overlay(Series.missing(START, 1, Unit.G_PER_KWH, "b", START))


def test_a_value_that_is_no_number_is_missing_whatever_kind_is_claimed():
    assert series([1.0, float("nan")], Kind.SETTLED).kinds.tolist() == [Kind.SETTLED, Kind.MISSING]


def test_a_series_off_the_half_hour_is_refused():
    with pytest.raises(ValueError, match="not on a half-hour"):
        Series.of(START.replace(minute=10), [1.0], Kind.FORECAST, Unit.KW, "a", START)


def test_values_and_kinds_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"kinds|shape|length"):
        Series(START, np.zeros(2), np.zeros(3, dtype=np.int8), Unit.KW, "a", START)


def test_the_kinds_used_are_found_firmest_first():
    joined = series([1.0, float("nan"), float("nan")], Kind.SETTLED).overlay(series([9, 2, 3], Kind.SIMULATED, "b"))
    assert joined.kinds_used() == (Kind.SETTLED, Kind.SIMULATED)


def test_without_an_interval_both_its_ends_are_the_values():
    low, high = series([1.0, 2.0], Kind.SETTLED).interval
    assert low.tolist() == high.tolist() == [1.0, 2.0]


def test_an_interval_goes_with_its_values_into_windows_and_joins():
    expected = series([5.0, 6.0, 7.0], Kind.FORECAST).with_interval(np.array([4.0, 5, 6]), np.array([7.0, 8, 9]))
    cut = expected.window(START + SLOT, 3)
    assert cut.low[:2].tolist() == [5.0, 6.0]
    assert np.isnan(cut.high[2])
    joined = series([1.0, float("nan"), float("nan")], Kind.SETTLED).overlay(expected)
    assert joined.low.tolist() == [1.0, 5.0, 6.0]
    assert joined.high.tolist() == [1.0, 8.0, 9.0]


def test_an_interval_is_widened_to_hold_its_value():
    made = series([5.0], Kind.FORECAST).with_interval(np.array([6.0]), np.array([5.5]))
    assert (made.low[0], made.high[0]) == (5.0, 5.5)


@pytest.mark.parametrize(
    ("low", "high"), [([6.0], [7.0]), ([4.0], None), ([4.0, 4.0], [6.0, 6.0]), ([float("nan")], [6.0])]
)
def test_an_interval_without_its_value_or_of_another_length_is_refused(low, high):
    with pytest.raises(ValueError, match="interval"):
        replace(series([5.0], Kind.FORECAST), low=np.array(low), high=None if high is None else np.array(high))
