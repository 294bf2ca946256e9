"""Metering: from what ran to the IT energy delivered in each slot, and to the work that was done with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np

from agents.site.draws import standard_normal
from core.job import Job
from core.ledger import SlotEntry
from core.slots import SLOT, SLOT_HOURS, format_utc

METER_NOISE = 0.005
"""standard deviation of a simulated meter reading over its true value"""
WORK_TOLERANCE_SLOTS = 1e-3
ASLEEP = "while the server was down or late"


class RunMeter:
    """The intervals, in the clock's time, in which a job was running."""

    def __init__(self) -> None:
        self._closed: list[tuple[datetime, datetime]] = []
        self._since: datetime | None = None

    def begin(self, at: datetime) -> None:
        """The job runs from ``at``; nothing changes when it already does."""
        self._since = self._since or at

    def end(self, at: datetime) -> None:
        """The job runs no longer; nothing changes when it did not."""
        if self._since is not None:
            self._closed.append((self._since, at))
            self._since = None

    def running(self, start: datetime, until: datetime) -> timedelta:
        """How long the job ran within ``[start, until)``."""
        intervals = [*self._closed, (self._since, until)] if self._since is not None else self._closed
        overlaps = (min(b, until) - max(a, start) for a, b in intervals)
        return sum((max(overlap, timedelta()) for overlap in overlaps), timedelta())


def share_kwh(awarded_kw: float, running: timedelta) -> float:
    """Energy of a job taken to draw its awarded power whenever it runs."""
    return awarded_kw * min(running / SLOT, 1.0) * SLOT_HOURS


def simulated_kwh(seed: int, job_id: str, slot_start: datetime, awarded_kw: float, until: datetime) -> float:
    """A simulated meter's reading of the slot up to ``until``: awarded power with N(0, 0.5 %) noise.

    The same for the same seed, job and slot.
    """
    noise = METER_NOISE * standard_normal(seed, "meter", job_id, format_utc(slot_start))
    return share_kwh(awarded_kw, max(until - slot_start, timedelta())) * (1.0 + noise)


def work_slots(job: Job, rows: Iterable[SlotEntry]) -> float:
    """Work that a job does in ``rows``, in slots at full power; levels count by their throughput."""
    powers = np.array([row.power_kw for row in rows])
    if not job.levels:
        return float(powers.size)
    ladder_kw = [0.0, *(level.power_kw for level in job.levels)]
    ladder_work = [0.0, *(level.work_per_slot for level in job.levels)]
    return float(np.interp(powers, ladder_kw, ladder_work).sum())


def suffices(job: Job, rows: Iterable[SlotEntry]) -> bool:
    """Whether the whole work of a job can be done in ``rows``."""
    return work_slots(job, rows) >= job.work_slots - WORK_TOLERANCE_SLOTS


def least_slots(job: Job) -> int:
    """Fewest slots in which the whole work of ``job`` can be done."""
    fastest = max((level.work_per_slot for level in job.levels), default=1.0)
    return math.ceil(job.work_slots / fastest - 1e-9)


def shortfall(job: Job, entries: Sequence[SlotEntry]) -> str | None:
    """Why the work of a job is not done after its rows, None when it is."""
    drawn = [entry for entry in entries if entry.delivered_kwh]
    if suffices(job, drawn):
        return None
    if missed := len(entries) - len(drawn):
        return f"missed {missed} of {len(entries)} awarded slots {ASLEEP}"
    return f"its awarded slots ended with {work_slots(job, drawn):g} of {job.work_slots} slots of work done"
