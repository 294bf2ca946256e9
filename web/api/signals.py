"""Signals: how every feed stands, what it declares, what was noted, and the very bytes that it answered with."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from agents.energy.calibration import LEAD_EDGES
from agents.energy.feed import Flag
from core.errors import NotFound
from core.series import Kind
from core.slots import SLOT_HOURS
from web.api.documented import answer
from web.api.shapes import Limit, Query, known
from web.services import services_of_request

if TYPE_CHECKING:
    from agents.energy.calibration import Errors
    from agents.energy.client import HostState
    from agents.energy.feed import Declaration, FeedStatus, Finding
    from core.score import Score
    from core.series import Series
    from core.vintage import Fetch, RawAnswer
    from store.vintages import FetchRow

api = APIBlueprint("api_signals", __name__, abp_tags=[Tag(name="signals", description="Feeds and their answers")])

FetchId = Annotated[str, Field(pattern=r"^fetch-[0-9a-f]{16}$", description="identifier of a fetch")]
Name = Annotated[str, Field(min_length=1, max_length=62)]


class FindingOut(BaseModel):
    """Something noticed about the figures of half-hours from start to end."""

    flag: str = Field(description=", ".join(Flag))
    quantity: str
    start: datetime
    end: datetime
    detail: str

    @classmethod
    def of(cls, finding: Finding) -> FindingOut:
        """The wire form of ``finding``."""
        return cls(**{name: getattr(finding, name) for name in cls.model_fields})


class FeedOut(BaseModel):
    """How one feed stands for one zone and quantity."""

    feed: str
    zone: str = Field(description="grid zone, or a place written latitude,longitude")
    quantity: str
    state: str = Field(description="live, stale, simulated, replayed or never")
    last_good: datetime | None
    age_s: float | None
    known_until: datetime | None
    error: str | None = Field(description="why the last attempt failed, with the remedy")
    next_try: datetime | None
    fetch_id: str | None = Field(description="the last good answer; its bytes are at /api/signals/fetches/{fetch_id}")
    findings: list[FindingOut]

    @classmethod
    def of(cls, status: FeedStatus) -> FeedOut:
        """The wire form of ``status``."""
        plain = {name: getattr(status, name) for name in cls.model_fields if name != "findings"}
        return cls(**plain, findings=[FindingOut.of(finding) for finding in status.findings])


class DeclarationOut(BaseModel):
    """What a feed says of itself."""

    name: str
    title: str
    home: str = Field(description="address of its documentation")
    licence: str
    attribution: str
    host: str
    quantities: list[str]
    units: str = Field(description="in which the feed speaks, and how that becomes ours")
    limit_requests: int = Field(description="what its host allows, in limit_per_s seconds")
    limit_per_s: float
    done: list[str] = Field(description="what of the source is used")
    exempt: list[str] = Field(description="what of it is left, each with its reason")
    key_setting: str | None = Field(description="setting that holds the user's key")
    ready: bool = Field(description="False where its key is not set: it is not asked")

    @classmethod
    def of(cls, declared: Declaration) -> DeclarationOut:
        """The wire form of ``declared``."""
        plain = {name: getattr(declared, name) for name in cls.model_fields if not name.startswith("limit_")}
        limits = declared.limits
        return cls(**plain, limit_requests=limits.requests, limit_per_s=limits.per.total_seconds())


class HostOut(BaseModel):
    """How the client stands with one host."""

    host: str
    state: str = Field(
        description="circuit breaker: closed (asked as usual), open (left alone) or half_open (on trial)"
    )
    failures: int = Field(description="requests in a row that had no answer")
    retry_in_s: float
    last_error: str | None
    skew_s: float | None = Field(description="how far its clock was ahead of this machine's at its last answer")
    requests: int = Field(description="since the start")
    bytes: int = Field(description="of all bodies, as sent")

    @classmethod
    def of(cls, host: HostState) -> HostOut:
        """The wire form of ``host``."""
        return cls(**{name: getattr(host, name) for name in cls.model_fields})


class ScoreOut(BaseModel):
    """How well a forecast of ours did on figures that it had not seen, over one day of lead."""

    model: str
    zone: str = Field(description="grid zone; for own_load the site")
    quantity: str
    day_ahead: int
    scored_at: datetime
    slots: int = Field(description="figures compared")
    mae: float | None = Field(description="mean absolute error, in the unit of the quantity")
    naive_mae: float | None = Field(description="that of the same half-hour a week before")
    slot_mean_mae: float | None = Field(description="that of the mean of the same half-hour over seven days")
    coverage: float | None = Field(description="share of outturns within the interval; `level` is aimed at")
    level: float | None

    @classmethod
    def of(cls, score: Score) -> ScoreOut:
        """The wire form of ``score``."""
        figures = {"mae", "naive_mae", "slot_mean_mae", "coverage", "level"}
        return cls(**{n: known(getattr(score, n)) if n in figures else getattr(score, n) for n in cls.model_fields})


class LeadErrorOut(BaseModel):
    """How far published forecasts were off at leads from one to the next."""

    zone: str
    quantity: str
    lead_from_h: float
    lead_to_h: float | None = Field(description="null: and beyond")
    count: int
    mae: float | None
    half_width: float | None = Field(description="of the 90 % interval; null while too few outturns are known")


class Signals(BaseModel):
    """Every feed at a glance."""

    mode: str = Field(description="of the setting SIGNALS: auto, live, simulated or replay")
    timestamp: datetime
    feeds: list[FeedOut]
    declarations: list[DeclarationOut]
    hosts: list[HostOut]
    scores: list[ScoreOut]
    published_errors: list[LeadErrorOut] = Field(description="of forecasts that sources publish, over two weeks")


class FetchesQuery(Query):
    """Which fetches."""

    zone: Name | None = None
    feed: Name | None = None
    limit: Limit = 50


class FetchRowOut(BaseModel):
    """One stored fetch, without figures and bytes."""

    fetch_id: str
    feed: str
    zone: str
    fetched_at: datetime
    start: datetime = Field(description="first half-hour asked for")
    end: datetime
    error: str | None = Field(description="why it gave no figures")
    quantities: list[str]
    answers: int
    size: int = Field(description="bytes of its answers, as received")

    @classmethod
    def of(cls, row: FetchRow) -> FetchRowOut:
        """The wire form of ``row``."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class FetchList(BaseModel):
    """Fetches, newest first."""

    fetches: list[FetchRowOut]


class AnswerOut(BaseModel):
    """One body as it was received."""

    number: int = Field(description="from 1, in the order asked")
    url: str = Field(description="what was asked, without anything secret")
    content_type: str
    sha256: str
    size: int

    @classmethod
    def of(cls, number: int, raw: RawAnswer) -> AnswerOut:
        """The wire form of ``raw``."""
        return cls(number=number, url=raw.url, content_type=raw.content_type, sha256=raw.sha256, size=len(raw.body))


class SeriesOut(BaseModel):
    """What was read from the answers about one quantity."""

    quantity: str
    unit: str
    source: str
    start: datetime
    end: datetime
    kinds: list[str]
    values: list[float | None] = Field(description="half-hour by half-hour from start; null where missing")

    @classmethod
    def of(cls, quantity: str, series: Series) -> SeriesOut:
        """The wire form of ``series``."""
        return cls(
            quantity=quantity,
            unit=series.unit,
            source=series.source,
            start=series.start,
            end=series.end,
            kinds=[Kind(int(kind)).label for kind in series.kinds],
            values=[known(value) for value in series.values.tolist()],
        )


class FetchOut(BaseModel):
    """One fetch: who was asked what and when, every body by its digest, and what was read from them."""

    fetch_id: str
    feed: str
    zone: str
    fetched_at: datetime
    start: datetime
    end: datetime
    error: str | None
    answers: list[AnswerOut]
    series: list[SeriesOut]

    @classmethod
    def of(cls, fetch: Fetch) -> FetchOut:
        """The wire form of ``fetch``."""
        plain = {name: getattr(fetch, name) for name in cls.model_fields if name not in {"answers", "series"}}
        return cls(
            **plain,
            answers=[AnswerOut.of(number, raw) for number, raw in enumerate(fetch.answers, 1)],
            series=[SeriesOut.of(quantity, series) for quantity, series in fetch.series.items()],
        )


class FetchPath(BaseModel):
    """A path that names a fetch."""

    fetch_id: FetchId


class AnswerPath(FetchPath):
    """A path that names one answer of a fetch."""

    number: int = Field(ge=1, le=100_000, description="from 1, in the order asked")


@api.get("/api/signals", responses={200: Signals})
def signals() -> Response:
    """How every feed stands, what each declares, the hosts, and how well forecasts did."""
    services = services_of_request()
    energy = services.energy
    return answer(
        Signals(
            mode=services.settings.signals.partition(":")[0],
            timestamp=services.clock.now(),
            feeds=[FeedOut.of(status) for status in energy.status()],
            declarations=[DeclarationOut.of(declared) for declared in energy.declarations()],
            hosts=[HostOut.of(host) for host in energy.hosts()],
            scores=[ScoreOut.of(score) for score in services.scores.latest()],
            published_errors=[error for key, errors in energy.errors().items() for error in _by_lead(*key, errors)],
        )
    )


@api.get("/api/signals/fetches", responses={200: FetchList})
def fetches(query: FetchesQuery) -> Response:
    """Stored fetches, newest first, failed ones too."""
    rows = services_of_request().vintages.fetches(query.zone, query.feed, query.limit)
    return answer(FetchList(fetches=[FetchRowOut.of(row) for row in rows]))


@api.get("/api/signals/fetches/<fetch_id>", responses={200: FetchOut})
def fetch(path: FetchPath) -> Response:
    """One fetch: what was asked, the digest of every body, and the figures that were read from them."""
    return answer(FetchOut.of(services_of_request().vintages.get(path.fetch_id)))


_BYTES: dict[int | str, Any] = {
    200: {
        "description": "The body as it was received",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@api.get("/api/signals/fetches/<fetch_id>/answers/<int:number>", responses=_BYTES)
def body(path: AnswerPath) -> Response:
    """The bytes of one answer, to be saved and never shown: they are whatever the feed sent."""
    found = services_of_request().vintages.get(path.fetch_id)
    if path.number > len(found.answers):
        raise NotFound(
            f"{path.fetch_id} has no answer {path.number}",
            remedy=f"It has {len(found.answers)}, counted from 1.",
        )
    response = Response(found.answers[path.number - 1].body, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{path.fetch_id}-{path.number}.bin"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _by_lead(zone: str, quantity: str, errors: Errors) -> list[LeadErrorOut]:
    """The errors of a zone and quantity, one for each stretch of leads."""
    ends = [*LEAD_EDGES[1:], None]
    return [
        LeadErrorOut(
            zone=zone,
            quantity=quantity,
            lead_from_h=start * SLOT_HOURS,
            lead_to_h=end * SLOT_HOURS if end is not None else None,
            count=int(errors.counts[i]),
            mae=known(float(errors.mae[i])),
            half_width=known(float(errors.half_width[i])),
        )
        for i, (start, end) in enumerate(zip(LEAD_EDGES, ends, strict=True))
    ]
