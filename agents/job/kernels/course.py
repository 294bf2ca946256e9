"""Any job's best course at the terms on the board, and what it costs."""

from __future__ import annotations

import numpy as np

from agents.job.kernels.block import block_at, block_within
from agents.job.kernels.compiling import compiled
from agents.job.kernels.elastic import elastic_at
from agents.job.kernels.pausable import pausable_at
from agents.job.kernels.room import Room
from agents.job.orders import BLOCK, ELASTIC, Board, Courses, Orders
from core.market import NOWHERE, TOLERANCE_KW

HALVINGS = 40
TOLERANCE_KG = 1e-9


@compiled
def carbon_price(orders: Orders, job: int, site: int, board: Board, drawn: Courses) -> float:
    """GBP per kg that a job's carbon at a site is charged under the caps that it counts against."""
    total = 0.0
    for cap in (board.total_cap, board.site_cap[site], orders.row[job].tenant_cap):
        if cap != NOWHERE:
            over = drawn.kg[cap] - board.carbon_room[cap]
            total += max(0.0, board.carbon_price[cap] + board.carbon_slope[cap] * over)
    return total


@compiled
def carbon_left(orders: Orders, job: int, site: int, board: Board, drawn: Courses) -> float:
    """kg that a job may still emit at a site, its own cap and shared ones counted."""
    left = orders.row[job].cap_kg
    if board.hard:
        for cap in (board.total_cap, board.site_cap[site], orders.row[job].tenant_cap):
            if cap != NOWHERE:
                left = min(left, board.carbon_room[cap] - drawn.kg[cap])
    return float(left)


@compiled
def _quoted(
    orders: Orders, job: int, place: int, first: int, last: int, board: Board, drawn: Courses, room: Room
) -> tuple[int, bool]:
    """Write charges and usable levels of the window's slots at a place.

    Returns how many slots may run, and whether each of these may run every level.
    """
    site, depth = board.place_site[place], orders.row[job].depth
    kg_gbp = carbon_price(orders, job, site, board, drawn)
    half_kw = 0.5 * orders.level_kw[job, depth - 1]
    classed, slots, whole = place >= len(board.pue), 0, True
    for slot in range(first, last):
        pue = board.pue[site, slot]
        over = drawn.load_kw[site, slot] - board.headroom_room[site, slot]
        scarce = board.headroom_price[site, slot] + board.headroom_slope[site, slot] * (over + half_kw * pue)
        charge = board.cost[site, slot] + pue * max(0.0, scarce) + kg_gbp * board.kg[site, slot]
        free = -over if board.hard else board.alone_kw[site, slot]
        free = (free + TOLERANCE_KW) / pue
        if classed:
            over = drawn.hardware_kw[place, slot] - board.hardware_room[place, slot]
            scarce = board.hardware_price[place, slot] + board.hardware_slope[place, slot] * (over + half_kw)
            charge += max(0.0, scarce)
            free = min(free, (-over if board.hard else board.alone_hardware_kw[place, slot]) + TOLERANCE_KW)
        rungs = 0
        dear = board.price[site, slot] > orders.row[job].max_price
        if not dear and board.carbon[site, slot] <= orders.row[job].max_carbon:
            while rungs < depth and orders.level_kw[job, rungs] <= free:
                rungs += 1
            if rungs > 0 and not board.hard:
                rungs = depth
        room.charge[slot] = charge
        room.usable[slot] = rungs
        slots += rungs > 0
        whole = whole and not 0 < rungs < depth
    return slots, whole


@compiled
def _course_at(
    orders: Orders, job: int, first: int, last: int, slots: int, whole: bool, ceiling: float, room: Room
) -> tuple[float, float]:
    """Charge and proven floor of the best course at the charges in ``room``."""
    if orders.row[job].kind == ELASTIC:
        return elastic_at(orders, job, first, last, whole, room)
    if slots < orders.row[job].duration:
        return np.inf, np.inf
    if orders.row[job].kind == BLOCK:
        value = block_at(orders, job, first, last, ceiling, room)
    else:
        value = pausable_at(orders, job, first, last, room)
    return value, value


@compiled
def emitted_kg(orders: Orders, job: int, site: int, first: int, last: int, board: Board, room: Room) -> float:
    """Carbon of the course in ``room.level`` at a site."""
    total = 0.0
    for slot in range(first, last):
        if room.level[slot] > 0:
            total += orders.level_kw[job, room.level[slot] - 1] * board.kg[site, slot]
    return total


@compiled
def _course_within(  # noqa: PLR0913, PLR0917  # compiled code takes what it needs flat
    orders: Orders,
    job: int,
    site: int,
    first: int,
    last: int,
    slots: int,
    whole: bool,
    cap_kg: float,
    board: Board,
    room: Room,
) -> tuple[float, float]:
    """The same for a course within ``cap_kg``: exact for blocks; for others carbon gets a price of the job's own.

    Any such price proves a floor; the least at which the course keeps the cap gives the course.
    """
    if orders.row[job].kind == BLOCK:
        value = block_within(orders, job, first, last, board.kg[site], cap_kg, room)
        return value, value
    value, floor = _course_at(orders, job, first, last, slots, whole, np.inf, room)
    if value == np.inf or emitted_kg(orders, job, site, first, last, board, room) <= cap_kg + TOLERANCE_KG:
        return value, floor
    charge = room.charge[first:last].copy()
    steepest = 0.0
    for slot in range(first, last):
        if board.kg[site, slot] > 0:
            steepest = max(steepest, (abs(charge[slot - first]) + 1e-6) / board.kg[site, slot])
    low, high, found = 0.0, 1e3 * steepest + 1e-6, False
    for halving in range(HALVINGS):
        price = high if halving == 0 else 0.5 * (low + high)
        for slot in range(first, last):
            room.charge[slot] = charge[slot - first] + price * board.kg[site, slot]
        _, proven = _course_at(orders, job, first, last, slots, whole, np.inf, room)
        floor = max(floor, proven - price * cap_kg)
        if emitted_kg(orders, job, site, first, last, board, room) <= cap_kg + TOLERANCE_KG:
            high, found = price, True
        elif halving == 0:
            break
        else:
            low = price
    if not found:
        return np.inf, floor
    for slot in range(first, last):
        room.charge[slot] = charge[slot - first] + high * board.kg[site, slot]
    value, _ = _course_at(orders, job, first, last, slots, whole, np.inf, room)
    value -= high * emitted_kg(orders, job, site, first, last, board, room)
    return value, min(floor, value)


@compiled
def best_course(
    orders: Orders, job: int, first: int, last: int, ceiling: float, board: Board, drawn: Courses, room: Room
) -> tuple[int, float, float]:
    """Place, charge and proven floor of the least charged course in ``[first, last)``, written to ``room.best``.

    Moves and migrations are charged. A course that is charged ``ceiling`` or more is of no interest: ``NOWHERE``.
    ``drawn`` is what all jobs but this one draw.
    """
    best, where, proven = ceiling, NOWHERE, np.inf
    planned = orders.row[job].planned
    move_gbp = orders.row[job].move_gbp if planned != NOWHERE else 0.0
    for index in range(orders.place_at[job], orders.place_at[job + 1]):
        if orders.place_floor[index] >= best:
            break
        place = orders.place[index]
        site = board.place_site[place]
        slots, whole = _quoted(orders, job, place, first, last, board, drawn, room)
        if slots == 0:
            continue
        own_gbp = orders.place_gbp[index]
        left_kg = carbon_left(orders, job, site, board, drawn)
        if left_kg < np.inf:
            value, floor = _course_within(orders, job, site, first, last, slots, whole, left_kg, board, room)
        else:
            value, floor = _course_at(orders, job, first, last, slots, whole, best - own_gbp - move_gbp, room)
        value, floor = value + own_gbp + move_gbp, floor + own_gbp + move_gbp
        if planned != NOWHERE and orders.planned_place[planned] == place:
            stays = _stays(orders, job, planned, site, first, last, own_gbp, left_kg, board, room)
            proven = min(proven, stays)
            if stays < best and stays <= value:
                best, where = stays, place
                for slot in range(first, last):
                    room.best[slot] = orders.planned_level[planned, slot]
                proven = min(proven, floor)
                continue
        proven = min(proven, floor)
        if value < best:
            best, where = value, place
            for slot in range(first, last):
                room.best[slot] = room.level[slot]
    return (where, best, proven) if where != NOWHERE else (where, np.inf, proven)


@compiled
def _stays(  # noqa: PLR0913, PLR0917  # compiled code takes what it needs flat
    orders: Orders,
    job: int,
    planned: int,
    site: int,
    first: int,
    last: int,
    own_gbp: float,
    left_kg: float,
    board: Board,
    room: Room,
) -> float:
    """What keeping to its standing course is charged; inf where that is not possible."""
    level = orders.planned_level[planned]
    total, kg, runs, before = own_gbp, 0.0, 0, 0
    for slot in range(level.size):
        if level[slot] > 0 and not (first <= slot < last and level[slot] <= room.usable[slot]):
            return np.inf
    for slot in range(first, last):
        if level[slot] > 0:
            power_kw = orders.level_kw[job, level[slot] - 1]
            total += power_kw * room.charge[slot]
            kg += power_kw * board.kg[site, slot]
            runs += before == 0
        before = level[slot]
    if kg > left_kg + TOLERANCE_KG:
        return np.inf
    return float(total + orders.row[job].pause_gbp * (runs - 1))


@compiled
def standing_course(orders: Orders, job: int, first: int, last: int, board: Board, drawn: Courses, room: Room) -> int:
    """The place of a job's standing course, written to ``room.best``; ``NOWHERE`` where it cannot keep to it."""
    planned = orders.row[job].planned
    if planned == NOWHERE or orders.planned_place[planned] == NOWHERE:
        return NOWHERE
    place = orders.planned_place[planned]
    site = board.place_site[place]
    _quoted(orders, job, place, first, last, board, drawn, room)
    left_kg = carbon_left(orders, job, site, board, drawn)
    if _stays(orders, job, planned, site, first, last, 0.0, left_kg, board, room) == np.inf:
        return NOWHERE
    for slot in range(first, last):
        room.best[slot] = orders.planned_level[planned, slot]
    return int(place)


@compiled
def own_gbp(orders: Orders, job: int, place: int, level: np.ndarray, first: int, last: int, board: Board) -> float:
    """Energy, carbon, pause, migration and move costs of a course, scarcity left out."""
    site = board.place_site[place]
    total, runs, before = 0.0, 0, 0
    planned = orders.row[job].planned
    moved = planned != NOWHERE and orders.planned_place[planned] != place
    for slot in range(first, last):
        here = level[slot]
        if here > 0:
            total += orders.level_kw[job, here - 1] * board.cost[site, slot]
            runs += before == 0
        before = here
        moved = moved or (planned != NOWHERE and orders.planned_level[planned, slot] != here)
    if planned != NOWHERE and not moved:
        for slot in range(level.size):
            moved = moved or (orders.planned_level[planned, slot] > 0 and not first <= slot < last)
    for index in range(orders.place_at[job], orders.place_at[job + 1]):
        if orders.place[index] == place:
            total += orders.place_gbp[index]
    return float(total + orders.row[job].pause_gbp * (runs - 1) + (orders.row[job].move_gbp if moved else 0.0))


@compiled
def set_floors(orders: Orders, board: Board, drawn: Courses, room: Room) -> None:
    """Write what each job is charged at least at each of its places, at ``board``'s costs and whatever prices, and put
    its places in that order. The board has no prices, and ``drawn`` is nought."""
    for job in range(len(orders.row)):
        first, last = orders.row[job].first, orders.row[job].last
        begin, end = orders.place_at[job], orders.place_at[job + 1]
        for index in range(begin, end):
            place = orders.place[index]
            slots, whole = _quoted(orders, job, place, first, last, board, drawn, room)
            floor = np.inf
            if slots > 0:
                _, floor = _course_at(orders, job, first, last, slots, whole, np.inf, room)
            orders.place_floor[index] = floor + orders.place_gbp[index]
        for index in range(begin + 1, end):
            at = index
            while at > begin and orders.place_floor[at - 1] > orders.place_floor[at]:
                for values in (orders.place_floor, orders.place_gbp):
                    values[at - 1], values[at] = values[at], values[at - 1]
                orders.place[at - 1], orders.place[at] = orders.place[at], orders.place[at - 1]
                at -= 1
