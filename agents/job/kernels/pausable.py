"""Pausable jobs: whole slots at constant power anywhere in the window, each pause at a cost.

Where pauses are free, the cheapest slots are the best. Elsewhere a dynamic programme over (slots run so far, whether
the last one was run) is solved; with restarts that take slots, least lengths of runs or a limit of pauses, one over
(pauses, work done, slots in the present run) besides.
"""

from __future__ import annotations

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.kernels.room import Room, clear, ranked
from agents.job.orders import UNLIMITED, Orders


@compiled
def pausable_at(orders: Orders, job: int, first: int, last: int, room: Room) -> float:
    """Least charge of a course at one site, marked in ``room.level``; inf where there is none."""
    kw, pause, duration = orders.row[job].power_kw, orders.row[job].pause_gbp, orders.row[job].duration
    if last - first < duration:
        return np.inf
    if orders.row[job].restart > 0 or orders.row[job].min_run > 1 or orders.row[job].max_pauses < UNLIMITED:
        return float(kw * _phased(orders, job, first, last, room))
    if pause <= 0:
        return float(kw * _cheapest(first, last, duration, room))
    return float(kw * _programme(first, last, duration, pause / kw, room))


@compiled
def _cheapest(first: int, last: int, duration: int, room: Room) -> float:
    """The cheapest slots, wherever they are."""
    if ranked(first, last, room) < duration:
        return np.inf
    clear(room.level, first, last)
    total = 0.0
    for index in range(duration):
        room.level[room.order[index]] = 1
        total += room.charge[room.order[index]]
    return total


@compiled
def _programme(first: int, last: int, duration: int, pause: float, room: Room) -> float:
    """Least charge of ``duration`` slots when every run after the first is charged ``pause``."""
    idle, busy, slots = room.idle, room.busy, last - first
    for count in range(duration + 1):
        idle[count] = busy[count] = np.inf
    idle[0] = -pause
    for row in range(slots):
        price = room.charge[first + row] if room.usable[first + row] > 0 else np.inf
        for count in range(min(row + 1, duration), max(0, duration - (slots - row)) - 1, -1):
            ran, rested = busy[count], idle[count]
            if count > 0:
                begin = idle[count - 1] + pause
                went_on = busy[count - 1] <= begin
                room.went_on[row, count] = went_on
                busy[count] = (busy[count - 1] if went_on else begin) + price
            else:
                busy[count] = np.inf
            room.stopped[row, count] = ran < rested
            idle[count] = min(ran, rested)
    running, count = busy[duration] < idle[duration], duration
    value = busy[duration] if running else idle[duration]
    if not np.isfinite(value):
        return np.inf
    for row in range(slots - 1, -1, -1):
        room.level[first + row] = 1 if running else 0
        if running:
            running = room.went_on[row, count]
            count -= 1
        else:
            running = room.stopped[row, count]
    return float(value)


@compiled
def _phased(  # one transition after another
    orders: Orders, job: int, first: int, last: int, room: Room
) -> float:
    """Least charge when runs have least lengths, restarts take slots, or pauses are limited.

    The state is (pauses so far, work done, slots in the present run up to ``most``; 0 while idle). Where pauses are
    not limited, all but none count alike.
    """
    duration, restart, shortest = orders.row[job].duration, orders.row[job].restart, orders.row[job].min_run
    pause = orders.row[job].pause_gbp / orders.row[job].power_kw
    limited = orders.row[job].max_pauses < UNLIMITED
    pauses = min(orders.row[job].max_pauses, duration - 1) if limited else 1
    most, slots = max(shortest, restart + 1), last - first
    shape = (pauses + 1, duration + 1, most + 1)
    value = np.full(shape, np.inf)
    value[0, 0, 0] = 0.0
    came = np.zeros((slots, pauses + 1, duration + 1, most + 1), np.int8)
    for row in range(slots):
        slot = first + row
        price = room.charge[slot] if room.usable[slot] > 0 else np.inf
        after = np.full(shape, np.inf)
        for paused in range(pauses + 1):
            for done in range(duration + 1):
                for phase in range(most + 1):
                    here = value[paused, done, phase]
                    if not np.isfinite(here):
                        continue
                    may_stop = phase == 0 or (phase >= shortest and (paused == 0 or phase > restart))
                    if may_stop and here < after[paused, done, 0]:
                        after[paused, done, 0] = here
                        came[row, paused, done, 0] = phase
                    if price == np.inf or done == duration:
                        continue
                    if phase > 0:
                        works = paused == 0 or phase >= restart
                        to_paused, to_phase, charge = paused, min(phase + 1, most), price
                    elif done == 0:
                        works, to_paused, to_phase, charge = True, 0, 1, price
                    else:
                        works, to_phase, charge = restart == 0, 1, price + pause
                        to_paused = paused + 1 if limited else 1
                        if to_paused > pauses:
                            continue
                    if here + charge < after[to_paused, done + works, to_phase]:
                        after[to_paused, done + works, to_phase] = here + charge
                        came[row, to_paused, done + works, to_phase] = _mark(paused, to_paused, phase)
        value = after
    return _traced(orders, job, first, value, came, room)


@compiled
def _mark(paused: int, to_paused: int, phase: int) -> int:
    """Where a state came from: the phase before, below nought where the run began with a pause from fewer of them."""
    return -1 if to_paused > paused else phase


@compiled
def _traced(orders: Orders, job: int, first: int, value: np.ndarray, came: np.ndarray, room: Room) -> float:
    """The least value of a finished job, its course marked in ``room.level``."""
    duration, restart, shortest = orders.row[job].duration, orders.row[job].restart, orders.row[job].min_run
    slots, pauses, most = came.shape[0], came.shape[1] - 1, came.shape[3] - 1
    best, paused, phase = np.inf, 0, 0
    for number in range(pauses + 1):
        for last_phase in range(most + 1):
            ended = last_phase == 0 or (last_phase >= shortest and (number == 0 or last_phase > restart))
            if ended and value[number, duration, last_phase] < best:
                best, paused, phase = value[number, duration, last_phase], number, last_phase
    if best == np.inf:
        return np.inf
    done = duration
    for row in range(slots - 1, -1, -1):
        source = came[row, paused, done, phase]
        room.level[first + row] = phase > 0
        if phase == 0:
            phase = source
            continue
        if source < 0:
            done -= restart == 0
            paused, phase = paused - 1, 0
        elif source == 0 and paused > 0:
            done -= restart == 0
            phase = 0
        else:
            done -= paused == 0 or source >= restart
            phase = source
    return float(best)
