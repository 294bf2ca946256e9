"""What the regression sees was known at the origin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecasting.blocks import blocks_of
from forecasting.features import CORE_COLUMNS, covariate_columns, outturn, past_columns
from tests.unit.forecasting.worlds import history, noisy

ORIGIN = np.array([39])


@pytest.mark.parametrize("lead", range(1, 8))
def test_nothing_after_the_origin_is_seen_of_the_target(lead: int) -> None:
    values = noisy(60)
    known = blocks_of(history(values[: 40 * 48]))
    _, all_known = past_columns(blocks_of(history(values)), ORIGIN, lead)
    base, only_past = past_columns(known, ORIGIN, lead)
    assert known.count == 40
    assert all(np.array_equal(one, other) for one, other in zip(all_known, only_past, strict=True))
    assert np.isfinite(base).all()


@pytest.mark.parametrize("ahead", [0, 1, 2])
@pytest.mark.parametrize("lead", range(1, 8))
def test_nothing_is_seen_of_a_covariate_beyond_what_is_said_to_be_known_ahead(lead: int, ahead: int) -> None:
    wind = noisy(60, seed=5)
    later = wind.copy()
    later[(40 + ahead) * 48 :] += 77.0
    blocks = [blocks_of(history(noisy(60), wind=figures)) for figures in (wind, later)]
    one, other = (covariate_columns(b, ORIGIN, lead, {"wind": ahead}) for b in blocks)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_covariate_that_is_known_for_the_day_itself_is_seen_on_it() -> None:
    wind = noisy(60, seed=5)
    later = wind.copy()
    later[40 * 48 : 41 * 48] += 77.0
    blocks = [blocks_of(history(noisy(60), wind=figures)) for figures in (wind, later)]
    one, other = (covariate_columns(b, ORIGIN, 1, {"wind": 1}) for b in blocks)
    assert (one[0] < other[0]).all()


@pytest.mark.parametrize(("lead", "ahead", "seen"), [(1, 0, True), (2, 1, True), (1, 1, False), (2, 2, False)])
def test_beyond_what_is_known_of_a_covariate_its_day_a_week_before_is_seen(lead: int, ahead: int, seen: bool) -> None:
    wind = noisy(60, seed=5)
    other = wind.copy()
    other[(39 + lead - 7) * 48 : (40 + lead - 7) * 48 : 2] += 0.01
    blocks = [blocks_of(history(noisy(60), wind=figures)) for figures in (wind, other)]
    one, two = (covariate_columns(b, ORIGIN, lead, {"wind": ahead}) for b in blocks)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(one, two, strict=True)) == seen


def test_all_columns_have_a_figure_for_every_half_hour_and_the_first_is_constant() -> None:
    blocks = blocks_of(history(noisy(60)))
    origins = np.arange(6, 50)
    _, columns = past_columns(blocks, origins, 3)
    assert len(columns) > CORE_COLUMNS
    assert all(column.shape == (44, 48) and np.isfinite(column).all() for column in columns)
    assert (columns[0] == 1).all()


def test_the_outturn_is_that_of_the_block_so_many_days_later() -> None:
    values = noisy(60)
    values[45 * 48 + 3] = np.nan
    blocks = blocks_of(history(values))
    found, known = outturn(blocks, np.array([40]), 5)
    assert blocks.target.original(found, np.array([40]))[0, 4:] == pytest.approx(values[45 * 48 + 4 : 46 * 48])
    assert known[0].tolist() == [1.0] * 3 + [0.0] + [1.0] * 44


def test_a_holiday_is_a_sunday_to_the_regression() -> None:
    blocks = blocks_of(history(noisy(60)))
    holiday = blocks.holiday.copy()
    holiday[42] = True
    marked = replace(blocks, holiday=holiday)
    changed = [
        not np.array_equal(a, b)
        for a, b in zip(past_columns(blocks, ORIGIN, 3)[1], past_columns(marked, ORIGIN, 3)[1], strict=True)
    ]
    assert blocks.weekday[42, 24] == 0
    assert sum(changed) == len(("holiday", "sunday", "monday"))
