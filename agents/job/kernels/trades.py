"""Jobs trade places: ruin and recreate, compiled.

A trial takes out a few jobs that hold a scarce site at one time, some that would like to and some that are unserved,
and asks them again in turn, mostly the bulkiest first, at prices in error. What comes out is kept when it is better, or
worse by less than a threshold that falls to nothing (Schrimpf et al. 2000; Dueck and Scheuer 1990). Under a cap, carbon
is charged its price when plans are compared: a trial that saves some makes room for others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.kernels.course import best_course
from agents.job.kernels.room import Room, room_for
from agents.job.kernels.turns import draw, leave, take
from agents.job.orders import Board, Courses, Orders
from core.market import NOWHERE
from core.series import BoolArray, FloatArray, IntArray, LevelArray

FEWEST, MOST = 2, 9
MOST_OTHERS = 3
BY_BULK = 0.9
BULK_ERROR = 0.6
CHOSEN = MOST + 2 * MOST_OTHERS + 2
LOOKED_AT = 3000


class Scene(NamedTuple):
    """What does not change: who may move, at which prices of headroom (G, S, T) they are asked, and where to look.

    ``scarcity`` (S * T,) is a running sum of weights of sites and slots, ending in 1. The first guide has no price.
    """

    orders: Orders
    jobs: IntArray
    board: Board
    guides: FloatArray
    scarcity: FloatArray


class State(NamedTuple):
    """The plan where trials stand, the best one seen (``best_place`` (J,), ``best_level`` (J, T)), and ``changed`` (J,)
    where they differ; ``present_gbp`` (2,) is the objective of the jobs that may move, and this with carbon charged;
    ``least_gbp`` (2,) are the least of both so far."""

    courses: Courses
    best_place: IntArray
    best_level: LevelArray
    changed: BoolArray
    present_gbp: FloatArray
    least_gbp: FloatArray


@compiled
def _add(chosen: IntArray, count: int, job: int) -> int:
    """Add a job to the first ``count`` of ``chosen`` unless it is there or there is no room; the new count."""
    if count == len(chosen):
        return count
    for index in range(count):
        if chosen[index] == job:
            return count
    chosen[count] = job
    return count + 1


@compiled
def _some(pool: IntArray, size: int, most: int, chosen: IntArray, count: int) -> int:
    """Add up to ``most`` of the first ``size`` of ``pool`` (which is shuffled) at random; the new count."""
    for index in range(min(size, most)):
        other = index + int(np.random.random() * (size - index))
        pool[index], pool[other] = pool[other], pool[index]
        count = _add(chosen, count, pool[index])
    return count


@compiled
def _may_run(orders: Orders, job: int, site: int, board: Board) -> bool:
    for index in range(orders.place_at[job], orders.place_at[job + 1]):
        if board.place_site[orders.place[index]] == site:
            return True
    return False


@compiled
def _ruined(scene: Scene, courses: Courses, chosen: IntArray, pools: IntArray) -> int:
    """Choose jobs around a scarce site and slot; writes them to ``chosen`` and returns how many.

    Of many jobs only some, from a random one on, are looked at. ``pools`` is (3, LOOKED_AT) room to work in.
    """
    orders, board, jobs = scene.orders, scene.board, scene.jobs
    slots = courses.level.shape[1]
    cell = min(int(np.searchsorted(scene.scarcity, np.random.random())), len(scene.scarcity) - 1)
    here, slot = cell // slots, cell % slots
    there = int(np.random.random() * (len(scene.scarcity) // slots)) if np.random.random() < 0.5 else here
    holding, rivalling, waiting = 0, 0, 0
    start = int(np.random.random() * len(jobs))
    for index in range(min(len(jobs), LOOKED_AT)):
        job = jobs[(start + index) % len(jobs)]
        if courses.place[job] == NOWHERE:
            pools[2, waiting] = job
            waiting += 1
            continue
        site = board.place_site[courses.place[job]]
        if (site in (here, there)) and courses.level[job, slot] > 0:
            pools[0, holding] = job
            holding += 1
        elif orders.row[job].first <= slot < orders.row[job].last and _may_run(orders, job, here, board):
            pools[1, rivalling] = job
            rivalling += 1
    count = _some(pools[0], holding, FEWEST + int(np.random.random() * (MOST - FEWEST)), chosen, 0)
    count = _some(pools[1], rivalling, int(np.random.random() * (MOST_OTHERS + 1)), chosen, count)
    count = _some(pools[2], waiting, int(np.random.random() * (MOST_OTHERS + 1)), chosen, count)
    return _add(chosen, count, jobs[int(np.random.random() * len(jobs))])


@compiled
def _line_up(orders: Orders, chosen: IntArray) -> None:
    """Put the chosen jobs in order of bulk in error, the bulkiest first, or now and then in random order."""
    rank = np.empty(len(chosen))
    by_bulk = np.random.random() < BY_BULK
    for index in range(len(chosen)):
        rank[index] = np.random.random()
        if by_bulk:
            rank[index] = orders.row[chosen[index]].bulk * (1 - BULK_ERROR * rank[index])
    for index in range(len(chosen)):
        largest = index
        for other in range(index + 1, len(chosen)):
            if rank[other] > rank[largest]:
                largest = other
        rank[index], rank[largest] = rank[largest], rank[index]
        chosen[index], chosen[largest] = chosen[largest], chosen[index]


@compiled
def _settle(orders: Orders, job: int, board: Board, courses: Courses, room: Room) -> None:
    """Ask one job, and place it when something costs less than its penalty."""
    first, last = orders.row[job].first, orders.row[job].last
    place, _, _ = best_course(orders, job, first, last, orders.row[job].penalty_gbp, board, courses, room)
    if place != NOWHERE:
        take(orders, job, place, room.best, board, courses)


@compiled
def _recreate(scene: Scene, chosen: IntArray, guide: int, courses: Courses, room: Room) -> None:
    """Ask the chosen jobs in turn at a guide, those left over again at the first."""
    board = scene.board
    _line_up(scene.orders, chosen)
    board.headroom_price[:] = scene.guides[guide]
    for job in chosen:
        _settle(scene.orders, job, board, courses, room)
    board.headroom_price[:] = scene.guides[0]
    for job in chosen:
        if courses.place[job] == NOWHERE and guide > 0:
            _settle(scene.orders, job, board, courses, room)


@compiled
def _held_gbp(orders: Orders, chosen: IntArray, courses: Courses) -> float:
    """Cost or penalty of the chosen jobs."""
    total = 0.0
    for job in chosen:
        total += orders.row[job].penalty_gbp if courses.place[job] == NOWHERE else courses.gbp[job]
    return total


@compiled
def _carbon_gbp(board: Board, courses: Courses) -> float:
    """What the carbon under the caps is charged."""
    total = 0.0
    for cap in range(len(courses.kg)):
        total += board.carbon_price[cap] * courses.kg[cap]
    return total


@compiled
def _bring_back(
    orders: Orders, job: int, place: int, level: LevelArray, gbp: float, board: Board, courses: Courses
) -> None:
    """Place a job as it was."""
    courses.place[job], courses.gbp[job] = place, gbp
    for slot in range(orders.row[job].first, orders.row[job].last):
        courses.level[job, slot] = level[slot]
    if place != NOWHERE:
        draw(orders, job, 1.0, board, courses)


@compiled
def trade(scene: Scene, state: State, warmth_gbp: FloatArray, seed: int) -> None:
    """One trial for each of ``warmth_gbp`` (n,), by how much it may be worse than the best; changes ``state``."""
    orders, board, courses = scene.orders, scene.board, state.courses
    present, least, slots = state.present_gbp, state.least_gbp, courses.level.shape[1]
    np.random.seed(seed)
    most, pools = np.empty(CHOSEN, np.int64), np.empty((3, LOOKED_AT), np.int64)
    was_place, was_level, was_gbp = np.empty(CHOSEN, np.int64), np.empty((CHOSEN, slots), np.int8), np.empty(CHOSEN)
    room = room_for(orders, slots)
    for warmth in warmth_gbp:
        count = _ruined(scene, courses, most, pools)
        chosen = most[:count]
        old_gbp, old_carbon = _held_gbp(orders, chosen, courses), _carbon_gbp(board, courses)
        for row in range(count):
            job = chosen[row]
            was_place[row], was_gbp[row] = courses.place[job], courses.gbp[job]
            was_level[row] = courses.level[job]
            leave(orders, job, board, courses)
        guide = int(np.random.random() * len(scene.guides))
        _recreate(scene, chosen.copy(), guide, courses, room)
        gained = _held_gbp(orders, chosen, courses) - old_gbp
        charged = gained + _carbon_gbp(board, courses) - old_carbon
        if present[1] + charged > least[1] + warmth:
            for job in chosen:
                leave(orders, job, board, courses)
            for row in range(count):
                _bring_back(orders, chosen[row], was_place[row], was_level[row], was_gbp[row], board, courses)
            continue
        present[0] += gained
        present[1] += charged
        least[1] = min(least[1], present[1])
        for job in chosen:
            state.changed[job] = True
        if present[0] < least[0] - 1e-9:
            _remember(scene, state)


@compiled
def _remember(scene: Scene, state: State) -> None:
    """The plan is the best so far."""
    state.least_gbp[0] = state.present_gbp[0]
    for job in scene.jobs:
        if state.changed[job]:
            state.best_place[job] = state.courses.place[job]
            state.best_level[job] = state.courses.level[job]
            state.changed[job] = False
