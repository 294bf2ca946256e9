from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from accounting.runs import PeriodKey, Run, RunCalendar, Statement, as_of, binding, restate
from accounting.working_days import WorkingDays
from core.errors import Conflict
from tests.unit.accounting.samples import EVENT

KEY = PeriodKey("london", EVENT, 36)
START = datetime(2026, 10, 21, tzinfo=UTC)


def stated(seq, revision, run=Run.II, supersedes=None, key=KEY, **figures):
    return Statement(key, seq, START + timedelta(days=seq), run, revision, supersedes, figures)


THREE = [
    stated(3, 0, mwh="0.2000"),
    stated(8, 1, Run.SF, 3, mwh="0.1990"),
    stated(20, 2, Run.R1, 8, mwh="0.1980"),
]


def test_later_runs_outrank_earlier_ones_and_bind_from_sf_on():
    assert sorted(Run) == [Run.II, Run.SF, Run.R1, Run.R2, Run.R3, Run.RF, Run.DF]
    assert [run for run in Run if not run.binds] == [Run.II]


def test_a_calendar_says_when_each_run_is():
    calendar = RunCalendar(working_days={"SF": 16, "R1": 39})
    assert calendar.due(date(2026, 10, 20), WorkingDays()) == {Run.SF: date(2026, 11, 11), Run.R1: date(2026, 12, 14)}


@pytest.mark.parametrize("days", [{"XX": 3}, {"SF": 39, "R1": 16}, {"SF": 16, "R1": 16}, {"SF": 0}])
def test_a_calendar_out_of_order_is_refused(days):
    with pytest.raises(ValidationError):
        RunCalendar(working_days=days)


def test_the_first_statement_supersedes_nothing_and_the_next_one_the_first():
    assert restate(None, Run.II, {"mwh": "0.2000"}).supersedes_seq is None
    again = restate(THREE[0], Run.SF, {"mwh": "0.1990"})
    assert (again.revision, again.supersedes_seq) == (1, 3)


def test_what_is_not_new_is_not_stated_again():
    assert restate(THREE[0], Run.II, {"mwh": "0.2000"}) is None


def test_the_same_figures_of_a_later_run_are_stated():
    assert restate(THREE[0], Run.SF, {"mwh": "0.2000"}).revision == 1


@pytest.mark.parametrize("run", [Run.II, None])
def test_an_earlier_run_never_replaces_a_later_one(run):
    with pytest.raises(Conflict, match="earlier run"):
        restate(THREE[1], run, {"mwh": "0.3"})


@pytest.mark.parametrize(("days", "seq"), [(3, 3), (7.9, 3), (8, 8), (19, 8), (20, 20), (400, 20)])
def test_every_earlier_view_can_be_had_again(days, seq):
    assert as_of(THREE, START + timedelta(days=days))[KEY].seq == seq


def test_before_the_first_statement_there_is_none():
    assert as_of(THREE, START) == {}


def test_only_runs_from_sf_on_bind():
    assert binding(THREE, START + timedelta(days=7)) == {}
    assert binding(THREE, START + timedelta(days=30))[KEY].seq == 20


@pytest.mark.parametrize("wrong", [stated(8, 1, Run.SF, 2), stated(8, 2, Run.SF, 3), stated(8, 1, Run.SF, None)])
def test_a_version_that_does_not_follow_is_found(wrong):
    with pytest.raises(Conflict, match="record 8"):
        as_of([THREE[0], wrong], START + timedelta(days=30))


@given(st.permutations(THREE))
def test_the_order_of_reading_changes_nothing(records):
    assert as_of(records, START + timedelta(days=9)) == as_of(THREE, START + timedelta(days=9))
