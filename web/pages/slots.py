"""Free slots: the flexibility that is still for sale over Beckn, and what was booked of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from beckn.models import BecknSlot, SlotFilter
from core.errors import InputError
from core.slots import slot_floor
from web.pages.places import country_name, site_names
from web.problems import field_errors
from web.services import Services, services_of_request

MOST_SLOTS = 50
BOOKED_AHEAD = timedelta(days=7)
FILTERS = ("region", "start", "end", "min_power_kw", "max_price_pence", "max_carbon_g_per_kwh")
blueprint = Blueprint("slots", __name__, url_prefix="/beckn")


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Free slots that match the filters, and the bookings of the coming week."""
    services = services_of_request()
    filters = {name: request.args.get(name, "").strip() for name in FILTERS}
    slots, total, errors = search(services, filters)
    now = slot_floor(services.clock.now())
    sites = services.sites.sites()
    page = render_template(
        "slots.html",
        slots=slots,
        total=total,
        errors=errors,
        filters=filters,
        filtered=any(filters.values()),
        bookings=services.bookings.active(now, now + BOOKED_AHEAD),
        site_names=site_names(services),
        sites=sites,
        countries=sorted({(site.country, country_name(site.country)) for site in sites}, key=lambda c: c[1]),
    )
    return page, 422 if errors else 200


def search(services: Services, filters: Mapping[str, str]) -> tuple[list[BecknSlot], int, dict[str, tuple[str, str]]]:
    """Slots, how many match in all, and errors by field as (message, remedy)."""
    try:
        slots, total = services.desk.find(SlotFilter.model_validate(_criteria(filters)))
    except ValidationError as error:
        return [], 0, {found.field: (found.message, found.remedy) for found in field_errors(error)}
    except InputError as error:
        return [], 0, {error.field: (str(error), error.remedy)}
    return slots, total, {}


def _criteria(filters: Mapping[str, str]) -> dict[str, Any]:
    """The form's words as the desk's: times are UTC, prices pence."""
    given: dict[str, Any] = {name: text for name, text in filters.items() if text and name != "max_price_pence"}
    for name in ("start", "end"):
        if name in given:
            given[name] = f"{given[name]}Z"
    if filters["max_price_pence"]:
        given["max_price_gbp_per_kwh"] = _pounds(filters["max_price_pence"])
    return {**given, "limit": MOST_SLOTS}


def _pounds(text: str) -> float:
    try:
        return float(text) / 100
    except ValueError as error:
        raise InputError(
            f"{text!r} is not a number",
            field="max_price_gbp_per_kwh",
            value=text,
            remedy="Write pence per kWh, such as 18.5.",
        ) from error
