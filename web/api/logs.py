"""The decision log: what was decided and why, each record as it stands in the file, and the file verified."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from audit.record import Record
from core.job import Instant
from web.api.documented import answer
from web.api.shapes import JobPath, Limit, Offset, Query, SearchText
from web.services import services_of_request

api = APIBlueprint("api_logs", __name__, abp_tags=[Tag(name="audit", description="Decisions, and the proof of them")])

RecordKind = Literal["decision", "round", "delivery", "booking", "feed_snapshot", "recovery"]


class PageQuery(Query):
    """Which part of the answer."""

    limit: Limit = 50
    offset: Offset = 0


class LogsQuery(PageQuery):
    """Which records."""

    kind: RecordKind | None = None
    job_id: SearchText | None = None
    site_id: SearchText | None = None
    start: Instant | None = Field(None, description="recorded at or after")
    end: Instant | None = Field(None, description="recorded before")
    q: SearchText | None = Field(None, description="text that occurs in the record")


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


@api.get("/api/logs", responses={200: Logs})
def logs(query: LogsQuery) -> Response:
    """Records of the decision log, filtered."""
    filters = query.model_dump(exclude={"q"})
    records, total = services_of_request().log.records(text=query.q, **filters)
    return answer(Logs(logs=[_decision(record) for record in records], total=total))


@api.get("/api/logs/<job_id>", responses={200: Logs})
def logs_of_job(path: JobPath, query: PageQuery) -> Response:
    """Every record that names a job, or a buyer's reference that was booked."""
    services = services_of_request()
    records, total = services.log.records(job_id=path.job_id, limit=query.limit, offset=query.offset)
    if not total:
        services.jobs.get(path.job_id)
    return answer(Logs(logs=[_decision(record) for record in records], total=total))


@api.get("/api/audit/records/<int:seq>", responses={200: RecordProof})
def record(path: SeqPath) -> Response:
    """One record, with the line that was hashed."""
    found = services_of_request().log.get(path.seq)
    return answer(RecordProof(**_envelope(found), line=found.line.decode()))


@api.get("/api/audit/verify", responses={200: VerificationOut})
def verify() -> Response:
    """Read the whole log again and check every hash; names the first bad line."""
    outcome = services_of_request().log.verify()
    return answer(VerificationOut(**{name: getattr(outcome, name) for name in VerificationOut.model_fields}))


def _envelope(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in RecordOut.model_fields}


def _decision(record: Record) -> DecisionLog:
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
    )


def _log_id(record: Record) -> str:
    names = ("decision_id", "round_id", "booking_id")
    return next((str(record.body[name]) for name in names if name in record.body), str(record.seq))


def _only(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: body[name] for name in names if name in body}
