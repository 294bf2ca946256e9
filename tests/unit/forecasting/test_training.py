"""Walking forward: no forecast of an unseen day depends on it, and the rows are those they should be."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.blocks import blocks_of
from forecasting.features import LEADS, group_of
from forecasting.training import FOLDS, fold_days, rows_of, walk_forward, with_covariates
from tests.unit.forecasting.worlds import history, noisy

DAYS = 120
GROUPS = range(len(LEADS))


@pytest.mark.parametrize("group", GROUPS)
def test_a_forecast_of_an_unseen_day_is_the_same_whatever_came_after_its_origin(group: int) -> None:
    values = noisy(DAYS)
    changed = values.copy()
    changed[100 * 48 :] = np.random.default_rng(9).normal(500, 300, 20 * 48)
    found = []
    for figures in (values, changed):
        blocks = blocks_of(history(figures))
        _, unseen = walk_forward(blocks, rows_of([blocks], LEADS[group]), group, {})
        found.append(unseen)
    for before, after in zip(*found, strict=True):
        early = before.origins < 100
        assert early.any()
        assert not early.all()
        assert np.array_equal(before.normal[early], after.normal[early])


@pytest.mark.parametrize("group", GROUPS)
def test_each_unseen_day_is_forecast_once_by_each_lead_of_the_group(group: int) -> None:
    blocks = blocks_of(history(noisy(DAYS)))
    _, unseen = walk_forward(blocks, rows_of([blocks], LEADS[group]), group, {})
    assert [one.lead for one in unseen] == list(LEADS[group])
    for one in unseen:
        assert one.origins.tolist() == list(range(one.origins[0], one.origins[0] + FOLDS * fold_days(DAYS)))
        assert one.origins[-1] + LEADS[group][-1] == blocks.count - 1
        assert (np.diff(one.fold) >= 0).all()


def test_a_gap_teaches_nothing() -> None:
    gap = slice(60 * 48, 62 * 48)
    values = noisy(80)
    values[gap] = np.nan
    rows = rows_of([blocks_of(history(values))], (1,))
    assert sorted(rows.age[(rows.known == 0).all(axis=0)]) == [80 - 1 - 61, 80 - 1 - 60]
    assert (rows.known == 0).sum() == 2 * 48


def test_rows_are_by_local_half_hour_whatever_the_hour_of_the_forecast() -> None:
    peaks = []
    for hours in (0, 5):
        blocks = blocks_of(history(noisy(DAYS, spread=0.1)[: DAYS * 48 - 2 * hours]))
        rows = rows_of([blocks], (1,))
        daily = rows.values + rows.columns[:, :, 5]
        peaks.append(int(np.argmax(daily.mean(axis=1))))
    assert peaks == [36, 36]


def test_origins_at_many_hours_of_a_long_history_share_its_days() -> None:
    layouts = [blocks_of(history(noisy(400)), back_slots=12 * turn) for turn in range(4)]
    for leads in LEADS:
        one, four = rows_of(layouts[:1], leads), rows_of(layouts, leads)
        assert abs(four.age.size - one.age.size) <= 4 * len(leads)
    short = [blocks_of(history(noisy(30)), back_slots=12 * turn) for turn in range(4)]
    assert rows_of(short, (1,)).age.size > 3 * rows_of(short[:1], (1,)).age.size


def test_covariates_come_after_the_other_regressors_of_the_same_rows() -> None:
    blocks = blocks_of(history(noisy(DAYS), wind=noisy(DAYS + 1, seed=7)))
    past = rows_of([blocks], LEADS[3])
    rows = with_covariates(past, [blocks], LEADS[3], {"wind": 1})
    width = past.columns.shape[2]
    assert rows.columns.shape[2] > width
    assert np.array_equal(rows.columns[:, :, :width], past.columns)
    assert with_covariates(past, [blocks], LEADS[3], {}) is past


@pytest.mark.parametrize(("days", "expected"), [(14, 1), (21, 1), (50, 3), (400, 7)])
def test_a_short_history_is_walked_in_short_steps(days: int, expected: int) -> None:
    assert fold_days(days) == expected


def test_every_day_of_the_week_ahead_has_its_group() -> None:
    assert [group_of(lead) for lead in range(1, 8)] == [0, 1, 2, 2, 3, 3, 3]
