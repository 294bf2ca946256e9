"""The dispatcher over the real store and the real decision log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.site.agent import SiteAgent
from agents.site.dispatch import Dispatcher
from agents.site.profiles import load_sites
from audit.log import AuditLog
from audit.record import Build
from audit.verify import verify
from core.clock import ManualClock
from core.job import FlexibilityType, JobStatus
from core.ledger import Leg
from core.slots import SLOT
from store.database import Database
from store.jobs import JobRepository
from store.ledger import LedgerRepository
from store.sites import SiteRepository
from tests.unit.site.fakes import START, make_job, make_row


@dataclass
class Plant:
    clock: ManualClock
    jobs: JobRepository
    ledger: LedgerRepository
    log: AuditLog
    dispatcher: Dispatcher

    def plan(self, job_id: str, slots: list[int], **changes: object) -> None:
        self.jobs.add(
            make_job(job_id, status=JobStatus.PENDING, site_id=None, duration_hours=len(slots) / 2, **changes)
        )
        self.ledger.apply_plan(START, [make_row(job_id, n) for n in slots], {job_id: "london"}, {}, at=START)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    database = Database(f"sqlite:///{tmp_path / 'slackwater.db'}")
    database.migrate()
    sites = SiteRepository(database)
    sites.seed(load_sites())
    clock = ManualClock(START)
    log = AuditLog.open(tmp_path / "decisions.jsonl", clock=clock, build=Build("test", "unknown", "0" * 64))
    jobs, ledger = JobRepository(database), LedgerRepository(database)
    dispatcher = Dispatcher(clock, jobs, ledger, log, SiteAgent(clock, sites, 1), tmp_path / "jobs", 1)
    yield Plant(clock, jobs, ledger, log, dispatcher)
    dispatcher.close()
    log.close()
    database.close()


def test_a_day_of_jobs_goes_through_and_its_records_verify(plant: Plant) -> None:
    plant.plan("block", [1, 2, 3])
    plant.plan("pausable", [0, 4, 8], flexibility_type=FlexibilityType.PAUSABLE)
    plant.plan("cancelled", [2, 3, 4, 5])
    for slot in range(10):
        plant.clock.set(START + SLOT * slot)
        assert plant.dispatcher.dispatch().errors == ()
        if slot == 4:
            plant.dispatcher.cancel("cancelled")
    found = {job.job_id: job.status for job in plant.jobs.find()[0]}
    assert found == {
        "block": JobStatus.COMPLETED, "pausable": JobStatus.COMPLETED, "cancelled": JobStatus.CANCELLED,
    }  # fmt: skip
    rows = plant.ledger.entries(leg=Leg.PLAN)
    assert all(row.delivered_kwh is not None for row in rows)
    records, total = plant.log.records(kind="delivery")
    assert total == 3
    by_job = {record.body["job_id"]: record.body for record in records}
    for (job_id, _), totals in plant.ledger.totals_by_job().items():
        assert float(by_job[job_id]["cost_gbp"]) == pytest.approx(totals.cost_gbp, abs=1e-6)
        assert float(by_job[job_id]["carbon_kg"]) == pytest.approx(totals.carbon_kg, abs=1e-6)
    assert verify(plant.log.path).ok


def test_quotes_read_the_stored_sites(plant: Plant) -> None:
    quote = plant.dispatcher._sites.quote(START, 4)
    assert quote.headroom_kw.shape == (13, 4)
