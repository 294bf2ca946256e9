"""Room to work in, made once for many jobs, and small loops that compile faster than numpy's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.orders import PAUSABLE, Orders
from core.series import BoolArray, FloatArray, IntArray

FEW = 48


class Room(NamedTuple):
    """For one thread: ``charge`` (T,) GBP per IT kW and slot, ``usable`` (T,) levels that each slot may run, ``level``
    (T,) of a course and ``best`` (T,) of the best one, ``order`` (T,) slots by rising charge and ``sums`` (T + 1,) of
    these; ``idle`` and ``busy`` (D,) with ``went_on`` and ``stopped`` (W, D) for the programme of pausable jobs."""

    charge: FloatArray
    usable: IntArray
    level: IntArray
    best: IntArray
    order: IntArray
    sums: FloatArray
    idle: FloatArray
    busy: FloatArray
    went_on: BoolArray
    stopped: BoolArray


@compiled
def room_for(orders: Orders, slots: int) -> Room:
    """Room for any of these jobs."""
    widest, longest = 1, 1
    for job in range(len(orders.row)):
        if orders.row[job].kind == PAUSABLE:
            widest = max(widest, orders.row[job].last - orders.row[job].first)
            longest = max(longest, orders.row[job].duration)
    return Room(
        np.zeros(slots),
        np.zeros(slots, np.int64),
        np.zeros(slots, np.int64),
        np.zeros(slots, np.int64),
        np.zeros(slots, np.int64),
        np.zeros(slots + 1),
        np.zeros(longest + 2),
        np.zeros(longest + 2),
        np.zeros((widest, longest + 2), np.bool_),
        np.zeros((widest, longest + 2), np.bool_),
    )


@compiled
def clear(level: IntArray, first: int, last: int) -> None:
    """Set ``[first, last)`` to nought."""
    for slot in range(first, last):
        level[slot] = 0


@compiled
def ranked(first: int, last: int, room: Room) -> int:
    """Write the usable slots of ``[first, last)`` by rising charge to ``room.order``; returns how many."""
    charge, order, count = room.charge, room.order, 0
    if last - first <= FEW:
        for slot in range(first, last):
            if room.usable[slot] == 0:
                continue
            at = count
            while at > 0 and charge[order[at - 1]] > charge[slot]:
                order[at] = order[at - 1]
                at -= 1
            order[at] = slot
            count += 1
        return count
    for index in np.argsort(charge[first:last], kind="mergesort"):
        if room.usable[first + index] > 0:
            order[count] = first + index
            count += 1
    return count
