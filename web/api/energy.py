"""Energy: what power costs and emits in a zone, now and in the hours to come, each figure with its origin."""

from __future__ import annotations

from datetime import datetime

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from agents.messages import EnergyQuote
from core.slots import SLOT, slot_floor
from web.api.documented import answer
from web.api.shapes import Figure, Query, figure
from web.services import services_of_request

api = APIBlueprint("api_energy", __name__, abp_tags=[Tag(name="energy", description="Price and carbon of grid zones")])


class RegionPath(BaseModel):
    """A path that names a grid zone."""

    region: str = Field(min_length=1, max_length=62, description="grid zone, such as GB-C")


class HoursQuery(Query):
    """How far to look."""

    hours: int = Field(48, ge=1, le=168, description="hours from now")


class SlotFigures(BaseModel):
    """Price and carbon of one half-hour."""

    slot_start: datetime
    slot_end: datetime
    price: Figure
    carbon: Figure


class CurrentEnergy(SlotFigures):
    """The half-hour that is running."""

    region: str
    timestamp: datetime


class EnergyForecast(BaseModel):
    """The half-hours to come; published figures first, then forecasts, each labelled."""

    region: str
    generated_at: datetime
    hours: int
    values: list[SlotFigures]


@api.get("/api/energy/current/<region>", responses={200: CurrentEnergy})
def current(path: RegionPath) -> Response:
    """Price and carbon of a grid zone in the half-hour that is running."""
    now = services_of_request().clock.now()
    quote = _quote(path.region, 1)
    return answer(CurrentEnergy(region=path.region, timestamp=now, **_slot(quote, path.region, 0)))


@api.get("/api/energy/forecast/<region>", responses={200: EnergyForecast})
def forecast(path: RegionPath, query: HoursQuery) -> Response:
    """Price and carbon of a grid zone for the hours to come, from the half-hour that is running."""
    quote = _quote(path.region, 2 * query.hours)
    values = [SlotFigures(**_slot(quote, path.region, index)) for index in range(quote.slots)]
    generated = services_of_request().clock.now()
    return answer(EnergyForecast(region=path.region, generated_at=generated, hours=query.hours, values=values))


def _quote(region: str, slots: int) -> EnergyQuote:
    services = services_of_request()
    return services.energy.quote((region,), slot_floor(services.clock.now()), slots)


def _slot(quote: EnergyQuote, region: str, index: int) -> dict[str, datetime | Figure]:
    start = quote.start + SLOT * index
    price, carbon = figure(quote.price[region], index), figure(quote.carbon[region], index)
    return {"slot_start": start, "slot_end": start + SLOT, "price": price, "carbon": carbon}
