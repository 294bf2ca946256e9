"""The `delivery` record: what a job drew and did in the end, against what was awarded to it and its baseline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import sqrt
from typing import Any

from accounting.baselines import POLICY
from accounting.carbon import NINETY_FIVE
from agents.carbon import Course, Half, claim_body, claim_of, exact, known_of
from agents.site.agent import SiteAgent
from agents.site.executor import Executor, Exit
from agents.site.metering import METER_NOISE
from audit.bodies.carbon import CarbonClaimBody
from audit.bodies.settlement import DeliveryBody, ReadingType, ReboundBody
from audit.canonical import canonical
from audit.fields import dec
from audit.log import AuditLog
from audit.record import Record
from core.job import Job, JobStatus
from core.ledger import Leg, SlotEntry, Totals
from core.slots import SLOT, SLOT_HOURS, format_utc
from store.ledger import LedgerRepository

SHARE_SIGMA: dict[ReadingType, float] = {"SIMULATED": METER_NOISE, "ESTIMATED": 1 / sqrt(12)}
"""Standard deviation of a reading over itself.

The simulated meter's noise; and for energy estimated from awarded power, of which a command may have drawn any share,
that of a rectangular distribution from 0 to the estimate (GUM, JCGM 100:2008, 4.3.7).
"""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Writes `delivery` records from what the ledger and the log hold of a job."""

    ledger: LedgerRepository
    log: AuditLog
    sites: SiteAgent

    def body(
        self,
        job: Job,
        status: JobStatus,
        entries: Sequence[SlotEntry],
        ended: Exit,
        executor: Executor,
        site_id: str | None,
    ) -> DeliveryBody:
        """The record of ``job`` ending in ``status``.

        :param entries: all its PLAN rows; rows without a reading count as committed but not as delivered.
        """
        told = f"{executor.method}; {ended.cpu_s:.2f} s of CPU" if ended.cpu_s is not None else executor.method
        return self._body(job, status, entries, ended, told, executor.reading_type, site_id)

    def unstarted(self, job: Job, now: datetime) -> DeliveryBody:
        """The record of ``job`` being cancelled before it began, or with no process of this server behind it."""
        rows = self.ledger.entries(job_id=job.job_id, leg=Leg.PLAN)
        ended = Exit(now, reason="cancelled")
        return self._body(job, JobStatus.CANCELLED, rows, ended, "not under way", None, job.site_id)

    def _body(
        self,
        job: Job,
        status: JobStatus,
        entries: Sequence[SlotEntry],
        ended: Exit,
        method: str,
        reading: ReadingType | None,
        site_id: str | None,
    ) -> DeliveryBody:
        read = [entry for entry in entries if entry.delivered_kwh is not None]
        decisions, _ = self.log.records(kind="decision", job_id=job.job_id, limit=1)
        committed_kwh = dec(sum(entry.power_kw * SLOT_HOURS for entry in entries), 6)
        energies = _energies(read, entries, reading)
        share = 1.0 if job.command is None else share_delivered(energies["delivered_kwh"], committed_kwh)
        done = status is JobStatus.COMPLETED and reading is not None
        return DeliveryBody(
            job_id=job.job_id,
            site_id=site_id,
            decision_seq=decisions[0].seq if decisions else None,
            status=status.value,
            **energies,
            committed_kwh=committed_kwh,
            cost_gbp=dec(Totals.of(read).cost_gbp, 6),
            carbon_kg=dec(Totals.of(read).carbon_kg, 6),
            **(self._carbon(job, read, decisions, reading, share) if done and reading else {}),
            claim_level="settled" if Totals.of(read).state == "settled" else "forecast",
            data_kinds=[kind.label for kind in sorted({k for e in read for k in (e.price_kind, e.carbon_kind)})],
            exit_status=ended.exit_status,
            command_sha256=_command_sha256(job),
            output_sha256=ended.output_sha256,
            runtime_s=None if ended.runtime_s is None else dec(ended.runtime_s, 3),
            method=method,
        )

    def _carbon(
        self, job: Job, read: Sequence[SlotEntry], decisions: Sequence[Record], reading: ReadingType, share: float
    ) -> dict[str, Any]:
        """What moving the job did; empty where there is nothing to compare with."""
        if not decisions:
            return {}
        baseline = self.ledger.entries(job_id=job.job_id, leg=Leg.BASELINE)
        zone_of = {site.site_id: site.zone for site in self.sites.sites()}
        body = carbon_claim(read, baseline, decisions[0].body["sources"], reading, share, zone_of)
        if body is None:
            return {}
        rebound = [ReboundBody(date=moved.date, sp=moved.sp, mwh=moved.mwh) for moved in body.rebound]
        return {"carbon": body, "rebound": rebound}


def share_delivered(delivered_kwh: str, committed_kwh: str) -> float:
    """Delivered of the committed energy, at most 1; 0 where nothing was committed."""
    committed = float(committed_kwh)
    return min(1.0, float(delivered_kwh) / committed) if committed else 0.0


def carbon_claim(
    read: Sequence[SlotEntry],
    baseline: Sequence[SlotEntry],
    sources: Sequence[str],
    reading: ReadingType,
    share: float,
    zone_of: Mapping[str, str],
) -> CarbonClaimBody | None:
    """What moving a job did by its rows of the ledger, now or again later; None where nothing can be compared.

    :param read: its planned rows that have a reading. :param sources: of the figures, as its decision names them.
    :param share: how much of the baseline's energy counts: 1, or less of a command that ended early.
    :param zone_of: the grid zone of each site.
    """
    counted = [row if share == 1 else replace(row, delivered_kwh=row.power_kw * SLOT_HOURS * share) for row in baseline]
    plan, against, provider = Course(read), Course(counted), " + ".join(sources)
    sigmas = _sigmas(plan, against, reading)
    claim = claim_of(POLICY, plan, against, lambda row: known_of(row, provider), sigmas)
    return None if claim is None else claim_body(claim, plan, against, zone_of)


def _energies(read: Sequence[SlotEntry], entries: Sequence[SlotEntry], reading: ReadingType | None) -> dict[str, Any]:
    course = Course(read)
    used = course.energy()
    squares = sum(row.site_kwh**2 for row in read)
    return {
        "interval_s": int(SLOT.total_seconds()),
        "reading_type": reading,
        "it_kwh": dec(used.it_kwh, 6),
        "delivered_kwh": dec(sum(row.it_kwh for row in read), 6),
        "site_kwh": dec(used.site_kwh, 6),
        "pue": None if used.pue is None else dec(used.pue, 4),
        "checkpoint_kwh": None if course.interrupted else dec(Decimal(0), 6),
        "missing_pct": dec(100 * (len(entries) - len(read)) / len(entries), 2) if entries else None,
        "u95_kwh": None if reading is None else dec(float(NINETY_FIVE) * SHARE_SIGMA[reading] * sqrt(squares), 6),
        "sha256_raw": _readings_sha256(read),
    }


def _readings_sha256(read: Sequence[SlotEntry]) -> str:
    """Digest over the readings as canonical JSON: pairs of slot start and IT kWh, in order."""
    pairs = [[format_utc(row.slot_start), dec(row.it_kwh, 6)] for row in read]
    return hashlib.sha256(canonical(pairs)).hexdigest()


def _command_sha256(job: Job) -> str | None:
    """Digest of the argument vector as JSON text, so that the log names the command without showing it."""
    return None if job.command is None else hashlib.sha256(json.dumps(job.command).encode()).hexdigest()


def _sigmas(plan: Course, baseline: Course, reading: ReadingType) -> dict[Half, Decimal]:
    """Standard deviation of baseline less plan: the same kind of reading would have told of either."""
    share, drawn, usual = exact(SHARE_SIGMA[reading]), plan.kwh(), baseline.kwh()
    return {
        half: share * (drawn.get(half, Decimal(0)) ** 2 + usual.get(half, Decimal(0)) ** 2).sqrt()
        for half in drawn.keys() | usual.keys()
    }
