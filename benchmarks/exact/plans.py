"""A solution as a plan file, with the bound that the relaxed programme's prices prove."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

import numpy as np

from benchmarks.exact.formulation import Formulation
from benchmarks.exact.jobs import Json
from benchmarks.exact.program import Array, Solution


def plan_of(formulation: Formulation, found: Solution, wall_s: float) -> Json:
    """The plan that a solution describes."""
    placed = _assignments(formulation, found.columns)
    served = {row["job"] for row in placed}
    relaxed = formulation.program.solve(relaxed=True, time_limit_s=math.inf, height=formulation.proven)
    difference = max(0.0, found.value - relaxed.value)
    return {
        "instance": formulation.instance["name"],
        "objective_gbp": found.value,
        "bound_gbp": relaxed.value,
        "gap": difference / abs(relaxed.value) if difference and relaxed.value else 0.0,
        "wall_s": wall_s,
        "seed": 0,
        "assignments": placed,
        "unserved": [
            {"job": job["id"], "reason": "the best plan leaves it out", "counter_offers": []}
            for job in formulation.jobs
            if job["id"] not in served
        ],
        "site_power": _site_power(formulation, found.columns),
        **_prices(formulation, relaxed.duals),
    }


def _assignments(formulation: Formulation, columns: Array) -> list[Json]:
    figures, placed = formulation.figures, [row | {} for row in formulation.frozen.values()]
    job, cell, column = formulation.draws[:3].astype(int)
    for number in formulation.left_out:
        mine = (job == number) & (np.round(columns)[column] == 1)
        if mine.any():
            power = np.bincount(cell[mine], formulation.draws[3, mine], figures.pue.size).reshape(figures.pue.shape)
            site = int(power.any(axis=1).argmax())
            name, runs = formulation.jobs[number]["id"], runs_of(power[site])
            placed.append({"job": name, "site": list(figures.sites)[site], "runs": runs})
    return placed


def runs_of(power_kw: Array) -> list[Any]:
    """The longest runs ``[start, end, power_kw]`` of equal power in a course (T,)."""
    runs, slot = [], 0
    for power, group in groupby(power_kw.tolist()):
        length = len(list(group))
        if power > 0:
            runs.append([slot, slot + length, power])
        slot += length
    return runs


def _site_power(formulation: Formulation, columns: Array) -> list[Json]:
    rows: dict[int, Json] = {}
    for (site, field), power in formulation.terms.items():
        row = rows.setdefault(site, {"site": formulation.instance["sites"][site]["id"]})
        row[field] = np.maximum(0.0, columns[power]).tolist()
    return list(rows.values())


def _prices(formulation: Formulation, duals: Array) -> Json:
    """Prices and scenario weights as a plan file states them, from what the rows of the relaxed programme are worth."""
    figures, worth = formulation.figures, np.maximum(0.0, -duals)
    shape = figures.pue.shape
    headroom = worth[formulation.capacity].reshape(shape)
    hardware = {name: worth[rows].reshape(shape) for name, rows in formulation.hardware.items()}
    equipped = {name: ~np.isnan(figures.hardware_kw[row, :, 0]) for name, row in figures.classes.items()}
    caps = {key: float(worth[rows][0]) for key, rows in formulation.caps.items()}
    return {
        "prices": [
            {
                "site": site,
                "headroom_gbp_per_kw_slot": headroom[row].tolist(),
                "hardware_gbp_per_kw_slot": {n: p[row].tolist() for n, p in hardware.items() if equipped[n][row]},
            }
            for site, row in figures.sites.items()
        ],
        "carbon_cap_price_gbp_per_kg": caps.get(("all", None), 0.0),
        "tenant_carbon_prices_gbp_per_kg": {name: price for (kind, name), price in caps.items() if kind == "tenant"},
        "region_carbon_prices_gbp_per_kg": {name: price for (kind, name), price in caps.items() if kind == "region"},
        "scenario_weights": _weights(formulation, worth),
    }


def _weights(formulation: Formulation, worth: Array) -> list[float]:
    if not formulation.instance.get("scenarios"):
        return []
    weight = (formulation.instance.get("risk") or {}).get("weight", 0.0)
    likely = (1 - weight) * formulation.figures.probability
    weights = likely if formulation.outcomes is None else likely + worth[formulation.outcomes]
    return [float(weight) for weight in weights]
