"""A market on loopback: a registry, a Slackwater that sells, and buyers who are scripted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from beckn.keys import FILE, KeyRing
from beckn.reception import Reply
from beckn.signing import BadSignature, Signature, Signer
from beckn.trade import Trade
from core.clock import ManualClock
from core.slots import SLOT, format_utc
from store import tables
from tests.beckn.oracles import answer_faults, message_faults
from tests.beckn.peers import Came, Peer, Say, peer_saying
from tests.beckn.registries import NETWORK, FakeRegistry, record, serving, signer
from tests.house import START, Bench
from tests.waiting import eventually

SELLER = "flex.example.org"
SELLER_URL = "http://127.0.0.1:5999/beckn/v2"


@dataclass
class Buyer:
    """A scripted BAP: it signs what it sends, and keeps what it is sent."""

    name: str
    signer: Signer
    peer: Peer
    market: Market
    answers: dict[str, Say] = field(default_factory=dict)
    sent: dict[str, Signature] = field(default_factory=dict)

    @property
    def clock(self) -> ManualClock:
        return self.market.bench.clock

    @property
    def trade(self) -> Trade:
        return self.market.trade

    def context(self, action: str, transaction_id: str | None = None, **changes: Any) -> dict[str, Any]:
        told = {
            "version": "2.0.0",
            "action": action,
            "bapId": self.name,
            "bapUri": self.peer.url,
            "bppId": SELLER,
            "bppUri": SELLER_URL,
            "transactionId": transaction_id or str(uuid.uuid4()),
            "messageId": str(uuid.uuid4()),
            "timestamp": format_utc(self.clock.now()),
            "ttl": "PT10M",
            "networkId": NETWORK,
            **changes,
        }
        return {name: value for name, value in told.items() if value is not None}

    def post(
        self, action: str, body: dict[str, Any] | bytes, header: str | None = None, address: str = "127.0.0.1"
    ) -> Reply:
        """Send; the answer, which is checked. ``header`` empty for none, None for the right one."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = self.signer.sign(raw, self.clock.now())
        if isinstance(body, dict) and isinstance(body.get("context"), dict):
            self.sent.setdefault(str(body["context"].get("messageId")), signature)
        shown = signature.header() if header is None else header or None
        reply = self.trade.reception.receive(action, raw, shown, address)
        self.market.check_answer(reply, shown)
        return reply

    def send(
        self, action: str, message: dict[str, Any], transaction_id: str | None = None, **changes: Any
    ) -> dict[str, Any]:
        """Send and expect an acknowledgement; the context that was sent."""
        context = self.context(action, transaction_id, **changes)
        reply = self.post(action, {"context": context, "message": message})
        assert reply.status == 200, reply.body
        return context

    def ask(self, action: str, message: dict[str, Any], transaction_id: str | None = None, **changes: Any) -> Any:
        """Send, expect an acknowledgement, and wait for the callback; its body."""
        return self.callback(f"on_{action}", self.send(action, message, transaction_id, **changes)["messageId"])

    def received(self, action: str | None = None) -> list[Any]:
        """Bodies that came, in order."""
        with self.peer.lock:
            came = [each for each in self.peer.came if action is None or each.path.endswith(f"/{action}")]
        bodies = [json.loads(each.body) for each in came]
        return [body for body in bodies if body["context"]["bapId"] == self.name]

    def callback(self, action: str, message_id: str | None = None) -> Any:
        found: list[Any] = []

        def there() -> bool:
            bodies = self.received(action)
            found[:] = [b for b in bodies if message_id is None or b["context"]["messageId"] == message_id]
            return bool(found)

        eventually(there)
        return found[-1]

    def windows(self, catalogs: list[dict[str, Any]], product: str, site: str) -> tuple[Any, Any]:
        """Resource and offer of a site."""
        catalog = next(each for each in catalogs if each["id"].endswith(product))
        resource = next(each for each in catalog["resources"] if each["id"] == f"{product}.{site}")
        offer = next(each for each in catalog["offers"] if each["resourceIds"] == [resource["id"]])
        return resource, offer

    def offered(self, site: str = "leeds", product: str = "compute-window") -> tuple[Any, Any]:
        """Resource and offer of a site, as they are on sale just now."""
        return self.windows(self.trade.catalogues(), product, site)

    def quoted(
        self, first: int, kw: list[float], transaction_id: str | None = None, **where: str
    ) -> tuple[str, dict[str, Any]]:
        """Transaction id, and the contract that answers a selection."""
        transaction_id = transaction_id or str(uuid.uuid4())
        told = self.ask("select", {"contract": asking(*self.offered(**where), first, kw)}, transaction_id)
        assert "error" not in told, told["error"]
        return transaction_id, told["message"]["contract"]

    def bought(self, first: int, kw: list[float], **where: str) -> tuple[str, dict[str, Any]]:
        """Transaction id and contract, in force."""
        transaction_id, contract = self.quoted(first, kw, **where)
        for action in ("init", "confirm"):
            told = self.ask(action, {"contract": contract}, transaction_id)
            assert "error" not in told, told["error"]
            contract = told["message"]["contract"]
        return transaction_id, contract


def asking(resource: Any, offer: Any, first: int, kw: list[float], name: str = "CAPACITY_REQUESTED") -> dict[str, Any]:
    """A contract that asks for ``kw`` from half-hour ``first`` of the world on."""
    return {
        "status": {"code": "DRAFT"},
        "commitments": [
            {
                "id": "one",
                "status": {"descriptor": {"code": "DRAFT"}},
                "resources": [
                    {"id": resource["id"], "quantity": {"unitCode": "kW", "unitQuantity": max(kw), "@type": "Quantity"}}
                ],
                "offer": {"id": offer["id"], "resourceIds": [resource["id"]]},
                "commitmentAttributes": {
                    "@context": "https://schema.nfh.global/BecknTimeSeries/v1.0/context.jsonld",
                    "@type": "TimeSeries",
                    "intervalPeriod": {"start": format_utc(START + SLOT * first), "duration": "PT30M"},
                    "payloadDescriptors": [
                        {
                            "objectType": "EVENT_PAYLOAD_DESCRIPTOR",
                            "payloadType": name,
                            "units": "KW",
                            "insertedBy": "buyer",
                        }
                    ],
                    "intervals": [
                        {"id": number, "payloads": [{"type": name, "values": [power]}]}
                        for number, power in enumerate(kw)
                    ],
                },
            }
        ],
    }


@dataclass
class Market:
    """A seller, its registry, and as many buyers as asked for."""

    bench: Bench
    registry: FakeRegistry
    stack: ExitStack
    chosen: dict[str, Any]
    buyers: list[Buyer] = field(default_factory=list)

    @property
    def trade(self) -> Trade:
        trade = self.bench.house.trade
        assert trade is not None
        return trade

    def buyer(self, seed: int = 1, peer: Peer | None = None) -> Buyer:
        """A participant of its own name and key, at an address of its own or at that of ``peer``."""
        name = f"bap-{seed}.example.org"
        answers: dict[str, Say] = {}

        def answer(came: Came, _times: int) -> Say:
            return answers.get(came.path.rpartition("/")[2], Say())

        peer = peer or self.stack.enter_context(peer_saying(answer))
        self.registry.put(record(seed, name, details={"url": peer.url}), name)
        found = Buyer(name, signer(seed, name), peer, self, answers)
        self.buyers.append(found)
        return found

    def close(self) -> None:
        """End the house that runs now."""
        self.bench.house.close()

    def rows(self, *names: str) -> dict[str, list[Any]]:
        """Whole tables."""
        with self.bench.house.database.reading() as connection:
            return {name: list(map(tuple, connection.execute(sa.select(getattr(tables, name))))) for name in names}

    def advance(self, slot: float) -> None:
        """Move the clock, run what is due, and wait until everything that is owed was delivered."""
        self.bench.at(slot)
        self.bench.house.dispatcher.dispatch()
        self.bench.tick()
        self.trade.advance()
        eventually(lambda: all("pending" not in row for row in self.rows("outbox")["outbox"]))

    def restarted(self) -> None:
        """The same store, log and time in a new process, as it were."""
        self.close()
        self.bench = Bench.build(self.bench.folder, at=self.bench.clock.now(), **self.chosen)

    def check_answer(self, reply: Reply, header: str | None) -> None:
        """An answer is by the schemas, and signed by the seller: bound to the request where that was signed."""
        told = json.loads(reply.body)
        if "status" in told["message"]:
            assert answer_faults(reply.status, told) == []
        try:
            bound: str | None = Signature.parse(header).value
        except BadSignature:
            bound = None
        signature = Signature.parse(reply.headers["Signature"])
        assert signature.answers is (bound is not None)
        signature.require(reply.body, self.public_key, self.bench.clock.now(), bound)

    @property
    def public_key(self) -> bytes:
        key = KeyRing(self.bench.folder / FILE).signer(SELLER).private
        return key.public_key().public_bytes_raw()

    def check_sent(self) -> None:
        """Whatever a buyer was sent is by the schemas, and signed by the seller over the bytes that came."""
        signatures = {name: sent.value for buyer in self.buyers for name, sent in buyer.sent.items()}
        for peer in {id(buyer.peer): buyer.peer for buyer in self.buyers}.values():
            for came in peer.came:
                body = json.loads(came.body)
                action = came.path.removeprefix("/beckn/")
                assert action == body["context"]["action"]
                assert (found := message_faults(action, body)) == [], (found, body)
                signature = Signature.parse(came.headers["Authorization"])
                asked = signatures.get(body["context"]["messageId"])
                assert signature.answers is (asked is not None)
                at = datetime.fromtimestamp(signature.created, UTC)
                signature.require(came.body, self.public_key, at, asked)


@contextmanager
def market(folder: Path, *, start: bool = True, **set_to: Any) -> Iterator[Market]:
    """A seller with a plan in force; what it sends is checked at the end."""
    registry = FakeRegistry()
    with ExitStack() as stack:
        port = stack.enter_context(serving(registry))
        chosen = {
            "beckn_subscriber_id": SELLER,
            "beckn_url": SELLER_URL,
            "beckn_registry_url": f"http://127.0.0.1:{port}",
            "beckn_private_addresses": True,
            "beckn_network_id": NETWORK,
            "beckn_requests_per_second": 1000,
            **set_to,
        }
        KeyRing(folder / FILE).make(START)
        found = Market(Bench.build(folder, **chosen), registry, stack, chosen)
        stack.callback(found.close)
        for _ in range(3):
            found.bench.submit()
        found.bench.tick()
        if start:
            found.trade.look()
        yield found
        found.check_sent()
