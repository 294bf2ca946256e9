"""Two routes for market participants: search what is free, confirm one slot of it."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from beckn.desk import FlexibilityDesk
from beckn.models import BookingOut, ConfirmRequest, SearchResult, SlotFilter
from core.clock import Clock

_TAG = Tag(name="beckn", description="Flexibility still free, offered and booked")


def beckn_api(desk: FlexibilityDesk, clock: Clock) -> APIBlueprint:
    """The Beckn routes over ``desk``."""
    api = APIBlueprint("api_beckn", __name__, abp_tags=[_TAG])

    @api.post("/api/beckn/search", responses={200: SearchResult})
    def search(body: SlotFilter) -> Response:
        """Free headroom as half-hour slots, soonest first; send {} for all of it."""
        slots, total = desk.find(body)
        return _answer(SearchResult(slots=slots, total=total, generated_at=clock.now()))

    @api.post("/api/beckn/confirm", responses={200: BookingOut})
    def confirm(body: ConfirmRequest) -> Response:
        """Book one slot for a job; asking again for the same slot and job answers the same booking."""
        return _answer(BookingOut.of(desk.confirm(body.slot_id, body.job_id, body.power_kw)))

    return api


def _answer(model: SearchResult | BookingOut) -> Response:
    return Response(model.model_dump_json(), mimetype="application/json")
