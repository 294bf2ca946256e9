"""The referee's own answer to: what is the least that a course can cost at given charges?

Many pairs of job and site are answered together. Charges come as (C, R, W): C channels, R pairs, W slots of the job's
window, per IT kW held for one slot, infinity where the job may not run. The first channel is minimised; a second one is
added up along the course found. Answers are (C, R), infinity where there is no course.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from benchmarks.referee.jobs import ANY_NUMBER, WORK_TOLERANCE, Jobs
from benchmarks.referee.verdict import Array, Ints

EXACT_LEVELS = 3


def block(charge: Array, length: int) -> Array:
    """(C, R, W + 1 - length) the sum over every run of ``length`` slots, by its start."""
    if charge.shape[2] < length:
        return np.full((*charge.shape[:2], 1), np.inf)
    closed = np.isinf(charge[0])
    sums = _moving(np.where(closed, 0.0, charge), length)
    return np.asarray(np.where(_moving(closed.astype(float), length) > 0.5, np.inf, sums))


def _moving(values: Array, length: int) -> Array:
    """Sums of ``length`` neighbours along the last axis."""
    before = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=before[..., 1:])
    return np.asarray(before[..., length:] - before[..., :-length])


def lesser(one: Array, other: Array) -> Array:
    """Whichever of two answers (C, ...) has the smaller first channel."""
    return np.minimum(one, other) if len(one) == 1 else np.where(other[0] < one[0], other, one)


def pausable(charge: Array, jobs: Jobs, job: Ints, pause_gbp: Array) -> Array:
    """The cheapest runs of jobs that agree in restart, least runs, and in how often they may pause.

    Dynamic programme over (pauses, work done, pair) at power 1 in channels; the least length of a run is taken at once.

    :param job: (R,) rows of the jobs, whose window of W slots ``charge`` covers, already times their power.
    :param pause_gbp: (C, R) what a pause adds to each channel.
    """
    first, later, restart = (int(column[job[0]]) for column in (jobs.first_run, jobs.later_run, jobs.restart))
    most, gain = int(jobs.max_pauses[job[0]]), later - restart
    work, pairs = jobs.duration[job], np.arange(len(job))
    counted = most if most < (int(work.max()) - first) // gain else 0
    nothing = np.full((len(charge), counted + 1, int(work.max()) + 1, len(job)), np.inf)
    begin, again = (np.moveaxis(block(charge, length), 2, 0) for length in (first, later))
    idle = running = nothing
    history: deque[Array] = deque(maxlen=later)
    for slot in range(charge.shape[2]):
        history.append(idle)
        ran = nothing.copy()
        ran[:, :, 1:] = running[:, :, :-1] + charge[:, None, None, :, slot]
        if first <= slot + 1 and first < ran.shape[2]:
            ran[:, 0, first] = lesser(ran[:, 0, first], begin[slot + 1 - first])
        if len(history) == later and gain < ran.shape[2] and most > 0:
            paused = history[0][:, : counted or 1, : ran.shape[2] - gain]
            restarted = paused + (again[slot + 1 - later] + pause_gbp)[:, None, None]
            ran[:, min(1, counted) :, gain:] = lesser(ran[:, min(1, counted) :, gain:], restarted)
        idle, running = lesser(idle, running), ran
    done = lesser(idle, running)[:, :, work, pairs]
    best = done[0].argmin(axis=0)
    return np.asarray(done[:, best, pairs])


def elastic(charge: Array, jobs: Jobs, job: Ints) -> Array:
    """The cheapest level or none in each slot until the work is done: exact for up to three levels, else a bound.

    :param job: (R,) rows of jobs with equally many levels; ``charge`` is per kW.
    """
    levels = int((~np.isnan(jobs.ladder_kw[job[0]])).sum())
    order = np.argsort(charge[0], axis=1, kind="stable")
    charge = np.take_along_axis(charge, order[None], axis=2)
    step_kw = np.diff(jobs.ladder_kw[job, :levels], axis=1, prepend=0.0)
    step_work = np.diff(jobs.ladder_work[job, :levels], axis=1, prepend=0.0)
    least = _whole_levels if levels <= EXACT_LEVELS else _parts_of_levels
    return least(charge, step_kw, step_work, jobs.work[job])


def _whole_levels(charge: Array, step_kw: Array, step_work: Array, work: Array) -> Array:
    """Up to three levels over charges in ascending order: only how many slots reach each level matters.

    The highest levels belong into the cheapest slots. All numbers of slots at the two upper levels are tried that do
    not overshoot; the lowest then fills up what is missing, and what earns money is taken at every level.
    """
    pairs, missing = len(work), EXACT_LEVELS - step_kw.shape[1]
    step_kw, step_work = (np.pad(steps, ((0, 0), (0, missing))) for steps in (step_kw, step_work))
    open_ = np.isfinite(charge[0])
    slots, earning = open_.sum(axis=1), (charge[0] < 0).sum(axis=1)
    paid = np.zeros((len(charge), pairs, charge.shape[2] + 1))
    np.cumsum(np.where(open_, charge, 0.0), axis=2, out=paid[:, :, 1:])
    reach = step_work.cumsum(axis=1)
    row, best = np.arange(pairs), np.full((len(charge), pairs), np.inf)
    most_third = 0 if missing > 0 else int(np.minimum(_needed(work, reach[:, 2]), slots).max())
    most_second = 0 if missing > 1 else int(np.minimum(_needed(work, reach[:, 1]), slots).max())
    for third in range(most_third + 1):
        top = np.minimum((missing < 1) * earning + third, slots)
        spent = paid[:, row, top] * step_kw[:, 2]
        for second in range(most_second + 1):
            upper = np.minimum(np.maximum(top, (missing < 2) * earning) + second, slots)
            left = work - top * step_work[:, 2] - upper * step_work[:, 1]
            lower = np.maximum(np.maximum(_needed(left, step_work[:, 0]), earning), upper)
            fits = lower <= slots
            total = spent + paid[:, row, upper] * step_kw[:, 1]
            total = total + paid[:, row, np.minimum(lower, slots)] * step_kw[:, 0]
            best = lesser(best, np.where(fits, total, np.inf))
            if not (left > upper * step_work[:, 0]).any():
                break
        if not (work > top * reach[:, 2]).any():
            break
    return best


def _needed(work: Array, a_slot: Array) -> Ints:
    """Slots that work takes, at least none."""
    return np.clip(np.ceil(work / a_slot - WORK_TOLERANCE), 0, ANY_NUMBER).astype(np.int64)


def _parts_of_levels(charge: Array, step_kw: Array, step_work: Array, work: Array) -> Array:
    """Steps from level to level taken in part, cheapest work first; steps that earn money are all taken.

    Levels are concave, so that this order never takes a step before the one below it.
    """
    pairs = len(work)
    open_ = np.isfinite(charge[0])[:, :, None]
    cost = np.where(open_, charge[:, :, :, None] * step_kw[None, :, None, :], 0.0).reshape(len(charge), pairs, -1)
    size = np.where(open_, step_work[:, None, :], 0.0).reshape(pairs, -1)
    worth = np.divide(cost[0], size, where=size > 0, out=np.full(size.shape, np.inf))
    order = np.argsort(worth, axis=1, kind="stable")
    cost, size = np.take_along_axis(cost, order[None], axis=2), np.take_along_axis(size, order, axis=1)
    done = np.cumsum(size, axis=1)
    wanted = np.divide(work[:, None] - done + size, size, where=size > 0, out=np.zeros(size.shape))
    part = np.where(cost[0] < 0, 1.0, np.clip(wanted, 0.0, 1.0))
    total = (cost * part).sum(axis=2)
    return np.asarray(np.where(done[:, -1] < work - WORK_TOLERANCE * np.maximum(1.0, work), np.inf, total))
