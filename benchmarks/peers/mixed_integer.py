"""The exact mixed-integer programme of plain instances, solved by HiGHS as far as the time goes.

Blocks have a binary for each site and start (time-indexed); pausable and elastic jobs one for each site, slot and step,
and one for each site. Starts of runs are counted where pauses cost money.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from benchmarks.peers.columns import Columns, columns, need
from benchmarks.peers.forms import Json, NoAnswer, plan_file, require_plain
from benchmarks.peers.highs import INFINITY, Model
from benchmarks.peers.problem import Array, Course, Ints, Mask, Problem, rows_of, runs_of

GAP = 1e-4
"""relative, as HiGHS has it by default"""


@dataclass(frozen=True)
class Starts:
    """A column for each job, site and first slot of a block."""

    job: Ints
    site: Ints
    slot: Ints
    length: Ints
    kw: Array


def exact_mixed_integer(instance: Json, time_limit_s: float) -> Json:
    """The best plan found, with HiGHS's own bound on every plan; :class:`NoAnswer` where it found none."""
    require_plain(instance)
    began = time.perf_counter()
    programme = _Programme(Problem(instance))
    model, whole = programme.model()
    left_s = time_limit_s - (time.perf_counter() - began)
    if left_s <= 0:
        raise NoAnswer(f"building the model took {time_limit_s:g} s")
    values, _, bound, _ = model.solve(whole, left_s, GAP)
    rows = rows_of(programme.problem, programme.courses(values > 0.5))
    return plan_file(instance, "exact MILP", rows, began) | {"solver_bound_gbp": bound}


class _Programme:
    """Columns in this order: starts of blocks, steps of the others, their sites, starts of runs, jobs left out."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        kinds = np.array([job["kind"] for job in problem.jobs])
        self._elastic: Mask = kinds == "elastic"
        self._pause_gbp = np.array([float(job.get("pause_cost_gbp") or 0.0) for job in problem.jobs])
        self.starts = _starts(problem, np.flatnonzero(kinds == "block"))
        self.steps = columns(problem, np.flatnonzero(kinds != "block"))
        sites = len(problem.site_ids)
        places, self._pair = np.unique(self.steps.job * sites + self.steps.site, return_inverse=True)
        self._pairs = np.stack(np.divmod(places, sites))
        """(2, pairs) jobs and sites of the steps; ``_pair`` says to which of them a step belongs"""
        self._paid = np.flatnonzero(self._pause_gbp[self.steps.job] > 0)
        sizes = [self.starts.job.size, self.steps.job.size, self._pairs.shape[1], self._paid.size, len(problem.jobs)]
        self._first = np.cumsum([0, *sizes])

    def model(self) -> tuple[Model, Mask]:
        """The model, and which of its columns are whole; starts of runs are whole by themselves."""
        problem, steps = self.problem, self.steps
        penalty = np.array([job["unserved_penalty_gbp"] for job in problem.jobs], float)
        model = Model(
            np.concatenate([
                self.starts.kw * _over(problem.cost_gbp, self.starts),
                steps.kw * problem.cost_gbp[steps.site, steps.slot],
                -self._pause_gbp[self._pairs[0]],
                self._pause_gbp[steps.job[self._paid]],
                penalty,
            ])
        )  # fmt: skip
        self._each_once(model)
        self._capacity(model)
        self._work(model)
        self._ladders(model)
        self._runs(model)
        whole = np.ones(model.cost.size, dtype=bool)
        whole[self._first[3] : self._first[4]] = False
        return model, whole

    def _each_once(self, model: Model) -> None:
        """A block starts once, another job has one site, or its penalty is paid."""
        jobs = len(self.problem.jobs)
        row = np.concatenate([self.starts.job, self._pairs[0], np.arange(jobs)])
        column = np.concatenate(
            [np.arange(self.starts.job.size), *(np.arange(*self._first[at : at + 2]) for at in (2, 4))]
        )
        model.add_rows(row, column, np.ones(row.size), np.ones(jobs), np.ones(jobs))

    def _capacity(self, model: Model) -> None:
        problem, steps = self.problem, self.steps
        block = np.repeat(np.arange(self.starts.job.size), self.starts.length)
        offset = np.arange(block.size) - np.repeat(
            np.cumsum(self.starts.length) - self.starts.length, self.starts.length
        )
        site = np.concatenate([self.starts.site[block], steps.site])
        slot = np.concatenate([self.starts.slot[block] + offset, steps.slot])
        kw = np.concatenate([self.starts.kw[block], steps.kw]) * problem.pue[site, slot]
        column = np.concatenate([block, self._first[1] + np.arange(steps.job.size)])
        free = np.full(problem.headroom_kw.size, -INFINITY)
        model.add_rows(site * problem.slots + slot, column, kw, free, problem.headroom_kw.ravel())

    def _work(self, model: Model) -> None:
        """Work done at a site is what the job needs, and nought where it is not; elastic jobs may do more."""
        pairs = self._pairs.shape[1]
        needs = np.array([need(self.problem.jobs[job]) for job in self._pairs[0].tolist()], float)
        most = np.where(self._elastic[self._pairs[0]], INFINITY, 0.0)
        row = np.concatenate([self._pair, np.arange(pairs)])
        column = self._first[1] + np.concatenate(
            [np.arange(self.steps.job.size), self.steps.job.size + np.arange(pairs)]
        )
        model.add_rows(row, column, np.concatenate([self.steps.work, -needs]), np.zeros(pairs), most)

    def _ladders(self, model: Model) -> None:
        """Of elastic jobs: no step without the one below it, and none where the job is not."""
        at = np.flatnonzero(self._elastic[self.steps.job])
        below = np.where(self.steps.step[at] > 0, self._first[1] + at - 1, self._first[2] + self._pair[at])
        row = np.tile(np.arange(at.size), 2)
        weight = np.repeat([1.0, -1.0], at.size)
        free, most = np.full(at.size, -INFINITY), np.zeros(at.size)
        model.add_rows(row, np.concatenate([self._first[1] + at, below]), weight, free, most)

    def _runs(self, model: Model) -> None:
        """A run starts where a job that pays for pauses is on, and was not in the slot before."""
        at, steps = self._paid, self.steps
        goes_on = (at > 0) & (self._pair[at] == self._pair[at - 1]) & (steps.slot[at] == steps.slot[at - 1] + 1)
        each = np.arange(at.size)
        row = np.concatenate([each, each[goes_on], each])
        column = np.concatenate([self._first[1] + at, self._first[1] + at[goes_on] - 1, self._first[3] + each])
        weight = np.concatenate([np.ones(at.size), -np.ones(int(goes_on.sum())), -np.ones(at.size)])
        model.add_rows(row, column, weight, np.full(at.size, -INFINITY), np.zeros(at.size))

    def courses(self, chosen: Mask) -> list[Course]:
        """What the chosen columns mean."""
        starts, steps = self.starts, self.steps
        found = [
            Course(int(starts.job[at]), int(starts.site[at]), [_run(starts, at)])
            for at in np.flatnonzero(chosen[: self._first[1]]).tolist()
        ]
        on = np.flatnonzero(chosen[self._first[1] : self._first[2]])
        for pair in np.unique(self._pair[on]).tolist():
            power, mine = np.zeros(self.problem.slots), on[self._pair[on] == pair]
            np.add.at(power, steps.slot[mine], steps.kw[mine])
            found.append(Course(int(self._pairs[0, pair]), int(self._pairs[1, pair]), runs_of(power, 0)))
        return found


def _starts(problem: Problem, numbers: Ints) -> Starts:
    """Where blocks may start: at the first of so many permitted slots in a row at one site."""
    cells: Columns = columns(problem, numbers)
    length = np.array([job.get("duration_slots") or 0 for job in problem.jobs], np.int64)[cells.job]
    last = np.arange(cells.job.size) + length - 1
    inside = np.flatnonzero(last < cells.job.size)
    end = last[inside]
    through = (cells.job[inside] == cells.job[end]) & (cells.site[inside] == cells.site[end])
    through &= cells.slot[end] - cells.slot[inside] == length[inside] - 1
    at = inside[through]
    return Starts(cells.job[at], cells.site[at], cells.slot[at], length[at], cells.kw[at])


def _over(figures: Array, starts: Starts) -> Array:
    """Sum of (S, T) figures over each block."""
    total = np.pad(np.cumsum(figures, axis=1), ((0, 0), (1, 0)))
    return np.asarray(total[starts.site, starts.slot + starts.length] - total[starts.site, starts.slot])


def _run(starts: Starts, at: int) -> tuple[int, int, float]:
    return int(starts.slot[at]), int(starts.slot[at] + starts.length[at]), float(starts.kw[at])
