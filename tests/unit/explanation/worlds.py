"""Small instances and plans made by hand, and a plain pricing of courses."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.explanation.explainer import Explainer
from core.explanation import Explanation
from core.instance import Instance
from core.plan import Assignment, Plan, SitePower, SitePrices
from tests.unit.planning import START

SITE = {"region": "GB", "headroom_kw": 100.0, "price_gbp_per_kwh": 0.1, "carbon_g_per_kwh": 100.0, "pue": 1.0}
TIMED = ("headroom_kw", "price_gbp_per_kwh", "carbon_g_per_kwh")


def world(jobs: list[dict[str, Any]], sites: dict[str, dict[str, Any]] | None = None, **changes: Any) -> Instance:
    """An instance of eight slots; sites of 100 kW at 10 p/kWh and 100 g/kWh, carbon at 100 GBP/t, unless told."""
    slots = changes.pop("slots", 8)
    made = []
    for name, site in (sites or {"s0": {}}).items():
        figures = SITE | site
        for field in TIMED:
            figures[field] = np.broadcast_to(np.asarray(figures[field], dtype=float), slots).tolist()
        made.append({"id": name, **figures})
    common = {"name": "hand-made", "start": START, "slots": slots, "carbon_price_gbp_per_tonne": 100.0}
    return Instance.model_validate(common | changes | {"sites": made, "jobs": [job(**fields) for fields in jobs]})


def job(**changes: Any) -> dict[str, Any]:
    """A block of 10 kW and two slots, anywhere in eight slots at s0, dear to leave out, unless told."""
    kind = changes.get("kind", "block")
    fields: dict[str, Any] = {
        "id": "j",
        "kind": kind,
        "earliest_slot": 0,
        "latest_slot": 8,
        "sites": ["s0"],
        "unserved_penalty_gbp": 100.0,
    }
    if kind != "elastic":
        fields |= {"power_kw": 10.0, "duration_slots": 2}
    return fields | changes


def plan(instance: Instance, *assigned: tuple[str, str, list[tuple[int, int, float]]], **changes: Any) -> Plan:
    """A plan of the courses given, at no prices unless told."""
    prices = changes.pop("headroom_prices", {})
    hardware = changes.pop("hardware_prices", {})
    slots = instance.slots
    fields: dict[str, Any] = {
        "instance": instance.name,
        "objective_gbp": 1.0,
        "bound_gbp": 1.0,
        "gap": 0.0,
        "wall_s": 0.0,
        "seed": 0,
        "assignments": tuple(Assignment(job=name, site=site, runs=tuple(runs)) for name, site, runs in assigned),
        "unserved": (),
        "prices": tuple(
            SitePrices(
                site=site.id,
                headroom_gbp_per_kw_slot=tuple(np.broadcast_to(prices.get(site.id, 0.0), slots).tolist()),
                hardware_gbp_per_kw_slot=hardware.get(site.id, {}),
            )
            for site in instance.sites
        ),
        "carbon_cap_price_gbp_per_kg": 0.0,
    }
    return Plan(**(fields | changes))


def explained(instance: Instance, made: Plan, job_id: str = "j") -> Explanation:
    """The explanation of one job."""
    return Explainer(instance, made).explain([job_id])[job_id]


def site_power(site: str, **kw: Any) -> SitePower:
    """What a site's terms do."""
    return SitePower(site=site, **{name: tuple(values) for name, values in kw.items()})
