"""Callbacks of version 2 in the dialect of 2025: the ids of the request letter by letter, orders by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beckn.dialect.catalogues import write_catalogs
from beckn.dialect.orders import write_order
from beckn.dialect.reading import memory
from beckn.dialect.words import CORE, action_of, bag, is_2025, plain, write_context
from beckn.protocol.body import read_body
from core.trade import Contract

SEGMENT, SEGMENT_2025 = "/v2", "/2025"
"""last step of the addresses of version 2 and of the dialect"""


def asked_in_2025(raw: bytes) -> Mapping[str, Any] | None:
    """The body of a request of the dialect; None for one of version 2."""
    if b'"message_id"' not in raw:
        return None
    body = read_body(raw)
    return body if is_2025(body) else None


def write_answer(body: Mapping[str, Any], request: Mapping[str, Any], contract: Contract | None) -> dict[str, Any]:
    """The callback ``body`` of version 2, in answer to ``request`` of the dialect.

    :param contract: that it is about, where there is one.
    :raises Fault: ``SCH_``: a filter of the request cannot be read.
    """
    asked = request["context"]
    kept = memory(request) if contract is None else contract.document["dialect"]
    names = {**kept["context"], "message_id": asked["message_id"], "transaction_id": asked["transaction_id"]}
    told = _context(body["context"], {**names, "action": f"on_{asked['action']}"})
    if body.get("error") is not None:
        return {"context": told, "message": _nothing(body, kept), "error": body["error"]}
    match action_of(asked["action"]):
        case "discover":
            message: dict[str, Any] = {"catalogs": write_catalogs(body["message"]["catalogs"], request["message"])}
        case "rate":
            message = {"ratings": plain(request["message"]).get("ratings", []), "status": "received"}
        case "support":
            channel = body["message"]["support"]["channels"][0]
            message = {"support": {**plain(request["message"]), "email": channel["email"]}}
        case "track":
            message = body["message"]
        case _:
            message = _order(body, kept, contract)
    return {"context": told, "message": message}


def write_unasked(body: Mapping[str, Any], contract: Contract) -> dict[str, Any]:
    """What is said without having been asked about a contract that was made in the dialect."""
    kept = contract.document["dialect"]
    return {"context": _context(body["context"], kept["context"]), "message": _order(body, kept, contract)}


def _context(context: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    told = write_context(context, names)
    return {**told, "bpp_uri": f"{context['bppUri'].removesuffix(SEGMENT)}{SEGMENT_2025}"}


def _order(body: Mapping[str, Any], kept: Mapping[str, Any], contract: Contract | None) -> dict[str, Any]:
    if contract is None:
        return _nothing(body, kept)
    return {"order": write_order(contract, body["message"]["contract"], kept)}


def _nothing(body: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """The least beside an error."""
    if body["context"]["action"] == "on_discover":
        return {"catalogs": []}
    if "order" not in kept:
        return {}
    lines = [
        {"@type": "beckn:OrderItem", "beckn:lineId": line["line"], "beckn:orderedItem": line["item"]}
        for line in kept["lines"]
    ]
    return {"order": {**bag("Order", CORE, id=kept["order"], orderStatus="REJECTED"), "beckn:orderItems": lines}}
