"""Home: what Slackwater does, how things stand, and the next 48 hours."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from accounting.savings import portfolio, savings_by_job
from core.errors import NotFound
from core.job import JobStatus
from core.slots import SLOTS_PER_DAY, slot_floor, slot_starts
from web.pages.curves import Curves, Mark, chart_data, price_and_carbon, published_end
from web.pages.drawing import drawing
from web.pages.frame import live
from web.pages.places import places, reading
from web.services import Services, services_of_request

HORIZON_SLOTS = 2 * SLOTS_PER_DAY
blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """The home page, or its live figures alone."""
    services = services_of_request()
    zones = services.energy.zones()
    zone = request.args.get("zone", default_zone(services))
    if zone not in zones:
        raise NotFound(f"no grid zone {zone!r}", remedy=f"Choose one of {', '.join(zones)}.")
    return live("home.html", "_home.html", zone=zone, zones=zones, **figures(services), **outlook(services, zone))


def default_zone(services: Services) -> str:
    """The configured zone, or the first one where that is not in use."""
    zones = services.energy.zones()
    return services.settings.default_region if services.settings.default_region in zones else zones[0]


def figures(services: Services) -> dict[str, Any]:
    """The live figures of the home page."""
    here = [place for place in places(services, services.clock.now()) if place.reading.known]
    counts = services.jobs.counts()
    return {
        "cleanest": min(here, key=lambda place: place.reading.carbon_g_per_kwh, default=None),
        "cheapest": min(here, key=lambda place: place.reading.price_gbp_per_kwh, default=None),
        "counts": {status: counts.get(status, 0) for status in JobStatus},
        "savings": portfolio(savings_by_job(services.ledger.totals_by_job())),
        "tick": next(iter(services.ticks.latest(1)), None),
    }


def outlook(services: Services, zone: str) -> dict[str, Any]:
    """Price and carbon of ``zone`` for the next 48 hours, and as they are now."""
    start = slot_floor(services.clock.now())
    quote = services.energy.quote((zone,), start, HORIZON_SLOTS)
    price, carbon = quote.price[zone], quote.carbon[zone]
    end = published_end(price)
    curves = Curves(
        description=f"Price and carbon intensity in {zone} over the next 48 hours.",
        panels=price_and_carbon(price, carbon),
        marks=(Mark(end, "published prices end", 0),) if end else (),
    )
    return {
        "current": reading(price, carbon),
        "prices_end": end,
        "chart": chart_data(curves),
        "drawing": drawing(curves),
        "rows": [(start_of, reading(price, carbon, i)) for i, start_of in enumerate(slot_starts(start, HORIZON_SLOTS))],
    }
