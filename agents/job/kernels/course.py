"""Any job's best course, and what it costs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.job.kernels.block import block_at
from agents.job.kernels.compiling import compiled
from agents.job.kernels.elastic import elastic_at
from agents.job.kernels.pausable import pausable_at
from agents.job.kernels.slots import open_levels
from agents.job.orders import BLOCK, ELASTIC, Orders, Terms
from core.bid import NOWHERE
from core.series import FloatArray, IntArray


class Places(NamedTuple):
    """Sites in the ``order`` (S,) in which to try them, by rising ``floors`` (S,), below which no course is charged."""

    order: IntArray
    floors: FloatArray


class Turn(NamedTuple):
    """How jobs are asked: all for the same, or ``in_turn``: each leaves to the next what it does not take.

    In turn, a job stays out whose value is not below its ``ceiling_gbp`` (n,), or that would emit more than is left of
    ``carbon_left_kg``.
    """

    in_turn: bool
    carbon_left_kg: float
    ceiling_gbp: FloatArray


class Answers(NamedTuple):
    """Room for the answers of n jobs: ``site`` (n,), ``power_kw`` (n, T) of zeros, and cost, value and floor (n, 3)."""

    site: IntArray
    power_kw: FloatArray
    figures: FloatArray


@compiled
def _course_at(
    orders: Orders, job: int, terms: Terms, site: int, residual_kw: FloatArray, ceiling: float, spare: IntArray
) -> tuple[float, float]:
    """Charge and proven floor of the best course at one site; its levels go to the second row of ``spare`` (3, T)."""
    usable, level = spare[0], spare[1]
    slots, whole = open_levels(orders, job, terms, residual_kw, site, usable)
    charge, order = terms.charge[site], terms.order[site]
    if orders.kind[job] == ELASTIC:
        return elastic_at(orders, job, charge, order, usable, whole, ceiling, level)
    if slots < orders.duration[job]:
        return np.inf, np.inf
    if orders.kind[job] == BLOCK:
        value = block_at(orders, job, charge, usable, ceiling, level)
    else:
        value = pausable_at(orders, job, charge, order, usable, ceiling, level)
    return value, value


@compiled
def best_course(
    orders: Orders,
    job: int,
    terms: Terms,
    residual_kw: FloatArray,
    places: Places,
    ceiling: float,
    spare: IntArray,
    power_kw: FloatArray,
) -> tuple[int, float, float]:
    """Site, charge and proven floor of the least charged course, written to ``power_kw`` (T,) within the window.

    :param ceiling: a course that is charged as much is of no interest: ``NOWHERE``, with infinite charge.
    :param spare: (3, T) room to work in.
    """
    best, where, proven = ceiling, NOWHERE, np.inf
    first, last, best_level = orders.first[job], orders.last[job], spare[2]
    for site in places.order:
        if places.floors[site] >= best:
            break
        if not (orders.at_site[job, site] and terms.site_open[site]):
            continue
        value, floor = _course_at(orders, job, terms, site, residual_kw, best, spare)
        proven = min(proven, floor)
        if value < best:
            best, where = value, site
            for slot in range(first, last):
                best_level[slot] = spare[1, slot]
    if where == NOWHERE:
        return where, np.inf, proven
    for slot in range(first, last):
        power_kw[slot] = orders.level_kw[job, best_level[slot] - 1] if best_level[slot] > 0 else 0.0
    return where, best, proven


@compiled
def cost_and_carbon(orders: Orders, job: int, terms: Terms, site: int, power_kw: FloatArray) -> tuple[float, float]:
    """Energy, carbon and pause cost in GBP, scarcity left out, and carbon in kg of a course at ``site``."""
    cost, carbon_kg, runs, before = 0.0, 0.0, 0, 0.0
    for slot in range(orders.first[job], orders.last[job]):
        here = power_kw[slot]
        cost += here * terms.cost[site, slot]
        carbon_kg += here * terms.carbon_kg[site, slot]
        runs += here > 0 and before == 0
        before = here
    return cost + orders.pause_gbp[job] * (runs - 1), carbon_kg


@compiled
def draw(
    orders: Orders, job: int, terms: Terms, site: int, power_kw: FloatArray, residual_kw: FloatArray, sign: float
) -> None:
    """Add ``sign`` times what a course draws at the meter to ``residual_kw`` (S, T)."""
    for slot in range(orders.first[job], orders.last[job]):
        residual_kw[site, slot] += sign * power_kw[slot] * terms.pue[site, slot]


@compiled
def answer(orders: Orders, jobs: IntArray, terms: Terms, residual_kw: FloatArray, turn: Turn, answers: Answers) -> None:
    """Ask ``jobs`` (n,) one by one, as ``turn`` says; in turn, what they take leaves ``residual_kw``."""
    site, power_kw, figures = answers.site, answers.power_kw, answers.figures
    carbon_left_kg = turn.carbon_left_kg
    spare = np.zeros((3, power_kw.shape[1]), np.int64)
    everywhere = Places(np.arange(len(terms.site_open)), np.zeros(len(terms.site_open)) - np.inf)
    for row in range(len(jobs)):
        job = jobs[row]
        most = turn.ceiling_gbp[row] if turn.in_turn else np.inf
        where, value, floor = best_course(orders, job, terms, residual_kw, everywhere, most, spare, power_kw[row])
        site[row] = where
        figures[row, 0], figures[row, 1], figures[row, 2] = np.inf, value, floor
        if where == NOWHERE:
            continue
        figures[row, 0], carbon_kg = cost_and_carbon(orders, job, terms, where, power_kw[row])
        if not turn.in_turn:
            continue
        if carbon_kg <= carbon_left_kg + 1e-9:
            carbon_left_kg -= carbon_kg
            draw(orders, job, terms, where, power_kw[row], residual_kw, -1.0)
            continue
        site[row] = NOWHERE
        for slot in range(orders.first[job], orders.last[job]):
            power_kw[row, slot] = 0.0


@compiled
def site_floors(
    orders: Orders, jobs: IntArray, terms: Terms, unlimited_kw: FloatArray, floors: FloatArray, sites: IntArray
) -> None:
    """For each of ``jobs``, what a course at each site is charged at least, in ``floors`` (J, S), and the ``sites``
    (J, S) by rising floor."""
    spare = np.zeros((3, terms.charge.shape[1]), np.int64)
    for job in jobs:
        for site in range(floors.shape[1]):
            floors[job, site] = np.inf
            if orders.at_site[job, site] and terms.site_open[site]:
                floors[job, site] = _course_at(orders, job, terms, site, unlimited_kw, np.inf, spare)[1]
            place = site
            while place > 0 and floors[job, sites[job, place - 1]] > floors[job, site]:
                sites[job, place] = sites[job, place - 1]
                place -= 1
            sites[job, place] = site
