"""Executors: what makes a job really draw power. Each backend is one class behind :class:`Executor`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from audit.bodies.settlement import ReadingType
from core.job import Job


@dataclass(frozen=True, slots=True)
class Exit:
    """How a job's execution ended.

    :param exit_status: of the command; minus the signal number when a signal ended it; None when it never started.
    :param reason: why it did not end well, None after exit status 0.
    :param runtime_s: real seconds in which it ran, pauses not counted; None where nothing really ran.
    :param cpu_s: CPU seconds of the command and the children it waited for.
    :param output_sha256: hex digest of the captured output.
    """

    ended_at: datetime
    exit_status: int | None = None
    reason: str | None = None
    runtime_s: float | None = None
    cpu_s: float | None = None
    output_sha256: str | None = None


class Executor(Protocol):
    """Runs jobs that the dispatcher names. A job unknown to it is ignored by all methods but ``start``."""

    method: str
    """how delivered energy is found, for the audit record"""
    reading_type: ReadingType
    """what kind of reading that is"""

    def start(self, job: Job, site_id: str, power_kw: float) -> None:
        """Begin; a command that cannot be started shows as ended at the next :meth:`poll`, never as an exception."""
        ...

    def pause(self, job_id: str) -> None: ...

    def resume(self, job_id: str) -> None: ...

    def set_power(self, job_id: str, power_kw: float) -> None: ...

    def stop(self, job_ids: Collection[str], reason: str) -> None:
        """End all of ``job_ids`` and return once they have ended; ``reason`` is theirs unless they ended before."""
        ...

    def poll(self, job_id: str) -> Exit | None:
        """How the job ended, None while it has not."""
        ...

    def delivered_kwh(self, job_id: str, slot_start: datetime, awarded_kw: float, until: datetime) -> float:
        """IT energy drawn in the slot from ``slot_start`` until ``until`` (at most the slot's end)."""
        ...

    def forget(self, job_id: str) -> None:
        """Drop what is kept about an ended job."""
        ...
