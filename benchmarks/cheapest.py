"""The referee's own answer to: what is the least that one job can cost at given charges?

Charges are (S, W) in GBP per IT kW held for one slot, over a job's sites and the slots of its window; ``permitted``
says where its own limits let it run. Where a job cannot run at all, the answer is infinity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Json = dict[str, Any]

TOLERANCE = 1e-6
"""relative, against at least one unit: rounding in the files, not licence"""
WORK_TOLERANCE = 1e-9
"""in slots at the lowest level: sums of decimal works do not come out even"""
EXACT_LEVELS = 3


def pause_cost(job: Json) -> float:
    """GBP for each pause; 0 where the job names none."""
    return float(job.get("pause_cost_gbp") or 0.0)


def least_block(job: Json, charge: Array, permitted: Mask) -> float:
    """The cheapest contiguous block of ``duration_slots`` permitted slots."""
    length = job["duration_slots"]
    if charge.shape[0] == 0 or charge.shape[1] < length:
        return float("inf")
    views = np.lib.stride_tricks.sliding_window_view(np.where(permitted, charge, np.inf), length, axis=1)
    return float(job["power_kw"] * views.sum(axis=2).min())


def least_pausable(job: Json, charge: Array, permitted: Mask) -> float:
    """The cheapest ``duration_slots`` permitted slots, pauses paid: dynamic programme over (slots done, running)."""
    length, pause = job["duration_slots"], pause_cost(job)
    running = np.full((charge.shape[0], length + 1), np.inf)
    idle = np.full_like(running, np.inf)
    idle[:, 0] = 0.0
    restart = np.full(length, pause)
    restart[0] = 0.0
    slot_cost = np.where(permitted, charge * job["power_kw"], np.inf)
    for cost in slot_cost.T:
        ran = np.full_like(running, np.inf)
        ran[:, 1:] = np.minimum(running[:, :-1], idle[:, :-1] + restart) + cost[:, None]
        idle, running = np.minimum(idle, running), ran
    return float(np.minimum(idle, running)[:, length].min(initial=np.inf))


def least_elastic(job: Json, charge: Array, permitted: Mask) -> float:
    """The cheapest level or none in each slot until the work is done: exact for up to three levels, else a bound.

    At one site only the number of slots at each level matters, because the highest levels belong into the cheapest
    slots. All numbers of slots at the two upper levels are tried; the lowest then fills up what is missing, or takes
    every further slot that earns money.
    """
    levels = sorted(job["levels"], key=lambda level: -float(level["power_kw"]))
    power = [float(level["power_kw"]) for level in levels]
    work = [float(level["work_per_slot"]) for level in levels]
    least = _least_fractional if len(levels) > EXACT_LEVELS else _least_whole
    offers = (
        least(np.sort(slots[usable]), power, work, float(job["work"]))
        for slots, usable in zip(charge, permitted, strict=True)
    )
    return min(offers, default=float("inf"))


def _least_whole(charge: Array, power: list[float], work: list[float], target: float) -> float:
    """Up to three levels, highest first, over ``charge`` in ascending order."""
    slots = charge.size
    paid = np.concatenate([[0.0], np.cumsum(charge)])
    upper = [np.arange(slots + 1)] * (len(power) - 1)
    upper = [np.zeros(1, dtype=int)] * (EXACT_LEVELS - 1 - len(upper)) + upper
    kw = [0.0] * (EXACT_LEVELS - len(power)) + power
    done = [0.0] * (EXACT_LEVELS - len(work)) + work
    first, second = np.meshgrid(*upper, indexing="ij")
    missing = target - first * done[0] - second * done[1]
    earning = int(np.count_nonzero(charge < 0)) - first - second
    third = np.maximum(np.maximum(np.ceil(missing / done[2] - WORK_TOLERANCE), earning), 0).astype(int)
    fits = first + second + third <= slots
    a, b, c = first[fits], (first + second)[fits], (first + second + third)[fits]
    cost = kw[0] * paid[a] + kw[1] * (paid[b] - paid[a]) + kw[2] * (paid[c] - paid[b])
    return float(cost.min(initial=np.inf))


def _least_fractional(charge: Array, power: list[float], work: list[float], target: float) -> float:
    """Steps from level to level taken in part, cheapest work first; steps that earn money are all taken.

    Levels are concave, so that this order never takes a step before the one below it.
    """
    step_kw, step_work = np.diff([0.0, *power[::-1]]), np.diff([0.0, *work[::-1]])
    cost = np.outer(charge, step_kw).ravel()
    size = np.tile(step_work, charge.size)
    if size.sum() < target - WORK_TOLERANCE:
        return float("inf")
    order = np.argsort(cost / size)
    cost, size = cost[order], size[order]
    before = np.cumsum(size) - size
    return float(np.where(cost < 0, 1.0, np.clip((target - before) / size, 0.0, 1.0)) @ cost)


LEAST = {"block": least_block, "pausable": least_pausable, "elastic": least_elastic}
