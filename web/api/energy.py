"""Energy: what power costs and emits in a zone, now and in the hours to come, each figure with its origin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from agents.energy.feed import Finding
from agents.messages import EnergyQuote
from core.series import LEVEL
from core.slots import SLOT, slot_floor
from web import grid
from web.api.documented import answer
from web.api.shapes import Figure, Query, figure
from web.services import Services, services_of_request

api = APIBlueprint("api_energy", __name__, abp_tags=[Tag(name="energy", description="Price and carbon of grid zones")])

Findings = tuple[tuple[Finding, ...], tuple[Finding, ...]]


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


class MixOut(BaseModel):
    """Generation by fuel in the newest half-hour of which it is known."""

    slot_start: datetime
    kind: str = Field(description="settled, estimate, forecast or simulated")
    source: str
    percent: dict[str, float] = Field(description="share of generation by fuel, the largest first")


class StressOut(BaseModel):
    """How strained the grid is, and why."""

    index: float = Field(ge=0, le=1, description="0 calm to 1 strained")
    kind: str = Field(description="settled, estimate, forecast or simulated: the weakest of its signs")
    reasons: list[str] = Field(description="what it is made of, in sentences")


class CurrentEnergy(SlotFigures):
    """The half-hour that is running."""

    region: str
    timestamp: datetime
    carbon_index: str | None = Field(
        description="very low to very high by the year's table of the Carbon Intensity API; null outside Great Britain"
    )
    marginal_carbon: Figure | None = Field(
        description="what one more kWh emits; never mixed with carbon, which is average; null where not known"
    )
    generation_mix: MixOut | None = Field(description="null where not known")
    grid_stress: StressOut | None = Field(description="null where not known")


class EnergyForecast(BaseModel):
    """The half-hours to come; published figures first, then forecasts, each labelled."""

    region: str
    generated_at: datetime
    hours: int
    interval_level: float = Field(description="probability with which an outturn lies between low and high")
    values: list[SlotFigures]


@api.get("/api/energy/current/<region>", responses={200: CurrentEnergy})
def current(path: RegionPath) -> Response:
    """Price and carbon of a grid zone in the half-hour that is running, with mix, stress and marginal carbon."""
    services = services_of_request()
    quote = _quote(services, path.region, 1)
    slot = _slot(quote, path.region, 0, _findings(services, path.region))
    index = grid.carbon_index(path.region, quote.carbon[path.region], 0)
    about = _about(services, path.region, quote.issued_at)
    return answer(CurrentEnergy(region=path.region, timestamp=quote.issued_at, carbon_index=index, **slot, **about))


@api.get("/api/energy/forecast/<region>", responses={200: EnergyForecast})
def forecast(path: RegionPath, query: HoursQuery) -> Response:
    """Price and carbon of a grid zone for the hours to come, from the half-hour that is running, with intervals."""
    services = services_of_request()
    quote = _quote(services, path.region, 2 * query.hours)
    findings = _findings(services, path.region)
    return answer(
        EnergyForecast(
            region=path.region,
            generated_at=quote.issued_at,
            hours=query.hours,
            interval_level=LEVEL,
            values=[SlotFigures(**_slot(quote, path.region, index, findings)) for index in range(quote.slots)],
        )
    )


def _quote(services: Services, region: str, slots: int) -> EnergyQuote:
    return services.energy.quote((region,), slot_floor(services.clock.now()), slots)


def _findings(services: Services, region: str) -> Findings:
    """What was noted about the price and the carbon of a zone."""
    statuses = services.energy.status()
    return grid.findings_of(statuses, region, "price"), grid.findings_of(statuses, region, "carbon")


def _slot(quote: EnergyQuote, region: str, index: int, findings: Findings) -> dict[str, Any]:
    start, now = quote.start + SLOT * index, quote.issued_at
    return {
        "slot_start": start,
        "slot_end": start + SLOT,
        "price": figure(quote.price[region], index, now, findings[0]),
        "carbon": figure(quote.carbon[region], index, now, findings[1]),
    }


def _about(services: Services, region: str, now: datetime) -> dict[str, Any]:
    """Marginal carbon, generation mix and grid stress of a zone, each as far as it is known."""
    marginal = grid.marginal_carbon(services.energy, region, now)
    mix = grid.mix(services.energy, region, now)
    stress = grid.stress(services.energy, region, now)
    return {
        "marginal_carbon": marginal and figure(marginal, 0, now),
        "generation_mix": mix
        and MixOut(
            slot_start=mix.slot_start,
            kind=mix.kind.label,
            source=mix.source,
            percent={share.fuel: share.percent for share in mix.shares},
        ),
        "grid_stress": stress and StressOut(index=stress.index, kind=stress.kind.label, reasons=list(stress.reasons)),
    }
