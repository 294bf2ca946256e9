"""Instances of a few slots, written out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


def world(prices: Sequence[float], jobs: Sequence[Json], headroom_kw: float = 100.0, sites: int = 1) -> Json:
    """Sites without carbon or cooling; jobs may run at all of them and, unless they say, in all slots.

    Prices are GBP for a kW held for a slot; each further site is dearer by a tenth.
    """
    ids = [f"site-{number}" for number in range(sites)]
    return {
        "name": "world",
        "start": "2023-03-01T00:00Z",
        "slots": len(prices),
        "carbon_price_gbp_per_tonne": 0.0,
        "sites": [
            {
                "id": site,
                "region": site,
                "headroom_kw": [headroom_kw] * len(prices),
                "price_gbp_per_kwh": [2 * price * (1 + number / 10) for price in prices],
                "carbon_g_per_kwh": [100.0] * len(prices),
                "pue": 1.0,
            }
            for number, site in enumerate(ids)
        ],
        "jobs": [{"earliest_slot": 0, "latest_slot": len(prices), "sites": ids} | job for job in jobs],
    }


def block(name: str, kw: float, slots: int) -> Json:
    return {"id": name, "kind": "block", "power_kw": kw, "duration_slots": slots, "unserved_penalty_gbp": 1000.0}


def pausable(name: str, kw: float, slots: int, pause_gbp: float) -> Json:
    return block(name, kw, slots) | {"kind": "pausable", "pause_cost_gbp": pause_gbp}


def elastic(name: str, levels: Sequence[tuple[float, float]], work: float) -> Json:
    rows = [{"power_kw": kw, "work_per_slot": done} for kw, done in levels]
    return {"id": name, "kind": "elastic", "levels": rows, "work": work, "unserved_penalty_gbp": 1000.0}
