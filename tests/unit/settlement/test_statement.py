from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from accounting.runs import Run, RunCalendar
from accounting.volumes import recorded
from accounting.working_days import WorkingDays
from agents.settlement.statement import day_statement
from core.slots import SLOTS_PER_DAY
from tests.house import START, Bench
from tests.unit.settlement.test_agent import ACTIVATION, UNIT, begin, register, state

DAY = date(2023, 3, 1)
CALENDAR = RunCalendar(working_days={"SF": 16})


def of(bench, instant, site_id="london", calendar=None):
    return day_statement(bench.house.log, site_id, DAY, instant, calendar, WorkingDays())


def test_a_day_adds_up_to_its_periods(bench: Bench):
    begin(bench)
    stated = [body for body in state(bench, SLOTS_PER_DAY) if body["site_id"] == "london"]
    found = of(bench, bench.clock.now())
    assert [each.key.settlement_period for each in found.periods] == list(range(1, SLOTS_PER_DAY + 1))
    assert found.totals["metered_mwh"].mwh == sum(Decimal(body["metered_mwh"]) for body in stated)
    assert found.totals["deviation_mwh"].mwh == recorded(Decimal(0))
    assert (found.gbp, found.missing, found.binding, found.runs) == (None, (), frozenset(), {})


def test_before_anything_was_stated_every_period_is_missing(bench: Bench):
    begin(bench)
    state(bench, SLOTS_PER_DAY)
    found = of(bench, START + timedelta(hours=1))
    assert (found.periods, len(found.missing)) == ((), SLOTS_PER_DAY)


def test_an_earlier_view_can_be_had_after_a_restatement(bench: Bench):
    register(bench).write_text(UNIT)
    begin(bench)
    state(bench, SLOTS_PER_DAY)
    before = bench.clock.now()
    register(bench).write_text(UNIT + ACTIVATION)
    state(bench, SLOTS_PER_DAY + 1)
    then, now = of(bench, before), of(bench, bench.clock.now(), calendar=CALENDAR)
    assert {each.revision for each in then.periods} == {0}
    assert sorted(each.key.settlement_period for each in now.periods if each.revision) == [36, 37]
    assert then.totals["deviation_mwh"].mwh == 0 != now.totals["deviation_mwh"].mwh
    assert now.runs == {Run.SF: date(2023, 3, 23)}


def test_a_unit_noted_later_counts_nothing_twice(bench: Bench):
    begin(bench)
    state(bench, SLOTS_PER_DAY)
    whole = of(bench, bench.clock.now())
    register(bench).write_text(UNIT)
    state(bench, SLOTS_PER_DAY + 1)
    found = of(bench, bench.clock.now())
    assert (len(found.periods), found.totals) == (SLOTS_PER_DAY, whole.totals)
    assert all(each.key.pair for each in found.periods)


def test_a_unit_that_is_taken_out_and_put_back_leaves_one_statement_of_each_period(bench: Bench):
    register(bench).write_text(UNIT)
    begin(bench)
    state(bench, SLOTS_PER_DAY)
    before = of(bench, bench.clock.now())
    register(bench).write_text("")
    stated = state(bench, SLOTS_PER_DAY + 1)
    assert [body["withdrawn"] for body in stated] == [True] * SLOTS_PER_DAY + [False] * SLOTS_PER_DAY
    assert {body["metered_mwh"] for body in stated[:SLOTS_PER_DAY]} == {None}
    whole = of(bench, bench.clock.now())
    assert (whole.totals, {each.key.pair for each in whole.periods}) == (before.totals, {""})
    assert state(bench, SLOTS_PER_DAY + 2) == []
    register(bench).write_text(UNIT)
    state(bench, SLOTS_PER_DAY + 3)
    again = of(bench, bench.clock.now())
    assert (again.totals, again.scope2, {each.revision for each in again.periods}) == (
        before.totals,
        before.scope2,
        {2},
    )


def test_a_pair_that_was_replaced_counts_nothing_twice(bench: Bench):
    register(bench).write_text(UNIT)
    begin(bench)
    state(bench, SLOTS_PER_DAY)
    before = of(bench, bench.clock.now())
    register(bench).write_text(UNIT.replace("1012345678901", "1012345678902"))
    state(bench, SLOTS_PER_DAY + 1)
    after = of(bench, bench.clock.now())
    assert (after.totals, after.scope2, after.scope2.parts) == (before.totals, before.scope2, SLOTS_PER_DAY)
    assert after.scope2.location_kg > 0
    assert {each.key.pair for each in after.periods}.isdisjoint(each.key.pair for each in before.periods)


def test_other_sites_and_days_are_left_out(bench: Bench):
    begin(bench)
    state(bench, SLOTS_PER_DAY)
    assert {each.key.site_id for each in of(bench, bench.clock.now(), "leeds").periods} == {"leeds"}
    assert of(bench, bench.clock.now(), "oslo").periods == ()
