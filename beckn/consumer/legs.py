"""The legs of a trade as a consumer keeps them: contracts, and beside each how far it is and what is waited for.

A leg's contract row is a draft until the provider says that it is active. ``document`` holds the contract as it is
written to the provider, its half-hours as ``items``, and the ``leg`` of this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from audit.log import AuditLog
from beckn.correspondence import Correspondence
from beckn.packs.settlement import HOURS
from core.clock import Clock
from core.slots import SLOT, format_utc
from core.trade import Contract, ContractState
from store.contracts import ContractRepository
from store.messages import MessageRepository
from store.purchases import PurchaseRepository
from store.trading import Trading, Work

ZERO = Decimal(0)


class Step(StrEnum):
    """How far a leg is."""

    SELECTING = "selecting"
    QUOTED = "quoted"
    INITIALISING = "initialising"
    READY = "ready"
    """initialised: the provider holds the capacity"""
    CONFIRMING = "confirming"
    ACTIVE = "active"
    CANCELLING = "cancelling"
    ENDED = "ended"

    @property
    def awaits(self) -> str | None:
        """The callback that is waited for."""
        return _AWAITS.get(self)


_AWAITS: Mapping[Step, str] = {
    Step.SELECTING: "on_select",
    Step.INITIALISING: "on_init",
    Step.CONFIRMING: "on_confirm",
    Step.CANCELLING: "on_cancel",
}
STEP_OF_ACTION: Mapping[str, Step] = {
    "select": Step.SELECTING,
    "init": Step.INITIALISING,
    "confirm": Step.CONFIRMING,
    "cancel": Step.CANCELLING,
}


@dataclass(frozen=True, slots=True)
class Waits:
    """How long answers are waited for: to what is asked of all, to a request about a leg, to giving one back."""

    discover: timedelta = timedelta(seconds=15)
    answer: timedelta = timedelta(seconds=60)
    cancel: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the consumer's side works with."""

    trading: Trading
    contracts: ContractRepository
    messages: MessageRepository
    purchases: PurchaseRepository
    log: AuditLog
    letters: Correspondence
    clock: Clock
    waits: Waits = Waits()


@dataclass(frozen=True, slots=True)
class Leg:
    """How far a leg is.

    :param message_id: of the request whose answer is waited for, until ``deadline``.
    :param failed: why it will not be had; :param replaced: that has been made good or given up.
    """

    step: Step
    message_id: str | None = None
    deadline: datetime | None = None
    failed: str | None = None
    replaced: bool = False

    @property
    def waiting(self) -> bool:
        """Whether an answer is owed to it."""
        return self.step.awaits is not None

    def overdue(self, now: datetime) -> bool:
        """Whether an answer was owed to it before ``now``."""
        return self.waiting and self.deadline is not None and self.deadline <= now


def leg_of(contract: Contract) -> Leg:
    """How far a contract of the consumer's side is."""
    told = contract.document["leg"]
    return Leg(
        step=Step(told["step"]),
        message_id=told["message_id"],
        deadline=None if told["deadline"] is None else datetime.fromisoformat(told["deadline"]),
        failed=told["failed"],
        replaced=told["replaced"],
    )


def with_leg(contract: Contract, leg: Leg, /, **document: Any) -> Contract:
    """The contract with its leg so far, and other parts of its document changed; not stored."""
    told = {
        "step": leg.step.value,
        "message_id": leg.message_id,
        "deadline": None if leg.deadline is None else format_utc(leg.deadline),
        "failed": leg.failed,
        "replaced": leg.replaced,
    }
    return changed(contract, document={**contract.document, **document, "leg": told})


def ask(work: Work, tools: Tools, contract: Contract, action: str, message: Mapping[str, Any]) -> Contract:
    """Owe the provider a request about a leg, and wait for its answer; the contract as stored."""
    delivery = tools.letters.request(
        action, contract.peer_id, contract.peer_uri, message, transaction_id=contract.transaction_id
    )
    wait = tools.waits.cancel if action == "cancel" else tools.waits.answer
    now = tools.clock.now()
    leg = changed(leg_of(contract), step=STEP_OF_ACTION[action], message_id=delivery.message_id, deadline=now + wait)
    work.send(delivery, contract.contract_id)
    return work.save(changed(with_leg(contract, leg), updated_at=now))


def keep(work: Work, tools: Tools, contract: Contract, step: Step, **changes: Any) -> Contract:
    """Store a leg that waits for nothing at ``step``; an ended one that never was active is cancelled.

    :param changes: fields of :class:`Leg`.
    """
    leg = changed(leg_of(contract), step=step, message_id=None, deadline=None, **changes)
    state = contract.state
    if step is Step.ENDED and state is ContractState.DRAFT:
        state = ContractState.CANCELLED
    return work.save(changed(with_leg(contract, leg), state=state, updated_at=tools.clock.now()))


def cancel_message(contract: Contract) -> dict[str, Any]:
    """The message that gives a contract back."""
    return {"contract": {**wire_of(contract), "status": {"code": ContractState.CANCELLED.value}}}


def wire_of(contract: Contract) -> dict[str, Any]:
    """The contract as it is written to the provider."""
    return dict(contract.document["contract"])


def peer_contract_id(contract: Contract) -> str:
    """The id that goes over the wire: the provider's own once it has given one, until then ours."""
    return str(contract.document["contract"].get("id") or contract.contract_id)


@dataclass(frozen=True, slots=True)
class Line:
    """One half-hour of a leg: kW promised, 0 where nothing is; price and penalty in GBP/kWh."""

    starts: datetime
    kw: Decimal
    price: Decimal
    penalty: Decimal
    carbon: Decimal | None = None
    kinds: tuple[str, ...] = ()
    baseline_kw: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One commitment of a leg: half-hours on end of one resource."""

    commitment_id: str
    product: str
    site_id: str
    resource_id: str
    offer_id: str
    lines: tuple[Line, ...]

    @property
    def most_kw(self) -> Decimal:
        """The most of any half-hour."""
        return max(line.kw for line in self.lines)


def amount(items: Sequence[Item]) -> Decimal:
    """GBP that the buyer pays if all is delivered, not rounded."""
    return sum((line.kw * HOURS * line.price for item in items for line in item.lines), ZERO)


def span(items: Sequence[Item]) -> tuple[datetime, datetime]:
    """From the first half-hour with something in it to the end of the last."""
    starts = [line.starts for item in items for line in item.lines if line.kw > 0]
    return min(starts), max(starts) + SLOT


def write_items(items: Sequence[Item]) -> list[dict[str, Any]]:
    """For the contract's document, as the provider's side writes them too."""
    return [
        {
            "commitment_id": item.commitment_id,
            "product": item.product,
            "site_id": item.site_id,
            "resource_id": item.resource_id,
            "offer_id": item.offer_id,
            "tick_id": "",
            "lines": [
                {
                    "start": format_utc(line.starts),
                    "kw": str(line.kw),
                    "price": str(line.price),
                    "penalty": str(line.penalty),
                    "baseline_kw": _text(line.baseline_kw),
                    "carbon_g_per_kwh": _text(line.carbon),
                    "kinds": list(line.kinds),
                }
                for line in item.lines
            ],
        }
        for item in items
    ]


def read_items(contract: Contract) -> tuple[Item, ...]:
    """The half-hours of a leg."""
    return tuple(
        Item(
            commitment_id=told["commitment_id"],
            product=told["product"],
            site_id=told["site_id"],
            resource_id=told["resource_id"],
            offer_id=told["offer_id"],
            lines=tuple(_line(each) for each in told["lines"]),
        )
        for told in contract.document["items"]
    )


def _line(told: Mapping[str, Any]) -> Line:
    return Line(
        starts=datetime.fromisoformat(told["start"]),
        kw=Decimal(told["kw"]),
        price=Decimal(told["price"]),
        penalty=Decimal(told["penalty"]),
        carbon=_figure(told["carbon_g_per_kwh"]),
        kinds=tuple(told["kinds"]),
        baseline_kw=_figure(told["baseline_kw"]),
    )


def _text(figure: Decimal | None) -> str | None:
    return None if figure is None else str(figure)


def _figure(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
