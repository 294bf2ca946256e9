"""Firm prices: two certified plans, every job still served, and no cap broken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.flexibility.firm import MOST_PLANS, Pricing, Wanted
from agents.negotiation import Effort, Outcome
from agents.proposal import drawn_kw
from agents.solver import InlineSolver
from core.errors import SolverFailed
from core.instance import Instance
from core.plan import Plan
from core.slots import SLOT
from tests.unit.flexibility.plans import MOVE_GBP, job, planned, present, two_sites
from tests.unit.planning import START, random_instance

RISING = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


class Watched(InlineSolver):
    """Remembers the plans it made."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []

    def solve(self, instance: Instance, seed: int, effort: Effort) -> Outcome:
        outcome = super().solve(instance, seed, effort)
        self.plans.append(outcome.plan)
        return outcome


def wanted(slot: int, kw: float, site: str = "a") -> Wanted:
    return Wanted(site, START + SLOT * slot, kw)


def test_the_price_is_what_the_other_plan_costs_more():
    now = present(planned(two_sites(job("j"), price=RISING)))
    firm = Pricing(now, InlineSolver(), 1).firm([wanted(0, 10)])
    assert (firm.served, firm.share, firm.reason) == (True, 1.0, "")
    assert firm.cost_gbp == pytest.approx(5 * (0.3 - 0.1) + MOVE_GBP)
    assert firm.cost_ends_gbp[0] - 1e-6 <= firm.cost_gbp <= firm.cost_ends_gbp[1] + 1e-6
    (promise,) = firm.promises
    assert (promise.baseline_kw, promise.reduction_kw, promise.cap_kw) == pytest.approx((10, 10, 0))
    assert firm.energy_kwh == pytest.approx(5)
    assert firm.carbon_kg == pytest.approx(0)


def test_only_whole_jobs_move_so_a_little_less_costs_as_much_as_all():
    now = present(planned(two_sites(job("j"), price=RISING)))
    firm = Pricing(now, InlineSolver(), 1).firm([wanted(0, 1)])
    assert firm.served
    assert firm.promises[0].cap_kw == pytest.approx(9)
    assert firm.cost_gbp == pytest.approx(5 * (0.3 - 0.1) + MOVE_GBP)


def test_more_than_is_planned_is_promised_as_far_as_it_is_planned():
    now = present(planned(two_sites(job("j"), price=RISING)))
    firm = Pricing(now, InlineSolver(), 1).firm([wanted(0, 40)])
    assert (firm.served, firm.share) == (False, pytest.approx(0.25))
    assert firm.promises[0].reduction_kw == pytest.approx(10)
    assert "a draws 10.0 kW" in firm.reason


def test_nothing_of_a_job_that_could_not_keep_its_deadline_is_promised():
    solver = Watched()
    now = present(planned(two_sites(job("stuck", last=2, sites=("a",)), job("free", last=8), price=RISING)))
    firm = Pricing(now, solver, 1).firm([wanted(0, 20)])
    assert not firm.served
    assert "job stuck would not be done by its deadline" in firm.reason
    assert 0.4 <= firm.share <= 0.5, "one of two jobs may move, found to a sixteenth"
    assert firm.promises[0].reduction_kw == pytest.approx(20 * firm.share)
    assert len(solver.plans) <= MOST_PLANS


def test_what_has_begun_and_cannot_pause_is_not_promised():
    now = present(planned(two_sites(job("j", slots=3), price=RISING)), first=1)
    firm = Pricing(now, InlineSolver(), 1).firm([wanted(1, 5)])
    assert (firm.served, firm.share, firm.promises) == (False, 0.0, ())
    assert "10.0 kW of it for what has begun" in firm.reason


@pytest.mark.parametrize("late", [wanted(0, 5), wanted(99, 5), wanted(2, 5, "nowhere")])
def test_a_half_hour_that_no_plan_decides_is_not_promised(late: Wanted):
    now = present(planned(two_sites(job("j"), price=RISING)), first=1)
    firm = Pricing(now, InlineSolver(), 1).firm([late])
    assert (firm.served, firm.promises) == (False, ())
    assert "decides nothing any more" in firm.reason


def test_where_no_plan_is_found_in_time_nothing_is_promised():
    class Late(InlineSolver):
        def solve(self, instance: Instance, seed: int, effort: Effort) -> Outcome:
            raise SolverFailed("out of time")

    now = present(planned(two_sites(job("j"), price=RISING)))
    firm = Pricing(now, Late(), 1).firm([wanted(0, 5)])
    assert (firm.served, firm.promises) == (False, ())
    assert "out of time" in firm.reason


@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 1.3))
@settings(max_examples=40, deadline=None)
def test_promises_keep_every_job_and_every_cap_and_never_cost_less_than_nothing(seed: int, share: float):
    now, solver = present(planned(random_instance(seed, jobs=6))), Watched()
    drawn = now.drawn_kw
    asked = [
        Wanted(now.figures.site_ids[row], START + SLOT * int(slot), share * float(drawn[row, slot]))
        for row, slot in np.argwhere(drawn > 0)[:3]
    ]
    firm = Pricing(now, solver, 1).firm(asked)
    assert firm.cost_gbp >= -1e-9
    assert firm.cost_ends_gbp[0] - 1e-6 <= firm.cost_gbp <= firm.cost_ends_gbp[1] + 1e-6
    assert firm.served == (firm.share >= 1.0 and bool(asked))
    for promise in firm.promises:
        cell = now.figures.site_ids.index(promise.site_id), int((promise.starts - START) / SLOT)
        assert promise.reduction_kw <= drawn[cell] - now.frozen_kw[cell] + 1e-6
    if firm.with_caps is None:
        return
    best = next(plan for plan in solver.plans[1:] if plan.objective_gbp == firm.with_caps.objective_gbp)
    replanned = drawn_kw(best.assignments, now.figures)
    assert now.served <= {assigned.job for assigned in best.assignments}
    assert (replanned <= np.maximum(now.figures.unsold_kw, 0) + 1e-6).all()
    for promise in firm.promises:
        cell = now.figures.site_ids.index(promise.site_id), int((promise.starts - START) / SLOT)
        assert replanned[cell] <= promise.cap_kw + 1e-6
