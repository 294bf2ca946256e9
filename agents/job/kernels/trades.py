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
from agents.job.kernels.course import Places, best_course, cost_and_carbon, draw
from agents.job.orders import Guides, Orders, Standing, Terms
from core.bid import NOWHERE
from core.series import BoolArray, FloatArray, IntArray

FEWEST, MOST = 2, 9
MOST_OTHERS = 3
BY_BULK = 0.9
BULK_ERROR = 0.6
ROOM = MOST + 2 * MOST_OTHERS + 2


class Scene(NamedTuple):
    """What does not change: who may move, on what terms, and where to look.

    ``jobs`` are those that may move; ``penalty_gbp`` (J,) is of all; ``scarcity`` (S * T,) is a running sum of weights
    of sites and slots, ending in 1. ``carbon_gbp_per_kg`` is its price under the cap.
    """

    orders: Orders
    jobs: IntArray
    terms: Terms
    guides: Guides
    penalty_gbp: FloatArray
    scarcity: FloatArray
    carbon_gbp_per_kg: float


class State(NamedTuple):
    """The plan where trials stand and the best one seen (its residuals are not kept), ``changed`` (J,) where they
    differ; ``present_gbp`` (2,) is the plan's objective, and this with carbon charged its price; ``least_gbp`` (2,) are
    the least of both so far."""

    plan: Standing
    best: Standing
    changed: BoolArray
    present_gbp: FloatArray
    least_gbp: FloatArray


class Room(NamedTuple):
    """Room to work in: power (T,) and ``spare`` (3, T)."""

    row_kw: FloatArray
    spare: IntArray


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
def _ruined(
    orders: Orders, jobs: IntArray, site: IntArray, power_kw: FloatArray, scarcity: FloatArray, chosen: IntArray
) -> int:
    """Choose jobs around a scarce site and slot; writes them to ``chosen`` and returns how many.

    :param scarcity: (S * T,) running sum of the weights of sites and slots, ending in 1.
    """
    slots = power_kw.shape[1]
    cell = min(int(np.searchsorted(scarcity, np.random.random())), len(scarcity) - 1)
    here, slot = cell // slots, cell % slots
    there = int(np.random.random() * (len(scarcity) // slots)) if np.random.random() < 0.5 else here
    holders, rivals, unserved = np.empty_like(jobs), np.empty_like(jobs), np.empty_like(jobs)
    holding, rivalling, waiting = 0, 0, 0
    for job in jobs:
        if site[job] == NOWHERE:
            unserved[waiting] = job
            waiting += 1
        elif (site[job] == here or site[job] == there) and power_kw[job, slot] > 0:
            holders[holding] = job
            holding += 1
        elif orders.first[job] <= slot < orders.last[job] and orders.at_site[job, here]:
            rivals[rivalling] = job
            rivalling += 1
    count = _some(holders, holding, FEWEST + int(np.random.random() * (MOST - FEWEST)), chosen, 0)
    count = _some(rivals, rivalling, int(np.random.random() * (MOST_OTHERS + 1)), chosen, count)
    count = _some(unserved, waiting, int(np.random.random() * (MOST_OTHERS + 1)), chosen, count)
    return _add(chosen, count, jobs[int(np.random.random() * len(jobs))])


@compiled
def _settle(
    orders: Orders,
    job: int,
    terms: Terms,
    floors: FloatArray,
    sites: IntArray,
    penalty_gbp: float,
    plan: Standing,
    room: Room,
) -> None:
    """Ask one job, and place it when it is worth more than its penalty and fits under the cap."""
    row_kw = room.row_kw
    places = Places(sites[job], floors[job])
    where = best_course(orders, job, terms, plan.residual_kw, places, penalty_gbp, room.spare, row_kw)[0]
    if where == NOWHERE:
        return
    cost, carbon_kg = cost_and_carbon(orders, job, terms, where, row_kw)
    if carbon_kg <= plan.carbon_left_kg[0] + 1e-9:
        _place(orders, job, terms, where, cost, carbon_kg, row_kw, plan)


@compiled
def _place(
    orders: Orders,
    job: int,
    terms: Terms,
    where: int,
    cost: float,
    carbon_kg: float,
    row_kw: FloatArray,
    plan: Standing,
) -> None:
    draw(orders, job, terms, where, row_kw, plan.residual_kw, -1.0)
    plan.site[job], plan.cost_gbp[job], plan.carbon_kg[job] = where, cost, carbon_kg
    plan.carbon_left_kg[0] -= carbon_kg
    for slot in range(orders.first[job], orders.last[job]):
        plan.power_kw[job, slot] = row_kw[slot]


@compiled
def _take_out(orders: Orders, job: int, terms: Terms, plan: Standing) -> None:
    if plan.site[job] == NOWHERE:
        return
    draw(orders, job, terms, plan.site[job], plan.power_kw[job], plan.residual_kw, 1.0)
    plan.carbon_left_kg[0] += plan.carbon_kg[job]
    plan.site[job], plan.cost_gbp[job], plan.carbon_kg[job] = NOWHERE, np.inf, 0.0
    for slot in range(orders.first[job], orders.last[job]):
        plan.power_kw[job, slot] = 0.0


@compiled
def _copy(orders: Orders, job: int, source: Standing, at: int, target: Standing, to: int) -> None:
    """Copy a job's row between plans."""
    target.site[to], target.cost_gbp[to] = source.site[at], source.cost_gbp[at]
    target.carbon_kg[to] = source.carbon_kg[at]
    for slot in range(orders.first[job], orders.last[job]):
        target.power_kw[to, slot] = source.power_kw[at, slot]


@compiled
def _bring_back(orders: Orders, job: int, terms: Terms, source: Standing, row: int, plan: Standing) -> None:
    """Place a job as it is in ``row`` of another plan."""
    if source.site[row] != NOWHERE:
        where, cost, carbon_kg = source.site[row], source.cost_gbp[row], source.carbon_kg[row]
        _place(orders, job, terms, where, cost, carbon_kg, source.power_kw[row], plan)


@compiled
def _line_up(orders: Orders, chosen: IntArray) -> None:
    """Put the chosen jobs in order of bulk in error, the bulkiest first, or now and then in random order."""
    rank = np.empty(len(chosen))
    by_bulk = np.random.random() < BY_BULK
    for index in range(len(chosen)):
        rank[index] = np.random.random()
        if by_bulk:
            rank[index] = orders.bulk[chosen[index]] * (1 - BULK_ERROR * rank[index])
    for index in range(len(chosen)):
        largest = index
        for other in range(index + 1, len(chosen)):
            if rank[other] > rank[largest]:
                largest = other
        rank[index], rank[largest] = rank[largest], rank[index]
        chosen[index], chosen[largest] = chosen[largest], chosen[index]


@compiled
def _recreate(
    orders: Orders,
    chosen: IntArray,
    guide: int,
    guides: Guides,
    terms: Terms,
    penalty_gbp: FloatArray,
    plan: Standing,
    room: Room,
) -> None:
    """Ask the chosen jobs in turn at a guide, those left over again at the first."""
    guided = _at(terms, guides.charge[guide], guides.order[guide])
    _line_up(orders, chosen)
    for job in chosen:
        floors, sites = guides.floors[guide], guides.sites[guide]
        _settle(orders, job, guided, floors, sites, penalty_gbp[job], plan, room)
    free = _at(terms, guides.charge[0], guides.order[0])
    for job in chosen:
        if plan.site[job] == NOWHERE and guide > 0:
            _settle(orders, job, free, guides.floors[0], guides.sites[0], penalty_gbp[job], plan, room)


@compiled
def _held(plan: Standing, chosen: IntArray, penalty_gbp: FloatArray) -> tuple[float, float]:
    """Cost or penalty, and carbon in kg, of the chosen jobs."""
    cost, carbon_kg = 0.0, 0.0
    for job in chosen:
        cost += penalty_gbp[job] if plan.site[job] == NOWHERE else plan.cost_gbp[job]
        carbon_kg += plan.carbon_kg[job]
    return cost, carbon_kg


@compiled
def _at(terms: Terms, charge: FloatArray, order: IntArray) -> Terms:
    """The same terms at other charges."""
    return Terms(terms.pue, terms.price, terms.carbon, terms.carbon_kg, terms.cost, charge, order, terms.site_open)


@compiled
def trade(scene: Scene, state: State, warmth_gbp: FloatArray, seed: int) -> None:
    """One trial for each of ``warmth_gbp`` (n,), by how much it may be worse than the best; changes ``state``."""
    orders, jobs, terms, guides, penalty_gbp = scene.orders, scene.jobs, scene.terms, scene.guides, scene.penalty_gbp
    plan, present, least = state.plan, state.present_gbp, state.least_gbp
    np.random.seed(seed)
    most, before = np.empty(ROOM, np.int64), _rows(ROOM, plan)
    room = Room(np.zeros(plan.power_kw.shape[1]), np.zeros((3, plan.power_kw.shape[1]), np.int64))
    for warmth in warmth_gbp:
        count = _ruined(orders, jobs, plan.site, plan.power_kw, scene.scarcity, most)
        chosen = most[:count]
        old_gbp, old_kg = _held(plan, chosen, penalty_gbp)
        for row in range(count):
            _copy(orders, chosen[row], plan, chosen[row], before, row)
            _take_out(orders, chosen[row], terms, plan)
        guide = int(np.random.random() * len(guides.charge))
        _recreate(orders, chosen.copy(), guide, guides, terms, penalty_gbp, plan, room)
        new_gbp, new_kg = _held(plan, chosen, penalty_gbp)
        charged = new_gbp - old_gbp + scene.carbon_gbp_per_kg * (new_kg - old_kg)
        if present[1] + charged > least[1] + warmth:
            for job in chosen:
                _take_out(orders, job, terms, plan)
            for row in range(count):
                _bring_back(orders, chosen[row], terms, before, row, plan)
            continue
        present[0] += new_gbp - old_gbp
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
            _copy(scene.orders, job, state.plan, job, state.best, job)
            state.changed[job] = False


@compiled
def _rows(count: int, plan: Standing) -> Standing:
    """Room for the rows of a trial."""
    return Standing(
        np.empty(count, np.int64),
        np.zeros((count, plan.power_kw.shape[1])),
        np.empty(count),
        np.empty(count),
        plan.residual_kw,
        plan.carbon_left_kg,
    )
