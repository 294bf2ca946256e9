"""From the steps of sources to half-hours."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agents.energy import resample
from agents.energy.feed import Ask, Flag
from core.errors import FeedInvalid
from core.series import Kind, Series, Unit

START = datetime(2024, 3, 22, tzinfo=UTC)
ZERO_S = int(START.timestamp())
figures = st.floats(-1000, 1000)


def times(step_s, count):
    return ZERO_S + step_s * np.arange(count, dtype=np.int64)


def steps(step_s, count):
    return np.full(count, step_s, dtype=np.int64)


@given(st.sampled_from(resample.STEPS_S), st.data())
def test_holding_figures_keeps_their_mean_over_time(step_s, data):
    hours = data.draw(st.integers(1, 24))
    count = hours * 3600 // step_s
    values = data.draw(arrays(np.float64, count, elements=figures))
    held = resample.held(times(step_s, count), values, steps(step_s, count), START, hours * 2)
    assert held.mean() == pytest.approx(values.mean(), abs=1e-9)


@given(arrays(np.float64, st.integers(2, 48), elements=figures))
def test_interpolating_keeps_the_mean_of_the_line_over_each_hour(values):
    half_hours = resample.interpolated(times(3600, values.size), values, 3600, START, 2 * (values.size - 1))
    assert half_hours.reshape(-1, 2).mean(axis=1) == pytest.approx((values[:-1] + values[1:]) / 2, abs=1e-9)


def test_an_hour_holds_for_both_its_half_hours():
    assert resample.held(times(3600, 2), np.array([1.0, 3.0]), steps(3600, 2), START, 4).tolist() == [1, 1, 3, 3]


def test_quarters_and_hours_in_one_answer_each_speak_for_their_own_time():
    at = np.array([ZERO_S, ZERO_S + 900, ZERO_S + 1800, ZERO_S + 2700, ZERO_S + 3600, ZERO_S + 7200, ZERO_S + 10_800])
    own = resample.steps_of(at, "feed:")
    assert own.tolist() == [900, 900, 900, 900, 3600, 3600, 3600]
    held = resample.held(at, np.array([1.0, 3, 5, 7, 9, 11, 13]), own, START, 8)
    assert held.tolist() == [2, 6, 9, 9, 11, 11, 13, 13]


def test_hours_that_turn_into_quarters_do_too():
    at = np.concatenate([times(3600, 3), times(900, 4) + 3 * 3600])
    assert resample.steps_of(at, "feed:").tolist() == [3600] * 3 + [900] * 4


def test_a_missing_figure_does_not_make_the_one_before_it_longer():
    at = np.delete(times(900, 8), 3)
    assert resample.steps_of(at, "feed:").tolist() == [900] * 7
    at = np.delete(times(3600, 8), [3, 4, 5])
    assert resample.steps_of(at, "feed:").tolist() == [3600] * 5


@pytest.mark.parametrize("at", [[], [0], [0, 700, 1400]])
def test_times_that_tell_no_known_step_are_refused(at):
    with pytest.raises(FeedInvalid):
        resample.steps_of(np.array(at, dtype=np.int64), "feed:")


@pytest.mark.parametrize(("known", "expected"), [(3, 7.0), (2, np.nan)])
def test_a_half_hour_needs_half_of_its_figures(known, expected):
    values = np.array([7.0] * known + [np.nan] * (6 - known))
    assert resample.held(times(300, 6), values, steps(300, 6), START, 1) == pytest.approx([expected], nan_ok=True)


def test_two_figures_for_one_time_are_refused():
    at = np.concatenate([times(3600, 1), times(900, 4)])
    own = np.array([3600, 900, 900, 900, 900])
    with pytest.raises(FeedInvalid, match="two figures speak for 2024-03-22 00:00"):
        resample.held(at, np.ones(5), own, START, 2)


def test_a_figure_off_its_step_is_refused():
    with pytest.raises(FeedInvalid, match="not on its step"):
        resample.held(times(900, 1) + 60, np.ones(1), steps(900, 1), START, 2)


def test_figures_outside_the_slots_are_left():
    held = resample.held(times(1800, 6), np.arange(6.0), steps(1800, 6), START + timedelta(hours=1), 2)
    assert held.tolist() == [2, 3]


def test_a_missing_hour_leaves_the_half_hours_beside_it_open():
    values = np.array([0.0, 4.0, np.nan, 8.0, 12.0])
    half_hours = resample.interpolated(times(3600, 5), values, 3600, START, 10)
    nan = np.nan
    assert half_hours == pytest.approx([1, 3, nan, nan, nan, nan, 9, 11, nan, nan], nan_ok=True)


def test_one_instant_makes_no_line():
    assert np.isnan(resample.interpolated(times(3600, 1), np.ones(1), 3600, START, 2)).all()


def test_of_a_time_that_comes_twice_the_last_counts_and_is_told():
    at, values, twice = resample.distinct(np.array([20, 10, 20]), np.array([1.0, 2.0, 3.0]))
    assert (at.tolist(), values.tolist(), twice.tolist()) == ([10, 20], [2, 3], [20])


def test_null_in_a_column_is_missing_and_never_zero():
    assert resample.column([1, None], 2, 0, 9, "feed:") == pytest.approx([1, np.nan], nan_ok=True)


@pytest.mark.parametrize("values", [None, {}, [1], [1, True], [1, "2"], [1, 10], [1, float("inf")]])
def test_a_broken_column_is_refused(values):
    with pytest.raises(FeedInvalid):
        resample.column(values, 2, 0, 9, "feed:")


@pytest.mark.parametrize("value", ["2024-03-22T00:00", "yesterday", None, 7])
def test_a_time_without_an_offset_is_refused(value):
    with pytest.raises(FeedInvalid, match="with its UTC offset"):
        resample.time_s(value, "feed:")


def test_kinds_follow_the_present_slot():
    kinds = resample.kinds_by_time(START, np.array([1.0, 1.0, 1.0, np.nan]), START + timedelta(minutes=59))
    assert kinds.tolist() == [Kind.ESTIMATE, Kind.FORECAST, Kind.FORECAST, Kind.MISSING]


def test_a_series_ends_where_the_figures_end():
    values = np.array([np.nan, 1.0, np.nan, 2.0, np.nan])
    kinds = resample.kinds_where(np.zeros(5, dtype=bool), values)
    series = resample.known_part("price", START, values, kinds, "test", START)["price"]
    assert series.start == START + timedelta(minutes=30)
    assert len(series) == 3
    assert series.unit is Unit.GBP_PER_KWH
    assert series.kinds.tolist() == [Kind.ESTIMATE, Kind.MISSING, Kind.ESTIMATE]


def test_what_was_noticed_at_some_times_is_one_finding_over_their_slots():
    (finding,) = resample.at_times(Flag.DUPLICATE, "price", times(900, 3), "twice.")
    assert (finding.start, finding.end) == (START, START + timedelta(hours=1))
    assert finding.detail == "3 figures: twice."
    assert resample.at_times(Flag.DUPLICATE, "price", times(900, 0), "twice.") == ()


def test_nothing_known_is_no_series():
    nothing = np.full(3, np.nan)
    kinds = resample.kinds_where(np.zeros(3, dtype=bool), nothing)
    assert resample.known_part("price", START, nothing, kinds, "test", START) == {}


def ask(now):
    return Ask("FR", START, START + timedelta(hours=2), now, None)


def series(slots):
    return {"price": Series.of(START, np.ones(slots), Kind.ESTIMATE, Unit.GBP_PER_KWH, "test", START)}


def test_an_answer_of_last_week_is_no_answer():
    with pytest.raises(FeedInvalid, match="no figures after 2024-03-22 00:30"):
        resample.require_figures(series(1), ask(START + timedelta(hours=1)), timedelta(0), "feed:")


def test_an_answer_as_old_as_the_source_ever_is_is_taken():
    resample.require_figures(series(1), ask(START + timedelta(hours=1)), timedelta(hours=1), "feed:")


def test_a_question_about_the_past_may_be_answered_with_old_dates():
    resample.require_figures(series(1), ask(START + timedelta(days=7)), timedelta(0), "feed:")


def test_an_answer_without_figures_is_refused():
    with pytest.raises(FeedInvalid, match="no figures for 2024-03-22 00:00 to 2024-03-22 02:00"):
        resample.require_figures({}, ask(START + timedelta(days=7)), timedelta(0), "feed:")


def test_an_ask_within_a_slot_takes_the_whole_slot():
    odd = Ask("FR", START + timedelta(minutes=10), START + timedelta(minutes=40), START, None)
    assert resample.slots_asked(odd) == (START, 2)
