"""Small random instances of every kind: each feature of docs/planner.md in a good share of the seeds.

Every world validates and has a valid plan: batteries can reach their final energy, mining can ramp down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.random import Generator

from core.instance import Instance

START = datetime(2023, 3, 1, tzinfo=UTC)
REGIONS = ("GB", "NO", "GB")
TENANTS = ("ada", "bob")
CLASSES = ("gpu", "cpu")
LADDERS = (
    ((10, 1),),
    ((5, 0.7), (10, 1)),
    ((4, 0.6), (7, 0.85), (10, 1)),
    ((2, 0.4), (4, 0.7), (7, 0.9), (10, 1)),
)
TOO_LARGE_KW = 500.0
Json = dict[str, Any]


def world(seed: int) -> Instance:
    """1 to 8 jobs, 1 to 3 sites, 1 or 4 to 16 slots."""
    return Instance.model_validate(_Draft(np.random.default_rng(seed)).instance(f"world-{seed}"))


def features(instance: Instance) -> frozenset[str]:
    """Which parts of the formulation an instance uses, beside sites and jobs of the three kinds."""
    used = {
        field
        for field in ("carbon_cap_kg", "tenant_carbon_caps_kg", "region_carbon_caps_kg", "scenarios", "risk", "frozen")
        if getattr(instance, field) not in (None, {}, ())
    }
    used |= {
        field
        for site in instance.sites
        for field in ("sold_kw", "hardware_kw", "battery", "mining", "inference")
        if getattr(site, field) is not None
    }
    fields = ("restart_slots", "min_run_slots", "max_pauses", "hardware", "carbon_cap_kg", "home", "planned", "gang")
    for job in instance.jobs:
        used |= {f"job {field}" for field in fields if getattr(job, field) is not None}
        used |= {"job after"} if job.after else set()
    return frozenset(used)


@dataclass
class _Draft:
    """Fields of an instance, drawn one after another."""

    rng: Generator

    def __post_init__(self) -> None:
        self.slots = 1 if self.chance(0.05) else int(self.rng.integers(4, 17))
        self.sites = int(self.rng.integers(1, 4))
        self.places = [f"s{number}" for number in range(self.sites)]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def one_of(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def by_slot(self, values: Any) -> list[float]:
        return np.round(np.broadcast_to(values, (self.slots,)), 3).tolist()

    def instance(self, name: str) -> Json:
        sites = [self.site(place) for place in self.places]
        jobs = self.jobs(sites)
        draft: Json = {
            "name": name,
            "start": START,
            "slots": self.slots,
            "carbon_price_gbp_per_tonne": self.one_of(0.0, 100.0),
            "sites": sites,
            "jobs": jobs,
            "frozen": [self.course(job) | {"job": job["id"]} for job in jobs if self.chance(0.3)]
            if self.chance(0.25)
            else [],
        }
        self.caps(draft)
        self.scenarios(draft)
        for site in sites:
            self.terms(site, draft)
        return draft

    def prices(self) -> list[float]:
        return self.by_slot(self.rng.normal(0.1, 0.12, self.slots))

    def carbons(self) -> list[float]:
        return self.by_slot(self.rng.integers(0, 400, self.slots).astype(float))

    def site(self, place: str) -> Json:
        headroom = self.rng.choice([0, 10, 15, 25, 40], self.slots).astype(float)
        site: Json = {
            "id": place,
            "region": REGIONS[self.places.index(place)],
            "headroom_kw": self.by_slot(0.0 if self.chance(0.05) else headroom + self.one_of(0, 0, 20)),
            "price_gbp_per_kwh": self.prices(),
            "carbon_g_per_kwh": self.carbons(),
            "pue": self.one_of(1.0, self.by_slot(self.rng.uniform(1, 1.4, self.slots))),
        }
        if self.chance(0.2):
            site["sold_kw"] = self.by_slot(self.rng.choice([0.0, 5.0, 12.0], self.slots))
        if self.chance(0.35):
            limits = self.rng.choice([8.0, 12.0, 25.0], self.slots)
            site["hardware_kw"] = {
                name: self.one_of(20.0, self.by_slot(limits)) for name in CLASSES if self.chance(0.7)
            }
        return site

    def jobs(self, sites: list[Json]) -> list[Json]:
        jobs = [self.job(f"j{number}") for number in range(int(self.rng.integers(1, 9)))]
        if self.chance(0.1):
            jobs = [jobs[0] | {"id": job["id"]} for job in jobs]
        if self.chance(0.25):
            self.gangs(jobs)
        if self.chance(0.3):
            self.order(jobs)
        if self.chance(0.3):
            equipped = any("hardware_kw" in site for site in sites)
            for job in jobs:
                if self.chance(0.6 if equipped else 0.1):
                    job["hardware"] = self.one_of(*CLASSES)
        if self.chance(0.3):
            for job in jobs:
                if self.chance(0.6):
                    self.standing(job)
        return jobs

    def job(self, name: str) -> Json:
        first = int(self.rng.integers(0, max(1, self.slots // 2)))
        last = self.slots if self.chance(0.5) else int(self.rng.integers(first, self.slots + 1))
        job: Json = {
            "id": name,
            "tenant": self.one_of(*TENANTS),
            "kind": self.one_of("block", "pausable", "elastic"),
            "earliest_slot": first,
            "latest_slot": last,
            "sites": [place for place in self.places if self.chance(0.8)],
            "unserved_penalty_gbp": self.one_of(0.0, 0.5, 5.0, 50.0, 50.0),
        }
        if self.chance(0.15):
            job["max_price_gbp_per_kwh"] = 0.15
        if self.chance(0.15):
            job["max_carbon_g_per_kwh"] = 250.0
        if job["kind"] == "elastic":
            ladder = LADDERS[self.rng.integers(len(LADDERS))]
            job["levels"] = [{"power_kw": power, "work_per_slot": work} for power, work in ladder]
            job["work"] = self.one_of(0.5, 1.0, 1.7, 2.3, 3.4)
        else:
            job["power_kw"] = TOO_LARGE_KW if self.chance(0.04) else self.one_of(5.0, 8.0, 12.0)
            job["duration_slots"] = int(self.rng.integers(1, 6))
        if job["kind"] == "pausable":
            self.pauses(job)
        if self.chance(0.15):
            job["carbon_cap_kg"] = self.one_of(0.0, 0.5, 1.5, 4.0)
        return job

    def pauses(self, job: Json) -> None:
        job["pause_cost_gbp"] = self.one_of(0.0, 0.1, 1.0)
        if self.chance(0.3):
            job["restart_slots"] = self.one_of(1, 1, 2)
        if self.chance(0.3):
            job["min_run_slots"] = self.one_of(1, 2, 3)
        if self.chance(0.3):
            job["max_pauses"] = self.one_of(0, 1, 2)

    def gangs(self, jobs: list[Json]) -> None:
        for job in jobs:
            if self.chance(0.6):
                job["gang"] = self.one_of("g", "g", "h")

    def order(self, jobs: list[Json]) -> None:
        """Chains and joins: each job only after earlier ones, so never in a circle."""
        for number, job in enumerate(jobs[1:], start=1):
            if self.chance(0.5):
                before = self.rng.choice(number, min(number, self.one_of(1, 1, 2)), replace=False)
                job["after"] = [jobs[row]["id"] for row in sorted(before.tolist())]

    def standing(self, job: Json) -> None:
        if self.chance(0.7):
            job["planned"] = self.course(job)
            job["move_cost_gbp"] = self.one_of(0.0, 0.2, 2.0)
        if self.chance(0.5):
            job["home"] = self.one_of(*self.places)
            job["migration_cost_gbp"] = self.one_of(0.0, 0.2, 2.0)

    def course(self, job: Json) -> Json:
        """One run, mostly within the job's window, perhaps a pause in it, now and then not what the job asks for."""
        power = job["levels"][-1]["power_kw"] if job["kind"] == "elastic" else job["power_kw"]
        length = min(self.slots, job.get("duration_slots") or self.one_of(1, 2, 4))
        latest = max(0, job["latest_slot"] - length)
        start = int(self.rng.integers(min(job["earliest_slot"], latest), latest + 1)) if self.chance(0.9) else 0
        runs = [[start, start + length, power]]
        if job["kind"] != "block" and length > 1 and start + length < self.slots and self.chance(0.4):
            runs = [[start, start + 1, power], [start + 2, start + length + 1, power]]
        return {"site": self.one_of(*(job["sites"] or self.places)), "runs": runs}

    def caps(self, draft: Json) -> None:
        for field, names in (("tenant_carbon_caps_kg", TENANTS), ("region_carbon_caps_kg", REGIONS[: self.sites])):
            if self.chance(0.15):
                draft[field] = {name: self.one_of(0.0, 1.0, 3.0, 8.0) for name in set(names) if self.chance(0.7)}
        if self.chance(0.25):
            draft["carbon_cap_kg"] = self.one_of(0.0, 2.0, 6.0, 15.0)

    def scenarios(self, draft: Json) -> None:
        if not self.chance(0.3):
            return
        likely = self.one_of((0.5, 0.5), (0.7, 0.2, 0.1), (0.25, 0.25, 0.25, 0.25))
        draft["scenarios"] = [
            {
                "probability": probability,
                "price_gbp_per_kwh": {place: self.prices() for place in self.places if self.chance(0.7)},
                "carbon_g_per_kwh": {place: self.carbons() for place in self.places if self.chance(0.3)},
            }
            for probability in likely
        ]
        if self.chance(0.7):
            draft["risk"] = {"level": self.one_of(0.0, 0.5, 0.8, 0.9), "weight": self.one_of(0.0, 0.3, 0.7, 1.0)}

    def terms(self, site: Json, draft: Json) -> None:
        """What the site does itself, such that frozen jobs and what cannot be avoided leave it possible."""
        left = np.array(site["headroom_kw"]) - site.get("sold_kw", 0.0)
        pue = np.broadcast_to(site["pue"], (self.slots,))
        for row in draft["frozen"]:
            for start, end, power in row["runs"] if row["site"] == site["id"] else ():
                left[start:end] -= power * pue[start:end]
        if self.chance(0.25):
            site["inference"] = {
                "demand_kw": self.by_slot(self.rng.choice([0.0, 4.0, 9.0], self.slots)),
                "value_gbp_per_kwh": self.one_of(0.2, self.by_slot(self.rng.normal(0.15, 0.1, self.slots))),
            }
        if self.chance(0.25):
            site["mining"] = self.mining(left, pue)
        if self.chance(0.25):
            site["battery"] = self.battery(left)

    def mining(self, left: np.ndarray, pue: np.ndarray) -> Json:
        least, ramp = self.one_of(0.0, 3.0, 6.0), self.one_of(None, 2.0, 4.0)
        term: Json = {
            "min_kw": least,
            "max_kw": least + self.one_of(0.5, 5.0, 12.0),
            "value_gbp_per_kwh": self.one_of(0.15, self.by_slot(self.rng.normal(0.12, 0.1, self.slots))),
            "initial_kw": 0.0,
        }
        if ramp is None:
            return term
        term["ramp_kw"] = ramp
        if self.chance(0.5):
            before = term["max_kw"] if self.chance(0.5) else least
            forced = np.maximum(0.0, before - ramp * np.arange(1, self.slots + 1))
            forced[np.append(before, forced[:-1]) <= least + ramp] = 0.0
            if np.all((forced == 0) | (forced * pue <= left)):
                term["initial_kw"] = before
                left -= forced * pue
        return term

    def battery(self, left: np.ndarray) -> Json:
        capacity, power, efficiency = self.one_of(4.0, 10.0), self.one_of(3.0, 8.0), self.one_of(0.8, 0.9, 1.0)
        initial = round(capacity * self.one_of(0.0, 0.5, 1.0), 3)
        most = initial + 0.45 * efficiency * float(np.clip(left, 0.0, power).sum())
        final = self.one_of(0.0, initial, round(min(capacity, most) - 5e-4, 3))
        return {
            "capacity_kwh": capacity,
            "power_kw": power,
            "efficiency": efficiency,
            "initial_kwh": initial,
            "final_kwh": max(0.0, final),
            "wear_gbp_per_kwh": self.one_of(0.0, 0.02),
        }
