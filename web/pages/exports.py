"""The audit page's export: the records that its filters show, as a file."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from core.errors import InputError
from web.access import visitor
from web.exporting import FORMS, Form, export
from web.pages.timeline import criteria, filters_of_request
from web.services import services_of_request

NAMES: dict[Form, str] = {"jsonl": "JSON lines", "csv": "CSV", "parquet": "Parquet", "proof": "Proof bundle"}
blueprint = Blueprint("audit_export", __name__, url_prefix="/audit")


@blueprint.post("/export")
def hand_out() -> ResponseReturnValue:
    """A download."""
    form = request.form.get("format", "")
    if form not in FORMS:
        known = ", ".join(FORMS)
        raise InputError(f"{form[:20]!r} is no form of export", field="format", remedy=f"Send one of {known}.")
    services = services_of_request()
    return export(services, visitor(), form, criteria(filters_of_request(), services.log))
