"""The trade over Beckn: messages by their digests, and what contracts promise."""

from __future__ import annotations

from typing import Literal

from audit.fields import Body, Dec, Hex64, Time


class MessageBody(Body):
    """A message of the protocol, by the digest of its bytes and the header that signed them.

    Beside an accepted message its work is owed; a dead one was owed and could not be delivered.
    """

    direction: Literal["in", "out"]
    action: str
    peer_id: str | None
    sha256: Hex64
    raw_bytes: int
    signature: str | None
    outcome: Literal["accepted", "refused", "delivered", "dead"]
    code: str | None
    detail: str | None


class IntervalBody(Body):
    """One half-hour of a contract at one site; ``baseline_kw`` and ``data_kinds`` as they were when it was promised."""

    site_id: str
    start: Time
    power_kw: Dec
    baseline_kw: Dec | None
    price_per_kwh: Dec
    penalty_per_kwh: Dec
    carbon_g_per_kwh: Dec | None
    data_kinds: list[str]


class SettledBody(Body):
    """What a half-hour came to: power delivered, energy paid for, and the money, positive from buyer to seller."""

    site_id: str
    start: Time
    baseline_kw: Dec | None
    usage_kw: Dec | None
    delivered_kw: Dec
    settled_kwh: Dec
    pay: Dec
    penalty: Dec
    data_kinds: list[str]


class ContractBody(Body):
    """A step of a contract: what is promised from now on, or what came of it.

    One that is ``restored`` stands as it is told here: the change that was recorded before could not be put in force.

    :ivar tick_id: of the plan whose prices it was quoted at.
    :ivar total: what the buyer owes the seller by this step's figures, in ``currency``.
    :ivar document_sha256: of the contract as it went over the wire.
    """

    contract_id: str
    event: Literal["confirmed", "updated", "cancelled", "alerted", "restored", "settled"]
    side: Literal["provider", "consumer"]
    product: Literal["compute-window", "turn-down"]
    peer_id: str
    state: Literal["DRAFT", "ACTIVE", "CANCELLED", "COMPLETE"]
    tick_id: str | None
    currency: str
    total: Dec | None
    detail: str | None
    intervals: list[IntervalBody]
    settled: list[SettledBody]
    document_sha256: Hex64
