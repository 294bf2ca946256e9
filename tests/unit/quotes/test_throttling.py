"""Throttlable jobs: equal to trying every level in every slot, for every deadline."""

from __future__ import annotations

import numpy as np
import pytest

from agents.quotes.book import Openings
from agents.quotes.courses import Course, runs_of
from agents.quotes.throttling import Throttlable
from core.job import Level, capped_levels
from tests.pace import paced_s
from tests.unit.quotes.markets import cheapest_levels, random_openings

LADDERS = {
    "one level": ((10.0,), (1.0,)),
    "caps": ((5.0, 7.5, 10.0), (0.82, 0.955, 1.0)),
    "five levels": ((2.0, 4.0, 6.0, 8.0, 10.0), (0.4, 0.65, 0.85, 0.95, 1.0)),
}


def levels_of(ladder: str) -> tuple[Level, ...]:
    return tuple(Level(power_kw=kw, work_per_slot=work) for kw, work in zip(*LADDERS[ladder], strict=True))


def charges(found: list[Course | None]) -> list[float]:
    return [np.inf if course is None else course.charge_gbp for course in found]


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("ladder", LADDERS)
@pytest.mark.parametrize("work", [1.0, 2.3, 5.0])
def test_levels_are_the_cheapest_there_are_for_every_deadline(seed: int, ladder: str, work: float):
    openings = random_openings(seed)
    deadlines = list(range(openings.first + openings.slots + 3))
    expected = [cheapest_levels(openings, *LADDERS[ladder], work, each) for each in deadlines]
    assert charges(Throttlable(openings, levels_of(ladder), work).best(deadlines)) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("seed", range(10))
def test_a_course_runs_at_levels_that_fit_does_its_work_in_time_and_costs_what_it_says(seed: int):
    openings = random_openings(seed, slots=50)
    work_of = dict(zip((0.0, *LADDERS["caps"][0]), (0.0, *LADDERS["caps"][1]), strict=True))
    deadlines = list(range(4, 60, 5))
    for deadline, course in zip(deadlines, Throttlable(openings, levels_of("caps"), 6.0).best(deadlines), strict=True):
        if course is None:
            continue
        power = course.power_kw[openings.first :]
        assert runs_of(course.power_kw)[-1][1] <= deadline
        assert (power <= openings.kw[course.row]).all()
        assert sum(work_of[kw] for kw in power.tolist()) >= 6 - 1e-9
        assert course.charge_gbp == pytest.approx(power @ openings.charge[course.row])


@pytest.mark.parametrize("seed", range(10))
def test_a_later_deadline_is_never_dearer_and_the_earliest_end_is_the_first_that_is_possible(seed: int):
    openings = random_openings(seed, sites=4, slots=150)
    deadlines = list(range(openings.first + 151))
    courses = Throttlable(openings, levels_of("caps"), 11.0)
    told = charges(courses.best(deadlines))
    assert told == sorted(told, reverse=True)
    assert courses.earliest_end == np.flatnonzero(np.isfinite(told))[0]


def test_slots_that_pay_are_run_at_full_power_beyond_the_need():
    charge = np.array([[0.2, -0.1, 0.2, -0.3, 0.2]])
    openings = Openings(np.array([0]), 0, np.full((1, 5), 10.0), charge)
    (found,) = Throttlable(openings, capped_levels(10.0), 1.0).best([5])
    assert found is not None
    assert runs_of(found.power_kw) == ((1, 2, 10.0), (3, 4, 10.0))


def test_a_dear_slot_that_comes_later_is_used_where_levels_then_meet_the_work_exactly():
    """35 slots need 0.01 more work than they do without another step of 0.045; a slot of 0.82 replaces 18 of those."""
    charge = np.array([[*[0.999] * 25, *[1.0] * 10, 9.12]])
    openings = Openings(np.array([0]), 0, np.full((1, 36), 10.0), charge)
    first, second = charges(Throttlable(openings, levels_of("caps"), 25 + 10 * 0.955 + 0.01).best([35, 36]))
    step = 2.5 * 1.0
    assert first == pytest.approx(25 * 10 * 0.999 + 10 * 7.5 + step)
    assert second == pytest.approx(first - step - 18 * 2.5 * 0.999 + 5 * 9.12)


def test_where_all_charges_are_equal_a_week_long_job_is_still_answered_soon():
    """The hardest case: everything is within the gap, so the search is cut short."""
    flat = Openings(np.arange(3), 0, np.full((3, 336), 10.0), np.full((3, 336), 0.1))
    hard = Throttlable(flat, capped_levels(10.0), 100.0)
    found = charges(hard.best(list(range(122, 337, 20))))
    assert paced_s(lambda: hard.best(list(range(122, 337, 20))), tries=1) < 2
    relaxed = 100 / 0.82 * 5 * 0.1
    assert relaxed <= found[0] < relaxed * 1.01
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("shape", [(0, 10), (2, 0), (2, 3)])
def test_without_sites_or_slots_enough_there_is_no_course(shape: tuple[int, int]):
    openings = Openings(np.arange(shape[0]), 0, np.full(shape, 10.0), np.zeros(shape))
    courses = Throttlable(openings, levels_of("caps"), 4.0)
    assert courses.earliest_end is None
    assert courses.best([0, 4, 9]) == [None, None, None]
