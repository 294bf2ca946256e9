"""Pausable jobs: whole slots at constant power anywhere in the window, each pause at a cost.

Without a pause cost the best profile is the cheapest slots; with one it is a dynamic programme over slots, whose
state is how many slots have been run and whether the last one was.
"""

from __future__ import annotations

import numpy as np

from core.bid import TOLERANCE_KW, BidBatch
from core.instance import Instance
from core.series import BoolArray, FloatArray, IntArray


class PausableJobs:
    """All pausable jobs of an instance."""

    def __init__(self, instance: Instance, allowed: BoolArray) -> None:
        kept = [(row, job) for row, job in enumerate(instance.jobs) if job.kind == "pausable"]
        self.index: IntArray = np.array([row for row, _ in kept], dtype=np.int64)
        self.power_kw = np.array([job.power_kw for _, job in kept], dtype=np.float64)
        self.duration = np.array([job.duration_slots for _, job in kept], dtype=np.int64)
        self.pause_gbp = np.array([job.pause_cost_gbp or 0.0 for _, job in kept], dtype=np.float64)
        self._allowed = allowed[self.index]
        self._slots = instance.slots

    def best(self, per_kw: FloatArray, free_kw: FloatArray | None, rows: IntArray, sites: BoolArray | None) -> BidBatch:
        """The cheapest slots of each of ``rows``, pauses included."""
        allowed = self._allowed[rows]
        if sites is not None:
            allowed = allowed & sites[None, :, None]
        if free_kw is not None:
            allowed = allowed & (free_kw[None] + TOLERANCE_KW >= self.power_kw[rows, None, None])
        slot_gbp = np.where(allowed, self.power_kw[rows, None, None] * per_kw[None], np.inf)
        duration, pause = self.duration[rows], self.pause_gbp[rows]
        batch = BidBatch.empty(self.index[rows], self._slots)
        site, value, chosen = _cheapest_course(slot_gbp, duration, pause)
        found = np.flatnonzero(np.isfinite(value))
        batch.site[found] = site[found]
        batch.power_kw[found] = chosen[found] * self.power_kw[rows[found], None]
        batch.value_gbp[found] = batch.floor_gbp[found] = value[found]
        return batch


def _cheapest_course(
    slot_gbp: FloatArray, duration: IntArray, pause_gbp: FloatArray
) -> tuple[IntArray, FloatArray, BoolArray]:
    """(n,) site, (n,) value and (n, T) slots of each job's cheapest course.

    The cheapest slots without regard to pauses bound each site from below: the programme is run at the site with the
    least bound, and then only at sites whose bound is below what that gave.
    """
    floor = _cheapest_sums(slot_gbp, duration)
    site = floor.argmin(axis=1)
    each = np.arange(len(site))
    value, chosen = _courses(slot_gbp[each, site], duration, pause_gbp)
    rival = floor < value[:, None] - 1e-12
    rival[each, site] = False
    job, other = np.nonzero(rival)
    if job.size:
        rival_value, rival_chosen = _courses(slot_gbp[job, other], duration[job], pause_gbp[job])
        for pair in np.argsort(-rival_value, kind="stable")[-len(job) :]:
            if rival_value[pair] < value[job[pair]] - 1e-12:
                row = job[pair]
                value[row], site[row], chosen[row] = rival_value[pair], other[pair], rival_chosen[pair]
    return site, value, chosen


def _courses(slot_gbp: FloatArray, duration: IntArray, pause_gbp: FloatArray) -> tuple[FloatArray, BoolArray]:
    """(n,) least cost and (n, T) its slots, for jobs each at one site; inf where there are too few slots."""
    ranks = np.argsort(np.argsort(slot_gbp, axis=1, kind="stable"), axis=1, kind="stable")
    chosen = ranks < duration[:, None]
    pauses = np.maximum((np.diff(chosen.astype(np.int8), axis=1, prepend=0) > 0).sum(axis=1) - 1, 0)
    value = np.where(chosen, slot_gbp, 0.0).sum(axis=1) + pauses * pause_gbp
    value[duration > slot_gbp.shape[1]] = np.inf
    open_rows = (pause_gbp > 0) & (pauses > 0) & np.isfinite(value)
    size = np.frexp(duration.astype(np.float64))[1]
    for power_of_two in np.unique(size[open_rows]):
        part = np.flatnonzero(open_rows & (size == power_of_two))
        value[part], chosen[part] = _programme(slot_gbp[part], duration[part], pause_gbp[part])
    return value, chosen


def _cheapest_sums(slot_gbp: FloatArray, duration: IntArray) -> FloatArray:
    """(n, S): sum of each job's ``duration`` cheapest slots; inf where there are not so many."""
    slots = slot_gbp.shape[2]
    ordered = np.cumsum(np.sort(slot_gbp, axis=2), axis=2)
    last = np.minimum(duration, slots) - 1
    sums = np.take_along_axis(ordered, np.broadcast_to(last[:, None, None], (*slot_gbp.shape[:2], 1)), axis=2)[:, :, 0]
    return np.where((duration <= slots)[:, None], sums, np.inf)


def _programme(
    slot_gbp: FloatArray, duration: IntArray, pause_gbp: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """(n,) least cost and (n, T) its slots when every run after the first is charged ``pause_gbp``.

    States are (slots run so far, whether the last slot was run); choices are kept and walked back.
    """
    jobs, slots = slot_gbp.shape
    most = int(duration.max())
    idle = np.full((jobs, most + 1), np.inf)
    idle[:, 0] = 0.0
    busy = np.full((jobs, most + 1), np.inf)
    went_on = np.zeros((slots, jobs, most + 1), dtype=bool)
    stopped = np.zeros((slots, jobs, most + 1), dtype=bool)
    for slot in range(slots):
        begin = idle[:, :-1] + pause_gbp[:, None]
        np.less_equal(busy[:, :-1], begin, out=went_on[slot, :, 1:])
        begin = np.minimum(busy[:, :-1], begin) + slot_gbp[:, slot, None]
        np.less(busy, idle, out=stopped[slot])
        np.minimum(idle, busy, out=idle)
        busy[:, 1:] = begin
    each = np.arange(jobs)
    ends_busy = busy[each, duration] < idle[each, duration]
    value = np.minimum(busy, idle)[each, duration] - pause_gbp
    return value, _walked_back(went_on, stopped, ends_busy, duration)


def _walked_back(went_on: BoolArray, stopped: BoolArray, running: BoolArray, left: IntArray) -> BoolArray:
    """(n, T): slots of the best path, from its end to its beginning."""
    slots, jobs, _ = went_on.shape
    chosen = np.zeros((jobs, slots), dtype=bool)
    each = np.arange(jobs)
    for slot in range(slots - 1, -1, -1):
        chosen[:, slot] = running
        before = np.where(running, went_on[slot, each, left], stopped[slot, each, left])
        left = left - running
        running = before
    return chosen
