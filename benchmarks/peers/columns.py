"""The columns that linear models are made of: every job, site, slot and step of power, as vectors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from benchmarks.peers.forms import Json, full_power
from benchmarks.peers.problem import Array, Ints, Mask, Problem


@dataclass(frozen=True)
class Columns:
    """One column for each (job, site, slot, step): a step adds ``kw`` of IT power and does ``work``.

    Blocks and pausable jobs have one step, which does one slot of work; elastic jobs one for each level, the first from
    off to their lowest.
    """

    job: Ints
    site: Ints
    slot: Ints
    step: Ints
    kw: Array
    work: Array

    def where(self, rows: Mask | Ints) -> Columns:
        """Some of the columns."""
        return Columns(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def columns(problem: Problem, numbers: Ints) -> Columns:
    """The columns of some jobs, in order of job, site, slot and step, where the jobs' own limits permit."""
    jobs = [problem.jobs[number] for number in numbers.tolist()]
    first, last = (np.array([job[field] for job in jobs], np.int64) for field in ("earliest_slot", "latest_slot"))
    counts = np.array([len(job["sites"]) for job in jobs], np.int64)
    pair_job = np.repeat(np.arange(len(jobs)), counts)
    pair_site = np.fromiter(chain.from_iterable(map(problem.sites_of, jobs)), dtype=np.int64, count=int(counts.sum()))
    widths = np.maximum(0, last - first)[pair_job]
    pair, offset = spread(widths)
    job, site, slot = pair_job[pair], pair_site[pair], first[pair_job][pair] + offset
    open_ = _permitted(problem, jobs, job, site, slot)
    return _in_steps(jobs, numbers, job[open_], site[open_], slot[open_])


def spread(widths: Ints) -> tuple[Ints, Ints]:
    """For widths 2, 3: owners 0 0 1 1 1 and offsets 0 1 0 1 2."""
    owner = np.repeat(np.arange(widths.size), widths)
    return owner, np.arange(owner.size) - np.repeat(np.cumsum(widths) - widths, widths)


def _permitted(problem: Problem, jobs: list[Json], job: Ints, site: Ints, slot: Ints) -> Mask:
    open_: Mask = np.ones(job.size, dtype=bool)
    for limit, figures in problem.barred.items():
        most = np.array([np.inf if row.get(limit) is None else row[limit] for row in jobs])
        open_ &= figures[site, slot] <= most[job]
    return open_


def _in_steps(jobs: list[Json], numbers: Ints, job: Ints, site: Ints, slot: Ints) -> Columns:
    ladders = [_ladder(row) for row in jobs]
    sizes = np.array([len(ladder) for ladder in ladders], dtype=np.int64)
    rungs = np.array(list(chain.from_iterable(ladders)), float).reshape(-1, 2)
    cell, step = spread(sizes[job])
    rung = (np.cumsum(sizes) - sizes)[job][cell] + step
    return Columns(numbers[job][cell], site[cell], slot[cell], step, rungs[rung, 0], rungs[rung, 1])


def _ladder(job: Json) -> list[tuple[float, float]]:
    """Power and work of each step."""
    if job["kind"] != "elastic":
        return [(full_power(job)[0], 1.0)]
    levels = sorted((float(level["power_kw"]), float(level["work_per_slot"])) for level in job["levels"])
    return [(b[0] - a[0], b[1] - a[1]) for a, b in zip([(0.0, 0.0), *levels], levels, strict=False)]


def need(job: Json) -> float:
    """Work that a job has to do."""
    return float(job["work"] if job["kind"] == "elastic" else job["duration_slots"])
