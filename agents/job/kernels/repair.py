"""From courses that nearly fit to courses that do: who has to leave, with whom, and gangs that come or go whole."""

from __future__ import annotations

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.kernels.course import best_course, carbon_left, carbon_price, standing_course
from agents.job.kernels.room import room_for
from agents.job.kernels.turns import NEVER, bounds, clear_outside, leave, take, turn
from agents.job.orders import Board, Courses, Orders
from core.market import NOWHERE, TOLERANCE_KW
from core.series import FloatArray, IntArray


@compiled
def resume(orders: Orders, jobs: IntArray, board: Board, courses: Courses) -> None:
    """Jobs that are out take up their standing courses, in the order of ``jobs``, where those still fit. The board is
    hard."""
    room = room_for(orders, courses.level.shape[1])
    for job in jobs:
        if courses.place[job] == NOWHERE:
            first, last = bounds(orders, job, courses)
            place = NOWHERE
            if last > first:
                clear_outside(orders, job, first, last, room)
                place = standing_course(orders, job, first, last, board, courses, room)
            if place != NOWHERE:
                take(orders, job, place, room.best, board, courses)


@compiled
def _in_the_way(orders: Orders, job: int, board: Board, courses: Courses) -> bool:
    """Whether a job holds some of what is overdrawn."""
    place = courses.place[job]
    site, classed = board.place_site[place], place >= len(board.pue)
    for slot in range(orders.row[job].first, orders.row[job].last):
        if courses.level[job, slot] > 0:
            if courses.load_kw[site, slot] > board.headroom_room[site, slot] + TOLERANCE_KW:
                return True
            if classed and courses.hardware_kw[place, slot] > board.hardware_room[place, slot] + TOLERANCE_KW:
                return True
    return bool(carbon_left(orders, job, site, board, courses) < -1e-9 and orders.row[job].cap_kg > 0)


@compiled
def _alone(orders: Orders, job: int) -> bool:
    """Whether no other job depends on this one being served."""
    return bool(orders.row[job].gang == NOWHERE and orders.behind_at[job] == orders.behind_at[job + 1])


@compiled
def drain(orders: Orders, jobs: IntArray, regret_gbp: float, board: Board, courses: Courses) -> None:
    """Jobs that hold some of what is overdrawn go elsewhere, in the order of ``jobs``, where that costs them at most
    ``regret_gbp`` more at the board's prices. The board is hard."""
    slots = courses.level.shape[1]
    room, kept = room_for(orders, slots), np.zeros(slots, np.int64)
    for job in jobs:
        if courses.place[job] == NOWHERE or not _in_the_way(orders, job, board, courses):
            continue
        place, most = courses.place[job], regret_gbp + _charged(orders, job, board, courses)
        for slot in range(orders.row[job].first, orders.row[job].last):
            kept[slot] = courses.level[job, slot]
        first, last = bounds(orders, job, courses)
        leave(orders, job, board, courses)
        other = NOWHERE
        if last > first:
            clear_outside(orders, job, first, last, room)
            other, _, _ = best_course(orders, job, first, last, most, board, courses, room)
        if other == NOWHERE:
            take(orders, job, place, kept, board, courses)
        else:
            take(orders, job, other, room.best, board, courses)


@compiled
def _charged(orders: Orders, job: int, board: Board, courses: Courses) -> float:
    """What a job's course is charged at the board's prices."""
    place = courses.place[job]
    site, classed = board.place_site[place], place >= len(board.pue)
    kg_gbp, total = carbon_price(orders, job, site, board, courses), courses.gbp[job]
    for slot in range(orders.row[job].first, orders.row[job].last):
        if courses.level[job, slot] > 0:
            power_kw = orders.level_kw[job, courses.level[job, slot] - 1]
            total += power_kw * board.pue[site, slot] * board.headroom_price[site, slot]
            total += power_kw * kg_gbp * board.kg[site, slot]
            if classed:
                total += power_kw * board.hardware_price[place, slot]
    return float(total)


@compiled
def leave_with_all_behind(orders: Orders, job: int, board: Board, courses: Courses) -> None:
    """Take a job out, and those that come after it."""
    waiting = np.empty(len(orders.row), np.int64)
    waiting[0], count = job, 1
    while count > 0:
        count -= 1
        here = waiting[count]
        leave(orders, here, board, courses)
        for index in range(orders.behind_at[here], orders.behind_at[here + 1]):
            if courses.place[orders.behind[index]] != NOWHERE:
                waiting[count] = orders.behind[index]
                count += 1


@compiled
def make_way(orders: Orders, jobs: IntArray, board: Board, courses: Courses) -> None:
    """Take jobs out, in the order of ``jobs``, until nothing is overdrawn; those on whom none depends go first."""
    for alone in (True, False):
        for job in jobs:
            if courses.place[job] == NOWHERE or _alone(orders, job) != alone:
                continue
            if _in_the_way(orders, job, board, courses):
                leave_with_all_behind(orders, job, board, courses)


@compiled
def part_gangs(orders: Orders, members: IntArray, member_at: IntArray, board: Board, courses: Courses) -> None:
    """Take out what is left of gangs that are not served whole; ``members[member_at[g]:member_at[g + 1]]``."""
    again = True
    while again:
        again = False
        for gang in range(len(member_at) - 1):
            served = 0
            for index in range(member_at[gang], member_at[gang + 1]):
                served += courses.place[members[index]] != NOWHERE
            if 0 < served < member_at[gang + 1] - member_at[gang]:
                again = True
                for index in range(member_at[gang], member_at[gang + 1]):
                    leave_with_all_behind(orders, members[index], board, courses)


@compiled
def seat_gangs(
    orders: Orders,
    members: IntArray,
    member_at: IntArray,
    most_gbp: FloatArray,
    board: Board,
    courses: Courses,
) -> None:
    """Seat gangs that are out, each whole or not at all, where that costs less than ``most_gbp`` (G,)."""
    slots = courses.level.shape[1]
    room, kept = room_for(orders, slots), np.zeros(slots, np.int64)
    for gang in range(len(member_at) - 1):
        first, end, total = member_at[gang], member_at[gang + 1], 0.0
        if courses.place[members[first]] != NOWHERE:
            continue
        whole = True
        for index in range(first, end):
            job = members[index]
            turn(orders, job, NEVER, board, courses, room, kept)
            whole = whole and courses.place[job] != NOWHERE
            total += courses.gbp[job]
            if not whole or total >= most_gbp[gang]:
                whole = False
                break
        if not whole:
            for index in range(first, end):
                leave_with_all_behind(orders, members[index], board, courses)
