"""What may be moved: never more than there is, at the price of the best other course."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.flexibility.movable import MovableLoad
from agents.flexibility.moves import Seats
from agents.job.crew import best_of
from benchmarks.instances.mixed import generate
from core.slots import SLOT
from tests.unit.flexibility.plans import MOVE_GBP, job, movable, planned, present, two_sites
from tests.unit.planning import START, random_instance

RISING = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def cells(load: MovableLoad) -> list[tuple[int, int]]:
    return [(int(row), int(slot)) for row, slot in np.argwhere(load.movable_kw > 0)]


def test_a_block_is_charged_its_best_other_course_as_a_whole():
    load = movable(planned(two_sites(job("j"), price=RISING)))
    assert cells(load) == [(0, 0), (0, 1)]
    later = 5 * (0.2 + 0.3) - 5 * (0.1 + 0.2) + MOVE_GBP
    last_slot = 5 * (0.3 + 0.4) - 5 * (0.1 + 0.2) + MOVE_GBP
    elsewhere = 5 * (0.2 + 0.4) - 5 * (0.1 + 0.2) + MOVE_GBP
    assert load.price_gbp_per_kwh[0, 0] == pytest.approx(min(later, elsewhere) / 5)
    assert load.price_gbp_per_kwh[0, 1] == pytest.approx(min(last_slot, elsewhere) / 5)
    assert np.isnan(load.price_gbp_per_kwh[1]).all()
    assert load.carbon_kg_per_kwh[0, :2] == pytest.approx(0)
    assert load.planned_kw[0, :2] == pytest.approx(10)


def test_a_pausable_job_leaves_one_half_hour_and_pays_for_its_pause():
    load = movable(
        planned(two_sites(job("j", "pausable", sites=("a",)), price=(0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9)))
    )
    assert load.movable_kw.sum() == pytest.approx(20)
    assert np.nanmax(load.price_gbp_per_kwh) == pytest.approx((0.1 + MOVE_GBP) / 5)
    assert np.nanmin(load.price_gbp_per_kwh) == pytest.approx(MOVE_GBP / 5)


def test_jobs_that_want_the_same_room_elsewhere_do_not_both_count():
    instance = two_sites(job("one", last=2), job("two", last=2), headroom_kw=20.0)
    b = instance.sites[1].model_copy(update={"headroom_kw": (10.0,) * 8})
    load = movable(planned(instance.model_copy(update={"sites": (instance.sites[0], b)})))
    assert load.planned_kw[0, 0] == pytest.approx(20)
    assert load.movable_kw[0, 0] == pytest.approx(10), "site b has room for one of them"


def test_what_has_begun_and_cannot_pause_is_fixed():
    made = planned(two_sites(job("block", slots=3), job("pauses", "pausable", slots=3), price=RISING))
    load = movable(made, first=1)
    assert load.fixed_kw[0].tolist() == [0, 10, 10, 0, 0, 0, 0, 0]
    assert load.planned_kw[0].tolist() == [0, 20, 20, 0, 0, 0, 0, 0]
    assert load.movable_kw[0].tolist() == [0, 10, 10, 0, 0, 0, 0, 0]
    assert load.present.begun == {"block", "pauses"}
    pauses = next(each for each in load.present.instance.jobs if each.id == "pauses")
    assert (pauses.duration_slots, pauses.sites, pauses.earliest_slot) == (2, ("a",), 1)


def test_a_job_that_cannot_be_done_otherwise_does_not_move():
    load = movable(planned(two_sites(job("j", last=2, sites=("a",)))))
    assert load.planned_kw.sum() == pytest.approx(20)
    assert not load.movable_kw.any()
    assert not load.confidence.any()


def test_room_kept_for_expected_load_makes_a_move_less_certain():
    instance = two_sites(job("j"), price=RISING, headroom_kw=20.0)
    assert movable(planned(instance)).confidence[0, 0] == 1.0
    unsure = movable(planned(instance), reserved_kw=15.0)
    assert (unsure.movable_kw[0, 0], unsure.confidence[0, 0]) == (pytest.approx(10), 0.0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_no_more_moves_than_is_planned_and_every_job_is_back_in_its_place(seed: int):
    load = movable(planned(random_instance(seed, jobs=6)))
    assert (load.movable_kw <= load.planned_kw - load.fixed_kw + 1e-9).all()
    assert ((load.confidence >= 0) & (load.confidence <= 1)).all()
    some = load.movable_kw > 0
    assert (load.price_gbp_per_kwh[some] >= 0).all()
    assert np.isnan(load.price_gbp_per_kwh[~some]).all()
    again = load.seats.from_each()
    assert np.array_equal(again.kw, load.seats.from_each().kw)
    sums = np.zeros_like(load.planned_kw)
    np.add.at(sums, (again.site, again.slot), again.kw)
    assert sums == pytest.approx(load.seats.courses.load_kw)


@given(seed=st.integers(0, 10_000), most=st.floats(0.5, 40))
@settings(max_examples=40, deadline=None)
def test_bid_curves_rise_and_offer_no_more_than_is_planned(seed: int, most: float):
    load = movable(planned(random_instance(seed, jobs=6)))
    starts = [START + SLOT * slot for slot in range(1, 4)]
    curves = load.bid_curve({"s0", "s1"}, starts, most)
    assert list(curves) == starts
    for slot, steps in enumerate(curves.values(), 1):
        assert all(one.price_gbp_per_kwh < other.price_gbp_per_kwh for one, other in itertools.pairwise(steps))
        assert all(step.kw > 0 and step.price_gbp_per_kwh >= 0 for step in steps)
        assert sum(step.kw for step in steps) <= min(most, load.planned_kw[:, slot].sum()) + 1e-6


def test_load_does_not_go_from_one_half_hour_of_an_event_to_another():
    load = movable(planned(two_sites(job("j", last=4, sites=("a",)), price=RISING)))
    inside = [START, START + SLOT, START + 2 * SLOT]
    assert load.movable_kw[0, 0] > 0
    assert not any(load.bid_curve({"a"}, inside, 100.0).values())
    (first, second) = load.bid_curve({"a"}, inside[:2], 100.0).values()
    assert first == second
    assert first[0].price_gbp_per_kwh == pytest.approx((5 * 0.4 + MOVE_GBP) / 10, abs=1e-6)


def test_an_answer_costs_no_more_than_a_few_of_those_that_prove_a_bound():
    """Paired, so that it says the same on any machine: a job's move against its best answer in a negotiation."""
    made = planned(generate(jobs=1_500, sites=5))
    seats = Seats.of(present(made), np.zeros_like(made.figures.headroom_kw))
    count = len(seats.from_each().job)
    best_of(seats.orders, seats.board._replace(hard=False), keep=True)
    moving, proving = [], []
    for _ in range(3):
        began = time.perf_counter()
        seats.from_each()
        halfway = time.perf_counter()
        best_of(seats.orders, seats.board._replace(hard=False), keep=True)
        moving.append((halfway - began) / count)
        proving.append((time.perf_counter() - halfway) / len(seats.jobs))
    assert min(moving) < 8 * min(proving)
