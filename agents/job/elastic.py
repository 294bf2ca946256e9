"""Elastic jobs: a power level or none in each slot, until the work is done.

Write ``m_l`` for the number of slots run at level ``l`` or above. At one site the cheapest way to run them is to give
the highest levels to the cheapest slots, so a course costs ``sum_l step_kw_l * C[m_l]`` with ``C`` the running sum of
slot prices in ascending order, and does ``sum_l step_work_l * m_l`` work, ``m_1 >= m_2 >= ...``. Ladders of up to
three levels are searched whole over ``m``; longer ones are answered by taking steps in order of price per unit of work
(exact for the continuous relaxation, which is then their proven floor) and giving back what is no longer needed.
"""

from __future__ import annotations

import numpy as np

from core.bid import TOLERANCE_KW, BidBatch
from core.instance import Instance
from core.series import BoolArray, FloatArray, IntArray

WORK_TOLERANCE = 1e-9
EXACT_DEPTH = 3
NEVER = 1e15
CELLS = 2_000_000


class ElasticJobs:
    """All elastic jobs of an instance; ladders are padded with empty steps to the longest, at least three, L."""

    def __init__(self, instance: Instance, allowed: BoolArray) -> None:
        kept = [(row, job) for row, job in enumerate(instance.jobs) if job.kind == "elastic"]
        ladders = [job.levels or () for _, job in kept]
        depth = max([EXACT_DEPTH, *(len(ladder) for ladder in ladders)])
        self.index: IntArray = np.array([row for row, _ in kept], dtype=np.int64)
        self.work = np.array([job.work for _, job in kept], dtype=np.float64)
        self.depth = np.array([len(ladder) for ladder in ladders], dtype=np.int64)
        self.level_kw = np.full((len(kept), depth), np.inf)
        self.step_kw = np.zeros((len(kept), depth))
        self.step_work = np.zeros((len(kept), depth))
        for row, ladder in enumerate(ladders):
            power = np.array([level.power_kw for level in ladder])
            work = np.array([level.work_per_slot for level in ladder])
            self.level_kw[row, : len(ladder)] = power
            self.step_kw[row, : len(ladder)] = np.diff(power, prepend=0.0)
            self.step_work[row, : len(ladder)] = np.diff(work, prepend=0.0)
        self._allowed = allowed[self.index]
        self._slots = instance.slots

    def best(self, per_kw: FloatArray, free_kw: FloatArray | None, rows: IntArray, sites: BoolArray | None) -> BidBatch:
        """The cheapest levels of each of ``rows``."""
        usable = self._usable(free_kw, rows, sites)
        flat = (len(rows), per_kw.shape[0], -1)
        work = np.where(usable, self.step_work[rows, None, None, :], 0.0).reshape(flat)
        cost = np.where(usable, per_kw[None, :, :, None] * self.step_kw[rows, None, None, :], np.inf).reshape(flat)
        order = _cheapest_work_first(cost, work)
        floor = _floors(cost, work, order, self.work[rows])
        site = floor.argmin(axis=1)
        found = np.flatnonzero(np.isfinite(floor[np.arange(len(rows)), site]))
        batch = BidBatch.empty(self.index[rows], self._slots)
        if not found.size:
            return batch
        self._answer_by_steps(batch, found, rows, site, cost, work, order, floor)
        exact = found[self.depth[rows[found]] <= EXACT_DEPTH]
        if free_kw is None and exact.size:
            self._answer_exactly(batch, exact, rows, per_kw, sites, floor)
        return batch

    def _usable(self, free_kw: FloatArray | None, rows: IntArray, sites: BoolArray | None) -> BoolArray:
        """(n, S, T, L): steps that the window, the limits and the free power allow."""
        allowed = self._allowed[rows]
        if sites is not None:
            allowed = allowed & sites[None, :, None]
        level = self.level_kw[rows, None, None, :]
        usable = allowed[:, :, :, None] & np.isfinite(level)
        if free_kw is not None:
            usable = usable & (free_kw[None, :, :, None] + TOLERANCE_KW >= level)
        return np.asarray(usable)

    def _answer_by_steps(
        self,
        batch: BidBatch,
        found: IntArray,
        rows: IntArray,
        site: IntArray,
        cost: FloatArray,
        work: FloatArray,
        order: IntArray,
        floor: FloatArray,
    ) -> None:
        """Bids of whole steps in order of price per unit of work, at the site with the least floor."""
        at, target = (found, site[found]), self.work[rows[found]]
        taken = _whole_steps(cost[at], work[at], order[at], target)
        taken = _give_back(taken, cost[at], work[at], target, self.step_kw.shape[1])
        steps = taken.reshape(len(found), self._slots, -1)
        batch.site[found] = site[found]
        batch.power_kw[found] = np.einsum("ntl,nl->nt", steps, self.step_kw[rows[found]])
        batch.value_gbp[found] = np.where(taken, cost[at], 0.0).sum(axis=1)
        batch.floor_gbp[found] = floor[at]

    def _answer_exactly(
        self,
        batch: BidBatch,
        found: IntArray,
        rows: IntArray,
        per_kw: FloatArray,
        sites: BoolArray | None,
        floor: FloatArray,
    ) -> None:
        """Replace bids by exact ones: at every site whose floor is below what the job has found so far."""
        job, site = np.nonzero(floor[found] <= batch.value_gbp[found, None] + 1e-12)
        who = rows[found[job]]
        allowed = self._allowed[who, site] if sites is None else self._allowed[who, site] & sites[site, None]
        price = np.where(allowed, per_kw[site], np.inf)
        value, levels = _exact_courses(
            price, self.step_kw[who, :EXACT_DEPTH], self.step_work[who, :EXACT_DEPTH], self.work[who]
        )
        order = np.lexsort((value, job))
        _, first = np.unique(job[order], return_index=True)
        pick = order[first]
        ranks = np.argsort(np.argsort(price[pick], axis=1, kind="stable"), axis=1, kind="stable")
        running = ranks[:, :, None] < levels[pick][:, None, :]
        batch.site[found] = site[pick]
        batch.power_kw[found] = np.einsum("ntl,nl->nt", running, self.step_kw[who[pick], :EXACT_DEPTH])
        batch.value_gbp[found] = batch.floor_gbp[found] = value[pick]


def _exact_courses(
    price: FloatArray, step_kw: FloatArray, step_work: FloatArray, target: FloatArray
) -> tuple[FloatArray, IntArray]:
    """(n,) least cost and (n, 3) slots at each level or above, for n pairs of job and site.

    :param price: (n, T) GBP per kW and slot, inf where the job may not run.
    """
    value = np.empty(len(price))
    levels = np.empty((len(price), EXACT_DEPTH), dtype=np.int64)
    longest = int(np.isfinite(price).sum(axis=1).max(initial=0))
    share = max(1, CELLS // (longest + 1) ** 2)
    for start in range(0, len(price), share):
        part = slice(start, start + share)
        value[part], levels[part] = _grid_search(price[part], step_kw[part], step_work[part], target[part], longest)
    return value, levels


def _grid_search(
    price: FloatArray, step_kw: FloatArray, step_work: FloatArray, target: FloatArray, longest: int
) -> tuple[FloatArray, IntArray]:
    """Search all (m_3, m_2) at once; the best m_1 follows: as few as the work needs, or as many as pay."""
    ordered = np.sort(price, axis=1)[:, :longest]
    sums = np.zeros((len(price), longest + 1))
    np.cumsum(np.where(np.isfinite(ordered), ordered, NEVER), axis=1, out=sums[:, 1:])
    count = np.arange(longest + 1)
    top, middle = count[None, :, None], count[None, None, :]
    done = step_work[:, 2, None, None] * top + step_work[:, 1, None, None] * middle
    needed = np.ceil((target[:, None, None] - done) / step_work[:, 0, None, None] - WORK_TOLERANCE)
    pays = (ordered < 0).sum(axis=1)[:, None, None]
    bottom = np.maximum(np.maximum(needed, middle), pays).astype(np.int64)
    each = np.arange(len(price))[:, None, None]
    cost = step_kw[:, 0, None, None] * sums[each, np.minimum(bottom, longest)]
    cost += (step_kw[:, 1, None] * sums)[:, None, :] + (step_kw[:, 2, None] * sums)[:, :, None]
    cost[(bottom > longest) | (top > middle)] = np.inf
    flat = cost.reshape(len(price), -1)
    best = flat.argmin(axis=1)
    value = flat[np.arange(len(price)), best]
    third, second = np.divmod(best, longest + 1)
    first = bottom[np.arange(len(price)), third, second]
    return np.where(value < NEVER / 1e3, value, np.inf), np.column_stack([first, second, third])


def _cheapest_work_first(cost: FloatArray, work: FloatArray) -> IntArray:
    """(..., T*L): steps by price per unit of work; those that pay for themselves first, unusable ones last.

    A stable sort keeps the steps of one slot in their order, because each is dearer per unit than the one below.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(work > 0, cost / work, np.inf)
    rate = np.where(rate < 0, -np.inf, rate)
    return np.argsort(rate, axis=-1, kind="stable")


def _sorted(values: FloatArray, order: IntArray) -> FloatArray:
    return np.take_along_axis(values, order, axis=-1)


def _floors(cost: FloatArray, work: FloatArray, order: IntArray, target: FloatArray) -> FloatArray:
    """(n, S): least cost of ``target`` work when a step may be taken in part; steps that pay are taken in full."""
    cost, work = _sorted(cost, order), _sorted(work, order)
    before = np.cumsum(work, axis=2) - work
    missing = target[:, None, None] - before
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(work > 0, np.clip(missing / work, 0.0, 1.0), 0.0)
    share = np.where(cost < 0, 1.0, share)
    total = np.where(share > 0, share * np.where(np.isfinite(cost), cost, 0.0), 0.0).sum(axis=2)
    enough = work.sum(axis=2) >= target[:, None] - WORK_TOLERANCE
    return np.where(enough, total, np.inf)


def _whole_steps(cost: FloatArray, work: FloatArray, order: IntArray, target: FloatArray) -> BoolArray:
    """(n, T*L): steps taken whole until the work is done, and those that pay for themselves."""
    cost_sorted, work_sorted = _sorted(cost, order), _sorted(work, order)
    before = np.cumsum(work_sorted, axis=1) - work_sorted
    wanted = (before < target[:, None] - WORK_TOLERANCE) & np.isfinite(cost_sorted) & (work_sorted > 0)
    taken = np.zeros(cost.shape, dtype=bool)
    np.put_along_axis(taken, order, wanted | (cost_sorted < 0), axis=1)
    return taken


def _give_back(taken: BoolArray, cost: FloatArray, work: FloatArray, target: FloatArray, depth: int) -> BoolArray:
    """Drop the dearest step that is the top of its slot and no longer needed, as long as there is one."""
    taken = taken.copy()
    each = np.arange(len(taken))
    while True:
        spare = np.where(taken, work, 0.0).sum(axis=1) - target
        ladder = taken.reshape(len(taken), -1, depth)
        above = np.zeros_like(ladder)
        above[:, :, :-1] = ladder[:, :, 1:]
        removable = taken & ~above.reshape(taken.shape) & (work <= spare[:, None] + WORK_TOLERANCE) & (cost > 0)
        dearest = np.where(removable, cost, -np.inf).argmax(axis=1)
        drop = removable[each, dearest]
        if not drop.any():
            return taken
        taken[each[drop], dearest[drop]] = False
