"""Contracts of ours as they go over the wire, and requests about them as they come."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from beckn.catalogue import parse_resource_id
from beckn.identity import Identity
from beckn.packs import compute_window, turn_down
from beckn.packs.compute_window import ComputeWindow
from beckn.packs.contracts import (
    Parts,
    Policy,
    commitment,
    consideration,
    contract,
    contract_attributes,
    offer,
    own_policy,
    parse_offer_id,
    resource,
    settlement,
)
from beckn.packs.demand_flex import offered_series
from beckn.packs.grid import Column, Grid, read_grid
from beckn.packs.settlement import Settlement, revenue_flows
from beckn.packs.site import Carbon, Place, Shown
from beckn.packs.turn_down import Baseline, TurnDown
from beckn.protocol.faults import Fault
from beckn.provider.items import ZERO, Asked, Item, total_of
from core.site import Site
from core.trade import Contract, ContractState, Product

CONSIDERATION = "total"
_NAMES = {Product.COMPUTE_WINDOW: "Compute window", Product.TURN_DOWN: "Turn-down"}
_PRICE_KINDS = ("simulated", "forecast", "estimate", "settled")
_CARBON_KINDS = {"settled": "outturn"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a contract stands beside what it promises.

    :param valid_until: until when the offer holds.
    """

    contract_id: str
    state: ContractState
    buyer: str
    valid_until: datetime
    performance: Sequence[Mapping[str, Any]] = ()
    settled: Settlement | None = None


class Paper:
    """Writes contracts in the name of ``own``; ``notice`` is what the shelf asks for."""

    def __init__(self, own: Identity, notice: timedelta, currency: str) -> None:
        self._own = own
        self._notice = notice
        self._currency = currency

    def contract(self, items: Sequence[Item], sites: Mapping[str, Site], standing: Standing) -> dict[str, Any]:
        """A contract of version 2."""
        own, base = self._own.subscriber_id, self._own.url
        settled, state = standing.settled, standing.state
        flows = None if settled is None else revenue_flows(settled)
        amount = total_of(items) if settled is None else settled.total
        return contract(
            standing.contract_id,
            state,
            [self._commitment(item, sites[item.site_id], standing) for item in items],
            list(dict.fromkeys((standing.buyer, own))),
            contract_attributes(standing.buyer, own, self._policy(), flows),
            Parts(
                consideration=[
                    consideration(base, CONSIDERATION, state, self._currency, amount, delivered=settled is not None)
                ],
                performance=standing.performance,
                settlements=[settlement(CONSIDERATION, state)],
            ),
        )

    def _policy(self) -> Policy:
        return own_policy(self._own.url)

    def _commitment(self, item: Item, site: Site, standing: Standing) -> dict[str, Any]:
        grid = _terms(item)
        kinds = tuple(next((kind for kind in _PRICE_KINDS if kind in line.kinds), "none") for line in item.lines)
        place = Place(site.site_id, site.zone, site.country, site.latitude, site.longitude)
        shown = Shown(place, self._notice, grid, kinds, None, _carbon(item), _outturn(item))
        name = f"{_NAMES[item.product]}, {site.name}"
        own, base = self._own.subscriber_id, self._own.url
        template = contract_attributes(standing.buyer, own, self._policy())
        if item.product is Product.COMPUTE_WINDOW:
            attributes = ComputeWindow(shown, ZERO, item.most_kw).wire(base)
            offered = compute_window.offer_attributes(base, own, template, standing.buyer)
        else:
            baseline = Baseline(item.tick_id, None)
            confidence = tuple(Decimal(1) if line.kw else ZERO for line in item.lines)
            attributes = TurnDown(shown, item.ends - item.starts, confidence, baseline).wire(base)
            offered = turn_down.offer_attributes(base, own, template, baseline, standing.buyer)
        return commitment(
            item.commitment_id,
            standing.state,
            resource(item.resource_id, name, f"{item.most_kw} kW from {item.starts:%Y-%m-%dT%H:%MZ}", attributes),
            item.most_kw,
            offer(item.offer_id, name, [item.resource_id], standing.valid_until, offered),
            offered_series(grid, [line.kw for line in item.lines]),
        )


def _terms(item: Item) -> Grid:
    """What settles: kW promised at most, price and penalty."""
    columns = {
        "CAPACITY_AVAILABLE": ("KW", [line.kw for line in item.lines]),
        "PRICE": ("GBP_PER_KWH", [line.price for line in item.lines]),
        "SHORTFALL_PENALTY": ("GBP_PER_KWH", [line.penalty for line in item.lines]),
    }
    return Grid(item.starts, {name: Column.of(units, cells, "seller") for name, (units, cells) in columns.items()})


def _carbon(item: Item) -> Carbon | None:
    """Carbon beside the terms; None where a half-hour has no figure."""
    return _intensity(item, [(line.carbon_g_per_kwh, line.carbon_kind) for line in item.lines])


def _outturn(item: Item) -> Carbon | None:
    """Carbon as it came to be known; None before the settlement."""
    known = [line.outturn for line in item.lines]
    return _intensity(item, [(None, None) if one is None else (one.g_per_kwh, one.kind) for one in known])


def _intensity(item: Item, cells: Sequence[tuple[Decimal | None, str | None]]) -> Carbon | None:
    if any(figure is None or kind is None for figure, kind in cells):
        return None
    grid = Grid(item.starts, {"CARBON_INTENSITY": Column.of("G_PER_KWH", [figure for figure, _ in cells], "seller")})
    return Carbon(grid, tuple(_CARBON_KINDS.get(str(kind), str(kind)) for _, kind in cells))


def read_asked(wire: Mapping[str, Any], path: str = "$.message.contract") -> tuple[Asked, ...]:
    """What a buyer asks for, of our catalogue.

    The half-hours stand in ``commitmentAttributes``, as CAPACITY_REQUESTED, or as CAPACITY_OFFERED where an earlier
    answer is sent back.

    :raises Fault: ``SCH_`` for what cannot be read, ``BIZ_ITEM_NOT_FOUND`` and ``BIZ_OFFER_NOT_FOUND`` for what is not
        ours.
    """
    asked = tuple(
        _read_commitment(each, f"{path}.commitments[{number}]") for number, each in enumerate(wire["commitments"])
    )
    if len({one.product for one in asked}) > 1:
        raise Fault("BIZ_GENERIC_ERROR", "windows and turn-downs are contracts of their own", f"{path}.commitments")
    if len({one.commitment_id for one in asked}) < len(asked) or len({one.site_id for one in asked}) < len(asked):
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "two commitments have one id or one resource", path)
    return asked


def _read_commitment(told: Mapping[str, Any], path: str) -> Asked:
    resources = told["resources"]
    if len(resources) != 1:
        raise Fault("SCH_SCHEMA_VALIDATION_FAILED", "a commitment is about one resource", f"{path}.resources")
    try:
        product, site_id = parse_resource_id(resources[0]["id"])
    except ValueError as error:
        raise Fault("BIZ_ITEM_NOT_FOUND", str(error), f"{path}.resources[0].id") from error
    _require_offer(told["offer"]["id"], resources[0]["id"], f"{path}.offer.id")
    here = f"{path}.commitmentAttributes"
    if "commitmentAttributes" not in told:
        raise Fault("SCH_REQUIRED_FIELD_MISSING", "it says how much is asked for in which half-hours", here)
    grid = read_grid(told["commitmentAttributes"], here, ("CAPACITY_REQUESTED", "CAPACITY_OFFERED"))
    column = "CAPACITY_REQUESTED" if "CAPACITY_REQUESTED" in grid.columns else "CAPACITY_OFFERED"
    figures = tuple(figure if figure is not None else ZERO for figure in grid.figures(column))
    if not any(figures):
        raise Fault("BIZ_QUANTITY_UNAVAILABLE", "nothing is asked for in any half-hour", here)
    commitment_id = str(told.get("id") or uuid.uuid5(uuid.NAMESPACE_URL, resources[0]["id"]))
    return Asked(commitment_id, product, site_id, grid.start, figures)


def _require_offer(offer_id: str, resource_id: str, path: str) -> None:
    try:
        _, named = parse_offer_id(offer_id)
    except ValueError as error:
        raise Fault("BIZ_OFFER_NOT_FOUND", str(error), path) from error
    if named != resource_id:
        raise Fault("BIZ_OFFER_NOT_FOUND", "the offer is of another resource", path)


def require_agreed(wire: Mapping[str, Any], items: Sequence[Item], path: str = "$.message.contract") -> None:
    """Return if what a buyer sends back is what it was quoted.

    :raises Fault: ``BIZ_QUOTE_EXPIRED_OR_CHANGED`` for other offers or half-hours, ``BIZ_PRICE_MISMATCH``.
    """
    quoted = {item.resource_id: item for item in items}
    for number, told in enumerate(wire["commitments"]):
        here = f"{path}.commitments[{number}]"
        asked = _read_commitment(told, here)
        item = quoted.pop(f"{asked.product.value}.{asked.site_id}", None)
        if item is None or told["offer"]["id"] != item.offer_id:
            raise Fault("BIZ_QUOTE_EXPIRED_OR_CHANGED", "that offer was not quoted to you last", f"{here}.offer.id")
        if asked.starts != item.starts or asked.kw != tuple(line.kw for line in item.lines):
            raise Fault("BIZ_QUOTE_EXPIRED_OR_CHANGED", "other half-hours or kW were quoted to you", here)
        _require_price(told["resources"][0], item, f"{here}.resources[0].resourceAttributes")
    if quoted:
        raise Fault("BIZ_QUOTE_EXPIRED_OR_CHANGED", "a commitment that was quoted is missing", path)


def _require_price(told: Mapping[str, Any], item: Item, path: str) -> None:
    """Prices that are sent back are those that were quoted."""
    if told.get("resourceAttributes") is None:
        return
    grid = read_grid(told["resourceAttributes"], path)
    prices = grid.figures("PRICE") if "PRICE" in grid.columns else None
    if prices is not None and (grid.start != item.starts or prices != tuple(line.price for line in item.lines)):
        raise Fault("BIZ_PRICE_MISMATCH", "other prices were quoted to you", path)


def buyer_of(wire: Mapping[str, Any], fallback: str) -> str:
    """Who takes the buyer's role by the contract's attributes; the peer itself where it names nobody."""
    for role in (wire.get("contractAttributes") or {}).get("roles") or ():
        if isinstance(role, Mapping) and role.get("role") == "buyer" and isinstance(role.get("participantId"), str):
            return str(role["participantId"])[:255]
    return fallback


def quoted_until(contract: Contract, hold: timedelta) -> datetime:
    """Until when the offer in a contract holds."""
    return contract.held_until or contract.updated_at + hold
