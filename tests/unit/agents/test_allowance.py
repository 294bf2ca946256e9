"""Allowances: a negotiation cut by its time limit is done again to the same point, with no clock to read."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.allowance import Deadline, Retraced
from agents.evidence import came_out
from agents.negotiation import Effort, negotiate, warm_up
from tests.unit.planning import random_instance

LIMITS_S = (0.5, 5, 20, 150, 300)
"""of a clock that goes on by a second whenever it is read: each ends a negotiation somewhere else"""


class Stopped:
    """A clock that nobody may read."""

    def monotonic(self) -> float:
        raise AssertionError("the clock was read")


@pytest.fixture
def slow_clock(monkeypatch):
    """A second passes with each look at the clock."""
    warm_up()
    reads = count()
    monkeypatch.setattr("agents.allowance.time.monotonic", lambda: float(next(reads)))


def test_a_time_limit_cuts_each_stage_and_the_work_gives_the_same_plan_again(monkeypatch):
    warm_up()
    instance = random_instance(3, jobs=16, sites=3, slots=10)
    ends = set()
    for limit_s in LIMITS_S:
        effort = Effort(time_limit_s=limit_s, target_gap=-1.0, trials_a_job=40)
        reads = count()
        with monkeypatch.context() as slow:
            slow.setattr("agents.allowance.time.monotonic", lambda reads=reads: float(next(reads)))
            first = negotiate(instance, 3, effort)
        with monkeypatch.context() as stopped:
            stopped.setattr("agents.allowance.time", Stopped())
            again = negotiate(instance, 3, effort, again=first.work)
        assert first.work.stops
        assert again.work == first.work
        assert came_out(again) == came_out(first)
        assert again.plan.model_copy(update={"wall_s": first.plan.wall_s}) == first.plan
        ends.add((first.work.rounds < 120, first.work.trials > 0, first.work.trials == 16 * 40))
    assert ends == {(True, False, False), (True, True, False), (True, True, True), (False, True, True)}


def test_a_clearing_that_came_to_nothing_in_its_time_is_not_tried_again(monkeypatch):
    warm_up()
    instance, effort = random_instance(3, jobs=16, sites=3, slots=10), Effort(target_gap=-1.0, trials_a_job=0)
    with monkeypatch.context() as hopeless:
        hopeless.setattr("agents.policy.master.Master.relaxed", lambda master, time_limit_s: None)
        first = negotiate(instance, 3, effort)
    assert (first.work.clearings, len(first.work.stops)) == (0, 1)
    assert came_out(negotiate(instance, 3, effort, again=first.work)) == came_out(first)
    assert negotiate(instance, 3, effort).work.clearings > 0


@pytest.mark.usefixtures("slow_clock")
def test_a_standing_plan_cut_before_its_first_round_is_done_again_so(monkeypatch):
    instance = random_instance(5, jobs=12, sites=2, slots=10)
    opening = negotiate(instance, 5, Effort(time_limit_s=1e9, trials_a_job=5)).plan.prices
    standing = instance.model_copy(update={"opening": opening})
    effort = Effort(time_limit_s=0.5, target_gap=-1.0)
    first = negotiate(standing, 5, effort)
    assert (first.work.rounds, len(first.work.stops)) == (0, 2)
    monkeypatch.setattr("agents.allowance.time", Stopped())
    assert came_out(negotiate(standing, 5, effort, again=first.work)) == came_out(first)


def test_a_negotiation_within_its_time_stops_nowhere():
    outcome = negotiate(random_instance(1), 1, Effort(time_limit_s=1e6))
    assert outcome.work.stops == ()
    assert outcome.work.rounds >= 1


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10)), max_size=30))
def test_a_retraced_allowance_answers_every_question_as_the_deadline_did(asked):
    now = [0.0]
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr("agents.allowance.time.monotonic", lambda: now[0])
        deadline = Deadline(5.0)
        told = [_ask(deadline, now, *question) for question in asked]
    retraced = Retraced(deadline.stops)
    assert [_ask(retraced, now, *question) for question in asked] == told
    assert retraced.stops == deadline.stops
    assert retraced.elapsed() == 0.0


def _ask(allowance: Deadline | Retraced, now: list[float], whether: bool, later: float) -> object:
    """One question ``later`` seconds on: whether time is over, or what work that takes two seconds gives."""
    now[0] += later
    return allowance.spent(0.5) if whether else allowance.within(0.5, lambda seconds: "done" if seconds > 2 else None)
