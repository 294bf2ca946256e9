"""A scripted participant: it signs what it sends, checks what it is sent, acknowledges, and keeps all of it."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from beckn.protocol.actions import is_callback, request_of
from beckn.protocol.faults import Fault
from beckn.signing import KeyId, Signature, Signer
from beckn.trust.registry import Registry
from beckn.trust.verification import Verifier
from core.slots import format_utc
from demo.clock import StoryClock, eventually
from demo.processes import DevelopmentRegistry

_BASE = "/beckn/"
_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Travelled:
    """A message that a scripted peer sent or was sent, with its acknowledgement.

    :param accepted: whether its receiver took it.
    """

    sender: str
    receiver: str
    action: str
    raw: bytes
    status: int
    answer: bytes
    accepted: bool

    @property
    def body(self) -> dict[str, Any]:
        """The message."""
        told: dict[str, Any] = json.loads(self.raw)
        return told

    @property
    def message_id(self) -> str:
        """Of its context."""
        return str(self.body["context"]["messageId"])

    @property
    def code(self) -> str | None:
        """Of the error with which it was refused."""
        try:
            told = json.loads(self.answer)["message"].get("error")
        except (ValueError, KeyError, TypeError):
            return None
        return None if told is None else str(told["code"])


@dataclass(frozen=True, slots=True)
class Network:
    """What all participants share."""

    network_id: str
    registry: DevelopmentRegistry
    clock: StoryClock


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """An answer that is none: a page, a refusal, or silence for a while before it."""

    status: int
    body: bytes
    kind: str = "application/json"
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was taken, whose answer is owed."""

    action: str
    body: dict[str, Any]
    signature: Signature

    @property
    def context(self) -> dict[str, Any]:
        """Its context."""
        told: dict[str, Any] = self.body["context"]
        return told

    @property
    def message(self) -> dict[str, Any]:
        """What it says."""
        told: dict[str, Any] = self.body.get("message") or {}
        return told


@dataclass
class ScriptedPeer:
    """A participant named ``name``; :meth:`answer` is what a role overrides.

    :ivar wire: what travelled, in order. :ivar misbehaves: answers given in place of good ones, used up one by one.
    :ivar unsigned: what was wrong with signatures of acknowledgements that came.
    """

    name: str
    network: Network
    wire: list[Travelled] = field(default_factory=list)
    misbehaves: deque[Misbehaviour] = field(default_factory=deque)
    unsigned: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        private = Ed25519PrivateKey.generate()
        self.signer = Signer(KeyId(self.name, str(uuid.uuid4())), private)
        self._public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
        registry = Registry(self.network.registry.url, 3600, self.network.clock, time.monotonic)
        self._verifier = Verifier(registry, self.network.clock, self.network.network_id)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._signatures: dict[tuple[str, str], str] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._workers = ThreadPoolExecutor(2, thread_name_prefix=self.name)

    @property
    def url(self) -> str:
        """Where it is called."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{_BASE}".rstrip("/")

    def start(self) -> None:
        """Register, and take messages in."""
        key_id = self.signer.key_id
        self.network.registry.register(self.name, self.url, key_id.unique_key_id, self._public, self.network.network_id)
        self._thread.start()

    def stop(self) -> None:
        """Take nothing in any more, and tell nobody anything."""
        self._ending.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._workers.shutdown(cancel_futures=True)
        self._session.close()

    def context(self, action: str, transaction_id: str, **changes: Any) -> dict[str, Any]:
        """A context of this participant's; ``changes`` of None leave a field out."""
        told = {
            "version": "2.0.0",
            "action": action,
            "transactionId": transaction_id,
            "messageId": str(uuid.uuid4()),
            "timestamp": format_utc(self.network.clock.now()),
            "ttl": "PT10M",
            "networkId": self.network.network_id,
            **changes,
        }
        return {name: value for name, value in told.items() if value is not None}

    def post(
        self,
        to: tuple[str, str],
        body: Mapping[str, Any] | bytes,
        *,
        answers: str | None = None,
        header: str | None = None,
    ) -> Travelled:
        """Sign and send a message to ``to`` (subscriber id, base URL).

        :param answers: signature of the request that it answers. :param header: instead of a fresh signature.
        """
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        context = json.loads(raw)["context"]
        action = context["action"]
        if header is None:
            header = self.signer.sign(raw, self.network.clock.now(), answers).header()
        with self._lock:
            self._signatures[action, context["messageId"]] = Signature.parse(header).value
        reply = self._session.post(
            f"{to[1]}/{action}",
            data=raw,
            headers={"Content-Type": "application/json", "Authorization": header},
            timeout=30,
            allow_redirects=False,
        )
        self._check_answer(reply, header, to[0])
        sent = Travelled(self.name, to[0], action, raw, reply.status_code, reply.content, reply.status_code == 200)
        with self._lock:
            self.wire.append(sent)
        return sent

    def _check_answer(self, reply: requests.Response, header: str, peer: str) -> None:
        """Every acknowledgement is signed, bound to what it acknowledges."""
        try:
            _, who = self._verifier.require(
                reply.headers.get("Signature"), reply.content, Signature.parse(header).value
            )
        except Fault as fault:
            self.unsigned.append(f"HTTP {reply.status_code} of {peer}: {fault.code} {fault}")
            return
        if who.subscriber_id != peer:
            self.unsigned.append(f"HTTP {reply.status_code} of {peer} was signed by {who.subscriber_id}")

    def answer(self, received: Received) -> None:
        """Do what a message asks for; a role's own."""

    def reply(self, received: Received, message: Mapping[str, Any]) -> Travelled:
        """Send the callback that answers a request, bound to its signature."""
        context = received.context
        told = {
            **context,
            "action": f"on_{context['action']}",
            "timestamp": format_utc(self.network.clock.now()),
            "ttl": "PT10M",
        }
        if "bppId" not in told or context["action"] == "discover":
            told |= {"bppId": self.name, "bppUri": self.url}
        body = {"context": told, "message": message}
        return self.post((context["bapId"], context["bapUri"]), body, answers=received.signature.value)

    def take(self, action: str, raw: bytes, header: str | None) -> tuple[int, bytes, str, dict[str, str]]:
        """Check a message and acknowledge it: status, body, content type, headers."""
        with self._lock:
            odd = self.misbehaves.popleft() if self.misbehaves else None
        if odd is not None:
            time.sleep(odd.after_s)
            self._kept(action, raw, odd.status, odd.body, "someone", accepted=False)
            return odd.status, odd.body, odd.kind, {}
        bound, sender = None, "someone"
        try:
            body = json.loads(raw)
            context = body["context"]
            message_id = str(context["messageId"])
            if is_callback(action):
                with self._lock:
                    bound = self._signatures.get((request_of(action), message_id))
            signature, who = self._verifier.require(header, raw, bound)
            sender = who.subscriber_id
        except Fault as fault:
            status, told = fault.status, {"status": "NACK", "messageId": message_id, "error": fault.error()}
        else:
            status, told = 200, {"status": "ACK", "messageId": message_id}
        answer = json.dumps({"message": told}).encode()
        self._kept(action, raw, status, answer, sender, accepted=status == 200)
        if status == 200:
            self._workers.submit(self._answered, Received(action, body, signature))
        signed = self.signer.sign(answer, self.network.clock.now(), Signature.parse(header).value)
        return status, answer, "application/json", {"Signature": signed.header()}

    def _answered(self, received: Received) -> None:
        """Answer, also where the asker is away for a while."""
        try:
            while not self._ending.is_set():
                try:
                    self.answer(received)
                except requests.ConnectionError:
                    self._ending.wait(_AGAIN_S)
                else:
                    return
        except Exception as error:  # noqa: BLE001,RUF100  a script that fails is told, not lost with its thread
            self.unsigned.append(f"{self.name} could not answer {received.action}: {type(error).__name__} {error}")

    def _kept(self, action: str, raw: bytes, status: int, answer: bytes, sender: str, *, accepted: bool) -> None:
        with self._lock:
            self.wire.append(Travelled(sender, self.name, action, raw, status, answer, accepted))

    def came(self, action: str, message_id: str | None = None) -> list[Travelled]:
        """What was taken in of an action, the oldest first."""
        with self._lock:
            return [
                each
                for each in self.wire
                if each.receiver == self.name
                and each.action == action
                and each.accepted
                and message_id in {None, each.message_id}
            ]

    def awaited(self, action: str, message_id: str | None = None, within_s: float = 30.0) -> dict[str, Any]:
        """The newest message of an action, waited for."""
        eventually(lambda: self.came(action, message_id), f"{action} to {self.name}", within_s)
        return self.came(action, message_id)[-1].body


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, peer: ScriptedPeer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.peer = peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders that are killed hang up: that is part of the story."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 20

    def do_POST(self) -> None:
        """Take a message in."""
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        action = self.path.removeprefix(_BASE)
        status, body, kind, headers = self.server.peer.take(action, raw, self.headers.get("Authorization"))
        self.close_connection = True
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not on the console: the story tells what matters."""
