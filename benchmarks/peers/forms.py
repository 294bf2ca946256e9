"""What a peer's form can express, and the command line that all peers share; plain Python, for peers' environments."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Method = Callable[[Json, float], Json]
"""(instance as read from its file, seconds it may take) -> plan file without prices, or only a ``fractional_gbp``"""

SLOT_HOURS = 0.5
UNSUITED, NO_ANSWER = 3, 4
"""exit statuses; the reason is on stderr"""
PLAIN_JOB = frozenset({
    "id", "tenant", "tier", "kind", "earliest_slot", "latest_slot", "sites", "unserved_penalty_gbp", "power_kw",
    "duration_slots", "pause_cost_gbp", "levels", "work", "max_price_gbp_per_kwh", "max_carbon_g_per_kwh",
})  # fmt: skip
PLAIN_SITE = frozenset({"id", "region", "headroom_kw", "price_gbp_per_kwh", "carbon_g_per_kwh", "pue"})
PLAIN_INSTANCE = frozenset({
    "name", "start", "slot_minutes", "slots", "carbon_price_gbp_per_tonne", "sites", "jobs",
})  # fmt: skip


class Unsuited(Exception):
    """A peer's form cannot express the instance; the text says what of it."""


class NoAnswer(Exception):
    """A peer found nothing in its time; the text says what it said."""


def require_plain(instance: Json, kinds: Iterable[str] = ("block", "pausable", "elastic"), sites: int = 0) -> None:
    """Raise :class:`Unsuited` unless jobs are of ``kinds``, without features beyond windows and limits of their own.

    ``sites``, where given, is the most sites that the instance may have.
    """
    asked = [
        *sorted(_given([instance]) - PLAIN_INSTANCE),
        *sorted(_given(instance["sites"]) - PLAIN_SITE),
        *sorted(_given(instance["jobs"]) - PLAIN_JOB),
        *sorted({f"{job['kind']} jobs" for job in instance["jobs"]} - {f"{kind} jobs" for kind in kinds}),
    ]
    if sites and len(instance["sites"]) > sites:
        asked.append(f"{len(instance['sites'])} sites")
    if asked:
        raise Unsuited(f"its form has no {', '.join(asked)}")


def _given(rows: list[Json]) -> set[str]:
    return {name for row in rows for name, value in row.items() if value not in (None, [], {}, ())}


def full_power(job: Json) -> tuple[float, int]:
    """A job's highest IT power in kW, and the slots that it then takes."""
    if job["kind"] == "elastic":
        top = max(job["levels"], key=lambda level: float(level["power_kw"]))
        return float(top["power_kw"]), math.ceil(job["work"] / top["work_per_slot"] - 1e-9)
    return float(job["power_kw"]), int(job["duration_slots"])


def rates_gbp_per_kwh(instance: Json, site: Json) -> list[float]:
    """What one kWh of IT energy costs at a site in each slot, carbon price and PUE included."""
    carbon_gbp_per_g = instance["carbon_price_gbp_per_tonne"] / 1e6
    pue = site["pue"] if isinstance(site["pue"], list) else [site["pue"]] * instance["slots"]
    figures = zip(pue, site["price_gbp_per_kwh"], site["carbon_g_per_kwh"], strict=True)
    return [overhead * (price + carbon_gbp_per_g * carbon) for overhead, price, carbon in figures]


def plan_file(instance: Json, method: str, assignments: list[Json], began: float) -> Json:
    """A plan of these assignments (job, site, runs), made since ``began`` by ``time.perf_counter``; no bound."""
    served = {row["job"] for row in assignments}
    return {
        "instance": instance["name"],
        "method": method,
        "wall_s": time.perf_counter() - began,
        "assignments": assignments,
        "unserved": [
            {"job": job["id"], "reason": f"{method} found no place"}
            for job in instance["jobs"]
            if job["id"] not in served
        ],
    }


def run(method: Method, arguments: list[str]) -> int:
    """``INSTANCE --out PLAN --time-limit S``: 0 with a plan, else a reason on stderr."""
    parser = argparse.ArgumentParser()
    parser.add_argument("instance", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--time-limit", type=float, required=True, metavar="S")
    options = parser.parse_args(arguments)
    try:
        plan = method(json.loads(options.instance.read_text()), options.time_limit)
    except Unsuited as error:
        print(error, file=sys.stderr)
        return UNSUITED
    except NoAnswer as error:
        print(error, file=sys.stderr)
        return NO_ANSWER
    options.out.write_text(json.dumps(plan, separators=(",", ":")))
    return 0
