"""An independent referee: reads an instance and a plan from their files and believes neither.

It shares no code with the planner: the limits, the objective and the lower bound are worked out here from the two
files alone. ``python -m benchmarks.referee INSTANCE PLAN`` prints a table and fails on any violation.

The bound is Lagrangian. For prices ``lambda[s,t] >= 0`` of headroom and ``mu >= 0`` of carbon, no valid plan costs less
than ``sum_j min(penalty_j, cheapest profile of j at those prices) - sum lambda * headroom - mu * cap``, because each
job then takes its own best profile and the shared limits, which any valid plan keeps, are paid for at most in full.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cheapest import LEAST, TOLERANCE, WORK_TOLERANCE, Array, Json, Mask, pause_cost

SLOT_HOURS = 0.5


@dataclass(frozen=True)
class Field:
    """The sites' figures, each (S, T), with what one kW of IT load costs and emits when held for a slot."""

    site_ids: tuple[str, ...]
    headroom_kw: Array
    price: Array
    carbon: Array
    pue: Array
    cost_gbp: Array
    carbon_kg: Array

    @classmethod
    def of(cls, instance: Json) -> Field:
        slots = instance["slots"]

        def table(field: str) -> Array:
            return np.array([np.broadcast_to(np.asarray(s[field], float), (slots,)) for s in instance["sites"]])

        price, carbon, pue = table("price_gbp_per_kwh"), table("carbon_g_per_kwh"), table("pue")
        energy_kwh = pue * SLOT_HOURS
        return cls(
            site_ids=tuple(s["id"] for s in instance["sites"]),
            headroom_kw=table("headroom_kw"),
            price=price,
            carbon=carbon,
            pue=pue,
            cost_gbp=energy_kwh * (price + instance["carbon_price_gbp_per_tonne"] * carbon / 1e6),
            carbon_kg=energy_kwh * carbon / 1000,
        )

    def permitted(self, job: Json) -> Mask:
        """(S, T): where and when the job's own limits let it run."""
        open_: Mask = np.zeros(self.price.shape, dtype=bool)
        open_[np.isin(np.array(self.site_ids), job["sites"])] = True
        open_[:, : job["earliest_slot"]] = False
        open_[:, job["latest_slot"] :] = False
        if job.get("max_price_gbp_per_kwh") is not None:
            open_ &= self.price <= job["max_price_gbp_per_kwh"]
        if job.get("max_carbon_g_per_kwh") is not None:
            open_ &= self.carbon <= job["max_carbon_g_per_kwh"]
        return open_


@dataclass(frozen=True)
class Verdict:
    """What the referee found; money in GBP, carbon in kg. ``violations`` is empty for a valid plan."""

    violations: tuple[str, ...]
    placed: int
    unserved: int
    objective_gbp: float
    claimed_objective_gbp: float
    bound_gbp: float
    claimed_bound_gbp: float
    carbon_kg: float

    @property
    def gap(self) -> float:
        """Distance of the recomputed objective from the recomputed bound, relative to the bound."""
        return relative_gap(self.objective_gbp, self.bound_gbp)


def relative_gap(objective: float, bound: float) -> float:
    """``(objective - bound) / |bound|``; 0 where both are 0."""
    return 0.0 if objective == bound else (objective - bound) / abs(bound) if bound else float("inf")


def near(a: float, b: float) -> bool:
    """Whether two figures agree; never true of NaN."""
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b))


def at_most(a: float, b: float) -> bool:
    """Whether ``a <= b`` up to rounding; never true of NaN."""
    return a <= b + TOLERANCE * max(1.0, abs(b))


# --- the plan's limits ------------------------------------------------------------------------------------------------


def profile_of(runs: list[Any], slots: int) -> tuple[Array, list[str]]:
    """(T,) IT kW of the runs, with what is wrong with them as runs."""
    power, faults = np.zeros(slots), []
    for start, end, power_kw in runs:
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= slots):
            faults.append(f"run [{start}, {end}) is not inside the {slots} slots")
        elif not 0 < power_kw < float("inf"):
            faults.append(f"run [{start}, {end}) has a power of {power_kw} kW")
        elif power[start:end].any():
            faults.append(f"run [{start}, {end}) overlaps another")
        else:
            power[start:end] = power_kw
    return power, faults


def job_faults(job: Json, runs: list[Any], power: Array) -> Iterator[str]:
    """What is wrong with the shape of a job's profile: power, duration, contiguity, work."""
    used = power[power > 0]
    if job["kind"] == "elastic":
        levels = sorted(job["levels"], key=lambda level: float(level["power_kw"]))
        level_kw = np.array([level["power_kw"] for level in levels])
        nearest = np.abs(used[:, None] - level_kw).argmin(axis=1)
        if not np.allclose(used, level_kw[nearest], rtol=TOLERANCE, atol=0):
            yield f"runs at a power that is none of its levels {level_kw.tolist()}"
        work = float(np.array([level["work_per_slot"] for level in levels])[nearest].sum())
        if not job["work"] <= work + WORK_TOLERANCE * max(1.0, job["work"]):
            yield f"does {work:g} of {job['work']:g} units of work"
        return
    if not np.allclose(used, job["power_kw"], rtol=TOLERANCE, atol=0):
        yield f"does not run at its {job['power_kw']} kW"
    if used.size != job["duration_slots"]:
        yield f"runs {used.size} of {job['duration_slots']} slots"
    if job["kind"] == "block" and len(runs) != 1:
        yield f"a block in {len(runs)} runs"


def pauses(power: Array) -> int:
    """How often a profile stops and starts again."""
    started = int(np.count_nonzero(np.diff(power > 0, prepend=False)) + (power[-1] > 0)) // 2
    return max(0, started - 1)


def same_runs(a: list[Any], b: list[Any]) -> bool:
    """Whether two lists of runs say the same, in whatever order."""
    return len(a) == len(b) and all(
        x[:2] == y[:2] and near(x[2], y[2]) for x, y in zip(sorted(a), sorted(b), strict=True)
    )


class Examination:
    """One instance and one plan, looked at job by job, then as a whole."""

    def __init__(self, instance: Json, plan: Json) -> None:
        self.instance, self.plan = instance, plan
        self.field = Field.of(instance)
        self.jobs: dict[str, Json] = {job["id"]: job for job in instance["jobs"]}
        self.frozen: dict[str, Json] = {frozen["job"]: frozen for frozen in instance.get("frozen") or ()}
        self.site_index = {site: i for i, site in enumerate(self.field.site_ids)}
        self.violations: list[str] = []
        self.load_kw = np.zeros_like(self.field.price)
        self.objective_gbp = self.carbon_kg = 0.0
        frozen_kw, frozen_kg = self._frozen_load()
        self.capacity_kw = np.maximum(self.field.headroom_kw, frozen_kw)
        cap = instance.get("carbon_cap_kg")
        self.cap_kg: float | None = None if cap is None else max(cap, frozen_kg)

    def run(self) -> Verdict:
        """Judge everything; a plan with violations still gets its figures."""
        if self.plan["instance"] != self.instance["name"]:
            self.fault(f"the plan is for {self.plan['instance']!r}, the instance is {self.instance['name']!r}")
        self._each_job_once()
        for assignment in self.plan["assignments"]:
            self._assignment(assignment)
        served = {assignment["job"] for assignment in self.plan["assignments"]}
        self.objective_gbp += sum(job["unserved_penalty_gbp"] for name, job in self.jobs.items() if name not in served)
        self._capacity()
        self._carbon_cap()
        bound = self._bound()
        self._claims(bound)
        return Verdict(
            violations=tuple(self.violations),
            placed=len(served),
            unserved=len(self.jobs) - len(served),
            objective_gbp=self.objective_gbp,
            claimed_objective_gbp=self.plan["objective_gbp"],
            bound_gbp=bound,
            claimed_bound_gbp=self.plan["bound_gbp"],
            carbon_kg=self.carbon_kg,
        )

    def fault(self, text: str) -> None:
        """Note a violation."""
        self.violations.append(text)

    def _each_job_once(self) -> None:
        named = Counter(row["job"] for row in (*self.plan["assignments"], *self.plan["unserved"]))
        for name, times in named.items():
            if name not in self.jobs:
                self.fault(f"job {name!r} is not in the instance")
            elif times > 1:
                self.fault(f"job {name!r} is named {times} times")
        for name in self.jobs.keys() - named.keys():
            self.fault(f"job {name!r} is neither placed nor unserved")
        placed = {row["job"] for row in self.plan["assignments"]}
        for name in self.frozen.keys() - placed:
            self.fault(f"job {name!r}: frozen, but not placed")

    def _assignment(self, row: Json) -> None:
        job, site = self.jobs.get(row["job"]), self.site_index.get(row["site"])
        if job is None or site is None:
            if site is None:
                self.fault(f"job {row['job']!r}: unknown site {row['site']!r}")
            return
        power, faults = profile_of(row["runs"], self.instance["slots"])
        faults.extend(self._frozen_faults(row) if row["job"] in self.frozen else self._limits(job, site, row, power))
        for text in faults:
            self.fault(f"job {row['job']!r}: {text}")
        self.load_kw[site] += power * self.field.pue[site]
        self.objective_gbp += float(power @ self.field.cost_gbp[site]) + pauses(power) * pause_cost(job)
        self.carbon_kg += float(power @ self.field.carbon_kg[site])

    def _frozen_faults(self, row: Json) -> Iterator[str]:
        """A frozen job answers to its frozen runs alone: they were valid when they were committed."""
        frozen = self.frozen[row["job"]]
        if row["site"] != frozen["site"] or not same_runs(row["runs"], frozen["runs"]):
            yield f"frozen at {frozen['site']!r} as {frozen['runs']}, planned at {row['site']!r} as {row['runs']}"

    def _limits(self, job: Json, site: int, row: Json, power: Array) -> Iterator[str]:
        if row["site"] not in job["sites"]:
            yield f"site {row['site']!r} is not among its sites"
        used = np.flatnonzero(power)
        if used.size and not (job["earliest_slot"] <= used[0] and used[-1] < job["latest_slot"]):
            yield f"runs in [{used[0]}, {used[-1] + 1}), outside [{job['earliest_slot']}, {job['latest_slot']})"
        for limit, figures, unit in (
            ("max_price_gbp_per_kwh", self.field.price, "GBP/kWh"),
            ("max_carbon_g_per_kwh", self.field.carbon, "g/kWh"),
        ):
            if job.get(limit) is not None and used.size and not figures[site, used].max() <= job[limit]:
                yield f"runs at {figures[site, used].max():g} {unit}, above its {limit} of {job[limit]:g}"
        yield from job_faults(job, row["runs"], power)

    def _frozen_load(self) -> tuple[Array, float]:
        """(S, T) draw at the meter, and kg of carbon, of what was frozen: the plan could not avoid either."""
        load, carbon = np.zeros_like(self.load_kw), 0.0
        for frozen in self.frozen.values():
            site = self.site_index[frozen["site"]]
            power, _ = profile_of(frozen["runs"], self.instance["slots"])
            load[site] += power * self.field.pue[site]
            carbon += float(power @ self.field.carbon_kg[site])
        return load, carbon

    def _capacity(self) -> None:
        within = self.load_kw <= self.capacity_kw + TOLERANCE * np.maximum(1.0, self.capacity_kw)
        for site, slot in np.argwhere(~within):
            self.fault(
                f"site {self.field.site_ids[site]!r} slot {slot}: "
                f"draws {self.load_kw[site, slot]:.3f} of {self.capacity_kw[site, slot]:.3f} kW"
            )

    def _carbon_cap(self) -> None:
        if self.cap_kg is not None and not at_most(self.carbon_kg, self.cap_kg):
            self.fault(f"emits {self.carbon_kg:.3f} kg, above the cap of {self.cap_kg:.3f} kg")

    def _prices(self) -> tuple[Array, float]:
        """The plan's prices (S, T) and carbon price; what is not a price counts as 0, and is a violation."""
        prices = np.full_like(self.field.price, np.nan)
        for row in self.plan["prices"]:
            site, values = self.site_index.get(row["site"]), row["headroom_gbp_per_kw_slot"]
            if site is None or len(values) != self.instance["slots"]:
                self.fault(f"prices of site {row['site']!r}: unknown site, or not one price a slot")
            else:
                prices[site] = values
        mu = self.plan["carbon_cap_price_gbp_per_kg"]
        if not (np.all(prices >= 0) and np.all(np.isfinite(prices)) and 0 <= mu < float("inf")):
            self.fault("a price is missing, below zero or not finite")
        return np.where(prices >= 0, prices, 0.0), max(0.0, mu)

    def _bound(self) -> float:
        prices, mu = self._prices()
        mu = 0.0 if self.cap_kg is None else mu
        charge = self.field.cost_gbp + prices * self.field.pue + mu * self.field.carbon_kg
        least = sum(self._least(job, charge) for job in self.jobs.values())
        return float(least - (prices * self.capacity_kw).sum() - mu * (self.cap_kg or 0.0))

    def _least(self, job: Json, charge: Array) -> float:
        """The least that a job can add to any plan at these charges (S, T) in GBP per IT kW and slot."""
        frozen = self.frozen.get(job["id"])
        if frozen is not None:
            power, _ = profile_of(frozen["runs"], self.instance["slots"])
            return float(power @ charge[self.site_index[frozen["site"]]]) + pauses(power) * pause_cost(job)
        window = slice(job["earliest_slot"], job["latest_slot"])
        permitted = self.field.permitted(job)
        sites = permitted.any(axis=1)
        offer = LEAST[job["kind"]](job, charge[sites, window], permitted[sites, window])
        return min(float(job["unserved_penalty_gbp"]), offer)

    def _claims(self, bound: float) -> None:
        claimed, claimed_bound = self.plan["objective_gbp"], self.plan["bound_gbp"]
        if not near(claimed, self.objective_gbp):
            self.fault(f"claims an objective of {claimed:.6f} GBP; it is {self.objective_gbp:.6f} GBP")
        if not at_most(bound, self.objective_gbp):
            self.fault(f"the bound {bound:.6f} GBP is above the objective {self.objective_gbp:.6f} GBP")
        if not at_most(claimed_bound, bound):
            self.fault(f"claims a bound of {claimed_bound:.6f} GBP; its prices prove only {bound:.6f} GBP")
        if not near(self.plan["gap"], relative_gap(claimed, claimed_bound)):
            self.fault(
                f"claims a gap of {self.plan['gap']}; its own figures make {relative_gap(claimed, claimed_bound)}"
            )


# --- files and table --------------------------------------------------------------------------------------------------


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def read(path: Path) -> Json:
    """Read ``.json`` or ``.json.gz``; NaN and infinities are refused with :class:`ValueError`."""
    raw = path.read_bytes()
    parsed: Json = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw, parse_constant=_refuse)
    return parsed


def judge(instance: Json, plan: Json) -> Verdict:
    """Judge a plan against its instance, both as read from their files."""
    return Examination(instance, plan).run()


def table(verdict: Verdict) -> str:
    """The verdict for people."""
    rows = [
        ("placed / unserved", f"{verdict.placed} / {verdict.unserved}", ""),
        ("objective, GBP", f"{verdict.objective_gbp:.4f}", f"claimed {verdict.claimed_objective_gbp:.4f}"),
        ("bound, GBP", f"{verdict.bound_gbp:.4f}", f"claimed {verdict.claimed_bound_gbp:.4f}"),
        ("gap", f"{verdict.gap:.4%}", ""),
        ("carbon, kg", f"{verdict.carbon_kg:.1f}", ""),
        ("violations", str(len(verdict.violations)), ""),
    ]
    lines = [f"{name:<18} {value:>16}  {note}".rstrip() for name, value, note in rows]
    return "\n".join([*lines, *(f"  - {text}" for text in verdict.violations[:50])])


def main(arguments: list[str]) -> int:
    """0 for a valid plan, 1 for violations, 2 for files that cannot be judged."""
    if len(arguments) != 2:
        print("usage: python -m benchmarks.referee INSTANCE PLAN", file=sys.stderr)
        return 2
    try:
        verdict = judge(*(read(Path(name)) for name in arguments))
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        print(f"cannot be judged: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(table(verdict))
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
