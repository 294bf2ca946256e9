"""Answers to needs on their way: select, initialise, hold the load, record, confirm; then keep or give back.

The load is held in the same step that sends the confirmation, under the plan's lock and only where the plan and what is
sold of it are those that the price was made of. Where they are not, the price is made anew before the lock is taken.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from loguru import logger

from agents.flexibility.firm import Promise
from beckn.consumer.legs import (
    ZERO,
    Item,
    Leg,
    Line,
    Step,
    Tools,
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
from beckn.consumer.needs import CURRENCY, Answer, Passed, answer_need
from beckn.consumer.records import record
from beckn.packs.contracts import commitment, contract
from beckn.packs.demand_flex import (
    PAY_AS_CLEAR,
    Need,
    answered_offer,
    bid_series,
    offered_series,
    read_need,
    read_needs,
    read_series,
)
from beckn.packs.grid import read_grid, require_columns
from beckn.planner import FlexiblePlanner
from beckn.protocol.faults import Fault
from core.errors import Conflict
from core.purchases import NeedState, SeenNeed
from core.slots import SLOT, format_utc
from core.trade import Contract, ContractState, Hold, Product, Reduction, Side
from store.reductions import ReductionRepository
from store.trading import Work


@dataclass(frozen=True, slots=True)
class AnswerTerms:
    """What the operator has set for answers.

    :param margin: share added to what it costs us. :param hold: how long load is kept for a confirmation under way.
    :param serving: ids of our sites that can serve a need. :param meters: ids of the meters of sites.
    """

    margin: float
    hold: timedelta
    serving: Callable[[Need], Collection[str]]
    meters: Callable[[Collection[str]], Sequence[str]]


def need_id_of(peer_id: str, need: Need) -> str:
    """The one id of a need: whose it is, and which resource of which offer."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{peer_id}|{need.offer_id}|{need.resource_id}"))


def need_of(seen: SeenNeed) -> Need:
    """A need as its catalog told it last."""
    return read_need(seen.document["resource"], seen.document["offer"], "$.resource", "$.offer")


class NeedAnswers:
    """Drives answers; see :class:`beckn.consumer.callbacks.Answers` for who calls."""

    def __init__(
        self, tools: Tools, planner: FlexiblePlanner, reductions: ReductionRepository, terms: AnswerTerms
    ) -> None:
        self._tools = tools
        self._planner = planner
        self._reductions = reductions
        self._terms = terms
        self._own = tools.letters.own
        self._fresh: dict[str, tuple[Answer | Passed, tuple[Reduction, ...]]] = {}
        self._guard = threading.Lock()

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The plan's."""
        return self._planner.plan_lock

    def seen(self, work: Work, catalog: Mapping[str, Any], peer_id: str, uri: str) -> None:
        """Keep the needs of a catalog; those that are answered stay as they are."""
        try:
            needs, faults = read_needs(catalog, "$.message.catalogs")
        except Fault as fault:
            needs, faults = [], [fault]
        for each in faults:
            logger.warning("a need of {} cannot be read: {} {}", peer_id, each.path or "", each)
        for need in needs:
            need_id = need_id_of(peer_id, need)
            known = work.need(need_id)
            if known is not None and known.state is NeedState.ANSWERED:
                continue
            work.save_need(
                SeenNeed(
                    need_id=need_id,
                    peer_id=peer_id,
                    peer_uri=uri,
                    seen_at=self._tools.clock.now(),
                    ends=need.grid.end,
                    state=NeedState.OPEN,
                    document={"resource": dict(need.resource), "offer": dict(need.offer)},
                    version=0 if known is None else known.version,
                )
            )

    def begin(self, need_id: str) -> SeenNeed:
        """Answer a need, or pass it over for a reason that is kept; :class:`Conflict` where it is answered already."""
        seen = self._tools.purchases.need(need_id)
        if seen.state is NeedState.ANSWERED:
            raise Conflict("this need is answered", remedy="Look at its contract.")
        need = need_of(seen)
        offer = self._offer(need)
        with self._tools.trading.work() as work:
            known = work.need(need_id)
            if known is None or known.state is NeedState.ANSWERED or known.version != seen.version:
                raise Conflict("this need was changed meanwhile", remedy="Look at it again.")
            if isinstance(offer, Passed):
                return work.save_need(changed(known, state=NeedState.PASSED, reason=offer.reason))
            draft = self._draft(seen, need, offer)
            stored = work.save(with_leg(draft, Leg(Step.SELECTING)))
            ask(work, self._tools, stored, "select", {"contract": wire_of(stored)})
            return work.save_need(changed(known, state=NeedState.ANSWERED, reason=None, contract_id=stored.contract_id))

    def prepare(self, leg: Contract) -> None:
        """Make the price of an answer anew; what is sold is looked at before, so that a sale meanwhile shows."""
        sold = tuple(self._reductions.active(leg.starts, leg.ends))
        found = self._offer(need_of(self._tools.purchases.need(leg.document["need_id"])))
        with self._guard:
            self._fresh[leg.contract_id] = found, sold

    def answered(self, work: Work, leg: Contract, answer: Mapping[str, Any]) -> Contract:
        """To select: initialise. To init: hold the load and confirm, where the price still holds."""
        fault = _changed_terms(leg, answer)
        if fault is not None:
            return self.failed(work, leg, fault, held=True)
        wire = {**wire_of(leg), **({"id": answer["id"]} if answer.get("id") else {})}
        told = with_leg(leg, leg_of(leg), contract=wire)
        if leg_of(leg).step is Step.SELECTING:
            return ask(work, self._tools, told, "init", {"contract": wire_of(told)})
        with self._guard:
            fresh, sold = self._fresh.pop(leg.contract_id, (Passed("its price was not made"), ()))
        why = self._stands(leg, fresh, sold)
        if why is not None or isinstance(fresh, Passed):
            return self.failed(work, leg, why or "", held=True)
        return self._confirm(work, told, fresh)

    def _stands(self, leg: Contract, fresh: Answer | Passed, sold: Sequence[Reduction]) -> str | None:
        """Why what was offered cannot be held; None where it can. Needs the plan's lock."""
        if isinstance(fresh, Passed):
            return f"it no longer pays: {fresh.reason}"
        tick = self._planner.standing().tick
        if tick is None or tick.tick_id != fresh.tick_id:
            return "the plan changed while its price was made"
        if sold != tuple(self._reductions.active(leg.starts, leg.ends)):
            return "load was sold to another while its price was made"
        offered = [line.kw for line in read_items(leg)[0].lines]
        if any(now < then for now, then in zip(fresh.kw, offered, strict=True)):
            return "less can be moved than was offered"
        return None

    def _confirm(self, work: Work, leg: Contract, fresh: Answer) -> Contract:
        """Hold, record, send."""
        until = self._tools.clock.now() + max(self._terms.hold, 2 * self._tools.waits.answer)
        offered = {line.starts: line.kw for line in read_items(leg)[0].lines}
        held = [_scaled(each, offered.get(each.starts, ZERO), fresh) for each in fresh.reductions]
        rows = [
            Reduction(leg.contract_id, each.site_id, each.starts, each.baseline_kw, each.reduction_kw, Hold.HELD, until)
            for each in held
            if each.reduction_kw > 0
        ]
        work.hold_reductions(rows)
        kept = with_leg(leg, leg_of(leg), reductions=[_row(row) for row in rows], tick_id=fresh.tick_id)
        seq = record(self._tools.log, kept, "confirmed", ContractState.DRAFT, "confirmation sent")
        return ask(work, self._tools, changed(kept, log_seq=seq), "confirm", {"contract": wire_of(kept)})

    def confirmed(self, work: Work, leg: Contract, answer: Mapping[str, Any]) -> Contract:
        """The buyer says that the contract is active: what is held is promised."""
        code = (answer.get("status") or {}).get("code")
        if code != ContractState.ACTIVE.value:
            return self.failed(work, leg, f"the buyer answered the confirmation with {code}", held=True)
        rows = [_reduction(leg.contract_id, told, Hold.COMMITTED) for told in leg.document["reductions"]]
        work.replace_reductions(leg.contract_id, rows)
        wire = {**wire_of(leg), "status": {"code": code}}
        told = with_leg(changed(leg, state=ContractState.ACTIVE), leg_of(leg), contract=wire)
        return self.cleared(work, keep(work, self._tools, told, Step.ACTIVE), answer)

    def cleared(self, work: Work, leg: Contract, answer: Mapping[str, Any]) -> Contract:
        """Where a bid was cleared, keep what was cleared and give back the rest, once; until then all of it is kept."""
        if leg.document["policy"] != PAY_AS_CLEAR.query_path or leg.document.get("cleared"):
            return leg
        need = need_of(self._tools.purchases.need(leg.document["need_id"]))
        grid = _cleared(answer, need)
        if grid is None:
            return leg
        item = read_items(leg)[0]
        lines = tuple(
            changed(line, kw=min(line.kw, kw), price=price) for line, (kw, price) in zip(item.lines, grid, strict=True)
        )
        if any(kw > line.kw for line, (kw, _) in zip(item.lines, grid, strict=True)):
            logger.warning("{} cleared more than was bid; what was bid is kept", leg.peer_id)
        share = {
            line.starts: Decimal(0) if line.kw <= 0 else new.kw / line.kw
            for line, new in zip(item.lines, lines, strict=True)
        }
        rows = [_reduction(leg.contract_id, told, Hold.COMMITTED) for told in leg.document["reductions"]]
        less = [changed(row, reduction_kw=row.reduction_kw * float(share[row.starts])) for row in rows]
        work.replace_reductions(leg.contract_id, [row for row in less if row.reduction_kw > 0])
        items = write_items([changed(item, lines=lines)])
        return work.save(with_leg(leg, leg_of(leg), items=items, cleared=True))

    def cancelled(self, work: Work, leg: Contract, why: str) -> Contract:
        """The contract is over: what is kept for it is given back."""
        if leg.state is ContractState.ACTIVE:
            record(self._tools.log, leg, "cancelled", ContractState.CANCELLED, why)
        work.settle_reductions(leg.contract_id, Hold.RELEASED)
        failed = leg_of(leg).failed or why
        return keep(work, self._tools, changed(leg, state=ContractState.CANCELLED), Step.ENDED, failed=failed)

    def failed(self, work: Work, leg: Contract, why: str, *, held: bool) -> Contract:
        """An answer comes to nothing. The load stays held only while the buyer may still take it as promised.

        A buyer that refuses to cancel what was confirmed to it takes it so.
        """
        logger.warning("an answer to a need of {} fails: {}", leg.peer_id, why)
        step, told = leg_of(leg).step, with_leg(leg, changed(leg_of(leg), failed=why))
        refused = leg.log_seq is not None and not held
        if step is Step.CANCELLING and (refused or leg.state is ContractState.ACTIVE):
            rows = [_reduction(leg.contract_id, row, Hold.COMMITTED) for row in leg.document["reductions"]]
            work.replace_reductions(leg.contract_id, rows)
            return keep(work, self._tools, changed(told, state=ContractState.ACTIVE), Step.ACTIVE)
        if step is Step.ACTIVE or (held and step in {Step.INITIALISING, Step.CONFIRMING}):
            return ask(work, self._tools, told, "cancel", cancel_message(told))
        work.settle_reductions(leg.contract_id, Hold.RELEASED)
        return keep(work, self._tools, told, Step.ENDED)

    def timed(self, work: Work, leg: Contract) -> Contract:
        """An answer whose request was not answered in time fails."""
        told, now = leg_of(leg), self._tools.clock.now()
        if not told.overdue(now):
            return leg
        return self.failed(work, leg, f"no {told.step.awaits} came by {format_utc(now)}", held=True)

    def _offer(self, need: Need) -> Answer | Passed:
        now, sites = self._tools.clock.now(), self._terms.serving(need)
        return answer_need(need, self._planner, sites, self._terms.margin, now)

    def _draft(self, seen: SeenNeed, need: Need, offer: Answer) -> Contract:
        """The contract as it is asked for: the buyer's need and offer, our part filled in."""
        now, contract_id = self._tools.clock.now(), str(uuid.uuid4())
        item = _item(need, offer)
        sites = sorted({each.site_id for each in offer.reductions})
        terms = dict(need.offer["offerAttributes"]["contractAttributes"])
        terms["roles"] = [
            {**each, "participantId": self._own.subscriber_id} if each.get("role") == "seller" else each
            for each in terms.get("roles") or ()
            if isinstance(each, Mapping)
        ]
        if offer.curves is None:
            series = offered_series(need.grid, offer.kw, need.resource["resourceAttributes"]["intervalPeriod"])
        else:
            series = bid_series(need, offer.curves)
        given = answered_offer(need, self._own.subscriber_id, self._terms.meters(sites))
        promised = commitment(item.commitment_id, ContractState.DRAFT, need.resource, item.most_kw, given, series)
        parties = [need.buyer_id, self._own.subscriber_id]
        starts, ends = span([item])
        return Contract(
            contract_id=contract_id,
            side=Side.CONSUMER,
            product=Product.TURN_DOWN,
            transaction_id=str(uuid.uuid4()),
            peer_id=seen.peer_id,
            peer_uri=seen.peer_uri,
            state=ContractState.DRAFT,
            starts=starts,
            ends=ends,
            created_at=now,
            updated_at=now,
            document={
                "need_id": seen.need_id,
                "policy": need.policy.query_path,
                "currency": CURRENCY,
                "tick_id": offer.tick_id,
                "unit_gbp_per_kwh": str(round(Decimal(str(offer.unit_gbp)), 6)),
                "items": write_items([item]),
                "reductions": [],
                "contract": contract(contract_id, ContractState.DRAFT, [promised], parties, terms),
            },
        )


def _item(need: Need, offer: Answer) -> Item:
    """What is promised, half-hour by half-hour; a bid is written at its highest price until it is cleared."""
    baseline: dict[datetime, float] = {}
    for each in offer.reductions:
        baseline[each.starts] = baseline.get(each.starts, 0.0) + each.baseline_kw
    columns = need.grid.columns
    lines = []
    for i, kw in enumerate(offer.kw):
        at = need.grid.start + SLOT * i
        bid = None if offer.curves is None else max(price for price, _ in offer.curves[i])
        price = need.grid.figures("PRICE")[i] if bid is None else bid
        penalty = need.grid.figures("SHORTFALL_PENALTY")[i] if "SHORTFALL_PENALTY" in columns else ZERO
        base = Decimal(str(baseline[at])) if at in baseline else None
        lines.append(Line(at, kw, price or ZERO, penalty or ZERO, baseline_kw=base))
    return Item(
        commitment_id=str(uuid.uuid4()),
        product=Product.TURN_DOWN.value,
        site_id=",".join(sorted({each.site_id for each in offer.reductions})),
        resource_id=need.resource_id,
        offer_id=need.offer_id,
        lines=tuple(lines),
    )


def _scaled(each: Promise, offered: Decimal, fresh: Answer) -> Promise:
    """A reduction of a fresh price, brought down to what was offered in its half-hour."""
    total = sum(other.reduction_kw for other in fresh.reductions if other.starts == each.starts)
    share = min(1.0, float(offered) / total) if total > 0 else 0.0
    return changed(each, reduction_kw=each.reduction_kw * share)


def _row(row: Reduction) -> dict[str, Any]:
    return {
        "site_id": row.site_id,
        "start": format_utc(row.starts),
        "baseline_kw": row.baseline_kw,
        "reduction_kw": row.reduction_kw,
    }


def _reduction(contract_id: str, told: Mapping[str, Any], state: Hold) -> Reduction:
    starts = datetime.fromisoformat(told["start"])
    return Reduction(contract_id, told["site_id"], starts, told["baseline_kw"], told["reduction_kw"], state)


def _changed_terms(leg: Contract, answer: Mapping[str, Any]) -> str | None:
    """What a buyer's answer changes to our loss; None where nothing. Terms that it leaves out are those of its need."""
    for each in answer.get("commitments") or ():
        for resource in each.get("resources") or ():
            attributes = resource.get("resourceAttributes")
            if attributes is None or resource.get("id") != read_items(leg)[0].resource_id:
                continue
            try:
                grid = read_grid(attributes, "$.message.contract.commitments")
                if leg.document["policy"] != PAY_AS_CLEAR.query_path:
                    require_columns(grid, ("PRICE", "SHORTFALL_PENALTY"), "$.message.contract.commitments")
            except Fault as fault:
                return f"{fault.code}: {fault}"
            if leg.document["policy"] != PAY_AS_CLEAR.query_path:
                told = zip(grid.figures("PRICE"), grid.figures("SHORTFALL_PENALTY"), strict=True)
                ours = [(line.price, line.penalty) for line in read_items(leg)[0].lines]
                if len(ours) != len(grid) or any(
                    (price or ZERO) < was[0] or (penalty or ZERO) > was[1]
                    for (price, penalty), was in zip(told, ours, strict=True)
                ):
                    return "the buyer changed the prices of its need"
    return None


def _cleared(answer: Mapping[str, Any], need: Need) -> list[tuple[Decimal, Decimal]] | None:
    """kW and price that were cleared, per half-hour; None where the buyer does not say yet."""
    for each in answer.get("commitments") or ():
        try:
            grid = read_series(each.get("commitmentAttributes"), need.grid, "$.message.contract.commitments")
        except Fault:
            continue
        if {"CAPACITY_CLEARED", "CLEARING_PRICE"} <= grid.columns.keys():
            told = zip(grid.figures("CAPACITY_CLEARED"), grid.figures("CLEARING_PRICE"), strict=True)
            return [(kw or ZERO, price or ZERO) for kw, price in told]
    return None
