"""Health: is it alive, is it ready, how old are its figures; and the metrics."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from flask import Response, current_app
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from agents.energy.entry import MUST_COVER_NOW
from agents.energy.feed import Flag
from core.errors import LogUnavailable, StoreUnavailable
from core.slots import format_utc
from web.api.documented import answer
from web.api.signals import FindingOut
from web.metrics import Metrics
from web.services import Services, services_of_request

if TYPE_CHECKING:
    from agents.energy.feed import FeedStatus

GRAVE = frozenset({Flag.CLOCK_SKEW, Flag.RETIRED})
"""Findings that make every later figure doubtful until someone has looked."""

api = APIBlueprint("api_health", __name__, abp_tags=[Tag(name="health", description="Alive, ready, fresh")])


class Check(BaseModel):
    """One part of the house."""

    ok: bool
    detail: str


class Checks(BaseModel):
    """The parts without which no promise can be made, and the loop."""

    database: Check
    decision_log: Check
    loop: Check


class FeedHealth(BaseModel):
    """One feed: what is in use of it and how old that is."""

    feed: str
    zone: str
    quantity: str
    state: str = Field(description="live, stale, simulated, replayed or never")
    last_good: datetime | None
    age_s: float | None
    known_until: datetime | None
    error: str | None
    next_try: datetime | None
    findings: list[FindingOut] = Field(description="what was noted about its figures")

    @classmethod
    def of(cls, feed: FeedStatus) -> FeedHealth:
        """The wire form of ``feed``."""
        plain = {name: getattr(feed, name) for name in cls.model_fields if name != "findings"}
        return cls(**plain, findings=[FindingOut.of(finding) for finding in feed.findings])


class Health(BaseModel):
    """The whole house at a glance."""

    status: Literal["healthy", "degraded", "unhealthy"]
    initialized: bool = Field(description="True once a plan stands")
    timestamp: datetime
    version: str
    checks: Checks
    feeds: list[FeedHealth]


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive", "ready"]
    timestamp: datetime


@api.get("/health", responses={200: Health})
@api.get("/api/health", responses={200: Health})
def health() -> Response:
    """State of the database, the decision log, the loop and every feed; always 200, the status is in the body."""
    services = services_of_request()
    checks = Checks(database=_database(services), decision_log=_log(services), loop=_loop(services))
    feeds = services.energy.status()
    return answer(
        Health(
            status=_overall(checks, feeds),
            initialized=services.loop.status().last is not None,
            timestamp=services.clock.now(),
            version=services.version,
            checks=checks,
            feeds=[FeedHealth.of(feed) for feed in feeds],
        )
    )


@api.get("/health/live", responses={200: Alive})
def live() -> Response:
    """200 as long as the process answers."""
    return answer(Alive(status="alive", timestamp=services_of_request().clock.now()))


@api.get("/health/ready", responses={200: Alive})
def ready() -> Response:
    """200 when decisions can be taken: the database answers and the decision log can be written; else 503."""
    services = services_of_request()
    log, database = _log(services), _database(services)
    if not log.ok:
        raise LogUnavailable(log.detail)
    if not database.ok:
        raise StoreUnavailable(database.detail)
    return answer(Alive(status="ready", timestamp=services.clock.now()))


@api.get(
    "/metrics",
    responses={
        200: {"description": "Prometheus text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
)
def metrics() -> Response:
    """Metrics for Prometheus."""
    watcher: Metrics = current_app.extensions["slackwater.metrics"]
    return watcher.exposition()


def _database(services: Services) -> Check:
    try:
        services.database.ping()
    except StoreUnavailable as error:
        return Check(ok=False, detail=error.diagnostics())
    return Check(ok=True, detail="answers")


def _log(services: Services) -> Check:
    ok, fault = services.log.healthy()
    return Check(ok=ok, detail=fault or f"{services.log.head()[0]} records, writable")


def _loop(services: Services) -> Check:
    status = services.loop.status()
    if not status.running:
        return Check(ok=False, detail="the negotiation loop is not running")
    if status.last_error:
        return Check(ok=False, detail=f"the last tick failed: {status.last_error}")
    if status.ticking or status.next_at is None:
        return Check(ok=True, detail="negotiating")
    return Check(ok=True, detail=f"next tick at {format_utc(status.next_at)}")


def _overall(checks: Checks, feeds: Iterable[FeedStatus]) -> Literal["healthy", "degraded", "unhealthy"]:
    """Unhealthy when no decision can be taken, degraded when the loop or a feed is not as it should be."""
    if not (checks.database.ok and checks.decision_log.ok):
        return "unhealthy"
    if not checks.loop.ok or any(map(_ails, feeds)):
        return "degraded"
    return "healthy"


def _ails(feed: FeedStatus) -> bool:
    """Whether a feed that plans are made of has no fresh figures, or any feed was caught in what nobody may ignore."""
    late = feed.quantity in MUST_COVER_NOW and feed.state in {"stale", "never"}
    return late or any(finding.flag in GRAVE for finding in feed.findings)
