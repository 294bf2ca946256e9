"""Courses: how one job runs at the least charge, compiled, because each kind walks its slots one after another.

A course is a job's power in each slot at one site. ``best_course`` finds the least charged one over all sites that the
job's window, limits and the power still free allow; ``answer`` asks jobs one by one, either all against the same free
power or, in turn, each against what those before it have left. All of it is in one file because the compiled code is
cached on disk per file.

*Block*: a sliding window. *Pausable*: the cheapest slots where pauses are free or none is needed, else a dynamic
programme over (slots run so far, whether the last one was run). *Elastic*: write ``m_l`` for the slots run at level
``l`` or above; where every slot may run any level, the cheapest slots get the highest levels, so that a course is
``m_1 >= m_2 >= m_3`` and all are searched; elsewhere, and for longer ladders, steps are taken in order of charge per
unit of work and then exchanged while that pays, and the floor is the continuous relaxation's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba
import numpy as np

from agents.job.orders import BLOCK, PAUSABLE, Orders, Terms
from core.bid import NOWHERE, TOLERANCE_KW
from core.series import BoolArray, FloatArray, IntArray

Function = TypeVar("Function", bound=Callable[..., object])
WORK_TOLERANCE = 1e-9
EXACT_DEPTH = 3
MOST_EXCHANGES = 40


def compiled(function: Function) -> Function:
    """Compile when first called, for the types it is called with; the result is cached beside this file."""
    return numba.njit(cache=True)(function)  # type: ignore[no-any-return]


@compiled
def _levels_open(
    orders: Orders, job: int, terms: Terms, residual_kw: FloatArray, site: int, out: IntArray
) -> tuple[int, bool]:
    """How many levels each slot of the window may run; returns how many slots may run, and whether these all may run
    every level."""
    slots, whole = 0, True
    first, depth = orders.first[job], orders.depth[job]
    for slot in range(first, orders.last[job]):
        usable = 0
        if terms.price[site, slot] <= orders.max_price[job] and terms.carbon[site, slot] <= orders.max_carbon[job]:
            free = (residual_kw[site, slot] + TOLERANCE_KW) / terms.pue[site, slot]
            while usable < depth and orders.level_kw[job, usable] <= free:
                usable += 1
        out[slot] = usable
        slots += usable > 0
        whole = whole and (usable == 0 or usable == depth)
    return slots, whole


@compiled
def _block(orders: Orders, job: int, charge: FloatArray, usable: IntArray) -> tuple[float, int]:
    """Least charge per kW of a contiguous run, and its start; inf where there is none."""
    duration = orders.duration[job]
    best, start, run, total = np.inf, -1, 0, 0.0
    for slot in range(orders.first[job], orders.last[job]):
        if not usable[slot]:
            run, total = 0, 0.0
            continue
        run += 1
        total += charge[slot]
        if run > duration:
            total -= charge[slot - duration]
        if run >= duration and total < best:
            best, start = total, slot - duration + 1
    return best, start


@compiled
def _cheapest_slots(
    orders: Orders, job: int, charge: FloatArray, order: IntArray, usable: IntArray, taken: BoolArray
) -> tuple[float, int]:
    """Sum of the charges of the cheapest slots of the job, marked in ``taken``, and their number of runs."""
    first, last, left = orders.first[job], orders.last[job], orders.duration[job]
    taken[first:last] = False
    total = 0.0
    for slot in order:
        if first <= slot < last and usable[slot]:
            taken[slot] = True
            total += charge[slot]
            left -= 1
            if left == 0:
                break
    if left > 0:
        return np.inf, 0
    runs = 0
    for slot in range(first, last):
        runs += taken[slot] and (slot == first or not taken[slot - 1])
    return total, runs


@compiled
def _programme(
    first: int, last: int, duration: int, pause: float, charge: FloatArray, usable: IntArray, taken: BoolArray
) -> float:
    """Least charge of ``duration`` slots when every run after the first is charged ``pause``; marks its slots."""
    slots = last - first
    idle, busy, begun = np.full(duration + 1, np.inf), np.full(duration + 1, np.inf), np.full(duration + 1, np.inf)
    idle[0] = -pause
    went_on = np.zeros((slots, duration + 1), dtype=np.uint8)
    stopped = np.zeros((slots, duration + 1), dtype=np.uint8)
    for row in range(slots):
        price = charge[first + row] if usable[first + row] else np.inf
        most = min(row + 1, duration)
        least = max(0, duration - (slots - row))
        for count in range(max(1, least), most + 1):
            begin = idle[count - 1] + pause
            went_on[row, count] = busy[count - 1] <= begin
            begun[count] = min(busy[count - 1], begin) + price
        for count in range(least, most + 1):
            stopped[row, count] = busy[count] < idle[count]
            idle[count] = min(idle[count], busy[count])
        begun[least - 1 if least > 0 else 0] = np.inf
        busy, begun = begun, busy
    value = min(idle[duration], busy[duration])
    if not np.isfinite(value):
        return np.inf
    running, count = busy[duration] < idle[duration], duration
    for row in range(slots - 1, -1, -1):
        taken[first + row] = running
        if running:
            running = went_on[row, count] > 0
            count -= 1
        else:
            running = stopped[row, count] > 0
    return float(value)


@compiled
def _pausable_floor_first(
    orders: Orders, job: int, terms: Terms, residual_kw: FloatArray, power: FloatArray
) -> tuple[int, float]:
    """Site and charge of the best pausable course, written to ``power``; sites in order of their cheapest slots."""
    sites, slots = terms.charge.shape
    usable, taken, best_taken = np.zeros(slots, np.int64), np.zeros(slots, np.bool_), np.zeros(slots, np.bool_)
    kw, pause, first, last = orders.power_kw[job], orders.pause_gbp[job], orders.first[job], orders.last[job]
    floor = np.full(sites, np.inf)
    best, where = np.inf, NOWHERE
    for site in range(sites):
        if not (orders.at_site[job, site] and terms.site_open[site]):
            continue
        if _levels_open(orders, job, terms, residual_kw, site, usable)[0] < orders.duration[job]:
            continue
        total, runs = _cheapest_slots(orders, job, terms.charge[site], terms.order[site], usable, taken)
        value = kw * total + pause * (runs - 1)
        floor[site] = kw * total if pause > 0 and runs > 1 else np.inf
        if value < best:
            best, where = value, site
            best_taken[:] = taken
    while True:
        site = int(np.argmin(floor))
        if floor[site] >= best:
            break
        floor[site] = np.inf
        _levels_open(orders, job, terms, residual_kw, site, usable)
        value = kw * _programme(first, last, orders.duration[job], pause / kw, terms.charge[site], usable, taken)
        if value < best:
            best, where = value, site
            best_taken[:] = taken
    for slot in range(first, last):
        power[slot] = kw if where != NOWHERE and best_taken[slot] else 0.0
    return where, best


@compiled
def _by_steps(
    orders: Orders, job: int, charge: FloatArray, order: IntArray, usable: IntArray, level: IntArray
) -> tuple[float, float]:
    """Take steps in order of charge per work until the work is done, and all that pay; the levels go to ``level``.

    Returns the charge when the last step may be taken in part (a proven floor) and the work done by whole steps.
    """
    first, last, depth, target = orders.first[job], orders.last[job], orders.depth[job], orders.work[job]
    count = len(order)
    at = np.zeros(depth, dtype=np.int64)
    level[first:last] = 0
    value, done = 0.0, 0.0
    while True:
        rate, step = np.inf, -1
        for rung in range(depth):
            while at[rung] < count:
                slot = order[at[rung]]
                if first <= slot < last and usable[slot] > rung and level[slot] <= rung:
                    break
                at[rung] += 1
            if at[rung] < count and level[order[at[rung]]] == rung:
                here = charge[order[at[rung]]] * _step(orders.level_kw[job], rung)
                here = here / _step(orders.level_work[job], rung) if here >= 0 else -1e300
                if here < rate:
                    rate, step = here, rung
        if step < 0 or (rate >= 0 and done >= target - WORK_TOLERANCE):
            break
        slot = order[at[step]]
        cost, work = charge[slot] * _step(orders.level_kw[job], step), _step(orders.level_work[job], step)
        value += cost * (min(1.0, (target - done) / work) if cost > 0 else 1.0)
        done += work
        level[slot] = step + 1
    return (value if done >= target - WORK_TOLERANCE else np.inf), done


@compiled
def _step(ladder: FloatArray, rung: int) -> float:
    """What a rung of a ladder adds to the one below."""
    return float(ladder[rung] - (ladder[rung - 1] if rung > 0 else 0.0))


@compiled
def _exchange(
    orders: Orders, job: int, charge: FloatArray, usable: IntArray, level: IntArray, done: float
) -> None:
    """Give back steps that are not needed, and exchange one for another, while that lowers the charge."""
    first, last, depth = orders.first[job], orders.last[job], orders.depth[job]
    for _ in range(MOST_EXCHANGES):
        drop, add = np.full(depth + 1, -1), np.full(depth + 1, -1)
        for slot in range(first, last):
            here = level[slot]
            if here > 0 and (drop[here - 1] < 0 or charge[slot] > charge[drop[here - 1]]):
                drop[here - 1] = slot
            if usable[slot] > here and (add[here] < 0 or charge[slot] < charge[add[here]]):
                add[here] = slot
        best, out_rung, in_rung, in_second = 1e-12, -1, -1, -1
        spare = done - orders.work[job] + WORK_TOLERANCE
        for out in range(depth):
            if drop[out] < 0:
                continue
            saved = charge[drop[out]] * _step(orders.level_kw[job], out)
            lost = _step(orders.level_work[job], out)
            if lost <= spare and saved > best:
                best, out_rung, in_rung, in_second = saved, out, -1, -1
            for one in range(depth):
                if add[one] < 0 or add[one] == drop[out]:
                    continue
                gain = saved - charge[add[one]] * _step(orders.level_kw[job], one)
                short = lost - _step(orders.level_work[job], one)
                if short <= spare and gain > best:
                    best, out_rung, in_rung, in_second = gain, out, one, -1
                for two in range(one + 1, depth):
                    if add[two] < 0 or add[two] == drop[out]:
                        continue
                    both = gain - charge[add[two]] * _step(orders.level_kw[job], two)
                    if short - _step(orders.level_work[job], two) <= spare and both > best:
                        best, out_rung, in_rung, in_second = both, out, one, two
        if out_rung < 0:
            return
        level[drop[out_rung]] -= 1
        done -= _step(orders.level_work[job], out_rung)
        for rung in (in_rung, in_second):
            if rung >= 0:
                level[add[rung]] += 1
                done += _step(orders.level_work[job], rung)


@compiled
def _by_counts(
    orders: Orders, job: int, charge: FloatArray, order: IntArray, usable: IntArray, slots: int, level: IntArray
) -> float:
    """The least charge over all ``m_1 >= m_2 >= m_3``, for ladders of up to three levels; levels go to ``level``."""
    first, last, depth, target = orders.first[job], orders.last[job], orders.depth[job], orders.work[job]
    sums, ranked = np.zeros(slots + 1), np.zeros(slots, dtype=np.int64)
    rank, pays = 0, 0
    for slot in order:
        if first <= slot < last and usable[slot]:
            ranked[rank] = slot
            sums[rank + 1] = sums[rank] + charge[slot]
            pays += charge[slot] < 0
            rank += 1
    kw, work = np.zeros(EXACT_DEPTH), np.zeros(EXACT_DEPTH)
    for rung in range(depth):
        kw[rung], work[rung] = _step(orders.level_kw[job], rung), _step(orders.level_work[job], rung)
    best, counts = np.inf, np.zeros(EXACT_DEPTH, dtype=np.int64)
    for top in range((slots if depth > 2 else 0) + 1):
        if pays == 0 and kw[2] * sums[top] >= best:
            break
        for middle in range(top, (slots if depth > 1 else top) + 1):
            above = kw[2] * sums[top] + kw[1] * sums[middle]
            if pays == 0 and above >= best:
                break
            need = np.ceil((target - work[2] * top - work[1] * middle) / work[0] - WORK_TOLERANCE)
            bottom = max(middle, pays, int(need))
            if bottom <= slots and above + kw[0] * sums[bottom] < best:
                best = above + kw[0] * sums[bottom]
                counts[0], counts[1], counts[2] = bottom, middle, top
    if np.isfinite(best):
        level[first:last] = 0
        for rung in range(EXACT_DEPTH):
            for place in range(counts[rung]):
                level[ranked[place]] += 1
    return float(best)


@compiled
def _levels_charge(orders: Orders, job: int, charge: FloatArray, level: IntArray) -> float:
    total = 0.0
    for slot in range(orders.first[job], orders.last[job]):
        if level[slot] > 0:
            total += orders.level_kw[job, level[slot] - 1] * charge[slot]
    return total


@compiled
def _elastic(
    orders: Orders, job: int, terms: Terms, residual_kw: FloatArray, power: FloatArray
) -> tuple[int, float, float]:
    """Site, charge and proven floor of the best elastic course, written to ``power``."""
    sites, slots = terms.charge.shape
    usable, level, best_level = np.zeros(slots, np.int64), np.zeros(slots, np.int64), np.zeros(slots, np.int64)
    best, where, proven = np.inf, NOWHERE, np.inf
    floors = np.full(sites, np.inf)
    for site in range(sites):
        if orders.at_site[job, site] and terms.site_open[site]:
            _levels_open(orders, job, terms, residual_kw, site, usable)
            floors[site] = _by_steps(orders, job, terms.charge[site], terms.order[site], usable, level)[0]
    while True:
        site = int(np.argmin(floors))
        if floors[site] >= min(best, 1e300):
            break
        charge, order, floor = terms.charge[site], terms.order[site], floors[site]
        floors[site] = np.inf
        count, whole = _levels_open(orders, job, terms, residual_kw, site, usable)
        if whole and orders.depth[job] <= EXACT_DEPTH:
            value = _by_counts(orders, job, charge, order, usable, count, level)
            floor = value
        else:
            _, done = _by_steps(orders, job, charge, order, usable, level)
            _exchange(orders, job, charge, usable, level, done)
            value = _levels_charge(orders, job, charge, level)
        proven = min(proven, floor)
        if value < best:
            best, where = value, site
            best_level[:] = level
    for slot in range(orders.first[job], orders.last[job]):
        here = best_level[slot] if where != NOWHERE else 0
        power[slot] = orders.level_kw[job, here - 1] if here > 0 else 0.0
    return where, best, proven


@compiled
def best_course(
    orders: Orders, job: int, terms: Terms, residual_kw: FloatArray, power: FloatArray
) -> tuple[int, float, float]:
    """Site, charge and proven floor of the job's least charged course, written to ``power`` (T,) within its window."""
    if orders.kind[job] == PAUSABLE:
        where, value = _pausable_floor_first(orders, job, terms, residual_kw, power)
        return where, value, value
    if orders.kind[job] != BLOCK:
        return _elastic(orders, job, terms, residual_kw, power)
    usable = np.zeros(terms.charge.shape[1], np.int64)
    best, where, begin = np.inf, NOWHERE, 0
    for site in range(terms.charge.shape[0]):
        if orders.at_site[job, site] and terms.site_open[site]:
            _levels_open(orders, job, terms, residual_kw, site, usable)
            value, start = _block(orders, job, terms.charge[site], usable)
            if value < best:
                best, where, begin = value, site, start
    if where != NOWHERE:
        power[begin : begin + orders.duration[job]] = orders.power_kw[job]
    return where, best * orders.power_kw[job], best * orders.power_kw[job]


@compiled
def answer(
    orders: Orders,
    jobs: IntArray,
    terms: Terms,
    residual_kw: FloatArray,
    carbon_left_kg: float,
    ceiling_gbp: FloatArray,
    in_turn: bool,
    site: IntArray,
    power_kw: FloatArray,
    figures: FloatArray,
) -> None:
    """Ask ``jobs`` (n,) one by one; writes ``site`` (n,), ``power_kw`` (n, T) and ``figures`` (n, 3): cost, value,
    floor.

    In turn, a job whose charge is below its ``ceiling_gbp`` (n,) and whose carbon fits takes its power out of
    ``residual_kw``; any other answers with nothing.
    """
    for row in range(len(jobs)):
        job = jobs[row]
        where, value, floor = best_course(orders, job, terms, residual_kw, power_kw[row])
        site[row], figures[row, 1], figures[row, 2] = where, value, floor
        figures[row, 0] = np.inf
        if where == NOWHERE:
            continue
        cost, kg, runs, before = 0.0, 0.0, 0, 0.0
        for slot in range(orders.first[job], orders.last[job]):
            kw = power_kw[row, slot]
            cost += kw * terms.cost[where, slot]
            kg += kw * terms.carbon_kg[where, slot]
            runs += kw > 0 and before == 0
            before = kw
        figures[row, 0] = cost + orders.pause_gbp[job] * (runs - 1)
        if not in_turn:
            continue
        if value >= ceiling_gbp[row] or kg > carbon_left_kg + 1e-9:
            site[row] = NOWHERE
            figures[row, :] = np.inf
            power_kw[row, :] = 0.0
            continue
        carbon_left_kg -= kg
        for slot in range(orders.first[job], orders.last[job]):
            residual_kw[where, slot] -= power_kw[row, slot] * terms.pue[where, slot]
