"""A composed system for tests: real store, real log, simulated signals, a clock moved by hand, three small sites."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import app
from agents.negotiation import Effort, Outcome
from agents.solver import InlineSolver, Solver
from commands.house import House
from core.clock import ManualClock
from core.instance import Instance
from core.job import Job, JobRequest, JobStatus
from core.ledger import Leg, SlotEntry, TickRecord
from core.settings import Settings
from core.site import CoolingType, Site
from core.slots import SLOT

START = datetime(2023, 3, 1, tzinfo=UTC)


def small_site(site_id: str, country: str = "GB", zone: str = "GB-C", **changes: Any) -> Site:
    """A site of 100 kW without load of its own."""
    fields: dict[str, Any] = {
        "site_id": site_id,
        "name": site_id,
        "country": country,
        "latitude": 52.0,
        "longitude": 0.0,
        "timezone": "Europe/London",
        "zone": zone,
        "capacity_kw": 100.0,
        "own_load_kw": 0.0,
        "cooling": CoolingType.FREE_AIR,
    }
    return Site(**{**fields, **changes})


SITES = (small_site("london"), small_site("leeds", zone="GB-M"), small_site("oslo", "NO", "NO-NO2"))


@dataclass
class ScriptedSolver:
    """Negotiates in this thread; ``meanwhile`` happens while it does, ``fault`` is raised instead of a plan."""

    meanwhile: list[Any] = field(default_factory=list)
    fault: Exception | None = None
    solved: list[Instance] = field(default_factory=list)
    closed: bool = False

    def solve(self, instance: Instance, seed: int, effort: Effort) -> Outcome:
        self.solved.append(instance)
        while self.meanwhile:
            self.meanwhile.pop(0)()
        if self.fault is not None:
            raise self.fault
        return InlineSolver().solve(instance, seed, effort)

    def close(self) -> None:
        self.closed = True


@dataclass
class Bench:
    """A house and what tests do with it again and again."""

    folder: Path
    clock: ManualClock
    solver: Solver
    house: House

    @classmethod
    def build(
        cls,
        folder: Path,
        *,
        sites: tuple[Site, ...] = SITES,
        at: datetime = START,
        solver: Solver | None = None,
        **set_to: Any,
    ) -> Bench:
        clock, solver = ManualClock(at), solver or ScriptedSolver()
        chosen = {"data_dir": folder, "database_url": None, "signals": "simulated", "clock_start": START, "seed": 7}
        settings = Settings(**chosen | set_to)
        return cls(folder, clock, solver, app.compose(settings, clock, solver, sites))

    def restarted(self) -> Bench:
        """The same store, log and time in a new process, as it were."""
        self.house.close()
        return Bench.build(self.folder, at=self.clock.now())

    def submit(self, kind: str = "deferrable", **changes: Any) -> Job:
        """A job of two hours at 20 kW with a day to finish."""
        fields: dict[str, Any] = {
            "job_name": kind,
            "flexibility_type": kind,
            "duration_hours": 2,
            "power_kw": 20,
            "latest_finish": self.clock.now() + timedelta(hours=24),
        }
        return self.house.jobs.submit(JobRequest.model_validate({**fields, **changes}))

    def tick(self) -> TickRecord:
        return self.house.loop.tick("schedule")

    def at(self, slot: float) -> None:
        """Move the clock to slot ``slot`` from the start (fractions are inside it)."""
        self.clock.set(START + SLOT * slot)

    def job(self, job: Job) -> Job:
        return self.house.jobs.get(job.job_id)

    def status(self, job: Job) -> JobStatus:
        return self.job(job).status

    def rows(self, job: Job, leg: Leg = Leg.PLAN) -> list[SlotEntry]:
        return self.house.ledger.entries(job_id=job.job_id, leg=leg)

    def course(self, job: Job) -> list[tuple[str, datetime, float]]:
        return [(row.site_id, row.slot_start, row.power_kw) for row in self.rows(job)]

    def decisions(self, job: Job) -> list[dict[str, Any]]:
        """Bodies of the job's decisions, oldest first."""
        records, _ = self.house.log.records(kind="decision", job_id=job.job_id)
        return [record.body for record in reversed(records)]
