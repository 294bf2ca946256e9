"""A provider's settlement against our own arithmetic: pages of readings joined, then every half-hour reckoned again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from decimal import Decimal
from typing import Any

from loguru import logger

from beckn.consumer.legs import Item, peer_contract_id, read_items
from beckn.packs.demand_flex import read_flows
from beckn.packs.grid import Column, Grid
from beckn.packs.performance import KIND, Measured, assemble, read_measured
from beckn.packs.settlement import PENNY, Interval, Settlement, intervals_of, settle
from beckn.protocol.body import read_body
from beckn.protocol.faults import Fault
from core.trade import Contract, Direction, Message

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Checked:
    """What we make of a settlement.

    :param told: what the seller receives by the provider's word; :param ours: by our arithmetic.
    """

    told: Decimal
    ours: Settlement

    @property
    def agrees(self) -> bool:
        """Equal to the penny."""
        return self.told == self.ours.total


def told_total(wire: Mapping[str, Any]) -> Decimal | None:
    """What flows to the seller by a contract on the wire; None where it does not say yet.

    :raises Fault: the flows do not sum to 0, or are no numbers.
    """
    attributes = wire.get("contractAttributes")
    if not isinstance(attributes, Mapping) or not attributes.get("revenueFlows"):
        return None
    return read_flows(attributes, "$.message.contract.contractAttributes").get("seller")


def check(contract: Contract, told: Decimal, messages: Iterable[Message]) -> Checked | None:
    """Settle a contract by what its messages tell was measured; None while readings of a commitment lack.

    :param messages: of the contract's transaction, the oldest first.
    :raises Fault: the readings contradict themselves or the terms.
    """
    items = read_items(contract)
    pages = _pages(contract, messages, items)
    intervals: list[Interval] = []
    for item in items:
        measured = _latest(pages.get(item.commitment_id, {}))
        if measured is None:
            return None
        terms, offered = grids(item)
        intervals += intervals_of(terms, offered, list(measured.meters.values()))
    return Checked(told, settle(intervals, contract.document["currency"]))


def agreed_total(total: Decimal) -> Decimal:
    """A figure to the penny, as it is compared; one with parts of a penny stays as it is, and agrees with nothing."""
    return total.quantize(PENNY) if total == total.quantize(PENNY) else total


def grids(item: Item) -> tuple[Grid, Grid]:
    """Terms and promise of an item, as the settlement joins them."""
    start = item.lines[0].starts
    terms = {
        "PRICE": Column.of("GBP_PER_KWH", [line.price for line in item.lines]),
        "SHORTFALL_PENALTY": Column.of("GBP_PER_KWH", [line.penalty for line in item.lines]),
    }
    return Grid(start, terms), Grid(start, {"CAPACITY_OFFERED": Column.of("KW", [line.kw for line in item.lines])})


def _pages(
    contract: Contract, messages: Iterable[Message], items: Sequence[Item]
) -> dict[str, dict[str, list[Measured]]]:
    """Readings that may settle, by commitment and by the collection of pages that they belong to, oldest first."""
    found: dict[str, dict[str, list[Measured]]] = {}
    for message in messages:
        if (
            message.direction is not Direction.IN
            or message.action != "on_status"
            or message.peer_id != contract.peer_id
        ):
            continue
        wire = (read_body(message.body).get("message") or {}).get("contract") or {}
        if wire.get("id") not in {contract.contract_id, peer_contract_id(contract), None}:
            continue
        for entry in wire.get("performance") or ():
            for item in _settled_by(entry, wire, items):
                measured = _read(entry, item)
                if measured is not None:
                    page = measured.page
                    key = f"{message.message_id if page is None else page.collection or message.message_id}"
                    of_item = found.setdefault(item.commitment_id, {})
                    of_item.setdefault(key if page is not None else f"whole {message.number}", []).append(measured)
    return found


def _settled_by(entry: Mapping[str, Any], wire: Mapping[str, Any], items: Sequence[Item]) -> list[Item]:
    """The items that an entry of performance is about: by commitment, or by the resource of a commitment."""
    ids = entry.get("commitmentIds")
    if not ids:
        return list(items) if len(items) == 1 else []
    resources = {
        each.get("id"): {resource.get("id") for resource in each.get("resources") or ()}
        for each in wire.get("commitments") or ()
    }
    named: set[Any] = set().union(*(resources.get(each, set()) for each in ids))
    return [item for item in items if item.commitment_id in ids or item.resource_id in named]


def _read(entry: Mapping[str, Any], item: Item) -> Measured | None:
    """Readings with usage throughout; None where an entry settles nothing."""
    attributes = entry.get("performanceAttributes")
    if not isinstance(attributes, Mapping) or attributes.get("@type") != KIND:
        return None
    try:
        measured = read_measured(attributes, grids(item)[0], "$.performanceAttributes")
    except Fault as fault:
        logger.warning("readings cannot be read: {} {} {}", fault.code, fault.path or "", fault)
        return None
    usage = all("USAGE" in grid.columns for grid in measured.meters.values())
    return measured if measured.settles and usage else None


def _latest(collections: Mapping[str, Sequence[Measured]]) -> Measured | None:
    """The newest collection of which no page lacks."""
    for pages in reversed(list(collections.values())):
        whole = assemble(_distinct(pages))
        if whole is not None:
            return whole
    return None


def _distinct(pages: Sequence[Measured]) -> list[Measured]:
    """Pages that came again with the same readings count once, whatever their page tells beside its number."""
    found: dict[int, Measured] = {}
    for each in pages:
        number = 0 if each.page is None else each.page.sequence
        if number in found and changed(found[number], page=None) == changed(each, page=None):
            continue
        if number in found:
            raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"two pages {number} differ", "$.pageInfo")
        found[number] = each
    return list(found.values())
