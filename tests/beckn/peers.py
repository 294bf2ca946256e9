"""A peer on loopback that answers as it is told, and remembers what came."""

from __future__ import annotations

import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from beckn.signing import KeyId, Signer
from beckn.transport import Transport
from core.clock import Clock, SystemClock
from core.trade import Delivery
from store.database import Database
from store.outbox import add

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(KeyId("flex.example.org", "key-1"), KEY)


@dataclass(frozen=True, slots=True)
class Came:
    """A message that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return str(json.loads(self.body)["context"]["messageId"])


@dataclass(frozen=True, slots=True)
class Say:
    """An answer: ``raw`` bytes instead of HTTP; ``held`` until the event is set, or cut off without a word."""

    status: int = 200
    body: bytes | None = None
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    held: threading.Event | None = None
    cut: bool = False


def acked(message_id: str) -> bytes:
    return json.dumps({"message": {"status": "ACK", "messageId": message_id}}).encode()


def nacked(message_id: str, code: str, text: str = "no") -> bytes:
    error = {"code": code, "message": text}
    return json.dumps({"message": {"status": "NACK", "messageId": message_id, "error": error}}).encode()


class Peer(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, answer: Callable[[Came, int], Say]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.came: list[Came] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/beckn"

    def ids(self) -> list[str]:
        with self.lock:
            return [came.message_id for came in self.came]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Peer
    timeout = 5

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        came = Came(self.path, dict(self.headers), body)
        with self.server.lock:
            times = sum(each.body == body for each in self.server.came)
            self.server.came.append(came)
        say = self.server.answer(came, times)
        self.close_connection = True
        if say.held is not None:
            say.held.wait(10)
        if say.cut:
            self.connection.shutdown(socket.SHUT_RDWR)
        elif say.raw is not None:
            self.wfile.write(say.raw)
        else:
            self._write(say, acked(came.message_id) if say.body is None else say.body)

    def _write(self, say: Say, body: bytes) -> None:
        self.send_response(say.status)
        for name, value in {"Content-Type": say.kind, "Connection": "close", **say.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not on the console."""


@contextmanager
def peer_saying(answer: Callable[[Came, int], Say]) -> Iterator[Peer]:
    """A peer that answers ``answer(what came, how often it came before)``."""
    with Peer(answer) as peer:
        thread = threading.Thread(target=peer.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield peer
        finally:
            peer.shutdown()
            thread.join()


@contextmanager
def transport(
    clock: Clock | None = None, timeouts_s: tuple[float, float] = (2.0, 2.0), **more: Any
) -> Iterator[Transport]:
    with requests.Session() as session:
        session.trust_env = False
        yield Transport(
            session,
            lambda: SIGNER,
            more.get("check_answer"),
            clock or SystemClock(),
            more.get("on_signed"),
            timeouts_s,
        )


def a_delivery(url: str, **changes: Any) -> Delivery:
    message_id = changes.pop("message_id", str(uuid.uuid4()))
    now = changes.pop("created_at", datetime.now(UTC))
    transaction_id = str(uuid.uuid4())
    context = {"action": "on_confirm", "messageId": message_id, "transactionId": transaction_id}
    facts: dict[str, Any] = {
        "action": "on_confirm",
        "message_id": message_id,
        "transaction_id": transaction_id,
        "peer_id": "grid.example.org",
        "url": f"{url}/on_confirm",
        "stream": transaction_id,
        "body": json.dumps({"context": context, "message": {"contract": {"price": 1.5}}}).encode(),
        "created_at": now,
        "expires_at": now + timedelta(seconds=60),
        "request_signature": "c2lnbmF0dXJlIG9mIHRoZSByZXF1ZXN0",
    }
    return Delivery(**facts | changes)


def owe(database: Database, *deliveries: Delivery) -> None:
    with database.writing() as connection:
        for delivery in deliveries:
            add(connection, delivery)
