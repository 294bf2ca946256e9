"""The jobs of the backtest: drawn by seed, revealed half-hour by half-hour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from benchmarks.instances.demand import KINDS, MIXED, MOST_KW, MOST_SLOTS, Demand, draw_sites, job_rows
from benchmarks.instances.families import ALLOWED_SITES
from benchmarks.instances.mixed import TIER_SHARES, TIERS
from core.series import IntArray
from core.slots import SLOT_HOURS, SLOTS_PER_DAY

Json = dict[str, Any]

SLACK_SLOTS = (4, 48)
"""a job is due so many half-hours after it could have ended, evenly drawn"""
BUSIEST_HOUR, SWING = 14.0, 0.6
"""arrivals are a Poisson process that swings about its mean over the UTC day"""
PENALTY_GBP_PER_KWH = {"premium": 20.0, "standard": 12.0, "flexible": 8.0, "spot": 6.0}
"""for each kWh at full power of a job that is not finished in time: above every price of the record"""


def draw(seed: int, days: int, jobs_a_day: float) -> Demand:
    """Jobs in order of arrival; windows in half-hours of the record, none beyond its end."""
    rng = np.random.default_rng(seed)
    slots = days * SLOTS_PER_DAY
    arrival = _arrivals(rng, slots, jobs_a_day)
    duration = rng.integers(1, MOST_SLOTS + 1, arrival.size)
    slack = rng.integers(SLACK_SLOTS[0], SLACK_SLOTS[1] + 1, arrival.size)
    kind = rng.choice(len(KINDS), arrival.size, p=MIXED)
    power = rng.integers(1, MOST_KW + 1, arrival.size).astype(np.float64)
    whole = arrival + duration + slack <= slots
    return Demand(
        kind=kind[whole],
        power_kw=power[whole],
        duration_slots=duration[whole],
        earliest_slot=arrival[whole],
        latest_slot=(arrival + duration + slack)[whole],
    )


def _arrivals(rng: Generator, slots: int, jobs_a_day: float) -> IntArray:
    hour = np.arange(slots) * SLOT_HOURS % 24
    rate = jobs_a_day / SLOTS_PER_DAY * (1 + SWING * np.cos((hour - BUSIEST_HOUR) / 24 * 2 * np.pi))
    return np.repeat(np.arange(slots), rng.poisson(rate))


def rows(demand: Demand, site_ids: tuple[str, ...], seed: int) -> list[Json]:
    """The jobs as in an instance file, each allowed some of the sites, of a tier that says what missing it costs."""
    rng = np.random.default_rng((seed, 1))
    jobs = demand.kind.size
    tiers = [TIERS[tier] for tier in rng.choice(len(TIERS), jobs, p=TIER_SHARES)]
    kwh = demand.power_kw * demand.duration_slots * SLOT_HOURS
    return [
        row | {"tier": tier, "unserved_penalty_gbp": round(PENALTY_GBP_PER_KWH[tier] * energy, 4)}
        for row, tier, energy in zip(
            job_rows(demand, draw_sites(rng, jobs, site_ids, ALLOWED_SITES)), tiers, kwh.tolist(), strict=True
        )
    ]
