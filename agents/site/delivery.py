"""The `delivery` record: what a job drew and did in the end, against what it was awarded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from agents.site.executor import Exit
from audit.fields import dec
from audit.record import DeliveryBody
from core.job import Job, JobStatus
from core.ledger import SlotEntry, Totals
from core.slots import SLOT_HOURS


def _command_sha256(job: Job) -> str | None:
    """Digest of the argument vector as JSON text, so that the log names the command without showing it."""
    return None if job.command is None else hashlib.sha256(json.dumps(job.command).encode()).hexdigest()


def _method(method: str, ended: Exit) -> str:
    return method if ended.cpu_s is None else f"{method}; {ended.cpu_s:.2f} s of CPU"


def delivery_body(
    job: Job, status: JobStatus, entries: Sequence[SlotEntry], ended: Exit, method: str, site_id: str | None
) -> DeliveryBody:
    """The record of ``job`` ending in ``status``.

    :param entries: all its PLAN rows; rows without a reading count as committed but not as delivered.
    :param method: how the delivered energy was found.
    """
    delivered = [entry for entry in entries if entry.delivered_kwh is not None]
    totals = Totals.of(delivered)
    return DeliveryBody(
        job_id=job.job_id,
        site_id=site_id,
        status=status.value,
        delivered_kwh=dec(sum(entry.it_kwh for entry in delivered), 6),
        committed_kwh=dec(sum(entry.power_kw * SLOT_HOURS for entry in entries), 6),
        cost_gbp=dec(totals.cost_gbp, 6),
        carbon_kg=dec(totals.carbon_kg, 6),
        claim_level="settled" if totals.state == "settled" else "forecast",
        data_kinds=[kind.label for kind in sorted({k for e in delivered for k in (e.price_kind, e.carbon_kind)})],
        exit_status=ended.exit_status,
        command_sha256=_command_sha256(job),
        output_sha256=ended.output_sha256,
        runtime_s=None if ended.runtime_s is None else dec(ended.runtime_s, 3),
        method=_method(method, ended),
    )


def unstarted_body(job: Job, entries: Sequence[SlotEntry], now: datetime) -> DeliveryBody:
    """The record of ``job`` being cancelled before it began, or with no process of this server behind it."""
    ended = Exit(now, reason="cancelled")
    return delivery_body(job, JobStatus.CANCELLED, entries, ended, "not under way", job.site_id)
