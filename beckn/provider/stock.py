"""What there is to sell just now, at what price, and holding it so that it is sold once.

Prices are those of the plan in force: a window costs its energy and what its headroom is worth to jobs; a turn-down
costs the difference of two certified plans. Both bear the operator's margin.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal

import numpy as np

from agents.flexibility.firm import Wanted
from agents.flexibility.movable import MovableLoad
from agents.sold import Sold
from agents.standing import StandingPlan
from beckn.catalogue import Goods, Shelf, ShelfSite
from beckn.headroom import Headroom, owed_kw
from beckn.identity import SellingTerms
from beckn.models import Certificate
from beckn.packs.contracts import offer_id_of
from beckn.planner import FlexiblePlanner, Sites
from beckn.protocol.faults import Fault
from beckn.provider.holding import at_the_price_of, reduction_of, thousandths
from beckn.provider.items import ZERO, Asked, Item, Line, earliest, total_of
from core.clock import Clock
from core.errors import Unavailable
from core.ledger import Booking
from core.series import FloatArray, Kind
from core.site import Site
from core.slots import SLOT, SLOT_HOURS, slots_between
from core.trade import Contract, Product, Reduction

MILLI = Decimal("0.001")
PRICE = Decimal("0.00001")
TOLERANCE_KW = 1e-6
_PLANNING = "Ask again: the plan is being made anew around what was just sold."


@dataclass(frozen=True, slots=True)
class _Now:
    """What is on sale at one instant, as arrays over sites and slots."""

    plan: StandingPlan
    movable: MovableLoad | None
    certificate: Certificate
    free_kw: FloatArray
    movable_kw: FloatArray
    window_price: FloatArray
    moving_price: FloatArray

    @property
    def tick_id(self) -> str:
        """Of the plan."""
        return self.certificate.tick_id

    def row(self, site_id: str) -> int | None:
        """Of a site of the plan."""
        return self.plan.site_ids.index(site_id) if site_id in self.plan.site_ids else None


@dataclass(frozen=True, slots=True)
class Mark:
    """By what two shelves are told apart; ``movable`` is held, so that nothing else gets its id."""

    tick_id: str | None
    movable: MovableLoad | None = field(compare=False, repr=False)
    movable_id: int
    begun: int
    soon: int
    bookings: tuple[Booking, ...]
    reductions: tuple[Reduction, ...]
    sites: tuple[Site, ...]


class Stock:
    """What is for sale.

    :param planner: holds are made under its ``plan_lock``.
    """

    def __init__(
        self,
        planner: FlexiblePlanner,
        sites: Sites,
        sold: Sold,
        clock: Clock,
        terms: SellingTerms,
    ) -> None:
        self._planner = planner
        self._sites = sites
        self._sold = sold
        self._clock = clock
        self._terms = terms

    def shelf(self) -> Shelf:
        """Everything that is for sale, for the catalogue."""
        now, at = self._now(turning=True), self._clock.now()
        plan, sites = now.plan, {site.site_id: site for site in self._sites.sites()}
        rows = [row for row, site_id in enumerate(plan.site_ids) if site_id in sites]
        penalty = np.full((len(rows), plan.slots), self._terms.penalty_per_kwh)
        kinds = np.maximum(plan.price_kind, plan.carbon_kind)[rows]
        movable = now.movable
        carbon_kg = np.nan_to_num(movable.carbon_kg_per_kwh) if movable is not None else np.zeros_like(now.free_kw)
        confidence = movable.confidence if movable is not None else np.zeros_like(now.free_kw)
        return Shelf(
            start=plan.start,
            sites=[ShelfSite.of(sites[plan.site_ids[row]]) for row in rows],
            goods={
                Product.COMPUTE_WINDOW: Goods(now.free_kw[rows], now.window_price[rows], penalty, kinds),
                Product.TURN_DOWN: Goods(now.movable_kw[rows], now.moving_price[rows], penalty, kinds),
            },
            carbon=plan.carbon[rows],
            carbon_kinds=plan.carbon_kind[rows],
            confidence=confidence[rows],
            certificate=now.certificate,
            valid_until=at + self._terms.hold,
            notice=self._terms.notice,
            longest=SLOT * plan.slots,
            avoided_kg=(-carbon_kg * now.movable_kw * SLOT_HOURS)[rows],
        )

    @property
    def tick_id(self) -> str | None:
        """The plan that the shelf is made of; None before the first."""
        tick = self._planner.standing().tick
        return None if tick is None else tick.tick_id

    def mark(self) -> Mark:
        """What the shelf is made of now: while it is the same the shelf is, but for how long its prices hold."""
        plan, movable, now = self._planner.standing(), self._planner.movable(), self._clock.now()
        bookings, reductions = self._sold.within(plan.start, plan.slots)
        return Mark(
            tick_id=None if plan.tick is None else plan.tick.tick_id,
            movable=movable,
            movable_id=id(movable),
            begun=int((now - plan.start) // SLOT),
            soon=int((now + self._terms.notice - plan.start) // SLOT),
            bookings=tuple(bookings),
            reductions=tuple(reductions),
            sites=tuple(self._sites.sites()),
        )

    def quote(self, asked: Sequence[Asked]) -> tuple[Item, ...]:
        """What can be had of what is asked, and at which price; less than was asked where there is not enough.

        A turn-down is priced by plans made for it: this takes seconds, and must not be called with the plan's lock.

        :raises Fault: ``BIZ_ITEM_NOT_FOUND``, ``BIZ_FULFILLMENT_UNAVAILABLE``, ``BIZ_QUANTITY_UNAVAILABLE``.
        :raises Unavailable: nothing is planned yet.
        """
        now = self._now(turning=any(one.product is Product.TURN_DOWN for one in asked))
        items = tuple(self._item(now, one) for one in asked)
        turned = [item for item in items if item.product is Product.TURN_DOWN and item.wanted]
        if turned:
            items = self._firmly(items, now)
        if not any(item.wanted for item in items):
            raise Fault("BIZ_QUANTITY_UNAVAILABLE", "nothing of what is asked for is free in those half-hours")
        return items

    def renewed(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """What was quoted, at the plan in force now and for no more than it was quoted.

        :raises Fault: ``BIZ_QUOTE_EXPIRED_OR_CHANGED``, where the present plan makes it dearer or has less of it.
        """
        tick = self._planner.standing().tick
        if tick is not None and all(item.tick_id == tick.tick_id for item in items):
            return items
        asked = [
            Asked(item.commitment_id, item.product, item.site_id, item.starts, tuple(line.kw for line in item.lines))
            for item in items
        ]
        renewed = self.quote(asked)
        for old, new in zip(items, renewed, strict=True):
            if any(a.kw != b.kw for a, b in zip(old.lines, new.lines, strict=True)):
                raise Fault("BIZ_QUOTE_EXPIRED_OR_CHANGED", "a new plan has less of it: select again")
        if total_of(renewed) > total_of(items):
            raise Fault("BIZ_QUOTE_EXPIRED_OR_CHANGED", "a new plan makes it dearer: select again")
        return tuple(at_the_price_of(old, new) for old, new in zip(items, renewed, strict=True))

    def require_notice(self, items: Sequence[Item]) -> None:
        """:class:`Fault` ``BIZ_FULFILLMENT_UNAVAILABLE`` where what is promised begins too soon."""
        if earliest(items) < self._clock.now() + self._terms.notice:
            raise Fault(
                "BIZ_FULFILLMENT_UNAVAILABLE",
                f"what begins at {earliest(items):%Y-%m-%dT%H:%MZ} has to be agreed "
                f"{self._terms.notice.total_seconds() / 60:.0f} minutes before",
            )

    def holds(
        self, items: Sequence[Item], contract_id: str, until: datetime | None
    ) -> tuple[list[Booking], list[Reduction]]:
        """The rows that keep what ``items`` promise; the caller has the plan's lock and stores them under it.

        :param until: None for what is confirmed at once.
        :raises Fault: ``BIZ_QUANTITY_UNAVAILABLE``, where it is no longer free.
        :raises Unavailable: the plan does not yet know what was sold a moment ago.
        """
        now = self._now(turning=False)
        reductions: list[Reduction] = []
        bookings: list[Booking] = []
        for item in items:
            if item.product is Product.TURN_DOWN:
                if item.tick_id != now.tick_id:
                    raise Unavailable("the plan changed while the reduction was priced", remedy=_PLANNING)
                reductions += [reduction_of(contract_id, item, line, until) for line in item.wanted]
            else:
                self._require_free(now, item)
                bookings += [self._booking(contract_id, item, line, until) for line in item.wanted]
        self._require_planned(now)
        return bookings, reductions

    def require_plan(self, tick_id: str | None) -> None:
        """:class:`Unavailable` where another plan is in force than the one that was reckoned with."""
        tick = self._planner.standing().tick
        if tick_id is not None and (tick is None or tick.tick_id != tick_id):
            raise Unavailable("the plan changed meanwhile", remedy=_PLANNING)

    def planned_kw(self, site_id: str, starts: datetime) -> float:
        """What jobs draw at the meter of a site in a half-hour, in the plan in force."""
        plan = self._planner.standing()
        column = slots_between(plan.start, starts)
        if site_id not in plan.site_ids or not 0 <= column < plan.slots:
            return 0.0
        return float(plan.planned_kw[plan.site_ids.index(site_id), column])

    def keeps(self, contract: Contract) -> bool:
        """Whether a contract holds anything."""
        bookings, reductions = self._sold.within(contract.starts, slots_between(contract.starts, contract.ends))
        holders = {booking.contract_id for booking in bookings} | {reduction.contract_id for reduction in reductions}
        return contract.contract_id in holders

    def _require_free(self, now: _Now, item: Item) -> None:
        row = now.row(item.site_id)
        for line in item.wanted:
            column = slots_between(now.plan.start, line.starts)
            free = 0.0 if row is None or not 0 <= column < now.plan.slots else float(now.free_kw[row, column])
            if float(line.kw) > free + TOLERANCE_KW:
                raise Fault(
                    "BIZ_QUANTITY_UNAVAILABLE",
                    f"{item.site_id} has {free:.0f} kW free at {line.starts:%Y-%m-%dT%H:%MZ}, not {line.kw} kW",
                )

    def _require_planned(self, now: _Now) -> None:
        """Refuse, for the moment, while load that was sold away is still where it was planned: it needs room yet."""
        for row, column, owed in owed_kw(now.plan, self._sold.within(now.plan.start, now.plan.slots)[1]):
            if owed > TOLERANCE_KW:
                where = f"{now.plan.site_ids[row]} at {now.plan.start + SLOT * column:%Y-%m-%dT%H:%MZ}"
                raise Unavailable(f"the plan still has load that was sold away from {where}", remedy=_PLANNING)

    def _now(self, *, turning: bool) -> _Now:
        """What is on sale; turn-downs only where they are asked for, and then not under the plan's lock."""
        plan, movable = self._planner.standing(), self._planner.movable() if turning else None
        if plan.tick is None:
            raise Unavailable("no plan is in force yet", remedy="Ask again after the first tick.")
        now = self._clock.now()
        bookings, reductions = self._sold.within(plan.start, plan.slots)
        free = Headroom.of(plan, bookings, reductions, now).free_kw
        soon = np.arange(plan.slots) < (now + self._terms.notice - plan.start) / SLOT
        worth = plan.price + plan.prices_gbp_per_kw_slot / SLOT_HOURS
        known = movable is not None and movable.tick_id == plan.tick.tick_id
        moving = movable.movable_kw.copy() if known and movable is not None else np.zeros_like(free)
        for row, column, owed in owed_kw(plan, reductions):
            moving[row, column] = max(0.0, moving[row, column] - owed)
        cost = movable.price_gbp_per_kwh if known and movable is not None else np.full_like(free, np.nan)
        return _Now(
            plan=plan,
            movable=movable if known else None,
            certificate=Certificate.of(plan.tick),
            free_kw=np.where(soon, 0.0, free),
            movable_kw=np.where(soon, 0.0, moving),
            window_price=worth + self._terms.margin * np.abs(worth),
            moving_price=cost * (1 + self._terms.margin),
        )

    def _item(self, now: _Now, asked: Asked) -> Item:
        """What can be had of one commitment; of a turn-down at the price for single half-hours, until it is firm."""
        row = now.row(asked.site_id)
        first = slots_between(now.plan.start, asked.starts)
        if row is None:
            raise Fault("BIZ_ITEM_NOT_FOUND", f"there is no site {asked.site_id[:63]!r} on sale")
        if first < 0 or first + len(asked.kw) > now.plan.slots:
            raise Fault("BIZ_FULFILLMENT_UNAVAILABLE", "those half-hours are not within what is on sale")
        turned = asked.product is Product.TURN_DOWN
        most = now.movable_kw if turned else now.free_kw
        price = now.moving_price if turned else now.window_price
        lines = []
        for number, wanted in enumerate(asked.kw):
            cell = row, first + number
            free = Decimal(str(float(most[cell]))).quantize(MILLI, ROUND_DOWN)
            sold = bool(np.isfinite(price[cell])) and free > 0
            known = bool(np.isfinite(now.plan.carbon[cell]))
            lines.append(
                Line(
                    starts=asked.starts + SLOT * number,
                    kw=min(wanted, free) if sold else ZERO,
                    price=Decimal(str(float(price[cell]))).quantize(PRICE) if sold else ZERO,
                    penalty=Decimal(str(self._terms.penalty_per_kwh)).quantize(PRICE),
                    baseline_kw=thousandths(float(now.plan.planned_kw[cell])) if turned else None,
                    carbon_g_per_kwh=thousandths(float(now.plan.carbon[cell])) if known else None,
                    carbon_kind=Kind(int(now.plan.carbon_kind[cell])).label if known else None,
                    kinds=_kinds(now.plan, cell),
                )
            )
        resource_id = f"{asked.product.value}.{asked.site_id}"
        offer_id = offer_id_of(now.tick_id, resource_id)
        return Item(asked.commitment_id, asked.product, asked.site_id, offer_id, now.tick_id, tuple(lines))

    def _firmly(self, items: tuple[Item, ...], now: _Now) -> tuple[Item, ...]:
        """Turn-downs at the price of two plans, one price for all their half-hours."""
        wanted = [
            Wanted(item.site_id, line.starts, float(line.kw))
            for item in items
            if item.product is Product.TURN_DOWN
            for line in item.wanted
        ]
        firm = self._planner.firm(wanted)
        if firm.tick_id != now.tick_id:
            raise Unavailable("the plan changed while the reduction was priced", remedy=_PLANNING)
        if not firm.promises:
            raise Fault("BIZ_QUANTITY_UNAVAILABLE", f"that load cannot be moved: {firm.reason}")
        cost = Decimal(str(max(0.0, firm.cost_gbp) * (1 + self._terms.margin) / firm.energy_kwh))
        price = cost.quantize(PRICE, ROUND_UP)
        promised = {(promise.site_id, promise.starts): promise for promise in firm.promises}

        def line_of(item: Item, line: Line) -> Line:
            promise = promised.get((item.site_id, line.starts))
            if promise is None:
                return replace(line, kw=ZERO, price=price)
            kw = Decimal(str(promise.reduction_kw)).quantize(MILLI, ROUND_DOWN)
            return replace(line, kw=kw, price=price, baseline_kw=thousandths(promise.baseline_kw))

        return tuple(
            replace(item, lines=tuple(line_of(item, line) for line in item.lines))
            if item.product is Product.TURN_DOWN
            else item
            for item in items
        )

    def _booking(self, contract_id: str, item: Item, line: Line, until: datetime | None) -> Booking:
        return Booking(
            booking_id=str(uuid.uuid4()),
            slot_id=f"{item.site_id}.{line.starts:%Y%m%dT%H%MZ}~{contract_id}.{item.commitment_id}"[:120],
            job_id=contract_id,
            site_id=item.site_id,
            start=line.starts,
            end=line.starts + SLOT,
            power_kw=float(line.kw),
            price_gbp_per_kwh=float(line.price),
            carbon_g_per_kwh=float(line.carbon_g_per_kwh or 0),
            state="held" if until is not None else "confirmed",
            created_at=self._clock.now(),
            held_until=until,
            contract_id=contract_id,
        )


def _kinds(plan: StandingPlan, cell: tuple[int, int]) -> tuple[str, ...]:
    return tuple(sorted({Kind(int(codes[cell])).label for codes in (plan.price_kind, plan.carbon_kind)}))
