"""A dispatcher over fakes, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agents.site.agent import SiteAgent
from agents.site.dispatch import Dispatcher
from agents.site.profiles import load_sites
from agents.site.underway import DispatchReport
from core.job import Job, JobStatus
from core.slots import SLOT
from tests.unit.site.fakes import START, FakeJobs, FakeLedger, FakeLog, FakeSites, SteppedClock, make_job, make_row


@dataclass
class Yard:
    """A dispatcher and all that it works with."""

    folder: Path
    clock: SteppedClock = field(default_factory=SteppedClock)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    sites: FakeSites = field(default_factory=lambda: FakeSites({site.site_id: site for site in load_sites()}))

    def __post_init__(self) -> None:
        self.log = FakeLog(self.clock, self.jobs)
        self.dispatcher = self.another()

    def another(self) -> Dispatcher:
        """A dispatcher over the same store: what a restarted server would build."""
        agent: Any = SiteAgent(self.clock, self.sites, 1)
        stores: tuple[Any, Any, Any] = (self.jobs, self.ledger, self.log)
        return Dispatcher(self.clock, *stores, agent, self.folder, 1, grace_s=0.5)

    def plan(self, slots: list[int], job_id: str = "job1", powers: list[float] | None = None, **changes: Any) -> Job:
        """A job with a row in each of ``slots``."""
        job = make_job(job_id, **changes)
        self.jobs.add(job)
        for slot, power_kw in zip(slots, powers or [job.power_kw] * len(slots), strict=True):
            self.ledger.add(make_row(job_id, slot, power_kw))
        return job

    def at(self, slot: float) -> DispatchReport:
        """Dispatch at slot ``slot`` (fractions are inside it)."""
        self.clock.set(START + SLOT * slot)
        return self.dispatcher.dispatch()

    def status(self, job_id: str = "job1") -> JobStatus:
        return self.jobs.get(job_id).status

    def delivered(self, job_id: str = "job1") -> list[float | None]:
        return [row.delivered_kwh for row in self.ledger.entries(job_id=job_id)]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path / "jobs")
    yield yard
    yard.log.up = True
    yard.dispatcher.close()
