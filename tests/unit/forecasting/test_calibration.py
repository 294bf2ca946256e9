"""Blend, intervals and score are taken from unseen days and say what they should."""

from __future__ import annotations

import numpy as np
import pytest

from core.series import LEVEL
from forecasting.calibration import BLENDS, Trial, _tails, calibrate, day_part
from forecasting.training import FOLDS

DAYS = 8 * 50
HALF_HOURS = np.arange(48)


def trial(errors: np.ndarray, others: float = 50.0) -> Trial:
    """A regression that misses by ``errors`` (n, 48), baselines that miss by ``others``, always too low."""
    outturn = 100.0 + np.zeros(errors.shape)
    candidates = np.stack([outturn - errors, *(outturn - others * (1 + 0.1 * k) for k in range(3))])
    fold = np.arange(len(errors)) * FOLDS // len(errors)
    return Trial(1, candidates, outturn, np.ones(errors.shape, dtype=bool), np.full(len(errors), 2.0), fold)


def noise(days: int = DAYS, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(days, 1)) + rng.normal(size=(days, 48)) * (1 + (HALF_HOURS > 24))


def test_a_good_regression_is_used_alone_and_its_interval_covers_what_it_says() -> None:
    calibration, (score,) = calibrate([trial(noise())], HALF_HOURS, DAYS)
    assert calibration.blend.tolist() == [1, 0, 0, 0]
    assert score.coverage == pytest.approx(LEVEL, abs=0.02)
    assert score.slots == DAYS * 48
    assert score.mae == pytest.approx(np.abs(noise()).mean())
    assert (score.slot_mean_mae, score.naive_mae) == (pytest.approx(50), pytest.approx(55))


def test_an_interval_is_wider_where_the_day_is_harder_to_forecast() -> None:
    calibration, _ = calibrate([trial(noise())], HALF_HOURS, DAYS)
    width = calibration.quantiles[:, 1] - calibration.quantiles[:, 0]
    assert width[5:].min() > 1.2 * width[:4].max()


def test_errors_to_one_side_give_an_interval_on_that_side_that_holds_the_forecast() -> None:
    calibration, _ = calibrate([trial(np.abs(noise()) + 1)], HALF_HOURS, DAYS)
    assert (calibration.quantiles[:, 0] == 0).all()
    assert (calibration.quantiles[:, 1] > 0).all()


def test_a_regression_that_is_worse_than_the_baselines_gives_way_to_them() -> None:
    calibration, (score,) = calibrate([trial(500 + noise(), others=1.0)], HALF_HOURS, DAYS)
    assert calibration.blend.tolist() == [0, 1, 0, 0]
    assert score.mae < 500 * 2 / FOLDS


@pytest.mark.parametrize(("days", "regression"), [(30, 0.0), (365, 1.0), (3650, 1.0)])
def test_a_baseline_that_erred_a_little_less_is_preferred_after_a_short_history_only(
    days: int, regression: float
) -> None:
    errors = np.full((DAYS, 48), 1.02)
    calibration, _ = calibrate([trial(errors, others=1.0)], HALF_HOURS, days)
    assert calibration.blend[0] == regression


def test_the_blend_of_a_refit_does_not_know_its_own_errors() -> None:
    errors = noise() / 100
    errors[np.arange(DAYS) * FOLDS // DAYS == FOLDS - 1] += 500.0
    calibration, (score,) = calibrate([trial(errors, others=1.0)], HALF_HOURS, DAYS)
    assert score.mae == pytest.approx(500 / FOLDS, rel=0.05)
    assert calibration.blend[0] == 0


def test_the_score_of_a_refit_does_not_know_its_own_errors() -> None:
    errors = noise()
    last = np.arange(DAYS) * FOLDS // DAYS == FOLDS - 1
    errors[last] += 1000.0
    _, (score,) = calibrate([trial(errors, others=5000.0)], HALF_HOURS, DAYS)
    assert score.coverage == pytest.approx(LEVEL * (FOLDS - 2) / (FOLDS - 1), abs=0.02)


def test_days_without_outturns_are_not_judged() -> None:
    whole = trial(noise())
    known = whole.known.copy()
    known[:, :24] = False
    errors = noise()
    errors[:, :24] = 1e9
    half = trial(errors)
    _, (score,) = calibrate([Trial(1, half.candidates, half.outturn, known, half.scale, half.fold)], HALF_HOURS, DAYS)
    assert score.slots == DAYS * 24
    assert score.mae < 10
    assert score.coverage == pytest.approx(LEVEL, abs=0.03)


def test_a_lead_that_no_day_was_forecast_at_has_no_score() -> None:
    calibration, scores = calibrate([trial(np.empty((0, 48)))], HALF_HOURS, DAYS)
    assert scores == ()
    assert calibration.quantiles.tolist() == [[0.0, 0.0]] * 8


def test_few_days_widen_the_interval_by_their_number() -> None:
    assert _tails(10_000) == pytest.approx((0.05, 0.95), abs=1e-3)
    assert _tails(56)[1] == pytest.approx(0.95 * 57 / 56)
    assert _tails(5) == (0.0, 1.0)


def test_every_blend_is_a_mean_and_the_first_is_the_regression() -> None:
    assert BLENDS.sum(axis=1) == pytest.approx(np.ones(len(BLENDS)))
    assert BLENDS[0].tolist() == [1, 0, 0, 0]


def test_the_day_has_eight_parts_of_three_hours() -> None:
    assert np.bincount(day_part(HALF_HOURS)).tolist() == [6] * 8
