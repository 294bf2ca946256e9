"""B6: what goes wrong with figures and demands. Each has to end in a valid plan or in a clear refusal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.instances.demand import MIXED, Demand, draw, draw_sites, job_rows
from benchmarks.instances.figures import figures, instance, site_rows

Json = dict[str, Any]
Alter = Callable[[Json], None]
Make = Callable[[str, Path | None, int], Json]
"""(name, folder of recorded figures or None for synthetic ones, seed) -> instance file"""

ZONES = ("GB", "DE-LU", "US-NY-NYIS")
JOBS, MANY_JOBS, SLOTS, LOAD = 60, 10_000, 48, 0.5
SPRING, AUTUMN = ("2023-03-26T00:00Z", 46), ("2023-10-28T23:00Z", 50)
"""midnight in London on the days when the clocks change, and their half-hours"""
FIGURES = ("price_gbp_per_kwh", "carbon_g_per_kwh")
LAST_HOUR = slice(SLOTS - 2, SLOTS)


class Fault(NamedTuple):
    """Something wrong with an instance, and whether it has to be refused; else it has to be planned."""

    told: str
    refused: bool
    make: Make


def _usual(alter: Alter, slots: int = SLOTS, load: float = LOAD) -> Make:
    def make(name: str, data: Path | None, seed: int) -> Json:
        rng = np.random.default_rng(seed)
        made = _three_sites(name, draw(rng, JOBS, slots, MIXED), rng, slots, load, data)
        alter(made)
        return made

    return make


def _identical(jobs: int, slots: int) -> Make:
    def make(name: str, data: Path | None, seed: int) -> Json:
        first, length = np.zeros(jobs, np.int64), np.full(jobs, min(4, slots))
        demand = Demand(first, np.ones(jobs), length, first, np.full(jobs, slots))
        return _three_sites(name, demand, np.random.default_rng(seed), slots, LOAD, data)

    return make


def _three_sites(
    name: str, demand: Demand, rng: np.random.Generator, slots: int, load: float, data: Path | None
) -> Json:
    """Three sites, two of them allowed to each job, that ``demand`` asks for a share ``load`` of their headroom."""
    found = figures(ZONES, slots, data)
    headroom_kw = demand.kw_slots * float(found.pue.mean()) / load / slots / len(ZONES)
    sites = site_rows(found, np.full((len(ZONES), slots), headroom_kw))
    allowed = draw_sites(rng, demand.kind.size, [site["id"] for site in sites], 2)
    return instance(name, found, sites, job_rows(demand, allowed))


def _day(day: tuple[str, int]) -> Make:
    start, slots = day
    return _usual(lambda made: made.update(start=start), slots)


def _each_site(made: Json, fields: tuple[str, ...], change: Callable[[list[Any]], Any]) -> None:
    for site in made["sites"]:
        for field in fields:
            site[field] = change(site[field])


def _with_last_hour(value: Any) -> Callable[[Json], None]:
    """Prices of 23:00 to 24:00 replaced; a callable gets all figures of the site."""

    def change(prices: list[Any]) -> list[Any]:
        return [*prices[: LAST_HOUR.start], *[value(prices) if callable(value) else value] * 2]

    return lambda made: _each_site(made, FIGURES[:1], change)


def _every_price(price: float) -> Alter:
    return lambda made: _each_site(made, FIGURES[:1], lambda prices: [price] * len(prices))


def _first_job(**fields: Any) -> Alter:
    return lambda made: made["jobs"][0].update(fields)


def _unaltered(made: Json) -> None:
    """The load alone is what is wrong."""


def _all_stale(made: Json) -> None:
    _each_site(made, FIGURES, lambda figures: [figures[0]] * len(figures))


def _site_lost(made: Json) -> None:
    made["sites"][0]["headroom_kw"] = [0.0] * made["slots"]


def _no_headroom(made: Json) -> None:
    _each_site(made, ("headroom_kw",), lambda headroom: [0.0] * len(headroom))


def _one_site(made: Json) -> None:
    made["sites"] = made["sites"][:1]
    made["jobs"] = [job | {"sites": [made["sites"][0]["id"]]} for job in made["jobs"]]


def _doubled(made: Json) -> None:
    made["jobs"].append(made["jobs"][0])


def _in_a_circle(made: Json) -> None:
    one, other = made["jobs"][:2]
    one["after"], other["after"] = [other["id"]], [one["id"]]


LARGE = {"kind": "block", "power_kw": 1e5, "duration_slots": 4, "levels": None, "work": None, "pause_cost_gbp": None}

FAULTS: Mapping[str, Fault] = {
    "stale": Fault("a feed that stands still: every figure repeats the first", False, _usual(_all_stale)),
    "zero-tail": Fault("prices of 23:00 to 24:00 shown as 0p", False, _usual(_with_last_hour(0.0))),
    "filled-tail": Fault(
        "prices of 23:00 to 24:00 missing, filled with the half-hour before",
        False,
        _usual(_with_last_hour(lambda prices: prices[LAST_HOUR.start - 1])),
    ),
    "missing-tail": Fault("prices of 23:00 to 24:00 missing, as null", True, _usual(_with_last_hour(None))),
    "nan": Fault("prices of 23:00 to 24:00 not a number", True, _usual(_with_last_hour(math.nan))),
    "infinite": Fault("prices of 23:00 to 24:00 infinite", True, _usual(_with_last_hour(math.inf))),
    "negative-prices": Fault("every price below zero", False, _usual(_every_price(-0.08))),
    "free-power": Fault("every price zero", False, _usual(_every_price(0.0))),
    "spring": Fault("the day of 46 half-hours", False, _day(SPRING)),
    "autumn": Fault("the day of 50 half-hours", False, _day(AUTUMN)),
    "site-lost": Fault("a site without headroom", False, _usual(_site_lost)),
    "no-headroom": Fault("no headroom anywhere", False, _usual(_no_headroom)),
    "overload": Fault("three times the load that there is room for", False, _usual(_unaltered, load=3.0)),
    "large-job": Fault("a job larger than any site", False, _usual(_first_job(**LARGE))),
    "cap-too-low": Fault("a carbon cap of one gram", False, _usual(lambda made: made.update(carbon_cap_kg=0.001))),
    "no-window": Fault(
        "a job that is due before it may start", False, _usual(_first_job(earliest_slot=9, latest_slot=3))
    ),
    "no-site": Fault("a job that may run nowhere", False, _usual(_first_job(sites=[]))),
    "no-jobs": Fault("no jobs", False, _usual(lambda made: made.update(jobs=[]))),
    "one-site": Fault("one site", False, _usual(_one_site)),
    "one-slot": Fault("one half-hour", False, _identical(JOBS, 1)),
    "identical": Fault("ten thousand identical jobs", False, _identical(MANY_JOBS, SLOTS)),
    "unknown-site": Fault("a job at a site that is not there", True, _usual(_first_job(sites=["atlantis"]))),
    "doubled-job": Fault("two jobs of one name", True, _usual(_doubled)),
    "circle": Fault("two jobs that each come after the other", True, _usual(_in_a_circle)),
}
