"""Jobs take turns: each leaves its course, looks at the board, and takes what is best for it now."""

from __future__ import annotations

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.kernels.course import best_course, own_gbp, set_floors
from agents.job.kernels.room import Room, room_for
from agents.job.orders import Board, Courses, Orders
from core.market import NOWHERE
from core.series import BoolArray, FloatArray, IntArray

NEVER = 1e18


@compiled
def draw(orders: Orders, job: int, sign: float, board: Board, courses: Courses) -> None:
    """Add ``sign`` times what a job draws and emits to the sums."""
    place = courses.place[job]
    site, kg = board.place_site[place], 0.0
    classed = place >= len(board.pue)
    for slot in range(orders.row[job].first, orders.row[job].last):
        if courses.level[job, slot] > 0:
            power_kw = sign * orders.level_kw[job, courses.level[job, slot] - 1]
            courses.load_kw[site, slot] += power_kw * board.pue[site, slot]
            kg += power_kw * board.kg[site, slot]
            if classed:
                courses.hardware_kw[place, slot] += power_kw
    for cap in (board.total_cap, board.site_cap[site], orders.row[job].tenant_cap):
        if cap != NOWHERE:
            courses.kg[cap] += kg


@compiled
def leave(orders: Orders, job: int, board: Board, courses: Courses) -> None:
    """Take a job out of the plan."""
    if courses.place[job] != NOWHERE:
        draw(orders, job, -1.0, board, courses)
        courses.place[job] = NOWHERE
        courses.gbp[job] = 0.0
        for slot in range(orders.row[job].first, orders.row[job].last):
            courses.level[job, slot] = 0


@compiled
def take(orders: Orders, job: int, place: int, level: IntArray, board: Board, courses: Courses) -> None:
    """Put a job into the plan with the levels in ``level`` (T,)."""
    courses.place[job] = place
    for slot in range(orders.row[job].first, orders.row[job].last):
        courses.level[job, slot] = level[slot]
    courses.gbp[job] = own_gbp(
        orders, job, place, courses.level[job], orders.row[job].first, orders.row[job].last, board
    )
    draw(orders, job, 1.0, board, courses)


@compiled
def bounds(orders: Orders, job: int, courses: Courses) -> tuple[int, int]:
    """The window that those before and after the job leave it now; empty where one before it is not served."""
    first, last = orders.row[job].first, orders.row[job].roomy_last
    for index in range(orders.before_at[job], orders.before_at[job + 1]):
        other = orders.before[index]
        if courses.place[other] == NOWHERE:
            return first, first
        end = orders.row[other].last
        while courses.level[other, end - 1] == 0:
            end -= 1
        first = max(first, end)
    for index in range(orders.behind_at[job], orders.behind_at[job + 1]):
        other = orders.behind[index]
        if courses.place[other] != NOWHERE:
            start = orders.row[other].first
            while courses.level[other, start] == 0:
                start += 1
            last = min(last, start)
    return first, max(first, last)


@compiled
def has_behind(orders: Orders, job: int, courses: Courses) -> bool:
    """Whether a job that is served comes after this one."""
    for index in range(orders.behind_at[job], orders.behind_at[job + 1]):
        if courses.place[orders.behind[index]] != NOWHERE:
            return True
    return False


@compiled
def turn(orders: Orders, job: int, most_gbp: float, board: Board, courses: Courses, room: Room, kept: IntArray) -> None:
    """One job's turn. It stays out where nothing costs less than ``most_gbp``.

    A job on which served ones depend is not left out: where nothing else is to be had it keeps its course.
    """
    before = courses.place[job]
    for slot in range(orders.row[job].first, orders.row[job].last):
        kept[slot] = courses.level[job, slot]
    needed = has_behind(orders, job, courses)
    first, last = bounds(orders, job, courses)
    leave(orders, job, board, courses)
    place = NOWHERE
    if last > first:
        clear_outside(orders, job, first, last, room)
        place, _, _ = best_course(orders, job, first, last, NEVER if needed else most_gbp, board, courses, room)
    if place != NOWHERE:
        take(orders, job, place, room.best, board, courses)
    elif needed and before != NOWHERE:
        take(orders, job, before, kept, board, courses)


@compiled
def clear_outside(orders: Orders, job: int, first: int, last: int, room: Room) -> None:
    """No level in the slots of a job's window that are not open now."""
    for slot in range(orders.row[job].first, first):
        room.best[slot] = 0
    for slot in range(last, orders.row[job].last):
        room.best[slot] = 0


@compiled
def take_turns(orders: Orders, jobs: IntArray, most_gbp: FloatArray, board: Board, courses: Courses) -> None:
    """One turn for each of ``jobs`` in that order, each at most for ``most_gbp`` (J,); changes ``courses``."""
    slots = courses.level.shape[1]
    room, kept = room_for(orders, slots), np.zeros(slots, np.int64)
    for job in jobs:
        turn(orders, job, most_gbp[job], board, courses, room, kept)


@compiled
def best_answers(
    orders: Orders, board: Board, drawn: Courses, asked: BoolArray, courses: Courses, floor_gbp: FloatArray
) -> None:
    """Every job's best course at the board's prices, for itself alone.

    :param drawn: sums of nought: prices are as announced.
    :param asked: (J,) which jobs' courses are wanted in ``courses``, whose sums are left as they are.
    :param floor_gbp: (J,) proven least charge of each; inf where it has no course.
    """
    room = room_for(orders, board.pue.shape[1])
    for job in range(len(orders.row)):
        first, last = orders.row[job].first, orders.row[job].last
        clear_outside(orders, job, first, last, room)
        place, _, floor_gbp[job] = best_course(orders, job, first, last, np.inf, board, drawn, room)
        if place != NOWHERE and asked[job]:
            courses.place[job] = place
            for slot in range(first, last):
                courses.level[job, slot] = room.best[slot]
            courses.gbp[job] = own_gbp(orders, job, place, courses.level[job], first, last, board)


@compiled
def count_anew(orders: Orders, board: Board, courses: Courses) -> None:
    """Own costs and sums of all courses worked out anew: at other costs, or to be rid of rounding."""
    courses.load_kw[:] = 0.0
    courses.hardware_kw[:] = 0.0
    courses.kg[:] = 0.0
    for job in range(len(orders.row)):
        place = courses.place[job]
        if place == NOWHERE:
            courses.gbp[job] = 0.0
            continue
        draw(orders, job, 1.0, board, courses)
        courses.gbp[job] = own_gbp(
            orders, job, place, courses.level[job], orders.row[job].first, orders.row[job].last, board
        )


@compiled
def know_places(orders: Orders, board: Board, drawn: Courses) -> None:
    """Put every job's places in order of what it is charged there at least; see :func:`set_floors`."""
    set_floors(orders, board, drawn, room_for(orders, board.pue.shape[1]))
