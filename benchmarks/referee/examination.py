"""One instance and one plan, looked at together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from benchmarks.referee import limits as own
from benchmarks.referee import shared
from benchmarks.referee.bound import bound_gbp
from benchmarks.referee.courses import Courses
from benchmarks.referee.figures import Figures
from benchmarks.referee.jobs import Jobs
from benchmarks.referee.prices import Prices, own_gbp
from benchmarks.referee.terms import Terms
from benchmarks.referee.verdict import Array, Json, Verdict, at_most, near, relative_gap


class Examination:
    """One instance and one plan, as read from their files."""

    def __init__(self, instance: Json, plan: Json) -> None:
        self.instance, self.plan = instance, plan
        self.figures = Figures.of(instance)
        self.jobs = Jobs.of(instance, self.figures)
        self.limits = shared.Limits.of(instance, self.figures, self.jobs)
        self.courses, self.run_faults = Courses.read(
            plan["assignments"], self.jobs.index, self.figures.sites, self.figures.slots
        )
        self.terms, self.term_faults = Terms.read(plan, instance, self.figures)
        self.kg = self.courses.add_up(self.figures.kg)
        self.served = np.zeros(len(self.jobs.ids), dtype=bool)
        self.served[self.courses.job] = True

    def run(self) -> Verdict:
        """Judge everything; a plan with violations still gets its figures."""
        violations = [*self._naming(), *self.run_faults, *self._own_limits(), *self._shared_limits()]
        objective = self.objective_gbp()
        prices, price_faults = Prices.read(self.plan, self.instance, self.figures, self.limits)
        bound = bound_gbp(prices, self.instance, self.figures, self.jobs, self.limits)
        return Verdict(
            violations=(*violations, *price_faults, *self._claims(objective, bound)),
            placed=int(self.served.sum()),
            unserved=int((~self.served).sum()),
            objective_gbp=objective,
            claimed_objective_gbp=self.plan["objective_gbp"],
            bound_gbp=bound,
            claimed_bound_gbp=self.plan["bound_gbp"],
            carbon_kg=float(self.kg.sum()),
        )

    def _naming(self) -> Iterator[str]:
        """Every job is placed or unserved, and only once."""
        plan, jobs = self.plan, self.jobs
        if plan["instance"] != self.instance["name"]:
            yield f"the plan is for {plan['instance']!r}, the instance is {self.instance['name']!r}"
        named = Counter(row["job"] for part in ("assignments", "unserved") for row in plan[part])
        for name, times in named.items():
            if name not in jobs.index:
                yield f"job {name!r} is not in the instance"
            elif times > 1:
                yield f"job {name!r} is named {times} times"
        yield from (f"job {name!r} is neither placed nor unserved" for name in jobs.index if name not in named)
        for row in plan["assignments"]:
            if row["site"] not in self.figures.sites:
                yield f"job {row['job']!r}: unknown site {row['site']!r}"

    def _own_limits(self) -> Iterator[str]:
        """What each job asks of its course; of a frozen one, only that it is as it was frozen."""
        jobs, courses, frozen = self.jobs, self.courses, self.jobs.frozen
        for wrong, text in own.findings(courses, jobs, self.figures, jobs.earliest):
            for row in np.flatnonzero(wrong & jobs.free[courses.job]).tolist():
                yield f"job {jobs.ids[courses.job[row]]!r}: {text(row)}"
        stated = jobs.frozen_row[courses.job]
        given = {row["job"]: row for row in self.instance.get("frozen") or ()}
        for row in np.flatnonzero((stated >= 0) & ~courses.same_as(frozen, stated)).tolist():
            name = jobs.ids[courses.job[row]]
            yield f"job {name!r}: frozen at {given[name]['site']!r} as {given[name]['runs']}, planned otherwise"
        for job in np.flatnonzero(~jobs.free & ~self.served).tolist():
            yield f"job {jobs.ids[job]!r}: frozen, but not placed"

    def _shared_limits(self) -> Iterator[str]:
        jobs, courses = self.jobs, self.courses
        yield from self.term_faults
        yield from self.terms.faults(self.instance, self.figures)
        yield from shared.capacity_faults(self.limits, self.figures, self.meter_kw())
        yield from shared.hardware_faults(self.limits, self.figures, jobs, courses)
        yield from shared.cap_faults(self.limits, jobs, courses, self.kg)
        yield from shared.gang_faults(jobs, self.served)
        yield from shared.order_faults(jobs, courses, self.served)

    def meter_kw(self) -> Array:
        """(S, T) what the sites draw in all."""
        load = self.courses.load_kw(len(self.figures.sites))
        return self.figures.pue * load + self.terms.meter_kw(self.figures)

    def objective_gbp(self) -> float:
        """What the plan costs, at the risk that the instance states."""
        jobs, courses = self.jobs, self.courses
        planned = jobs.planned_row[courses.job]
        moved = (planned >= 0) & ~courses.same_as(jobs.planned, planned)
        fixed = own_gbp(courses, jobs).sum() + (moved * jobs.move_gbp[courses.job]).sum()
        fixed += jobs.penalty_gbp[~self.served].sum() + self.terms.own_gbp(self.instance, self.figures)
        energy = np.array([(self.meter_kw() * rate).sum() for rate in self.figures.rate]) * 0.5
        return float(fixed) + self._risked(energy)

    def _risked(self, energy_gbp: Array) -> float:
        """Of the cost in each scenario (K,): the mean, and in part that of the worst."""
        likely, risk = self.figures.probability, self.instance.get("risk") or {}
        weight, level = risk.get("weight", 0.0), risk.get("level", 0.9)
        worst = np.argsort(-energy_gbp)
        before = np.cumsum(likely[worst]) - likely[worst]
        share = np.clip((1 - level) - before, 0.0, likely[worst]) / (1 - level)
        return float((1 - weight) * (likely @ energy_gbp) + weight * (share @ energy_gbp[worst]))

    def _claims(self, objective: float, bound: float) -> Iterator[str]:
        claimed, claimed_bound, gap = (self.plan[field] for field in ("objective_gbp", "bound_gbp", "gap"))
        if not near(claimed, objective):
            yield f"claims an objective of {claimed:.6f} GBP; it is {objective:.6f} GBP"
        if not at_most(bound, objective):
            yield f"the bound {bound:.6f} GBP is above the objective {objective:.6f} GBP"
        if not at_most(claimed_bound, bound):
            yield f"claims a bound of {claimed_bound:.6f} GBP; its prices prove only {bound:.6f} GBP"
        made = relative_gap(claimed, claimed_bound)
        stated = math.inf if gap is None else gap
        if not (stated == made or near(stated * abs(claimed_bound), claimed - claimed_bound)):
            yield f"claims a gap of {gap}; its own figures make {made}"
