"""The words of the trade in flexibility: contracts, what they hold, the messages about them and what is still owed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Side(StrEnum):
    """Whose part this participant plays in a contract."""

    PROVIDER = "provider"
    """it received the request (BPP)"""
    CONSUMER = "consumer"
    """it sent the request (BAP)"""


class Product(StrEnum):
    """What is traded."""

    COMPUTE_WINDOW = "compute-window"
    """free headroom of a site, for a buyer's compute"""
    TURN_DOWN = "turn-down"
    """load that is moved away from where it was planned"""


class ContractState(StrEnum):
    """The states of a contract, by the protocol's codes."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    CANCELLED = "CANCELLED"
    COMPLETE = "COMPLETE"

    @property
    def terminal(self) -> bool:
        """Whether nothing follows it."""
        return self in {ContractState.CANCELLED, ContractState.COMPLETE}


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract as it stands.

    :param peer_id: subscriber id of the other side; ``peer_uri`` is where its callbacks or requests go.
    :param document: the contract as it is on the wire, and beside it what this side alone knows.
    :param held_until: until when a draft keeps its capacity; None once it is confirmed, and before it is initialised.
    :param version: grows by one with every change.
    :param log_seq: the record of its confirmation in the decision log.
    """

    contract_id: str
    side: Side
    product: Product
    transaction_id: str
    peer_id: str
    peer_uri: str
    state: ContractState
    starts: datetime
    ends: datetime
    created_at: datetime
    updated_at: datetime
    document: dict[str, Any] = field(default_factory=dict)
    held_until: datetime | None = None
    version: int = 0
    log_seq: int | None = None


class Hold(StrEnum):
    """How firmly something is kept for a contract."""

    HELD = "held"
    """until the offer lapses"""
    COMMITTED = "committed"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Reduction:
    """Load that a contract moves away from one half-hour at one site.

    :param baseline_kw: what jobs drew at the meter in the plan in force when it was promised.
    :param reduction_kw: how much less they draw now; the plan keeps them at or below the difference.
    """

    contract_id: str
    site_id: str
    starts: datetime
    baseline_kw: float
    reduction_kw: float
    state: Hold
    held_until: datetime | None = None

    @property
    def cap_kw(self) -> float:
        """What jobs may draw at the meter in that half-hour."""
        return max(0.0, self.baseline_kw - self.reduction_kw)


class Direction(StrEnum):
    """Whether a message came or went."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the protocol, with the bytes that travelled and the header that signed them.

    :param state: ``accepted`` (acknowledged, its work is owed), ``done``, ``refused``; of what went out ``sent``.
    :param code: of the error with which it was refused.
    :param number: order of arrival; 0 until it is stored.
    """

    direction: Direction
    action: str
    message_id: str
    transaction_id: str
    peer_id: str
    at: datetime
    signature: str
    body: bytes
    state: str
    contract_id: str | None = None
    code: str | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is owed to a peer, stored before it is sent.

    :param stream: messages of one stream are delivered in order; the id of a contract or a transaction.
    :param request_signature: of the request that it answers: the fourth line of its signature; None for requests, and
        for callbacks that nobody asked for.
    :param state: ``pending``, ``delivered`` or ``dead``; :param reason: of the last failure.
    :param number: order of writing; 0 until it is stored.
    """

    action: str
    message_id: str
    transaction_id: str
    peer_id: str
    url: str
    stream: str
    body: bytes
    created_at: datetime
    expires_at: datetime
    request_signature: str | None = None
    next_at: datetime | None = None
    attempts: int = 0
    state: str = "pending"
    reason: str | None = None
    ended_at: datetime | None = None
    number: int = 0
