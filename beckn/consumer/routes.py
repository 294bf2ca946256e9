"""Routes of the operator of this server: buy compute windows, see purchases, see and answer utilities' needs."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from beckn.consumer.service import Consumer
from beckn.consumer.shapes import (
    NeedOut,
    NeedsOut,
    PurchaseOut,
    PurchaseRequest,
    PurchasesOut,
    SeekRequest,
    SoughtOut,
)
from core.errors import Conflict, NotFound

_TAG = Tag(name="trade", description="Flexibility bought from others, and sold to utilities that ask for it")


class _PurchasePath(BaseModel):
    purchase_id: str = Field(max_length=64, description="id that buying answered")


class _NeedPath(BaseModel):
    need_id: str = Field(max_length=64, description="id from the list of needs")


def trade_api(consumer: Consumer | None) -> APIBlueprint:
    """The routes over ``consumer``; None where this server is in no network: lists are empty, the rest says so."""
    api = APIBlueprint("api_trade", __name__, abp_tags=[_TAG])

    def trader() -> Consumer:
        if consumer is None:
            raise Conflict(
                "this server is in no Beckn network", remedy="Set BECKN_SUBSCRIBER_ID and BECKN_URL, and make a key."
            )
        return consumer

    @api.post("/api/trade/purchases", responses={202: PurchaseOut})
    def buy(body: PurchaseRequest) -> Response:
        """Begin to buy compute windows; the purchase goes on as providers answer."""
        bought = trader().buy(body)
        return _answer(bought, 202, location=f"/api/trade/purchases/{bought.purchase_id}")

    @api.get("/api/trade/purchases", responses={200: PurchasesOut})
    def purchases() -> Response:
        """Purchases, the newest first."""
        return _answer(PurchasesOut(purchases=[] if consumer is None else consumer.purchases()))

    @api.get("/api/trade/purchases/<string:purchase_id>", responses={200: PurchaseOut})
    def purchase(path: _PurchasePath) -> Response:
        """One purchase with its legs."""
        if consumer is None:
            raise NotFound("this server is in no Beckn network, so it has bought nothing")
        return _answer(consumer.purchase(path.purchase_id))

    @api.get("/api/trade/needs", responses={200: NeedsOut})
    def needs() -> Response:
        """Utilities' needs that were seen and have not passed, the soonest first."""
        return _answer(NeedsOut(needs=[] if consumer is None else consumer.needs()))

    @api.post("/api/trade/needs", responses={202: SoughtOut})
    def seek(body: SeekRequest) -> Response:
        """Ask utilities for their needs; what they answer is in the list as it comes."""
        return _answer(trader().seek(body.providers), 202)

    @api.post("/api/trade/needs/<string:need_id>/answer", responses={200: NeedOut})
    def answer(path: _NeedPath) -> Response:
        """Answer a need by the plan in force; one that does not pay is passed over, with the reason."""
        return _answer(trader().answer(path.need_id))

    return api


def _answer(model: BaseModel, status: int = 200, *, location: str | None = None) -> Response:
    response = Response(model.model_dump_json(), status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    if location is not None:
        response.headers["Location"] = location
    return response
