"""The job agent's order book: all open jobs, answering what is on the board, in shards that may be worked on apart.

A shard holds some of the jobs; those of one gang, and those that come after one another, are in the same. The number of
shards depends on the jobs alone, never on who works on them, so that threads, processes and clusters come to the same
answers (:mod:`agents.job.crew`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.job.crew import Crew
from agents.job.orders import Board, Courses, Orders, orders_of
from core.instance import Instance, JobInstance
from core.market import NOWHERE, Market, Prices
from core.series import FloatArray, IntArray

JOBS_A_SHARD = 40_000
MOST_SHARDS = 4
OUT = -1e18
"""below any cost: a job that may spend no more stays out"""


@dataclass(slots=True)
class Shard:
    """Some jobs and what they do. ``members[member_at[g]:member_at[g + 1]]`` are the jobs of gang g."""

    rows: IntArray
    orders: Orders
    courses: Courses
    members: IntArray
    member_at: IntArray

    @property
    def gangs(self) -> int:
        """How many gangs there are."""
        return len(self.member_at) - 1


class JobBook:
    """Every job of an instance that is not frozen.

    :param rows: their indexes in the instance.
    :param shards: how many; by default as many as there are jobs for.
    """

    def __init__(
        self, instance: Instance, market: Market, rows: Sequence[int], crew: Crew, shards: int | None = None
    ) -> None:
        self.market = market
        self.rows = np.asarray(rows, dtype=np.int64)
        self._crew = crew
        jobs = [instance.jobs[row] for row in rows]
        count = shards or int(np.clip(len(jobs) // JOBS_A_SHARD, 1, MOST_SHARDS))
        self.shards = []
        for part in _parts(jobs, count):
            orders = orders_of(instance, market, [jobs[row] for row in part])
            members, member_at = _gangs(orders)
            self.shards.append(Shard(part, orders, Courses.none(len(part), market), members, member_at))

    def board(self, cost_gbp_per_kw: FloatArray, prices: Prices) -> Board:
        """What is announced at prices that do not move; ``hard`` boards are made of it."""
        return Board(
            place_site=self.market.place_site,
            pue=self.market.pue,
            price=self.market.price_gbp_per_kwh,
            carbon=self.market.carbon_g_per_kwh,
            kg=self.market.carbon_kg_per_kw,
            cost=np.ascontiguousarray(cost_gbp_per_kw),
            alone_kw=self.market.alone_kw,
            alone_hardware_kw=self.market.hardware_kw,
            headroom_price=prices.headroom.copy(),
            headroom_slope=np.zeros(self.market.shape),
            headroom_room=self.market.headroom_kw,
            hardware_price=prices.hardware.copy(),
            hardware_slope=np.zeros(self.market.hardware_kw.shape),
            hardware_room=self.market.hardware_kw,
            carbon_price=prices.carbon.copy(),
            carbon_slope=np.zeros(self.market.cap_kg.shape),
            carbon_room=self.market.cap_kg,
            total_cap=self.market.total_cap,
            site_cap=self.market.site_cap,
            hard=False,
        )

    def know_places(self, cost_gbp_per_kw: FloatArray) -> None:
        """Have jobs try their places in order of what they are charged there at least, at costs that stay so."""
        board = self.board(cost_gbp_per_kw, self.market.free_prices())
        for shard, orders in zip(self.shards, self._crew.ordered([s.orders for s in self.shards], board), strict=True):
            shard.orders = orders

    def answers(self, board: Board, keep: bool = False) -> tuple[list[FloatArray], list[Courses]]:
        """Every shard's proven least charges (J,), inf where a job has no course, and, to ``keep``, the courses."""
        found = self._crew.answers([shard.orders for shard in self.shards], board, keep)
        return [floor for floor, _ in found], [courses for _, courses in found]

    def least_gbp(self, floors: Sequence[FloatArray]) -> float:
        """What all jobs are charged at least: the dearer of serving and not serving a job, or a gang, is never due."""
        total = 0.0
        for shard, floor in zip(self.shards, floors, strict=True):
            gang, penalty = shard.orders.row["gang"], shard.orders.row["penalty_gbp"]
            single = gang == NOWHERE
            total += float(np.minimum(floor[single], penalty[single]).sum())
            if shard.gangs:
                served = np.bincount(gang[~single], floor[~single], shard.gangs)
                total += float(np.minimum(served, np.bincount(gang[~single], penalty[~single], shard.gangs)).sum())
        return total

    def ceilings(self, floors: Sequence[FloatArray]) -> list[FloatArray]:
        """What each job may cost (J,): its penalty, or whether its gang is better served at these charges."""
        found = []
        for shard, floor in zip(self.shards, floors, strict=True):
            most = shard.orders.row["penalty_gbp"].copy()
            if shard.gangs:
                gang = shard.orders.row["gang"]
                single = gang == NOWHERE
                served = np.bincount(gang[~single], floor[~single], shard.gangs)
                worth = served < np.bincount(gang[~single], most[~single], shard.gangs)
                most[~single] = np.where(worth[gang[~single]], -OUT, OUT)
            found.append(most)
        return found

    def take_turns(
        self,
        boards: Sequence[Board],
        most_gbp: Sequence[FloatArray],
        rng: np.random.Generator,
        only_out: bool = False,
    ) -> None:
        """Every job's turn, or that of those which are out, shards apart, each on its own board; jobs that come after
        others follow them."""
        orders = [_shuffled(shard.orders, rng) for shard in self.shards]
        if only_out:
            orders = [
                jobs[shard.courses.place[jobs] == NOWHERE] for shard, jobs in zip(self.shards, orders, strict=True)
            ]
        found = self._crew.turns(
            [
                (shard.orders, jobs, most, board, shard.courses)
                for shard, jobs, most, board in zip(self.shards, orders, most_gbp, boards, strict=True)
            ]
        )
        for shard, courses in zip(self.shards, found, strict=True):
            shard.courses = courses

    def drawn(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What all jobs draw: (S, T) at the meters, (P, T) of hardware, (C,) kg under the caps."""
        parts = [shard.courses for shard in self.shards]
        if len(parts) == 1:
            return parts[0].load_kw.copy(), parts[0].hardware_kw.copy(), parts[0].kg.copy()
        return (
            np.sum([part.load_kw for part in parts], axis=0),
            np.sum([part.hardware_kw for part in parts], axis=0),
            np.sum([part.kg for part in parts], axis=0),
        )

    def objective_gbp(self) -> float:
        """Own costs of the served and penalties of the others."""
        total = 0.0
        for shard in self.shards:
            out = shard.courses.place == NOWHERE
            total += float(np.where(out, shard.orders.row["penalty_gbp"], shard.courses.gbp).sum())
        return total


def _shuffled(orders: Orders, rng: np.random.Generator) -> IntArray:
    """All jobs in random order, but those that come after others at the end in their own order."""
    jobs = rng.permutation(len(orders.row)).astype(np.int64)
    linked = np.diff(orders.before_at) > 0
    if not linked.any():
        return jobs
    depth = np.zeros(len(orders.row), dtype=np.int64)
    for _ in range(len(depth)):
        owner = np.repeat(np.arange(len(depth)), np.diff(orders.before_at))
        deeper = depth.copy()
        np.maximum.at(deeper, owner, depth[orders.before] + 1)
        if (deeper == depth).all():
            break
        depth = deeper
    return jobs[np.argsort(depth[jobs], kind="stable")]


def _gangs(orders: Orders) -> tuple[IntArray, IntArray]:
    """Members of every gang, gang by gang, each after those it comes after."""
    members = np.flatnonzero(orders.row["gang"] != NOWHERE)
    order = members[np.lexsort((orders.row["first"][members], orders.row["gang"][members]))]
    counts = np.bincount(orders.row["gang"][members]) if members.size else np.zeros(0, dtype=np.int64)
    return order.astype(np.int64), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _parts(jobs: Sequence[JobInstance], count: int) -> list[IntArray]:
    """Rows of each shard: groups of linked jobs stay together, and are dealt out one by one."""
    if count == 1:
        return [np.arange(len(jobs), dtype=np.int64)]
    leader = _leaders(jobs)
    groups, number = np.unique(leader, return_inverse=True)
    return [np.flatnonzero(number % count == part) for part in range(count)] if len(groups) else []


def _leaders(jobs: Sequence[JobInstance]) -> IntArray:
    """(J,) the first job of each job's group: the same for jobs linked by a gang or by coming after one another."""
    leader = list(range(len(jobs)))

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]
            row = leader[row]
        return row

    at = {job.id: row for row, job in enumerate(jobs)}
    gangs: dict[str, int] = {}
    for row, job in enumerate(jobs):
        linked = [at[other] for other in job.after if other in at]
        if job.gang is not None:
            linked.append(gangs.setdefault(job.gang, row))
        for other in linked:
            one, two = sorted((find(row), find(other)))
            leader[two] = one
    return np.array([find(row) for row in range(len(jobs))], dtype=np.int64)
