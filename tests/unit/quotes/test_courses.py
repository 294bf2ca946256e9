"""Block and pausable jobs: equal to trying every course, for every deadline."""

from __future__ import annotations

import numpy as np
import pytest

from agents.quotes.book import Openings
from agents.quotes.courses import Block, Course, FullPower, Pausable, runs_of
from tests.unit.quotes.markets import cheapest, random_openings

POWER_KW = 8.0


def charges(found: list[Course | None]) -> list[float]:
    return [np.inf if course is None else course.charge_gbp for course in found]


def all_deadlines(openings: Openings) -> list[int]:
    return list(range(openings.first + openings.slots + 3))


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("slots", [1, 3, 5])
def test_a_block_is_the_cheapest_there_is_for_every_deadline(seed: int, slots: int):
    openings = random_openings(seed)
    expected = [cheapest(openings, POWER_KW, slots, each, np.inf) for each in all_deadlines(openings)]
    assert charges(Block(openings, POWER_KW, slots).best(all_deadlines(openings))) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("pause_gbp", [0.0, 0.1, 1.0])
def test_a_pausable_job_pauses_where_that_pays_for_every_deadline(seed: int, pause_gbp: float):
    openings = random_openings(seed)
    expected = [cheapest(openings, POWER_KW, 4, each, pause_gbp) for each in all_deadlines(openings)]
    assert charges(Pausable(openings, POWER_KW, 4, pause_gbp).best(all_deadlines(openings))) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("pause_gbp", [None, 0.0, 0.3])
def test_a_course_runs_where_it_may_and_costs_what_it_says(seed: int, pause_gbp: float | None):
    openings = random_openings(seed, slots=60)
    courses: FullPower = (
        Block(openings, POWER_KW, 5) if pause_gbp is None else Pausable(openings, POWER_KW, 5, pause_gbp)
    )
    for deadline, course in zip(all_deadlines(openings), courses.best(all_deadlines(openings)), strict=True):
        if course is None:
            continue
        power = course.power_kw[openings.first :]
        runs = runs_of(course.power_kw)
        assert runs[-1][1] <= deadline
        assert (power <= openings.kw[course.row]).all()
        assert sum(end - start for start, end, _ in runs) == 5
        pauses = (pause_gbp or 0.0) * (len(runs) - 1)
        assert course.charge_gbp == pytest.approx(power @ openings.charge[course.row] + pauses)
        assert pause_gbp is not None or len(runs) == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_later_deadline_is_never_dearer_and_the_earliest_end_is_the_first_that_is_possible(seed: int):
    openings = random_openings(seed, sites=5, slots=200)
    for courses in (Block(openings, POWER_KW, 7), Pausable(openings, POWER_KW, 30, 0.05)):
        told = charges(courses.best(all_deadlines(openings)))
        assert told == sorted(told, reverse=True)
        possible = np.flatnonzero(np.isfinite(told))
        assert courses.earliest_end == (possible[0] if possible.size else None)


def test_of_equal_courses_the_first_to_end_is_taken_at_the_first_site():
    flat = Openings(np.array([3, 4]), 0, np.full((2, 40), 10.0), np.full((2, 40), 0.1))
    for courses in (Block(flat, POWER_KW, 3), Pausable(flat, POWER_KW, 3, 0.0)):
        found = courses.best([3, 20, 40])
        assert found[0] is found[1] is found[2]
        assert found[0] is not None
        assert (found[0].row, runs_of(found[0].power_kw)) == (3, ((0, 3, POWER_KW),))


@pytest.mark.parametrize("shape", [(0, 10), (2, 0), (2, 3)])
def test_without_sites_or_slots_enough_there_is_no_course(shape: tuple[int, int]):
    openings = Openings(np.arange(shape[0]), 0, np.full(shape, 10.0), np.zeros(shape))
    for courses in (Block(openings, POWER_KW, 4), Pausable(openings, POWER_KW, 4, 0.1)):
        assert courses.earliest_end is None
        assert courses.best([0, 4, 9]) == [None, None, None]


def test_runs_are_stretches_of_constant_power():
    assert runs_of(np.array([0.0, 5, 5, 7, 0, 5])) == ((1, 3, 5.0), (3, 4, 7.0), (5, 6, 5.0))
    assert runs_of(np.zeros(4)) == ()
