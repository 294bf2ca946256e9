"""Small worlds, made by hand or drawn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks.backtest import arrivals
from benchmarks.backtest.world import World
from benchmarks.instances.climate import CLIMATES, drawn_figures

START = datetime(2023, 1, 1, tzinfo=UTC)
TWO_SITES = World(
    start=START,
    zones=("GB", "FR"),
    price=np.array([[0.10, 0.30], [0.20, -0.05]]),
    carbon=np.array([[100.0, 300.0], [50.0, 40.0]]),
    pue=np.array([[1.5, 1.5], [1.0, 1.0]]),
    headroom_kw=np.array([[6.0, 6.0], [4.0, 4.0]]),
)


def block(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A block of 2 kW for one half-hour."""
    return {
        "id": f"job-{number}", "kind": "block", "power_kw": 2.0, "duration_slots": 1, "earliest_slot": 0,
        "latest_slot": 2, "sites": ("gb", "fr"), "unserved_penalty_gbp": 7.0,
    } | changes  # fmt: skip


def drawn(days: int = 2, jobs_a_day: float = 25, seed: int = 3) -> tuple[World, list[dict[str, Any]]]:
    """A world of four sites in which jobs are in one another's way, and its jobs."""
    slots = days * 48
    climates = CLIMATES[3:7]
    figures = drawn_figures(np.random.default_rng(5), climates, slots)
    demand = arrivals.draw(seed, days, jobs_a_day)
    kw = demand.kw_slots * 1.2 / slots / len(climates) / 0.4
    world = World(START, ("GB", "B", "C", "D"), *figures, headroom_kw=np.full((4, slots), max(kw, 10.0)))
    return world, arrivals.rows(demand, world.site_ids, seed)
