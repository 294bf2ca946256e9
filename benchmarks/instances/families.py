"""The families b1 to b5 and the registry of all named instances; b6, the faults, has a module of its own.

In b1 to b5 serving a job is always cheaper than leaving it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.instances.demand import BLOCKS, MIXED, PAUSABLE, PAUSE_GBP_PER_KW, Demand, draw, draw_sites, job_rows
from benchmarks.instances.faults import FAULTS, Make
from benchmarks.instances.figures import TEN_ZONES, figures, instance, site_rows, uneven_headroom
from benchmarks.instances.full import with_every_feature
from core.series import IntArray
from core.slots import SLOTS_PER_DAY

Json = dict[str, Any]

ZONES = tuple(climate.region for climate in TEN_ZONES)
ML_ZONES = ("GB", "DE-LU", "CA-ON")
"""France's carbon is not recorded; Ontario's grid of water and uranium stands in for it"""
ML_JOBS, ML_DAYS, ML_KW = 300, 14, 2.0
OFFICE_HOURS = (9, 17)
WORKDAYS, SEMI_WEEKLY = (0, 1, 2, 3, 4), (0, 3)
ALLOWED_SITES = 3


def ml_project(name: str, data: Path | None, seed: int) -> Json:
    """B1: jobs of a machine learning project, as in "Let's Wait Awhile", at sites that are never full.

    They are submitted in office hours; half are due at 9:00 of the next workday, half of the next Monday or Thursday.
    Each may run in one zone only, in one run or with free pauses.
    """
    rng = np.random.default_rng(seed)
    slots = ML_DAYS * SLOTS_PER_DAY
    demand = _ml_demand(rng, slots)
    found = figures(ML_ZONES, slots, data)
    headroom = np.full((len(ML_ZONES), slots), demand.power_kw.sum() * float(found.pue.max()))
    sites = site_rows(found, headroom)
    jobs = job_rows(demand, draw_sites(rng, ML_JOBS, [site["id"] for site in sites], 1), pause_gbp_per_kw=0.0)
    return instance(name, found, sites, jobs)


def _ml_demand(rng: np.random.Generator, slots: int) -> Demand:
    days = np.flatnonzero(np.arange(ML_DAYS - 4) % 7 < len(WORKDAYS))
    opens, closes = (hour * 2 for hour in OFFICE_HOURS)
    earliest = rng.choice(days, ML_JOBS) * SLOTS_PER_DAY + rng.integers(opens, closes, ML_JOBS)
    duration = np.clip(np.rint(rng.lognormal(2.0, 0.9, ML_JOBS)), 1, 2 * SLOTS_PER_DAY).astype(np.int64)
    over = earliest + duration
    due = [_next_morning(over, weekdays, slots) for weekdays in (WORKDAYS, SEMI_WEEKLY)]
    return Demand(
        kind=rng.integers(2, size=ML_JOBS),
        power_kw=np.full(ML_JOBS, ML_KW),
        duration_slots=duration,
        earliest_slot=earliest,
        latest_slot=np.where(rng.random(ML_JOBS) < 0.5, *due),
    )


def _next_morning(over: IntArray, weekdays: Sequence[int], slots: int) -> IntArray:
    """The first 9:00 of one of the weekdays at or after each slot; the end of the horizon where there is none."""
    days = np.flatnonzero(np.isin(np.arange(ML_DAYS) % 7, weekdays))
    mornings = np.append(days * SLOTS_PER_DAY + OFFICE_HOURS[0] * 2, slots)
    return np.asarray(mornings[np.searchsorted(mornings, over)])


def one_site(
    name: str, data: Path | None, seed: int, *, jobs: int, slots: int, cap_factor: float, shares: Sequence[float]
) -> Json:
    """B2 and B3: jobs at one site in GB, without cooling, whose headroom is ``cap_factor`` times their mean load.

    Where all may pause, pauses are free: the form of the peers that know them.
    """
    rng = np.random.default_rng(seed)
    demand = draw(rng, jobs, slots, shares)
    found = figures(("GB",), slots, data)
    headroom = np.full((1, slots), cap_factor * demand.mean_load_kw(slots))
    (site,) = site_rows(found, headroom)
    pause_gbp_per_kw = 0.0 if shares == PAUSABLE else PAUSE_GBP_PER_KW
    return instance(name, found, [site | {"pue": 1.0}], job_rows(demand, [("gb",)] * jobs, pause_gbp_per_kw))


def ten_sites(
    name: str, data: Path | None, seed: int, *, jobs: int, shares: Sequence[float], utilisation: float = 0.6
) -> Json:
    """B4: jobs over two days at ten sites, three of them allowed to each; they ask for a share of all headroom."""
    rng = np.random.default_rng(seed)
    slots = 2 * SLOTS_PER_DAY
    return _at_ten_sites(name, data, rng, draw(rng, jobs, slots, shares), slots, utilisation)


def _at_ten_sites(
    name: str, data: Path | None, rng: np.random.Generator, demand: Demand, slots: int, utilisation: float
) -> Json:
    found = figures(ZONES, slots, data)
    draws = demand.kw_slots * float(found.pue.mean())
    sites = site_rows(found, uneven_headroom(rng, len(ZONES), slots, draws / utilisation))
    allowed = draw_sites(rng, demand.kind.size, [site["id"] for site in sites], ALLOWED_SITES)
    return instance(name, found, sites, job_rows(demand, allowed))


def full(name: str, data: Path | None, seed: int, *, jobs: int, utilisation: float) -> Json:
    """B4 with every feature of the formulation."""
    plain = ten_sites(name, data, seed, jobs=jobs, shares=MIXED, utilisation=utilisation)
    return with_every_feature(plain, np.random.default_rng(seed + 1))


def rolling(
    name: str, data: Path | None, seed: int, *, days: int = 14, jobs_a_day: int = 100, utilisation: float = 0.3
) -> Json:
    """B5: what arrives at ten sites over ``days``, all known beforehand; a job arrives at its ``earliest_slot``.

    A backtest reveals the jobs slot by slot; planned as it stands, this is the clairvoyant's problem.
    """
    rng = np.random.default_rng(seed)
    slots = days * SLOTS_PER_DAY
    return _at_ten_sites(name, data, rng, draw(rng, days * jobs_a_day, slots, MIXED), slots, utilisation)


_KINDS = {"block": BLOCKS, "mixed": MIXED}
_CAP_FACTORS = (1.17, 1.3, 1.57, 2.1)
"""caps of 45, 50, 60 and 80 where running at once would peak at 98, as multiples of the mean load"""

FAMILIES: Mapping[str, Make] = {
    "b1": ml_project,
    **{
        f"b2-{kind}-{factor}": partial(one_site, jobs=1000, slots=720, cap_factor=factor, shares=shares)
        for kind, shares in _KINDS.items()
        for factor in _CAP_FACTORS
    },
    **{
        f"b3-{jobs}": partial(one_site, jobs=jobs, slots=96, cap_factor=1.8, shares=BLOCKS)
        for jobs in (20, 40, 100, 200, 1000)
    },
    **{
        f"b3-pausable-{jobs}": partial(one_site, jobs=jobs, slots=96, cap_factor=1.8, shares=PAUSABLE)
        for jobs in (20, 100)
    },
    **{
        f"b4-{label}": partial(ten_sites, jobs=jobs, shares=MIXED)
        for label, jobs in (("1k", 1000), ("10k", 10_000), ("100k", 100_000))
    },
    "b4-1m": partial(ten_sites, jobs=1_000_000, shares=BLOCKS),
    "b4-full-300": partial(full, jobs=300, utilisation=0.2),
    "b4-full-10k": partial(full, jobs=10_000, utilisation=0.6),
    "b5": rolling,
    **{f"b6-{name}": fault.make for name, fault in FAULTS.items()},
}
NAMES = tuple(FAMILIES)


def build(name: str, data: Path | None, seed: int = 1) -> Json:
    """The named instance, with recorded figures of the folder ``data`` or synthetic ones."""
    return FAMILIES[name](f"{name}-seed-{seed}", data, seed)
