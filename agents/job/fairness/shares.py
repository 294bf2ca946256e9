"""Dominant shares (Ghodsi et al., NSDI 2011), and room divided by weight with what is left over passed on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.series import FloatArray, IntArray


def dominant_shares(used: FloatArray, total: FloatArray) -> tuple[FloatArray, IntArray]:
    """(n,) greatest share that each tenant has of any resource, ``max_r used[i, r] / total[r]``, and (n,) of which.

    :param used: (n, R), in the unit of ``total`` (R,); a resource of which there is nothing counts for nobody.
    """
    shares = np.divide(used, total, out=np.zeros_like(used), where=total > 0)
    which = np.asarray(shares.argmax(axis=1), dtype=np.int64)
    return np.take_along_axis(shares, which[:, np.newaxis], axis=1)[:, 0], which


def water_filled(weights: FloatArray, demand: FloatArray, total: FloatArray) -> FloatArray:
    """(n, R) of each resource for each: up to its demand, and of what is short in proportion to the weights.

    Max-min fair and exact: those who want least for their weight are served first, and what they leave is divided
    among the rest. Where all demand is met, what nobody wants goes to all by weight.

    :param weights: (n,), above 0. ``demand`` is (n, R), ``total`` (R,), both at least 0.
    """
    level = demand / weights[:, np.newaxis]
    order = level.argsort(axis=0, kind="stable")
    sorted_demand, sorted_level = np.take_along_axis(demand, order, axis=0), np.take_along_axis(level, order, axis=0)
    sorted_weights = weights[order]
    weight_left = np.cumsum(sorted_weights[::-1], axis=0)[::-1]
    met_before = np.cumsum(sorted_demand, axis=0) - sorted_demand
    water = (total - met_before) / weight_left
    short = sorted_level > water
    first = short.argmax(axis=0)
    column = np.arange(demand.shape[1])
    filled = np.minimum(level, water[first, column]) * weights[:, np.newaxis]
    spare = (total - demand.sum(axis=0)) / weights.sum()
    return np.asarray(np.where(short.any(axis=0), filled, demand + weights[:, np.newaxis] * spare))


def jain(values: Sequence[float] | FloatArray) -> float:
    """Jain's index of how alike values are: 1 where all are equal, 1/n where one has everything."""
    given = np.asarray(values, dtype=np.float64)
    squares = float((given**2).sum()) * given.size
    return float(given.sum()) ** 2 / squares if squares else 1.0
