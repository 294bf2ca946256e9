"""The forecaster as others use it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.halfhours import slot_index
from forecasting.forecaster import MODEL, Fitted, fit
from forecasting.history import History
from tests.pace import paced_s
from tests.unit.forecasting.worlds import START, history, noisy, shape_of_people

FIT_S = 1.0
WEEK = 7 * 48


def driven(days: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Prices that a known neighbour's price moves, and that neighbour's price."""
    wind = np.repeat(np.random.default_rng(seed).normal(0, 5, days * 4), 12)
    return noisy(days, seed) + wind, wind


@pytest.fixture(scope="module")
def alone() -> Fitted:
    return fit(history(noisy(150)))


def test_a_year_is_learnt_in_under_a_second_of_cpu_and_forecast_in_milliseconds() -> None:
    values, wind = driven(393)
    seen = history(values[:-48], wind=wind)
    assert paced_s(lambda: fit(seen), tries=3) < FIT_S
    fitted = fit(seen)
    assert paced_s(lambda: fitted.predict(seen, WEEK)) < 0.1


def test_the_forecast_begins_after_the_last_known_slot_and_each_mean_lies_in_its_interval(alone: Fitted) -> None:
    seen = history(noisy(150))
    found = alone.predict(seen, 100)
    assert found.first == seen.end
    assert found.model == MODEL
    assert found.level == 0.9
    assert found.mean.shape == found.low.shape == found.high.shape == (100,)
    assert ((found.low < found.mean) & (found.mean < found.high)).all()


def test_noise_apart_the_shape_of_the_days_is_found(alone: Fitted) -> None:
    expected = shape_of_people(START, 157)[-WEEK:]
    found = alone.predict(history(noisy(150)), WEEK)
    assert np.abs(found.mean - expected).mean() < 1.2


def test_both_baselines_are_beaten_on_unseen_days_at_every_lead(alone: Fitted) -> None:
    assert [score.day_ahead for score in alone.scores] == list(range(1, 8))
    for score in alone.scores:
        assert score.mae < 0.95 * min(score.naive_mae, score.slot_mean_mae)
        assert 0.8 < score.coverage <= 1
        assert score.slots == 56 * 48


def test_the_interval_covers_nine_tenths_of_days_that_came_later() -> None:
    values = noisy(260, seed=11, spread=0.3) + np.random.default_rng(12).normal(0, 2, 260 * 48)
    fitted = fit(history(values[: 160 * 48]))
    inside = []
    for day in range(160, 253, 3):
        found = fitted.predict(history(values[: day * 48]), WEEK)
        outturn = values[day * 48 : day * 48 + WEEK]
        inside.append((outturn >= found.low) & (outturn <= found.high))
    assert 0.88 < np.mean(inside) < 0.95


def test_a_stored_forecaster_forecasts_the_very_same() -> None:
    values, wind = driven(100)
    seen = history(values[:-48], wind=wind)
    fitted = fit(seen)
    again = Fitted.from_json(json.loads(json.dumps(fitted.to_json(), allow_nan=False)))
    assert again.scores == fitted.scores
    for asked in (seen, replace(seen, covariates={})):
        one, other = fitted.predict(asked, WEEK), again.predict(asked, WEEK)
        assert one.mean.tobytes() == other.mean.tobytes()
        assert (one.low.tobytes(), one.high.tobytes()) == (other.low.tobytes(), other.high.tobytes())


def test_the_same_history_teaches_the_same() -> None:
    assert fit(history(noisy(60))).to_json() == fit(history(noisy(60))).to_json()


def test_a_covariate_that_is_known_ahead_makes_the_day_ahead_better() -> None:
    values, wind = driven(150)
    with_it = fit(history(values[:-48], wind=wind)).scores[0]
    without = fit(history(values[:-48])).scores[0]
    assert with_it.mae < 0.6 * without.mae


def test_a_forecast_does_without_covariates_that_are_down_or_not_published_yet() -> None:
    values, wind = driven(150)
    fitted = fit(history(values[:-48], wind=wind, price=wind))
    bare = fit(history(values[:-48])).predict(history(values[:-48]), WEEK)
    down = fitted.predict(history(values[:-48]), WEEK)
    assert np.array_equal(down.mean, bare.mean)
    assert np.array_equal(down.high, bare.high)
    unpublished = history(values[:-48], wind=wind[:-48], price=wind[:-48])
    not_yet = fitted.predict(unpublished, WEEK)
    assert [set(variant.ahead.values()) for variant in fitted.variants] == [{1}, {0}, set()]
    for_that = replace(fitted, variants=fitted.variants[1:2])
    assert np.array_equal(not_yet.mean, for_that.predict(unpublished, WEEK).mean)
    assert np.abs(not_yet.mean - down.mean).max() > 0.1
    one_down = fitted.predict(history(values[:-48], wind=wind), WEEK)
    assert np.array_equal(one_down.mean, down.mean)


def test_a_covariate_published_after_the_fit_is_used_at_once() -> None:
    values, wind = driven(150)
    fitted = fit(history(values[:-48], wind=wind[:-48]))
    outturn = values[-48:]
    published = fitted.predict(history(values[:-48], wind=wind), 48)
    before = fitted.predict(history(values[:-48], wind=wind[:-48]), 48)
    assert np.abs(published.mean - outturn).mean() < 0.7 * np.abs(before.mean - outturn).mean()


def test_a_fortnight_is_enough_to_begin_with() -> None:
    seen = history(noisy(14))
    fitted = fit(seen)
    found = fitted.predict(seen, WEEK)
    assert fitted.scores
    assert np.abs(found.mean - shape_of_people(START, 21)[-WEEK:]).mean() < 4


@pytest.mark.parametrize("days", [0, 3, 13])
def test_less_than_a_fortnight_is_refused_with_what_is_missing(days: int) -> None:
    values = np.full(30 * 48, np.nan)
    values[: days * 48] = 1.0
    with pytest.raises(ValueError, match=rf"{days}\.0 days of figures are known; a forecast takes 14"):
        fit(history(values))


def test_a_forecast_after_eight_weeks_of_silence_is_refused(alone: Fitted) -> None:
    values = np.append(noisy(100), np.full(60 * 48, np.nan))
    with pytest.raises(ValueError, match="forecast takes 7"):
        alone.predict(history(values), 48)


@pytest.mark.parametrize("figure", [0.0, 5.0, -3.2])
def test_a_frozen_series_is_forecast_to_stay(figure: float) -> None:
    seen = history(np.full(40 * 48, figure))
    found = fit(seen).predict(seen, WEEK)
    assert found.mean == pytest.approx(np.full(WEEK, figure))
    assert found.low == pytest.approx(found.high)


def test_missing_days_and_slots_leave_a_sound_forecast() -> None:
    values = noisy(120)
    holes = np.random.default_rng(6).random(values.size) < 0.2
    values[holes] = np.nan
    values[70 * 48 : 76 * 48] = np.nan
    seen = history(values)
    found = fit(seen).predict(seen, WEEK)
    assert np.abs(found.mean - shape_of_people(START, 127)[-WEEK:]).mean() < 1.5


def test_nothing_is_forecast_below_the_floor() -> None:
    values = np.maximum(noisy(100, spread=12.0) - 15, 0.0)
    free = history(values)
    floored = replace(free, floor=0.0)
    assert fit(free).predict(free, WEEK).low.min() < 0
    found = fit(floored).predict(floored, WEEK)
    assert min(found.mean.min(), found.low.min(), found.high.min()) >= 0


@pytest.mark.parametrize("day", [datetime(2023, 3, 25, tzinfo=UTC), datetime(2023, 10, 28, tzinfo=UTC)])
def test_the_evening_peak_stays_in_the_evening_across_a_clock_change(day: datetime) -> None:
    start = day - timedelta(days=60)
    seen = history(shape_of_people(start, 60), start)
    found = fit(seen).predict(seen, WEEK)
    assert found.mean == pytest.approx(shape_of_people(start, 67)[-WEEK:], abs=1.5)


def test_beyond_a_week_the_week_repeats(alone: Fitted) -> None:
    found = alone.predict(history(noisy(150)), 3 * WEEK)
    assert found.mean.size == 3 * WEEK
    assert np.array_equal(found.mean[WEEK : 2 * WEEK], found.mean[:WEEK])
    width = found.high - found.low
    assert width[WEEK:].reshape(-1, 48) == pytest.approx(np.tile(width[WEEK - 48 : WEEK], (14, 1)))
    assert width[WEEK : WEEK + 48].mean() > width[:48].mean()


def test_a_forecaster_that_is_asked_at_all_hours_is_as_good_at_each() -> None:
    values = noisy(200, seed=8, spread=1.0)
    fitted = fit(history(values[: 150 * 48]), origins_per_day=4)
    errors = []
    for known in range(150 * 48, 190 * 48, 43):
        found = fitted.predict(history(values[:known]), 48)
        errors.append(np.abs(found.mean - values[known : known + 48]).mean())
    assert np.mean(errors) < 1.2
    assert max(errors) < 4


def test_people_elsewhere_live_by_their_own_clock() -> None:
    start = datetime(2023, 2, 1, tzinfo=UTC)
    values = shape_of_people(start, 60, "America/New_York")
    seen = History(slot_index(start), values[: 40 * 48], {}, "America/New_York", None)
    found = fit(seen).predict(seen, WEEK)
    assert found.mean == pytest.approx(values[40 * 48 : 40 * 48 + WEEK], abs=1.0)


@given(st.integers(0, 10_000), st.floats(1e-4, 1e4), st.integers(14, 40))
@settings(max_examples=6, deadline=None)
def test_a_forecast_scales_with_its_unit(seed: int, unit: float, days: int) -> None:
    values = noisy(days, seed)
    one = fit(history(values)).predict(history(values), WEEK)
    other = fit(history(values * unit)).predict(history(values * unit), WEEK)
    assert other.mean == pytest.approx(one.mean * unit, rel=1e-6, abs=1e-6 * unit)
    assert other.high == pytest.approx(one.high * unit, rel=1e-6, abs=1e-6 * unit)


@given(st.lists(st.floats(-1e6, 1e6), min_size=20, max_size=20), st.integers(1, 400))
@settings(max_examples=6, deadline=None)
def test_whatever_the_figures_the_forecast_is_finite_and_in_order(levels: list[float], slots: int) -> None:
    seen = history(np.repeat(np.array(levels), 48))
    found = fit(seen).predict(seen, slots)
    assert np.isfinite(found.mean).all()
    assert ((found.low <= found.mean) & (found.mean <= found.high)).all()


@pytest.mark.parametrize("days_ahead", range(9))
def test_a_covariate_may_end_on_any_day_ahead(days_ahead: int) -> None:
    known = history(noisy(30), wind=noisy(30 + days_ahead, seed=7))
    assert np.isfinite(fit(known).predict(known, 7 * 48).mean).all()
