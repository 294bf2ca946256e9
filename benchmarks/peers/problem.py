"""An instance as the peers' arrays, and plans in the shape of the plan file; written apart from planner and referee."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.forms import SLOT_HOURS, Json

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


class Course(NamedTuple):
    """What a job does: runs ``[start, end)`` at an IT power in kW, at one site."""

    job: int
    site: int
    runs: list[tuple[int, int, float]]


@dataclass(frozen=True)
class Problem:
    """One instance; site figures are (S, T)."""

    instance: Json

    @property
    def jobs(self) -> list[Json]:
        """The jobs as they stand in the file."""
        jobs: list[Json] = self.instance["jobs"]
        return jobs

    @property
    def slots(self) -> int:
        """Half-hours of the horizon."""
        return int(self.instance["slots"])

    @cached_property
    def site_ids(self) -> list[str]:
        """Names of the sites, in their order."""
        return [site["id"] for site in self.instance["sites"]]

    @cached_property
    def headroom_kw(self) -> Array:
        """At the meter, less what is sold."""
        return self._table("headroom_kw") - self._table("sold_kw", 0.0)

    @cached_property
    def pue(self) -> Array:
        """Meter power by IT power."""
        return self._table("pue")

    @cached_property
    def price(self) -> Array:
        """GBP/kWh."""
        return self._table("price_gbp_per_kwh")

    @cached_property
    def carbon(self) -> Array:
        """g/kWh."""
        return self._table("carbon_g_per_kwh")

    @cached_property
    def cost_gbp(self) -> Array:
        """Of one IT kW held for a slot, carbon price included."""
        rate = self.price + self.instance["carbon_price_gbp_per_tonne"] * self.carbon / 1e6
        return np.asarray(self.pue * SLOT_HOURS * rate)

    @property
    def barred(self) -> dict[str, Array]:
        """The figures that a job's own limits are about."""
        return {"max_price_gbp_per_kwh": self.price, "max_carbon_g_per_kwh": self.carbon}

    def sites_of(self, job: Json) -> list[int]:
        """Rows of the sites where a job may run, in its own order."""
        return [self._site_rows[site] for site in job["sites"]]

    def permitted(self, job: Json) -> Mask:
        """(sites of the job, slots of its window): where its own limits let it run."""
        rows, window = self.sites_of(job), slice(job["earliest_slot"], job["latest_slot"])
        open_: Mask = np.ones((len(rows), max(0, window.stop - window.start)), dtype=bool)
        for limit, figures in self.barred.items():
            if job.get(limit) is not None:
                open_ &= figures[rows, window] <= job[limit]
        return open_

    @cached_property
    def _site_rows(self) -> dict[str, int]:
        return {site: row for row, site in enumerate(self.site_ids)}

    def _table(self, field: str, default: float | None = None) -> Array:
        figures = [site[field] if default is None else site.get(field) or default for site in self.instance["sites"]]
        return np.array([np.broadcast_to(np.asarray(values, float), (self.slots,)) for values in figures])


def runs_of(power_kw: Array, first_slot: int) -> list[tuple[int, int, float]]:
    """Runs of a profile that begins at ``first_slot``: one for each stretch of equal power above nought."""
    edges = np.flatnonzero(np.diff(power_kw, prepend=0.0, append=0.0))
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [(first_slot + a, first_slot + b, float(power_kw[a])) for a, b in spans if power_kw[a] > 0]


def rows_of(problem: Problem, courses: Iterable[Course]) -> list[Json]:
    """The assignments of a plan file."""
    return [
        {"job": problem.jobs[course.job]["id"], "site": problem.site_ids[course.site], "runs": course.runs}
        for course in courses
    ]


def objective_gbp(problem: Problem, assignments: list[Json]) -> float:
    """What a plan costs: energy with its carbon, pauses, and the penalties of the jobs that it leaves out."""
    jobs = {job["id"]: job for job in problem.jobs}
    sites = {site: row for row, site in enumerate(problem.site_ids)}
    spent = 0.0
    for row in assignments:
        runs = sorted(row["runs"])
        spent += sum(kw * float(problem.cost_gbp[sites[row["site"]], a:b].sum()) for a, b, kw in runs)
        pauses = sum(one[1] < other[0] for one, other in pairwise(runs))
        spent += pauses * float(jobs.pop(row["job"]).get("pause_cost_gbp") or 0.0)
    return spent + sum(float(job["unserved_penalty_gbp"]) for job in jobs.values())
