"""What the results say day by day: savings, days lost and why."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np

from benchmarks.backtest.running import PLANNER, WITHOUT_ERROR
from core.series import FloatArray

Json = dict[str, Any]

SERVED = "served_gbp"
MEASURES = {
    "energy_gbp": "energy cost",
    "carbon_kg": "carbon",
    "total_gbp": "total cost",
    SERVED: "the same without penalties",
}
LEAST_LOST_GBP = 0.005
"""below half a penny a day is a draw"""


class Spread(NamedTuple):
    """Shares saved: over all days together, and of single days the median and the ends of nine tenths."""

    whole: float
    median: float
    low: float
    high: float


class Lost(NamedTuple):
    """A day on which a baseline was better.

    :ivar gbp: by how much, in total cost; ``share`` of the baseline's.
    """

    day: date
    baseline: str
    gbp: float
    share: float
    why: str


def values(results: Json, method: str, measure: str) -> FloatArray:
    """(D,) of the days on which jobs arrived."""
    kept, found = np.array(results["jobs_by_day"]) > 0, results["methods"][method]
    if measure == SERVED:
        return np.asarray(np.subtract(found["total_gbp"], found["penalty_gbp"]))[kept]
    return np.array(found[measure], dtype=np.float64)[kept]


def dates(results: Json) -> list[date]:
    """The days on which jobs arrived."""
    first = date.fromisoformat(results["first_day"])
    return [first + timedelta(days=number) for number, jobs in enumerate(results["jobs_by_day"]) if jobs]


def saved(results: Json, baseline: str, measure: str, method: str = PLANNER) -> FloatArray:
    """(D,) share that ``method`` saves of what the baseline takes, negative where it takes more."""
    own, other = values(results, method, measure), values(results, baseline, measure)
    return np.asarray((other - own) / np.maximum(np.abs(other), 1e-9))


def spread(results: Json, baseline: str, measure: str, method: str = PLANNER) -> Spread:
    """The savings against a baseline, summed up."""
    by_day = saved(results, baseline, measure, method)
    low, median, high = np.quantile(by_day, (0.05, 0.5, 0.95)).tolist()
    own, other = (values(results, name, measure).sum() for name in (method, baseline))
    return Spread(float((other - own) / other), median, low, high)


def lost(results: Json, baseline: str) -> list[Lost]:
    """The days on which the baseline's total cost was lower, the worst first."""
    own, other, exact = (values(results, name, "total_gbp") for name in (PLANNER, baseline, WITHOUT_ERROR))
    missed = values(results, PLANNER, "missed") - values(results, baseline, "missed")
    found = [
        Lost(day, baseline, gbp, gbp / abs(theirs), _why(more, gbp, known - theirs))
        for day, gbp, theirs, known, more in zip(
            dates(results), (own - other).tolist(), other.tolist(), exact.tolist(), missed.tolist(), strict=True
        )
        if gbp > LEAST_LOST_GBP
    ]
    return sorted(found, key=lambda one: -one.gbp)


def _why(more_missed: float, gbp: float, without_error: float) -> str:
    if more_missed > 0:
        return f"{more_missed:.0f} more deadlines missed"
    if without_error <= 0:
        return f"forecast errors: without them it is {-without_error:.2f} GBP cheaper"
    if without_error < gbp / 2:
        return f"mostly forecast errors: without them it is {without_error:.2f} GBP dearer"
    return f"room, taken by jobs of other days: without forecast errors it is still {without_error:.2f} GBP dearer"
