"""What the decision log holds: one record a line, an envelope around a body of a known kind.

Bodies carry identifiers, figures and commitments, never a job's name, its command or a tenant in clear. Decimals are
strings with the unit in the field's name, times are RFC 3339 in UTC with a ``Z``; ``None`` means unknown, a field that
is absent does not apply. docs/schemas holds a JSON Schema of each kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit.bodies.booking import BookingBody
from audit.bodies.decision import DecisionBody
from audit.bodies.feeds import FeedSnapshotBody
from audit.bodies.log import (
    CorrectionBody,
    DeletionBody,
    ExportBody,
    KeyBody,
    RecoveryBody,
    RedactionBody,
    SegmentBody,
)
from audit.bodies.rounds import RoundBody
from audit.bodies.settlement import DeliveryBody, SettlementPeriodBody
from audit.bodies.trade import ContractBody, MessageBody
from audit.fields import Body
from audit.verifier.tree import leaf_hash

SCHEMA = "slackwater.audit/2"
"""of the lines that are written; lines of ``slackwater.audit/1`` are read for ever"""

BODIES: dict[str, type[Body]] = {
    "decision": DecisionBody,
    "negotiation_round": RoundBody,
    "delivery": DeliveryBody,
    "settlement_period": SettlementPeriodBody,
    "booking": BookingBody,
    "message": MessageBody,
    "contract": ContractBody,
    "feed_snapshot": FeedSnapshotBody,
    "correction": CorrectionBody,
    "redaction": RedactionBody,
    "export": ExportBody,
    "key": KeyBody,
    "recovery": RecoveryBody,
    "segment": SegmentBody,
    "deletion": DeletionBody,
}
"""The kinds of record and the body that each carries."""
FORMER_KINDS = {"round": "negotiation_round"}
"""kinds of ``slackwater.audit/1`` that have another name now"""


@dataclass(frozen=True, slots=True)
class Build:
    """Which program writes: its version, the commit it was built from (or ``unknown``), the digest of its settings."""

    version: str
    git_sha: str
    config_sha256: str

    def actor(self, agent: str) -> dict[str, str]:
        """The envelope's ``actor``, for one of its agents."""
        return {
            "agent": agent,
            "version": self.version,
            "git_sha": self.git_sha,
            "config_sha256": self.config_sha256,
        }


@dataclass(frozen=True, slots=True)
class Ref:
    """Another record, by its place and the hash of its leaf in the tree."""

    seq: int
    leaf: str


@dataclass(frozen=True, slots=True)
class Trace:
    """The Beckn message that a record answers; None does not apply."""

    beckn_transaction_id: str | None = None
    beckn_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to be appended.

    :param agent: whose it is, such as ``policy`` or ``site``.
    :param refs: earlier records that this one rests on; an int is the place, from 0, of one in the same call.
    :param commit: commitments to values that are kept off the log, by the field's name.
    """

    kind: str
    body: Body
    agent: str = "slackwater"
    refs: Sequence[Ref | int] = ()
    trace: Trace | None = None
    commit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log, read.

    :param hash: SHA-256 hex of ``line``; ``prev`` is the hash of the record before.
    :param kind: by today's name, whatever it was called when it was written.
    :param line: the canonical bytes, without the line end.
    :param actor: agent, version, git_sha and config_sha256; of ``slackwater.audit/1`` the agent alone.
    """

    seq: int
    hash: str
    prev: str
    kind: str
    recorded_at: datetime
    body: dict[str, Any]
    line: bytes
    schema: str = SCHEMA
    actor: Mapping[str, str] = field(default_factory=dict)
    refs: tuple[Ref, ...] = ()
    trace: Trace = Trace()
    commit: Mapping[str, str] = field(default_factory=dict)

    @property
    def leaf(self) -> str:
        """Hash of the record's leaf in the Merkle tree, hex."""
        return leaf_hash(self.line).hex()

    @property
    def ref(self) -> Ref:
        """How another record names this one."""
        return Ref(self.seq, self.leaf)


def digest(line: bytes) -> str:
    """SHA-256 hex of a line without its line end."""
    return hashlib.sha256(line).hexdigest()


def kind_of(envelope: Mapping[str, Any]) -> str:
    """The kind of a line by today's name."""
    kind = str(envelope["kind"])
    return FORMER_KINDS.get(kind, kind)


def body_of(kind: str, body: Body) -> dict[str, Any]:
    """A body as plain data; :class:`ValueError` for an unknown kind or another kind's body."""
    if kind not in BODIES:
        raise ValueError(f"unknown record kind {kind!r}; known kinds: {', '.join(BODIES)}")
    if type(body) is not BODIES[kind]:
        raise ValueError(f"a record of kind {kind!r} carries a {BODIES[kind].__name__}, not a {type(body).__name__}")
    return body.model_dump(warnings=False)


def trace_fields(trace: Trace | None) -> dict[str, str]:
    """The envelope's ``trace``: the identifiers that apply."""
    if trace is None:
        return {}
    named = {"beckn_transaction_id": trace.beckn_transaction_id, "beckn_message_id": trace.beckn_message_id}
    return {name: value for name, value in named.items() if value is not None}


def read_record(line: bytes, envelope: dict[str, Any]) -> Record:
    """The record of a line of either schema that has been checked."""
    actor = envelope["actor"]
    return Record(
        seq=envelope["seq"],
        hash=digest(line),
        prev=envelope["prev"],
        kind=kind_of(envelope),
        recorded_at=datetime.fromisoformat(envelope["recorded_at"]),
        body=envelope["body"],
        line=line,
        schema=envelope["schema"],
        actor={"agent": actor} if isinstance(actor, str) else actor,
        refs=tuple(Ref(ref["seq"], ref["leaf"]) for ref in envelope.get("refs", ())),
        trace=Trace(**envelope.get("trace", {})),
        commit=envelope.get("commit", {}),
    )
