"""In-memory stand-ins for the store and the decision log, with the rules that the dispatcher leans on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from audit.record import Entry, Record
from core.clock import Clock
from core.errors import Conflict, LogUnavailable, NotFound, StoreUnavailable
from core.job import OPEN, TRANSITIONS, FlexibilityType, Job, JobStatus, Level, Tier
from core.ledger import Leg, SlotEntry
from core.series import Kind
from core.site import Asset, Site
from core.slots import SLOT, SLOT_HOURS

START = datetime(2023, 3, 1, tzinfo=UTC)


class SteppedClock:
    """Moved by hand like a manual clock, but ``scale`` of its seconds count as one real second for time-outs."""

    def __init__(self, start: datetime = START, scale: float = 600.0) -> None:
        self._now = start
        self._scale = scale

    def now(self) -> datetime:
        return self._now

    def advance(self, span: timedelta) -> None:
        self._now += span

    def set(self, instant: datetime) -> None:
        self._now = instant

    def real_seconds(self, span: timedelta) -> float:
        return span.total_seconds() / self._scale


@dataclass
class FakeSites:
    known: dict[str, Site] = field(default_factory=dict)
    known_assets: dict[str, Asset] = field(default_factory=dict)

    def all(self) -> list[Site]:
        return list(self.known.values())

    def get(self, site_id: str) -> Site:
        if site_id not in self.known:
            raise NotFound(f"no site {site_id!r}")
        return self.known[site_id]

    def add(self, site: Site) -> None:
        if site.site_id in self.known:
            raise Conflict(f"site {site.site_id!r} exists")
        self.known[site.site_id] = site

    def replace(self, site: Site) -> None:
        self.get(site.site_id)
        self.known[site.site_id] = site

    def assets(self) -> list[Asset]:
        return list(self.known_assets.values())

    def asset(self, asset_id: str) -> Asset:
        if asset_id not in self.known_assets:
            raise NotFound(f"no asset {asset_id!r}")
        return self.known_assets[asset_id]

    def add_asset(self, asset: Asset) -> None:
        if asset.asset_id in self.known_assets:
            raise Conflict(f"asset {asset.asset_id!r} exists")
        self.known_assets[asset.asset_id] = asset

    def replace_asset(self, asset: Asset) -> None:
        self.asset(asset.asset_id)
        self.known_assets[asset.asset_id] = asset


@dataclass
class FakeJobs:
    known: dict[str, Job] = field(default_factory=dict)
    up: bool = True
    moves: list[tuple[str, JobStatus]] = field(default_factory=list)

    def add(self, job: Job) -> None:
        self.known[job.job_id] = job

    def get(self, job_id: str) -> Job:
        if job_id not in self.known:
            raise NotFound(f"no job {job_id!r}")
        return self.known[job_id]

    def open_jobs(self) -> list[Job]:
        return [job for job in self.known.values() if job.status in OPEN]

    def transition(
        self,
        job_id: str,
        to: JobStatus,
        *,
        at: datetime,
        reason: str | None = None,
        site_id: str | None = None,
        exit_status: int | None = None,
    ) -> Job:
        if not self.up:
            raise StoreUnavailable("the database does not answer")
        job = self.get(job_id)
        if to is not job.status and to not in TRANSITIONS[job.status]:
            raise Conflict(f"job {job_id!r} is {job.status.value} and cannot become {to.value}")
        changes = {"status": to, "reason": reason, "updated_at": at, "site_id": site_id or job.site_id}
        self.known[job_id] = job.model_copy(update={**changes, "exit_status": exit_status})
        self.moves.append((job_id, to))
        return self.known[job_id]


@dataclass
class FakeLedger:
    rows: dict[tuple[str, Leg, datetime], SlotEntry] = field(default_factory=dict)
    readings: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    queries: int = 0

    def add(self, *entries: SlotEntry) -> None:
        self.rows.update({(entry.job_id, entry.leg, entry.slot_start): entry for entry in entries})

    def entries(
        self,
        *,
        job_id: str | None = None,
        leg: Leg | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        site_id: str | None = None,
    ) -> list[SlotEntry]:
        self.queries += 1
        found = [
            row
            for row in self.rows.values()
            if (job_id is None or row.job_id == job_id)
            and (leg is None or row.leg is leg)
            and (start is None or row.slot_start >= start)
            and (end is None or row.slot_start < end)
            and (site_id is None or row.site_id == site_id)
        ]
        return sorted(found, key=lambda row: (row.slot_start, row.job_id))

    def record_deliveries(self, entries: Sequence[SlotEntry]) -> None:
        for entry in entries:
            key = (entry.job_id, Leg.PLAN, entry.slot_start)
            self.rows[key] = replace(self.rows[key], delivered_kwh=entry.delivered_kwh)
            self.readings[entry.job_id, entry.slot_start] += 1

    def scale_baseline(self, job_id: str, share: float) -> None:
        for row in self.entries(job_id=job_id, leg=Leg.BASELINE):
            key = (row.job_id, row.leg, row.slot_start)
            self.rows[key] = replace(row, delivered_kwh=row.power_kw * SLOT_HOURS * share)

    def drop_plan(self, job_id: str, from_slot: datetime) -> None:
        for row in self.entries(job_id=job_id, leg=Leg.PLAN, start=from_slot):
            if row.delivered_kwh is None:
                del self.rows[row.job_id, row.leg, row.slot_start]


@dataclass
class FakeLog:
    clock: Clock
    jobs: FakeJobs | None = None
    up: bool = True
    kept: list[Record] = field(default_factory=list)
    status_when_appended: dict[str, JobStatus] = field(default_factory=dict)

    def append_all(self, items: list[Entry]) -> list[Record]:
        if not self.up:
            raise LogUnavailable("the decision log cannot be written: no space left on device")
        fresh = []
        for item in items:
            content: dict[str, Any] = item.body.model_dump(mode="json")
            if self.jobs is not None:
                self.status_when_appended[content["job_id"]] = self.jobs.get(content["job_id"]).status
            line = repr(content).encode()
            digest = hashlib.sha256(line).hexdigest()
            fresh.append(
                Record(len(self.kept) + len(fresh), digest, "0" * 64, item.kind, self.clock.now(), content, line)
            )
        self.kept += fresh
        return fresh

    def healthy(self) -> tuple[bool, str]:
        return self.up, "" if self.up else "no space left on device"

    def records(
        self, *, kind: str | None = None, job_id: str | None = None, limit: int = 50
    ) -> tuple[list[Record], int]:
        found = [r for r in reversed(self.kept) if kind in {None, r.kind} and job_id in {None, r.body["job_id"]}]
        return found[:limit], len(found)

    def deliveries(self, job_id: str) -> list[dict[str, Any]]:
        return [record.body for record in self.kept if record.body["job_id"] == job_id]


def make_job(job_id: str = "job1", **changes: Any) -> Job:
    """A scheduled deferrable job of two slots at 10 kW in an eight-hour window from ``START``."""
    fields: dict[str, Any] = {
        "job_id": job_id,
        "job_name": job_id,
        "job_type": "batch",
        "flexibility_type": FlexibilityType.DEFERRABLE,
        "tenant": "default",
        "tier": Tier.STANDARD,
        "earliest_start": START,
        "latest_finish": START + timedelta(hours=8),
        "duration_hours": 1.0,
        "power_kw": 10.0,
        "status": JobStatus.SCHEDULED,
        "submitted_at": START,
        "updated_at": START,
        "site_id": "london",
    }
    return Job(**{**fields, **changes})


LEVELS = (Level(power_kw=5, work_per_slot=0.82), Level(power_kw=10, work_per_slot=1.0))


def make_row(job_id: str, slot: int, power_kw: float = 10.0, **changes: Any) -> SlotEntry:
    """A PLAN row in slot ``slot`` from ``START``."""
    row = SlotEntry(
        job_id, Leg.PLAN, START + SLOT * slot, "london", power_kw, 1.2, 0.2, Kind.FORECAST, 100.0, Kind.FORECAST
    )
    return replace(row, **changes)
