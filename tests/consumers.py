"""A consumer over a real store and log, and providers that answer what they find in its outbox."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from agents.flexibility.firm import Firm, Wanted
from agents.sold import Sold
from agents.standing import StandingPlan
from audit.log import AuditLog
from audit.record import Build
from beckn.catalogue import Goods, Shelf, ShelfSite, catalogue
from beckn.consumer.alerts import GridAlerts
from beckn.consumer.answers import AnswerTerms, NeedAnswers
from beckn.consumer.callbacks import Callbacks
from beckn.consumer.legs import Tools, Waits
from beckn.consumer.procurement import Procurement
from beckn.consumer.service import Consumer, Directory
from beckn.correspondence import Correspondence
from beckn.identity import Identity
from beckn.models import Certificate
from beckn.packs.contracts import Seller
from beckn.planner import FlexiblePlanner
from beckn.protocol.actions import callback_of
from beckn.protocol.faults import Fault
from beckn.protocol.structure import require_structure
from core.clock import ManualClock
from core.series import Kind
from core.slots import SLOT, format_utc
from core.trade import Contract, Direction, Message, Product
from store.repositories import Repositories
from store.tables import outbox
from tests.beckn.oracles import message_faults

NOW = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)
FIRST = NOW + timedelta(hours=1)
OWN = Identity("us.example.org", "https://us.example.org/beckn")


def windows(
    peer: str,
    kw: list[float],
    price: list[float],
    carbon: list[float] | None = None,
    minimum_kw: float = 1.0,
    penalty: float = 0.5,
) -> dict[str, Any]:
    """The catalog of a provider with one site, from one hour from now on."""
    shape = (1, len(kw))
    goods = Goods(
        np.array([kw]), np.array([price]), np.full(shape, penalty), np.full(shape, Kind.FORECAST, dtype=np.int8)
    )
    site = ShelfSite(f"site-{peer.partition('.')[0]}", peer, 51.5, -0.1, "GB-C", "GB")
    shelf = Shelf(
        start=FIRST,
        sites=[site],
        goods={Product.COMPUTE_WINDOW: goods},
        carbon=np.full(shape, np.nan) if carbon is None else np.array([carbon]),
        carbon_kinds=np.full(shape, Kind.FORECAST, dtype=np.int8),
        confidence=np.ones(shape),
        certificate=Certificate(tick_id="tick-1", objective_gbp=1.0, bound_gbp=1.0, gap=0.0, log_seq=1),
        valid_until=NOW + timedelta(hours=1),
        notice=timedelta(minutes=30),
        longest=timedelta(hours=4),
        minimum_kw=minimum_kw,
    )
    return catalogue(shelf, Product.COMPUTE_WINDOW, f"https://{peer}", Seller(peer, peer, f"https://{peer}/beckn"))


@dataclass
class Provider:
    """Answers as providers do; ``refuses`` are actions that it answers with an error, ``mute`` those that it leaves."""

    peer_id: str
    catalogs: list[dict[str, Any]]
    refuses: set[str] = field(default_factory=set)
    mute: set[str] = field(default_factory=set)
    dearer: float = 1.0
    own_id: str | None = None
    refusal: str = "BIZ_QUANTITY_UNAVAILABLE"

    def answer(self, action: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """``message`` and maybe ``error`` of the callback; None for none."""
        if action in self.mute:
            return None
        if action in self.refuses:
            return {"message": {}, "error": {"code": self.refusal, "message": "it is gone"}}
        if action == "discover":
            return {"message": {"catalogs": self.catalogs}}
        contract = dict(body["message"]["contract"])
        if self.own_id is not None:
            contract["id"] = self.own_id
        contract["status"] = {"code": {"confirm": "ACTIVE", "cancel": "CANCELLED"}.get(action, "DRAFT")}
        if action in {"select", "init"} and self.dearer != 1.0:
            contract["consideration"] = [self._dearer(contract)]
        return {"message": {"contract": contract}}

    def _dearer(self, contract: dict[str, Any]) -> dict[str, Any]:
        total = 0.0
        for each in contract["commitments"]:
            rows = each["resources"][0]["resourceAttributes"]["intervals"]
            kw = [row["payloads"][0]["values"][0] for row in each["commitmentAttributes"]["intervals"]]
            prices = [{p["type"]: p["values"][0] for p in row["payloads"]}["PRICE"] for row in rows]
            total += sum(a * b / 2 for a, b in zip(kw, prices, strict=True))
        amount = {"@context": "https://x/schemas/settlement/v1/context.jsonld", "@type": "FlexConsideration"}
        attributes = {**amount, "currency": "GBP", "amount": total * self.dearer, "basis": "promised"}
        return {"id": "c1", "considerationAttributes": attributes}


class Plan:
    """A planner that plans nothing."""

    plan_lock = threading.RLock()

    def standing(self) -> StandingPlan:
        raise AssertionError("nothing stands")

    def movable(self) -> None:
        return None

    def firm(self, wanted: Sequence[Wanted]) -> Firm:
        raise AssertionError(wanted)


@dataclass
class Consumers:
    """Our side, and whom it knows."""

    store: Repositories
    log: AuditLog
    clock: ManualClock
    tools: Tools
    callbacks: Callbacks
    answers: NeedAnswers
    service: Consumer
    providers: dict[str, Provider]
    read: int = 0
    came: list[Message] = field(default_factory=list)

    def sent(self, *actions: str) -> list[Any]:
        """Rows of the outbox, oldest first."""
        query = sa.select(outbox).order_by(outbox.c.number)
        with self.store.database.reading() as connection:
            rows = list(connection.execute(query))
        return [row for row in rows if not actions or row.action in actions]

    def body(self, row: Any) -> dict[str, Any]:
        return dict(json.loads(row.body))

    def callback(self, row: Any, told: dict[str, Any], **context: Any) -> Message:
        """Take in the callback that answers a row of the outbox; it is not worked off yet."""
        asked = self.body(row)["context"]
        wire = {**asked, "action": callback_of(row.action), "timestamp": format_utc(self.clock.now()), **context}
        return self.take(row.peer_id, wire, told)

    def take(self, peer_id: str, context: dict[str, Any], told: dict[str, Any]) -> Message:
        body = {"context": context, **told}
        require_structure(body, context["action"])
        message = Message(
            direction=Direction.IN,
            action=context["action"],
            message_id=context["messageId"],
            transaction_id=context["transactionId"],
            peer_id=peer_id,
            at=self.clock.now(),
            signature="s",
            body=json.dumps(body).encode(),
            state="accepted",
        )
        number = self.store.messages.add(message, repeatable=True)
        return self.store.messages.accepted(number - 1)[0]

    def unasked(self, contract: Contract, action: str, wire: dict[str, Any]) -> Message:
        """What a provider says about a contract by itself."""
        context = {
            "action": action,
            "version": "2.0.0",
            "transactionId": contract.transaction_id,
            "messageId": str(uuid.uuid4()),
            "timestamp": format_utc(self.clock.now()),
            "bapId": OWN.subscriber_id,
            "bapUri": OWN.url,
            "bppId": contract.peer_id,
            "bppUri": contract.peer_uri,
        }
        return self.take(contract.peer_id, context, {"message": {"contract": wire}})

    def turn(self) -> int:
        """Providers answer what was sent since; how many callbacks came."""
        rows = self.sent()[self.read :]
        self.read += len(rows)
        came = 0
        for row in rows:
            told = self.providers[row.peer_id].answer(row.action, self.body(row))
            if told is not None:
                message = self.callback(row, told)
                self.came.append(message)
                self.callbacks.work(message)
                came += 1
        return came

    def settle(self) -> None:
        """Until nobody has anything to answer."""
        while self.read < len(self.sent()):
            self.turn()

    def later(self, seconds: float) -> None:
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))
        self.service.tick()

    def legs(self, transaction_id: str) -> list[Contract]:
        return self.store.contracts.of_transaction(transaction_id)

    def records(self, event: str) -> list[Any]:
        found, _ = self.log.records(kind="contract", limit=100)
        return [each for each in reversed(found) if each.body["event"] == event]


@contextmanager
def consumers(
    folder: Path,
    *providers: Provider,
    planner: FlexiblePlanner | None = None,
    serving: Callable[[Any], Any] = lambda _need: (),
    clock: ManualClock | None = None,
) -> Iterator[Consumers]:
    """Our side in ``folder``; entered again it is the same store and log in another process, as it were."""
    clock = clock or ManualClock(NOW)
    store = Repositories.at(f"sqlite:///{folder / 'trade.db'}")
    log = AuditLog.open(folder / "decisions.jsonl", clock=clock, build=Build("test", "unknown", "0" * 64))
    known = {each.peer_id: each for each in providers}

    def address(peer_id: str) -> str:
        if peer_id not in known:
            raise Fault("AUT_SUBSCRIBER_NOT_FOUND", "nobody of that name")
        return f"https://{peer_id}/beckn"

    letters = Correspondence(OWN, clock, timedelta(minutes=10))
    tools = Tools(store.trading, store.contracts, store.messages, store.purchases, log, letters, clock, Waits())
    terms = AnswerTerms(0.1, timedelta(minutes=5), serving, lambda sites: [f"us:{site}" for site in sites])
    answers = NeedAnswers(tools, planner or Plan(), store.reductions, terms)
    procurement = Procurement(tools)
    alerts = GridAlerts(tools, planner or Plan(), Sold(store.bookings, store.reductions))
    callbacks = Callbacks(tools, procurement, answers, address, alerts)
    service = Consumer(tools, procurement, answers, Directory(address, None), 0.0)
    ours = Consumers(store, log, clock, tools, callbacks, answers, service, known)
    ours.read = len(ours.sent())
    try:
        yield ours
        for row in ours.sent():
            assert message_faults(row.action, ours.body(row)) == []
    finally:
        log.close()
        store.database.close()


def order(*providers: str, kw: float = 50, hours: float = 1, **changes: Any) -> Any:
    """A request for compute windows within the catalogs of :func:`windows`."""
    from beckn.consumer.shapes import PurchaseRequest

    fields = {"kw": kw, "hours": hours, "latest": FIRST + SLOT * 48, "providers": list(providers)}
    return PurchaseRequest.model_validate({**fields, **changes})


def pence(figure: float) -> Decimal:
    return Decimal(str(figure)).quantize(Decimal("0.01"))
