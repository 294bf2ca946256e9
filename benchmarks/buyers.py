"""Buyers of a benchmark: they sign what they ask, over connections that stay open, and a peer takes their callbacks."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from beckn.protocol.acknowledgement import ack
from beckn.signing import BadSignature, KeyId, Signature, Signer
from core.clock import SystemClock
from core.slots import SLOT, format_utc

SELLER, NETWORK = "flex.example.org", "example.org/flexibility"
CLOCK = SystemClock()
IDLE_S = 1.0
"""after which a connection is made anew: the server closes it after twice this"""
WINDOW_KW = 1.0
MOST_KEPT = 100
"""callbacks that are kept whole"""


@dataclass(frozen=True, slots=True)
class Answered:
    """One request: seconds from when it was due until its answer was there; ``ok``: it was acknowledged, signed."""

    action: str
    message_id: str
    took_s: float
    ok: bool


class Peer(ThreadingHTTPServer):
    """Takes callbacks for all buyers, and signs for each; the path begins with a buyer's name."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, seeds: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.signers = {name: signer_of(name, seed) for name, seed in seeds.items()}
        self.lock = threading.Lock()
        self.came: dict[str, bool] = {}
        """whether a callback brought an error, by action and message id"""
        self.kept: dict[str, Any] = {}
        """the first of them whole, by message id"""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A server that ends leaves lines cut: no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Peer

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw)
        context = body["context"]
        told = ack(context["messageId"], "flat").body
        bound = Signature.parse(self.headers["Authorization"]).value
        signature = self.server.signers[context["bapId"]].sign(told, CLOCK.now(), bound)
        with self.server.lock:
            self.server.came[f"{context['action']} {context['messageId']}"] = "error" in body
            if len(self.server.kept) < MOST_KEPT:
                self.server.kept[context["messageId"]] = body
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(told)}\r\nSignature: {signature.header()}\r\n\r\n"
        )
        self.wfile.write(head.encode() + told)

    def log_message(self, *_: object) -> None:
        """Thousands of lines say nothing."""


def receive(seeds: Mapping[str, bytes], line: Connection) -> None:
    """The process of the peer: tells its port, then what came at each word until there is none."""
    peer = Peer(seeds)
    threading.Thread(target=peer.serve_forever, daemon=True).start()
    line.send(peer.server_address[1])
    while (word := line.recv()) != "end":
        with peer.lock:
            line.send({"all": dict(peer.came), "kept": dict(peer.kept), "count": len(peer.came)}[word])
    peer.shutdown()


def signer_of(name: str, seed: bytes) -> Signer:
    """Who signs for a buyer."""
    return Signer(KeyId(name, f"key-of-{name}"), Ed25519PrivateKey.from_private_bytes(seed))


@dataclass
class Buyers:
    """Writes and signs what buyers ask.

    :param address: of the server. :param url: of the peer that takes their callbacks.
    :param deals: context and message of what was quoted for each of them: its status is asked for.
    """

    address: str
    url: str
    signers: Sequence[Signer]
    server_key: bytes
    chance: random.Random
    window: dict[str, Any] = field(default_factory=dict)
    deals: list[tuple[Signer, dict[str, Any]]] = field(default_factory=list)

    def request(self, action: str) -> tuple[Signer, dict[str, Any]]:
        """Who asks, and what."""
        if action == "status":
            signer, known = self.chance.choice(self.deals)
            transaction_id = known["context"]["transactionId"]
            contract = {"id": known["message"]["contract"]["id"]}
            return signer, self.written(signer, action, {"contract": contract}, transaction_id)
        signer = self.chance.choice(self.signers)
        site = self.chance.choice(sorted(self.window["sites"])) if self.window else None
        if action == "select":
            return signer, self.written(signer, action, {"contract": self.wanted(str(site))})
        if site is None:
            return signer, self.written(signer, action, {"intent": {"textSearch": "compute"}})
        expression = f"$[?(@.id == '{self.window['sites'][site]['resource']}')]"
        intent = {"filters": {"type": "jsonpath", "expression": expression}}
        return signer, self.written(signer, action, {"intent": intent})

    def written(
        self, signer: Signer, action: str, message: Mapping[str, Any], transaction_id: str | None = None
    ) -> dict[str, Any]:
        """A request."""
        name = signer.key_id.subscriber_id
        context = {
            "version": "2.0.0",
            "action": action,
            "bapId": name,
            "bapUri": f"{self.url}/{name}",
            "bppId": SELLER,
            "bppUri": f"{self.address}/beckn/v2",
            "transactionId": transaction_id or str(uuid.uuid4()),
            "messageId": str(uuid.uuid4()),
            "timestamp": format_utc(CLOCK.now()),
            "ttl": "PT10M",
            "networkId": NETWORK,
        }
        return {"context": context, "message": message}

    def know(self, catalogs: Sequence[Mapping[str, Any]]) -> None:
        """Take from a catalog what windows there are, and when the last half-hours begin."""
        (windows,) = [each for each in catalogs if each["id"].endswith("compute-window")]
        sites = {
            resource["id"].partition(".")[2]: {"resource": resource["id"], "offer": offer["id"]}
            for resource in windows["resources"]
            for offer in windows["offers"]
            if offer["resourceIds"] == [resource["id"]]
        }
        self.window = {"sites": sites}

    def wanted(self, site: str) -> dict[str, Any]:
        """A contract about a kW of two half-hours."""
        chosen, name = self.window["sites"][site], "CAPACITY_REQUESTED"
        first = CLOCK.now().replace(minute=0, second=0, microsecond=0) + SLOT * self.chance.randrange(6, 40)
        payload = {"type": name, "values": [WINDOW_KW]}
        described = {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": name, "units": "KW"}
        quantity = {"unitCode": "kW", "unitQuantity": WINDOW_KW, "@type": "Quantity"}
        commitment = {
            "id": "one",
            "status": {"descriptor": {"code": "DRAFT"}},
            "resources": [{"id": chosen["resource"], "quantity": quantity}],
            "offer": {"id": chosen["offer"], "resourceIds": [chosen["resource"]]},
            "commitmentAttributes": {
                "@context": "https://schema.nfh.global/BecknTimeSeries/v1.0/context.jsonld",
                "@type": "TimeSeries",
                "intervalPeriod": {"start": format_utc(first), "duration": "PT30M"},
                "payloadDescriptors": [{**described, "insertedBy": "buyer"}],
                "intervals": [{"id": number, "payloads": [payload]} for number in range(2)],
            },
        }
        return {"status": {"code": "DRAFT"}, "commitments": [commitment]}


class Line:
    """One connection that stays open."""

    def __init__(self, address: str) -> None:
        self._connection = HTTPConnection(address.removeprefix("http://"), timeout=60)
        self._used = time.monotonic()

    def send(self, buyers: Buyers, action: str, due: float) -> Answered:
        """Write, sign and send a request, and read the answer."""
        signer, told = buyers.request(action)
        raw = json.dumps(told).encode()
        signature = signer.sign(raw, CLOCK.now())
        if time.monotonic() - self._used > IDLE_S:
            self._connection.close()
        ok = False
        try:
            headers = {"Content-Type": "application/json", "Authorization": signature.header()}
            self._connection.request("POST", f"/beckn/v2/{action}", raw, headers)
            response = self._connection.getresponse()
            body, header = response.read(), response.headers.get("Signature")
            took_s = time.perf_counter() - due
            ok = response.status == 200 and _holds(header, body, signature.value, buyers.server_key)
        except (OSError, HTTPException):
            self._connection.close()
            took_s = time.perf_counter() - due
        self._used = time.monotonic()
        return Answered(action, told["context"]["messageId"], took_s, ok)

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def _holds(header: str | None, body: bytes, bound: str, key: bytes) -> bool:
    """Whether an acknowledgement is signed as it should be."""
    try:
        signature = Signature.parse(header)
        signature.require(body, key, CLOCK.now(), bound)
    except BadSignature:
        return False
    return signature.answers
