"""Ridge regression by half-hour of the day that can go on learning, and forget.

Each half-hour has its own coefficients, learnt from its own rows and, with less weight, from those of its neighbours,
and drawn towards one regression over the whole day.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.series import FloatArray
from core.slots import SLOTS_PER_DAY

NEIGHBOURS = (3.0, 2.0, 1.0)
"""Weights of the rows of each half-hour itself, of the next ones and of those after, on both sides."""
LEAST_RESIDUAL = 0.05
"""Residuals below this share of the scale weigh alike, so that no row weighs without bound."""


class Moments(NamedTuple):
    """All that the least squares of some rows depend on.

    :ivar gram: (48, p, p) sums of products of the regressors.
    :ivar moment: (48, p) sums of their products with the values.
    """

    gram: FloatArray
    moment: FloatArray

    def plus(self, other: Moments, keep: float) -> Moments:
        """With the rows of ``other`` too, these weighing ``keep`` of what they did."""
        return Moments(keep * self.gram + other.gram, keep * self.moment + other.moment)


def moments(columns: FloatArray, values: FloatArray, weights: FloatArray) -> Moments:
    """Moments of (48, rows, p) regressors and the (48, rows) values they should give, with weights of >= 0."""
    weighted = np.swapaxes(columns * weights[:, :, None], 1, 2)
    return Moments(weighted @ columns, (weighted @ values[:, :, None])[:, :, 0])


def _neighbourhood() -> FloatArray:
    """(48, 48) weights of each half-hour's rows for each half-hour; midnight is no border."""
    half_hour = np.arange(SLOTS_PER_DAY)
    apart = np.abs(half_hour[:, None] - half_hour)
    apart = np.minimum(apart, SLOTS_PER_DAY - apart)
    return np.asarray(np.append(NEIGHBOURS, 0.0)[np.minimum(apart, len(NEIGHBOURS))])


_NEIGHBOURHOOD = _neighbourhood()


def _with_neighbours(sums: FloatArray) -> FloatArray:
    return np.asarray((_NEIGHBOURHOOD @ sums.reshape(SLOTS_PER_DAY, -1)).reshape(sums.shape))


def solve(sums: Moments, common_ridge: float, own_ridge: float) -> FloatArray:
    """Coefficients by half-hour, (48, p).

    :param common_ridge: penalty on the coefficients that all half-hours share.
    :param own_ridge: penalty on the distance of each half-hour's coefficients from those.
    """
    penalty = np.eye(sums.gram.shape[1])
    common = np.linalg.solve(sums.gram.sum(axis=0) + common_ridge * penalty, sums.moment.sum(axis=0))
    gram = _with_neighbours(sums.gram)
    left = _with_neighbours(sums.moment) - gram @ common
    own = np.linalg.solve(gram + own_ridge * penalty, left[:, :, None])[:, :, 0]
    return np.asarray(common + own)


def fitted(columns: FloatArray, coefficients: FloatArray) -> FloatArray:
    """(48, rows) what the regression gives."""
    return np.asarray((columns @ coefficients[:, :, None])[:, :, 0])


def absolute_weights(residuals: FloatArray) -> FloatArray:
    """Weights that turn squares into absolute deviations, 1 for the typical row; same shape."""
    size = np.maximum(np.abs(residuals), LEAST_RESIDUAL)
    return np.asarray(np.median(size) / size) if size.size else size
