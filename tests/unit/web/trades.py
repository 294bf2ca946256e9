"""Contracts, messages and deliveries as the trade leaves them, in a real store, and a catalogue as on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from beckn.catalogue import Goods, Shelf, ShelfSite, catalogues
from beckn.identity import Identity
from beckn.models import Certificate
from beckn.packs.contracts import Seller
from beckn.packs.settlement import Interval, settle
from core.series import Kind
from core.slots import SLOT, format_utc, slot_floor
from core.trade import Contract, ContractState, Delivery, Direction, Message, Product, Side
from store.contracts import ContractRepository
from store.database import Database
from store.messages import MessageRepository
from store.outbox import DeliveryState, OutboxRepository, Outcome
from store.trading import Trading
from tests.unit.web.fakes import NOW

PEER = "bap.grid.example"
OWN = Identity("flex.example.org", "https://flex.example.org/beckn/v2", "example.org/flex")
START = slot_floor(NOW) + 4 * SLOT
SIGNATURE = (
    'Signature keyId="bap.grid.example|k1|ed25519",algorithm="ed25519",created="1763648000",expires="1763648300",'
    'headers="(created) (expires) digest",signature="mkT1QZ0Yo7fCkTz2VwbC4xq9m8Yl0aQ3Xb5v9v3hJw=="'
)


@dataclass
class FakeTrade:
    """Somebody who sells two products at two sites."""

    own: Identity | None = OWN
    owed: int = 1
    empty: bool = False
    reception: Any = None
    reception_2025: Any = None
    consumer: Any = None

    def documents(self) -> dict[str, Any]:
        return {}

    def catalogues(self) -> list[dict[str, Any]]:
        return [] if self.empty else catalogues(shelf(), OWN.url, Seller(OWN.subscriber_id, "Slackwater", OWN.url))


def shelf(slots: int = 12) -> Shelf:
    """Headroom that grows by the half-hour and load that shrinks, from START; nothing in the first two."""
    shape = (2, slots)
    steps = np.arange(slots, dtype=np.float64)
    power = np.where(steps < 2, 0.0, 10 * steps) * np.array([[1.0], [2.5]])
    price = np.broadcast_to(0.10 + 0.01 * steps, shape)
    kinds = np.broadcast_to(np.where(steps < 6, Kind.FORECAST, Kind.SIMULATED).astype(np.int8), shape)
    goods = Goods(power, price, np.full(shape, 0.05), kinds)
    return Shelf(
        start=START,
        sites=[
            ShelfSite("london", "London", 51.5, -0.1, "GB-C", "GB"),
            ShelfSite("norway", "Kristiansand", 58.1, 8.0, "NO-NO2", "NO"),
        ],
        goods={
            Product.COMPUTE_WINDOW: goods,
            Product.TURN_DOWN: replace(goods, power_kw=power[:, ::-1], price=price + 0.2),
        },
        carbon=np.full(shape, 180.0),
        carbon_kinds=np.full(shape, Kind.FORECAST, np.int8),
        confidence=np.broadcast_to(0.99 - 0.01 * steps, shape),
        certificate=Certificate(tick_id="tick-1", objective_gbp=10.0, bound_gbp=9.95, gap=0.005, log_seq=None),
        valid_until=NOW + timedelta(minutes=5),
        notice=timedelta(minutes=60),
        longest=timedelta(hours=2),
    )


def line(i: int, kw: str = "40.5", price: str = "0.12345", **changes: Any) -> dict[str, Any]:
    """The half-hour ``i`` of a contract, as the document has it."""
    told = {
        "start": format_utc(START + i * SLOT),
        "kw": kw,
        "price": price,
        "penalty": "0.05",
        "baseline_kw": "120.25",
        "carbon_g_per_kwh": "181.0",
        "kinds": ["forecast"],
    }
    return told | changes


def wire(state: ContractState, amount: float, *, buyer: str, seller: str, flows: Any = None) -> dict[str, Any]:
    """A contract on the wire, without commitments."""
    attributes: dict[str, Any] = {
        "@type": "DEGContract",
        "roles": [{"role": "buyer", "participantId": buyer}, {"role": "seller", "participantId": seller}],
    }
    if flows is not None:
        attributes["revenueFlows"] = [
            {"role": "buyer", "value": -flows, "currency": "GBP"},
            {"role": "seller", "value": flows, "currency": "GBP"},
        ]
    return {
        "status": {"code": state.value},
        "consideration": [{"id": "c", "considerationAttributes": {"amount": amount, "currency": "GBP"}}],
        "contractAttributes": attributes,
    }


def contract(number: int, state: ContractState, **changes: Any) -> Contract:
    """A turn-down that a peer bought of us in London, four half-hours long."""
    seller, buyer = OWN.subscriber_id, PEER
    item = {
        "commitment_id": "m",
        "product": "turn-down",
        "site_id": "london",
        "offer_id": "turn-down.london@tick-1",
        "tick_id": "tick-1",
        "lines": [line(i) for i in range(4)],
    }
    found = Contract(
        contract_id=f"{number:08d}-1111-4111-8111-111111111111",
        side=Side.PROVIDER,
        product=Product.TURN_DOWN,
        transaction_id=f"{number:08d}-2222-4222-8222-222222222222",
        peer_id=PEER,
        peer_uri="https://bap.grid.example/beckn",
        state=state,
        starts=START,
        ends=START + 4 * SLOT,
        created_at=NOW - timedelta(minutes=10),
        updated_at=NOW,
        document={"wire": wire(state, 10.0, buyer=buyer, seller=seller), "items": [item], "stage": None},
    )
    return replace(found, **changes)


def settled(number: int, used_kw: tuple[str, ...] = ("79.75", "90", "121", "79.75")) -> Contract:
    """The same once it is over: the second half-hour fell short, and in the third nothing came."""
    before = contract(number, ContractState.COMPLETE, log_seq=0)
    lines = before.document["items"][0]["lines"]
    delivered = [max(Decimal(0), Decimal("120.25") - Decimal(used)) for used in used_kw]
    told = settle(
        [
            Interval(Decimal(each["kw"]), came, Decimal(each["price"]), Decimal(each["penalty"]))
            for each, came in zip(lines, delivered, strict=True)
        ],
        "GBP",
    )
    rows = [
        {
            "site_id": "london",
            "start": each["start"],
            "baseline_kw": "120.25",
            "usage_kw": used,
            "delivered_kw": str(row.delivered_kw),
            "settled_kwh": str(row.settled_kwh),
            "pay": str(row.pay),
            "penalty": str(row.penalty),
            "kinds": ["simulated"],
        }
        for each, used, row in zip(lines, used_kw, told.rows, strict=True)
    ]
    flows = wire(before.state, 10.0, buyer=PEER, seller=OWN.subscriber_id, flows=float(told.total))
    return replace(before, document={**before.document, "wire": flows, "settled": rows, "stage": "settled"})


def message(number: int, action: str, direction: Direction, of: Contract, **changes: Any) -> Message:
    """A message about a contract."""
    context = {"action": action, "timestamp": format_utc(NOW), "ttl": "PT30S"}
    told = {"context": context, "message": {"text": "<b>& more</b>", "number": number}}
    found = Message(
        direction=direction,
        action=action,
        message_id=f"{number:08d}-3333-4333-8333-333333333333",
        transaction_id=of.transaction_id,
        peer_id=of.peer_id,
        at=NOW + timedelta(seconds=number),
        signature=SIGNATURE,
        body=json.dumps(told).encode(),
        state="done" if direction is Direction.IN else "sent",
        contract_id=of.contract_id,
    )
    return replace(found, **changes)


def delivery(number: int, stream: str, at: datetime = NOW, **changes: Any) -> Delivery:
    """A callback that is owed."""
    body = json.dumps({"context": {"action": "on_confirm", "timestamp": format_utc(at), "ttl": "PT600S"}})
    found = Delivery(
        action="on_confirm",
        message_id=f"{number:08d}-4444-4444-8444-444444444444",
        transaction_id=f"{number:08d}-5555-4555-8555-555555555555",
        peer_id=PEER,
        url="https://bap.grid.example/beckn/on_confirm",
        stream=stream,
        body=body.encode(),
        created_at=at,
        expires_at=at + timedelta(minutes=10),
    )
    return replace(found, **changes)


class Books:
    """The repositories of the trade over a store of their own."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'trade.db'}")
        self.database.migrate()
        self.contracts = ContractRepository(self.database)
        self.messages = MessageRepository(self.database)
        self.outbox = OutboxRepository(self.database)
        self.trading = Trading(self.database)

    def sign(self, *contracts: Contract) -> None:
        """Keep contracts, in this order."""
        for each in contracts:
            with self.trading.work() as work:
                work.save(each)

    def owe(self, *deliveries: Delivery) -> list[int]:
        """Keep what is owed; the numbers."""
        for each in deliveries:
            with self.trading.work() as work:
                work.send(each)
        found = self.outbox.listed(DeliveryState.PENDING, len(deliveries))
        return [each.number for each in reversed(found)]

    def bury(self, number: int, reason: str, attempts: int = 7) -> None:
        """Give one up."""
        dead = Outcome(number, DeliveryState.DEAD, NOW + timedelta(minutes=10), attempts, reason)
        self.outbox.settle([dead], [], NOW)


@contextmanager
def books(folder: Path) -> Iterator[Books]:
    """A store that is closed in the end."""
    found = Books(folder)
    try:
        yield found
    finally:
        found.database.close()


def fill(found: Books) -> list[Contract]:
    """A contract in each state, messages of the settled one, two dead letters and three messages that are owed."""
    bought = contract(
        5,
        ContractState.ACTIVE,
        side=Side.CONSUMER,
        product=Product.COMPUTE_WINDOW,
        peer_id="bpp.heron.example",
        document={"wire": wire(ContractState.ACTIVE, 4.5, buyer=OWN.subscriber_id, seller="bpp.heron.example")},
    )
    kept = [
        contract(1, ContractState.CANCELLED),
        settled(2),
        contract(3, ContractState.ACTIVE, log_seq=0),
        contract(4, ContractState.DRAFT, held_until=NOW + timedelta(minutes=5)),
        bought,
    ]
    found.sign(*kept)
    done = kept[1]
    told = [("select", "on_select"), ("init", "on_init"), ("confirm", "on_confirm")]
    for i, (request, callback) in enumerate(told):
        found.messages.add(message(2 * i, request, Direction.IN, done), repeatable=False)
        found.messages.add(message(2 * i + 1, callback, Direction.OUT, done), repeatable=True)
    refused = message(9, "cancel", Direction.IN, done, state="refused", code="BIZ_CANCELLATION_NOT_ALLOWED")
    found.messages.add(refused, repeatable=False)
    numbers = found.owe(
        delivery(1, kept[0].contract_id, NOW - timedelta(minutes=20)),
        delivery(2, done.contract_id, NOW - timedelta(minutes=15)),
        delivery(3, kept[2].contract_id, NOW - timedelta(minutes=2)),
        delivery(4, kept[2].contract_id, NOW - timedelta(minutes=1)),
        delivery(5, "a transaction"),
    )
    found.bury(numbers[0], "its time is over; at last: bap.grid.example did not answer in 10 s")
    found.bury(numbers[1], "HTTP 400, SCH_REQUIRED_FIELD_MISSING at $.message.contract.id")
    waits = Outcome(numbers[2], DeliveryState.PENDING, NOW + timedelta(seconds=20), 3, "HTTP 503")
    found.outbox.settle([waits], [], NOW)
    return kept
