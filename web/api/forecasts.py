"""What is expected: the sites' own load, the demand for inference by time zone, and load that nobody has submitted."""

from __future__ import annotations

from datetime import datetime

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from agents.job.arrivals import ExpectedLoad
from core.series import Kind, Series
from core.slots import SLOT, slot_floor
from web.api.documented import answer
from web.api.energy import HoursQuery
from web.services import services_of_request

api = APIBlueprint("api_forecasts", __name__, abp_tags=[Tag(name="forecasts", description="Load that is to come")])


class LoadSlot(BaseModel):
    """Power of one half-hour, in kW at the meter."""

    slot_start: datetime
    power_kw: float
    low_kw: float = Field(description="lower end of the 90 % interval")
    high_kw: float = Field(description="upper end; headroom is kept free of it")
    kind: str = Field(description="settled, estimate, forecast or simulated")


class SiteLoad(BaseModel):
    """The own load of one site."""

    site_id: str
    values: list[LoadSlot]


class InferenceDemand(BaseModel):
    """The own load of the sites that serve inference in one time zone."""

    timezone: str
    values: list[LoadSlot]


class LoadForecast(BaseModel):
    """Own load from the half-hour that is running."""

    generated_at: datetime
    sites: list[SiteLoad]
    inference: list[InferenceDemand]


class ExpectedArrival(BaseModel):
    """Flexible load that may be submitted, as a block that stands for it."""

    tenant: str
    site_ids: list[str]
    slot_start: datetime
    power_kw: float = Field(description="IT power that is not exceeded nine times in ten")
    duration_slots: int
    deadline_slots: int = Field(description="half-hours from slot_start by which it would have to be done")
    probability: float = Field(description="expected share of it that really arrives")
    usual_kw: float = Field(description="what is usual at that time of day")
    spike: bool = Field(description="room is kept where this is true")

    @classmethod
    def of(cls, load: ExpectedLoad) -> ExpectedArrival:
        """The wire form of ``load``."""
        return cls(**{name: getattr(load, name) for name in cls.model_fields} | {"site_ids": list(load.site_ids)})


class ArrivalForecast(BaseModel):
    """Load that may be submitted within two days."""

    generated_at: datetime
    reserving: bool = Field(description="whether room is kept for spikes")
    arrivals: list[ExpectedArrival]
    total: int


@api.get("/api/forecasts/load", responses={200: LoadForecast})
def load(query: HoursQuery) -> Response:
    """Own load of every site, and the demand for inference by time zone, for the hours to come."""
    services = services_of_request()
    now, slots = services.clock.now(), 2 * query.hours
    quote = services.sites.quote(slot_floor(now), slots)
    sites = [
        SiteLoad(
            site_id=site_id,
            values=[
                LoadSlot(
                    slot_start=quote.start + SLOT * slot,
                    power_kw=quote.own_load_kw[row, slot],
                    low_kw=quote.own_load_low_kw[row, slot],
                    high_kw=quote.own_load_high_kw[row, slot],
                    kind=Kind(int(quote.own_load_kind[row, slot])).label,
                )
                for slot in range(slots)
            ],
        )
        for row, site_id in enumerate(quote.site_ids)
    ]
    demand = services.sites.inference_demand(slot_floor(now), slots)
    inference = [InferenceDemand(timezone=zone, values=_slots(series)) for zone, series in demand.items()]
    return answer(LoadForecast(generated_at=now, sites=sites, inference=inference))


@api.get("/api/forecasts/arrivals", responses={200: ArrivalForecast})
def arrivals() -> Response:
    """Flexible load that may be submitted within two days, expected from what was submitted before."""
    services = services_of_request()
    expected = [ExpectedArrival.of(load) for load in services.loop.expected()]
    return answer(
        ArrivalForecast(
            generated_at=services.clock.now(),
            reserving=services.settings.reserve_for_spikes,
            arrivals=expected,
            total=len(expected),
        )
    )


def _slots(series: Series) -> list[LoadSlot]:
    low, high = series.interval
    return [
        LoadSlot(
            slot_start=series.start + SLOT * slot,
            power_kw=float(series.values[slot]),
            low_kw=float(low[slot]),
            high_kw=float(high[slot]),
            kind=Kind(int(series.kinds[slot])).label,
        )
        for slot in range(len(series))
    ]
