"""Machines that others play: a registry that says what a test wants, a participant with keys; all on loopback."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

from beckn.signing import SUBSCRIBERS, KeyId, Signer

NOW = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)
NETWORK = "acmenet.org/charge-net"
NAME = "bap.example.org"
KEY = "key-1"
URL = "https://bap.example.org/beckn"


class _Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def serving(app: Any, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve a WSGI application in a thread; its port."""
    server = make_server(host, 0, app, threaded=True, request_handler=_Silent, ssl_context=tls)
    server.block_on_close = True
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def private(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def public(seed: int) -> bytes:
    return private(seed).public_key().public_bytes_raw()


def signer(seed: int = 1, name: str = NAME, key: str = KEY, **changes: Any) -> Signer:
    return Signer(KeyId(name, key), private(seed), **changes)


def record(seed: int = 1, name: str = NAME, **changes: Any) -> dict[str, Any]:
    """What a registry tells of a key, changed at the level of the record or within ``details``."""
    details = {
        "subscriber_id": name,
        "url": URL,
        "signing_public_key": base64.b64encode(public(seed)).decode(),
        **changes.pop("details", {}),
    }
    return {"details": details, "network_memberships": [NETWORK], "state": "live", **changes}


Answer = Callable[[Request], Response]


@dataclass
class FakeRegistry:
    """A registry whose records a test writes; ``before`` may answer in its place, or wait."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: Callable[[Request], Response | None] = lambda _: None
    asked: list[str] = field(default_factory=list)

    def put(self, found: dict[str, Any], name: str = NAME, key: str = KEY, registry: str = SUBSCRIBERS) -> None:
        self.records[f"{name}/{registry}/{key}"] = found

    def lookups(self) -> int:
        return sum(path.startswith("/lookup/") for path in self.asked)

    def __call__(self, environ: Any, start: Any) -> Any:
        request = Request(environ)
        self.asked.append(request.path)
        return (self.before(request) or self._answer(request.path))(environ, start)

    def _answer(self, path: str) -> Response:
        kind, _, rest = path.lstrip("/").partition("/")
        if kind == "lookup" and rest in self.records:
            return told({"message": "ok", "data": self.records[rest]})
        listed = [each for name, each in self.records.items() if name.startswith(f"{rest}/")]
        if kind == "query" and listed:
            return told({"message": "ok", "data": {"records": listed}})
        return told({"message": "no such record"}, 404)


def told(body: Any, status: int = 200, kind: str = "application/json") -> Response:
    return Response(body if isinstance(body, bytes) else json.dumps(body), status, content_type=kind)
