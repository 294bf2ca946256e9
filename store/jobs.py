"""Jobs and their lifecycle. What a job asked for is a document; what changes is in columns of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from core.errors import Conflict, NotFound
from core.job import OPEN, TRANSITIONS, FlexibilityType, Job, JobStatus
from core.slots import require_aware
from store.database import Database
from store.tables import jobs

STATE = ("status", "reason", "site_id", "exit_status", "updated_at")


@dataclass(frozen=True, slots=True)
class Submission:
    """What a job that was submitted asked for, as far as it tells what may be asked for next.

    :param power_kw: IT power at full speed.
    """

    tenant: str
    submitted_at: datetime
    earliest_start: datetime
    latest_finish: datetime
    power_kw: float
    duration_hours: float
    allowed_regions: tuple[str, ...]


class JobRepository:
    """Accepted jobs: durable when :meth:`add` returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: Job) -> None:
        """Store a new job; :class:`Conflict` when its id is taken."""
        with self._database.writing() as connection:
            connection.execute(
                sa.insert(jobs).values(
                    job_id=job.job_id,
                    job_name=job.job_name,
                    tenant=job.tenant,
                    flexibility_type=job.flexibility_type.value,
                    submitted_at=job.submitted_at,
                    document=job.model_dump(mode="json", exclude=set(STATE)),
                    **_state(job),
                )
            )

    def get(self, job_id: str) -> Job:
        """One job; :class:`NotFound`."""
        with self._database.reading() as connection:
            return _job(_row(connection, job_id))

    def find(
        self,
        *,
        statuses: Sequence[JobStatus] | None = None,
        tenant: str | None = None,
        site_id: str | None = None,
        flexibility_type: FlexibilityType | None = None,
        text: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Job], int]:
        """Jobs, newest first, and how many match in all. ``text`` is looked for in name and id."""
        matches = [
            *([jobs.c.status.in_([status.value for status in statuses])] if statuses else []),
            *([jobs.c.tenant == tenant] if tenant else []),
            *([jobs.c.site_id == site_id] if site_id else []),
            *([jobs.c.flexibility_type == flexibility_type.value] if flexibility_type else []),
            *([sa.or_(jobs.c.job_name.icontains(text, autoescape=True), jobs.c.job_id == text)] if text else []),
        ]
        with self._database.reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(jobs).where(*matches)).scalar_one()
            query = sa.select(jobs).where(*matches).order_by(jobs.c.number.desc()).limit(limit).offset(offset)
            return [_job(row) for row in connection.execute(query)], int(total)

    def open_jobs(self) -> list[Job]:
        """Jobs that have not ended, in order of submission."""
        query = sa.select(jobs).where(jobs.c.status.in_([status.value for status in OPEN])).order_by(jobs.c.number)
        with self._database.reading() as connection:
            return [_job(row) for row in connection.execute(query)]

    def submissions(self, since: datetime) -> list[Submission]:
        """What was submitted at or after ``since``, whatever became of it, in order of submission.

        Reads only the columns and members named in :class:`Submission`: 100,000 of them take about a second.
        """
        asked = jobs.c.document
        query = (
            sa.select(
                jobs.c.tenant,
                jobs.c.submitted_at,
                *(asked[name].as_string() for name in ("earliest_start", "latest_finish")),
                *(asked[name].as_float() for name in ("power_kw", "duration_hours")),
                asked["allowed_regions"].as_string(),
            )
            .where(jobs.c.submitted_at >= since)
            .order_by(jobs.c.number)
        )
        with self._database.reading() as connection:
            return [
                Submission(row[0], row[1], _instant(row[2]), _instant(row[3]), row[4], row[5], _names(row[6]))
                for row in connection.execute(query)
            ]

    def counts(self) -> dict[JobStatus, int]:
        """How many jobs there are in each state that occurs."""
        query = sa.select(jobs.c.status, sa.func.count()).group_by(jobs.c.status)
        with self._database.reading() as connection:
            return {JobStatus(status): int(count) for status, count in connection.execute(query)}

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
        """Move a job to a state (its present one, too) and note why; :class:`Conflict` for an illegal move."""
        with self._database.writing() as connection:
            job = _job(_row(connection, job_id, lock=True))
            if to is not job.status and to not in TRANSITIONS[job.status]:
                raise Conflict(f"job {job_id} is {job.status.value} and cannot become {to.value}")
            changed = job.model_copy(
                update={
                    "status": to,
                    "reason": reason,
                    "site_id": site_id if to is JobStatus.PENDING else site_id or job.site_id,
                    "exit_status": job.exit_status if exit_status is None else exit_status,
                    "updated_at": at,
                }
            )
            connection.execute(sa.update(jobs).where(jobs.c.job_id == job_id).values(**_state(changed)))
            return changed


def _instant(text: str) -> datetime:
    return require_aware(datetime.fromisoformat(text))


@lru_cache(maxsize=1024)
def _names(text: str) -> tuple[str, ...]:
    """A JSON list of names; few lists occur again and again."""
    return tuple(json.loads(text))


def _state(job: Job) -> dict[str, Any]:
    return {
        "status": job.status.value,
        "reason": job.reason,
        "site_id": job.site_id,
        "exit_status": job.exit_status,
        "updated_at": job.updated_at,
    }


def _row(connection: Connection, job_id: str, *, lock: bool = False) -> Row[Any]:
    query = sa.select(jobs).where(jobs.c.job_id == job_id)
    found = connection.execute(query.with_for_update() if lock else query).first()
    if found is None:
        raise NotFound(f"there is no job {job_id!r}")
    return found


def _job(row: Row[Any]) -> Job:
    state = {name: getattr(row, name) for name in STATE}
    return Job.model_validate({**row.document, **state})
