"""Grid events that a provider announces about what was bought of it, and our answer: shift, or continue as bought.

No plan of ours counts what is bought elsewhere, so nothing of ours can pause for it. What our own plan can do is take
the load in: where it leaves room in the same half-hours, at no more than the contract's price for them, the answer is
to shift, and that room is booked. Otherwise the load stays, and the answer says why. An event is answered once, and
load that one event has shifted is not there for the next.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
from loguru import logger

from agents.sold import Sold
from agents.standing import StandingPlan
from beckn.consumer.legs import ZERO, Item, Line, Tools, leg_of, read_items, wire_of, with_leg
from beckn.consumer.records import record
from beckn.headroom import Headroom
from beckn.packs.alert import ALERT_KIND, Alert, Answered, read_alert
from beckn.packs.settlement import HOURS, PENNY
from beckn.planner import Planner
from beckn.protocol.faults import Fault
from core.ledger import Booking
from core.series import FloatArray
from core.slots import SLOT, SLOT_HOURS, format_utc, slots_between
from core.trade import Contract, Message, Product
from store.trading import Work

OLD_NAME = "gridEventAlert"
"""the event as the dialect of 2025 tells it, wherever it stands; it has no half-hours"""
TAKEN = "taken"
"""outcome of an answer that the provider took"""
_MILLI = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Room:
    """What our plan leaves free at a site of ours in one half-hour, taken for load that comes from elsewhere.

    :param price: per kWh, of energy and headroom. :param carbon: g/kWh.
    """

    site_id: str
    starts: datetime
    kw: Decimal
    price: Decimal
    carbon: Decimal


@dataclass(frozen=True, slots=True)
class Course:
    """What is answered, and the room of ours that is booked for it."""

    answered: Answered
    rooms: tuple[Room, ...] = ()


def announced(wire: Mapping[str, Any], items: Sequence[Item]) -> Alert | None:
    """The event of the grid that a contract tells; None where it tells none.

    :raises Fault: ``SCH_``, it tells one that cannot be read.
    """
    found = read_alert(wire.get("performance"), "$.message.contract.performance")
    told = None if found is not None else _named(wire)
    if told is None:
        return found
    texts = [told.get(name) for name in ("eventId", "eventType", "severity")]
    if not isinstance(texts[0], str) or not 0 < len(texts[0]) <= 120:
        raise Fault("SCH_REQUIRED_FIELD_MISSING", "a grid event is told without an eventId")
    kind, severity = (each[:120] if isinstance(each, str) else "" for each in texts[1:])
    item = items[0]
    return Alert(texts[0], kind, severity, item.site_id, item.lines[0].starts, (ZERO,) * len(item.lines))


def announces(found: Any) -> bool:
    """Whether an event of the grid is told anywhere in a contract."""
    if isinstance(found, Mapping):
        return OLD_NAME in found or found.get("@type") == ALERT_KIND or any(announces(each) for each in found.values())
    return isinstance(found, list) and any(announces(each) for each in found)


def _named(found: Any) -> Mapping[str, Any] | None:
    """The first event as the dialect of 2025 tells it."""
    if isinstance(found, Mapping):
        if OLD_NAME in found:
            told = found[OLD_NAME]
            return told if isinstance(told, Mapping) else {}
        found = list(found.values())
    if isinstance(found, list):
        return next((told for each in found if (told := _named(each)) is not None), None)
    return None


class GridAlerts:
    """Answers the events of providers; every method that takes a ``work`` is a part of that step."""

    def __init__(self, tools: Tools, planner: Planner, sold: Sold) -> None:
        self._tools = tools
        self._planner = planner
        self._sold = sold

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The plan's; it is taken before a step that may hear of an event."""
        return self._planner.plan_lock

    def heard(self, work: Work, leg: Contract, message: Message, wire: Mapping[str, Any]) -> Contract:
        """Answer the event that a message tells, unless it was answered before. Needs the plan's lock."""
        known = leg.document.get("alerts", [])
        try:
            alert = announced(wire, read_items(leg))
        except Fault as fault:
            logger.warning("a grid event of {} cannot be read: {} {}", leg.peer_id, fault.code, fault)
            reason = f"it cannot be read, so it is not answered: {fault}"[:300]
            if any(each["event_id"] is None and each["reason"] == reason for each in known):
                return leg
            return self._kept(work, leg, _entry(message, reason=reason))
        if alert is None or any(each["event_id"] == alert.event_id for each in known):
            return leg
        course = self._course(leg, alert, message.at)
        return self._answered(work, leg, message, alert, course)

    def settled(self, work: Work, leg: Contract, message_id: str, outcome: str, *, taken: bool) -> Contract | None:
        """What became of an answer of ours, sent as ``message_id``; None where that was none.

        The room that was booked for one that the provider did not take is given back.
        """
        alerts = [dict(each) for each in leg.document.get("alerts", [])]
        mine = next((each for each in alerts if each["message_id"] == message_id), None)
        if mine is None or mine["outcome"] is not None:
            return None if mine is None else leg
        mine["outcome"] = outcome
        if not taken:
            work.release_bookings([each["booking_id"] for each in mine["rooms"]])
        return work.save(with_leg(leg, leg_of(leg), alerts=alerts))

    def _course(self, leg: Contract, alert: Alert, received_at: datetime) -> Course:
        """What is done, by the plan in force and what is sold of it."""
        now, plan = self._tools.clock.now(), self._planner.standing()
        lines = _lines(leg, alert)
        found = _unmoved(leg, alert, lines, now) or _rooms(alert, lines, plan, lambda: self._free_kw(plan, now))
        action, reason, rooms = ("continue", found, ()) if isinstance(found, str) else _weighed(found, lines)
        freed = dict.fromkeys((starts for starts, _ in alert.cells()), ZERO)
        for room in rooms:
            freed[room.starts] += room.kw
        answered = Answered(
            event_id=alert.event_id,
            action=action,
            reason=reason,
            starts=alert.starts,
            freed_kw=tuple(freed.get(alert.starts + SLOT * i, ZERO) for i in range(len(alert.needed_kw))),
            carbon_kg=_carbon_kg(rooms, lines),
            response_seconds=Decimal(str(round((now - received_at).total_seconds(), 3))),
            tick_id=None if plan.tick is None else plan.tick.tick_id,
        )
        return Course(answered, rooms)

    def _free_kw(self, plan: StandingPlan, now: datetime) -> FloatArray:
        """(S, T) what our plan leaves beside what is sold."""
        return Headroom.of(plan, *self._sold.within(plan.start, plan.slots), now).free_kw

    def _answered(self, work: Work, leg: Contract, message: Message, alert: Alert, course: Course) -> Contract:
        """On the log first; then the room is booked, and the answer owed."""
        told, base = course.answered, self._tools.letters.own.url
        detail = f"{alert.event_id}: {told.action}: {told.reason}"
        seq = record(self._tools.log, leg, "alerted", leg.state, detail, about=detail)
        held = [self._booking(leg, room, seq) for room in course.rooms]
        work.hold_bookings(held)
        commitments = [item.commitment_id for item in read_items(leg) if item.site_id == alert.site_id]
        done = told.performed("EVENT_ANSWERED", commitments, base)
        wire = {**wire_of(leg), "performance": [done]}
        delivery = self._tools.letters.request(
            "update", leg.peer_id, leg.peer_uri, {"contract": wire}, transaction_id=leg.transaction_id
        )
        work.send(delivery, leg.contract_id)
        logger.warning("{} announces a grid event about contract {}: {}", leg.peer_id, leg.contract_id, detail)
        kept = _entry(
            message,
            event_id=alert.event_id,
            event_type=alert.event_type,
            severity=alert.severity,
            action=told.action,
            reason=told.reason,
            response_seconds=str(told.response_seconds),
            message_id=delivery.message_id,
            log_seq=seq,
            bought_at=alert.site_id,
            rooms=[_written(*each) for each in zip(course.rooms, held, strict=True)],
        )
        return self._kept(work, leg, kept)

    @staticmethod
    def _kept(work: Work, leg: Contract, entry: Mapping[str, Any]) -> Contract:
        return work.save(with_leg(leg, leg_of(leg), alerts=[*leg.document.get("alerts", []), dict(entry)]))

    def _booking(self, leg: Contract, room: Room, seq: int) -> Booking:
        return Booking(
            booking_id=(booking_id := str(uuid.uuid4())),
            slot_id=f"{room.site_id}.{room.starts:%Y%m%dT%H%MZ}~{booking_id}",
            job_id=leg.contract_id,
            site_id=room.site_id,
            start=room.starts,
            end=room.starts + SLOT,
            power_kw=float(room.kw),
            price_gbp_per_kwh=float(room.price),
            carbon_g_per_kwh=float(room.carbon),
            state="confirmed",
            created_at=self._tools.clock.now(),
            log_seq=seq,
            contract_id=leg.contract_id,
        )


def _lines(leg: Contract, alert: Alert) -> dict[datetime, Line]:
    """What was bought at the site of the event and was not shifted before, by half-hour."""
    lines = [line for item in read_items(leg) if item.site_id == alert.site_id for line in item.lines]
    shifted = _shifted(leg, alert.site_id)
    left = (changed(line, kw=line.kw - shifted.get(line.starts, ZERO)) for line in lines)
    return {line.starts: line for line in left if line.kw > 0}


def _shifted(leg: Contract, site_id: str) -> dict[datetime, Decimal]:
    """What earlier events have shifted from a site, by half-hour, but what the provider did not take."""
    found: dict[datetime, Decimal] = {}
    for each in leg.document.get("alerts", []):
        for room in each["rooms"] if each["outcome"] in {None, TAKEN} and each["bought_at"] == site_id else ():
            starts = datetime.fromisoformat(room["start"])
            found[starts] = found.get(starts, ZERO) + Decimal(room["kw"])
    return found


def _unmoved(leg: Contract, alert: Alert, lines: Mapping[datetime, Line], now: datetime) -> str | None:
    """Why nothing of what was bought can move; None where it can be looked at."""
    if leg.product is not Product.COMPUTE_WINDOW:
        return "what was promised is kept; more than that is an offer of its own"
    if not alert.cells():
        return "the event does not say how much is needed in which half-hours; the load stays as bought"
    bought = [starts for starts, _ in alert.cells() if starts in lines]
    if not bought:
        shifted = _shifted(leg, alert.site_id).keys() & {starts for starts, _ in alert.cells()}
        if shifted:
            return "all that was bought in those half-hours at that site has shifted before"
        return "nothing was bought in those half-hours at that site"
    begun = [starts for starts in bought if starts <= now]
    return f"{len(begun)} of the half-hours have begun and cannot be changed" if begun else None


def _rooms(
    alert: Alert, lines: Mapping[datetime, Line], plan: StandingPlan, free: Callable[[], FloatArray]
) -> tuple[Room, ...] | str:
    """The cheapest room of our sites for what is needed of what was bought; in words why there is none."""
    if plan.tick is None:
        return "no plan of ours is in force yet"
    free_kw, worth = free(), plan.price + plan.prices_gbp_per_kw_slot / SLOT_HOURS
    rooms: list[Room] = []
    for starts, needed in alert.cells():
        if starts not in lines:
            continue
        column, wanted = slots_between(plan.start, starts), min(needed, lines[starts].kw)
        left = wanted
        for row in np.argsort(worth[:, column], kind="stable") if 0 <= column < plan.slots else ():
            kw = min(left, Decimal(int(free_kw[row, column])))
            if kw > 0:
                price, carbon = (Decimal(str(round(float(of[row, column]), 6))) for of in (worth, plan.carbon))
                rooms.append(Room(plan.site_ids[row], starts, kw, price, carbon))
                left -= kw
        if left > 0:
            return f"our own sites have {wanted - left} kW free at {format_utc(starts)}, and {wanted} kW are needed"
    return tuple(rooms)


def _weighed(rooms: tuple[Room, ...], lines: Mapping[datetime, Line]) -> tuple[str, str, tuple[Room, ...]]:
    """Action, reason and room: to shift where our own energy costs no more than the contract's."""
    cost = sum((room.kw * HOURS * room.price for room in rooms), ZERO)
    pays = sum((room.kw * HOURS * lines[room.starts].price for room in rooms), ZERO)
    told = f"the energy costs £{cost.quantize(PENNY)} at our own sites and £{pays.quantize(PENNY)} by the contract"
    if cost > pays:
        return "continue", told, ()
    sites = ", ".join(dict.fromkeys(room.site_id for room in rooms))
    return "shift", f"it runs at {sites} instead: {told}", rooms


def _carbon_kg(rooms: Sequence[Room], lines: Mapping[datetime, Line]) -> Decimal | None:
    """Emitted more by what shifts; None where the provider does not tell its carbon."""
    pairs = [(room, lines[room.starts].carbon) for room in rooms]
    more = [room.kw * HOURS * (room.carbon - spared) / 1000 for room, spared in pairs if spared is not None]
    return sum(more, ZERO).quantize(_MILLI) if len(more) == len(pairs) else None


def _entry(message: Message, **told: Any) -> dict[str, Any]:
    """For the leg's document; ``outcome`` is what the provider made of the answer."""
    nothing = dict.fromkeys(
        (
            "event_id",
            "event_type",
            "severity",
            "bought_at",
            "action",
            "response_seconds",
            "message_id",
            "log_seq",
            "outcome",
        )
    )
    return {"heard_at": format_utc(message.at), **nothing, "rooms": [], **told}


def _written(room: Room, booking: Booking) -> dict[str, Any]:
    return {
        "booking_id": booking.booking_id,
        "site_id": room.site_id,
        "start": format_utc(room.starts),
        "kw": str(room.kw),
        "price": str(room.price),
    }
