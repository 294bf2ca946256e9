"""A small instance with its best plan, worked out by hand, and what tests change in them."""

from __future__ import annotations

import copy
from typing import Any

from benchmarks import referee

Json = dict[str, Any]

INSTANCE: Json = {
    "name": "tiny",
    "start": "2023-03-01T00:00Z",
    "slot_minutes": 30,
    "slots": 6,
    "carbon_price_gbp_per_tonne": 100.0,
    "carbon_cap_kg": None,
    "sites": [
        {
            "id": "north",
            "region": "NO-NO2",
            "headroom_kw": [30, 30, 30, 30, 30, 30],
            "price_gbp_per_kwh": [0.30, 0.10, 0.10, 0.20, 0.10, 0.30],
            "carbon_g_per_kwh": [100, 100, 100, 100, 100, 100],
            "pue": 1.0,
        },
        {
            "id": "south",
            "region": "GB-C",
            "headroom_kw": [40, 40, 40, 40, 40, 40],
            "price_gbp_per_kwh": [0.20, 0.20, 0.20, 0.20, 0.20, 0.20],
            "carbon_g_per_kwh": [200, 200, 200, 200, 200, 200],
            "pue": [1.5, 1.5, 1.5, 1.5, 1.5, 1.5],
        },
    ],
    "jobs": [
        {
            "id": "block",
            "tenant": "a",
            "tier": "standard",
            "kind": "block",
            "earliest_slot": 0,
            "latest_slot": 6,
            "sites": ["north", "south"],
            "unserved_penalty_gbp": 50.0,
            "power_kw": 20.0,
            "duration_slots": 2,
        },
        {
            "id": "pausable",
            "tenant": "a",
            "tier": "flexible",
            "kind": "pausable",
            "earliest_slot": 1,
            "latest_slot": 6,
            "sites": ["north"],
            "unserved_penalty_gbp": 50.0,
            "power_kw": 10.0,
            "duration_slots": 3,
            "pause_cost_gbp": 0.25,
        },
        {
            "id": "elastic",
            "tenant": "b",
            "tier": "spot",
            "kind": "elastic",
            "earliest_slot": 0,
            "latest_slot": 3,
            "sites": ["south"],
            "unserved_penalty_gbp": 60.0,
            "levels": [{"power_kw": 10.0, "work_per_slot": 0.6}, {"power_kw": 20.0, "work_per_slot": 1.0}],
            "work": 1.8,
        },
        {
            "id": "hopeless",
            "tenant": "b",
            "tier": "spot",
            "kind": "block",
            "earliest_slot": 0,
            "latest_slot": 1,
            "sites": ["south"],
            "unserved_penalty_gbp": 2.0,
            "power_kw": 5.0,
            "duration_slots": 2,
        },
    ],
}

# At the meter, GBP per IT kW and slot: north 0.5 * (price + 0.01), south 1.5 * 0.5 * (0.20 + 0.02) = 0.165.
# block: north slots 1 and 2: 20 * 2 * 0.055 = 2.20. pausable: north 1, 2 and 4: 10 * 3 * 0.055 + 0.25 = 1.90,
# elastic: south, three times 10 kW: 30 * 0.165 = 4.95. hopeless: its penalty, 2.00.
OBJECTIVE = 2.20 + 1.90 + 4.95 + 2.00
# With all prices 0 each job has its best profile, and no two meet a limit: the bound is the objective, but for
# the pausable job, which could also run on through slot 3: 10 * (2 * 0.055 + 0.105) = 2.15, no better.
PLAN: Json = {
    "instance": "tiny",
    "objective_gbp": OBJECTIVE,
    "bound_gbp": OBJECTIVE,
    "gap": 0.0,
    "wall_s": 0.1,
    "seed": 1,
    "assignments": [
        {"job": "block", "site": "north", "runs": [[1, 3, 20.0]]},
        {"job": "pausable", "site": "north", "runs": [[1, 3, 10.0], [4, 5, 10.0]]},
        {"job": "elastic", "site": "south", "runs": [[0, 3, 10.0]]},
    ],
    "unserved": [{"job": "hopeless", "reason": "window too short", "counter_offers": []}],
    "prices": [
        {"site": "north", "headroom_gbp_per_kw_slot": [0.0] * 6},
        {"site": "south", "headroom_gbp_per_kw_slot": [0.0] * 6},
    ],
    "carbon_cap_price_gbp_per_kg": 0.0,
}


def instance() -> Json:
    """The instance, free to be changed."""
    return copy.deepcopy(INSTANCE)


def plan() -> Json:
    """Its best plan, free to be changed."""
    return copy.deepcopy(PLAN)


def job_of(instance: Json, name: str) -> Json:
    return next(job for job in instance["jobs"] if job["id"] == name)


def runs_of(plan: Json, name: str, runs: list[Any]) -> None:
    next(row for row in plan["assignments"] if row["job"] == name)["runs"] = runs


def faults(instance: Json, plan: Json) -> str:
    return "\n".join(referee.judge(instance, plan).violations)


def leave_out(plan: Json, *names: str) -> None:
    plan["assignments"] = [row for row in plan["assignments"] if row["job"] not in names]
    plan["unserved"] += [{"job": name, "reason": "left out", "counter_offers": []} for name in names]


def claim(plan: Json, objective: float, bound: float | None = None) -> None:
    """State an objective and a bound (the same) with the gap between them."""
    bound = objective if bound is None else bound
    plan |= {"objective_gbp": objective, "bound_gbp": bound, "gap": (objective - bound) / abs(bound)}
