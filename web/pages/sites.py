"""Sites: where compute can run, how each place stands in this half-hour."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from core.slots import SLOT, slot_floor
from web.pages.places import places
from web.services import services_of_request

blueprint = Blueprint("sites", __name__, url_prefix="/sites")


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
    )
