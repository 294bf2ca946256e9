"""Runs every method through the same world, in two processes beside one another, and gathers what came of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from agents.negotiation import warm_up
from benchmarks.backtest import arrivals, clairvoyant
from benchmarks.backtest.forecasts import CARBON_ERROR, PENCE, PRICE_ERROR, Forecasts
from benchmarks.backtest.rolling import Log, Rolling
from benchmarks.backtest.rules import RULES, follow
from benchmarks.backtest.settlement import Delivery, Settled, settle
from benchmarks.backtest.world import World, recorded
from benchmarks.comparison.measuring import machine
from benchmarks.instances.demand import KINDS
from benchmarks.instances.figures import CARBON_PRICE_GBP_PER_TONNE
from core.instance import Risk
from core.series import IntArray
from core.slots import SLOT_HOURS, SLOTS_PER_DAY
from core.threads import one_thread

Json = dict[str, Any]

PLANNER, WITHOUT_ERROR, FORESIGHT = "slackwater", "slackwater-no-error", "foresight"
CAUTIOUS = "slackwater-cvar"
METHODS = (CAUTIOUS, PLANNER, WITHOUT_ERROR, FORESIGHT, *RULES)
RISK = Risk(level=0.9, weight=0.5)
"""of the cautious run: half the expected cost, half the mean of the worst tenth"""
UTILISATION = 0.3
"""IT energy that the jobs ask for, as a share of all headroom of all sites over the whole time"""
JUDGED_OF = 100
"""the referee judges one re-plan in so many, drawn by seed"""
PROCESSES = 2
TOLD_EVERY_DAYS = 7


@dataclass(frozen=True)
class Setting:
    """What a backtest is made of."""

    data: Path
    days: int
    jobs_a_day: float
    seed: int

    def world(self) -> tuple[World, list[Json]]:
        """The recorded world and the jobs that arrive in it."""
        demand = arrivals.draw(self.seed, self.days, self.jobs_a_day)
        world = recorded(self.data, self.days, demand.kw_slots, UTILISATION)
        return world, arrivals.rows(demand, world.site_ids, self.seed)


def backtest(setting: Setting) -> Json:
    """Run everything; the results, ready to be written as JSON."""
    began = time.perf_counter()
    world, jobs = setting.world()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        found = dict(zip(METHODS, pool.map(run, [setting] * len(METHODS), METHODS), strict=True))
    day = np.array([row["earliest_slot"] for row in jobs], dtype=np.int64) // SLOTS_PER_DAY
    return {
        "days": setting.days,
        "seed": setting.seed,
        "jobs_a_day": setting.jobs_a_day,
        "jobs": len(jobs),
        "kinds": {kind: sum(row["kind"] == kind for row in jobs) for kind in KINDS},
        "jobs_by_day": np.bincount(day, minlength=setting.days).tolist(),
        "first_day": world.day(0).isoformat(),
        "zones": list(world.zones),
        "utilisation": UTILISATION,
        "carbon_price_gbp_per_tonne": CARBON_PRICE_GBP_PER_TONNE,
        "errors": {"price": asdict(PRICE_ERROR), "carbon": asdict(CARBON_ERROR)},
        "met_errors": met_errors(world, Forecasts(world, setting.seed)),
        "methods": found,
        "load": os.getloadavg()[2],
        "machine": machine(),
        "wall_s": time.perf_counter() - began,
    }


def wrong(results: Json) -> list[str]:
    """What must not be: limits broken by any method, and re-plans on which the referee disagrees."""
    return [
        f"{method}: {fault}"
        for method, found in results["methods"].items()
        for fault in (*found["faults"], *found.get("disagreements", ()))
    ]


def run(setting: Setting, method: str) -> Json:
    """One method through the whole world, settled."""
    warm_up()
    world, jobs = setting.world()
    began, busy = time.perf_counter(), time.process_time()
    with one_thread():
        deliveries, more = _deliveries(setting, method, world, jobs)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - busy
    print(f"{method:<20} done in {wall_s:.0f} s, {cpu_s:.0f} s of processor time", file=sys.stderr, flush=True)
    settled = settle(world, jobs, deliveries)
    return _by_day(world, jobs, settled, deliveries) | more | {"wall_s": wall_s, "cpu_s": cpu_s}


def _deliveries(setting: Setting, method: str, world: World, jobs: list[Json]) -> tuple[list[Delivery], Json]:
    if method in RULES:
        return list(follow(RULES[method], world, jobs, Forecasts(world, setting.seed))), {}
    if method == FORESIGHT:
        gaps: list[float] = []
        return list(clairvoyant.foresee(world, jobs, gaps)), {"gap": gaps}
    share = 0.0 if method == WITHOUT_ERROR else 1.0
    risk = RISK if method == CAUTIOUS else None
    rolling = Rolling(world, jobs, Forecasts(world, setting.seed, share), risk=risk)
    sampled = np.flatnonzero(np.random.default_rng((setting.seed, 2)).random(world.slots) < 1 / JUDGED_OF)
    found = list(chain.from_iterable(_told(method, world, rolling, frozenset(sampled.tolist()))))
    return found, _log(rolling.log, len(jobs))


def _told(method: str, world: World, rolling: Rolling, judged: frozenset[int]) -> Iterable[list[Delivery]]:
    began = time.perf_counter()
    for now, delivered in enumerate(rolling.run(judged)):
        yield delivered
        if (now + 1) % (TOLD_EVERY_DAYS * SLOTS_PER_DAY) == 0:
            log = rolling.log
            print(
                f"{method:<20} {world.day(now)}  {now + 1:6,} of {world.slots:,} half-hours  "
                f"median gap {np.median(log.gap):.3%}  {time.perf_counter() - began:5.0f} s",
                file=sys.stderr,
                flush=True,
            )


def _log(log: Log, jobs: int) -> Json:
    return {
        "gap": [round(gap, 7) for gap in log.gap],
        "solve_s": [round(wall_s, 5) for wall_s in log.wall_s],
        "solve_cpu_s": [round(cpu_s, 5) for cpu_s in log.cpu_s],
        "open_jobs": log.jobs,
        "contended": log.contended,
        "job_slots_planned": log.planned,
        "job_slots_moved": log.moved,
        "moves_a_job": sum(log.moves.values()) / max(1, jobs),
        "jobs_moved": len(log.moves),
        "judged": log.judged,
        "disagreements": log.disagreements,
    }


def _by_day(world: World, jobs: list[Json], settled: Settled, deliveries: list[Delivery]) -> Json:
    """Sums over the jobs that arrived on each day."""
    day: IntArray = np.array([row["earliest_slot"] for row in jobs], dtype=np.int64) // SLOTS_PER_DAY
    days = world.slots // SLOTS_PER_DAY

    def summed(values: Any) -> list[float]:
        return [round(float(total), 6) for total in np.bincount(day, values, days)]

    return {
        "energy_gbp": summed(settled.energy_gbp),
        "carbon_kg": summed(settled.carbon_kg),
        "pauses_gbp": summed(settled.other_gbp),
        "penalty_gbp": summed(settled.penalty_gbp),
        "total_gbp": summed(settled.cost_gbp(CARBON_PRICE_GBP_PER_TONNE)),
        "missed": [int(count) for count in np.bincount(day, settled.missed, days)],
        "pauses": int(settled.pauses.sum()),
        "it_kwh": sum(one.power_kw for one in deliveries) * SLOT_HOURS,
        "peak_share": settled.peak_share,
        "faults": list(settled.faults),
    }


def met_errors(world: World, forecasts: Forecasts) -> dict[str, list[float]]:
    """Mean absolute errors of the forecasts that were planned on, Great Britain, first and second day ahead.

    Days of prices count from the first half-hour that is not published.
    """
    gb, price_p, carbon_g = world.zones.index("GB"), [], []
    for now in range(0, world.slots - 4 * SLOTS_PER_DAY, SLOTS_PER_DAY // 4 + 1):
        slots = 4 * SLOTS_PER_DAY
        price, carbon = forecasts.at(now, slots)
        window, known = slice(now, now + slots), forecasts.known_until(now) - now
        price_p.append(PENCE * np.abs(price - world.price[:, window])[gb, known : known + 2 * SLOTS_PER_DAY])
        carbon_g.append(np.abs(carbon - world.carbon[:, window])[gb, : 2 * SLOTS_PER_DAY])
    return {
        name: np.array(off).reshape(len(off), 2, -1).mean(axis=(0, 2)).tolist()
        for name, off in (("price_p", price_p), ("carbon_g", carbon_g))
        if off
    }
