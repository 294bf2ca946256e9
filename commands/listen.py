"""``beckn listen``: take callbacks on this machine, check who signed them, and keep them as files.

A partner's first conversation needs an address that can be called back. This one acknowledges, keeps and decides
nothing.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from flask import Flask, Response, request

from beckn.identity import manner_of, require_identity
from beckn.keys import FILE, KeyRing
from beckn.protocol.acknowledgement import Written, ack, nack
from beckn.protocol.actions import request_of
from beckn.protocol.body import MOST_BYTES, read_body
from beckn.protocol.context import message_id_of, read_context
from beckn.protocol.faults import Fault
from beckn.signing import BadSignature, Signature
from beckn.trust.registry import Registry
from core.clock import Clock
from core.errors import InputError
from core.settings import LOOPBACK, Settings


def listen(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """Serve until stopped."""
    from werkzeug.serving import make_server

    if arguments.host not in LOOPBACK:
        raise InputError(
            "what listens here decides nothing and serves this machine alone",
            field="--host",
            value=arguments.host,
            remedy=f"Name one of {', '.join(sorted(LOOPBACK))}.",
        )
    app = listener(arguments.folder, settings, clock)
    try:
        server = make_server(arguments.host, arguments.port, app, threaded=True)
    except SystemExit as error:
        raise InputError(
            f"port {arguments.port} cannot be used", field="--port", value=arguments.port, remedy="Name a free port."
        ) from error
    print(f"Callbacks to http://{arguments.host}:{server.port} are kept in {arguments.folder}.", flush=True)
    with server:
        server.serve_forever()
    return 0


def listener(folder: Path, settings: Settings, clock: Clock) -> Flask:
    """An application that acknowledges callbacks and keeps each as ``ACTION.json`` in ``folder``, the last one.

    A callback that answers a request is bound to its signature: the header that ``beckn sign`` printed for the request
    is expected beside, such as ``select.header`` for ``on_select``.
    """
    own, manner = require_identity(settings), manner_of(settings)
    keys = KeyRing(settings.data_dir / FILE)
    registry = Registry(settings.beckn_registry_url, settings.beckn_registry_seconds, clock, time.monotonic)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    folder.mkdir(parents=True, exist_ok=True)

    @app.post("/<path:action>")
    def take(action: str) -> Response:
        raw, now = request.get_data(cache=False), clock.now()
        found = {}
        try:
            found = dict(read_body(raw))
            name = action.rpartition("/")[2]
            context = read_context(found.get("context"), name, now)
            signature = Signature.parse(request.headers.get("Authorization"))
            participant = registry.participant(signature.key_id.subscriber_id, signature.key_id.unique_key_id)
            asked = folder / f"{request_of(name)}.header"
            bound = Signature.parse(asked.read_text().strip()).value if signature.answers and asked.exists() else None
            signature.require(raw, participant.public_key, now, bound)
            (folder / f"{name}.json").write_bytes(raw)
            said = "answers ours" if bound is not None else "unasked"
            print(f"{context.action}, signed by {participant.subscriber_id}, {said}: {folder / name}.json", flush=True)
            written = ack(message_id_of(found), manner.ack_body)
        except (Fault, BadSignature) as error:
            fault = error if isinstance(error, Fault) else Fault(error.code, str(error))
            print(f"{action} refused: {fault.code}: {fault}", flush=True)
            written = nack(fault, message_id_of(found), manner.ack_body, manner.error_fields)
        return _signed(written)

    def _signed(written: Written) -> Response:
        header = request.headers.get("Authorization")
        try:
            bound = Signature.parse(header).value
        except BadSignature:
            bound = None
        signature = keys.signer(own.subscriber_id).sign(written.body, clock.now(), bound)
        response = Response(written.body, written.status, mimetype="application/json")
        response.headers["Signature"] = signature.header()
        return response

    return app
