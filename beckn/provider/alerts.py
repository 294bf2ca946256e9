"""Alerts in the middle of an event: what is done besides what was promised, where it costs no more than it brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Protocol

from agents.flexibility.alert import Action, CourseOfAction
from beckn.packs.alert import Alert, Answered
from beckn.packs.settlement import HOURS
from beckn.protocol.faults import Fault
from beckn.provider.items import ZERO, Item, Line
from beckn.provider.one_step import answers, asked_in
from core.slots import slots_between
from core.trade import Product

_TENTH = Decimal("0.1")
_MILLI = Decimal("0.001")


class Alerted(Protocol):
    """Who knows what can be done about an alert."""

    def answer_alert(self, site_id: str, starts: Sequence[datetime], needed_kw: float) -> CourseOfAction: ...


@dataclass(frozen=True, slots=True)
class Response:
    """What is done, and the items of the contract with it."""

    answered: Answered
    items: tuple[Item, ...]


class Alerts:
    """Answers alerts about contracts of ours.

    :param planned_kw: what jobs draw at the meter of a site in a half-hour, in the plan in force.
    """

    def __init__(self, planner: Alerted, planned_kw: Callable[[str, datetime], float]) -> None:
        self._planner = planner
        self._planned_kw = planned_kw

    def respond(self, alert: Alert, items: Sequence[Item], received_at: datetime, now: datetime) -> Response:
        """What is done about ``alert``; nothing is promised yet.

        The planner is asked for what the plan in force lacks of the new caps. The cheapest means is taken where the
        contract's own price for the half-hours pays for it; otherwise nothing changes, and the answer says why.

        :raises Fault: ``BIZ_INVALID_UPDATE_TARGET``: the contract is not about that site or those half-hours.
        """
        item = next((each for each in items if each.site_id == alert.site_id), None)
        lines = {} if item is None else {line.starts: line for line in item.lines}
        cells = alert.cells()
        if item is None or not cells or any(starts not in lines for starts, _ in cells):
            raise Fault("BIZ_INVALID_UPDATE_TARGET", "the contract is not about that site in those half-hours")
        seconds = Decimal(str(round((now - received_at).total_seconds(), 3)))
        if item.product is not Product.TURN_DOWN:
            reason = "a window is the buyer's own load: the buyer decides what becomes of it"
            return Response(_answer(alert, "continue", reason, {}, ZERO, seconds, None), tuple(items))
        lacking = {starts: self._lacking(item.site_id, lines[starts], kw) for starts, kw in cells}
        needed = max(lacking.values())
        course = self._planner.answer_alert(item.site_id, [starts for starts, _ in cells], float(needed))
        brings = sum((kw * HOURS * lines[starts].price for starts, kw in cells), ZERO)
        action, reason = _decided(course, brings)
        if action is Action.CONTINUE or course.means is None:
            return Response(_answer(alert, "continue", reason, {}, ZERO, seconds, course.tick_id), tuple(items))
        more = dict(cells)
        raised = tuple(_raised(line, more.get(line.starts, ZERO)) for line in item.lines)
        changed = tuple(replace(each, lines=raised) if each is item else each for each in items)
        carbon = Decimal(str(round(course.means.carbon_kg, 3)))
        return Response(_answer(alert, action.value, reason, more, carbon, seconds, course.tick_id), changed)

    def _lacking(self, site_id: str, line: Line, more_kw: Decimal) -> Decimal:
        """By how much the plan in force is above the cap that ``more_kw`` makes, never below 0."""
        cap = (line.baseline_kw or ZERO) - line.kw - more_kw
        planned = Decimal(str(self._planned_kw(site_id, line.starts))).quantize(_MILLI)
        if cap < 0:
            raise Fault(
                "BIZ_QUANTITY_UNAVAILABLE",
                f"jobs draw {line.baseline_kw} kW by the baseline at {line.starts:%Y-%m-%dT%H:%MZ}; no more than "
                f"{(line.baseline_kw or ZERO) - line.kw} kW can leave besides",
            )
        return max(ZERO, planned - cap)


def require_noticed(wire: Mapping[str, Any], items: Sequence[Item]) -> None:
    """Return if an update that says what its buyer does about an event asks for nothing else.

    :raises Fault: ``BIZ_INVALID_UPDATE_TARGET``: the load is not the buyer's; ``BIZ_UPDATE_INCONSISTENT``.
    """
    if any(item.product is not Product.COMPUTE_WINDOW for item in items):
        raise Fault(
            "BIZ_INVALID_UPDATE_TARGET",
            "the load of a turn-down is the seller's: send what the grid needs, and the seller says what it does",
        )
    asked = asked_in(wire)
    if asked is not None and not answers(items, asked):
        raise Fault(
            "BIZ_UPDATE_INCONSISTENT",
            "what is done about an event changes nothing that was agreed: ask for less in an update of its own",
        )


def told_of(answered: Answered, by: str) -> dict[str, Any]:
    """For the contract's document; ``by`` is the role that decided."""
    return {
        "by": by,
        "event_id": answered.event_id,
        "action": answered.action,
        "reason": answered.reason,
        "response_seconds": None if answered.response_seconds is None else str(answered.response_seconds),
    }


def _decided(course: CourseOfAction, brings: Decimal) -> tuple[Action, str]:
    """The course that was chosen, unless it costs more than the contract brings for it, or comes too late."""
    if course.too_late:
        return Action.CONTINUE, f"{len(course.too_late)} of the half-hours are decided already and cannot be changed"
    if course.means is not None and Decimal(str(course.means.cost_gbp)) > brings:
        cost = Decimal(str(course.means.cost_gbp)).quantize(_TENTH / 10)
        return Action.CONTINUE, f"to {course.action} costs £{cost}, and the contract pays £{brings:.2f} for it"
    return course.action, course.reason


def _raised(line: Line, more_kw: Decimal) -> Line:
    return replace(line, kw=line.kw + more_kw.quantize(_MILLI, ROUND_DOWN))


def _answer(
    alert: Alert,
    action: str,
    reason: str,
    freed: Mapping[datetime, Decimal],
    carbon_kg: Decimal,
    seconds: Decimal,
    tick_id: str | None,
) -> Answered:
    figures = [ZERO] * len(alert.needed_kw)
    for starts, kw in freed.items():
        figures[slots_between(alert.starts, starts)] = kw
    return Answered(alert.event_id, action, reason, alert.starts, tuple(figures), carbon_kg, seconds, tick_id)
