"""The exact linear relaxation, and POP: the same for a random part of the jobs and an even part of the capacity.

Relaxed is that jobs are whole: any job may pause for nothing, move between its sites at any slot, and run at a part of
its power. So the value is below every plan's objective. It is no plan itself.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.peers.columns import Columns, columns, need
from benchmarks.peers.forms import Json, NoAnswer, require_plain
from benchmarks.peers.highs import INFINITY, Model
from benchmarks.peers.problem import Ints, Problem


def relaxation(problem: Problem, numbers: Ints, share: float, time_limit_s: float) -> float:
    """Least cost in GBP of some jobs in a share of all headroom; :class:`NoAnswer` if it is not solved in time."""
    found = columns(problem, numbers)
    energy = found.kw * problem.cost_gbp[found.site, found.slot]
    penalty = np.array([problem.jobs[number]["unserved_penalty_gbp"] for number in numbers.tolist()], dtype=float)
    model = Model(np.concatenate([energy, penalty]))
    _work(model, problem, numbers, found)
    _capacity(model, problem, found, share)
    _one_place(model, found)
    _, value, _, solved = model.solve(None, time_limit_s)
    if not solved:
        raise NoAnswer(f"the linear programme was not solved in {time_limit_s:g} s")
    return value


def _work(model: Model, problem: Problem, numbers: Ints, found: Columns) -> None:
    """Each job does its work, or is left out for its penalty, or in part each."""
    row = np.searchsorted(numbers, found.job)
    needs = np.array([need(problem.jobs[number]) for number in numbers.tolist()])
    elastic = np.array([problem.jobs[number]["kind"] == "elastic" for number in numbers.tolist()])
    each = np.arange(numbers.size)
    model.add_rows(
        np.concatenate([row, each]),
        np.arange(found.job.size + numbers.size),
        np.concatenate([found.work, needs]),
        needs,
        np.where(elastic, INFINITY, needs),
    )


def _capacity(model: Model, problem: Problem, found: Columns, share: float) -> None:
    cells = problem.headroom_kw.size
    model.add_rows(
        found.site * problem.slots + found.slot,
        np.arange(found.job.size),
        found.kw * problem.pue[found.site, found.slot],
        np.full(cells, -INFINITY),
        share * problem.headroom_kw.ravel(),
    )


def _one_place(model: Model, found: Columns) -> None:
    """No job runs at more than its power, wherever it is."""
    key = (found.job * (int(found.slot.max(initial=0)) + 1) + found.slot) * (int(found.step.max(initial=0)) + 1)
    _, row, times = np.unique(key + found.step, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(times[row] > 1)
    _, row = np.unique(row[shared], return_inverse=True)
    most = np.ones(int(row.max(initial=-1)) + 1)
    model.add_rows(row, shared, np.ones(shared.size), np.full(most.size, -INFINITY), most)


def exact_linear(instance: Json, time_limit_s: float) -> Json:
    """The linear relaxation of the whole instance: a bound, not a plan."""
    require_plain(instance)
    began = time.perf_counter()
    problem = Problem(instance)
    value = relaxation(problem, np.arange(len(problem.jobs)), 1.0, time_limit_s)
    return {
        "instance": instance["name"],
        "method": "exact LP",
        "fractional_gbp": value,
        "bound_gbp": value,
        "wall_s": time.perf_counter() - began,
    }


def pop(instance: Json, time_limit_s: float, parts: int, seed: int = 1) -> Json:
    """POP (Narayanan et al., SOSP 2021): jobs split at random, each part solved apart in 1/k of all headroom."""
    require_plain(instance)
    began = time.perf_counter()
    problem = Problem(instance)
    order = np.random.default_rng(seed).permutation(len(problem.jobs))
    value = 0.0
    for part in np.array_split(order, parts):
        left_s = time_limit_s - (time.perf_counter() - began)
        value += relaxation(problem, np.sort(part), 1 / parts, max(0.1, left_s))
    return {
        "instance": instance["name"],
        "method": f"POP-{parts}",
        "fractional_gbp": value,
        "wall_s": time.perf_counter() - began,
    }
