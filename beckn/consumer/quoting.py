"""A leg on the wire: the contract that a provider is asked for, and what its answer comes to."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from decimal import Decimal
from typing import Any

from beckn.consumer.choosing import Part
from beckn.consumer.legs import ZERO, Item, Line, amount
from beckn.consumer.lots import CURRENCY, Listing
from beckn.consumer.settling import grids
from beckn.packs.contracts import commitment, contract
from beckn.packs.demand_flex import offered_series
from beckn.packs.grid import Grid, read_grid
from beckn.packs.reading import at, inner, mapping, number, text
from beckn.packs.site import TERMS, part_of
from beckn.protocol.faults import Fault
from core.slots import SLOT, slots_between
from core.trade import ContractState, Product


def items_of(parts: Sequence[Part], listings: Mapping[tuple[str, str, str], Listing]) -> tuple[Item, ...]:
    """One commitment for each resource, from the first half-hour that is wanted of it to the last."""
    taken: dict[tuple[str, str, str], dict[Any, Part]] = {}
    for part in parts:
        key = part.lot.peer_id, part.lot.offer_id, part.lot.resource_id
        taken.setdefault(key, {})[part.lot.starts] = part
    return tuple(_item(listings[key], chosen) for key, chosen in sorted(taken.items()))


def _item(listing: Listing, chosen: Mapping[Any, Part]) -> Item:
    grid = listing.window.shown.grid
    prices, penalties = grid.figures("PRICE"), grid.figures("SHORTFALL_PENALTY")
    lines = []
    for i in range(slots_between(grid.start, min(chosen)), slots_between(grid.start, max(chosen)) + 1):
        starts = grid.start + SLOT * i
        part, price, penalty = chosen.get(starts), prices[i], penalties[i]
        lines.append(
            Line(
                starts=starts,
                kw=ZERO if part is None else part.kw,
                price=price or ZERO,
                penalty=penalty or ZERO,
                carbon=None if part is None else part.lot.carbon,
                kinds=() if part is None else part.lot.kinds,
            )
        )
    return Item(
        commitment_id=str(uuid.uuid4()),
        product=Product.COMPUTE_WINDOW.value,
        site_id=listing.window.shown.place.site_id,
        resource_id=listing.resource["id"],
        offer_id=listing.offer["id"],
        lines=tuple(lines),
    )


def contract_of(
    contract_id: str, items: Sequence[Item], listings: Mapping[tuple[str, str, str], Listing], peer_id: str, own_id: str
) -> dict[str, Any]:
    """The draft that a provider is asked for: its own resources and offers, our power, us as the buyer."""
    of = [listings[peer_id, item.offer_id, item.resource_id] for item in items]
    commitments = [_commitment(item, listing, own_id) for item, listing in zip(items, of, strict=True)]
    terms = of[0].offer["offerAttributes"].get("contractAttributes") or {}
    attributes = {**terms, "roles": _roles(terms.get("roles"), peer_id, own_id)}
    return contract(contract_id, ContractState.DRAFT, commitments, [own_id, peer_id], attributes)


def _commitment(item: Item, listing: Listing, own_id: str) -> dict[str, Any]:
    """What is asked of one resource: its terms and our power over the same half-hours, and no others."""
    terms = listing.window.shown.grid
    first = slots_between(terms.start, item.lines[0].starts)
    attributes = part_of(listing.resource["resourceAttributes"], terms, first, len(item.lines))
    return commitment(
        item.commitment_id,
        ContractState.DRAFT,
        {**listing.resource, "resourceAttributes": attributes},
        item.most_kw,
        _bought(listing.offer, own_id),
        offered_series(grids(item)[0], [line.kw for line in item.lines], attributes["intervalPeriod"]),
    )


def _bought(offer: Mapping[str, Any], own_id: str) -> dict[str, Any]:
    """The offer with us as the buyer."""
    attributes = dict(offer["offerAttributes"])
    attributes.pop("contractAttributes", None)
    attributes["inputs"] = [
        {**each, "participantId": own_id} if each.get("role") == "buyer" else each for each in attributes["inputs"]
    ]
    return {**offer, "offerAttributes": attributes}


def _roles(found: Any, seller: str, buyer: str) -> list[dict[str, Any]]:
    told = {each.get("role"): each.get("participantId") for each in found or () if isinstance(each, Mapping)}
    return [
        {"role": "buyer", "participantId": buyer},
        {"role": "seller", "participantId": told.get("seller") or seller},
    ]


def answered_items(answer: Mapping[str, Any], items: Sequence[Item]) -> tuple[Item, ...]:
    """The items with the prices and penalties of a provider's answer.

    :raises Fault: a commitment lacks, promises less than was asked for, or its terms cannot be read.
    """
    told = _by_resource(answer)
    found = []
    for item in items:
        if item.resource_id not in told:
            raise Fault("BIZ_ITEM_NOT_FOUND", f"the answer has no commitment for {item.resource_id}")
        found.append(_answered(item, *told[item.resource_id]))
    return tuple(found)


def answered_amount(answer: Mapping[str, Any], items: Sequence[Item]) -> Decimal:
    """GBP by a provider's answer if all is delivered: what it says it comes to, or else what its terms come to.

    :raises Fault: it is in another currency.
    """
    told = []
    for i, each in enumerate(answer.get("consideration") or ()):
        here = f"$.message.contract.consideration[{i}].considerationAttributes"
        attributes = each.get("considerationAttributes")
        if not isinstance(attributes, Mapping) or attributes.get("amount") is None:
            continue
        if text(attributes, "currency", here) != CURRENCY:
            raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"it is not in {CURRENCY}", at(here, "currency"))
        told.append(number(attributes["amount"], at(here, "amount")))
    return max(sum(told, ZERO), amount(items)) if told else amount(items)


def _by_resource(answer: Mapping[str, Any]) -> dict[str, tuple[Mapping[str, Any], str]]:
    """Commitments by the id of their resource, each with where it is."""
    found: dict[str, tuple[Mapping[str, Any], str]] = {}
    for i, each in enumerate(answer.get("commitments") or ()):
        here = f"$.message.contract.commitments[{i}]"
        for resource in mapping(each, here).get("resources") or ():
            found[resource["id"]] = each, here
    return found


def _answered(item: Item, told: Mapping[str, Any], path: str) -> Item:
    """An item by the terms of its commitment's answer."""
    terms = next(each.get("resourceAttributes") for each in told["resources"] if each["id"] == item.resource_id)
    prices = {} if terms is None else _figures(read_grid(terms, f"{path}.resources", TERMS), "PRICE")
    penalties = {} if terms is None else _figures(read_grid(terms, f"{path}.resources", TERMS), "SHORTFALL_PENALTY")
    if told.get("commitmentAttributes") is not None:
        here = at(path, "commitmentAttributes")
        given = _figures(read_grid(inner(told, "commitmentAttributes", path), here), "CAPACITY_OFFERED")
        short = next((line for line in item.lines if given.get(line.starts, ZERO) < line.kw), None)
        if short is not None:
            raise Fault("BIZ_QUANTITY_UNAVAILABLE", f"less than {short.kw} kW is offered at {short.starts:%d %b %H:%M}")
    lines = tuple(
        changed(line, price=prices.get(line.starts, line.price), penalty=penalties.get(line.starts, line.penalty))
        for line in item.lines
    )
    return changed(item, lines=lines)


def _figures(grid: Grid, name: str) -> dict[Any, Decimal]:
    if name not in grid.columns:
        return {}
    told = enumerate(grid.figures(name))
    return {grid.start + SLOT * i: figure for i, figure in told if figure is not None}
