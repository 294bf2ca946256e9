"""What moving planned jobs away from half-hours would cost, job by job, at the prices of the plan in force.

Every job keeps its window, its limits and its site where it has begun; nobody else moves. Jobs that leave the same
half-hours do so together: no two of them take the same room. The answers come from compiled code (agents/job/kernels).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from agents.flexibility.present import Present
from agents.job.book import JobBook
from agents.job.crew import Crew
from agents.job.orders import Board, Courses, Orders
from agents.standstill import settled_courses
from core.instance import Course, Instance
from core.market import NOWHERE, Market, Prices
from core.plan import Plan
from core.series import BoolArray, FloatArray, IntArray
from core.slots import SLOT_HOURS


class Moves(NamedTuple):
    """One row (M,) for each job and half-hour that it would leave.

    :param job: number among ``Seats.jobs``; ``site`` and ``slot`` the cell.
    :param kw: what it draws there, at the meter.
    :param extra_gbp: what its other course is charged more, all in all: energy, carbon at its price, scarcity, pauses
        and the move; NaN where it has none. The same in all rows of a job that leaves several half-hours at once.
    :param extra_kg: what that emits more.
    :param beside: whether that leaves alone the room kept for load that is expected.
    """

    job: IntArray
    site: IntArray
    slot: IntArray
    kw: FloatArray
    extra_gbp: FloatArray
    extra_kg: FloatArray
    beside: BoolArray

    @property
    def possible(self) -> BoolArray:
        """(M,) whether there is another course."""
        return np.isfinite(self.extra_gbp)

    def where(self, rows: BoolArray) -> Moves:
        """Some of the rows."""
        figures = self.kw[rows], self.extra_gbp[rows], self.extra_kg[rows], self.beside[rows]
        return Moves(self.job[rows], self.site[rows], self.slot[rows], *figures)


@dataclass(frozen=True, slots=True)
class Seats:
    """All jobs that may move, in the courses of the plan in force; it is never changed.

    :param jobs: their ids; ``kept_kw`` (S, T) is room kept for load that is expected, by the instance's sites.
    """

    jobs: tuple[str, ...]
    orders: Orders
    board: Board
    courses: Courses
    kept_kw: FloatArray

    @classmethod
    def of(cls, present: Present, kept_kw: FloatArray) -> Seats:
        """The seats in a present plan; jobs that it does not serve have none and do not matter."""
        return cls.within(present.instance, present.plan, kept_kw)

    @classmethod
    def within(cls, instance: Instance, plan: Plan, kept_kw: FloatArray) -> Seats:
        """The seats in the standing courses of an instance, at the prices of ``plan``."""
        from agents.job.kernels.away import seat  # brings the compiler, which pages do not need

        whole = Market.of(instance)
        market = whole.less(*settled_courses(instance, whole).drawn)
        held = {frozen.job for frozen in instance.frozen}
        free = [row for row, job in enumerate(instance.jobs) if job.id not in held and job.planned is not None]
        book = JobBook(instance, market, free, Crew(), shards=1)
        prices = _prices(plan, instance, market)
        cost = market.cost_gbp_per_kw(prices.weights)
        book.know_places(cost)
        board = book.board(cost, prices)._replace(hard=True)
        (shard,) = book.shards
        seat(shard.orders, board, shard.courses)
        return cls(tuple(instance.jobs[row].id for row in free), shard.orders, board, shard.courses, kept_kw)

    def rows(self) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """Job, site, slot and kW at the meter of all that is seated, (M,) by site, slot and job."""
        job, slot = np.nonzero(self.courses.level)
        place = self.courses.place[job]
        job, slot, site = job[place != NOWHERE], slot[place != NOWHERE], self.board.place_site[place[place != NOWHERE]]
        order = np.lexsort((job, slot, site))
        job, slot, site = job[order], slot[order], site[order]
        level = self.courses.level[job, slot].astype(np.int64) - 1
        return job, site, slot, self.orders.level_kw[job, level] * self.board.pue[site, slot]

    def from_each(self) -> Moves:
        """Every job away from each of its half-hours alone."""
        from agents.job.kernels.away import move_from_each  # brings the compiler, which pages do not need

        job, site, slot, kw = self.rows()
        sites, slots = self.board.pue.shape
        cell_at = np.searchsorted(site * slots + slot, np.arange(sites * slots + 1)).astype(np.int64)
        gbp, kg, beside = _answers(len(job))
        board, courses = self._copied()
        move_from_each(self.orders, cell_at, job, self.kept_kw, board, courses, gbp, kg, beside)
        return Moves(job, site, slot, kw, gbp, kg, beside)

    def from_all(self, shut: BoolArray, among: BoolArray | None = None, *, stay: bool = False) -> Moves:
        """Every job that draws in a cell of ``shut`` (S, T) away from all of these at once.

        :param among: (J,) which jobs may move at all; None: all of them.
        :param stay: jobs keep their sites, and wait there.
        """
        from agents.job.kernels.away import SHUT_KW, move_from_all  # brings the compiler, which pages do not need

        job, site, slot, kw = self.rows()
        inside = shut[site, slot] if among is None else shut[site, slot] & among[job]
        job, site, slot, kw = job[inside], site[inside], slot[inside], kw[inside]
        jobs = np.unique(job)
        gbp, kg, beside = _answers(len(jobs))
        board, courses = self._copied()
        board.headroom_room[shut] = SHUT_KW
        orders = self._staying(jobs) if stay else self.orders
        move_from_all(orders, jobs, self.kept_kw, board, courses, gbp, kg, beside)
        at = np.searchsorted(jobs, job)
        return Moves(job, site, slot, kw, gbp[at], kg[at], beside[at])

    def _copied(self) -> tuple[Board, Courses]:
        """A board and courses to work on."""
        return self.board._replace(headroom_room=self.board.headroom_room.copy()), self.courses.copied()

    def _staying(self, jobs: IntArray) -> Orders:
        """The orders, with the place where it is as the only one of each of ``jobs``."""
        orders = self.orders
        owner = np.repeat(np.arange(len(orders.row)), np.diff(orders.place_at))
        keep = ~np.isin(owner, jobs) | (orders.place == self.courses.place[owner])
        place_at = np.concatenate([[0], np.cumsum(np.bincount(owner[keep], minlength=len(orders.row)))])
        return orders._replace(
            place_at=place_at.astype(np.int64),
            place=orders.place[keep],
            place_gbp=orders.place_gbp[keep],
            place_floor=orders.place_floor[keep],
        )


def price_of(moves: Moves) -> FloatArray:
    """(M,) GBP for each kWh that leaves half-hours together; a job that leaves several is charged once.

    Never below nought: a move that saves money is one that the next plan may make without being paid for it.
    """
    kwh = np.bincount(moves.job, moves.kw * SLOT_HOURS)
    return np.asarray(np.maximum(0.0, moves.extra_gbp) / kwh[moves.job])


def _answers(count: int) -> tuple[FloatArray, FloatArray, BoolArray]:
    return np.full(count, np.nan), np.full(count, np.nan), np.zeros(count, dtype=np.bool_)


@cache
def warm_up() -> None:
    """Load the compiled code of moves; where this machine has none yet, compile it, which takes tens of seconds."""
    from agents.negotiation import negotiate, tiny_instance  # brings the compiler, which pages do not need

    instance = tiny_instance()
    plan = negotiate(instance).plan
    runs = {made.job: Course(site=made.site, runs=made.runs) for made in plan.assignments}
    jobs = tuple(job.model_copy(update={"planned": runs.get(job.id)}) for job in instance.jobs)
    seats = Seats.within(instance.model_copy(update={"jobs": jobs}), plan, np.zeros((1, instance.slots)))
    seats.from_each()
    seats.from_all(np.ones((1, instance.slots), dtype=np.bool_), stay=True)


def _prices(plan: Plan, instance: Instance, market: Market) -> Prices:
    """The prices of a plan."""
    opened = market.opening_prices(instance)
    total = [plan.carbon_cap_price_gbp_per_kg] if market.total_cap != NOWHERE else []
    tenants = [plan.tenant_carbon_prices_gbp_per_kg.get(name, 0.0) for name in instance.tenant_carbon_caps_kg]
    regions = [plan.region_carbon_prices_gbp_per_kg.get(name, 0.0) for name in instance.region_carbon_caps_kg]
    weights = np.array(plan.scenario_weights) if plan.scenario_weights else market.probability
    return Prices(opened.headroom, opened.hardware, np.array([*total, *tenants, *regions], dtype=np.float64), weights)
