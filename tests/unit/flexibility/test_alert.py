"""Alerts: shift, pause or go on, whichever is cheapest and breaks no promise."""

from __future__ import annotations

import pytest

from agents.flexibility.alert import Action, answer_alert
from core.slots import SLOT
from tests.unit.flexibility.plans import MOVE_GBP, job, movable, planned, two_sites
from tests.unit.planning import START

RISING = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def at(*slots: int) -> list:
    return [START + SLOT * slot for slot in slots]


def test_a_job_under_way_that_may_pause_does():
    load = movable(planned(two_sites(job("j", "pausable", slots=3), price=RISING)), first=1)
    answer = answer_alert(load, "a", at(1), 10.0)
    assert answer.action is Action.PAUSE
    assert answer.means is not None
    assert answer.means.job_ids == ("j",)
    assert answer.means.freed_kw == pytest.approx((10,))
    assert answer.means.cost_gbp == pytest.approx(5 * (0.4 - 0.2) + MOVE_GBP), "it runs an hour later instead"
    assert answer.planned_kw == pytest.approx((10,))


def test_a_cheaper_shift_of_a_job_that_waits_is_preferred():
    jobs = job("runs", "pausable", slots=3, pause_cost_gbp=9.0), job("waits", first=2, last=8, slots=1)
    load = movable(planned(two_sites(*jobs, price=RISING)), first=1)
    answer = answer_alert(load, "a", at(2), 10.0)
    assert answer.action is Action.SHIFT
    assert answer.means is not None
    assert answer.means.job_ids == ("waits",)
    pause, shift = answer.considered
    assert pause.cost_gbp > shift.cost_gbp > 0
    assert f"£{shift.cost_gbp:.2f} to shift, £{pause.cost_gbp:.2f} to pause" in answer.reason


def test_where_a_deadline_would_be_missed_the_load_goes_on():
    load = movable(planned(two_sites(job("j", last=3, slots=3), price=RISING)), first=1)
    answer = answer_alert(load, "a", at(1, 2), 5.0)
    assert (answer.action, answer.means) == (Action.CONTINUE, None)
    assert answer.planned_kw == pytest.approx((10, 10))
    assert "at most 0.0 kW can be shifted and 0.0 kW paused" in answer.reason


def test_half_hours_under_way_stay_as_they_are_and_are_named():
    load = movable(planned(two_sites(job("j", "pausable", slots=3), price=RISING)), first=1)
    answer = answer_alert(load, "a", at(0, 1), 10.0)
    assert (answer.starts, answer.too_late) == (tuple(at(1)), tuple(at(0)))
    gone = answer_alert(load, "a", at(0), 10.0)
    assert (gone.action, gone.starts) == (Action.CONTINUE, ())
    assert "decides nothing any more" in gone.reason


def test_no_more_jobs_move_than_are_needed():
    jobs = [job(f"j{number}", slots=1, power_kw=10.0 * (number + 1)) for number in range(3)]
    load = movable(planned(two_sites(*jobs, price=RISING)))
    answer = answer_alert(load, "a", at(0), 25.0)
    assert answer.means is not None
    assert sum(answer.means.freed_kw) >= 25.0
    for left_out in answer.means.job_ids:
        freed = sum(each.power_kw or 0 for each in jobs if each.id in answer.means.job_ids and each.id != left_out)
        assert freed < 25.0
