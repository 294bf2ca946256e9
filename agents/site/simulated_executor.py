"""The executor of jobs without a command: they draw their awarded power in the site simulator."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from agents.site.executor import Exit
from agents.site.metering import simulated_kwh
from audit.bodies.settlement import ReadingType
from core.clock import Clock
from core.job import Job
from core.slots import SLOT


class SimulatedExecutor:
    """Draws power slot by slot; ends only when it is stopped, so pauses and power follow from the ledger's rows."""

    method = "simulated meter: awarded power with 0.5 % noise"
    reading_type: ReadingType = "SIMULATED"

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self._exits: dict[str, Exit] = {}

    def start(self, job: Job, site_id: str, power_kw: float) -> None:
        """Nothing to begin: energy is read off the awarded power."""

    def pause(self, job_id: str) -> None:
        """Nothing to hold: a slot without a row draws nothing."""

    def resume(self, job_id: str) -> None:
        """Nothing to continue."""

    def set_power(self, job_id: str, power_kw: float) -> None:
        """Nothing to set: the row of each slot carries its power."""

    def stop(self, job_ids: Collection[str], reason: str) -> None:  # noqa: ARG002  no fault: it would never end itself
        for job_id in job_ids:
            self._exits.setdefault(job_id, Exit(self._clock.now()))

    def poll(self, job_id: str) -> Exit | None:
        return self._exits.get(job_id)

    def delivered_kwh(self, job_id: str, slot_start: datetime, awarded_kw: float, until: datetime) -> float:
        return simulated_kwh(self._seed, job_id, slot_start, awarded_kw, min(until, slot_start + SLOT))

    def forget(self, job_id: str) -> None:
        self._exits.pop(job_id, None)
