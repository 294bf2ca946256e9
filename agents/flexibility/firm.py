"""Firm prices: what a reduction costs, as the difference of two certified plans, with it and without it.

A plan that keeps to the caps is a plan without them too, so the cost is never below nought. The certificates say how
far the difference may be from that of two perfect plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agents.flexibility.present import Present
from agents.negotiation import Effort
from agents.policy.certificate import gap
from agents.proposal import DECIMALS, drawn_kw
from agents.solver import Solver
from core.errors import PlanError
from core.instance import Instance
from core.market import TOLERANCE_KW
from core.plan import Plan
from core.series import FloatArray
from core.slots import SLOT, SLOT_HOURS, format_utc, slots_between

EFFORT = Effort(time_limit_s=2.0)
HALVINGS = 4
"""plans tried between nothing and the whole: the share is found to a sixteenth of what is not frozen"""
MOST_PLANS = HALVINGS + 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Load that is to leave one half-hour at one site: ``kw`` at the meter, of what jobs draw there."""

    site_id: str
    starts: datetime
    kw: float


@dataclass(frozen=True, slots=True)
class Promise:
    """One half-hour of what can be promised: jobs draw ``baseline_kw`` in the plan in force, and then less."""

    site_id: str
    starts: datetime
    baseline_kw: float
    reduction_kw: float

    @property
    def cap_kw(self) -> float:
        """What jobs may draw then."""
        return max(0.0, self.baseline_kw - self.reduction_kw)


@dataclass(frozen=True, slots=True)
class Certified:
    """Objective, bound and gap of one plan."""

    objective_gbp: float
    bound_gbp: float
    gap: float

    @classmethod
    def of(cls, plan: Plan) -> Certified:
        """What a plan says of itself."""
        return cls(plan.objective_gbp, plan.bound_gbp, plan.gap)


@dataclass(frozen=True, slots=True)
class Firm:
    """What can be promised, and for what.

    :param served: all that was wanted can be promised; otherwise ``reason`` says why not, and ``share`` is the largest
        share of it found that can, the same in every half-hour, 0 for none.
    :param promises: what can be promised at that share; it is what the costs are of.
    :param cost_gbp: objective with the promises less that without: energy, carbon at its price, pauses and moves.
    :param cost_ends_gbp: between which perfect plans would differ, by the certificates.
    :param carbon_kg: emitted more with the promises; negative: less.
    :param without: certificate of the plan without; ``with_caps`` of the other. None where none was made.
    """

    tick_id: str
    served: bool
    reason: str
    share: float
    promises: tuple[Promise, ...]
    cost_gbp: float
    cost_ends_gbp: tuple[float, float]
    carbon_kg: float
    without: Certified | None
    with_caps: Certified | None

    @property
    def energy_kwh(self) -> float:
        """kWh that leave all half-hours together."""
        return sum(promise.reduction_kw for promise in self.promises) * SLOT_HOURS


@dataclass(frozen=True, slots=True)
class _Tried:
    """A share of what is wanted, and the plan that keeps to it; ``lost`` are jobs that it would not serve."""

    share: float
    plan: Plan
    lost: tuple[str, ...]


class Pricing:
    """Prices what is wanted of one present plan; ``MOST_PLANS`` plans at most are made, one after another."""

    def __init__(self, present: Present, solver: Solver, seed: int, effort: Effort = EFFORT) -> None:
        self._present = present
        self._solver = solver
        self._seed = seed
        self._effort = effort
        self._baseline, self._frozen = present.drawn_kw, present.frozen_kw

    def firm(self, wanted: Sequence[Wanted]) -> Firm:
        """The price of all that is ``wanted``, or of the largest share of it that can be promised."""
        asked = _together(wanted)
        unknown = [one for one in asked if self._cell(one) is None]
        if unknown or not asked:
            where = f"{unknown[0].site_id} at {format_utc(unknown[0].starts)}" if unknown else "nothing"
            return self._nothing(f"the plan in force decides nothing any more for {where}" if unknown else where)
        most, why = self._most(asked)
        if most <= 0:
            return self._nothing(why)
        try:
            return self._priced(asked, most, why)
        except PlanError as error:
            return self._nothing(f"no plan was found in time: {error}")

    def _priced(self, asked: Sequence[Wanted], most: float, why: str) -> Firm:
        """Try the most that may be, then halve the distance between what can and what cannot be promised."""
        free = self._solved(self._present.instance)
        tried = self._tried(asked, most)
        best = tried if not tried.lost else None
        if tried.lost:
            why = why or f"job {tried.lost[0]} would not be done by its deadline"
            low, high = 0.0, most
            for _ in range(HALVINGS):
                half = self._tried(asked, 0.5 * (low + high))
                if half.lost:
                    high = half.share
                else:
                    low, best = half.share, half
        return self._nothing(why, free) if best is None else self._differ(asked, best, free, why)

    def _most(self, asked: Sequence[Wanted]) -> tuple[float, str]:
        """The largest share that what is planned and not frozen allows, and what stands against more."""
        least, why = 1.0, ""
        for one in asked:
            cell = self._cell(one)
            movable = float(self._baseline[cell] - self._frozen[cell])
            if movable < one.kw - TOLERANCE_KW and movable / one.kw < least:
                least = max(0.0, movable / one.kw)
                why = (
                    f"{one.site_id} draws {self._baseline[cell]:.1f} kW for jobs at {format_utc(one.starts)}, "
                    f"{self._frozen[cell]:.1f} kW of it for what has begun; {one.kw:.1f} kW less were asked for"
                )
        return (least if least > TOLERANCE_KW else 0.0), why

    def _tried(self, asked: Sequence[Wanted], share: float) -> _Tried:
        """A plan that keeps to a share of what is wanted."""
        plan = self._solved(self._capped(asked, share))
        done = {assigned.job for assigned in plan.assignments}
        return _Tried(share, plan, tuple(sorted(self._present.served - done)))

    def _capped(self, asked: Sequence[Wanted], share: float) -> Instance:
        """The present instance with the caps that a share of what is wanted makes."""
        figures, caps = self._present.figures, np.full_like(self._baseline, np.inf)
        for promise, cell in zip(self._promises(asked, share), map(self._cell, asked), strict=True):
            caps[cell] = promise.cap_kw
        rows = {site: caps[row] for row, site in enumerate(figures.site_ids)}
        sites = tuple(
            site.model_copy(update={"headroom_kw": _least(site.headroom_kw, rows[site.id])})
            for site in self._present.instance.sites
        )
        name = f"{self._present.instance.name}, reduced"
        return self._present.instance.model_copy(update={"sites": sites, "name": name})

    def _solved(self, instance: Instance) -> Plan:
        return self._solver.solve(instance, self._seed, self._effort).plan

    def _promises(self, asked: Sequence[Wanted], share: float) -> tuple[Promise, ...]:
        """What a share of what is wanted comes to; a cap is never below what is frozen."""
        found = []
        for one in asked:
            baseline, frozen = (float(each[self._cell(one)]) for each in (self._baseline, self._frozen))
            found.append(Promise(one.site_id, one.starts, baseline, min(share * one.kw, baseline - frozen)))
        return tuple(found)

    def _differ(self, asked: Sequence[Wanted], best: _Tried, free: Plan, why: str) -> Firm:
        """The difference of two plans. Where the one with caps is the better one, it is the best plan without too."""
        capped = best.plan
        without = free if free.objective_gbp <= capped.objective_gbp else capped
        low = max(0.0, capped.bound_gbp - without.objective_gbp)
        high = max(0.0, capped.objective_gbp - free.bound_gbp)
        return Firm(
            tick_id=self._present.tick_id,
            served=best.share >= 1.0,
            reason=why if best.share < 1.0 else "",
            share=best.share,
            promises=self._promises(asked, best.share),
            cost_gbp=capped.objective_gbp - without.objective_gbp,
            cost_ends_gbp=(low, high),
            carbon_kg=self._carbon_kg(capped) - self._carbon_kg(without),
            without=Certified(without.objective_gbp, free.bound_gbp, gap(without.objective_gbp, free.bound_gbp)),
            with_caps=Certified.of(capped),
        )

    def _carbon_kg(self, plan: Plan) -> float:
        """What all jobs of a plan emit, by the figures quoted."""
        figures = self._present.figures
        drawn = drawn_kw(plan.assignments, figures)
        return float((drawn * np.nan_to_num(figures.carbon_g_per_kwh)).sum() * SLOT_HOURS / 1000)

    def _nothing(self, why: str, free: Plan | None = None) -> Firm:
        """Nothing can be promised."""
        certified = None if free is None else Certified.of(free)
        return Firm(self._present.tick_id, False, why, 0.0, (), 0.0, (0.0, 0.0), 0.0, certified, None)

    def _cell(self, one: Wanted) -> tuple[int, int] | None:
        """Row and slot of a half-hour that a plan made now still decides; None for any other."""
        figures = self._present.figures
        slot = slots_between(figures.start, one.starts)
        decided = self._present.first <= slot < figures.slots and figures.start + SLOT * slot == one.starts
        known = {site.id for site in self._present.instance.sites}
        return (figures.site_ids.index(one.site_id), slot) if decided and one.site_id in known else None


def _together(wanted: Sequence[Wanted]) -> list[Wanted]:
    """What is wanted of each half-hour of each site in all; nothing where it is not above nought."""
    total: dict[tuple[str, datetime], float] = {}
    for one in wanted:
        total[one.site_id, one.starts] = total.get((one.site_id, one.starts), 0.0) + one.kw
    return [Wanted(site, starts, kw) for (site, starts), kw in sorted(total.items()) if kw > 0]


def _least(headroom_kw: Sequence[float], caps: FloatArray) -> tuple[float, ...]:
    return tuple(np.round(np.minimum(headroom_kw, caps), DECIMALS).tolist())
