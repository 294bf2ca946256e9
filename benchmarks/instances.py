"""Seeded instances of any size for the benchmarks: half-hourly figures of the right size, jobs of every kind.

The figures are drawn, not measured; they make hard and varied problems, and say nothing about any real grid.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from core.instance import Instance, JobInstance, SiteInstance
from core.job import capped_levels
from core.series import FloatArray, IntArray
from core.slots import SLOT_HOURS, SLOTS_PER_DAY

START = datetime(2023, 3, 1, tzinfo=UTC)
CARBON_PRICE_GBP_PER_TONNE = 100.0
KINDS = ("block", "pausable", "elastic")
KIND_SHARES = (0.5, 0.3, 0.2)
TIERS = ("premium", "standard", "flexible", "spot")
TIER_SHARES = (0.1, 0.4, 0.3, 0.2)
PENALTY_FACTORS = (12.0, 6.0, 4.0, 2.5)
"""what leaving a job of each tier out costs, in multiples of its energy at the mean price"""
TYPICAL_SHARE = 0.12
"""power of a typical job as a share of a site's headroom, where there are few jobs"""


class Climate(NamedTuple):
    """How a kind of grid behaves: means over the day, and how far wind and sun move them."""

    region: str
    hours_ahead_of_utc: float
    price_gbp_per_kwh: float
    carbon_g_per_kwh: float
    swing: float
    pue: float


CLIMATES = (
    Climate("IS", 0, 0.05, 28, 0.05, 1.06),
    Climate("NO-NO2", 1, 0.09, 30, 0.25, 1.07),
    Climate("CA-ON", -5, 0.07, 60, 0.30, 1.12),
    Climate("IE", 0, 0.14, 320, 0.45, 1.12),
    Climate("DE-LU", 1, 0.11, 380, 0.50, 1.15),
    Climate("CL-SIC", -4, 0.08, 250, 0.60, 1.20),
    Climate("JP-TK", 9, 0.13, 460, 0.25, 1.25),
    Climate("AU-NSW", 10, 0.08, 560, 0.60, 1.25),
    Climate("US-TEX-ERCO", -6, 0.05, 390, 0.55, 1.30),
    Climate("SG", 8, 0.16, 470, 0.10, 1.40),
    Climate("GB-C", 0, 0.17, 190, 0.45, 1.14),
    Climate("GB-G", 0, 0.15, 130, 0.50, 1.13),
    Climate("GB-P", 0, 0.14, 70, 0.55, 1.11),
)


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
    price, carbon, pue = _figures(rng, climates, slots)
    drawn = _draw_jobs(rng, jobs, sites, slots, utilisation)
    demand = _demand_kw_slots(drawn, pue)
    headroom = _headroom(rng, sites, slots, demand / utilisation)
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


def _noise(rng: Generator, sites: int, slots: int, persistence: float = 0.95) -> FloatArray:
    """(S, T) autocorrelated standard-normal noise, half of it common to all sites: weather is shared."""
    shocks = (rng.standard_normal((sites, slots)) + rng.standard_normal((1, slots))) / np.sqrt(2)
    shocks *= np.sqrt(1 - persistence**2)
    weights = persistence ** np.arange(slots)
    return np.stack([np.convolve(row, weights)[:slots] for row in shocks])


def _figures(rng: Generator, climates: list[Climate], slots: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Price, carbon and PUE, each (S, T): evening peaks, midday sun, common weather; some prices below zero."""
    column = np.array([c[1:] for c in climates], dtype=np.float64).T[:, :, None]
    ahead, mean_price, mean_carbon, swing, mean_pue = column
    hour = (np.arange(slots) / SLOTS_PER_DAY * 24 + ahead) % 24
    evening = np.exp(-((hour - 18.5) ** 2) / 8)
    midday = np.exp(-((hour - 12.5) ** 2) / 10)
    wind = _noise(rng, len(climates), slots)
    price = mean_price * (1 + 0.9 * evening - swing * midday - 0.7 * swing * wind)
    carbon = mean_carbon * np.maximum(0.05, 1 + 0.3 * evening - swing * midday - 0.6 * swing * wind)
    pue = np.maximum(1.02, mean_pue + 0.04 * np.sin((hour - 9) / 24 * 2 * np.pi))
    return price, carbon, pue


def _draw_jobs(rng: Generator, jobs: int, sites: int, slots: int, utilisation: float) -> Drawn:
    few = utilisation * sites * slots / (jobs * TYPICAL_SHARE)
    typical_slots = float(np.clip(few, min(12, slots / 6), slots / 3))
    duration = np.clip(typical_slots * rng.lognormal(-0.08, 0.4, jobs), 1, slots / 2).astype(np.int64)
    slack = rng.uniform(0.2, 1.0, jobs)
    window = np.minimum(slots, duration + np.ceil(slack * (slots - duration)).astype(np.int64))
    earliest = np.floor(rng.uniform(0, 1, jobs) * (slots - window + 1)).astype(np.int64)
    return Drawn(
        kind=rng.choice(len(KINDS), jobs, p=KIND_SHARES),
        tier=rng.choice(len(TIERS), jobs, p=TIER_SHARES),
        duration_slots=duration,
        power_kw=np.round(100 * np.clip(rng.lognormal(-0.06, 0.35, jobs), 0.4, 1.4), 1),
        earliest_slot=earliest,
        latest_slot=earliest + window,
    )


def _demand_kw_slots(drawn: Drawn, pue: FloatArray) -> float:
    """What all jobs draw at the meter, in kW held for one slot."""
    return float((drawn.power_kw * drawn.duration_slots).sum() * pue.mean())


def _headroom(rng: Generator, sites: int, slots: int, total_kw_slots: float) -> FloatArray:
    """(S, T) kW: sites of unlike size, each with an own load that swings over the day, summing to the total."""
    size = rng.uniform(0.8, 1.2, (sites, 1))
    phase = rng.uniform(0, 2 * np.pi, (sites, 1))
    shape = size * (1 + 0.15 * np.sin(np.arange(slots) / SLOTS_PER_DAY * 2 * np.pi + phase))
    return shape * (total_kw_slots / float(shape.sum()))


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
