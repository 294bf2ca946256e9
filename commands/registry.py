"""``beckn registry``: a registry of participants for development, on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.clock import Clock
from core.errors import InputError
from core.settings import LOOPBACK, Settings


def serve_registry(arguments: argparse.Namespace, settings: Settings, clock: Clock) -> int:
    """Serve until stopped; :class:`InputError` for any address but loopback."""
    from werkzeug.serving import make_server

    from beckn.trust.development import FILE, NOTICE, development_registry

    if arguments.host not in LOOPBACK:
        raise InputError(
            "a development registry believes everybody and serves this machine alone",
            field="--host",
            value=arguments.host,
            remedy=f"Name one of {', '.join(sorted(LOOPBACK))}.",
        )
    path: Path = arguments.file or settings.data_dir / FILE
    app = development_registry(path, clock)
    try:
        server = make_server(arguments.host, arguments.port, app, threaded=True)
    except SystemExit as error:
        raise InputError(
            f"port {arguments.port} cannot be used", field="--port", value=arguments.port, remedy="Name a free port."
        ) from error
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    print(
        f"{NOTICE}\n"
        f"It is at http://{host}:{server.port} and keeps its registrations in {path}.\n"
        f"Participants use it with BECKN_REGISTRY_URL=http://{host}:{server.port} and, to call each other on this "
        "machine, BECKN_PRIVATE_ADDRESSES=true.\n"
        "Register: POST /subscribers with subscriber_id, url, unique_key_id, signing_public_key, network_memberships; "
        "the key is what `python app.py beckn keys` shows.",
        flush=True,
    )
    with server:
        server.serve_forever()
    return 0
