from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Conflict, NotFound
from core.job import JobStatus
from core.ledger import Leg, SlotEntry, Totals
from core.series import Kind
from store.database import Database
from store.jobs import JobRepository
from store.ledger import LedgerRepository
from tests.unit.store.samples import T0, a_job, an_entry, slot

LATER = T0 + timedelta(minutes=5)
NUMBERS = count()


def jobs_in(database: Database, *job_ids: str, **facts: object) -> JobRepository:
    jobs = JobRepository(database)
    for job_id in job_ids:
        jobs.add(a_job(job_id, **facts))
    return jobs


def test_a_plan_schedules_its_jobs_and_stores_their_rows(database: Database) -> None:
    jobs, ledger = jobs_in(database, "j1", "j2", reason="no room yet"), LedgerRepository(database)
    rows = [an_entry("j1", 1), an_entry("j1", 2), an_entry("j2", 1, site_id="norway")]
    assert ledger.apply_plan(slot(1), rows, {"j1": "iceland", "j2": "norway"}, {}, at=LATER) == 2
    assert ledger.entries() == [rows[0], rows[2], rows[1]]
    assert [(j.status, j.site_id, j.reason) for j in jobs.open_jobs()] == [
        (JobStatus.SCHEDULED, "iceland", None),
        (JobStatus.SCHEDULED, "norway", None),
    ]


def test_rows_of_many_jobs_are_read_together_by_job_and_slot(database: Database) -> None:
    many = [f"j{number:04}" for number in range(600)]
    jobs_in(database, *many)
    ledger = LedgerRepository(database)
    rows = [an_entry(job_id, number) for job_id in many for number in (2, 1)]
    ledger.apply_plan(slot(0), rows, dict.fromkeys(many, "iceland"), {}, at=LATER)
    ledger.add_baseline([an_entry("j0000", 0, leg=Leg.BASELINE)])
    found = ledger.of_jobs([*many[:599], "absent"])
    assert list(found) == many[:599]
    assert [(row.leg, row.slot_start) for row in found["j0000"]] == [
        (Leg.BASELINE, slot(0)),
        (Leg.PLAN, slot(1)),
        (Leg.PLAN, slot(2)),
    ]
    assert ledger.of_jobs([]) == {}


def test_a_new_plan_replaces_rows_to_come_and_keeps_those_that_passed(database: Database) -> None:
    jobs_in(database, "j1", "j2")
    ledger = LedgerRepository(database)
    ledger.apply_plan(slot(0), [an_entry("j1", n) for n in range(4)], {"j1": "iceland"}, {}, at=LATER)
    ledger.add_baseline([an_entry("j1", 3, leg=Leg.BASELINE)])
    ledger.apply_plan(slot(2), [an_entry("j2", 3)], {"j2": "iceland"}, {}, at=LATER)
    ledger.apply_plan(slot(2), [an_entry("j1", 9)], {"j1": "iceland"}, {}, at=LATER)
    assert [row.slot_start for row in ledger.entries(job_id="j1", leg=Leg.PLAN)] == [slot(0), slot(1), slot(9)]
    assert len(ledger.entries(job_id="j1", leg=Leg.BASELINE)) == 1
    assert len(ledger.entries(job_id="j2")) == 1


def test_a_waiting_job_goes_back_to_pending_with_its_reason(database: Database) -> None:
    jobs, ledger = jobs_in(database, "j1"), LedgerRepository(database)
    ledger.apply_plan(slot(1), [an_entry("j1", 1)], {"j1": "iceland"}, {}, at=T0)
    assert ledger.apply_plan(slot(1), [], {}, {"j1": "site full"}, at=LATER) == 0
    job = jobs.get("j1")
    assert (job.status, job.reason, job.site_id) == (JobStatus.PENDING, "site full", None)
    assert ledger.entries() == []


@pytest.mark.parametrize("under_way", [JobStatus.RUNNING, JobStatus.PAUSED])
def test_jobs_under_way_keep_their_state_in_a_plan(database: Database, under_way: JobStatus) -> None:
    jobs, ledger = jobs_in(database, "j1", status=under_way, site_id="iceland"), LedgerRepository(database)
    assert ledger.apply_plan(slot(1), [an_entry("j1", 1)], {"j1": "iceland"}, {}, at=LATER) == 1
    assert jobs.get("j1").status is under_way
    assert len(ledger.entries()) == 1


def test_jobs_that_ended_meanwhile_are_left_alone(database: Database) -> None:
    jobs, ledger = (
        jobs_in(database, "j1", "j2", status=JobStatus.CANCELLED, reason="by owner"),
        LedgerRepository(database),
    )
    assert ledger.apply_plan(slot(1), [an_entry("j1", 1)], {"j1": "iceland"}, {"j2": "full"}, at=LATER) == 0
    assert ledger.entries() == []
    assert {jobs.get(j).reason for j in ("j1", "j2")} == {"by owner"}


def test_a_plan_that_fails_half_way_changes_nothing(database: Database) -> None:
    jobs, ledger = jobs_in(database, "j1"), LedgerRepository(database)
    ledger.apply_plan(slot(1), [an_entry("j1", 1)], {"j1": "iceland"}, {}, at=T0)
    twice = [an_entry("j1", 5), an_entry("j1", 5)]
    with pytest.raises(Conflict):
        ledger.apply_plan(slot(1), twice, {"j1": "norway"}, {}, at=LATER)
    assert [row.slot_start for row in ledger.entries()] == [slot(1)]
    assert jobs.get("j1").site_id == "iceland"


def test_ten_thousand_jobs_fit_into_one_plan(database: Database) -> None:
    ledger = LedgerRepository(database)
    assert ledger.apply_plan(slot(1), [], {}, {f"j{n}": "full" for n in range(10_000)}, at=T0) == 0


def test_rows_are_selected_by_window_site_leg_and_job(database: Database) -> None:
    jobs_in(database, "j1", "j2")
    ledger = LedgerRepository(database)
    ledger.add_baseline([an_entry("j1", n, leg=Leg.BASELINE) for n in range(5)])
    ledger.add_baseline([an_entry("j2", 2, leg=Leg.BASELINE, site_id="norway")])
    ledger.add_baseline([])
    assert [r.slot_start for r in ledger.entries(job_id="j1", start=slot(1), end=slot(3))] == [slot(1), slot(2)]
    assert [r.job_id for r in ledger.entries(site_id="norway")] == ["j2"]
    assert ledger.entries(leg=Leg.PLAN) == []


def test_delivery_is_recorded_and_survives_dropping_the_rest_of_the_plan(database: Database) -> None:
    jobs_in(database, "j1")
    ledger = LedgerRepository(database)
    ledger.apply_plan(slot(0), [an_entry("j1", n) for n in range(3)], {"j1": "iceland"}, {}, at=T0)
    ledger.record_deliveries([an_entry("j1", 0, delivered_kwh=4.25)])
    ledger.drop_plan("j1", slot(0))
    assert ledger.entries() == [an_entry("j1", 0, delivered_kwh=4.25)]


def test_delivery_in_a_slot_that_was_not_planned_is_refused(database: Database) -> None:
    with pytest.raises(NotFound, match="j1"):
        LedgerRepository(database).record_deliveries([an_entry("j1", 0, delivered_kwh=1.0)])


def test_settling_rewrites_figures_but_no_energy(database: Database) -> None:
    jobs_in(database, "j1")
    ledger = LedgerRepository(database)
    ledger.add_baseline([an_entry("j1", n, leg=Leg.BASELINE) for n in range(3)])
    first = ledger.unsettled(slot(2))[0]
    firm = replace(first, price_gbp_per_kwh=-0.02, price_kind=Kind.SETTLED, carbon_kind=Kind.SETTLED, settled=True)
    ledger.settle([replace(firm, power_kw=999.0, delivered_kwh=5.0)])
    assert ledger.entries(end=slot(1)) == [firm]
    assert [row.slot_start for row in ledger.unsettled(slot(2))] == [slot(1)]


# Whole millionths: PostgreSQL refuses products that underflow.
FIGURE = st.integers(-(10**9), 10**9).map(lambda millionths: millionths / 1e6)
POWER = st.integers(0, 10**11).map(lambda millionths: millionths / 1e6)


@st.composite
def some_rows(draw: st.DrawFn) -> list[SlotEntry]:
    job_ids = [f"p{next(NUMBERS)}" for _ in range(draw(st.integers(1, 3)))]
    keys = [(job_id, leg, n) for job_id in job_ids for leg in Leg for n in range(4)]
    return [
        an_entry(
            job_id,
            n,
            leg=leg,
            power_kw=draw(POWER),
            pue=draw(st.floats(1, 3)),
            price_gbp_per_kwh=draw(FIGURE),
            carbon_g_per_kwh=draw(POWER),
            delivered_kwh=draw(st.none() | POWER) if leg is Leg.PLAN else None,
            settled=draw(st.booleans()),
        )
        for job_id, leg, n in draw(st.lists(st.sampled_from(keys), unique=True))
    ]


def same(left: Totals, right: Totals) -> bool:
    def close(a: float, b: float) -> bool:
        return a == pytest.approx(b, rel=1e-9, abs=1e-3)

    return (
        close(left.energy_kwh, right.energy_kwh)
        and close(left.cost_gbp, right.cost_gbp)
        and close(left.carbon_kg, right.carbon_kg)
        and (left.rows, left.settled_rows) == (right.rows, right.settled_rows)
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=some_rows())
def test_totals_in_sql_are_the_sums_of_the_same_rows(database: Database, rows: list[SlotEntry]) -> None:
    ledger = LedgerRepository(database)
    job_ids = {row.job_id for row in rows}
    jobs_in(database, *job_ids)
    ledger.add_baseline(rows)
    by_job = ledger.totals_by_job(job_ids)
    assert by_job.keys() == {(row.job_id, row.leg) for row in rows}
    for (job_id, leg), totals in by_job.items():
        assert same(totals, Totals.of(row for row in rows if (row.job_id, row.leg) == (job_id, leg)))
    everyone = ledger.totals_by_job()
    assert all(same(everyone[key], totals) for key, totals in by_job.items())
    for leg in Leg:
        assert same(ledger.totals(leg), Totals.of(ledger.entries(leg=leg)))


@pytest.mark.parametrize("end", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_a_job_that_was_not_done_has_no_baseline_to_be_compared_with(database: Database, end: JobStatus) -> None:
    jobs_in(database, "j1", "j2")
    ledger = LedgerRepository(database)
    ledger.apply_plan(slot(0), [an_entry("j1", 0), an_entry("j2", 0)], {"j1": "iceland", "j2": "iceland"}, {}, at=T0)
    ledger.add_baseline([an_entry(job_id, 1, leg=Leg.BASELINE) for job_id in ("j1", "j2")])
    JobRepository(database).transition("j1", end, at=T0, reason="over")
    assert set(ledger.totals_by_job()) == {("j1", Leg.PLAN), ("j2", Leg.PLAN), ("j2", Leg.BASELINE)}


def test_a_baseline_is_scaled_to_what_the_job_used_and_no_other_row_changes(database: Database) -> None:
    jobs_in(database, "j1", "j2")
    ledger = LedgerRepository(database)
    rows = [an_entry(job_id, n, leg=Leg.BASELINE) for job_id in ("j1", "j2") for n in range(2)]
    ledger.add_baseline(rows)
    ledger.scale_baseline("j1", 0.25)
    assert [row.it_kwh for row in ledger.entries(job_id="j1")] == [row.it_kwh / 4 for row in rows[:2]]
    assert ledger.entries(job_id="j2") == rows[2:]


def test_what_tenants_drew_is_summed_by_site_and_slot_as_measured_or_else_as_awarded(database: Database):
    repository, ledger = JobRepository(database), LedgerRepository(database)
    for name, tenant in (("a1", "ada"), ("a2", "ada"), ("b1", "bob")):
        repository.add(a_job(name, tenant=tenant))
    rows = [
        an_entry(name, number, site_id=site, power_kw=10.0, pue=1.2, delivered_kwh=measured)
        for name, number, site, measured in (
            ("a1", 0, "oslo", None), ("a2", 0, "oslo", 3.0), ("a1", 1, "oslo", 0.0), ("b1", 1, "york", None),
            ("b1", 2, "york", None),
        )
    ]  # fmt: skip
    ledger.add_baseline([*rows, replace(rows[0], leg=Leg.BASELINE)])
    assert ledger.drawn_by_tenant(slot(0), slot(2)) == [
        ("ada", "oslo", slot(0), pytest.approx(8 * 1.2)),
        ("ada", "oslo", slot(1), 0.0),
        ("bob", "york", slot(1), pytest.approx(5 * 1.2)),
    ]


def test_what_was_measured_adds_up_by_site_and_slot(database: Database) -> None:
    ledger = LedgerRepository(database)
    measured = {"delivered_kwh": 5.0, "pue": 1.2}
    rows = [
        an_entry("j1", 0, **measured),
        an_entry("j2", 0, **measured),
        an_entry("j3", 0),
        an_entry("j1", 2, **measured),
    ]
    ledger.add_baseline([*rows, replace(rows[0], leg=Leg.BASELINE)])
    assert ledger.drawn_by_site(slot(0), slot(2)) == {("iceland", slot(0)): pytest.approx(12.0)}


def test_what_a_row_began_with_is_kept_beside_it(database: Database) -> None:
    ledger = LedgerRepository(database)
    row = an_entry("j1", 0, leg=Leg.BASELINE, carbon_forecast_g_per_kwh=133.0, room_kw=40.5)
    ledger.add_baseline([row])
    ledger.settle([replace(row, carbon_g_per_kwh=150.0, carbon_kind=Kind.ESTIMATE)])
    (kept,) = ledger.entries()
    assert (kept.carbon_g_per_kwh, kept.carbon_forecast_g_per_kwh, kept.room_kw) == (150.0, 133.0, 40.5)
