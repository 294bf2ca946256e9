"""Jobs: submit, find, follow, cancel, plan now."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import Conflict, Unavailable
from core.job import FlexibilityType, Instant, JobRequest, JobStatus
from core.ledger import TickRecord
from web.actions import cancel_job, submit_job
from web.api.documented import answer
from web.api.job_facts import JobFacts, latest_decision
from web.api.job_shapes import JobDetail, JobList, JobOut, Schedule
from web.api.shapes import JobPath, Limit, Offset, Query, SearchText, TickOut
from web.services import Services, services_of_request

api = APIBlueprint("api_jobs", __name__, abp_tags=[Tag(name="jobs", description="Compute that may move")])

_MANY = 10_000


class JobsQuery(Query):
    """Which jobs."""

    status: list[JobStatus] | None = Field(None, description="may be repeated")
    tenant: SearchText | None = None
    site_id: SearchText | None = None
    flexibility_type: FlexibilityType | None = None
    q: SearchText | None = Field(None, description="text in the job's name or id")
    limit: Limit = 50
    offset: Offset = 0


class JobQuery(Query):
    """Which view."""

    as_of: Instant | None = Field(None, description="the claim as it was stated at this instant; all else is as of now")


class CancelRequest(BaseModel):
    """Why; may be left out, body and all."""

    model_config = ConfigDict(
        extra="forbid",
        openapi_extra={"required": False},  # type: ignore[typeddict-unknown-key]  # flask-openapi3's own key
    )

    reason: str = Field("cancelled by its owner", min_length=1, max_length=500)

    @model_validator(mode="before")
    @classmethod
    def _empty_body(cls, data: Any) -> Any:
        return {} if data is None else data


class JobOutput(BaseModel):
    """What the job's command wrote, its end if it wrote much."""

    job_id: str
    status: JobStatus
    exit_status: int | None
    output: str


class ExplanationOut(BaseModel):
    """A decision in words."""

    text: str = Field(description="two to four sentences; figures are forecasts unless they say otherwise")
    source: Literal["rules", "model"] = Field(description="worded by rules, or by a model from their figures")
    note: str = Field("", description="why the rules worded it where a model was to; else empty")
    decision_seq: int = Field(description="record of the decision in the log")


class Waiting(BaseModel):
    """A job without a place in the plan, and why."""

    job_id: str
    status: JobStatus
    reason: str | None


class ScheduledAll(BaseModel):
    """Outcome of one negotiation over all open jobs."""

    tick: TickOut
    scheduled: list[Schedule]
    waiting: list[Waiting]
    total: int


@api.post("/api/jobs", responses={201: JobOut})
def submit(body: JobRequest) -> Response:
    """Accept a job; it is planned by the tick that this starts."""
    job = submit_job(services_of_request(), body)
    return answer(JobOut.of(job), 201, location=f"/api/jobs/{job.job_id}")


@api.get("/api/jobs", responses={200: JobList})
def find(query: JobsQuery) -> Response:
    """Jobs, newest first, filtered."""
    filters = query.model_dump(exclude={"status", "q"})
    jobs, total = services_of_request().jobs.find(statuses=query.status, text=query.q, **filters)
    return answer(JobList(jobs=[JobOut.of(job) for job in jobs], total=total))


@api.get("/api/jobs/<job_id>", responses={200: JobDetail})
def one(path: JobPath, query: JobQuery) -> Response:
    """A job with its half-hours, baseline, savings and claim, and why it runs there and then or has no place."""
    services = services_of_request()
    return answer(JobFacts.gather(services, path.job_id, query.as_of).detail(services))


@api.post("/api/jobs/<job_id>/cancel", responses={200: JobOut})
def cancel(path: JobPath, body: CancelRequest) -> Response:
    """Cancel a job that has not ended; a command that runs is stopped."""
    return answer(JobOut.of(cancel_job(services_of_request(), path.job_id, body.reason)))


@api.get("/api/jobs/<job_id>/explanation", responses={200: ExplanationOut})
def explanation(path: JobPath) -> Response:
    """Why here, why then, what its conditions cost; for a refusal, what would make it possible, and when."""
    services = services_of_request()
    decision = latest_decision(services, path.job_id)
    found = services.advisor.explain(decision.body)
    return answer(ExplanationOut(text=found.text, source=found.source, note=found.note, decision_seq=decision.seq))


@api.get("/api/jobs/<job_id>/output", responses={200: JobOutput})
def output(path: JobPath) -> Response:
    """What the job's command wrote so far."""
    services = services_of_request()
    job = services.jobs.get(path.job_id)
    text = services.dispatcher.output(path.job_id)
    return answer(JobOutput(job_id=job.job_id, status=job.status, exit_status=job.exit_status, output=text))


@api.post("/api/jobs/<job_id>/schedule", responses={200: Schedule})
def schedule(path: JobPath) -> Response:
    """Negotiate now and answer where and when the job runs; 409 with the reason when it has no place."""
    services = services_of_request()
    job = services.jobs.get(path.job_id)
    if not job.status.terminal:
        _tick(services)
    facts = JobFacts.gather(services, path.job_id)
    found = facts.schedule(services)
    if found is None:
        reason = facts.job.reason or "the plan has no place for it"
        raise Conflict(f"job {job.job_id} is {facts.job.status}: {reason}", remedy="Widen its window or its regions.")
    return answer(found)


@api.post("/api/schedule-all", responses={200: ScheduledAll})
def schedule_all() -> Response:
    """Negotiate now over all open jobs, and answer who runs where and who waits for what."""
    services = services_of_request()
    tick = _tick(services)
    statuses = (JobStatus.PENDING, JobStatus.SCHEDULED, JobStatus.RUNNING, JobStatus.PAUSED)
    jobs, total = services.jobs.find(statuses=statuses, limit=_MANY, offset=0)
    scheduled, waiting = [], []
    for job in jobs:
        found = JobFacts.gather(services, job.job_id).schedule(services)
        if found is None:
            waiting.append(Waiting(job_id=job.job_id, status=job.status, reason=job.reason))
        else:
            scheduled.append(found)
    return answer(ScheduledAll(tick=TickOut.of(tick), scheduled=scheduled, waiting=waiting, total=total))


def _tick(services: Services) -> TickRecord:
    tick = services.loop.tick("operator")
    if tick.outcome in {"failed", "late"}:
        raise Unavailable(f"the negotiation ended as {tick.outcome}: {tick.detail}")
    return tick
