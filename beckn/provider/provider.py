"""The provider: works off requests, one after another within a transaction, and owes an answer to each.

A step ends in one transaction of the store: what changes, the answer that is owed, and that the request is done. What
binds us is on the log before that. A step that a crash cut off is begun anew from the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from beckn.correspondence import echo, reread
from beckn.packs.alert import Alert, Answered, read_action, read_alert
from beckn.protocol.actions import is_callback
from beckn.protocol.faults import Fault
from beckn.provider.alerts import require_noticed, told_of
from beckn.provider.changes import lessened, powers
from beckn.provider.counter import Counter, Request
from beckn.provider.enquiries import Effect, Enquiries
from beckn.provider.holding import reductions_of
from beckn.provider.items import Item, notice_deadline, read_items
from beckn.provider.one_step import answers, asked_in, require_accepted
from beckn.provider.paper import buyer_of, read_asked, require_agreed
from beckn.provider.records import Event
from core.errors import Conflict, Unavailable
from core.trade import Contract, ContractState, Hold, Message, Side
from store.trading import Work

_RECORDED = frozenset({"confirm", "update", "cancel"})
"""requests whose steps are on the log before they are in force"""
_UNDONE = {"confirmed": ContractState.DRAFT, "cancelled": ContractState.ACTIVE}
"""states of a contract in which that step is not in force"""


class Provider(Enquiries):
    """Answers requests.

    :param on_owed: called after an answer was stored. :param on_traded: called after the plan has to be made anew.
    """

    def __init__(self, counter: Counter, on_owed: Callable[[], None], on_traded: Callable[[], None]) -> None:
        super().__init__(counter, on_owed)
        self._on_traded = on_traded
        self._handlers: Mapping[str, Callable[[Request], None]] = {
            "discover": self._discover,
            "select": self._select,
            "init": self._init,
            "confirm": self._confirm,
            "status": self._status,
            "track": self._track,
            "update": self._update,
            "cancel": self._cancel,
            "rate": self._rate,
            "support": self._support,
        }

    def work(self, message: Message) -> None:
        """Do what a request asks for, and owe its answer.

        :raises Unavailable: it cannot be done just now; nothing was changed.
        """
        context, body = reread(message)
        request = Request(message, context, body)
        try:
            late = context.ttl is not None and context.expires_at <= self._with.clock.now()
            if late and self._with.records.of_message(message) is None:
                raise Fault("CTX_TTL_EXPIRED", "it was not worked off in its time; nothing was changed")
            self._handlers[message.action](request)
        except Fault as fault:
            self._take_back(request)
            self._end(request, echo(message.action, body), fault=fault)
        except Conflict as error:
            raise Unavailable(str(error)) from error

    def give_up(self, message: Message, _error: Exception) -> None:
        """Owe the answer to a request that failed for a reason of ours."""
        if is_callback(message.action):
            with self._with.trading.work() as work:
                work.finish(message, "NET_INTERNAL_ERROR")
            return
        context, body = reread(message)
        request = Request(message, context, body)
        self._take_back(request)
        fault = Fault("NET_INTERNAL_ERROR", "it failed here and was given up; nothing was changed")
        self._end(request, echo(message.action, body), fault=fault)

    def recover(self) -> int:
        """Put in force what was confirmed on the log and not yet in the store; how many contracts.

        What held nothing before its confirmation is left to the confirmation's own message, which is worked off again.
        """
        drafts = [c for c in self._with.contracts.in_states([ContractState.DRAFT]) if c.side is Side.PROVIDER]
        if not drafts:
            return 0
        confirmed = self._with.records.confirmed(min(contract.updated_at for contract in drafts))
        found = 0
        for contract in drafts:
            seq, message_id = confirmed.get(contract.contract_id, (None, ""))
            if seq is not None and self._with.stock.keeps(contract):
                with self._with.trading.work() as work:
                    work.save(self._active(contract, read_items(contract), seq, message_id))
                    self._settle_holds(work, contract.contract_id, seq)
                found += 1
        return found

    def _select(self, request: Request) -> None:
        wire = request.asked["contract"]
        asked = read_asked(wire)
        known = self._found(request)
        if known is not None and (known.state is not ContractState.DRAFT or known.held_until is not None):
            raise Fault("BIZ_INVALID_STATE_TRANSITION", "what was initialised or confirmed is not quoted again")
        items = self._with.stock.quote(asked)
        contract = self._drafted(request, known, items, buyer_of(wire, request.message.peer_id))
        self._end(request, {"contract": contract.document["wire"]}, contract=contract)

    def _init(self, request: Request) -> None:
        contract = self._ordered(request)
        if contract.state is not ContractState.DRAFT:
            raise Fault("BIZ_INVALID_STATE_TRANSITION", f"the contract is {contract.state.value}")
        self._require_agreed(request, contract)
        self._require_valid(contract)
        now = self._with.clock.now()
        if contract.held_until is not None and contract.held_until > now:
            self._end(request, {"contract": contract.document["wire"]}, about=contract)
            return
        items = self._renewed(contract)
        self._with.stock.require_notice(items)
        until = now + self._with.terms.hold
        with self._with.plan_lock():
            bookings, reductions = self._with.stock.holds(items, contract.contract_id, until)
            held = self._written(replace(contract, held_until=until), items)
            self._end(
                request,
                {"contract": held.document["wire"]},
                contract=held,
                effects=[
                    lambda work: self._require_few_drafts(work, contract),
                    lambda work: work.drop_holds(contract.contract_id),
                    lambda work: work.hold_bookings(bookings),
                    lambda work: work.hold_reductions(reductions),
                ],
            )
        self._on_traded()

    def _confirm(self, request: Request) -> None:
        contract = self._ordered(request)
        if contract.state is ContractState.ACTIVE:
            if contract.document.get("confirmed_by") != request.message.message_id:
                raise Fault("BIZ_ALREADY_CONFIRMED", "the contract is in force already")
            self._end(request, {"contract": contract.document["wire"]}, about=contract)
            return
        if contract.state is not ContractState.DRAFT:
            raise Fault("BIZ_INVALID_STATE_TRANSITION", f"the contract is {contract.state.value}")
        self._require_agreed(request, contract)
        seq = self._recorded(request, contract, "confirmed")
        if seq is None:
            self._require_valid(contract)
        self._book(request, contract, seq)
        self._on_traded()

    def _book(self, request: Request, contract: Contract, seq: int | None) -> None:
        """Record a confirmation, unless it was as ``seq``, and put the contract in force."""
        held = contract.held_until is not None
        items = read_items(contract) if held else self._renewed(contract)
        if seq is None:
            self._with.stock.require_notice(items)
        with self._with.plan_lock():
            effects: list[Effect] = []
            if not held:
                bookings, reductions = self._with.stock.holds(items, contract.contract_id, None)
                effects = [lambda work: work.hold_bookings(bookings), lambda work: work.hold_reductions(reductions)]
            contract = self._written(contract, items)
            number = seq if seq is not None else self._with.records.event("confirmed", contract, items, request.trace)
            active = self._active(contract, items, number, request.message.message_id)
            answer = {"contract": active.document["wire"]}
            effects += [lambda work: self._settle_holds(work, contract.contract_id, number)]
            self._end(request, answer, contract=active, effects=effects)

    def _take_back(self, request: Request) -> None:
        """Say on the log what holds, where a step of this request was recorded there and cannot be put in force."""
        if request.message.action not in _RECORDED:
            return
        contract = self._found(request)
        if contract is None:
            return
        found = self._with.records.of_message(request.message, contract.contract_id)
        if found is None:
            return
        event = found[1]
        if event in {"updated", "alerted"} or _UNDONE.get(event) is contract.state:
            told: Event = "cancelled" if event == "confirmed" else "restored"
            why = f"{event} was recorded and could not be put in force"
            self._with.records.event(told, contract, read_items(contract), request.trace, detail=why)

    def _recorded(self, request: Request, contract: Contract, event: Event) -> int | None:
        """The record of a step that was cut off after it was recorded."""
        found = self._with.records.of_message(request.message, contract.contract_id)
        return found[0] if found is not None and found[1] == event else None

    def _update(self, request: Request) -> None:
        """Less than was confirmed, in some half-hours; with ``try`` only what would come of it."""
        contract = self._require(request)
        if contract.state is not ContractState.ACTIVE:
            raise Fault("BIZ_INVALID_STATE_TRANSITION", f"the contract is {contract.state.value}")
        performances = request.asked["contract"].get("performance")
        alert = read_alert(performances, "$.message.contract.performance")
        if alert is not None:
            self._alerted(request, contract, alert)
            return
        action = read_action(performances, "$.message.contract.performance")
        if action is not None:
            self._noticed(request, contract, action)
            return
        before = read_items(contract)
        recorded = self._recorded(request, contract, "updated") is not None
        if not recorded and notice_deadline(before, self._with.terms.notice) < self._with.clock.now():
            raise Fault("POL_UPDATE_NOT_ALLOWED", "the notice deadline has passed")
        items = lessened(before, read_asked(request.asked["contract"]))
        changed = self._written(contract, items)
        if request.context.tried:
            self._end(request, {"contract": changed.document["wire"]}, about=contract)
            return
        with self._with.plan_lock():
            if not recorded:
                self._with.records.event("updated", changed, items, request.trace)
            effects: list[Effect] = [lambda work: work.lessen(changed.contract_id, powers(items))]
            self._end(request, {"contract": changed.document["wire"]}, contract=changed, effects=effects)
        self._on_traded()

    def _alerted(self, request: Request, contract: Contract, alert: Alert) -> None:
        """Do what can be done about an alert, and say how soon."""
        clock, before = self._with.clock, read_items(contract)
        found = self._with.alerts.respond(alert, before, request.message.at, clock.now())
        ids = [item.commitment_id for item in before if item.site_id == alert.site_id]
        told = found.answered.performed("EVENT_ANSWERED", ids, self._with.correspondence.own.url)
        answers = [*contract.document.get("alerts", ()), told_of(found.answered, "seller")]
        changed = replace(contract, document={**contract.document, "alerts": answers})
        changed = self._written(changed, found.items)
        reply = {"contract": {**changed.document["wire"], "performance": [told]}}
        if request.context.tried:
            self._end(request, reply, about=contract)
            return
        rows = [row for row in reductions_of(contract.contract_id, found.items) if found.items != before]
        with self._with.plan_lock():
            self._with.stock.require_plan(found.answered.tick_id)
            trace = request.context.transaction_id, request.context.message_id
            detail = f"{found.answered.action}: {found.answered.reason}"[:300]
            self._with.records.event("alerted", changed, found.items, trace, detail=detail)
            self._end(request, reply, contract=changed, effects=[lambda work: work.put_reductions(rows)])
        self._on_traded()

    def _noticed(self, request: Request, contract: Contract, action: Answered) -> None:
        """Keep what the buyer of a window does about an event; it is its load, and what was agreed stays."""
        items = read_items(contract)
        require_noticed(request.asked["contract"], items)
        ids, base = [item.commitment_id for item in items], self._with.correspondence.own.url
        told = action.performed("EVENT_NOTICED", ids, base)
        reply = {"contract": {**contract.document["wire"], "performance": [told]}}
        if request.context.tried:
            self._end(request, reply, about=contract)
            return
        if self._recorded(request, contract, "alerted") is None:
            detail = f"the buyer's answer: {action.action}: {action.reason}"[:300]
            self._with.records.event("alerted", contract, items, request.trace, detail=detail)
        known = contract.document.get("alerts", ())
        document = {**contract.document, "alerts": [*known, told_of(action, "buyer")]}
        self._end(request, reply, contract=replace(contract, document=document))

    def _cancel(self, request: Request) -> None:
        contract = self._require(request)
        if contract.state is ContractState.CANCELLED:
            raise Fault("BIZ_ALREADY_CANCELLED", "the contract was cancelled before")
        if contract.state is ContractState.COMPLETE:
            raise Fault("BIZ_INVALID_STATE_TRANSITION", "the contract is complete")
        items = read_items(contract)
        confirmed = contract.state is ContractState.ACTIVE
        recorded = self._recorded(request, contract, "cancelled") is not None
        late = notice_deadline(items, self._with.terms.notice) < self._with.clock.now()
        if confirmed and late and not recorded:
            raise Fault("POL_CANCELLATION_NOT_ALLOWED", "the notice deadline has passed")
        ended = self._written(replace(contract, state=ContractState.CANCELLED, held_until=None), items)
        if request.context.tried:
            self._end(request, {"contract": ended.document["wire"]}, about=contract)
            return
        with self._with.plan_lock():
            if confirmed and not recorded:
                self._with.records.event("cancelled", ended, items, request.trace)
            effects: list[Effect] = [lambda work: work.release(ended.contract_id)]
            self._end(request, {"contract": ended.document["wire"]}, contract=ended, effects=effects)
        self._on_traded()

    def _ordered(self, request: Request) -> Contract:
        """The contract to initialise or confirm; in the dialect of 2025 it may be one that was not selected before.

        Then it is quoted now, and stored as a draft before anything binds us.
        """
        known = self._found(request)
        asked = asked_in(request.asked["contract"]) if request.dialect is not None else None
        fresh = known is None or (known.state is ContractState.DRAFT and known.held_until is None)
        if asked is None or not fresh or (known is not None and answers(read_items(known), asked)):
            return self._require(request)
        items = self._with.stock.quote(asked)
        if not answers(items, asked):
            raise Fault("BIZ_QUANTITY_UNAVAILABLE", "less than that is free in those half-hours")
        require_accepted(request.asked["contract"], items)
        draft = self._drafted(request, known, items, buyer_of(request.asked["contract"], request.message.peer_id))
        with self._with.trading.work() as work:
            return work.save(draft)

    def _require_agreed(self, request: Request, contract: Contract) -> None:
        """Refuse what is not what was quoted."""
        wire, items = request.asked["contract"], read_items(contract)
        if request.dialect is None:
            require_agreed(wire, items)
            return
        asked = asked_in(wire)
        if asked is not None and not answers(items, asked):
            raise Fault("BIZ_QUOTE_EXPIRED_OR_CHANGED", "other half-hours or kW were quoted to you")
        require_accepted(wire, items)

    def _renewed(self, contract: Contract) -> tuple[Item, ...]:
        """What was quoted, at the plan in force now; :class:`Fault` where it became dearer or less."""
        return self._with.stock.renewed(read_items(contract))

    def _active(self, contract: Contract, items: Sequence[Item], seq: int, message_id: str) -> Contract:
        document = {**contract.document, "confirmed_by": message_id}
        active = replace(contract, state=ContractState.ACTIVE, held_until=None, log_seq=seq, document=document)
        return self._written(active, items)

    @staticmethod
    def _settle_holds(work: Work, contract_id: str, seq: int) -> None:
        work.settle_bookings(contract_id, "confirmed", seq)
        work.settle_reductions(contract_id, Hold.COMMITTED)

    def _require_few_drafts(self, work: Work, contract: Contract) -> None:
        held = work.drafts_held_by(contract.peer_id)
        if held > self._with.terms.open_drafts:
            raise Fault(
                "POL_NP_CAPACITY_EXCEEDED",
                f"{held - 1} drafts of yours hold capacity; confirm or cancel one first, or wait until one lapses",
            )
