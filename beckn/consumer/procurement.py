"""Purchases of compute windows over several providers: discover, choose, select, initialise, confirm, make good.

All that is asked of all providers goes out at once, in one transaction with a message id each, and a step begins when
every leg has come to the end of the one before. A leg that fails is made good once by other providers, in the same
half-hours; where that cannot be, the others are given back, unless the buyer takes part of it.

What is bought is capacity at another's site. It is no headroom of ours: no plan of this server counts it, places a job
on it or meters it, and whoever bought it sends the compute there.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from datetime import datetime
from decimal import Decimal
from typing import Any

from loguru import logger

from beckn.consumer import choosing
from beckn.consumer.choosing import Part
from beckn.consumer.legs import (
    ZERO,
    Leg,
    Step,
    Tools,
    amount,
    ask,
    cancel_message,
    keep,
    leg_of,
    read_items,
    span,
    wire_of,
    with_leg,
    write_items,
)
from beckn.consumer.lots import CURRENCY, Listing, Lot
from beckn.consumer.orders import Order, listings_seen
from beckn.consumer.quoting import answered_amount, answered_items, contract_of, items_of
from beckn.consumer.records import record
from beckn.protocol.faults import Fault
from core.purchases import Purchase, PurchaseState
from core.slots import format_utc
from core.trade import Contract, ContractState, Product, Side
from store.trading import Work

WINDOWS = "$[?(@.resourceAttributes['@type'] == 'ComputeWindow')]"
Listings = Mapping[tuple[str, str, str], Listing]


class Procurement:
    """Drives purchases; every method that takes a ``work`` is a part of that step."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._own = tools.letters.own

    def begin(self, order: Order, addresses: Mapping[str, str], unknown: Mapping[str, str]) -> Purchase:
        """Ask all providers what they offer.

        :param addresses: where each is asked. :param unknown: why others cannot be asked.
        """
        now, purchase_id = self._tools.clock.now(), str(uuid.uuid4())
        intent = {"intent": {"filters": {"type": "jsonpath", "expression": WINDOWS}}}
        asked: dict[str, Any] = {
            peer: {"uri": None, "message_id": None, "answer": reason} for peer, reason in unknown.items()
        }
        with self._tools.trading.work() as work:
            for peer, uri in addresses.items():
                delivery = self._tools.letters.request("discover", peer, uri, intent, transaction_id=purchase_id)
                work.send(delivery)
                asked[peer] = {"uri": uri, "message_id": delivery.message_id, "answer": None}
            document = {"order": order.written(), "asked": asked, "catalogs": [], "replaced": False}
            return work.save_purchase(
                Purchase(
                    purchase_id=purchase_id,
                    state=PurchaseState.DISCOVERING,
                    created_at=now,
                    updated_at=now,
                    deadline=now + self._tools.waits.discover,
                    document=document,
                )
            )

    def discovered(
        self, work: Work, purchase: Purchase, message_id: str, number: int, peers: Mapping[str, str], answer: str
    ) -> Purchase:
        """An answer to what was asked of all; once lots are chosen it has no effect.

        :param number: of the message. :param peers: address of each provider that its catalogs are of.
        """
        if purchase.state is not PurchaseState.DISCOVERING:
            return purchase
        asked = {
            peer: {**told, "answer": answer} if told["message_id"] == message_id else told
            for peer, told in purchase.document["asked"].items()
        }
        known = {**purchase.document.get("peers", {}), **peers}
        numbers = [*purchase.document["catalogs"], number]
        document = {**purchase.document, "asked": asked, "peers": known, "catalogs": numbers}
        return self.advance(work, changed(purchase, document=document))

    def advance(self, work: Work, purchase: Purchase) -> Purchase:
        """Do what is due, and store the purchase."""
        now = self._tools.clock.now()
        if purchase.state is PurchaseState.DISCOVERING:
            if not self._heard(purchase, now):
                return self._saved(work, purchase)
            return self._chosen(work, purchase)
        legs = [self.timed(work, leg) for leg in self.legs(work, purchase)]
        if purchase.state is PurchaseState.NEGOTIATING:
            return self._negotiated(work, purchase, legs)
        if purchase.state is PurchaseState.CANCELLING and not any(leg_of(leg).waiting for leg in legs):
            return self._ended(work, purchase, PurchaseState.FAILED, _binding(legs, purchase.reason))
        return self._lessened(work, purchase, legs) if purchase.state.ended else purchase

    def due(self, work: Work, purchase: Purchase) -> bool:
        """Whether a wait of a purchase is over."""
        now = self._tools.clock.now()
        if purchase.state is PurchaseState.DISCOVERING:
            return self._heard(purchase, now)
        return any(leg_of(leg).overdue(now) for leg in self.legs(work, purchase))

    def legs(self, work: Work, purchase: Purchase) -> list[Contract]:
        """The contracts of a purchase."""
        return [each for each in work.contracts_of(purchase.purchase_id) if each.side is Side.CONSUMER]

    def answered(self, work: Work, leg: Contract, answer: Mapping[str, Any]) -> Contract:
        """A provider's answer to select or init: the leg goes on where the price holds, and fails where it does not."""
        step = Step.QUOTED if leg_of(leg).step is Step.SELECTING else Step.READY
        try:
            items = answered_items(answer, read_items(leg))
            price = answered_amount(answer, items)
        except Fault as fault:
            return self.failed(work, leg, f"{fault.code}: {fault}", held=True)
        agreed, tolerance = Decimal(leg.document["amount"]), Decimal(leg.document["tolerance"])
        if price > agreed + abs(agreed) * tolerance:
            return self.failed(work, leg, f"the price rose from {agreed:.2f} to {price:.2f} {CURRENCY}", held=True)
        wire = {**wire_of(leg), **({"id": answer["id"]} if answer.get("id") else {})}
        for name in ("consideration", "commitments"):
            if answer.get(name):
                wire[name] = answer[name]
        told = with_leg(leg, leg_of(leg), contract=wire, items=write_items(items), quoted=str(price))
        return keep(work, self._tools, told, step)

    def confirmed(self, work: Work, leg: Contract, answer: Mapping[str, Any]) -> Contract:
        """A provider says that a contract is active."""
        code = (answer.get("status") or {}).get("code")
        if code != ContractState.ACTIVE.value:
            return self.failed(work, leg, f"the provider answered the confirmation with {code}", held=True)
        wire = {**wire_of(leg), "status": {"code": code}}
        told = with_leg(changed(leg, state=ContractState.ACTIVE), leg_of(leg), contract=wire)
        return keep(work, self._tools, told, Step.ACTIVE)

    def cancelled(self, work: Work, leg: Contract, why: str) -> Contract:
        """A provider says that a contract is cancelled, because we asked or because it did."""
        if leg.state is ContractState.ACTIVE:
            record(self._tools.log, leg, "cancelled", ContractState.CANCELLED, why)
        work.release(leg.contract_id)
        failed = leg_of(leg).failed or why
        return keep(work, self._tools, changed(leg, state=ContractState.CANCELLED), Step.ENDED, failed=failed)

    def failed(self, work: Work, leg: Contract, why: str, *, held: bool) -> Contract:
        """A leg will not be had: what the provider holds for it is given back.

        Where it refuses to cancel what was confirmed to it, it counts as in force, though its answer never came.

        :param held: the provider may have taken the request under way.
        """
        logger.warning("a leg of a purchase at {} fails: {}", leg.peer_id, why)
        step, told = leg_of(leg).step, with_leg(leg, changed(leg_of(leg), failed=why))
        if step is Step.CANCELLING:
            refused = leg.log_seq is not None and not held
            bound = leg.state is ContractState.ACTIVE or refused
            state = ContractState.ACTIVE if bound else leg.state
            return keep(work, self._tools, changed(told, state=state), Step.ACTIVE if bound else Step.ENDED)
        if step in {Step.READY, Step.ACTIVE} or (held and step in {Step.INITIALISING, Step.CONFIRMING}):
            return ask(work, self._tools, told, "cancel", cancel_message(told))
        return keep(work, self._tools, told, Step.ENDED)

    def timed(self, work: Work, leg: Contract) -> Contract:
        """A leg whose answer did not come in time fails."""
        told, now = leg_of(leg), self._tools.clock.now()
        if not told.overdue(now):
            return leg
        return self.failed(work, leg, f"no {told.step.awaits} came by {format_utc(now)}", held=True)

    def _heard(self, purchase: Purchase, now: datetime) -> bool:
        """Whether everyone has answered; a discovery service may answer for several, so it is always waited for."""
        if purchase.deadline is None or purchase.deadline <= now:
            return True
        asked = purchase.document["asked"]
        return self._own.discovery_id not in asked and all(told["answer"] is not None for told in asked.values())

    def _chosen(self, work: Work, purchase: Purchase) -> Purchase:
        """Choose among the catalogs that came in time, and select."""
        order, found = Order.read(purchase.document["order"]), self._listings(purchase)
        lots = self._lots(found, order)
        parts = choosing.choose(lots, order.wanted)
        if parts is None:
            why = f"{len(lots)} half-hours of {len({lot.peer_id for lot in lots})} providers do not come to it"
            return self._ended(work, purchase, PurchaseState.FAILED, why)
        self._select(work, purchase, parts, found)
        kg = choosing.carbon_kg(parts)
        document = {
            **purchase.document,
            "chosen": {"cost_gbp": str(choosing.cost(parts)), "carbon_kg": None if kg is None else str(kg)},
        }
        negotiating = changed(purchase, state=PurchaseState.NEGOTIATING, deadline=None, document=document)
        return self._saved(work, negotiating)

    def _select(self, work: Work, purchase: Purchase, parts: Sequence[Part], found: Listings) -> None:
        """A leg for each provider, all selected at once."""
        for peer in sorted({part.lot.peer_id for part in parts}):
            of = [part for part in parts if part.lot.peer_id == peer]
            self._open(work, purchase, of, found)

    def _open(self, work: Work, purchase: Purchase, parts: Sequence[Part], found: Listings) -> None:
        items, now, contract_id = items_of(parts, found), self._tools.clock.now(), str(uuid.uuid4())
        peer_id = parts[0].lot.peer_id
        starts, ends = span(items)
        document = {
            "purchase_id": purchase.purchase_id,
            "currency": CURRENCY,
            "items": write_items(items),
            "amount": str(amount(items)),
            "tolerance": purchase.document["order"]["tolerance"],
            "contract": contract_of(contract_id, items, found, peer_id, self._own.subscriber_id),
        }
        draft = Contract(
            contract_id=contract_id,
            side=Side.CONSUMER,
            product=Product.COMPUTE_WINDOW,
            transaction_id=purchase.purchase_id,
            peer_id=peer_id,
            peer_uri=found[peer_id, items[0].offer_id, items[0].resource_id].uri,
            state=ContractState.DRAFT,
            starts=starts,
            ends=ends,
            created_at=now,
            updated_at=now,
            document=document,
        )
        stored = work.save(with_leg(draft, Leg(Step.SELECTING)))
        ask(work, self._tools, stored, "select", {"contract": wire_of(stored)})

    def _negotiated(self, work: Work, purchase: Purchase, legs: list[Contract]) -> Purchase:
        """Make good what failed, or have every leg take its next step."""
        lost = [leg for leg in legs if leg_of(leg).failed and not leg_of(leg).replaced]
        if lost:
            purchase, legs, go_on = self._made_good(work, purchase, legs, lost)
            if not go_on:
                return purchase
        live = [leg for leg in legs if not leg_of(leg).failed]
        pending = [leg for leg in live if leg_of(leg).step is not Step.ACTIVE]
        if any(leg_of(leg).waiting for leg in pending):
            return self._saved(work, purchase)
        if not pending:
            return self._concluded(work, purchase, legs)
        quoted = [leg for leg in pending if leg_of(leg).step is Step.QUOTED]
        for leg in quoted or pending:
            if quoted:
                ask(work, self._tools, leg, "init", {"contract": wire_of(leg)})
            else:
                self._confirm(work, leg)
        return self._saved(work, purchase)

    def _confirm(self, work: Work, leg: Contract) -> None:
        """On the log first, then on its way."""
        seq = record(self._tools.log, leg, "confirmed", ContractState.DRAFT, "confirmation sent")
        told = changed(leg, log_seq=seq)
        ask(work, self._tools, told, "confirm", {"contract": wire_of(told)})

    def _concluded(self, work: Work, purchase: Purchase, legs: Sequence[Contract]) -> Purchase:
        live = [leg for leg in legs if not leg_of(leg).failed]
        purchase = changed(purchase, reason=_binding(legs, purchase.reason))
        had = sum((_kw_slots(leg) for leg in live), ZERO)
        wanted = Order.read(purchase.document["order"]).wanted.kw_slots
        if had >= wanted:
            return self._ended(work, purchase, PurchaseState.CONFIRMED, purchase.reason)
        if not live:
            return self._ended(work, purchase, PurchaseState.FAILED, purchase.reason)
        why = f"{had / 2:f} of {wanted / 2:f} kWh are confirmed"
        return self._ended(work, purchase, PurchaseState.PARTIAL, "; ".join(filter(None, (why, purchase.reason))))

    def _lessened(self, work: Work, purchase: Purchase, legs: Sequence[Contract]) -> Purchase:
        """A provider took back what was confirmed: what is left is a part, and nothing is bought in its place."""
        lost = [leg for leg in legs if leg_of(leg).failed and not leg_of(leg).replaced]
        if not lost or purchase.state is PurchaseState.FAILED:
            why = _binding(legs, purchase.reason)
            return purchase if why == purchase.reason else self._saved(work, changed(purchase, reason=why))
        for leg in lost:
            work.save(with_leg(leg, changed(leg_of(leg), replaced=True)))
        left = any(not leg_of(leg).failed for leg in legs)
        why = "; ".join(f"{leg.peer_id}: {leg_of(leg).failed}" for leg in lost)
        return self._ended(work, purchase, PurchaseState.PARTIAL if left else PurchaseState.FAILED, why)

    def _made_good(
        self, work: Work, purchase: Purchase, legs: list[Contract], lost: Sequence[Contract]
    ) -> tuple[Purchase, list[Contract], bool]:
        """Replace what was lost, go on without it, or give everything back; whether it goes on."""
        order = Order.read(purchase.document["order"])
        why = "; ".join(f"{leg.peer_id}: {leg_of(leg).failed}" for leg in lost)
        purchase = changed(purchase, reason=why)
        noted = {leg.contract_id: work.save(with_leg(leg, changed(leg_of(leg), replaced=True))) for leg in lost}
        legs = [noted.get(leg.contract_id, leg) for leg in legs]
        live = [leg for leg in legs if not leg_of(leg).failed]
        if not purchase.document["replaced"]:
            found = self._listings(purchase)
            parts = self._replacement(found, order, legs, lost)
            if parts:
                purchase = changed(purchase, document={**purchase.document, "replaced": True})
                self._select(work, purchase, parts, found)
                return purchase, self.legs(work, purchase), True
        if order.wanted.partial and live:
            return purchase, legs, True
        for leg in live:
            self.failed(work, leg, "another leg of the purchase failed", held=True)
        ending = self._saved(work, changed(purchase, state=PurchaseState.CANCELLING))
        return self.advance(work, ending), legs, False

    def _replacement(
        self, found: Listings, order: Order, legs: Sequence[Contract], lost: Sequence[Contract]
    ) -> tuple[Part, ...] | None:
        """Parts of other providers' lots, beside what other legs take of them."""
        missing: dict[datetime, Decimal] = {}
        for leg in lost:
            for item in read_items(leg):
                for line in item.lines:
                    if line.kw > 0:
                        missing[line.starts] = missing.get(line.starts, ZERO) + line.kw
        out = {leg.peer_id for leg in legs if leg_of(leg).failed}
        taken = {
            (leg.peer_id, item.resource_id, line.starts): line.kw
            for leg in legs
            if leg.peer_id not in out
            for item in read_items(leg)
            for line in item.lines
        }
        left = [
            changed(lot, available_kw=lot.available_kw - taken.get((lot.peer_id, lot.resource_id, lot.starts), ZERO))
            for lot in self._lots(found, order)
            if lot.peer_id not in out
        ]
        able = [lot for lot in left if lot.available_kw > 0 and lot.available_kw >= lot.minimum_kw]
        whole = choosing.replace(able, missing, changed(order.wanted, partial=False))
        return whole if whole or not order.wanted.partial else choosing.replace(able, missing, order.wanted)

    def _listings(self, purchase: Purchase) -> Listings:
        """What the catalogs that came in time offer."""
        return listings_seen(self._tools, purchase, self._own.discovery_id)

    def _lots(self, found: Listings, order: Order) -> list[Lot]:
        """Lots that can still be bought: valid, far enough ahead, at a place that is wanted."""
        now = self._tools.clock.now()
        return [
            lot
            for listing in found.values()
            if (listing.valid_until is None or listing.valid_until > now) and order.takes(listing.window.shown.place)
            for lot in listing.lots()
            if lot.starts >= now + listing.window.shown.notice and lot.starts > now
        ]

    def _ended(self, work: Work, purchase: Purchase, state: PurchaseState, why: str | None) -> Purchase:
        logger.info("a purchase of compute windows ends {}{}", state.value, f": {why}" if why else "")
        return self._saved(work, changed(purchase, state=state, deadline=None, reason=why))

    def _saved(self, work: Work, purchase: Purchase) -> Purchase:
        return work.save_purchase(changed(purchase, updated_at=self._tools.clock.now()))


def _kw_slots(leg: Contract) -> Decimal:
    return sum((line.kw for item in read_items(leg) for line in item.lines), ZERO)


def _binding(legs: Sequence[Contract], why: str | None) -> str | None:
    """The reason, and which contracts are in force although they were to be given back."""
    still = [leg.peer_id for leg in legs if leg.state is ContractState.ACTIVE and leg_of(leg).failed]
    told = f"still bound to {', '.join(still)}"
    return "; ".join(filter(None, (why, told))) if still and told not in (why or "") else why
