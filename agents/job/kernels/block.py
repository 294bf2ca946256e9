"""Block jobs: one contiguous run of fixed length at constant power, found by a sliding window."""

from __future__ import annotations

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.kernels.slots import clear
from agents.job.orders import Orders
from core.series import FloatArray, IntArray


@compiled
def block_at(orders: Orders, job: int, charge: FloatArray, usable: IntArray, ceiling: float, level: IntArray) -> float:
    """Least charge of a run at one site, marked in ``level`` (T,); inf where there is none below ``ceiling``.

    :param charge: (T,) GBP per kW and slot.
    """
    duration, first, last = orders.duration[job], orders.first[job], orders.last[job]
    best, end, run, total = ceiling / orders.power_kw[job], -1, 0, 0.0
    for slot in range(first, last):
        if usable[slot] == 0:
            run, total = 0, 0.0
            continue
        run += 1
        total += charge[slot]
        if run > duration:
            total -= charge[slot - duration]
        if run >= duration and total < best:
            best, end = total, slot + 1
    if end < 0:
        return np.inf
    clear(level, first, last)
    exact = 0.0
    for slot in range(end - duration, end):
        level[slot] = 1
        exact += charge[slot]
    return float(exact * orders.power_kw[job])
