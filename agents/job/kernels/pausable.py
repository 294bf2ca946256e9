"""Pausable jobs: whole slots at constant power anywhere in the window, each pause at a cost.

Where pauses are free or none is needed, the cheapest slots are the best. Elsewhere they are a lower bound, and where it
is promising, a dynamic programme over (slots run so far, whether the last one was run) is solved.
"""

from __future__ import annotations

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.kernels.slots import clear, endless
from agents.job.orders import Orders
from core.series import FloatArray, IntArray


@compiled
def _cheapest_slots(
    orders: Orders, job: int, charge: FloatArray, order: IntArray, usable: IntArray, taken: IntArray
) -> tuple[float, int]:
    """Sum of the charges of the cheapest slots of the job, marked in ``taken``, and their number of runs."""
    first, last, left = orders.first[job], orders.last[job], orders.duration[job]
    clear(taken, first, last)
    total = 0.0
    for slot in order:
        if first <= slot < last and usable[slot] > 0:
            taken[slot] = 1
            total += charge[slot]
            left -= 1
            if left == 0:
                break
    runs = 0
    for slot in range(first, last):
        runs += taken[slot] > 0 and (slot == first or taken[slot - 1] == 0)
    return total, runs


@compiled
def _programme(
    first: int, last: int, duration: int, pause: float, charge: FloatArray, usable: IntArray, taken: IntArray
) -> float:
    """Least charge of ``duration`` slots when every run after the first is charged ``pause``; marks its slots."""
    slots = last - first
    idle, busy, begun = endless(duration + 1), endless(duration + 1), endless(duration + 1)
    idle[0] = -pause
    went_on = np.zeros((slots, duration + 1), dtype=np.uint8)
    stopped = np.zeros((slots, duration + 1), dtype=np.uint8)
    for row in range(slots):
        price = charge[first + row] if usable[first + row] > 0 else np.inf
        most, fewest = min(row + 1, duration), max(0, duration - (slots - row))
        for count in range(max(1, fewest), most + 1):
            begin = idle[count - 1] + pause
            went_on[row, count] = busy[count - 1] <= begin
            begun[count] = min(busy[count - 1], begin) + price
        for count in range(fewest, most + 1):
            stopped[row, count] = busy[count] < idle[count]
            idle[count] = min(idle[count], busy[count])
        busy, begun = begun, busy
    running, count = busy[duration] < idle[duration], duration
    value = float(busy[duration] if running else idle[duration])
    for row in range(slots - 1, -1, -1):
        taken[first + row] = running
        if running:
            running = went_on[row, count] > 0
            count -= 1
        else:
            running = stopped[row, count] > 0
    return value


@compiled
def pausable_at(
    orders: Orders, job: int, charge: FloatArray, order: IntArray, usable: IntArray, ceiling: float, level: IntArray
) -> float:
    """Least charge of a course at one site, marked in ``level`` (T,); inf or above where none is below ``ceiling``.

    :param order: (T,) the slots by rising ``charge``; at least as many as the job needs must be usable.
    """
    kw, pause = orders.power_kw[job], orders.pause_gbp[job]
    total, runs = _cheapest_slots(orders, job, charge, order, usable, level)
    if pause <= 0 or runs <= 1:
        return float(kw * total)
    if kw * total >= ceiling:
        return np.inf
    first, last, duration = orders.first[job], orders.last[job], orders.duration[job]
    return float(kw * _programme(first, last, duration, pause / kw, charge, usable, level))
