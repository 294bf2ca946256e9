"""The referee's cheapest courses agree with trying every course there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.referee import cheapest
from benchmarks.referee.bound import under_cap
from benchmarks.referee.figures import Figures
from benchmarks.referee.jobs import Jobs
from tests.unit.benchmarks.every_course import Json, every_course, pause_gbp, spent

SLOTS = 6
LADDERS = [
    [(3.0, 1.0)],
    [(1.0, 0.6), (2.0, 1.0)],
    [(1.0, 0.5), (2.0, 0.8), (3.0, 1.0)],
    [(1.0, 0.4), (2.0, 0.7), (3.0, 0.9), (4.0, 1.0)],
]
figures = st.lists(st.integers(-4, 9), min_size=SLOTS, max_size=SLOTS).map(lambda row: np.array(row, dtype=float))
masks = st.lists(st.booleans(), min_size=SLOTS, max_size=SLOTS).map(np.array)
charges = st.tuples(figures, masks | st.just(np.ones(SLOTS, dtype=bool))).map(lambda t: np.where(t[1], t[0], np.inf))
pausables = st.fixed_dictionaries(
    {
        "duration_slots": st.integers(1, 5),
        "pause_cost_gbp": st.sampled_from([0.0, 1.0, 7.0]),
        "restart_slots": st.sampled_from([None, 1, 2]),
        "min_run_slots": st.sampled_from([None, 1, 2, 3]),
        "max_pauses": st.sampled_from([None, 0, 1, 2]),
    }
).map(lambda fields: fields | {"kind": "pausable", "power_kw": 2.0})


def elastic_job(ladder: list[tuple[float, float]], work: float) -> Json:
    return {"kind": "elastic", "levels": [{"power_kw": p, "work_per_slot": w} for p, w in ladder], "work": work}


def columns(*jobs: Json, slots: int = SLOTS) -> Jobs:
    """Jobs at a site without any figures."""
    flat = {"headroom_kw": [0.0] * slots, "price_gbp_per_kwh": [0.0] * slots, "carbon_g_per_kwh": [0.0] * slots}
    common = {"sites": ["a"], "earliest_slot": 0, "latest_slot": slots, "unserved_penalty_gbp": 1.0}
    instance = {
        "slots": slots,
        "carbon_price_gbp_per_tonne": 0.0,
        "sites": [flat | {"id": "a", "region": "", "pue": 1.0}],
        "jobs": [common | {"id": str(number)} | job for number, job in enumerate(jobs)],
    }
    return Jobs.of(instance, Figures.of(instance))


def least(job: Json, *charge: np.ndarray) -> list[float]:
    """The referee's answer for one job, a channel for each charge; pauses are paid in the first."""
    jobs, rows, stack = columns(job), np.zeros(1, dtype=int), np.array(charge)[:, None]
    if job["kind"] == "elastic":
        return cheapest.elastic(stack, jobs, rows)[:, 0].tolist()
    pause = np.array([[job["pause_cost_gbp"]], [0.0]])[: len(charge)]
    return cheapest.pausable(stack * job["power_kw"], jobs, rows, pause)[:, 0].tolist()


def best(job: Json, charge: np.ndarray) -> float:
    courses = every_course(job, SLOTS)
    return float((spent(courses, charge) + pause_gbp(job, courses)).min(initial=np.inf))


@given(charges, st.integers(1, SLOTS + 1))
@settings(max_examples=80, deadline=None)
def test_the_cheapest_block_is_the_best_of_all_blocks(charge: np.ndarray, length: int) -> None:
    found = cheapest.block(charge[None, None], length)[0, 0].min()
    assert found == best({"kind": "block", "power_kw": 1.0, "duration_slots": length}, charge)


@given(charges, pausables)
@settings(max_examples=200, deadline=None)
def test_the_cheapest_runs_and_pauses_are_the_best_of_all(charge: np.ndarray, job: Json) -> None:
    assert least(job, charge) == [best(job, charge)]


@given(charges, st.sampled_from(LADDERS[:3]), st.sampled_from([0.5, 1.6, 3.0, 5.3, 6.0, 7.0]))
@settings(max_examples=60, deadline=None)
def test_the_cheapest_elastic_levels_are_the_best_of_all(
    charge: np.ndarray, ladder: list[tuple[float, float]], work: float
) -> None:
    job = elastic_job(ladder, work)
    assert least(job, charge) == [pytest.approx(best(job, charge))]


@given(charges, st.sampled_from([1.6, 6.0, 7.0]))
@settings(max_examples=25, deadline=None)
def test_with_more_than_three_levels_the_answer_is_a_lower_bound(charge: np.ndarray, work: float) -> None:
    job = elastic_job(LADDERS[3], work)
    found, expected = least(job, charge)[0], best(job, charge)
    assert found <= expected + 1e-9
    assert np.isinf(found) == np.isinf(expected)


def test_a_step_may_be_taken_in_part_where_there_are_more_than_three_levels() -> None:
    # 0.4 units at 3, then a third of the next step, 0.1 of 0.3 units at 3; all other slots are dearer.
    assert least(elastic_job(LADDERS[3], 0.5), np.array([3.0] + [9.0] * 5)) == [pytest.approx(4.0)]


@given(charges, figures, st.one_of(pausables, st.builds(elastic_job, st.sampled_from(LADDERS), st.just(1.6))))
@settings(max_examples=80, deadline=None)
def test_a_second_channel_adds_up_the_course_that_was_found(charge: np.ndarray, kg: np.ndarray, job: Json) -> None:
    value, added = least(job, charge, np.where(np.isinf(charge), np.inf, kg))
    assert value == least(job, charge)[0]
    if np.isfinite(value) and len(job.get("levels", ())) <= 3:
        courses = every_course(job, SLOTS)
        equally_cheap = np.isclose(spent(courses, charge) + pause_gbp(job, courses), value)
        assert np.isclose(spent(courses[equally_cheap], kg), added).any()


def test_jobs_of_different_lengths_are_answered_together() -> None:
    rows = [{"kind": "pausable", "power_kw": 1.0, "duration_slots": length, "max_pauses": 1} for length in (1, 2, 4)]
    charge = np.broadcast_to(np.array([3.0, 1.0, 5.0, 1.0, 9.0, 1.0]), (1, 3, SLOTS))
    found = cheapest.pausable(charge, columns(*rows), np.arange(3), np.zeros((1, 3)))
    assert found.tolist() == [[1.0, 2.0, 8.0]]


def test_a_duration_that_no_pattern_of_runs_makes_up_has_no_course() -> None:
    job = {"kind": "pausable", "power_kw": 1.0, "duration_slots": 2, "min_run_slots": 3, "pause_cost_gbp": 0.0}
    assert least(job, np.ones(SLOTS)) == [np.inf]


@given(
    charges,
    figures.map(np.abs),
    st.one_of(pausables, st.builds(elastic_job, st.sampled_from(LADDERS[:3]), st.just(1.6))),
    st.sampled_from([0.0, 3.0, 8.0, 15.0]),
)
@settings(max_examples=120, deadline=None)
def test_a_cap_of_a_job_is_priced_as_well_as_any_price_can(
    charge: np.ndarray, kg: np.ndarray, job: Json, cap: float
) -> None:
    jobs, rows = columns(job), np.zeros(1, dtype=int)

    def answer(stack: np.ndarray, row: np.ndarray, money: np.ndarray) -> np.ndarray:
        if job["kind"] == "elastic":
            return cheapest.elastic(stack, jobs, row)
        return cheapest.pausable(2 * stack, jobs, row, money[:, None] * job["pause_cost_gbp"])

    found = under_cap(answer, charge[None], kg[None], rows, np.array([cap]))[0]
    courses = every_course(job, SLOTS)
    gbp, emitted = spent(courses, charge) + pause_gbp(job, courses), spent(courses, kg)
    within, beyond = np.isfinite(gbp) & (emitted <= cap + 1e-9), np.isfinite(gbp) & (emitted > cap + 1e-9)
    if not within.any():
        assert found == np.inf
        return
    more = np.subtract.outer(emitted[beyond], emitted[within])
    meeting = np.unique(np.maximum(0.0, np.subtract.outer(gbp[within], gbp[beyond]).T / more))
    lines = gbp[np.isfinite(gbp)] + np.append(0.0, meeting)[:, None] * (emitted[np.isfinite(gbp)] - cap)
    assert found == pytest.approx(lines.min(axis=1).max())
    assert found <= gbp[within].min() + 1e-9
