"""Two parts of a multiple-choice knapsack: alike slots by how many run at each level, odd ones one by one.

Among slots that may all run the same levels the cheapest get the highest ones, so a course there is told by the number
``m[l]`` of slots at level ``l`` or above, and is charged ``sum of step_kw[l] * C[m[l]]``, ``C`` being running sums of
rising charges. Both parts leave out what is further from the relaxation than the best course known, by its reduced
cost: no better course has it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from core.series import FloatArray, IntArray

TOLERANCE = 1e-9
MOST_COUNTS = 100_000
"""Combinations compared at a time: beyond, those furthest from the relaxation are left out. Only ladders of more than
three levels and hundreds of slots at the same charge come up against it."""
FEW_STATES = 32
"""So many are carried along as they are: comparing them takes longer."""
MOST_STATES = 256


class Ladder(NamedTuple):
    """U slots that may all run the same L levels.

    :param charge: (U,) GBP per kW, rising.
    :param step_kw: (L,) what each level adds to the one below; ``step_work`` likewise.
    """

    charge: FloatArray
    step_kw: FloatArray
    step_work: FloatArray


class States(NamedTuple):
    """S ways to run n odd slots, beside the best at the rate of the relaxation.

    :param chosen: (S, n) the level of each.
    :param excess: (S,) reduced cost above the best.
    :param gain: (S,) work above the best.
    """

    chosen: IntArray
    excess: FloatArray
    gain: FloatArray


def states(excess: FloatArray, gain: FloatArray, rate: float, gap: float) -> States:
    """The ways to run n slots whose excess is below ``gap`` and that none beats in both work and charge.

    :param excess: (n, K) reduced cost of each level above the best one's, inf where it does not fit.
    :param gain: (n, K) work above the best one's.
    """
    found = States(np.zeros((1, 0), dtype=np.int64), np.zeros(1), np.zeros(1))
    for each, gains in zip(excess, gain, strict=True):
        total = np.add.outer(found.excess, each).ravel()
        (kept,) = (total < gap).nonzero()
        chosen = np.column_stack([found.chosen[kept // len(each)], kept % len(each)])
        found = States(chosen, total[kept], np.add.outer(found.gain, gains).ravel()[kept])
        if len(kept) > FEW_STATES:
            unbeaten = _unbeaten(found, rate)
            found = States(found.chosen[unbeaten], found.excess[unbeaten], found.gain[unbeaten])
    return found


def _unbeaten(found: States, rate: float) -> IntArray:
    charge = found.excess + rate * found.gain
    order = np.lexsort((charge, -found.gain))
    kept = np.ones(len(order), dtype=np.bool_)
    kept[1:] = charge[order[1:]] < np.minimum.accumulate(charge[order])[:-1]
    order = order[kept]
    return order[found.excess[order].argsort()[:MOST_STATES]]


def least_counts(
    ladder: Ladder, need: FloatArray, held_gbp: FloatArray, rate: float, gap: float
) -> tuple[int, IntArray] | None:
    """Which of S states the ladder completes at the least charge, and (L,) its slots at each level or above.

    None where it can complete none.

    :param need: (S,) work that each state leaves to the ladder; ``held_gbp`` (S,) is what it is charged itself.
    :param rate: charge per unit of work in the relaxation.
    :param gap: how far a course may be from it.
    """
    sums = np.concatenate([[0.0], np.cumsum(ladder.charge)])
    (first_kw, *more_kw), (first_work, *more_work) = ladder.step_kw.tolist(), ladder.step_work.tolist()
    most = int((MOST_COUNTS / len(need)) ** (1 / max(1, len(more_kw))))
    steps = np.arange(len(sums))
    near = [_near(kw * sums - rate * work * steps, gap, most) for kw, work in zip(more_kw, more_work, strict=True)]
    axes = 1 + len(near)
    upper = [each.reshape(-1, *(1,) * (axes - axis - 2)) for axis, each in enumerate(near)]
    left, charge = (each.reshape(-1, *(1,) * (axes - 1)) for each in (need, held_gbp))
    for kw, work, count in zip(more_kw, more_work, upper, strict=True):
        left, charge = left - work * count, charge + kw * sums[count]
    fewest = np.ceil(left / first_work - TOLERANCE).astype(np.int64)
    lowest = np.maximum(np.maximum(fewest, upper[0] if upper else 0), int(np.count_nonzero(ladder.charge < 0)))
    charge = np.where(lowest < len(sums), charge + first_kw * sums[np.minimum(lowest, len(sums) - 1)], np.inf)
    for lower, higher in pairwise(upper):
        charge = np.where(lower >= higher, charge, np.inf)
    place = np.unravel_index(int(charge.argmin()), charge.shape)
    if not np.isfinite(charge[place]):
        return None
    found = [lowest[place], *(each[at] for each, at in zip(near, place[1:], strict=True))]
    return int(place[0]), np.array(found, dtype=np.int64)


def _near(excess: FloatArray, gap: float, most: int) -> IntArray:
    """Counts at most ``gap`` above the least, ``most`` of them around it."""
    best = int(excess.argmin())
    (near,) = (excess <= excess[best] + gap + TOLERANCE).nonzero()
    first = max(0, min(best - int(near[0]) - most // 2, len(near) - most))
    return np.asarray(near[first : first + most])
