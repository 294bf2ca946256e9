"""Histories laid out in local days."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from core.halfhours import slot_index
from forecasting.blocks import SCALE_DAYS, blocks_of
from forecasting.history import History
from tests.unit.forecasting.worlds import START, history, noisy, shape_of_people


@pytest.mark.parametrize("start", [datetime(2023, 3, 10, tzinfo=UTC), datetime(2023, 10, 13, tzinfo=UTC)])
def test_a_column_is_the_same_local_half_hour_across_a_clock_change(start: datetime) -> None:
    blocks = blocks_of(history(shape_of_people(start, 28), start))
    weekdays = blocks.weekday[: blocks.count, 24] < 5
    whole = blocks.target.known.all(axis=1)
    days = blocks.target.values[weekdays & whole]
    assert len(days) >= 18
    peak = np.argmax(days, axis=1)
    assert set(blocks.half_hour[peak]) == {36}


def test_the_last_block_ends_with_the_last_known_slot_whatever_the_hour() -> None:
    values = np.arange(20 * 48 + 13, dtype=float)
    blocks = blocks_of(history(values))
    assert blocks.count == 20
    assert blocks.target.values[-1].tolist() == values[-48:].tolist()
    assert blocks_of(history(values), back_slots=12).target.values[-1, -1] == values[-13]


def test_a_gap_holds_the_day_before_and_is_not_known() -> None:
    values = noisy(20)
    values[10 * 48 : 11 * 48] = np.nan
    target = blocks_of(history(values)).target
    assert np.array_equal(target.values[10], values[9 * 48 : 10 * 48])
    assert not target.known[10].any()
    assert target.known.sum() == 19 * 48


def test_a_gap_at_the_start_holds_the_day_after() -> None:
    values = noisy(20)
    values[:48] = np.nan
    assert np.array_equal(blocks_of(history(values)).target.values[0], values[48:96])


def test_the_hour_that_spring_skips_is_not_known() -> None:
    start = datetime(2023, 3, 20, tzinfo=UTC)
    target = blocks_of(history(shape_of_people(start, 14), start)).target
    assert (~target.known).sum() == 2


def test_centre_and_scale_know_nothing_of_later_days() -> None:
    values = noisy(80)
    changed = values.copy()
    changed[50 * 48 :] += 1000
    before, after = blocks_of(history(values)).target, blocks_of(history(changed)).target
    assert np.array_equal(before.centre[:50], after.centre[:50])
    assert np.array_equal(before.scale[:50], after.scale[:50])
    assert after.centre[50 + SCALE_DAYS // 2 :].min() > before.centre.max()


def test_a_scale_is_never_zero() -> None:
    assert (blocks_of(history(np.zeros(20 * 48))).target.scale > 0).all()


def test_figures_come_back_from_the_transformed_scale() -> None:
    target = blocks_of(history(noisy(40))).target
    rows = np.arange(30, 40)
    assert target.original(target.normal(rows, rows - 1), rows - 1) == pytest.approx(target.values[rows])


def test_the_mean_over_days_is_that_of_the_days_there_are() -> None:
    target = blocks_of(history(noisy(40))).target
    mean = target.mean_over(28)
    assert mean[35] == pytest.approx(target.values[8:36].mean(axis=0))
    assert mean[3] == pytest.approx(target.values[:4].mean(axis=0))


@pytest.mark.parametrize(("slots_ahead", "days"), [(0, 0), (40, 0), (42, 1), (48, 1), (96, 2), (-6, 0)])
def test_a_covariate_counts_as_known_ahead_by_whole_days(slots_ahead: int, days: int) -> None:
    blocks = blocks_of(history(noisy(30), wind=np.arange(30 * 48 + slots_ahead, dtype=float)))
    assert blocks.covariates["wind"].ahead == days


@pytest.mark.parametrize("wind", [np.full(30 * 48, np.nan), np.arange(29.0 * 48), np.array([])])
def test_a_covariate_that_is_not_known_to_the_end_is_left_out(wind: np.ndarray) -> None:
    assert not blocks_of(history(noisy(30), wind=wind)).covariates


def test_a_history_cut_short_keeps_its_end() -> None:
    whole = history(noisy(30), wind=np.arange(31.0 * 48))
    cut = whole.last(10)
    assert (cut.end, cut.values.size) == (whole.end, 480)
    assert cut.covariates["wind"][0] == 20 * 48
    assert whole.last(40).first == whole.first


def test_a_zone_without_summer_time_has_no_gaps() -> None:
    values = noisy(30, start=datetime(2023, 3, 10, tzinfo=UTC))
    blocks = blocks_of(History(slot_index(START), values, {}, "Asia/Singapore", None))
    assert blocks.target.known.all()
