"""What happens to a message before it is acknowledged: the layers of checks, in order, and its place in the store.

CTX (can it be for us, now), AUT (who sent it), SCH (is it what the action brings), POL (may this peer send it). The
first fault ends it: a signed refusal, a record on the log, nothing else. What passes is recorded and stored; only then
it is acknowledged, and its work is owed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loguru import logger

from audit.bodies.trade import MessageBody
from audit.log import AuditLog
from audit.record import Entry, Trace
from beckn.dialect.reading import read_envelope, read_message
from beckn.dialect.words import WORDS, action_of
from beckn.identity import Identity, Manner
from beckn.intake import Intake
from beckn.precedence import Arrivals
from beckn.protocol.acknowledgement import Shape, Written, ack, ack_without_callback, nack, shape_of
from beckn.protocol.actions import ACTIONS, ON_PUBLISH, PUBLISH, TRANSACTIONS, is_callback, request_of
from beckn.protocol.body import read_body
from beckn.protocol.context import Context, message_id_of, read_context
from beckn.protocol.faults import Fault
from beckn.protocol.structure import require_structure
from beckn.rates import RateLimit
from beckn.signing import BadSignature, Signature, Signer
from beckn.trust.guard import Guard
from beckn.trust.participants import Participant
from beckn.trust.verification import challenge
from core.clock import Clock
from core.errors import Conflict, SlackwaterError
from core.trade import Direction, Message
from store.contracts import ContractRepository
from store.messages import MessageRepository

_LOCKS = 1024
"""how many messages may be recorded side by side; two with one id never are"""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered at once."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Books:
    """Where messages are kept and recorded."""

    messages: MessageRepository
    contracts: ContractRepository
    log: AuditLog


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests an address and a peer may send, and who is told that they do."""

    by_address: RateLimit
    by_peer: RateLimit
    arrivals: Arrivals


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A message that is being looked at."""

    action: str
    raw: bytes
    header: str | None
    now: datetime


class Reception:
    """Takes messages in.

    :param signer: of acknowledgements; asked for each.
    :param offer: told of each message whose work is owed.
    """

    def __init__(
        self,
        own: Identity,
        manner: Manner,
        guard: Guard,
        signer: Callable[[], Signer],
        books: Books,
        clock: Clock,
        limits: Limits,
        offer: Callable[[Message], None],
    ) -> None:
        self._own = own
        self._manner = manner
        self._guard = guard
        self._signer = signer
        self._messages, self._contracts, self._log = books.messages, books.contracts, books.log
        self._intake = Intake(books.messages, books.log)
        self._clock = clock
        self._limits = limits
        self._offer = offer
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def receive(self, action: str, raw: bytes, header: str | None, address: str) -> Reply:
        """Take a message to the path of ``action`` from ``address``, signed by ``header``; never raises."""
        old = self._manner.dialect == "2025"
        action = action_of(action) if old else action
        arrival = _Arrival(action, raw, header, self._clock.now())
        wait_s = self._limits.by_address.take(address)
        if wait_s is not None:
            return self._overloaded(arrival, wait_s)
        found: Mapping[str, Any] = {}
        try:
            found = read_body(raw)
            if action not in (TRANSACTIONS if old else ACTIONS):
                instead = "; callbacks are taken as version 2.0.0" if old and is_callback(action) else ""
                raise Fault("NET_NOT_IMPLEMENTED", f"there is no action {action[:60]!r}{instead}")
            if old:
                found = read_envelope(found)
            return self._taken(arrival, found)
        except Fault as fault:
            return self._refused(arrival, found, fault)
        except SlackwaterError as error:
            logger.error("{} cannot be taken: {}", action, error.diagnostics())
            return self._signed(arrival, nack(Fault("NET_INTERNAL_ERROR", "try again later"), *self._words(found)))
        except Exception:  # noqa: BLE001,RUF100  a peer is never shown what went wrong in here
            logger.exception("{} cannot be taken", action)
            return self._signed(arrival, nack(Fault("NET_INTERNAL_ERROR", "it failed here"), *self._words(found)))

    def _taken(self, arrival: _Arrival, found: Mapping[str, Any]) -> Reply:
        """Check, record, store, acknowledge."""
        context = read_context(found.get("context"), arrival.action, arrival.now)
        self._require_for_us(context)
        answered = self._answered(context)
        signature, participant = self._guard.require_signed(arrival.header, arrival.raw, answered)
        self._limits.arrivals.came()
        self._guard.require_caller(participant, self._callers(context))
        if not is_callback(arrival.action):
            field = "bppUri" if arrival.action == PUBLISH else "bapUri"
            self._guard.require_address(participant, context.sender_uri, f"$.context.{field}")
        found = self._structured(arrival.action, found, participant)
        peer = participant.subscriber_id
        wait_s = self._limits.by_peer.take(peer)
        if wait_s is not None:
            return self._overloaded(arrival, wait_s, found)
        if arrival.action == PUBLISH:
            return self._unserved(arrival, context, peer, found)
        message = Message(
            direction=Direction.IN,
            action=arrival.action,
            message_id=context.message_id,
            transaction_id=context.transaction_id,
            peer_id=peer,
            at=arrival.now,
            signature=signature.value,
            body=arrival.raw,
            state="accepted",
            contract_id=_contract_id(found),
        )
        number = self._kept(message, _entry(arrival, context, peer, None))
        reply = self._signed(arrival, ack(*self._words(found)[:2]))
        if number is not None:
            self._offer(replace(message, number=number))
        return reply

    def _structured(self, action: str, found: Mapping[str, Any], participant: Participant) -> Mapping[str, Any]:
        """The message in the words of version 2, once it is seen to be what the action brings."""
        if self._manner.dialect == "2025":
            self._guard.require_contexts(found, participant, (WORDS,))
            found = read_message(found)
            require_structure(found, action)
        else:
            require_structure(found, action)
            self._guard.require_contexts(found, participant)
        return found

    def _kept(self, message: Message, entry: Entry) -> int | None:
        """The number of a message that is recorded and stored now; None for a callback that was here before."""
        callback = is_callback(message.action)
        with self._locks[hash((message.peer_id, message.message_id)) % _LOCKS]:
            if self._messages.known(message, repeatable=callback):
                if callback:
                    return None
                raise _duplicate()
            try:
                return self._intake.take(entry, message, repeatable=callback)
            except Conflict as error:
                raise _duplicate() from error

    def _unserved(self, arrival: _Arrival, context: Context, peer: str, found: Mapping[str, Any]) -> Reply:
        """The catalogue of another: nobody's is kept here, and no callback follows."""
        fault = Fault("NET_NOT_IMPLEMENTED", "catalogues of others are not kept here: publish to a discovery service")
        self._log.append_all([_entry(arrival, context, peer, fault)])
        return self._signed(arrival, ack_without_callback(fault, *self._words(found), self._manner.no_callback_status))

    def _require_for_us(self, context: Context) -> None:
        """Refuse what names somebody else as its receiver, and what was here before."""
        callback = is_callback(context.action)
        named = context.bap_id if callback and context.action != ON_PUBLISH else context.bpp_id
        if context.action != PUBLISH and named is not None and named != self._own.subscriber_id:
            field = "bapId" if callback else "bppId"
            raise Fault("CTX_INVALID_FIELD", f"it is for {named[:80]!r}, not for us", f"$.context.{field}")
        if callback and self._manner.repeated_callbacks == "accept":
            return
        if self._messages.received(
            context.action, context.message_id, context.sender_id or "", any_action=not callback
        ):
            raise _duplicate()

    def _answered(self, context: Context) -> tuple[str, ...] | None:
        """Signatures of ours, to one of which a callback must be bound; None for what answers nothing."""
        if not is_callback(context.action):
            return None
        asked = self._messages.sent(request_of(context.action), context.message_id)
        if asked is not None and asked.transaction_id == context.transaction_id:
            return tuple(asked.signature.split())
        known = self._contracts.of_transaction(context.transaction_id)
        if not any(contract.peer_id == context.sender_id for contract in known):
            raise Fault(
                "CTX_TRANSACTION_ID_UNKNOWN",
                "it answers nothing that was asked here, and is about no contract of ours",
                "$.context.transactionId",
            )
        return None

    def _callers(self, context: Context) -> tuple[str, ...]:
        """Who may have signed it."""
        if context.action == ON_PUBLISH:
            return () if self._own.discovery_id is None else (self._own.discovery_id,)
        named = () if context.sender_id is None else (context.sender_id,)
        others = self._own.discovery_id if context.action == "on_discover" else None
        return named if others is None else (*named, others)

    def _refused(self, arrival: _Arrival, found: Mapping[str, Any], fault: Fault) -> Reply:
        """A refusal, recorded; one that cannot be recorded is a refusal all the same."""
        try:
            self._log.append_all([_entry(arrival, None, None, fault)])
        except SlackwaterError as error:
            logger.error("the refusal of {} is not on the log: {}", arrival.action, error.diagnostics())
        reply = self._signed(arrival, nack(fault, *self._words(found)))
        if fault.status == 401:
            return replace(reply, headers={**reply.headers, "WWW-Authenticate": challenge(self._own.subscriber_id)})
        return reply

    def _overloaded(self, arrival: _Arrival, wait_s: int, found: Mapping[str, Any] | None = None) -> Reply:
        """Too many requests: no record, so that nobody can fill the log; read only where ``found`` says what it is."""
        fault = Fault("NET_OVERLOADED", f"too many requests; try again in {wait_s} s")
        reply = self._signed(arrival, nack(fault, *self._words(found or {})))
        return replace(reply, headers={**reply.headers, "Retry-After": str(wait_s)})

    def _words(self, found: Mapping[str, Any]) -> tuple[str | None, Shape, Any]:
        """messageId, shape and names of errors for the acknowledgement of ``found``."""
        context = found.get("context")
        version = context.get("version") if isinstance(context, Mapping) else None
        return message_id_of(found), shape_of(version, self._manner.ack_body), self._manner.error_fields

    def _signed(self, arrival: _Arrival, written: Written) -> Reply:
        """With the header that signs the answer, bound to the signature of what it answers where that can be read."""
        try:
            bound: str | None = Signature.parse(arrival.header).value
        except BadSignature:
            bound = None
        header = self._signer().sign(written.body, arrival.now, bound).header()
        return Reply(written.status, written.body, {"Signature": header})


def _entry(arrival: _Arrival, context: Context | None, peer: str | None, fault: Fault | None) -> Entry:
    """The record of a message, accepted unless there is a ``fault``."""
    body = MessageBody(
        direction="in",
        action=arrival.action[:60],
        peer_id=peer,
        sha256=hashlib.sha256(arrival.raw).hexdigest(),
        raw_bytes=len(arrival.raw),
        signature=None if arrival.header is None else arrival.header[:1000],
        outcome="accepted" if fault is None else "refused",
        code=None if fault is None else fault.code,
        detail=None if fault is None else str(fault)[:300],
    )
    trace = None if context is None else Trace(context.transaction_id, context.message_id)
    return Entry("message", body, "beckn", trace=trace)


def _duplicate() -> Fault:
    return Fault("CTX_MESSAGE_ID_DUPLICATE", "a message with this messageId was here before", "$.context.messageId")


def _contract_id(found: Mapping[str, Any]) -> str | None:
    """The contract that a message names."""
    message = found.get("message")
    contract = message.get("contract") if isinstance(message, Mapping) else None
    told = contract.get("id") if isinstance(contract, Mapping) else None
    return told if isinstance(told, str) else None
