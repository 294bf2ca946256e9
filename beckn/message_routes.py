"""The endpoints of version 2: one path an action, raw bytes in, a signed acknowledgement out; and our own schemas."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, abort, request
from werkzeug.exceptions import HTTPException

from beckn.protocol.body import MOST_BYTES
from beckn.reception import Reception

BASE = "/beckn/v2"
SCHEMAS = f"{BASE}/schemas/"


def message_routes(reception: Reception, documents: Callable[[], Mapping[str, Mapping[str, Any]]]) -> Blueprint:
    """Routes over ``reception``; ``documents`` gives JSON-LD contexts and JSON Schemas by their path."""
    routes = Blueprint("beckn_messages", __name__, url_prefix=BASE)

    @routes.post("/<path:action>")
    def receive(action: str) -> Response:
        """Take a message in."""
        request.max_content_length = MOST_BYTES + 1
        try:
            raw = request.get_data(cache=False)
        except HTTPException:
            raw = b" " * (MOST_BYTES + 1)
        header = request.headers.get("Authorization")
        reply = reception.receive(action, raw, header, request.remote_addr or "unknown")
        return Response(reply.body, reply.status, headers=dict(reply.headers), mimetype="application/json")

    @routes.get("/schemas/<path:name>")
    def schema(name: str) -> Response:
        """A JSON-LD context or a JSON Schema of our own packs."""
        found = documents().get(name)
        if found is None:
            abort(404)
        kind = "application/ld+json" if name.endswith(".jsonld") else "application/schema+json"
        response = Response(json.dumps(found, indent=1), mimetype=kind)
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response

    return routes
