"""What is under way: the dispatcher's knowledge of running jobs, and its report."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from agents.site.delivery import share_delivered
from agents.site.executor import Executor, Exit
from audit.bodies.settlement import DeliveryBody
from core.job import Job, JobStatus

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DispatchReport:
    """What one call changed: job ids, and errors in words. ``returned`` jobs missed their start and wait again."""

    started: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    completed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(slots=True)
class Notes:
    """A report in the making."""

    started: list[str] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def error(self, text: str) -> None:
        """Note a fault, once."""
        if text not in self.errors:
            self.errors.append(text)
            _LOG.error("dispatch: %s", text)

    def ended(self, job_id: str, status: JobStatus) -> None:
        """Note the end of a job; a cancelled one is its canceller's business."""
        if status is JobStatus.COMPLETED:
            self.completed.append(job_id)
        elif status is JobStatus.FAILED:
            self.failed.append(job_id)

    def report(self) -> DispatchReport:
        """The report as it stands."""
        return DispatchReport(*(tuple(getattr(self, name)) for name in DispatchReport.__slots__))


@dataclass(frozen=True, slots=True)
class End:
    """How a job ends: its status, why, and the record of it."""

    status: JobStatus
    reason: str | None
    exit_status: int | None
    body: DeliveryBody

    @property
    def share(self) -> float:
        """Delivered of the committed energy, at most 1."""
        return share_delivered(self.body.delivered_kwh, self.body.committed_kwh)


@dataclass(slots=True)
class Active:
    """A job under way in this process.

    :param paused_until: the next row, as known when it was paused.
    :param ended: set once its execution is over.
    :param recorded: set once its ``delivery`` record is on the log; only the job's status remains to be changed.
    """

    job: Job
    executor: Executor
    site_id: str
    power_kw: float
    paused: bool = False
    paused_until: datetime | None = None
    cancelled: bool = False
    ended: Exit | None = None
    recorded: End | None = None
