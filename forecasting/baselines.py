"""The forecasts that any model has to beat, in the target's unit."""

from __future__ import annotations

import numpy as np

from core.series import FloatArray, IntArray
from forecasting.blocks import Blocks
from forecasting.features import WEEK


def _rows(blocks: Blocks, rows: IntArray) -> FloatArray:
    return blocks.target.values[np.clip(rows, 0, blocks.count - 1)]


def seasonal_naive(blocks: Blocks, origins: IntArray, lead: int) -> FloatArray:
    """The same half-hour a week before, (origins, 48)."""
    return _rows(blocks, origins + lead - WEEK)


def day_naive(blocks: Blocks, origins: IntArray) -> FloatArray:
    """The same half-hour of the last known day."""
    return _rows(blocks, origins)


def slot_mean(blocks: Blocks, origins: IntArray) -> FloatArray:
    """The mean of the same half-hour over the last seven known days."""
    return np.asarray(np.mean([_rows(blocks, origins - lag) for lag in range(WEEK)], axis=0))
