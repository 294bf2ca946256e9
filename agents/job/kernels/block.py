"""Block jobs: one contiguous run of fixed length at constant power, found by a sliding window."""

from __future__ import annotations

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.kernels.room import Room, clear
from agents.job.orders import Orders
from core.series import FloatArray


@compiled
def block_at(orders: Orders, job: int, first: int, last: int, ceiling: float, room: Room) -> float:
    """Least charge of a run at one site, marked in ``room.level``; inf where there is none below ``ceiling``."""
    duration, power_kw, charge = orders.row[job].duration, orders.row[job].power_kw, room.charge
    best, end, run, total = ceiling / power_kw, -1, 0, 0.0
    for slot in range(first, last):
        if room.usable[slot] == 0:
            run, total = 0, 0.0
            continue
        run += 1
        total += charge[slot]
        if run > duration:
            total -= charge[slot - duration]
        if run >= duration and total < best:
            best, end = total, slot + 1
    return power_kw * _marked(end - duration, end, first, last, room) if end > 0 else np.inf


@compiled
def block_within(orders: Orders, job: int, first: int, last: int, kg: FloatArray, cap_kg: float, room: Room) -> float:
    """The same for a run whose carbon, at ``kg`` (T,) per kW and slot, is within ``cap_kg``."""
    duration, power_kw = orders.row[job].duration, orders.row[job].power_kw
    best, end = np.inf, -1
    for start in range(first, last - duration + 1):
        total, emitted, usable = 0.0, 0.0, True
        for slot in range(start, start + duration):
            total += room.charge[slot]
            emitted += kg[slot]
            usable = usable and room.usable[slot] > 0
        if usable and power_kw * emitted <= cap_kg + 1e-9 and total < best:
            best, end = total, start + duration
    return power_kw * _marked(end - duration, end, first, last, room) if end > 0 else np.inf


@compiled
def _marked(start: int, end: int, first: int, last: int, room: Room) -> float:
    """Mark a run, and add up its charges anew: a running sum drifts."""
    clear(room.level, first, last)
    total = 0.0
    for slot in range(start, end):
        room.level[slot] = 1
        total += room.charge[slot]
    return total
