from __future__ import annotations

import numpy as np
import pytest

from agents.energy.forecast import PROFILE_SOURCE, profile_forecast
from core.halfhours import london_half_hour, utc_half_hour
from core.series import Kind, Series, Unit
from core.slots import SLOT
from tests.unit.energy.fakes import utc

MONDAY = utc(2023, 3, 6)
SHAPE = np.concatenate([np.full(24, 10.0), np.full(24, 30.0)])


def history(values, unit=Unit.G_PER_KWH, start=MONDAY):
    return Series.of(start, np.asarray(values, dtype=float), Kind.ESTIMATE, unit, "seen", start)


def forecast(known, start=None, count=48, half_hour=utc_half_hour):
    return profile_forecast(known, start or known.end, count, half_hour, known.end)


def test_a_week_of_equal_days_is_expected_to_go_on():
    series = forecast(history(np.tile(SHAPE, 7)))
    assert series.values.tolist() == pytest.approx(SHAPE.tolist())
    assert series.kinds_used() == (Kind.FORECAST,)
    assert series.source == PROFILE_SOURCE


def test_weekdays_and_weekends_have_their_own_profiles():
    week = np.tile(SHAPE, 7)
    week[48 * 5 :] = 5.0
    values = forecast(history(week), count=48 * 7).values
    assert values[24 : 48 * 5 : 48].mean() - values[48 * 5 :].mean() == pytest.approx(25)


def test_a_half_hour_not_seen_at_weekends_takes_the_weekday_profile():
    values = forecast(history(np.tile(SHAPE, 4)), start=utc(2023, 3, 11)).values
    assert values.tolist() == pytest.approx(SHAPE.tolist())


def test_the_level_is_that_of_the_last_known_day():
    values = np.tile(SHAPE, 7)
    values[-48:] += 7
    assert forecast(history(values), start=utc(2023, 3, 18)).values.mean() == pytest.approx(27)


def test_only_the_last_seven_known_days_count():
    values = np.concatenate([np.full(48 * 20, 900.0), np.tile(SHAPE, 7)])
    assert forecast(history(values)).values.max() == pytest.approx(30)


def test_gaps_in_the_history_are_left_out():
    values = np.tile(SHAPE, 7)
    values[100:110] = np.nan
    assert forecast(history(values)).values.tolist() == pytest.approx(SHAPE.tolist())


def test_less_than_a_day_of_history_makes_no_forecast():
    assert forecast(history(SHAPE[:47])) is None


def test_intensities_stay_above_zero_and_prices_may_not():
    values = np.tile(SHAPE, 7)
    values[-48:] -= 25
    assert forecast(history(values), start=utc(2023, 3, 18)).values.min() == 0
    assert forecast(history(values, Unit.GBP_PER_KWH), start=utc(2023, 3, 18)).values.min() < 0


def test_a_local_habit_keeps_its_local_hour_across_the_clock_change():
    start = utc(2023, 3, 20)
    index = np.arange(48 * 6)
    values = np.where((index % 48 >= 32) & (index % 48 < 38), 50.0, 10.0)
    after = forecast(history(values, start=start), start=utc(2023, 3, 27), half_hour=london_half_hour)
    assert np.flatnonzero(after.values > 30).tolist() == list(range(30, 36))
    assert after.end - after.start == 48 * SLOT
