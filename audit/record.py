"""What the decision log holds: one record a line, an envelope around a body of a known kind.

Bodies carry identifiers, figures and commitments, never a job's name, its command or a tenant in clear. Decimals are
strings with the unit in the field's name, times are RFC 3339 in UTC with a ``Z``; ``None`` means unknown.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from audit.canonical import canonical
from audit.fields import Body, Dec, Hex64, Time

SCHEMA = "slackwater.audit/1"
NO_HASH = "0" * 64
"""``prev`` of the first record"""
ClaimLevel = Literal["forecast", "settled"]
ENVELOPE_FIELDS = ("actor", "body", "kind", "log_id", "prev", "recorded_at", "schema", "seq")


class RunBody(Body):
    """A stretch of slots ``[start, end)`` at constant IT power."""

    start: Time
    end: Time
    power_kw: Dec


class OptionBody(Body):
    """A way to run the job that was considered: the one chosen, and those rejected with a code.

    ``carbon_gbp`` (at the carbon price) and ``scarcity_gbp`` (at the final prices) were counted when it was compared
    and are charged to nobody; ``priced_gbp`` is all three together.
    """

    option_id: str
    site_id: str
    start: Time
    end: Time
    energy_kwh: Dec
    cost_gbp: Dec
    carbon_kg: Dec
    feasible: bool
    reject_code: str | None = None
    carbon_gbp: Dec | None = None
    scarcity_gbp: Dec | None = None
    priced_gbp: Dec | None = None


class CounterOfferBody(Body):
    """A change that would have made the job feasible, and its price: ``extra_gbp`` counts carbon at its price."""

    change: str
    extra_gbp: Dec
    extra_cost_gbp: Dec | None = None
    extra_carbon_kg: Dec | None = None
    site_id: str | None = None
    start: Time | None = None
    end: Time | None = None


class WindowBody(Body):
    """Another window that the job could have had, in money, carbon and with everything counted."""

    site_id: str
    start: Time
    end: Time
    cost_gbp: Dec
    carbon_kg: Dec
    priced_gbp: Dec
    reject_code: str | None = None


class ConditionBody(Body):
    """What one condition cost the job at the final prices: what it would have saved, had it ``change``."""

    constraint: str
    change: str
    saving_gbp: Dec
    saving_cost_gbp: Dec
    saving_kg: Dec


class ContestedBody(Body):
    """A half-hour in which what the job holds is scarce, and what that is worth."""

    start: Time
    price_gbp_per_kw_slot: Dec
    worth_gbp: Dec


class EtaBody(Body):
    """When there is room for a waiting job, its deadline aside."""

    site_id: str
    start: Time
    end: Time
    beyond_horizon: bool


class ShareBody(Body):
    """How the tenant of a job without a place stood, where it was furthest beyond what it was due.

    Shares of the room at ``site_id`` for some half-hours from ``start`` on: ``asked_share`` what its jobs asked for.
    Above its energy, leaving the job out counted ``factor`` of what its tier says.
    """

    asked_share: Dec
    due_share: Dec
    site_id: str
    start: Time
    factor: Dec


class ExplanationBody(Body):
    """The figures behind a decision, read off the plan's prices."""

    version: Literal[1] = 1
    headroom_gbp: Dec | None = None
    hardware_gbp: Dec | None = None
    caps_gbp: Dec | None = None
    next_here: WindowBody | None = None
    next_best: WindowBody | None = None
    run_now: WindowBody | None = None
    run_now_fits: bool = False
    conditions: list[ConditionBody]
    contested: list[ContestedBody]
    eta: EtaBody | None = None
    eta_reason: str = ""
    share: ShareBody | None = None


class DecisionBody(Body):
    """What was decided for one job, against which options and which baseline."""

    decision_id: str
    job_id: str
    tenant_commit: Hex64
    verdict: Literal["award", "move", "counter", "withdraw"]
    site_id: str | None = None
    runs: list[RunBody]
    reason: str
    options: list[OptionBody]
    chosen_id: str | None = None
    counter_offers: list[CounterOfferBody]
    cost_gbp: Dec | None = None
    carbon_kg: Dec | None = None
    interval_level: Dec | None = None
    cost_low_gbp: Dec | None = None
    cost_high_gbp: Dec | None = None
    carbon_low_kg: Dec | None = None
    carbon_high_kg: Dec | None = None
    baseline_policy: str
    baseline_site_id: str | None = None
    baseline_start: Time | None = None
    baseline_cost_gbp: Dec | None = None
    baseline_carbon_kg: Dec | None = None
    data_kinds: list[str]
    sources: list[str]
    claim_level: Literal["forecast"] = "forecast"
    round_seq_id: str
    explanation: ExplanationBody | None = None


class NegotiationRoundBody(Body):
    """One price round: the bound it proves and the master's value."""

    number: int
    bound_gbp: Dec
    master_gbp: Dec
    bids: int


class SolverBody(Body):
    """The optimiser used."""

    name: str
    version: str


class OriginBody(Body):
    """Slots ``[first, last)`` of a round whose figures are those of one stored answer, or were made here."""

    first: int
    last: int
    source: str
    fetch_id: str | None = None


class FeedUse(Body):
    """A series that the round used: whose, how old, of what kinds, and from which stored answers.

    ``zone`` is a grid zone, or for the temperature that cooling was reckoned with a site.
    """

    zone: str
    quantity: Literal["price", "carbon", "temperature"]
    source: str
    issued_at: Time
    kinds: list[str]
    stale: bool
    origins: list[OriginBody] = Field(default_factory=list)


class SitePriceBody(Body):
    """Price of a site's headroom over the plan's slots."""

    site_id: str
    mean_gbp_per_kw_slot: Dec
    max_gbp_per_kw_slot: Dec


class TenantBody(Body):
    """What a round took into account of one tenant: weight, decayed use before it, and shares as in ShareBody.

    ``beyond`` of its ``jobs`` were beyond its share. What each job then counted for stands in the instance.
    """

    tenant_commit: Hex64
    weight: Dec
    usage: Dec
    asked_share: Dec
    due_share: Dec
    jobs: int
    beyond: int


class RoundBody(Body):
    """One negotiation: what went in, how the rounds went, and the certificate that came out."""

    round_id: str
    trigger: str
    plan_start: Time
    slots: int
    jobs: int
    placed: int
    unserved: int
    rounds: list[NegotiationRoundBody]
    objective_gbp: Dec
    bound_gbp: Dec
    gap: Dec
    seed: int
    solver: SolverBody
    instance_sha256: Hex64
    instance_path: str
    output_sha256: Hex64
    feeds: list[FeedUse]
    carbon_cap_price_gbp_per_kg: Dec
    prices: list[SitePriceBody]
    tenants: list[TenantBody] = Field(default_factory=list)


class DeliveryBody(Body):
    """What a job drew and did in the end, against what was committed to it."""

    job_id: str
    site_id: str | None
    status: str
    delivered_kwh: Dec
    committed_kwh: Dec
    cost_gbp: Dec
    carbon_kg: Dec
    claim_level: ClaimLevel
    data_kinds: list[str] = Field(default_factory=list)
    exit_status: int | None = None
    command_sha256: Hex64 | None = None
    output_sha256: Hex64 | None = None
    runtime_s: Dec | None = None
    method: str


class BookingBody(Body):
    """Flexibility sold over Beckn, or given back."""

    booking_id: str
    slot_id: str
    job_id: str
    site_id: str
    start: Time
    end: Time
    power_kw: Dec
    price_gbp_per_kwh: Dec
    carbon_g_per_kwh: Dec
    state: Literal["reserved", "confirmed", "released"]
    data_kinds: list[str]


class AnswerBody(Body):
    """One body as it was received: what was asked, without anything secret, and the digest of the bytes."""

    url: str
    sha256: Hex64
    raw_bytes: int


class FeedSeriesBody(Body):
    """What was read from the answers for one quantity."""

    quantity: str
    valid_from: Time
    valid_to: Time
    kinds: list[str]
    unit: str


class FeedSnapshotBody(Body):
    """What a feed answered, by the digests of its bytes: recorded before the first round that uses it."""

    fetch_id: str
    feed: str
    zone: str
    fetched_at: Time
    answers: list[AnswerBody]
    series: list[FeedSeriesBody]


class RecoveryBody(Body):
    """Bytes of an unfinished line, moved out of the log into ``quarantine_path`` (a name beside the log).

    ``acknowledged`` is true when that line had been synced once: the storage lost what it had promised to keep.
    """

    torn_bytes: int
    torn_sha256: Hex64
    quarantine_path: str
    acknowledged: bool


BODIES: dict[str, type[Body]] = {
    "decision": DecisionBody,
    "round": RoundBody,
    "delivery": DeliveryBody,
    "booking": BookingBody,
    "feed_snapshot": FeedSnapshotBody,
    "recovery": RecoveryBody,
}
"""The kinds of record and the body that each carries."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log, read.

    :param hash: SHA-256 hex of ``line``; ``prev`` is the hash of the record before.
    :param line: the canonical bytes, without the line end.
    """

    seq: int
    hash: str
    prev: str
    kind: str
    recorded_at: datetime
    body: dict[str, Any]
    line: bytes


def digest(line: bytes) -> str:
    """SHA-256 hex of a line without its line end."""
    return hashlib.sha256(line).hexdigest()


def body_bytes(kind: str, body: Body) -> bytes:
    """Canonical bytes of a body; :class:`ValueError` for an unknown kind, another kind's body or a float."""
    if kind not in BODIES:
        raise ValueError(f"unknown record kind {kind!r}; known kinds: {', '.join(BODIES)}")
    if type(body) is not BODIES[kind]:
        raise ValueError(f"a record of kind {kind!r} carries a {BODIES[kind].__name__}, not a {type(body).__name__}")
    return canonical(body.model_dump(warnings=False))


def envelope_line(body: bytes, **fields: str | int) -> bytes:
    """The canonical line of a record whose body is already canonical.

    RFC 8785 spells a value the same wherever it stands, so the body need not be spelled again.
    """
    spelled = {"body": body, "schema": canonical(SCHEMA)} | {name: canonical(value) for name, value in fields.items()}
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), spelled[name]) for name in ENVELOPE_FIELDS) + b"}"


def read_record(line: bytes, envelope: dict[str, Any]) -> Record:
    """The record of a line that has been checked."""
    return Record(
        seq=envelope["seq"],
        hash=digest(line),
        prev=envelope["prev"],
        kind=envelope["kind"],
        recorded_at=datetime.fromisoformat(envelope["recorded_at"]),
        body=envelope["body"],
        line=line,
    )
