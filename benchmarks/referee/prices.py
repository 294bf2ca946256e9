"""The prices and scenario weights of a plan, and what they make of the sites' figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.referee.courses import Courses
from benchmarks.referee.figures import Figures
from benchmarks.referee.jobs import Jobs
from benchmarks.referee.shared import Cap, Limits
from benchmarks.referee.verdict import Array, Ints, Json, near

NO_PRICE = "a price is missing, below zero or not finite"


@dataclass(frozen=True)
class Prices:
    """Prices of headroom (S, T), of hardware (H, S, T) and of each cap; scenario weights (K,)."""

    headroom: Array
    hardware: Array
    caps: Array
    weights: Array

    @classmethod
    def read(cls, plan: Json, instance: Json, figures: Figures, limits: Limits) -> tuple[Prices, list[str]]:
        """What a plan states, and what is wrong with it; what is no price counts as 0.

        Every site has a row of headroom prices; of other limits a price that is not stated is 0.
        """
        headroom = np.full(figures.price.shape, np.nan)
        hardware = np.zeros(limits.hardware_kw.shape)
        faults = []
        for row in plan["prices"]:
            site, values = figures.sites.get(row["site"]), row["headroom_gbp_per_kw_slot"]
            if site is None or len(values) != figures.slots:
                faults.append(f"prices of site {row['site']!r}: unknown site, or not one price a slot")
                continue
            headroom[site] = values
            for name, figure in (row.get("hardware_gbp_per_kw_slot") or {}).items():
                if name not in figures.classes or len(figure) != figures.slots:
                    faults.append(f"prices of site {row['site']!r}: hardware {name!r} unknown, or not one price a slot")
                else:
                    hardware[figures.classes[name], site] = figure
        caps = np.array([_of_cap(plan, cap) for cap in limits.caps])
        stated = [float(plan["carbon_cap_price_gbp_per_kg"])]
        parts = [headroom, hardware, caps, np.array(stated)]
        if not all(np.all((part >= 0) & (part < np.inf)) for part in parts):
            faults.append(NO_PRICE)
        weights, wrong = scenario_weights(plan.get("scenario_weights") or (), instance, figures)
        headroom, hardware, caps = (np.where((part >= 0) & (part < np.inf), part, 0.0) for part in parts[:3])
        hardware[np.isnan(limits.hardware_kw)] = 0.0
        return cls(headroom, hardware, caps, weights), [*faults, *wrong]

    def paid_for(self, limits: Limits) -> float:
        """Sum of prices times limits."""
        caps = np.array([cap.limit_kg for cap in limits.caps])
        hardware = self.hardware * np.nan_to_num(limits.hardware_kw)
        return float((self.headroom * limits.capacity_kw).sum() + hardware.sum() + self.caps @ caps)


def _of_cap(plan: Json, cap: Cap) -> float:
    stated = plan.get(cap.field) or 0.0
    return float(stated.get(cap.name, 0.0) if isinstance(stated, Mapping) else stated)


def scenario_weights(stated: Any, instance: Json, figures: Figures) -> tuple[Array, list[str]]:
    """The (K,) weights with which energy counts; those that a plan may not state are replaced by the probabilities."""
    likely, scenarios = figures.probability, instance.get("scenarios") or ()
    if len(stated) != len(scenarios):
        return likely, [f"{len(stated)} scenario weights for {len(scenarios)} scenarios"]
    if not scenarios:
        return likely, []
    risk = instance.get("risk") or {}
    weight, level = risk.get("weight", 0.0), risk.get("level", 0.9)
    least, room = (1 - weight) * likely, weight * likely / (1 - level)
    weights = np.asarray(stated, dtype=float)
    if not (np.all(near(weights, np.clip(weights, least, least + room))) and near(weights.sum(), 1.0)):
        return likely, [f"scenario weights {list(stated)} are none that the risk allows"]
    return _into_set(weights, least, room), []


def _into_set(weights: Array, least: Array, room: Array) -> Array:
    """Weights that are right but for rounding, made exactly right: only then is the bound one."""
    extra = np.clip(weights - least, 0.0, room)
    short = 1.0 - least.sum() - extra.sum()
    slack = room - extra if short > 0 else extra
    return np.asarray(least + extra + slack * (short / slack.sum() if slack.sum() > 0 else 0.0))


@dataclass(frozen=True)
class Charges:
    """What an IT kW costs at the prices when held for one slot.

    :ivar tables: (H + 1, S, T) by class of hardware, the last for jobs that need none; tenants' caps left out.
    :ivar kg: (S, T), of which a job pays ``tenant_gbp_per_kg`` (n,) on top.
    :ivar meter: (S, T) per kW at the meter, for the sites' own terms: they pay no price of carbon caps.
    """

    tables: Array
    kg: Array
    tenant_gbp_per_kg: Array
    meter: Array

    @classmethod
    def at(cls, prices: Prices, figures: Figures, limits: Limits, jobs: Jobs) -> Charges:
        """Charges at prices."""
        meter = figures.meter_gbp(prices.weights) + prices.headroom
        tenant = np.zeros(len(jobs.ids))
        everyone = np.zeros(len(figures.sites))
        for cap, price in zip(limits.caps, prices.caps.tolist(), strict=True):
            if cap.field.startswith("tenant"):
                tenant[jobs.tenant == cap.tenant] += price
            else:
                everyone[cap.where] += price
        common = figures.pue * meter + everyone[:, None] * figures.kg
        tables = np.concatenate([common + prices.hardware, common[None]])
        return cls(tables, figures.kg, tenant, meter)

    def of(self, courses: Courses, jobs: Jobs) -> Array:
        """(c,) what courses are charged: their use, pauses and migrations, but no moves."""
        use = courses.add_up_rows(self.tables, self.row(jobs)[courses.job])
        return use + self.tenant_gbp_per_kg[courses.job] * courses.add_up(self.kg) + own_gbp(courses, jobs)

    def row(self, jobs: Jobs) -> Ints:
        """(n,) which of the tables a job is charged by."""
        return np.where(jobs.hardware < 0, len(self.tables) - 1, jobs.hardware)


def own_gbp(courses: Courses, jobs: Jobs) -> Array:
    """(c,) what pauses and being away from home cost."""
    job = courses.job
    away = (jobs.home[job] >= 0) & (jobs.home[job] != courses.site)
    return np.asarray(courses.pauses * jobs.pause_gbp[job] + away * jobs.migration_gbp[job])
