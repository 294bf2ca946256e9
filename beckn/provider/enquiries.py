"""Requests that change nothing that was agreed, and how any request ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from beckn.filters import select
from beckn.protocol.faults import Fault
from beckn.provider.changes import require_range
from beckn.provider.counter import Counter, Request
from beckn.provider.files import Files
from core.trade import Contract, ContractState
from store.trading import Work

Effect = Callable[[Work], object]
"""what a step changes beside its contract"""


class Enquiries(Files):
    """Answers what is only asked.

    :param on_owed: called after an answer was stored.
    """

    def __init__(self, counter: Counter, on_owed: Callable[[], None]) -> None:
        super().__init__(counter)
        self._on_owed = on_owed

    def _end(
        self,
        request: Request,
        reply: Mapping[str, Any],
        *,
        fault: Fault | None = None,
        contract: Contract | None = None,
        about: Contract | None = None,
        effects: Sequence[Effect] = (),
    ) -> None:
        """The step's one transaction: ``contract`` is what changed, ``about`` what it is about without a change."""
        named = contract or about
        answer = self._with.correspondence.answer(request.message, request.context, reply, fault, named)
        contract_id = named.contract_id if named is not None else request.message.contract_id
        with self._with.trading.work() as work:
            if contract is not None:
                work.save(contract)
            for effect in effects:
                effect(work)
            work.send(answer, contract_id)
            work.finish(request.message, None if fault is None else fault.code, contract_id)
        self._on_owed()

    def _discover(self, request: Request) -> None:
        found = select(request.asked["intent"], self._with.catalogues())
        self._end(request, {"catalogs": found})

    def _status(self, request: Request) -> None:
        contract = self._require(request)
        self._end(request, {"contract": contract.document["wire"]}, about=contract)

    def _track(self, request: Request) -> None:
        told = request.asked["tracking"]
        contract_id = (told.get("contract") or {}).get("id")
        contract = self._owned(request, contract_id) if contract_id is not None else self._require(request)
        url = f"{self._with.correspondence.own.url}/status"
        state = "ACTIVE" if contract.state is ContractState.ACTIVE else "INACTIVE"
        self._end(request, {"tracking": {"url": url, "status": state}})

    def _rate(self, request: Request) -> None:
        ratings = request.asked["ratingInputs"]
        for number, rating in enumerate(ratings):
            path = f"$.message.ratingInputs[{number}]"
            self._owned(request, str(rating["target"].get("id")), "BIZ_RATING_TARGET_NOT_FOUND", f"{path}.target.id")
            require_range(rating["range"], f"{path}.range")
        self._end(request, {"ratings": ratings})

    def _support(self, request: Request) -> None:
        email = self._with.terms.support_email
        if email is None:
            raise Fault("BIZ_SUPPORT_NOT_AVAILABLE", "nobody is named for support here")
        channel = {"@context": "https://schema.org/docs/jsonldcontext.jsonld", "@type": "ContactPoint", "email": email}
        order = request.asked["support"].get("orderId")
        support = {"orderId": order, "channels": [channel]} if order is not None else {"channels": [channel]}
        self._end(request, {"support": support})
