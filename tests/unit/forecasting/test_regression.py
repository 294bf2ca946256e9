"""The ridge regression finds what is there, goes on learning, and is not swayed by a few large misses."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.regression import Moments, absolute_weights, fitted, moments, solve

ROWS = 400


@pytest.fixture
def columns() -> np.ndarray:
    rng = np.random.default_rng(3)
    found = rng.normal(size=(48, ROWS, 3))
    found[:, :, 0] = 1.0
    return found


def smooth_truth() -> np.ndarray:
    """Coefficients that differ by half-hour, little between neighbours, also over midnight."""
    turn = 2 * np.pi * np.arange(48) / 48
    return np.stack([np.cos(turn), 2 + 0.3 * np.sin(turn), np.full(48, -1.0)], axis=1)


def test_the_coefficients_of_each_half_hour_are_found(columns: np.ndarray) -> None:
    truth = smooth_truth()
    found = solve(moments(columns, fitted(columns, truth), np.ones((48, ROWS))), 1e-3, 1e-3)
    assert found == pytest.approx(truth, abs=0.05)


def test_a_heavy_penalty_leaves_one_regression_for_the_whole_day_then_none(columns: np.ndarray) -> None:
    sums = moments(columns, fitted(columns, smooth_truth()), np.ones((48, ROWS)))
    common = solve(sums, 1e-3, 1e12)
    assert common.std(axis=0) == pytest.approx(np.zeros(3), abs=1e-3)
    assert common[0] == pytest.approx([0, 2, -1], abs=0.05)
    assert solve(sums, 1e12, 1e12) == pytest.approx(np.zeros((48, 3)), abs=1e-3)


def test_rows_of_weight_zero_do_not_count(columns: np.ndarray) -> None:
    values = fitted(columns, smooth_truth())
    weights = np.ones((48, ROWS))
    weights[:, ::3] = 0.0
    wrong = np.where(weights == 0, 1e6, values)
    assert solve(moments(columns, wrong, weights), 1.0, 1.0) == pytest.approx(
        solve(moments(columns, values, weights), 1.0, 1.0)
    )


def test_learning_in_two_parts_is_learning_all_at_once_with_the_older_part_weighing_less(columns: np.ndarray) -> None:
    values = np.random.default_rng(4).normal(size=(48, ROWS))
    weights = np.where(np.arange(ROWS) < 300, 0.25, 1.0) * np.ones((48, 1))
    at_once = moments(columns, values, weights)
    older = moments(columns[:, :300], values[:, :300], np.ones((48, 300)))
    newer = moments(columns[:, 300:], values[:, 300:], np.ones((48, 100)))
    found = older.plus(newer, keep=0.25)
    assert isinstance(found, Moments)
    assert found.gram == pytest.approx(at_once.gram)
    assert found.moment == pytest.approx(at_once.moment)


def test_a_few_large_misses_sway_least_deviations_less_than_least_squares(columns: np.ndarray) -> None:
    truth = smooth_truth()
    values = fitted(columns, truth) + np.random.default_rng(5).normal(0, 0.1, (48, ROWS))
    values[:, :40] += 50.0
    squares = found = solve(moments(columns, values, np.ones((48, ROWS))), 1.0, 1.0)
    for _ in range(10):
        found = solve(moments(columns, values, absolute_weights(values - fitted(columns, found))), 1.0, 1.0)
    assert np.abs(squares - truth)[:, 0].mean() > 4
    assert np.abs(found - truth)[:, 0].mean() < 0.1


def test_the_neighbours_of_midnight_are_on_both_sides_of_it() -> None:
    columns, values = np.ones((48, 100, 1)), np.zeros((48, 100))
    values[47] = 1.0
    found = solve(moments(columns, values, np.ones((48, 100))), 1e-6, 1e-6)[:, 0]
    assert found[0] == pytest.approx(found[46])
    assert found[47] > found[0] > found[1] > found[24]


def test_no_residuals_have_no_weights() -> None:
    assert absolute_weights(np.empty((48, 0))).shape == (48, 0)
