"""Small random instances and slow, plain answers to compare the planner with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from core.instance import Frozen, Instance, JobInstance, SiteInstance
from core.job import Level
from core.market import Market
from core.plan import Plan

START = datetime(2023, 3, 1, tzinfo=UTC)
LADDERS = (
    (Level(power_kw=10, work_per_slot=1),),
    (Level(power_kw=5, work_per_slot=0.7), Level(power_kw=10, work_per_slot=1)),
    (
        Level(power_kw=4, work_per_slot=0.6),
        Level(power_kw=7, work_per_slot=0.85),
        Level(power_kw=10, work_per_slot=1),
    ),
    (
        Level(power_kw=2, work_per_slot=0.4),
        Level(power_kw=4, work_per_slot=0.7),
        Level(power_kw=7, work_per_slot=0.9),
        Level(power_kw=10, work_per_slot=1),
    ),
)


def random_instance(seed: int, *, jobs: int = 4, sites: int = 2, slots: int = 6, carbon_cap: bool = False) -> Instance:
    """Mixed jobs that compete; some prices are below zero, some windows are too short, some jobs have limits."""
    rng = np.random.default_rng(seed)
    site_rows = tuple(
        SiteInstance(
            id=f"s{number}",
            region="GB",
            headroom_kw=tuple(rng.choice([0, 10, 15, 25, 40], slots).tolist()),
            price_gbp_per_kwh=tuple(np.round(rng.normal(0.1, 0.12, slots), 4).tolist()),
            carbon_g_per_kwh=tuple(rng.integers(0, 400, slots).astype(float).tolist()),
            pue=tuple(np.round(rng.uniform(1, 1.4, slots), 3).tolist()),
        )
        for number in range(sites)
    )
    return Instance(
        name=f"random-{seed}",
        start=START,
        slots=slots,
        carbon_price_gbp_per_tonne=100,
        carbon_cap_kg=float(rng.uniform(0, 20)) if carbon_cap else None,
        sites=site_rows,
        jobs=tuple(_random_job(rng, f"j{number}", sites, slots) for number in range(jobs)),
    )


def _random_job(rng: np.random.Generator, name: str, sites: int, slots: int) -> JobInstance:
    first = int(rng.integers(0, slots))
    last = int(rng.integers(first, slots + 1))
    kind = str(rng.choice(["block", "pausable", "elastic"]))
    places = [f"s{number}" for number in range(sites) if rng.random() < 0.8]
    fields: dict[str, object] = {
        "id": name,
        "kind": kind,
        "earliest_slot": first,
        "latest_slot": last,
        "sites": tuple(places),
        "unserved_penalty_gbp": float(rng.choice([0.5, 5, 50])),
        "max_price_gbp_per_kwh": 0.15 if rng.random() < 0.2 else None,
        "max_carbon_g_per_kwh": 250.0 if rng.random() < 0.2 else None,
    }
    if kind == "elastic":
        work = float(rng.choice([0.5, 1, 1.7, 2.3]))
        return JobInstance.model_validate(fields | {"levels": LADDERS[rng.integers(len(LADDERS))], "work": work})
    if kind == "pausable":
        fields["pause_cost_gbp"] = float(rng.choice([0, 0.1, 1]))
    demand = {"power_kw": float(rng.choice([5, 8, 12])), "duration_slots": int(rng.integers(1, 4))}
    return JobInstance.model_validate(fields | demand)


def courses(instance: Instance, job: JobInstance) -> Iterator[tuple[int, np.ndarray]]:
    """Every site and power profile (T,) that ``job`` may run, by its window, sites and limits."""
    place = {site.id: number for number, site in enumerate(instance.sites)}
    powers = [0.0, *(level.power_kw for level in job.levels or ())] if job.levels else [0.0, job.power_kw or 0.0]
    work = {level.power_kw: level.work_per_slot for level in job.levels or ()}
    for name in job.sites:
        site = instance.sites[place[name]]
        used = [slot for slot in range(job.earliest_slot, job.latest_slot) if _within_limits(job, site, slot)]
        for choice in itertools.product(powers, repeat=len(used)):
            power = np.zeros(instance.slots)
            power[used] = choice
            if job.kind == "elastic":
                served = sum(work.get(kw, 0.0) for kw in choice) >= (job.work or 0.0) - 1e-9
            else:
                served = np.count_nonzero(power) == job.duration_slots
                served = served and (job.kind == "pausable" or runs(power) == 1)
            if served:
                yield place[name], power


def _within_limits(job: JobInstance, site: SiteInstance, slot: int) -> bool:
    price, carbon = job.max_price_gbp_per_kwh, job.max_carbon_g_per_kwh
    return (price is None or site.price_gbp_per_kwh[slot] <= price) and (
        carbon is None or site.carbon_g_per_kwh[slot] <= carbon
    )


def runs(power: np.ndarray) -> int:
    """How often a profile starts."""
    return int(np.count_nonzero(np.diff((power > 0).astype(int), prepend=0) > 0))


def pause_gbp(job: JobInstance, power: np.ndarray) -> float:
    """What the pauses of a profile cost."""
    return (job.pause_cost_gbp or 0.0) * (runs(power) - 1)


def optimum_gbp(instance: Instance) -> float:
    """The least objective of any valid plan, by an integer programme over every course of every job."""
    market = Market.of(instance)
    frozen = {row.job: row for row in instance.frozen}
    columns = [
        (number, site, power)
        for number, job in enumerate(instance.jobs)
        for site, power in (_frozen_course(instance, frozen[job.id]) if job.id in frozen else courses(instance, job))
    ]
    jobs = len(instance.jobs)
    cost = np.array(
        [
            power @ market.cost_gbp_per_kw(market.probability)[site] + pause_gbp(instance.jobs[job], power)
            for job, site, power in columns
        ]
        + [1e6 if job.id in frozen else job.unserved_penalty_gbp for job in instance.jobs]
    )
    once = np.zeros((jobs, len(columns) + jobs))
    draw = np.zeros((*market.pue.shape, len(columns) + jobs))
    carbon = np.zeros((1, len(columns) + jobs))
    once[:, len(columns) :] = np.eye(jobs)
    for column, (job, site, power) in enumerate(columns):
        once[job, column] = 1
        draw[site, :, column] = power * market.pue[site]
        carbon[0, column] = power @ market.carbon_kg_per_kw[site]
    limits = [
        LinearConstraint(once, 1, 1),
        LinearConstraint(draw.reshape(-1, len(cost)), ub=market.headroom_kw.ravel() + 1e-6),
    ]
    if instance.carbon_cap_kg is not None:
        limits.append(LinearConstraint(carbon, ub=instance.carbon_cap_kg + 1e-9))
    found = milp(cost, constraints=limits, integrality=np.ones(len(cost)), bounds=Bounds(0, 1))
    assert found.success, found.message
    return float(found.fun)


def _frozen_course(instance: Instance, frozen: Frozen) -> list[tuple[int, np.ndarray]]:
    site = next(number for number, site in enumerate(instance.sites) if site.id == frozen.site)
    return [(site, profile(frozen.runs, instance.slots))]


def profile(runs_: tuple[tuple[int, int, float], ...], slots: int) -> np.ndarray:
    """(T,) power of runs."""
    power = np.zeros(slots)
    for start, end, power_kw in runs_:
        power[start:end] = power_kw
    return power


def violations(instance: Instance, plan: Plan) -> list[str]:
    """What is wrong with a plan: nothing, if it is one."""
    market, faults = Market.of(instance), []
    place = {site.id: number for number, site in enumerate(instance.sites)}
    jobs = {job.id: job for job in instance.jobs}
    frozen = {row.job: row for row in instance.frozen}
    named = sorted([row.job for row in plan.assignments] + [row.job for row in plan.unserved])
    if named != sorted(jobs):
        faults.append(f"jobs named: {named}")
    faults += [f"{row.job} is unserved without a reason" for row in plan.unserved if not row.reason]
    draw, carbon, cost = np.zeros(market.pue.shape), 0.0, 0.0
    for row in plan.assignments:
        site, power, job = place[row.site], profile(row.runs, instance.slots), jobs[row.job]
        draw[site] += power * market.pue[site]
        carbon += float(power @ market.carbon_kg_per_kw[site])
        cost += float(power @ market.cost_gbp_per_kw(market.probability)[site]) + pause_gbp(job, power)
        if row.job in frozen:
            if (row.site, row.runs) != (frozen[row.job].site, frozen[row.job].runs):
                faults.append(f"{row.job} was frozen and moved")
        elif not any(s == site and np.allclose(p, power, atol=1e-9) for s, p in courses(instance, job)):
            faults.append(f"{row.job} may not run {row.runs} at {row.site}")
    cost += sum(jobs[row.job].unserved_penalty_gbp for row in plan.unserved)
    if (draw > market.headroom_kw + 1e-4).any():
        faults.append(f"headroom is exceeded by {(draw - market.headroom_kw).max():.4f} kW")
    if instance.carbon_cap_kg is not None and carbon > instance.carbon_cap_kg + 1e-6:
        faults.append(f"{carbon} kg are above the cap")
    if abs(cost - plan.objective_gbp) > 1e-6 * max(1, abs(cost)):
        faults.append(f"the objective is {cost}, not {plan.objective_gbp}")
    return faults
