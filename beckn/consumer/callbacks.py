"""What providers answer, worked off: each message once, with all that it changes in one step.

A repetition finds that its leg waits for something else and changes nothing; so does an answer that comes after its leg
has ended. Both are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace as changed
from decimal import Decimal
from typing import Any, Protocol

from loguru import logger

from beckn.consumer.alerts import TAKEN, GridAlerts, announces
from beckn.consumer.legs import Step, Tools, keep, leg_of, peer_contract_id, read_items, with_leg
from beckn.consumer.lots import provider_of
from beckn.consumer.procurement import Procurement
from beckn.consumer.records import record, settled_bodies
from beckn.consumer.settling import Checked, agreed_total, check, told_total
from beckn.protocol.actions import ON_PUBLISH, request_of
from beckn.protocol.body import read_body
from beckn.protocol.faults import Fault
from core.trade import Contract, ContractState, Message, Product, Side
from store.trading import Work

GONE = frozenset({"BIZ_ALREADY_CANCELLED", "BIZ_ORDER_NOT_FOUND"})
"""refusals of a cancellation after which nothing is left to cancel"""


class Legs(Protocol):
    """What drives the legs of one product."""

    def answered(self, work: Work, leg: Contract, answer: Mapping[str, Any]) -> Contract:
        """To select or init."""
        ...

    def confirmed(self, work: Work, leg: Contract, answer: Mapping[str, Any]) -> Contract:
        """To confirm."""
        ...

    def cancelled(self, work: Work, leg: Contract, why: str) -> Contract:
        """To cancel, or by the provider's own decision."""
        ...

    def failed(self, work: Work, leg: Contract, why: str, *, held: bool) -> Contract:
        """A request was refused, or could not be delivered."""
        ...


class Answers(Legs, Protocol):
    """Answers to needs: their steps look at the plan, under its lock."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The plan's."""
        ...

    def prepare(self, leg: Contract) -> None:
        """Before the lock is taken: see whether an answer still holds by the plan in force."""
        ...

    def seen(self, work: Work, catalog: Mapping[str, Any], peer_id: str, uri: str) -> None:
        """A catalog that may have needs."""
        ...

    def cleared(self, work: Work, leg: Contract, answer: Mapping[str, Any]) -> Contract:
        """What a buyer says of a contract: it may say now what was cleared."""
        ...


class Callbacks:
    """Works callbacks off.

    :param address: where a provider that a discovery service names is asked, by the registry; :class:`Fault`.
    :param alerts: answers each event of the grid that a provider announces about a contract.
    """

    def __init__(
        self,
        tools: Tools,
        procurement: Procurement,
        answers: Answers,
        address: Callable[[str], str],
        alerts: GridAlerts,
    ) -> None:
        self._tools = tools
        self._procurement = procurement
        self._answers = answers
        self._address = address
        self._alerts = alerts

    def work(self, message: Message) -> None:
        """Do what a message asks for; done again after a crash, it has its effect once."""
        body = read_body(message.body)
        if message.action == ON_PUBLISH:
            self._published(message, body)
        elif message.action == "on_discover":
            self._discovered(message, body)
        else:
            self._about_leg(message, body)

    def give_up(self, message: Message, error: Exception) -> None:
        """The work of a message failed for good: it is kept as refused, and whoever waits waits until its deadline."""
        with self._tools.trading.work() as work:
            work.finish(message, code=error.code if isinstance(error, Fault) else "NET_INTERNAL_ERROR")

    def undelivered(self, message_id: str, action: str, reason: str) -> None:
        """A request of ours is a dead letter: what waits for its answer fails."""
        sent = self._tools.messages.sent(action, message_id)
        if sent is None:
            return
        if action == "discover":
            with self._tools.trading.work() as work:
                self._unanswered(work, sent.transaction_id, message_id, f"it could not be asked: {reason}")
            return
        known = None if sent.contract_id is None else self._tools.contracts.find(sent.contract_id)
        if known is None or known.side is not Side.CONSUMER:
            return
        with self._lock(known), self._tools.trading.work() as work:
            leg = work.contract(known.contract_id)
            if action == "update":
                why = f"it could not be delivered: {reason}"[:300]
                self._alerts.settled(work, leg, message_id, why, taken=False)
            elif leg_of(leg).message_id == message_id:
                self._legs(leg).failed(work, leg, f"{action} could not be delivered: {reason}", held=True)
                self._moved(work, leg)

    def _published(self, message: Message, body: Mapping[str, Any]) -> None:
        """What a discovery service made of our catalogs; the message itself is what is kept."""
        fault = body.get("error")
        if fault:
            logger.warning("{} refused what was published: {} {}", message.peer_id, fault["code"], fault["message"])
        for each in (body.get("message") or {}).get("results") or ():
            if each["status"] != "ACCEPTED":
                told = "; ".join(str(error.get("message", error)) for error in each.get("errors") or ())
                logger.warning("catalog {} was published {}: {}", each["catalogId"], each["status"], told[:500])
        with self._tools.trading.work() as work:
            work.finish(message, code=None if not fault else str(fault["code"]))

    def _discovered(self, message: Message, body: Mapping[str, Any]) -> None:
        """Catalogs: a purchase may wait for them, and they may tell needs."""
        fault = body.get("error")
        catalogs = (body.get("message") or {}).get("catalogs") or []
        owners = [provider_of(each, message.peer_id, self._tools.letters.own.discovery_id) for each in catalogs]
        peers = self._addresses({owner for owner in owners if owner is not None})
        answer = "answered" if not fault else f"{fault['code']}: {fault['message']}"
        with self._tools.trading.work() as work:
            for catalog, owner in zip(catalogs, owners, strict=True):
                if owner is None:
                    logger.warning("{} sent a catalog of another, which is left aside", message.peer_id)
                elif owner in peers:
                    self._answers.seen(work, catalog, owner, peers[owner])
            purchase = work.purchase(message.transaction_id)
            if purchase is not None:
                self._procurement.discovered(work, purchase, message.message_id, message.number, peers, answer)
            work.finish(message, code=None if not fault else str(fault["code"]))

    def _unanswered(self, work: Work, transaction_id: str, message_id: str, why: str) -> None:
        purchase = work.purchase(transaction_id)
        if purchase is not None:
            self._procurement.discovered(work, purchase, message_id, 0, {}, why)

    def _addresses(self, owners: set[str]) -> dict[str, str]:
        """Where providers are asked; one that the registry does not know is left aside."""
        found = {}
        for owner in sorted(owners):
            try:
                found[owner] = self._address(owner)
            except Fault as fault:
                logger.warning("the catalog of {} is left aside: {} {}", owner, fault.code, fault)
        return found

    def _about_leg(self, message: Message, body: Mapping[str, Any]) -> None:
        known = self._leg_of(message, body)
        if known is not None and known.product is Product.TURN_DOWN and message.action == "on_init":
            self._answers.prepare(known)
        alerted = message.action in {"on_status", "on_update"} and announces(_contract(body))
        lock = self._alerts.lock if alerted else nullcontext() if known is None else self._lock(known)
        with lock, self._tools.trading.work() as work:
            if known is not None:
                self._worked(work, work.contract(known.contract_id), message, body)
                leg = work.contract(known.contract_id)
                if alerted and leg.state is ContractState.ACTIVE:
                    self._alerts.heard(work, leg, message, _contract(body))
            fault = body.get("error")
            work.finish(
                message,
                code=None if not fault else str(fault["code"]),
                contract_id=None if known is None else known.contract_id,
            )

    def _leg_of(self, message: Message, body: Mapping[str, Any]) -> Contract | None:
        """The contract that a message is about: that of the request it answers, or else the one it names."""
        asked = self._tools.messages.sent(request_of(message.action), message.message_id)
        if asked is not None and asked.contract_id is not None:
            found = self._tools.contracts.find(asked.contract_id)
            return found if found is not None and found.peer_id == message.peer_id else None
        told = _contract(body)
        of = [
            each
            for each in self._tools.contracts.of_transaction(message.transaction_id)
            if each.side is Side.CONSUMER and each.peer_id == message.peer_id
        ]
        named = [each for each in of if told.get("id") in {each.contract_id, peer_contract_id(each)}]
        return named[0] if named else of[0] if len(of) == 1 and told.get("id") is None else None

    def _worked(self, work: Work, leg: Contract, message: Message, body: Mapping[str, Any]) -> None:
        """Do what a message about a leg asks for."""
        answer = _contract(body)
        match message.action:
            case "on_select" | "on_init" | "on_confirm":
                self._answered(work, leg, message, body, answer)
            case "on_cancel":
                self._cancelled(work, leg, message, body, answer)
            case "on_status" if not body.get("error"):
                self._told(work, leg, answer)
            case "on_update":
                self._updated(work, leg, message, body, answer)
            case _:
                self._noted(work, leg, message, body)

    def _answered(
        self, work: Work, leg: Contract, message: Message, body: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> None:
        told, legs = leg_of(leg), self._legs(leg)
        if told.step is Step.CANCELLING and message.action == "on_confirm" and _active(answer):
            work.save(changed(leg, state=ContractState.ACTIVE, updated_at=message.at))
            return
        if told.step.awaits != message.action or told.message_id != message.message_id:
            logger.info("{} of {} comes late or again; it is kept", message.action, message.peer_id)
            return
        if fault := body.get("error"):
            legs.failed(work, leg, f"{fault['code']}: {fault['message']}", held=False)
        elif message.action == "on_confirm":
            legs.confirmed(work, leg, answer)
        else:
            legs.answered(work, leg, answer)
        self._moved(work, leg)

    def _cancelled(
        self, work: Work, leg: Contract, message: Message, body: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> None:
        told, legs = leg_of(leg), self._legs(leg)
        if told.step is Step.ENDED or leg.state.terminal:
            return
        asked = told.step is Step.CANCELLING and told.message_id == message.message_id
        fault = body.get("error")
        if asked and fault and fault["code"] in GONE:
            legs.cancelled(work, leg, f"the provider has it no more: {fault['code']}")
        elif fault:
            if asked:
                legs.failed(work, leg, f"it cannot be cancelled: {fault['code']}: {fault['message']}", held=False)
        elif asked or (answer.get("status") or {}).get("code") == ContractState.CANCELLED.value:
            legs.cancelled(work, leg, "cancelled as asked" if asked else "the provider cancelled it")
        self._moved(work, leg)

    def _told(self, work: Work, leg: Contract, answer: Mapping[str, Any]) -> None:
        """How a contract goes; once it is settled, whether the figures are ours too."""
        if leg.state is not ContractState.ACTIVE:
            return
        if leg.product is Product.TURN_DOWN:
            leg = self._answers.cleared(work, leg, answer)
        if (answer.get("status") or {}).get("code") == ContractState.CANCELLED.value:
            self._legs(leg).cancelled(work, leg, "the provider says that it is cancelled")
            self._moved(work, leg)
            return
        before = leg.document.get("settlement_told")
        total = None if before is None else Decimal(before)
        try:
            total = told_total(answer) if total is None else total
            if total is None:
                return
            found = check(leg, agreed_total(total), self._tools.messages.of_transaction(leg.transaction_id))
        except (Fault, ValueError) as error:
            logger.warning("the settlement of {} cannot be checked: {}", leg.peer_id, error)
            dispute = {"told": None if total is None else str(total), "ours": None, "why": str(error)[:300]}
            work.save(with_leg(leg, leg_of(leg), dispute=dispute))
            return
        if found is None:
            work.save(with_leg(leg, leg_of(leg), settlement_told=str(total)))
        else:
            self._settled(work, leg, found)

    def _settled(self, work: Work, leg: Contract, found: Checked) -> None:
        """Both figures on the log, the contract complete; a difference stays with it as a dispute."""
        told, ours = str(found.told), str(found.ours.total)
        dispute = None if found.agrees else {"told": told, "ours": ours, "why": "the figures differ"}
        detail = f"the provider's {told} is ours" if found.agrees else f"disputed: {told} is told, {ours} is reckoned"
        if dispute is not None:
            logger.warning("the settlement of {} is disputed: {} told, {} reckoned", leg.peer_id, told, ours)
        record(self._tools.log, leg, "settled", ContractState.COMPLETE, detail, (found.ours.rows, found.ours.total))
        complete = with_leg(
            changed(leg, state=ContractState.COMPLETE),
            leg_of(leg),
            stage="settled",
            settled=[body.model_dump() for body in settled_bodies(read_items(leg), found.ours.rows)],
            dispute=dispute,
        )
        keep(work, self._tools, complete, Step.ENDED)

    def _updated(
        self, work: Work, leg: Contract, message: Message, body: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> None:
        """A provider changes nothing by itself: what it says is kept, and what it made of an answer of ours."""
        fault = body.get("error")
        outcome = TAKEN if not fault else f"{fault['code']}: {fault['message']}"[:300]
        if self._alerts.settled(work, leg, message.message_id, outcome, taken=not fault) is not None:
            return
        if fault:
            self._noted(work, leg, message, body)
        elif not leg.state.terminal:
            if leg.product is Product.TURN_DOWN and leg.state is ContractState.ACTIVE:
                leg = self._answers.cleared(work, leg, answer)
            work.save(with_leg(leg, leg_of(leg), updates=[*leg.document.get("updates", []), message.message_id]))

    def _noted(self, work: Work, leg: Contract, message: Message, body: Mapping[str, Any]) -> None:
        """Tracking, ratings, support: kept beside the contract, the newest of each."""
        told = {**leg.document.get("told", {}), message.action: dict(body.get("message") or {})}
        work.save(with_leg(leg, leg_of(leg), told=told))

    def _legs(self, leg: Contract) -> Legs:
        if leg.product is Product.TURN_DOWN:
            return self._answers
        return self._procurement

    def _lock(self, leg: Contract) -> AbstractContextManager[Any]:
        return self._answers.lock if leg.product is Product.TURN_DOWN else nullcontext()

    def _moved(self, work: Work, leg: Contract) -> None:
        """The purchase that a leg is of goes on."""
        purchase = work.purchase(leg.transaction_id)
        if purchase is not None and leg.product is Product.COMPUTE_WINDOW:
            self._procurement.advance(work, purchase)


def _active(answer: Mapping[str, Any]) -> bool:
    return bool((answer.get("status") or {}).get("code") == ContractState.ACTIVE.value)


def _contract(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The contract that a message brings; empty where it brings none."""
    return (body.get("message") or {}).get("contract") or {}
