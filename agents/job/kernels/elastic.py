"""Elastic jobs: a power level or none in each slot, until the work is done.

Write ``m_l`` for the number of slots run at level ``l`` or above. Where every slot may run every level, the cheapest
slots get the highest levels: a course costs ``sum_l step_kw_l * C[m_l]``, with ``C`` the running sum of slot charges
in rising order, and does ``sum_l step_work_l * m_l`` work, ``m_1 >= m_2 >= m_3``; for ladders of up to three levels
all are searched. Elsewhere steps are taken in order of charge per unit of work (in part, this is the continuous
relaxation, the proven floor), and then given back and exchanged while that pays.
"""

from __future__ import annotations

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.kernels.room import Room, clear, ranked
from agents.job.orders import Orders
from core.series import FloatArray, IntArray

WORK_TOLERANCE = 1e-9
EXACT_DEPTH = 3
MOST_EXCHANGES = 40
EARNS = -1e300


@compiled
def _step(ladder: FloatArray, rung: int) -> float:
    """What a rung of a ladder adds to the one below."""
    return float(ladder[rung] - ladder[rung - 1]) if rung > 0 else float(ladder[0])


@compiled
def _by_steps(orders: Orders, job: int, first: int, last: int, slots: int, room: Room) -> tuple[float, float]:
    """Take steps in order of charge per work until the work is done, and all that earn; the levels go to ``level``.

    Returns the charge when the last step may be taken in part (the floor; inf when the work cannot be done) and the
    work done by whole steps. ``room.order`` holds the ``slots`` usable slots by rising charge.
    """
    depth, target, charge, level = orders.row[job].depth, orders.row[job].work, room.charge, room.level
    at = np.zeros(depth, dtype=np.int64)
    clear(level, first, last)
    value, done = 0.0, 0.0
    while True:
        rate, rung, where = np.inf, -1, -1
        for candidate in range(depth):
            while at[candidate] < slots:
                slot = room.order[at[candidate]]
                if room.usable[slot] > candidate and level[slot] <= candidate:
                    break
                at[candidate] += 1
            if at[candidate] == slots:
                continue
            slot = room.order[at[candidate]]
            if level[slot] == candidate:
                here = charge[slot] * _step(orders.level_kw[job], candidate) / _step(orders.level_work[job], candidate)
                here = here if here >= 0 else EARNS
                if here < rate:
                    rate, rung, where = here, candidate, slot
        if rung < 0 or (rate >= 0 and done >= target - WORK_TOLERANCE):
            break
        cost, work = charge[where] * _step(orders.level_kw[job], rung), _step(orders.level_work[job], rung)
        value += cost * (min(1.0, (target - done) / work) if cost > 0 else 1.0)
        done += work
        level[where] = rung + 1
    return (value if done >= target - WORK_TOLERANCE else np.inf), done


@compiled
def _ends(orders: Orders, job: int, first: int, last: int, room: Room, drop: IntArray, add: IntArray) -> None:
    """For each rung, the dearest slot that could step down from it and the cheapest that could step up to it."""
    charge = room.charge
    for rung in range(orders.row[job].depth + 1):
        drop[rung] = add[rung] = -1
    for slot in range(first, last):
        here = room.level[slot]
        if here > 0 and (drop[here - 1] < 0 or charge[slot] > charge[drop[here - 1]]):
            drop[here - 1] = slot
        if room.usable[slot] > here and (add[here] < 0 or charge[slot] < charge[add[here]]):
            add[here] = slot


@compiled
def _may(slots: IntArray, rung: int, taken: int) -> bool:
    """Whether there is a slot at ``rung``, other than ``taken``; always true of no rung, -1."""
    return rung < 0 or (slots[rung] >= 0 and slots[rung] != taken)


@compiled
def _paid(charge: FloatArray, slots: IntArray, rung: int, ladder: FloatArray) -> float:
    """What stepping up to ``rung`` is charged; nothing for no rung, -1."""
    return float(charge[slots[rung]] * _step(ladder, rung)) if rung >= 0 else 0.0


@compiled
def _gained(rung: int, ladder: FloatArray) -> float:
    """The work that stepping up to ``rung`` does; nothing for no rung, -1."""
    return float(_step(ladder, rung)) if rung >= 0 else 0.0


@compiled
def _best_exchange(
    charge: FloatArray, kw: FloatArray, work: FloatArray, spare: float, drop: IntArray, add: IntArray
) -> tuple[int, int, int]:
    """The rung to step down from and up to two to step up to that save most; -1 for none.

    :param spare: work that may be lost.
    """
    best, down, up, second = 1e-12, -1, -1, -1
    for out in range(len(add) - 1):
        if drop[out] < 0:
            continue
        for one in range(-1, len(add) - 1):
            for two in range(-1, max(one, 0)):
                if _may(add, one, drop[out]) and _may(add, two, drop[out]):
                    lost = _step(work, out) - _gained(one, work) - _gained(two, work)
                    gain = _paid(charge, drop, out, kw) - _paid(charge, add, one, kw) - _paid(charge, add, two, kw)
                    if lost <= spare and gain > best:
                        best, down, up, second = gain, out, one, two
    return down, up, second


@compiled
def _exchange(orders: Orders, job: int, first: int, last: int, done: float, room: Room) -> None:
    """Step one slot down, and none, one or two others up, while that lowers the charge and the work is still done."""
    depth, kw, work, level = orders.row[job].depth, orders.level_kw[job], orders.level_work[job], room.level
    drop, add = np.zeros(depth + 1, dtype=np.int64), np.zeros(depth + 1, dtype=np.int64)
    for _ in range(MOST_EXCHANGES):
        _ends(orders, job, first, last, room, drop, add)
        spare = done - orders.row[job].work + WORK_TOLERANCE
        down, up, second = _best_exchange(room.charge, kw, work, spare, drop, add)
        if down < 0:
            return
        level[drop[down]] -= 1
        done += _gained(up, work) + _gained(second, work) - _step(work, down)
        if up >= 0:
            level[add[up]] += 1
        if second >= 0:
            level[add[second]] += 1


@compiled
def _by_counts(orders: Orders, job: int, first: int, last: int, slots: int, room: Room) -> float:
    """The least charge over all ``m_1 >= m_2 >= m_3``, for ladders of up to three levels; levels go to ``level``."""
    depth, target, sums = orders.row[job].depth, orders.row[job].work, room.sums
    sums[0], earning = 0.0, 0
    for index in range(slots):
        charge = room.charge[room.order[index]]
        sums[index + 1] = sums[index] + charge
        earning += charge < 0
    kw, work = np.zeros(EXACT_DEPTH), np.zeros(EXACT_DEPTH)
    for rung in range(depth):
        kw[rung], work[rung] = _step(orders.level_kw[job], rung), _step(orders.level_work[job], rung)
    best, one, two, three = np.inf, 0, 0, 0
    for top in range((slots if depth > 2 else 0) + 1):
        if earning == 0 and kw[2] * sums[top] >= best:
            break
        for middle in range(top, (slots if depth > 1 else top) + 1):
            above = kw[2] * sums[top] + kw[1] * sums[middle]
            if earning == 0 and above >= best:
                break
            need = np.ceil((target - work[2] * top - work[1] * middle) / work[0] - WORK_TOLERANCE)
            bottom = max(middle, earning, int(need))
            if bottom <= slots and above + kw[0] * sums[bottom] < best:
                best, one, two, three = above + kw[0] * sums[bottom], bottom, middle, top
    clear(room.level, first, last)
    for index in range(one):
        room.level[room.order[index]] = 1 + (index < two) + (index < three)
    return best


@compiled
def elastic_at(orders: Orders, job: int, first: int, last: int, whole: bool, room: Room) -> tuple[float, float]:
    """Charge of the best course found at one site, with its ``room.level``, and the proven floor of the site.

    Both are inf where the work cannot be done.

    :param whole: whether each usable slot may run every level.
    """
    slots = ranked(first, last, room)
    if whole and orders.row[job].depth <= EXACT_DEPTH:
        value = _by_counts(orders, job, first, last, slots, room)
        return value, value
    floor, done = _by_steps(orders, job, first, last, slots, room)
    if floor == np.inf:
        return np.inf, np.inf
    _exchange(orders, job, first, last, done, room)
    value = 0.0
    for slot in range(first, last):
        if room.level[slot] > 0:
            value += orders.level_kw[job, room.level[slot] - 1] * room.charge[slot]
    return value, floor
