"""Seeded instances of any size: synthetic half-hourly figures of the right size, jobs of every kind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from benchmarks.instances.climate import CLIMATES, drawn_figures
from benchmarks.instances.demand import KINDS, MIXED
from benchmarks.instances.figures import CARBON_PRICE_GBP_PER_TONNE, uneven_headroom
from core.instance import Instance, JobInstance, SiteInstance
from core.job import capped_levels
from core.series import FloatArray, IntArray
from core.slots import SLOT_HOURS

START = datetime(2023, 3, 1, tzinfo=UTC)
TIERS = ("premium", "standard", "flexible", "spot")
TIER_SHARES = (0.1, 0.4, 0.3, 0.2)
PENALTY_FACTORS = (12.0, 6.0, 4.0, 2.5)
"""what leaving a job of each tier out costs, in multiples of its energy at the mean price"""
TYPICAL_SHARE = 0.12
"""power of a typical job as a share of a site's headroom, where there are few jobs"""


class Drawn(NamedTuple):
    """The jobs as vectors over (jobs,), powers in kW of IT load, windows in slots."""

    kind: IntArray
    tier: IntArray
    duration_slots: IntArray
    power_kw: FloatArray
    earliest_slot: IntArray
    latest_slot: IntArray


def generate(
    jobs: int = 200,
    sites: int = 13,
    slots: int = 96,
    seed: int = 1,
    utilisation: float = 0.6,
    carbon_cap_share: float | None = None,
) -> Instance:
    """An instance in which all jobs together ask for about ``utilisation`` of all headroom.

    Where there are few jobs they are long and take up to about a fifth of a site; where there are many, each is
    small. ``carbon_cap_share`` caps the total carbon at that share of what the jobs would emit at the mean intensity.
    """
    rng = np.random.default_rng(seed)
    climates = [CLIMATES[i % len(CLIMATES)] for i in range(sites)]
    price, carbon, pue = drawn_figures(rng, climates, slots)
    drawn = _draw_jobs(rng, jobs, sites, slots, utilisation)
    demand = _demand_kw_slots(drawn, pue)
    headroom = uneven_headroom(rng, sites, slots, demand / utilisation)
    emission_kg = demand * SLOT_HOURS * float(carbon.mean()) / 1000
    site_ids = [f"{climate.region.lower()}-{i:02d}" for i, climate in enumerate(climates)]
    return Instance(
        name=f"mixed-{jobs}x{sites}x{slots}-{seed}",
        start=START,
        slots=slots,
        carbon_price_gbp_per_tonne=CARBON_PRICE_GBP_PER_TONNE,
        carbon_cap_kg=None if carbon_cap_share is None else round(carbon_cap_share * emission_kg, 3),
        sites=tuple(
            SiteInstance(
                id=site_ids[i],
                region=climates[i].region,
                headroom_kw=_rounded(headroom[i], 3),
                price_gbp_per_kwh=_rounded(price[i], 5),
                carbon_g_per_kwh=_rounded(carbon[i], 1),
                pue=_rounded(pue[i], 4),
            )
            for i in range(sites)
        ),
        jobs=tuple(JobInstance(**fields) for fields in _job_fields(rng, drawn, site_ids, price, carbon)),
    )


def _rounded(values: FloatArray, places: int) -> tuple[float, ...]:
    return tuple(np.round(values, places).tolist())


def _draw_jobs(rng: Generator, jobs: int, sites: int, slots: int, utilisation: float) -> Drawn:
    few = utilisation * sites * slots / (jobs * TYPICAL_SHARE)
    typical_slots = float(np.clip(few, min(12, slots / 6), slots / 3))
    duration = np.clip(typical_slots * rng.lognormal(-0.08, 0.4, jobs), 1, slots / 2).astype(np.int64)
    slack = rng.uniform(0.2, 1.0, jobs)
    window = np.minimum(slots, duration + np.ceil(slack * (slots - duration)).astype(np.int64))
    earliest = np.floor(rng.uniform(0, 1, jobs) * (slots - window + 1)).astype(np.int64)
    return Drawn(
        kind=rng.choice(len(KINDS), jobs, p=MIXED),
        tier=rng.choice(len(TIERS), jobs, p=TIER_SHARES),
        duration_slots=duration,
        power_kw=np.round(100 * np.clip(rng.lognormal(-0.06, 0.35, jobs), 0.4, 1.4), 1),
        earliest_slot=earliest,
        latest_slot=earliest + window,
    )


def _demand_kw_slots(drawn: Drawn, pue: FloatArray) -> float:
    """What all jobs draw at the meter, in kW held for one slot."""
    return float((drawn.power_kw * drawn.duration_slots).sum() * pue.mean())


def _job_fields(
    rng: Generator, drawn: Drawn, site_ids: list[str], price: FloatArray, carbon: FloatArray
) -> list[dict[str, Any]]:
    """The fields of each job; one in ten may run only where and when it is cheap, one in ten where it is clean."""
    jobs = drawn.kind.size
    allowed = rng.random((jobs, len(site_ids))) < rng.choice([0.3, 0.6, 1.0], (jobs, 1))
    allowed[np.arange(jobs), rng.integers(len(site_ids), size=jobs)] = True
    energy_kwh = drawn.power_kw * drawn.duration_slots * SLOT_HOURS
    penalty = np.array(PENALTY_FACTORS)[drawn.tier] * energy_kwh * float(price.mean())
    limit = rng.random(jobs)
    max_price, max_carbon = float(np.quantile(price, 0.7)), float(np.quantile(carbon, 0.7))
    common = [
        {
            "id": f"job-{j:06d}",
            "tenant": f"tenant-{j % 7}",
            "tier": TIERS[drawn.tier[j]],
            "kind": KINDS[drawn.kind[j]],
            "earliest_slot": int(drawn.earliest_slot[j]),
            "latest_slot": int(drawn.latest_slot[j]),
            "sites": tuple(site for site, ok in zip(site_ids, allowed[j], strict=True) if ok),
            "unserved_penalty_gbp": round(float(penalty[j]), 4),
            "max_price_gbp_per_kwh": round(max_price, 5) if limit[j] < 0.1 else None,
            "max_carbon_g_per_kwh": round(max_carbon, 1) if limit[j] > 0.9 else None,
        }
        for j in range(jobs)
    ]
    return [fields | _demand(drawn, j) for j, fields in enumerate(common)]


def _demand(drawn: Drawn, j: int) -> dict[str, Any]:
    power_kw, duration = float(drawn.power_kw[j]), int(drawn.duration_slots[j])
    match KINDS[drawn.kind[j]]:
        case "elastic":
            return {"levels": capped_levels(power_kw), "work": float(duration)}
        case "pausable":
            return {
                "power_kw": power_kw,
                "duration_slots": duration,
                "pause_cost_gbp": round(power_kw * 0.02, 3),
            }
        case _:
            return {"power_kw": power_kw, "duration_slots": duration}
