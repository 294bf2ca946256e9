"""Courses of many jobs at once: the levels they run at, slot by slot, and the runs these are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np

from core.instance import Course, JobInstance, Run
from core.market import NOWHERE
from core.series import BoolArray, FloatArray, IntArray, LevelArray


class Runs(NamedTuple):
    """Maximal runs ``[start, end)`` at one ``level``, (R,) each, by ``job`` and in order of time."""

    job: IntArray
    start: IntArray
    end: IntArray
    level: IntArray


def runs_in(level: LevelArray) -> Runs:
    """The runs of levels (J, T), nought where nothing runs."""
    jobs, slots = level.shape
    edged = np.zeros((jobs, slots + 2), dtype=level.dtype)
    edged[:, 1:-1] = level
    job, at = np.nonzero(edged[:, 1:] != edged[:, :-1])
    runs = Runs(job[:-1], at[:-1], at[1:], edged[job[:-1], at[:-1] + 1].astype(np.int64))
    own = (job[:-1] == job[1:]) & (runs.level > 0)
    return Runs(*(part[own] for part in runs))


def told(level: LevelArray, level_kw: FloatArray) -> list[tuple[Run, ...]]:
    """For each of J jobs its runs in slots and kW; ``level`` (J, T), ``level_kw`` (J, L)."""
    runs = runs_in(level)
    power_kw = level_kw[runs.job, runs.level - 1]
    every: list[Run] = list(zip(runs.start.tolist(), runs.end.tolist(), power_kw.tolist(), strict=True))
    ends = np.cumsum(np.bincount(runs.job, minlength=len(level))).tolist()
    return [tuple(every[first:last]) for first, last in zip([0, *ends], ends, strict=False)]


def standing(
    jobs: Sequence[JobInstance], level_kw: FloatArray, level_work: FloatArray, slots: int
) -> tuple[BoolArray, LevelArray]:
    """The standing courses of ``jobs``, all of which have one: whether it still does what the job asks (J,), and its
    levels (J, T), each the one whose power is nearest; ladders are (J, L)."""
    runs = [(row, *run) for row, job in enumerate(jobs) for run in cast(Course, job.planned).runs]
    table = np.array(runs, dtype=np.float64).reshape(-1, 4)
    job, start, end = table[:, :3].T.astype(np.int64)
    rung = np.argmin(np.abs(level_kw[job] - table[:, 3:]), axis=1) if len(table) else job
    known = np.ones(len(jobs), dtype=np.bool_)
    known[job[level_kw[job, rung] != table[:, 3]]] = False
    level = np.zeros((len(jobs), slots), dtype=np.int8)
    length = end - start
    slot = np.arange(length.sum()) + np.repeat(start - (np.cumsum(length) - length), length)
    level[np.repeat(job, length), slot] = np.repeat(1 + rung, length)
    return known & _does_the_work(jobs, level, level_work), level


def _does_the_work(jobs: Sequence[JobInstance], level: LevelArray, level_work: FloatArray) -> BoolArray:
    """(J,): work or duration, pauses and lengths of runs are as each job asks."""
    ladder = np.concatenate([np.zeros((len(jobs), 1)), level_work], axis=1)
    done = np.take_along_axis(ladder, level.astype(np.int64), axis=1).sum(axis=1)
    work = np.array([job.work or 0.0 for job in jobs])
    least = np.array([job.min_run_slots or 1 for job in jobs], dtype=np.int64)
    restart = np.array([job.restart_slots or 0 for job in jobs], dtype=np.int64)
    duration = np.array([job.duration_slots or 0 for job in jobs], dtype=np.int64)
    runs = runs_in(level)
    pauses = np.bincount(runs.job, minlength=len(jobs)) - 1
    first = np.diff(runs.job, prepend=NOWHERE) > 0
    length = runs.end - runs.start
    short = (length < least[runs.job]) | (~first & (length <= restart[runs.job]))
    most = np.array([_most_pauses(job) for job in jobs], dtype=np.float64)
    whole = (level > 0).sum(axis=1) == duration + restart * pauses
    whole &= (pauses >= 0) & (pauses <= most) & (np.bincount(runs.job[short], minlength=len(jobs)) == 0)
    elastic = np.array([job.kind == "elastic" for job in jobs], dtype=np.bool_)
    return np.asarray(np.where(elastic, done >= work * (1 - 1e-9) - 1e-9, whole))


def _most_pauses(job: JobInstance) -> float:
    if job.kind != "pausable":
        return 0
    return np.inf if job.max_pauses is None else job.max_pauses
