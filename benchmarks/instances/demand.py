"""Jobs drawn as vectors, and the rows of an instance file made of them: a million take seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from core.job import capped_levels
from core.series import FloatArray, IntArray
from core.slots import SLOT_HOURS

Json = dict[str, Any]

KINDS = ("block", "pausable", "elastic")
BLOCKS, PAUSABLE, MIXED = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.3, 0.2)
"""shares of the kinds"""
MOST_KW, MOST_SLOTS, SLACK_SLOTS = 8, 16, 24
TENANTS = 7
PAUSE_GBP_PER_KW = 0.02
PENALTY_GBP_PER_KWH = 2.0
"""for each kWh of IT energy at full power that is not served: above every price of the families b1 to b5"""


class Demand(NamedTuple):
    """Jobs as vectors over (jobs,): IT kW at full power, slots at full power, and windows ``[earliest, latest)``.

    ``kind`` counts in ``KINDS``.
    """

    kind: IntArray
    power_kw: FloatArray
    duration_slots: IntArray
    earliest_slot: IntArray
    latest_slot: IntArray

    @property
    def kw_slots(self) -> float:
        """IT power times slots of all jobs."""
        return float(self.power_kw @ self.duration_slots)

    def mean_load_kw(self, slots: int) -> float:
        """IT power of all jobs, spread evenly over the horizon."""
        return self.kw_slots / slots


def draw(rng: Generator, jobs: int, slots: int, shares: Sequence[float]) -> Demand:
    """Widths of 1 to 8 kW and lengths of 1 to 16 slots, arriving evenly, due 24 slots after they could have ended."""
    duration = rng.integers(1, MOST_SLOTS + 1, jobs)
    earliest = rng.integers(0, slots - duration + 1)
    return Demand(
        kind=rng.choice(len(KINDS), jobs, p=shares),
        power_kw=rng.integers(1, MOST_KW + 1, jobs).astype(np.float64),
        duration_slots=duration,
        earliest_slot=earliest,
        latest_slot=np.minimum(slots, earliest + duration + SLACK_SLOTS),
    )


def draw_sites(rng: Generator, jobs: int, sites: Sequence[str], allowed: int) -> list[tuple[str, ...]]:
    """For each job ``allowed`` of the sites, in random order."""
    ways = list(permutations(sites, allowed))
    return [ways[way] for way in rng.integers(len(ways), size=jobs).tolist()]


def job_rows(
    demand: Demand, sites: Sequence[tuple[str, ...]], pause_gbp_per_kw: float = PAUSE_GBP_PER_KW, prefix: str = "job"
) -> list[Json]:
    """The jobs of an instance file; ``sites`` are those allowed of each."""
    penalty = (demand.power_kw * demand.duration_slots * SLOT_HOURS * PENALTY_GBP_PER_KWH).round(4)
    vectors = (*(vector.tolist() for vector in demand), penalty.tolist(), sites)
    return [
        {
            "id": f"{prefix}-{number:07d}",
            "tenant": f"tenant-{number % TENANTS}",
            "kind": KINDS[kind],
            "earliest_slot": earliest,
            "latest_slot": latest,
            "sites": allowed,
            "unserved_penalty_gbp": unserved_gbp,
            **_kind_fields(kind, power_kw, duration, pause_gbp_per_kw),
        }
        for number, (kind, power_kw, duration, earliest, latest, unserved_gbp, allowed) in enumerate(
            zip(*vectors, strict=True)
        )
    ]


def _kind_fields(kind: int, power_kw: float, duration: int, pause_gbp_per_kw: float) -> Mapping[str, Any]:
    if KINDS[kind] == "elastic":
        return {"levels": [level.model_dump() for level in capped_levels(power_kw)], "work": float(duration)}
    fields = {"power_kw": power_kw, "duration_slots": duration}
    if KINDS[kind] == "pausable":
        fields["pause_cost_gbp"] = round(power_kw * pause_gbp_per_kw, 4)
    return fields
