"""Messages of the dialect of 2025, read into version 2.

An order becomes a contract: its items of one product at one site become one commitment over the half-hours from the
first to the last of them, with nothing asked for in those between. Orders have the ids that their buyers give them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from beckn.catalogue import parse_resource_id, resource_id_of
from beckn.dialect.catalogues import read_catalogs
from beckn.dialect.figures import power, read_price
from beckn.dialect.words import ACTIONS, inner_bag, is_2025, made_of, plain, read_context
from beckn.models import parse_slot_id
from beckn.packs.alert import Alert, Answered
from beckn.packs.contracts import NOTHING, offer_id_of, parse_offer_id
from beckn.packs.demand_flex import SERIES_CONTEXT
from beckn.packs.grid import MOST_INTERVALS, Column, Grid, write_event
from beckn.packs.reading import at, duration, inner, instant, mapping, text
from beckn.protocol.faults import Fault
from core.slots import SLOT, format_utc, slot_floor
from core.trade import Product

MOST_KW = Decimal(1_000_000)
"""what a request for a quotation without a load asks for: all there is"""
_ORDER = "$.message.order"
_MOST_ITEMS = 500
_LAST_YEAR = 9000
_LONGEST_NAME = 255
_LONGEST_EVENT = 120
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One item of an order.

    :param product: :param site_id: None where what is ordered is nothing of ours.
    :param kw: asked for in each half-hour from ``starts`` to ``ends``; None where it does not say.
    :param price: accepted, per kWh.
    """

    line_id: str
    ordered: str
    offer_id: str | None
    price: Decimal | None
    product: Product | None = None
    site_id: str | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    kw: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order: its id as its buyer writes it, the UUID that stands for it here, and its items."""

    order_id: str
    contract_id: str
    lines: tuple[Line, ...]
    told: Mapping[str, Any]

    @property
    def delivery(self) -> Mapping[str, Any]:
        """How it is delivered."""
        return inner_bag(inner_bag(self.told, "fulfillment"), "deliveryAttributes")

    def grouped(self) -> list[tuple[Line, ...]]:
        """Lines that are one commitment, in order."""
        found: dict[Any, list[Line]] = {}
        for line in self.lines:
            key = (line.product, line.site_id) if line.product is not None else line.line_id
            found.setdefault(key, []).append(line)
        return [tuple(lines) for lines in found.values()]


def read_envelope(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body with its context in the words of version 2, its message as it came; :class:`Fault` ``CTX_``."""
    return {**body, "context": read_context(body.get("context"))}


def read_message(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body whose context has been read, with its message in the words of version 2; :class:`Fault` ``SCH_``."""
    context = body["context"]
    action = str(context.get("action"))
    told = mapping(plain(body.get("message") or {}), "$.message")
    return {**body, "message": _read(told, context, action)}


def read(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body in the words of version 2."""
    return read_message(read_envelope(body))


def translated(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any] | None]:
    """A body in the words of version 2, and what is to be kept of one that came in the dialect."""
    return (read(body), memory(body)) if is_2025(body) else (body, None)


def memory(body: Mapping[str, Any]) -> dict[str, Any]:
    """What later answers need of a request: its transaction, and the names of its order."""
    context = body["context"]
    kept = _short(context, ("transaction_id", "domain"))
    told = mapping(plain(body.get("message") or {}), "$.message")
    v2 = read_context(context)
    if not _has_order(v2["action"]):
        return {"context": kept}
    order = read_order(told, v2, v2["action"])
    lines = [
        {
            "line": line.line_id,
            "item": line.ordered,
            "offer": line.offer_id,
            "commitment": group[0].line_id,
            "starts": None if line.starts is None else format_utc(line.starts),
            "ends": None if line.ends is None else format_utc(line.ends),
        }
        for group in order.grouped()
        for line in group
    ]
    return {
        "context": kept,
        "order": order.order_id,
        "lines": lines,
        "parties": _short(order.told, ("buyer", "seller")),
        "fulfillment": _short(inner_bag(order.told, "fulfillment"), ("id",)).get("id"),
    }


def _short(told: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Members that are short texts, to be echoed."""
    found = {name: told.get(name) for name in names}
    return {name: each for name, each in found.items() if isinstance(each, str) and len(each) <= _LONGEST_NAME}


def _has_order(action: str) -> bool:
    return action.removeprefix("on_") not in {"discover", "rate", "support"}


def _read(told: Mapping[str, Any], context: Mapping[str, Any], action: str) -> dict[str, Any]:
    match action.removeprefix("on_"):
        case "discover":
            return {"intent": {}} if action == "discover" else {"catalogs": read_catalogs(told)}
        case "rate":
            ratings = told.get("ratings", told.get("rating", told))
            inputs = [_rating(each, context) for each in (ratings if isinstance(ratings, list) else [ratings])]
            return {"ratingInputs" if action == "rate" else "ratings": inputs}
        case "support":
            asked = inner_bag(told, "support") or told
            order = asked.get("orderId", asked.get("order_id", asked.get("ref_id", asked.get("refId"))))
            return {"support": {} if order is None else {"orderId": str(order)}}
        case "track":
            return {"tracking": {"contract": {"id": read_order(told, context, action).contract_id}}}
        case _:
            return {"contract": _contract(read_order(told, context, action), action)}


def read_order(told: Mapping[str, Any], context: Mapping[str, Any], action: str) -> Order:
    """The order of a message without prefixes."""
    order = mapping(told.get("order") or {}, _ORDER)
    order_id = order.get("id", told.get("order_id", told.get("orderId")))
    if order_id is None:
        order_id = f"order-{context['transactionId']}"
    if not isinstance(order_id, str) or not 0 < len(order_id) <= _LONGEST_NAME:
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "the id of the order is no short text", f"{_ORDER}['beckn:id']")
    items = order.get("orderItems") or []
    if not isinstance(items, list) or len(items) > _MOST_ITEMS:
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", f"it is no list of at most {_MOST_ITEMS}", f"{_ORDER}.orderItems")
    delivery = inner_bag(inner_bag(order, "fulfillment"), "deliveryAttributes")
    lines = tuple(
        _line(mapping(each, f"{_ORDER}.orderItems[{i}]"), delivery, f"{_ORDER}.orderItems[{i}]", action)
        for i, each in enumerate(items)
    )
    return Order(order_id, made_of(context.get("bapId"), "order", order_id), lines, order)


def _line(item: Mapping[str, Any], delivery: Mapping[str, Any], path: str, action: str) -> Line:
    attributes = inner_bag(item, "orderItemAttributes")
    ordered = item.get("orderedItem")
    ordered = ordered.get("id") if isinstance(ordered, Mapping) else ordered
    if not isinstance(ordered, str) or not 0 < len(ordered) <= _LONGEST_NAME:
        raise Fault("SCH_REQUIRED_FIELD_MISSING", "it does not say what is ordered", at(path, "beckn:orderedItem"))
    offer = item.get("acceptedOffer")
    offer_id = offer.get("id") if isinstance(offer, Mapping) else offer
    line = Line(
        str(item.get("lineId") or ordered)[:_LONGEST_NAME],
        ordered,
        offer_id if isinstance(offer_id, str) else None,
        read_price(offer.get("price"), at(path, "beckn:acceptedOffer")) if isinstance(offer, Mapping) else None,
    )
    found = _what(ordered, attributes.get("slotId"))
    if found is None:
        return line
    product, site_id, starts = found
    span = (starts, starts + SLOT) if starts is not None else _span(attributes, delivery, path)
    kw = _load(attributes, delivery, path)
    if kw is None and action == "select" and product is Product.COMPUTE_WINDOW:
        kw = MOST_KW
    starts, ends = span or (None, None)
    return replace(line, product=product, site_id=site_id, starts=starts, ends=ends, kw=kw)


def _what(ordered: str, slot_id: Any) -> tuple[Product, str, datetime | None] | None:
    """Product, site and half-hour of what is ordered, where it is of our catalogue."""
    for name in (ordered, slot_id):
        if not isinstance(name, str):
            continue
        try:
            site_id, starts = parse_slot_id(name)
            if starts == slot_floor(starts) and starts.year < _LAST_YEAR:
                return Product.COMPUTE_WINDOW, site_id, starts
        except ValueError:
            pass
        try:
            return *parse_resource_id(name), None
        except ValueError:
            pass
    return None


def _span(attributes: Mapping[str, Any], delivery: Mapping[str, Any], path: str) -> tuple[datetime, datetime] | None:
    """From when to when, by the item or else by the delivery; None where neither says."""
    for told, where in ((attributes, at(path, "beckn:orderItemAttributes")), (delivery, _ORDER)):
        if told.get("activationTime") is not None:
            starts = instant(told, "activationTime", where)
            lasts = duration(told, "duration", where)
            if starts.year >= _LAST_YEAR or lasts > SLOT * MOST_INTERVALS:
                raise Fault("SCH_INVALID_FORMAT", "it is later or longer than anything on sale", where)
            found = starts, starts + lasts
        elif told.get("timeWindow") is not None:
            window = inner(told, "timeWindow", where)
            found = instant(window, "start", where), instant(window, "end", where)
        else:
            continue
        if not SLOT <= found[1] - found[0] <= SLOT * MOST_INTERVALS or any(each != slot_floor(each) for each in found):
            raise Fault("SCH_INVALID_FORMAT", "it is no span of whole half-hours of UTC", where)
        return found
    return None


def _load(attributes: Mapping[str, Any], delivery: Mapping[str, Any], path: str) -> Decimal | None:
    """What is asked for in each half-hour, kW; None where nothing says."""
    capacity = inner_bag(attributes, "capacityParameters")
    places = (
        (attributes, "requestedReduction", attributes.get("requestedReductionUnit", "kW")),
        (capacity, "reservedCapacity", capacity.get("capacityUnit", "MW")),
        (delivery, "computeLoad", delivery.get("computeLoadUnit", "MW")),
        (delivery, "requestedReduction", delivery.get("requestedReductionUnit", "kW")),
    )
    for told, name, unit in places:
        if told.get(name) is not None:
            return power(told[name], unit, at(path, f"beckn:{name}"))
    return None


def _contract(order: Order, action: str) -> dict[str, Any]:
    """The contract of version 2."""
    told: dict[str, Any] = {"id": order.contract_id}
    if isinstance(order.told.get("buyer"), str):
        told["participants"] = [{"id": order.told["buyer"]}]
    commitments = [_commitment(lines) for lines in order.grouped()]
    if action not in {"status", "cancel"}:
        told["commitments"] = commitments or [dict(NOTHING)]
    event = (_alert(order) or _action(order)) if action == "update" else None
    if event is not None:
        told["performance"] = [{"id": event.event_id, "performanceAttributes": event.wire("")}]
    return told


def _commitment(lines: Sequence[Line]) -> dict[str, Any]:
    first = lines[0]
    told: dict[str, Any] = {"id": first.line_id, "status": {"descriptor": {"code": "DRAFT"}}}
    if first.product is None or first.site_id is None:
        offer = {"id": first.offer_id or "none", "resourceIds": [first.ordered]}
        return {**told, "resources": [{"id": first.ordered}], "offer": offer}
    resource: dict[str, Any] = {"id": resource_id_of(first.product, first.site_id)}
    offer = {"id": _offer_id(lines, resource["id"]), "resourceIds": [resource["id"]]}
    cells = _cells(lines)
    if cells:
        starts = min(cells)
        slots = [starts + SLOT * i for i in range((max(cells) - starts) // SLOT + 1)]
        if len(slots) > MOST_INTERVALS:
            raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "its half-hours lie too far apart", _ORDER)
        kw = [cells[slot][0] if slot in cells else _ZERO for slot in slots]
        told["commitmentAttributes"] = _series(starts, "CAPACITY_REQUESTED", "KW", kw)
        prices = [cells[slot][1] if slot in cells else _ZERO for slot in slots]
        if all(price is not None for price in prices):
            resource["resourceAttributes"] = _series(starts, "PRICE", "GBP_PER_KWH", prices)
    return {**told, "resources": [resource], "offer": offer}


def _cells(lines: Sequence[Line]) -> dict[datetime, tuple[Decimal, Decimal | None]]:
    """What is asked for and accepted by half-hour; empty where a line does not say how much when."""
    cells: dict[datetime, tuple[Decimal, Decimal | None]] = {}
    for line in lines:
        if line.starts is None or line.ends is None or line.kw is None:
            return {}
        for i in range((line.ends - line.starts) // SLOT):
            slot = line.starts + SLOT * i
            if slot in cells:
                raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "two items of the order are of one half-hour", _ORDER)
            cells[slot] = line.kw, line.price
    return cells


def _series(starts: datetime, name: str, units: str, figures: Sequence[Decimal | None]) -> dict[str, Any]:
    grid = Grid(starts, {name: Column.of(units, figures, "buyer")})
    return {"@context": SERIES_CONTEXT, "@type": "TimeSeries", **write_event(grid)}


def _offer_id(lines: Sequence[Line], resource_id: str) -> str:
    """The offer of version 2 that a buyer accepted: offers here are of single half-hours, there of a resource."""
    told = lines[0].offer_id
    if told is None:
        return offer_id_of("any", resource_id)
    try:
        tick_id, named = parse_offer_id(told)
    except ValueError:
        return told
    return offer_id_of(tick_id, resource_id) if named in {line.ordered for line in lines} else told


def _alert(order: Order) -> Alert | None:
    """The alert of an update; None where it brings none."""
    delivery = order.delivery
    if delivery.get("gridEventAlert") is None:
        return None
    path = f"{_ORDER}['beckn:fulfillment']['beckn:deliveryAttributes']"
    event = inner(delivery, "gridEventAlert", path)
    site_id = next((line.site_id for line in order.lines if line.site_id is not None), None)
    span = _span({}, delivery, path) or next(((x.starts, x.ends) for x in order.lines if x.starts and x.ends), None)
    kw = _load({}, delivery, path)
    if site_id is None or span is None or kw is None:
        raise Fault("SCH_REQUIRED_FIELD_MISSING", "an alert names an item, a timeWindow and a requestedReduction", path)
    event_id, kind, severity = (text(event, name, path) for name in ("eventId", "eventType", "severity"))
    return Alert(event_id, kind, severity, site_id, span[0], (kw,) * ((span[1] - span[0]) // SLOT))


def _action(order: Order) -> Answered | None:
    """What the buyer of an update does about an event, from the half-hour in which it says so; None without one."""
    delivery = order.delivery
    if delivery.get("flexibilityAction") is None:
        return None
    where = f"{_ORDER}['beckn:fulfillment']['beckn:deliveryAttributes']"
    told, path = inner(delivery, "flexibilityAction", where), at(where, "flexibilityAction")
    event = told.get("responseToEvent", inner_bag(order.told, "orderAttributes").get("responseToEvent"))
    if not isinstance(event, str) or not 0 < len(event) <= _LONGEST_EVENT:
        raise Fault("SCH_REQUIRED_FIELD_MISSING", "it names the event that it answers", at(path, "responseToEvent"))
    action = next((ours for ours, theirs in ACTIONS.items() if theirs == told.get("actionType")), None)
    if action is None:
        raise Fault("SCH_INVALID_ENUM", f"it is one of {', '.join(ACTIONS.values())}", at(path, "actionType"))
    less = inner_bag(told, "loadReductionCommitment")
    kw = power(less.get("loadReduction", 0), less.get("reductionUnit", "MW"), at(path, "loadReductionCommitment"))
    seconds = None
    if less.get("responseTime") is not None:
        lasts = duration(less, "responseTime", at(path, "loadReductionCommitment"))
        seconds = Decimal(str(lasts.total_seconds()))
    reason = told.get("actionReason")
    starts = slot_floor(instant(told, "actionTimestamp", path))
    return Answered(event, action, reason if isinstance(reason, str) else "", starts, (kw,), None, seconds, None)


def _rating(told: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """A rating of an order, from 1 to 5 unless it says otherwise."""
    found = mapping(told, "$.message.ratings")
    order = found.get("id", found.get("orderId", found.get("order_id", f"order-{context['transactionId']}")))
    value = found.get("value", found.get("ratingValue"))
    scale = {"min": found.get("worstRating", 1), "value": value, "max": found.get("bestRating", 5)}
    return {"target": {"id": made_of(context.get("bapId"), "order", str(order))}, "range": scale}
