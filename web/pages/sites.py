"""Sites: where compute can run, how each place stands in this half-hour, and the demand for inference to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from core.series import Kind, Series
from core.slots import SLOT, SLOT_HOURS, SLOTS_PER_DAY, slot_floor
from web.pages.places import places
from web.services import services_of_request

AHEAD_SLOTS = SLOTS_PER_DAY
blueprint = Blueprint("sites", __name__, url_prefix="/sites")


@dataclass(frozen=True, slots=True)
class Inference:
    """Demand for inference in one time zone: now, at its highest in the coming day with its interval, and in all."""

    timezone: str
    now_kw: float
    peak_kw: float
    peak_between_kw: tuple[float, float]
    peak_at: datetime
    energy_kwh: float
    kind: str


@blueprint.get("")
def index() -> ResponseReturnValue:
    """All sites and registered assets."""
    services = services_of_request()
    now = services.clock.now()
    here = places(services, now)
    return render_template(
        "sites.html",
        places=here,
        assets=services.sites.assets(),
        capacity_kw=sum(place.site.capacity_kw for place in here),
        headroom_kw=sum(place.headroom_kw for place in here),
        slot_start=slot_floor(now),
        slot_end=slot_floor(now) + SLOT,
        inference=[
            inference(timezone, series)
            for timezone, series in services.sites.inference_demand(slot_floor(now), AHEAD_SLOTS).items()
        ],
    )


def inference(timezone: str, series: Series) -> Inference:
    """The demand of one time zone over the coming day."""
    low, high = series.interval
    peak = int(series.values.argmax())
    return Inference(
        timezone=timezone,
        now_kw=float(series.values[0]),
        peak_kw=float(series.values[peak]),
        peak_between_kw=(float(low[peak]), float(high[peak])),
        peak_at=series.start + SLOT * peak,
        energy_kwh=float(series.values.sum()) * SLOT_HOURS,
        kind=Kind(int(series.kinds[peak])).label,
    )
