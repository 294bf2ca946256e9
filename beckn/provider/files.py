"""The contracts that requests are about: found for their buyers, drafted, written anew."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from beckn.protocol.faults import Fault
from beckn.provider.counter import Counter, Request
from beckn.provider.items import Item, span_of, write_items
from beckn.provider.paper import Standing
from core.errors import NotFound
from core.slots import format_utc
from core.trade import Contract, ContractState, Side


class Files:
    """Finds and writes contracts of the peer that asks; of nobody else."""

    def __init__(self, counter: Counter) -> None:
        self._with = counter

    def _found(self, request: Request) -> Contract | None:
        """The contract that a request names, or the last of its transaction; one of the same peer's."""
        contract_id = (request.asked.get("contract") or {}).get("id")
        if contract_id is not None and (known := self._with.contracts.find(contract_id)) is not None:
            return known if known.peer_id == request.message.peer_id and known.side is Side.PROVIDER else None
        known_ones = [
            contract
            for contract in self._with.contracts.of_transaction(request.context.transaction_id)
            if contract.peer_id == request.message.peer_id and contract.side is Side.PROVIDER
        ]
        return known_ones[-1] if known_ones and contract_id is None else None

    def _require(self, request: Request) -> Contract:
        contract = self._found(request)
        if contract is None:
            raise Fault("BIZ_ORDER_NOT_FOUND", "there is no such contract with you", "$.message.contract.id")
        return contract

    def _owned(
        self, request: Request, contract_id: str, code: str = "BIZ_ORDER_NOT_FOUND", path: str = "$.message"
    ) -> Contract:
        try:
            contract = self._with.contracts.get(contract_id)
        except NotFound as error:
            raise Fault(code, "there is no such contract with you", path) from error
        if contract.peer_id != request.message.peer_id:
            raise Fault(code, "there is no such contract with you", path)
        return contract

    def _require_valid(self, contract: Contract) -> None:
        """Refuse a draft whose offer has lapsed."""
        until = datetime.fromisoformat(contract.document["valid_until"])
        if until <= self._with.clock.now():
            raise Fault("BIZ_QUOTE_EXPIRED_OR_CHANGED", f"the offer lapsed at {format_utc(until)}: select again")

    def _drafted(self, request: Request, known: Contract | None, items: Sequence[Item], buyer: str) -> Contract:
        """A draft with what was quoted just now."""
        now, (starts, ends) = self._with.clock.now(), span_of(items)
        draft = known or Contract(
            contract_id=str(uuid.uuid4()) if request.dialect is None else request.asked["contract"]["id"],
            side=Side.PROVIDER,
            product=items[0].product,
            transaction_id=request.context.transaction_id,
            peer_id=request.message.peer_id,
            peer_uri=request.context.bap_uri or "",
            state=ContractState.DRAFT,
            starts=starts,
            ends=ends,
            created_at=now,
            updated_at=now,
        )
        names = {} if request.dialect is None else {"dialect": request.dialect}
        draft = replace(draft, product=items[0].product, document={**draft.document, "buyer": buyer, **names})
        return self._written(draft, items)

    def _written(self, contract: Contract, items: Sequence[Item]) -> Contract:
        """A contract with its items and its wire form as they are now."""
        now, (starts, ends) = self._with.clock.now(), span_of(items)
        valid_until = contract.held_until or now + self._with.terms.hold
        standing = Standing(contract.contract_id, contract.state, contract.document["buyer"], valid_until)
        wire = self._with.paper.contract(items, self._with.sites(), standing)
        told = {"items": write_items(items), "wire": wire, "valid_until": format_utc(valid_until)}
        document = {**contract.document, **told}
        return replace(contract, starts=starts, ends=ends, updated_at=now, document=document)
