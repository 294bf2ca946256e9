"""A market on loopback: a registry, a Slackwater that sells, and buyers who are scripted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beckn.keys import FILE, KeyRing
from beckn.reception import Reply
from beckn.signing import Signature, Signer
from beckn.trade import Trade
from core.clock import Clock
from core.slots import SLOT, format_utc
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
    clock: Clock
    trade: Trade
    answers: dict[str, Say] = field(default_factory=dict)
    sent: dict[str, Signature] = field(default_factory=dict)

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

    def post(self, action: str, body: dict[str, Any] | bytes, header: str | None = None) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = self.signer.sign(raw, self.clock.now())
        if not isinstance(body, bytes):
            self.sent[body.get("context", {}).get("messageId", "")] = signature
        return self.trade.reception.receive(action, raw, header or signature.header(), "127.0.0.1")

    def ask(self, action: str, message: dict[str, Any], transaction_id: str | None = None, **changes: Any) -> Any:
        """Send, expect an acknowledgement, and wait for the callback; its body."""
        context = self.context(action, transaction_id, **changes)
        reply = self.post(action, {"context": context, "message": message})
        assert reply.status == 200, reply.body
        return self.callback(f"on_{action}", context["messageId"])

    def callback(self, action: str, message_id: str | None = None) -> Any:
        found: list[Any] = []

        def there() -> bool:
            with self.peer.lock:
                bodies = [json.loads(came.body) for came in self.peer.came if came.path.endswith(f"/{action}")]
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
    buyers: list[Buyer] = field(default_factory=list)

    @property
    def trade(self) -> Trade:
        trade = self.bench.house.trade
        assert trade is not None
        return trade

    def buyer(self, seed: int = 1) -> Buyer:
        name = f"bap-{seed}.example.org"
        answers: dict[str, Say] = {}

        def answer(came: Came, _times: int) -> Say:
            return answers.get(came.path.rpartition("/")[2], Say())

        peer = self.stack.enter_context(peer_saying(answer))
        self.registry.put(record(seed, name, details={"url": peer.url}), name)
        found = Buyer(name, signer(seed, name), peer, self.bench.clock, self.trade, answers)
        self.buyers.append(found)
        return found


@contextmanager
def market(folder: Path, *, start: bool = True, **set_to: Any) -> Iterator[Market]:
    """A seller with a plan in force."""
    registry = FakeRegistry()
    with ExitStack() as stack:
        port = stack.enter_context(serving(registry))
        chosen = {
            "beckn_subscriber_id": SELLER,
            "beckn_url": SELLER_URL,
            "beckn_registry_url": f"http://127.0.0.1:{port}",
            "beckn_private_addresses": True,
            "beckn_network_id": NETWORK,
            **set_to,
        }
        KeyRing(folder / FILE).make(START)
        bench = Bench.build(folder, **chosen)
        stack.callback(bench.house.close)
        for _ in range(3):
            bench.submit()
        bench.tick()
        found = Market(bench, registry, stack)
        if start:
            found.trade.look()
        yield found
