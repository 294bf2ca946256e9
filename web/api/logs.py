"""The decision log: what was decided and why, each record as it stands in the file, and the file verified."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from agents.settlement.claims import claims_on
from audit.log import AuditLog
from audit.record import Record
from core.job import Instant
from web.access import visitor
from web.api.documented import answer
from web.api.shapes import JobPath, Limit, Offset, Query, SearchText
from web.exporting import FORM_TYPES, Form, export
from web.services import services_of_request

api = APIBlueprint("api_logs", __name__, abp_tags=[Tag(name="audit", description="Decisions, and the proof of them")])

LINES_BYTES = 4 * 1024 * 1024
"""after so many bytes an answer of lines ends with the line under way"""

CLAIMANTS = frozenset({"delivery", "correction"})
"""the kinds of record that state what a delivery claims about carbon"""

RecordKind = Literal[
    "decision",
    "negotiation_round",
    "round",
    "delivery",
    "settlement_period",
    "booking",
    "message",
    "contract",
    "feed_snapshot",
    "correction",
    "redaction",
    "export",
    "key",
    "recovery",
    "segment",
    "deletion",
]
"""the kinds of record; ``round`` is the former name of ``negotiation_round``"""


class PageQuery(Query):
    """Which part of the answer."""

    limit: Limit = 50
    offset: Offset = 0


class JobLogsQuery(PageQuery):
    """Which part, and which view."""

    as_of: Instant | None = Field(None, description="as the log stood at this instant; by default, now")


class RecordFilters(BaseModel):
    """Which records."""

    kind: RecordKind | None = None
    job_id: SearchText | None = None
    site_id: SearchText | None = None
    start: Instant | None = Field(None, description="recorded at or after")
    end: Instant | None = Field(None, description="recorded before")
    tenant: SearchText | None = Field(None, description="a tenant's name; the log holds a commitment in its place")
    settlement_date: date | None = Field(None, description="day in London on which what is told of starts")
    q: SearchText | None = Field(None, description="text that occurs in the record")

    def criteria(self, log: AuditLog) -> dict[str, Any]:
        """The filters as :meth:`AuditLog.records` takes them."""
        return {
            "kind": self.kind,
            "job_id": self.job_id,
            "site_id": self.site_id,
            "start": self.start,
            "end": self.end,
            "tenant_commits": log.known_as("tenant", self.tenant) if self.tenant else None,
            "settlement_date": self.settlement_date.isoformat() if self.settlement_date else None,
            "text": self.q,
        }


class LogsQuery(RecordFilters, PageQuery):
    """Which records, and which part of them."""


class ExportRequest(RecordFilters):
    """Which records, and in which form."""

    model_config = ConfigDict(extra="forbid")

    format: Form = Field("jsonl", description="each holds the canonical lines; `proof` is a zip with the proof of each")


class LinesQuery(Query):
    """Which lines."""

    first: int = Field(0, alias="from", ge=0, le=2**53, description="number of the first record")
    limit: int = Field(1000, ge=1, le=10_000, description="at most so many; long ones may be fewer")


class SeqPath(BaseModel):
    """A path that names a record."""

    seq: int = Field(ge=0, le=2**53)


class RecordOut(BaseModel):
    """One record: its place in the chain and its body, which is what was hashed."""

    seq: int
    hash: str
    prev: str = Field(description="hash of the record before")
    kind: str
    recorded_at: datetime
    body: dict[str, Any]


class DecisionLog(RecordOut):
    """A record, with the common fields of a decision read out of its body; null where the kind has none."""

    log_id: str = Field(description="decision, round or booking id; else the sequence number")
    timestamp: datetime
    job_id: str | None
    decision_type: str = Field(description="award, move, counter, withdraw, or the record's kind")
    input_signals: dict[str, Any] = Field(description="what was known: kinds of figures and their sources")
    input_constraints: dict[str, Any] = Field(description="the round and baseline the decision was held against")
    considered_options: list[dict[str, Any]]
    selected_option: str | None
    selection_rationale: str | None
    tradeoffs: dict[str, Any] = Field(description="cost and carbon of the choice and of the baseline; counter-offers")
    schedule: list[dict[str, Any]] = Field(description="runs awarded: start, end, power_kw")
    data_sources: list[str]
    restated_by: int | None = Field(description="record whose claim about carbon is in force in place of this one's")
    operator_override: bool = Field(False, description="no decision is made by hand here, so always false")
    override_reason: str | None = Field(None, description="always null")


class Logs(BaseModel):
    """Records, newest first."""

    logs: list[DecisionLog]
    total: int


class RecordProof(RecordOut):
    """A record with the very bytes that were hashed: SHA-256 of ``line`` is ``hash``."""

    line: str


class VerificationOut(BaseModel):
    """Outcome of reading the whole log again."""

    ok: bool
    records: int
    first_bad_line: int | None
    reason: str
    head_hash: str
    anchored: bool = Field(description="True when the end of the log was known, so that a cut would have shown")
    hashed_only: int = Field(description="records removed after the retention, of which the leaf hashes alone are here")


@api.get("/api/logs", responses={200: Logs})
def logs(query: LogsQuery) -> Response:
    """Records of the decision log, filtered."""
    log = services_of_request().log
    records, total = log.records(limit=query.limit, offset=query.offset, **query.criteria(log))
    return _logs(records, total, services_of_request().clock.now())


@api.get("/api/logs/<job_id>", responses={200: Logs})
def logs_of_job(path: JobPath, query: JobLogsQuery) -> Response:
    """Every record that names a job, or a buyer's reference that was booked."""
    services = services_of_request()
    instant = query.as_of or services.clock.now()
    end = query.as_of and query.as_of + timedelta(microseconds=1)
    records, total = services.log.records(job_id=path.job_id, end=end, limit=query.limit, offset=query.offset)
    if not total:
        services.jobs.get(path.job_id)
    return _logs(records, total, instant)


@api.get("/api/audit/records/<int:seq>", responses={200: RecordProof})
def record(path: SeqPath) -> Response:
    """One record, with the line that was hashed."""
    found = services_of_request().log.get(path.seq)
    return answer(RecordProof(**_envelope(found), line=found.line.decode()))


_FILE: Any = {
    200: {
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in FORM_TYPES.values()},
        "description": "The file; the header X-Export-Record names the record of the export",
    }
}


@api.post("/api/audit/exports", responses=_FILE)
def exports(body: ExportRequest) -> Response:
    """The records that match, oldest first, as a file; the export itself is recorded before it is handed out."""
    services = services_of_request()
    return export(services, visitor(), body.format, body.criteria(services.log))


_LINES: Any = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Lines of the log"}}


@api.get("/api/audit/lines", responses=_LINES)
def lines(query: LinesQuery) -> Response:
    """Lines as the files hold them now, not checked here, in order; nothing once there are no more."""
    log = services_of_request().log
    last = min(query.first + query.limit, log.head()[0])
    found, size = [], 0
    for seq in range(max(query.first, log.first_seq), last):
        found.append(log.stored(seq))
        size += len(found[-1])
        if size >= LINES_BYTES:
            break
    return Response(b"".join(found), content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


@api.get("/api/audit/verify", responses={200: VerificationOut})
def verify() -> Response:
    """Read the whole log again and check every hash; names the first bad line."""
    outcome = services_of_request().log.verify()
    return answer(VerificationOut(**{name: getattr(outcome, name) for name in VerificationOut.model_fields}))


def _envelope(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in RecordOut.model_fields}


def _logs(records: Sequence[Record], total: int, instant: datetime) -> Response:
    """A page of records, each claim with the one that was in force in its place at ``instant``."""
    log = services_of_request().log
    jobs = {str(each.body["job_id"]) for each in records if each.kind in CLAIMANTS and each.body.get("carbon")}
    claims = [claim for job_id in sorted(jobs) for claim in claims_on(log, instant, job_id=job_id)]
    restated = {each.seq: claim.stated_by.seq for claim in claims for each in claim.versions[:-1]}
    return answer(Logs(logs=[_decision(record, restated.get(record.seq)) for record in records], total=total))


def _decision(record: Record, restated_by: int | None) -> DecisionLog:
    body = record.body
    return DecisionLog(
        **_envelope(record),
        log_id=_log_id(record),
        timestamp=record.recorded_at,
        job_id=body.get("job_id"),
        decision_type=body.get("verdict", record.kind),
        input_signals=_only(body, "data_kinds", "sources", "feeds"),
        input_constraints=_only(body, "round_seq_id", "claim_level", "baseline_policy", "baseline_site_id"),
        considered_options=body.get("options", []),
        selected_option=body.get("chosen_id"),
        selection_rationale=body.get("reason"),
        tradeoffs=_only(
            body, "cost_gbp", "carbon_kg", "baseline_cost_gbp", "baseline_carbon_kg", "counter_offers", "gap"
        ),
        schedule=body.get("runs", []),
        data_sources=body.get("sources", []),
        restated_by=restated_by,
    )


def _log_id(record: Record) -> str:
    names = ("decision_id", "round_id", "booking_id")
    return next((str(record.body[name]) for name in names if name in record.body), str(record.seq))


def _only(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: body[name] for name in names if name in body}
