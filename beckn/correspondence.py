"""Writes what is owed: answers to requests, what is said unasked, and requests of our own.

Everything written here goes through the outbox. A message holds as long as it is tried: its ``ttl`` is the time after
which it would be a dead letter.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from beckn.dialect.answers import asked_in_2025, write_answer, write_unasked
from beckn.dialect.reading import translated
from beckn.identity import Identity
from beckn.packs.contracts import NOTHING
from beckn.protocol.actions import PUBLISH, callback_of
from beckn.protocol.body import read_body, write_body
from beckn.protocol.context import Context, is_uuid, read_context
from beckn.protocol.faults import Fault
from core.clock import Clock
from core.trade import Contract, Delivery, Message, Side


class Correspondence:
    """Writes in the name of ``own``; ``delivery`` is how long a message is tried."""

    def __init__(self, own: Identity, clock: Clock, delivery: timedelta) -> None:
        self.own = own
        self._clock = clock
        self._delivery = delivery

    def answer(
        self,
        request: Message,
        context: Context,
        message: Mapping[str, Any],
        fault: Fault | None,
        about: Contract | None = None,
    ) -> Delivery:
        """The callback that answers ``request``, tied to its signature; ``fault`` tells why it was not met.

        :param about: the contract that it is about, as it stands after the answer.
        """
        told = context.answered(self._clock.now(), self.own.subscriber_id, self.own.url, self._delivery)
        uri = context.sender_uri or ""
        owed = self._owed(told, request.peer_id, uri, message, fault, request.signature)
        asked = asked_in_2025(request.body)
        if asked is None:
            return owed
        written = write_answer(read_body(owed.body), asked, about)
        return replace(owed, body=write_body(written), url=f"{uri.rstrip('/')}/{written['context']['action']}")

    def unasked(self, contract: Contract, action: str, message: Mapping[str, Any]) -> Delivery:
        """What a provider says about a contract without having been asked: a fresh id in the contract's transaction."""
        told = self._about(contract, action)
        owed = self._owed(told, contract.peer_id, contract.peer_uri, message, None, None)
        if "dialect" not in contract.document:
            return owed
        return replace(owed, body=write_body(write_unasked(read_body(owed.body), contract)))

    def request(
        self,
        action: str,
        peer_id: str,
        peer_uri: str,
        message: Mapping[str, Any],
        transaction_id: str | None = None,
        *,
        tried: bool = False,
    ) -> Delivery:
        """A request to ``peer_id``, in a transaction of its own unless one is named."""
        bpp = (self.own.subscriber_id, self.own.url) if action == PUBLISH else (peer_id, peer_uri)
        bap = (None, None) if action == PUBLISH else (self.own.subscriber_id, self.own.url)
        told = Context(
            action=action,
            transaction_id=transaction_id or str(uuid.uuid4()),
            message_id=str(uuid.uuid4()),
            timestamp=self._clock.now(),
            bap_id=bap[0],
            bap_uri=bap[1],
            bpp_id=bpp[0],
            bpp_uri=bpp[1],
            ttl=self._delivery,
            network_id=self.own.network_id,
            tried=tried,
        )
        return self._owed(told, peer_id, peer_uri, message, None, None)

    def _about(self, contract: Contract, action: str) -> Context:
        own, peer = (self.own.subscriber_id, self.own.url), (contract.peer_id, contract.peer_uri)
        bpp, bap = (own, peer) if contract.side is Side.PROVIDER else (peer, own)
        return Context(
            action=action,
            transaction_id=contract.transaction_id,
            message_id=str(uuid.uuid4()),
            timestamp=self._clock.now(),
            bap_id=bap[0],
            bap_uri=bap[1],
            bpp_id=bpp[0],
            bpp_uri=bpp[1],
            ttl=self._delivery,
            network_id=self.own.network_id,
        )

    def _owed(
        self,
        context: Context,
        peer_id: str,
        peer_uri: str,
        message: Mapping[str, Any],
        fault: Fault | None,
        request_signature: str | None,
    ) -> Delivery:
        schemas = list(dict.fromkeys(_contexts(message)))
        body: dict[str, Any] = {"context": context.wire(schemas), "message": message}
        if fault is not None:
            body["error"] = fault.error()
        return Delivery(
            action=context.action,
            message_id=context.message_id,
            transaction_id=context.transaction_id,
            peer_id=peer_id,
            url=f"{peer_uri.rstrip('/')}/{context.action}",
            stream=f"{context.transaction_id}|{peer_id}",
            body=write_body(body),
            created_at=context.timestamp,
            expires_at=context.expires_at,
            request_signature=request_signature,
        )


def reread(message: Message) -> tuple[Context, Mapping[str, Any]]:
    """Context and body of a message that was taken in, as of the instant when it came, in the words of version 2.

    One that came in the dialect of 2025 bears under ``dialect`` what its answers need.
    """
    body, kept = translated(read_body(message.body))
    context = read_context(body["context"], message.action, message.at)
    return context, body if kept is None else {**body, "dialect": kept}


def echo(action: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The least that the callback to a request may bring beside an error."""
    asked = body["message"]
    match callback_of(action):
        case "on_discover":
            return {"catalogs": []}
        case "on_rate":
            return {"ratings": asked["ratingInputs"]}
        case "on_track":
            return {"tracking": {"url": "about:blank", "status": "INACTIVE"}}
        case "on_support":
            return {"support": asked["support"]}
        case _:
            contract = {name: told for name, told in asked["contract"].items() if name != "id" or is_uuid(told)}
            return {"contract": contract if contract.get("commitments") else {**contract, "commitments": [NOTHING]}}


def _contexts(value: Any) -> Iterator[str]:
    """Every ``@context`` in a message, outside in."""
    if isinstance(value, Mapping):
        told = value.get("@context")
        if isinstance(told, str):
            yield told
        for each in value.values():
            yield from _contexts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _contexts(each)
