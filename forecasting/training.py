"""Regressions by days of lead: their rows, their coefficients, and what they forecast of days they had not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from core.series import FloatArray, IntArray
from forecasting.blocks import Blocks
from forecasting.features import CORE_COLUMNS, LEADS, WEEK, Ahead, Columns, covariate_columns, outturn, past_columns
from forecasting.regression import Moments, absolute_weights, fitted, moments, solve

WINDOW_DAYS = 730
FOLDS = 8
FOLD_DAYS = 7
LEAST_TRAINING_DAYS = 14
HALF_LIVES_KEPT = 5
"""Rows older than this many half-lives are left out."""


@dataclass(frozen=True, slots=True)
class Member:
    """One way of learning; a forecast is the mean of two.

    :param half_life_days: age at which a row weighs half; infinite where all weigh alike.
    :param absolute: least absolute deviations, which large misses sway less; else least squares.
    :param core: only the core of the columns.
    """

    half_life_days: float
    absolute: bool
    common_ridge: float = 300.0
    own_ridge: float = 300.0
    core: bool = False


NEAR = (Member(45.0, absolute=True), Member(np.inf, absolute=False))
FAR = (
    Member(np.inf, absolute=True, core=True),
    Member(np.inf, absolute=False, common_ridge=10_000.0, own_ridge=1_000.0),
)
MEMBERS: tuple[tuple[Member, Member], ...] = (NEAR, NEAR, FAR, FAR)
"""By group of ``LEADS``: a day ahead recent weeks say more, a week ahead the long run does."""


class Rows(NamedTuple):
    """Training rows of one group of leads, by local half-hour.

    :ivar columns: (48, rows, p) regressors.
    :ivar values: (48, rows) outturn less the design's base.
    :ivar known: (48, rows) 1 where the outturn is known, else 0.
    :ivar age: (rows,) days from the outturn's block to the last known one.
    """

    columns: FloatArray
    values: FloatArray
    known: FloatArray
    age: IntArray

    def between(self, newest: int, oldest: float) -> Rows:
        """Rows of ages ``newest`` up to, but not, ``oldest``."""
        used = (self.age >= newest) & (self.age < oldest)
        if used.all():
            return self
        return Rows(self.columns[:, used], self.values[:, used], self.known[:, used], self.age[used])


@dataclass(frozen=True, slots=True)
class Unseen:
    """Forecasts at one lead of days that their coefficients had not seen, by origin from old to new.

    :param origins: (n,) block numbers.
    :param normal: (n, 48) forecast of the regression, in the units of the origin.
    :param fold: (n,) number of the refit, from 0, oldest first.
    """

    lead: int
    origins: IntArray
    normal: FloatArray
    fold: IntArray


def _by_half_hour(columns: Columns, order: IntArray) -> FloatArray:
    """(48, rows, p) regressors from columns of (rows, 48)."""
    return np.stack([column.T[order] for column in columns], axis=-1)


def _origins(layouts: Sequence[Blocks], leads: Sequence[int]) -> Iterator[tuple[Blocks, int, IntArray]]:
    """The origins of each layout that serve each of ``leads``: in turn, since neighbouring days teach much the same.

    Of many layouts each gives its share of days, once the history is long enough for that.
    """
    share = len(layouts) if len(layouts) * layouts[0].count > WINDOW_DAYS else 1
    for number, blocks in enumerate(layouts):
        first = max(WEEK - 1, blocks.count - WINDOW_DAYS)
        for turn, lead in enumerate(leads):
            day = np.arange(first, blocks.count - lead, dtype=np.int64)
            yield blocks, lead, day[(day % len(leads) == turn) & ((day // len(leads) + number) % share == 0)]


def _past_rows(blocks: Blocks, origins: IntArray, lead: int) -> Rows:
    order = np.argsort(blocks.half_hour)
    base, columns = past_columns(blocks, origins, lead)
    values, known = outturn(blocks, origins, lead)
    age = blocks.count - 1 - lead - origins
    return Rows(_by_half_hour(columns, order), (values - base).T[order], known.T[order], age)


def rows_of(layouts: Sequence[Blocks], leads: Sequence[int]) -> Rows:
    """Training rows of all origins in ``layouts``, without covariates."""
    parts = [_past_rows(blocks, origins, lead) for blocks, lead, origins in _origins(layouts, leads)]
    if len(parts) == 1:
        return parts[0]
    return Rows(
        np.concatenate([part.columns for part in parts], axis=1),
        np.concatenate([part.values for part in parts], axis=1),
        np.concatenate([part.known for part in parts], axis=1),
        np.concatenate([part.age for part in parts]),
    )


def with_covariates(rows: Rows, layouts: Sequence[Blocks], leads: Sequence[int], ahead: Ahead) -> Rows:
    """The same rows, of the same layouts and leads, with the regressors from covariates after their own."""
    if not ahead:
        return rows
    added = [
        _by_half_hour(covariate_columns(blocks, origins, lead, ahead), np.argsort(blocks.half_hour))
        for blocks, lead, origins in _origins(layouts, leads)
    ]
    return rows._replace(columns=np.concatenate([rows.columns, np.concatenate(added, axis=1)], axis=2))


def fold_days(count: int) -> int:
    """Days between refits of the walk forward, fewer where a short history would leave too little to train on."""
    return int(np.clip((count - LEAST_TRAINING_DAYS - WEEK) // FOLDS, 1, FOLD_DAYS))


def _learn(rows: Rows, member: Member, coefficients: FloatArray | None, newest: int) -> Moments:
    """Moments of ``rows`` as they weigh ``newest`` days before the end, if ``coefficients`` were known before."""
    weights = rows.known * 0.5 ** ((rows.age - newest) / member.half_life_days)
    if member.absolute and coefficients is not None:
        weights = weights * absolute_weights(rows.values - fitted(rows.columns, coefficients))
    return moments(rows.columns, rows.values, weights)


def _refits(rows: Rows, member: Member, cuts: Sequence[int]) -> Iterator[FloatArray]:
    """Coefficients (48, p) from the rows of at least each age of ``cuts``, which fall.

    Rows are weighed once, by how far the coefficients missed that had not seen them; only those before the first cut
    are weighed by their own. So a refit costs no more than its new rows do.
    """

    def solved(sums: Moments) -> FloatArray:
        return solve(sums, member.common_ridge, member.own_ridge)

    width = rows.columns.shape[2]
    kept = CORE_COLUMNS if member.core else width
    seen = Rows(rows.columns[:, :, :kept], rows.values, rows.known, rows.age)
    first = seen.between(cuts[0], cuts[0] + HALF_LIVES_KEPT * member.half_life_days)
    sums = _learn(first, member, None, cuts[0])
    if member.absolute:
        sums = _learn(first, member, solved(sums), cuts[0])
    for before, cut in zip([cuts[0], *cuts], cuts, strict=False):
        if cut < before:
            new = _learn(seen.between(cut, before), member, solved(sums), cut)
            sums = sums.plus(new, keep=0.5 ** ((before - cut) / member.half_life_days))
        yield np.pad(solved(sums), ((0, 0), (0, width - kept)))


def refits(rows: Rows, group: int, cuts: Sequence[int]) -> list[FloatArray]:
    """Mean coefficients of the group's members, (48, p) from the rows of at least each age of ``cuts``."""
    found = [list(_refits(rows, member, cuts)) for member in MEMBERS[group]]
    return [np.asarray(np.mean(parts, axis=0)) for parts in zip(*found, strict=True)]


def regress(blocks: Blocks, found: FloatArray, origins: IntArray, lead: int, ahead: Ahead) -> FloatArray:
    """(origins, 48) forecast in the units of the origins, with coefficients (48, p) by local half-hour."""
    base, columns = past_columns(blocks, origins, lead)
    columns += covariate_columns(blocks, origins, lead, ahead)
    by_column = found[blocks.half_hour].T
    return np.asarray(base + sum(weights * column for weights, column in zip(by_column, columns, strict=True)))


def walk_forward(blocks: Blocks, rows: Rows, group: int, ahead: Ahead) -> tuple[FloatArray, list[Unseen]]:
    """Coefficients from all rows, and forecasts of the last days with coefficients that did not know them."""
    days, longest = fold_days(blocks.count), LEADS[group][-1]
    newest = [longest + (FOLDS - 1 - fold) * days for fold in range(FOLDS)]
    cuts = [age + days - 1 for age in newest]
    *found, last = refits(rows, group, [*cuts, 0])
    origins = [
        np.arange(max(1, blocks.count - 1 - oldest), blocks.count - age, dtype=np.int64)
        for oldest, age in zip(cuts, newest, strict=True)
    ]
    fold = np.repeat(np.arange(FOLDS), [part.size for part in origins])
    unseen = []
    for lead in LEADS[group]:
        normal = [regress(blocks, used, part, lead, ahead) for used, part in zip(found, origins, strict=True)]
        unseen.append(Unseen(lead, np.concatenate(origins), np.concatenate(normal), fold))
    return last, unseen
