"""Quotes: what a job that is not submitted would cost by each of several deadlines."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from core.job import Instant, JobRequest
from web.api.documented import answer
from web.security import require_command_allowed
from web.services import services_of_request

if TYPE_CHECKING:
    from agents.quotes.quote import Offer, Point, Quote

api = APIBlueprint("api_quotes", __name__, abp_tags=[Tag(name="jobs")])

MOST_DEADLINES = 16


class QuoteRequest(JobRequest):
    """A job as it would be submitted, and the deadlines to price it for."""

    deadlines: tuple[Instant, ...] | None = Field(
        None,
        min_length=1,
        max_length=MOST_DEADLINES,
        description="default: hours of patience after the earliest finish, from 0 to 48, and latest_finish",
    )


class RunOut(BaseModel):
    """A stretch of constant power."""

    start: datetime
    end: datetime
    power_kw: float = Field(description="IT power")


class OfferOut(BaseModel):
    """One way to run the job, and what it would cost."""

    site_id: str
    start: datetime
    end: datetime
    runs: list[RunOut]
    energy_kwh: float = Field(description="at the meter, cooling included")
    cost_gbp: float = Field(description="of that energy")
    cost_low_gbp: float = Field(description="lower end of the 90 % interval")
    cost_high_gbp: float
    pause_gbp: float = Field(description="what its pauses cost")
    carbon_kg: float
    carbon_low_kg: float = Field(description="lower end of the 90 % interval")
    carbon_high_kg: float
    carbon_gbp: float = Field(description="the carbon at the operator's price: weighed, not paid")
    scarcity_gbp: float = Field(description="what the headroom is worth to other jobs: weighed, not paid")
    charge_gbp: float = Field(description="cost_gbp, pause_gbp, carbon_gbp and scarcity_gbp: what is minimised")
    kinds: list[str] = Field(description="kinds of figure that cost and carbon rest on, firmest first")
    stress: float | None = Field(description="of the grid, 0 to 1, the highest while it runs; null where not known")

    @classmethod
    def of(cls, offer: Offer) -> OfferOut:
        """The wire form of ``offer``."""
        runs = [RunOut(start=start, end=end, power_kw=power_kw) for start, end, power_kw in offer.runs]
        return cls(runs=runs, **{name: getattr(offer, name) for name in cls.model_fields if name != "runs"})


class PointOut(BaseModel):
    """The best offer by one deadline, and what it saves against running now: cost with pauses, and carbon."""

    latest_finish: datetime
    patience_h: float = Field(description="from the finish of running now to latest_finish, at least 0")
    offer: OfferOut | None
    saved_gbp: float | None = Field(description="null where there is no offer, or no room to run now")
    saved_kg: float | None
    saved_gbp_per_h: float | None = Field(description="for each hour of patience; null where there is none")
    saved_kg_per_h: float | None
    reason: str | None = Field(description="why there is no offer")
    remedy: str | None

    @classmethod
    def of(cls, point: Point) -> PointOut:
        """The wire form of ``point``."""
        offer = OfferOut.of(point.offer) if point.offer is not None else None
        return cls(offer=offer, **{name: getattr(point, name) for name in cls.model_fields if name != "offer"})


class QuoteOut(BaseModel):
    """What the job would cost at the figures of the plan in force; nothing is stored or promised."""

    issued_at: datetime
    tick_id: str = Field(description="the tick that made the plan")
    planned_at: datetime
    carbon_price_gbp_per_tonne: float
    now: OfferOut | None = Field(description="started at once, at full power; null where no site has room")
    own: PointOut = Field(description="by the job's own latest_finish")
    points: list[PointOut] = Field(description="by rising deadline; charge_gbp never rises")

    @classmethod
    def of(cls, quote: Quote) -> QuoteOut:
        """The wire form of ``quote``."""
        return cls(
            issued_at=quote.issued_at,
            tick_id=quote.tick.tick_id,
            planned_at=quote.tick.ended_at,
            carbon_price_gbp_per_tonne=quote.carbon_price_gbp_per_tonne,
            now=OfferOut.of(quote.now) if quote.now is not None else None,
            own=PointOut.of(quote.own),
            points=[PointOut.of(point) for point in quote.points],
        )


@api.post("/api/quote", responses={200: QuoteOut})
def quote(body: QuoteRequest) -> Response:
    """Cost, carbon and window of a job for several deadlines, against the plan in force; nothing is stored."""
    services = services_of_request()
    require_command_allowed(services.settings, body.command)
    return answer(QuoteOut.of(services.loop.quote(body, body.deadlines)))
