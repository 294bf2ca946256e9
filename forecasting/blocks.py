"""A history laid out in days of 48 slots by the clock on the wall, ending where the forecast begins.

Block ``j`` holds the 48 half-hours before block ``j + 1``; the last known block ends with the last known slot, whatever
the hour. Column ``h`` is always the same local half-hour, also across clock changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.halfhours import wall_index
from core.series import BoolArray, FloatArray, IntArray
from core.slots import SLOTS_PER_DAY
from forecasting.history import History
from forecasting.wall_clock import is_holiday, weekday

SCALE_DAYS = 28
"""Days over which the centre and the scale of a series are taken."""
MOST_DAYS_AHEAD = 7
SHORT_BY_SLOTS = 6
"""A covariate that ends up to this many slots before a block does counts as known for the block: the rest is filled."""
FARTHEST = 6.0
"""No figure counts as farther out than this on the transformed scale: 200 scales from the centre."""
NORMAL_MAD = 1.4826
"""Median absolute deviation times this is the standard deviation of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Target:
    """One series in blocks, without gaps, with its running centre and scale.

    :param values: (blocks, 48); gaps hold the figure of the same half-hour a day before.
    :param known: (blocks, 48), False where a gap was filled.
    :param centre: (blocks,) median of the ``SCALE_DAYS`` that end with the block.
    :param scale: (blocks,) their robust standard deviation, never zero.
    :param ahead: blocks known after the last block of the forecast's history; those are rows of ``values`` too.
    """

    values: FloatArray
    known: BoolArray
    centre: FloatArray
    scale: FloatArray
    ahead: int = 0

    def normal(self, rows: IntArray, origins: IntArray) -> FloatArray:
        """Blocks ``rows`` in the units of ``origins``, on a scale that is logarithmic far out; (rows, 48)."""
        return self.normal_of(self.values[np.clip(rows, 0, len(self.values) - 1)], origins)

    def normal_of(self, values: FloatArray, origins: IntArray) -> FloatArray:
        """(origins, 48) figures in the units of ``origins``, likewise."""
        normal = np.arcsinh((values - self.centre[origins, None]) / self.scale[origins, None])
        return np.clip(normal, -FARTHEST, FARTHEST)

    def mean_over(self, days: int) -> FloatArray:
        """(blocks, 48) mean of each half-hour over the ``days`` that end with the block, or as many as there are."""
        total = np.cumsum(self.values, axis=0)
        total[days:] -= total[:-days].copy()
        return np.asarray(total / np.minimum(np.arange(1, len(total) + 1), days)[:, None])

    def original(self, normal: FloatArray, origins: IntArray) -> FloatArray:
        """The inverse of :meth:`normal`."""
        within = np.clip(normal, -FARTHEST, FARTHEST)
        return np.asarray(self.centre[origins, None] + self.scale[origins, None] * np.sinh(within))


@dataclass(frozen=True, slots=True)
class Blocks:
    """Target, covariates and calendar of one history.

    :param count: number of blocks of history; block ``count`` is the first to be forecast.
    :param half_hour: (48,) local half-hour of each column.
    :param weekday: (count + 7, 48) local weekday of each slot, 0 for Monday.
    :param holiday: (count + 7, 48) True on bank holidays.
    """

    count: int
    half_hour: IntArray
    weekday: IntArray
    holiday: BoolArray
    target: Target
    covariates: Mapping[str, Target]


def _on_the_wall(values: FloatArray, wall: IntArray, start: int, count: int) -> FloatArray:
    """Figures at wall indexes ``start`` on; the hour that autumn repeats holds its mean, the one spring skips NaN."""
    position = wall[: values.size] - start
    used = (position >= 0) & (position < count) & np.isfinite(values)
    total = np.bincount(position[used], values[used], count)
    number = np.bincount(position[used], minlength=count)
    return np.asarray(np.divide(total, number, out=np.full(count, np.nan), where=number > 0))


def _filled(values: FloatArray) -> FloatArray:
    """Gaps hold the last figure of the same half-hour, before the first one the next, else the median of all."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isfinite(values), rows, -1), axis=0)
    backward = np.where(np.isfinite(values), rows, len(values))[::-1]
    following = np.minimum.accumulate(backward, axis=0)[::-1]
    source = np.where(last >= 0, last, np.minimum(following, len(values) - 1))
    filled = np.take_along_axis(values, source, axis=0)
    finite = filled[np.isfinite(filled)]
    return np.where(np.isfinite(filled), filled, np.median(finite) if finite.size else 0.0)


def _centre_and_scale(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Median and robust standard deviation of the ``SCALE_DAYS`` up to each block, (blocks,) each; the scale is > 0.

    Every other half-hour is enough for both.
    """
    hourly = values[:, ::2]
    padded = np.concatenate([np.repeat(hourly[:1], SCALE_DAYS - 1, axis=0), hourly])
    windows = np.lib.stride_tricks.sliding_window_view(padded, SCALE_DAYS, axis=0).reshape(len(values), -1)
    windows = np.ascontiguousarray(windows)
    centre = np.median(windows, axis=1)
    mad = NORMAL_MAD * np.median(np.abs(windows - centre[:, None]), axis=1)
    least = np.maximum(1e-6 * (1.0 + np.abs(centre)), 0.3 * windows.std(axis=1))
    return centre, np.maximum(mad, least)


def _target(values: FloatArray, ahead: int) -> Target:
    filled = _filled(values)
    return Target(filled, np.isfinite(values), *_centre_and_scale(filled), ahead)


def _covariate(values: FloatArray, count: int) -> Target | None:
    """A covariate up to the last block it is known in; None where it ends more than a day before the target."""
    known = np.flatnonzero(np.isfinite(values))
    blocks = 0 if known.size == 0 else (int(known[-1]) + 1 + SHORT_BY_SLOTS) // SLOTS_PER_DAY
    if blocks < count:
        return None
    return _target(values[: blocks * SLOTS_PER_DAY].reshape(-1, SLOTS_PER_DAY), blocks - count)


def blocks_of(history: History, back_slots: int = 0) -> Blocks:
    """Lay ``history`` out in blocks that end ``back_slots`` before its end; what lies behind that is not used.

    Covariates that do not reach the end of the history are left out.
    """
    ahead_slots = MOST_DAYS_AHEAD * SLOTS_PER_DAY
    slots = np.arange(history.first, history.end + ahead_slots + SLOTS_PER_DAY, dtype=np.int64)
    wall = wall_index(slots, history.timezone)
    end = int(wall[history.values.size]) - back_slots
    count = (end - int(wall[0])) // SLOTS_PER_DAY
    start = end - count * SLOTS_PER_DAY
    indexes = (start + np.arange((count + MOST_DAYS_AHEAD) * SLOTS_PER_DAY)).reshape(-1, SLOTS_PER_DAY)
    values = _on_the_wall(history.values, wall, start, count * SLOTS_PER_DAY)
    covariates = {
        name: _covariate(_on_the_wall(figures[: slots.size], wall, start, indexes.size), count)
        for name, figures in sorted(history.covariates.items())
    }
    return Blocks(
        count,
        indexes[0] % SLOTS_PER_DAY,
        weekday(indexes),
        is_holiday(indexes, history.timezone),
        _target(values.reshape(-1, SLOTS_PER_DAY), 0),
        {name: figures for name, figures in covariates.items() if figures is not None},
    )
