"""What is frozen: what it draws, emits and costs, whatever is planned besides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.instance import Frozen, Instance, JobInstance, Run
from core.market import NOWHERE, Market
from core.series import FloatArray


@dataclass(frozen=True, slots=True)
class Standstill:
    """All frozen courses together.

    :param drawn: (S, T) at the meters, (P, T) of hardware, (C,) kg under the caps.
    :param energy_gbp: (K,) in each scenario; ``other_gbp`` are pauses, migrations and moves.
    """

    drawn: tuple[FloatArray, FloatArray, FloatArray]
    energy_gbp: FloatArray
    other_gbp: float


def settled_courses(instance: Instance, market: Market) -> Standstill:
    """What the frozen courses of an instance take."""
    load, hardware = np.zeros(market.shape), np.zeros(market.hardware_kw.shape)
    kg, energy, other = np.zeros(market.cap_kg.shape), np.zeros(len(market.probability)), 0.0
    jobs = {job.id: job for job in instance.jobs}
    number = {site.id: row for row, site in enumerate(instance.sites)}
    places = market.places
    for frozen in instance.frozen:
        job, site = jobs[frozen.job], number[frozen.site]
        power = profile(frozen.runs, instance.slots)
        load[site] += power * market.pue[site]
        place = places.get((site, job.hardware), site)
        if place >= len(instance.sites):
            hardware[place] += power
        emitted = float(power @ market.carbon_kg_per_kw[site])
        for cap in (market.total_cap, int(market.site_cap[site]), market.tenant_cap.get(job.tenant, NOWHERE)):
            if cap != NOWHERE:
                kg[cap] += emitted
        energy += market.scenario_gbp_per_kw[:, site] @ power
        other += _other_gbp(job, frozen, power)
    return Standstill((load, hardware, kg), energy, other)


def _other_gbp(job: JobInstance, frozen: Frozen, power: FloatArray) -> float:
    """Pauses, migration and move of one frozen course."""
    starts = int(np.count_nonzero((power > 0) & (np.concatenate([[0.0], power[:-1]]) <= 0)))
    total = (job.pause_cost_gbp or 0.0) * max(0, starts - 1)
    if job.home is not None and job.home != frozen.site:
        total += job.migration_cost_gbp or 0.0
    if job.planned is not None:
        same = job.planned.site == frozen.site and np.allclose(profile(job.planned.runs, len(power)), power)
        total += 0.0 if same else job.move_cost_gbp or 0.0
    return total


def profile(runs: tuple[Run, ...], slots: int) -> FloatArray:
    """(T,) power of runs."""
    power = np.zeros(slots)
    for start, end, power_kw in runs:
        power[start:end] = power_kw
    return power
