"""Shares: what every tenant is due of the sites, what it uses, and who waits."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from web.pages.places import site_names
from web.services import services_of_request

blueprint = Blueprint("shares", __name__, url_prefix="/shares")


@blueprint.get("")
def index() -> ResponseReturnValue:
    """All tenants, the one whose turn it is first."""
    services = services_of_request()
    found = sorted(services.loop.shares(), key=lambda share: share.rank)
    return render_template(
        "shares.html",
        tenants=found,
        waiting=sum(share.waiting for share in found),
        half_life_s=3600 * services.settings.usage_half_life_hours,
        site_names=site_names(services),
    )
