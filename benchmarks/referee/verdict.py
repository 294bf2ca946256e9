"""What the referee says of a plan, and how much rounding it forgives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Json = dict[str, Any]

TOLERANCE = 1e-6
"""relative, against at least one unit: rounding in the files, not licence"""
MOST_LINES = 50


def near(a: Any, b: Any) -> Any:
    """Whether two figures, or each of two arrays, agree; never true of NaN."""
    with np.errstate(invalid="ignore"):
        return np.abs(np.subtract(a, b)) <= TOLERANCE * np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))


def at_most(a: Any, b: Any) -> Any:
    """Whether ``a <= b`` up to rounding, of figures or arrays; never true of NaN."""
    return np.asarray(a) <= b + TOLERANCE * np.maximum(1.0, np.abs(b))


def relative_gap(objective: float, bound: float) -> float:
    """``(objective - bound) / |bound|``; 0 where both are 0."""
    return 0.0 if objective == bound else (objective - bound) / abs(bound) if bound else float("inf")


@dataclass(frozen=True)
class Verdict:
    """What the referee found; money in GBP, carbon in kg. ``violations`` is empty for a valid plan."""

    violations: tuple[str, ...]
    placed: int
    unserved: int
    objective_gbp: float
    claimed_objective_gbp: float
    bound_gbp: float
    claimed_bound_gbp: float
    carbon_kg: float

    @property
    def gap(self) -> float:
        """Distance of the recomputed objective from the recomputed bound, relative to the bound."""
        return relative_gap(self.objective_gbp, self.bound_gbp)

    def table(self) -> str:
        """The verdict for people."""
        rows = [
            ("placed / unserved", f"{self.placed} / {self.unserved}", ""),
            ("objective, GBP", f"{self.objective_gbp:.4f}", f"claimed {self.claimed_objective_gbp:.4f}"),
            ("bound, GBP", f"{self.bound_gbp:.4f}", f"claimed {self.claimed_bound_gbp:.4f}"),
            ("gap", f"{self.gap:.4%}", ""),
            ("carbon, kg", f"{self.carbon_kg:.1f}", ""),
            ("violations", str(len(self.violations)), ""),
        ]
        lines = [f"{name:<18} {value:>16}  {note}".rstrip() for name, value, note in rows]
        return "\n".join([*lines, *(f"  - {text}" for text in self.violations[:MOST_LINES])])
