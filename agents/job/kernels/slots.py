"""Which slots and levels a job may use at a site, and small loops that compile faster than numpy's own."""

from __future__ import annotations

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.orders import Orders, Terms
from core.bid import TOLERANCE_KW
from core.series import FloatArray, IntArray


@compiled
def open_levels(
    orders: Orders, job: int, terms: Terms, residual_kw: FloatArray, site: int, usable: IntArray
) -> tuple[int, bool]:
    """Write to ``usable`` (T,) how many levels each slot of the window may run, by limits and free power.

    Returns how many slots may run, and whether each of these may run every level.
    """
    slots, whole = 0, True
    depth, max_price, max_carbon = orders.depth[job], orders.max_price[job], orders.max_carbon[job]
    for slot in range(orders.first[job], orders.last[job]):
        rungs = 0
        if terms.price[site, slot] <= max_price and terms.carbon[site, slot] <= max_carbon:
            free, pue = residual_kw[site, slot] + TOLERANCE_KW, terms.pue[site, slot]
            while rungs < depth and orders.level_kw[job, rungs] * pue <= free:
                rungs += 1
        usable[slot] = rungs
        slots += rungs > 0
        whole = whole and not 0 < rungs < depth
    return slots, whole


@compiled
def clear(level: IntArray, first: int, last: int) -> None:
    """Set ``[first, last)`` to nought."""
    for slot in range(first, last):
        level[slot] = 0


@compiled
def endless(count: int) -> FloatArray:
    """(count,) infinities."""
    values = np.empty(count)
    for index in range(count):
        values[index] = np.inf
    return values
