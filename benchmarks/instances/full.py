"""Puts every feature of the formulation (docs/planner.md) on an instance of plain jobs and sites, at random."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator

from benchmarks.peers.forms import full_power
from core.series import FloatArray
from core.slots import SLOT_HOURS, SLOTS_PER_DAY

Json = dict[str, Any]

HARDWARE = {"gpu-a": (1, 0.5), "gpu-b": (2, 0.4)}
"""class: every which site has it, and its share of the site's power"""
HARDWARE_SHARES = {"gpu-a": 0.25, "gpu-b": 0.1}
HOME_SHARE, PLANNED_SHARE, FROZEN_SHARE, GANG_SHARE, AFTER_SHARE, LIMITED_SHARE = 0.3, 0.2, 0.01, 0.06, 0.05, 0.05
MIGRATION_GBP_PER_KWH, MOVE_GBP_PER_KWH = 0.02, 0.01
GANG_SIZE = 3
CAP_SHARE, OWN_CAP_SHARE = 0.72, 1.3
"""carbon caps on many jobs and on one, as shares of what they would emit at the mean intensity of their sites; many
can shift what one cannot"""


def with_every_feature(plain: Json, rng: Generator) -> Json:
    """The instance with hardware classes, site terms, gangs, precedence, costs of moving, caps, scenarios and risk."""
    sites = {site["id"]: site for site in plain["sites"]}
    jobs: list[Json] = plain["jobs"]
    for number, site in enumerate(plain["sites"]):
        site.update(_site_terms(number, site, plain["slots"]))
    for job in jobs:
        job.update(_hardware(rng, job, sites), **_pauses(rng, job), **_limits(rng, job, sites))
    _join(jobs, rng)
    for job in jobs:
        job.update(_places(rng, job))
    return plain | {
        **_caps(jobs, sites),
        "scenarios": _scenarios(rng, plain["sites"]),
        "risk": {"level": 0.8, "weight": 0.3},
        "frozen": _frozen(jobs, rng),
    }


def _site_terms(number: int, site: Json, slots: int) -> Json:
    """Hardware at every site; a battery, miners or inference at each in turn; flexibility sold at one in five."""
    headroom = np.array(site["headroom_kw"])
    kw, hour = float(headroom.mean()), np.arange(slots) / 2 % 24
    terms: Json = {
        "hardware_kw": {name: round(share * kw, 3) for name, (every, share) in HARDWARE.items() if number % every == 0}
    }
    match number % 3:
        case 0:
            terms["battery"] = _battery(kw)
        case 1:
            terms["mining"] = {"min_kw": 0.03 * kw, "max_kw": 0.1 * kw, "ramp_kw": 0.04 * kw, "value_gbp_per_kwh": 0.06}
        case _:
            demand = 0.08 * kw * (1 + 0.5 * np.sin((hour - 9) / 24 * 2 * np.pi))
            terms["inference"] = {"demand_kw": demand.round(3).tolist(), "value_gbp_per_kwh": 0.5}
    if number % 5 == 0:
        terms["sold_kw"] = np.where((hour >= 17) & (hour < 19), 0.05 * headroom, 0).round(3).tolist()
    return terms


def _battery(kw: float) -> Json:
    return {
        "capacity_kwh": kw / 2,
        "power_kw": kw / 4,
        "efficiency": 0.88,
        "initial_kwh": kw / 4,
        "final_kwh": kw / 4,
        "wear_gbp_per_kwh": 0.01,
    }


def _hardware(rng: Generator, job: Json, sites: dict[str, Json]) -> Json:
    """A class for some jobs, and then only the sites that have it."""
    drawn = rng.random()
    for name, share in HARDWARE_SHARES.items():
        drawn -= share
        having = [site for site in job["sites"] if name in sites[site]["hardware_kw"]]
        if drawn < 0:
            return {"hardware": name, "sites": having} if having else {}
    return {}


def _pauses(rng: Generator, job: Json) -> Json:
    """What a third of the pausable jobs need: restarts, runs of two slots, at most three pauses."""
    if job["kind"] != "pausable" or job["duration_slots"] < 4 or rng.random() < 2 / 3:
        return {}
    return {"restart_slots": 1, "min_run_slots": 2, "max_pauses": 3}


def _limits(rng: Generator, job: Json, sites: dict[str, Json]) -> Json:
    """A price cap, a carbon cap a slot, or a carbon cap on the whole course for one job in twenty each."""
    drawn = int(rng.random() / LIMITED_SHARE)
    price, carbon = (
        np.concatenate([sites[site][field] for site in job["sites"]])
        for field in ("price_gbp_per_kwh", "carbon_g_per_kwh")
    )
    match drawn:
        case 0:
            return {"max_price_gbp_per_kwh": round(float(np.quantile(price, 0.7)), 5)}
        case 1:
            return {"max_carbon_g_per_kwh": round(float(np.quantile(carbon, 0.7)), 1)}
        case 2:
            return {"carbon_cap_kg": round(OWN_CAP_SHARE * _energy_kwh(job) * float(carbon.mean()) / 1000, 4)}
        case _:
            return {}


def _energy_kwh(job: Json) -> float:
    """IT energy at full power."""
    kw, slots = full_power(job)
    return kw * slots * SLOT_HOURS


def _join(jobs: list[Json], rng: Generator) -> None:
    """Gangs of three, and pairs of which one comes after the other, of jobs drawn at random."""
    order = rng.permutation(len(jobs)).tolist()
    ganged = int(GANG_SHARE * len(jobs)) // GANG_SIZE * GANG_SIZE
    for number, gang in enumerate(_groups(order[:ganged], GANG_SIZE)):
        for row in gang:
            jobs[row]["gang"] = f"gang-{number}"
    paired = int(AFTER_SHARE * len(jobs)) // 2 * 2
    for pair in _groups(order[ganged : ganged + paired], 2):
        first, second = sorted((jobs[row] for row in pair), key=lambda job: int(job["earliest_slot"]))
        if first["earliest_slot"] + full_power(first)[1] + full_power(second)[1] <= second["latest_slot"]:
            second["after"] = [first["id"]]


def _groups(rows: list[int], size: int) -> Iterator[tuple[int, ...]]:
    return zip(*[iter(rows)] * size, strict=True)


def _places(rng: Generator, job: Json) -> Json:
    """A home for some jobs; for some a planned course, which starts at once and runs through."""
    drawn = rng.random(2)
    found: Json = {}
    if drawn[0] < HOME_SHARE:
        found |= {"home": job["sites"][0], "migration_cost_gbp": round(MIGRATION_GBP_PER_KWH * _energy_kwh(job), 4)}
    if drawn[1] < PLANNED_SHARE and "after" not in job:
        kw, slots = full_power(job)
        start = job["earliest_slot"]
        found["planned"] = {"site": job["sites"][0], "runs": [[start, start + slots, kw]]}
        found["move_cost_gbp"] = round(MOVE_GBP_PER_KWH * _energy_kwh(job), 4)
    return found


def _frozen(jobs: list[Json], rng: Generator) -> list[Json]:
    """Some of the planned courses, which may not change."""
    planned = [job for job in jobs if "planned" in job and "gang" not in job]
    some = rng.choice(len(planned), min(len(planned), math.ceil(FROZEN_SHARE * len(jobs))), replace=False)
    return [{"job": planned[row]["id"], **planned[row]["planned"]} for row in sorted(some.tolist())]


def _caps(jobs: list[Json], sites: dict[str, Json]) -> Json:
    """Caps on all jobs, on one tenant's, and on those at the dirtiest site."""
    mean_g = {name: float(np.mean(np.multiply(site["carbon_g_per_kwh"], site["pue"]))) for name, site in sites.items()}
    dirtiest = max(mean_g, key=lambda name: mean_g[name])
    emitted, tenant_kg, there_kg = 0.0, 0.0, 0.0
    for job in jobs:
        each = [_energy_kwh(job) * mean_g[site] / 1000 / len(job["sites"]) for site in job["sites"]]
        emitted += sum(each)
        tenant_kg += sum(each) if job["tenant"] == jobs[0]["tenant"] else 0.0
        there_kg += sum(kg for kg, site in zip(each, job["sites"], strict=True) if site == dirtiest)
    return {
        "carbon_cap_kg": round(CAP_SHARE * emitted, 3),
        "tenant_carbon_caps_kg": {jobs[0]["tenant"]: round(CAP_SHARE * tenant_kg, 3)},
        "region_carbon_caps_kg": {sites[dirtiest]["region"]: round(CAP_SHARE * there_kg, 3)},
    }


def _scenarios(rng: Generator, sites: list[Json]) -> list[Json]:
    """Three ways that figures may turn out: errors that drift over the day, common to all sites in part."""
    return [
        {
            "probability": probability,
            "price_gbp_per_kwh": {site["id"]: _bent(rng, site["price_gbp_per_kwh"], common, 5) for site in sites},
            "carbon_g_per_kwh": {site["id"]: _bent(rng, site["carbon_g_per_kwh"], common, 1) for site in sites},
        }
        for probability, common in ((0.5, 0.0), (0.3, 0.15), (0.2, -0.15))
    ]


def _bent(rng: Generator, figures: list[float], common: float, places: int) -> list[float]:
    phase = rng.uniform(0, 2 * np.pi)
    drift: FloatArray = 1 + common + 0.1 * np.sin(np.arange(len(figures)) / SLOTS_PER_DAY * 2 * np.pi + phase)
    return [round(value, places) for value in (np.array(figures) * drift).tolist()]
