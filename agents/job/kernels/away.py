"""Moving jobs away: what each of those that draw in shut cells would be charged elsewhere, beside all the others."""

from __future__ import annotations

import numpy as np

from agents.job.kernels.compiling import compiled
from agents.job.kernels.course import best_course, carbon_price
from agents.job.kernels.room import Room, room_for
from agents.job.kernels.turns import bounds, clear_outside, draw, leave, take
from agents.job.orders import Board, Courses, Orders
from core.market import NOWHERE, TOLERANCE_KW
from core.series import BoolArray, FloatArray, IntArray

SHUT_KW = -1e12
"""room of a cell in which nothing may run"""


@compiled
def seat(orders: Orders, board: Board, courses: Courses) -> None:
    """Put every job that has a standing course into it."""
    for job in range(len(orders.row)):
        planned = orders.row[job].planned
        if planned != NOWHERE and orders.planned_place[planned] != NOWHERE:
            take(orders, job, orders.planned_place[planned], orders.planned_level[planned], board, courses)


@compiled
def charged(orders: Orders, job: int, board: Board, courses: Courses) -> tuple[float, float]:
    """GBP that a job's course is charged at the board's prices, which do not move, and the kg that it emits."""
    place = courses.place[job]
    site, total, kg = board.place_site[place], courses.gbp[job], 0.0
    for slot in range(orders.row[job].first, orders.row[job].last):
        if courses.level[job, slot] > 0:
            power_kw = orders.level_kw[job, courses.level[job, slot] - 1]
            total += power_kw * board.pue[site, slot] * board.headroom_price[site, slot]
            if place >= len(board.pue):
                total += power_kw * board.hardware_price[place, slot]
            kg += power_kw * board.kg[site, slot]
    return total + carbon_price(orders, job, site, board, courses) * kg, kg


@compiled
def _beside(orders: Orders, job: int, kept_kw: FloatArray, board: Board, courses: Courses) -> bool:
    """Whether a job's course leaves ``kept_kw`` (S, T) alone."""
    site = board.place_site[courses.place[job]]
    for slot in range(orders.row[job].first, orders.row[job].last):
        room_kw = board.headroom_room[site, slot] - kept_kw[site, slot]
        if courses.level[job, slot] > 0 and courses.load_kw[site, slot] > room_kw + TOLERANCE_KW:
            return False
    return True


@compiled
def move_away(  # noqa: PLR0913, PLR0917  # compiled code takes what it needs flat
    orders: Orders,
    jobs: IntArray,
    kept_kw: FloatArray,
    board: Board,
    courses: Courses,
    room: Room,
    extra_gbp: FloatArray,
    extra_kg: FloatArray,
    beside: BoolArray,
) -> None:
    """Move each of ``jobs`` (n,) in turn to its best course on a hard board, all of them together; then all go back.

    :param kept_kw: (S, T) room that an alternative should rather leave alone.
    :param extra_gbp: (n,) written: what it is charged more there; NaN where it has no other course.
    :param extra_kg: (n,) written: what it emits more; ``beside`` whether it leaves ``kept_kw`` alone.
    """
    was_place, was_gbp = np.empty(len(jobs), np.int64), np.empty(len(jobs))
    was_level = np.empty((len(jobs), courses.level.shape[1]), np.int8)
    for index in range(len(jobs)):
        job = jobs[index]
        was_place[index], was_gbp[index], was_level[index] = courses.place[job], courses.gbp[job], courses.level[job]
        present_gbp, present_kg = charged(orders, job, board, courses)
        extra_gbp[index], extra_kg[index], beside[index] = np.nan, np.nan, False
        first, last = bounds(orders, job, courses)
        leave(orders, job, board, courses)
        place = NOWHERE
        if last > first:
            clear_outside(orders, job, first, last, room)
            place, _, _ = best_course(orders, job, first, last, np.inf, board, courses, room)
        if place == NOWHERE:
            _back(orders, job, was_place[index], was_level[index], was_gbp[index], board, courses)
            continue
        take(orders, job, place, room.best, board, courses)
        gbp, kg = charged(orders, job, board, courses)
        extra_gbp[index], extra_kg[index] = gbp - present_gbp, kg - present_kg
        beside[index] = _beside(orders, job, kept_kw, board, courses)
    for index in range(len(jobs)):
        if not np.isnan(extra_gbp[index]):
            leave(orders, jobs[index], board, courses)
    for index in range(len(jobs)):
        if not np.isnan(extra_gbp[index]):
            _back(orders, jobs[index], was_place[index], was_level[index], was_gbp[index], board, courses)


@compiled
def _back(orders: Orders, job: int, place: int, level: np.ndarray, gbp: float, board: Board, courses: Courses) -> None:
    """Put a job back where it was."""
    courses.place[job], courses.gbp[job] = place, gbp
    for slot in range(orders.row[job].first, orders.row[job].last):
        courses.level[job, slot] = level[slot]
    draw(orders, job, 1.0, board, courses)


@compiled
def move_from_each(  # noqa: PLR0913, PLR0917  # compiled code takes what it needs flat
    orders: Orders,
    cell_at: IntArray,
    jobs: IntArray,
    kept_kw: FloatArray,
    board: Board,
    courses: Courses,
    extra_gbp: FloatArray,
    extra_kg: FloatArray,
    beside: BoolArray,
) -> None:
    """:func:`move_away` from each cell alone: ``jobs[cell_at[c]:cell_at[c + 1]]`` draw in cell ``c = site * T + slot``.

    What is written is (len(jobs),).
    """
    slots = board.pue.shape[1]
    room = room_for(orders, slots)
    for cell in range(len(cell_at) - 1):
        begin, end = cell_at[cell], cell_at[cell + 1]
        if begin == end:
            continue
        site, slot = cell // slots, cell % slots
        open_kw = board.headroom_room[site, slot]
        board.headroom_room[site, slot] = SHUT_KW
        move_away(
            orders, jobs[begin:end], kept_kw, board, courses, room,
            extra_gbp[begin:end], extra_kg[begin:end], beside[begin:end],
        )  # fmt: skip
        board.headroom_room[site, slot] = open_kw


@compiled
def move_from_all(  # compiled code takes what it needs flat
    orders: Orders,
    jobs: IntArray,
    kept_kw: FloatArray,
    board: Board,
    courses: Courses,
    extra_gbp: FloatArray,
    extra_kg: FloatArray,
    beside: BoolArray,
) -> None:
    """:func:`move_away` from the cells that are shut on the board."""
    room = room_for(orders, board.pue.shape[1])
    move_away(orders, jobs, kept_kw, board, courses, room, extra_gbp, extra_kg, beside)
