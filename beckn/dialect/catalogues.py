"""What is for sale, in the dialect of 2025: each half-hour of a window an item of its own, each turn-down one.

Windows come soonest first, and at most :data:`MOST_ITEMS` of them. The filters of the dialect are over these items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from beckn.dialect.words import COMPUTE, CORE, DEMAND, bag, descriptor, inner_bag, plain
from beckn.filters import select
from beckn.models import slot_id_of
from beckn.packs import compute_window
from beckn.packs.contracts import offer_id_of
from beckn.packs.grid import CARBON_COLUMNS, Grid, read_grid, wire_number
from beckn.packs.reading import mapping
from beckn.packs.site import TERMS, iso_duration
from core.slots import SLOT, format_utc

MOST_ITEMS = 500
NEAR_M = 50_000
"""how far from a point is near it, where a search names a point and no operation"""
_KILO = Decimal(1000)
_NAMES = {
    True: ("Grid flexibility windows", "Free headroom of compute sites, half-hour by half-hour"),
    False: ("Flexible load of compute sites", "Load that can be turned down, by site"),
}


def write_catalogs(catalogs: Sequence[Mapping[str, Any]], request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Catalogs of version 2 in the dialect, with what ``request``, a message of the dialect, asks for.

    :raises Fault: ``SCH_``, where the request's filters cannot be read.
    """
    found = [each for each in map(_catalog, catalogs) if each["beckn:items"]]
    intent = _intent(request)
    if not intent:
        return found
    kept = {
        resource["id"] for part in select(intent, [_shown(each) for each in found]) for resource in part["resources"]
    }
    return [each for each in (_only(each, kept) for each in found) if each["beckn:items"]]


def _intent(request: Mapping[str, Any]) -> dict[str, Any]:
    """The intent of version 2 that means the same over items."""
    told = request.get("intent") if isinstance(request.get("intent"), Mapping) else request
    words = plain(told)
    intent = {
        "textSearch": words.get("text_search", words.get("textSearch")),
        "filters": words.get("filters"),
        "spatial": words.get("spatial"),
    }
    if isinstance(intent["spatial"], list):
        intent["spatial"] = [_constraint(each) if isinstance(each, Mapping) else each for each in intent["spatial"]]
    return {name: value for name, value in intent.items() if value}


def _constraint(told: Mapping[str, Any]) -> dict[str, Any]:
    """A constraint that says by which operation it holds: near a point, or in an area."""
    if told.get("op") is not None:
        return dict(told)
    geometry = told.get("geometry")
    if isinstance(geometry, Mapping) and geometry.get("type") == "Point":
        return {"distanceMeters": NEAR_M, **told, "op": "S_DWITHIN"}
    return {**told, "op": "S_INTERSECTS"}


def _shown(catalog: Mapping[str, Any]) -> dict[str, Any]:
    """A catalog as :mod:`beckn.filters` searches it; its items keep their own names beside."""
    resources = [
        {**item, "id": item["beckn:id"], "descriptor": plain(item["beckn:descriptor"])}
        for item in catalog["beckn:items"]
    ]
    words = plain(catalog)
    return {"id": words["id"], "descriptor": words["descriptor"], "resources": resources, "offers": []}


def _only(catalog: dict[str, Any], kept: set[str]) -> dict[str, Any]:
    items = [item for item in catalog["beckn:items"] if item["beckn:id"] in kept]
    offers = [offer for offer in catalog["beckn:offers"] if kept & set(offer["beckn:items"])]
    return {**catalog, "beckn:items": items, "beckn:offers": offers}


def _catalog(told: Mapping[str, Any]) -> dict[str, Any]:
    """A catalog; its items and offers by product."""
    offers = {offer["resourceIds"][0]: offer for offer in told.get("offers") or ()}
    found: list[tuple[datetime, dict[str, Any], dict[str, Any]]] = []
    windows = False
    for resource in told.get("resources") or ():
        attributes = resource["resourceAttributes"]
        windows = attributes["@type"] == compute_window.KIND
        write = _windows if windows else _turn_down
        found += write(resource, attributes, offers[resource["id"]], told["provider"]["id"])
    found = sorted(found, key=lambda each: each[0])[:MOST_ITEMS]
    return {
        "@context": CORE,
        "@type": "beckn:Catalog",
        "beckn:id": told["id"],
        "beckn:descriptor": descriptor(*_NAMES[windows]),
        "beckn:provider": bag(
            "Provider",
            CORE,
            id=told["provider"]["id"],
            descriptor=descriptor(told["provider"]["descriptor"]["name"], "Compute that waits for clean power"),
        ),
        "beckn:items": [item for _, item, _ in found],
        "beckn:offers": [offer for _, _, offer in found],
    }


_Written = list[tuple[datetime, dict[str, Any], dict[str, Any]]]


def _grids(attributes: Mapping[str, Any]) -> tuple[Grid, Sequence[Decimal | None], Sequence[str | None]]:
    """What is for sale, and carbon with its kinds; None where it is not known."""
    grid, carbon = read_grid(attributes, "$", TERMS), attributes.get("carbon")
    if carbon is None:
        return grid, [None] * len(grid), [None] * len(grid)
    return grid, read_grid(carbon, "$.carbon", CARBON_COLUMNS).figures("CARBON_INTENSITY"), carbon["kinds"]


def _windows(
    resource: Mapping[str, Any], attributes: Mapping[str, Any], offer: Mapping[str, Any], provider: str
) -> _Written:
    """An item and an offer for each half-hour with headroom."""
    grid, carbon, carbon_kinds = _grids(attributes)
    tick_id = offer["id"].partition("@")[2]
    found: _Written = []
    for i, (free, price) in enumerate(zip(grid.figures("CAPACITY_AVAILABLE"), grid.figures("PRICE"), strict=True)):
        if not free or price is None:
            continue
        starts = grid.start + SLOT * i
        slot_id = slot_id_of(attributes["siteId"], starts)
        name = f"{resource['descriptor']['name']}, {starts:%Y-%m-%d %H:%M} UTC"
        pricing = {"spotPrice": wire_number(price), "currency": "GBP", "unit": "per_kWh"}
        window = bag(
            "ComputeEnergyWindow",
            COMPUTE,
            slotId=slot_id,
            gridParameters=grid_parameters(attributes, resource, carbon[i], carbon_kinds[i]),
            timeWindow={"start": format_utc(starts), "end": format_utc(starts + SLOT), "duration": iso_duration(SLOT)},
            capacityParameters={
                "availableCapacity": wire_number(free / _KILO),
                "reservedCapacity": 0,
                "capacityUnit": "MW",
            },
            pricingParameters={**pricing, "priceKind": attributes["priceKinds"][i]},
        )
        item = _item(slot_id, name, resource, window)
        terms = bag("ComputeEnergyPricing", COMPUTE, unit="per_kWh", priceStability="stable")
        found.append((starts, item, _offer(offer_id_of(tick_id, slot_id), slot_id, provider, offer, price, terms)))
    return found


def grid_parameters(
    attributes: Mapping[str, Any], resource: Mapping[str, Any], carbon: Decimal | None, kind: str | None
) -> dict[str, Any]:
    """Where a window is, and how clean its power; the share of renewables is not known here and not told."""
    told: dict[str, Any] = {
        "gridArea": resource["descriptor"]["name"].partition(", ")[2] or attributes["siteId"],
        "gridZone": attributes["zone"],
    }
    if carbon is not None:
        told |= {"carbonIntensity": wire_number(carbon), "carbonIntensityUnit": "gCO2/kWh"}
        if kind is not None:
            told["carbonIntensityKind"] = kind
    return told


def _turn_down(
    resource: Mapping[str, Any], attributes: Mapping[str, Any], offer: Mapping[str, Any], provider: str
) -> _Written:
    """One item with what can be turned down; its price is the least of any half-hour, and firm once selected."""
    grid, _, _ = _grids(attributes)
    movable = {grid.start + SLOT * i: kw for i, kw in enumerate(grid.figures("CAPACITY_AVAILABLE")) if kw}
    prices = [price for price, kw in zip(grid.figures("PRICE"), grid.figures("CAPACITY_AVAILABLE"), strict=True) if kw]
    starts = min(movable)
    flexible = bag(
        "DemandFlexibilityResource",
        DEMAND,
        consumerId=attributes["siteId"],
        subscriptionStatus="active",
        participantCapabilities={
            "participantType": ["data_centre"],
            "loadCapacity": {
                "min": 0,
                "max": wire_number(max(movable.values())),
                "unit": "kW",
                "currentAvailable": wire_number(movable[starts]),
            },
            "controlType": "automated",
        },
        availabilityParameters={
            "currentAvailability": True,
            "availableFrom": format_utc(starts),
            "availableUntil": format_utc(max(movable) + SLOT),
            "maxDuration": attributes["maximumDuration"],
            "operationalConstraints": {"minimumNotice": attributes["notice"]},
        },
        baselineData={"baselineMethod": attributes["baselineMethodology"]["method"]},
    )
    item = _item(resource["id"], resource["descriptor"]["name"], resource, flexible)
    least = min(price for price in prices if price is not None)
    terms = bag("DemandFlexibilityPricing", DEMAND, unit="per_kWh", priceStability="indicative")
    return [(starts, item, _offer(offer["id"], resource["id"], provider, offer, least, terms))]


def _item(item_id: str, name: str, resource: Mapping[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    geo = resource["resourceAttributes"]["location"]["geo"]
    place = {"@type": "beckn:Location", "geo": geo}
    return {
        **bag("Item", CORE, id=item_id, descriptor=descriptor(name, resource["descriptor"]["shortDesc"])),
        "beckn:availableAt": [place],
        "beckn:itemAttributes": attributes,
    }


def _offer(
    offer_id: str, item_id: str, provider: str, offer: Mapping[str, Any], price: Decimal, terms: dict[str, Any]
) -> dict[str, Any]:
    return {
        **bag("Offer", CORE, id=offer_id, descriptor=descriptor(offer["descriptor"]["name"], "per half-hour")),
        "beckn:provider": provider,
        "beckn:items": [item_id],
        "beckn:validity": {"@type": "beckn:TimePeriod", "schema:endDate": offer["validity"]["endDate"]},
        "beckn:price": {"value": str(price), "currency": "GBP"},
        "beckn:offerAttributes": terms,
    }


def read_catalogs(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Catalogs of others, without prefixes, in the words of version 2."""
    return [_read_catalog(mapping(each, "$.message.catalogs")) for each in told.get("catalogs") or ()]


def _read_catalog(told: Mapping[str, Any]) -> dict[str, Any]:
    provider = told.get("provider")
    named = provider if isinstance(provider, Mapping) else {"id": provider or told.get("id")}
    return {
        "id": str(told.get("id")),
        "descriptor": _words(told),
        "provider": {"id": str(named.get("id")), "descriptor": _words(named)},
        "resources": [
            {"id": str(item.get("id")), "descriptor": _words(item), "resourceAttributes": _typed(item)}
            for item in told.get("items") or ()
        ],
        "offers": [
            {"id": str(offer.get("id")), "resourceIds": offer.get("items") or [], "descriptor": _words(offer)}
            for offer in told.get("offers") or ()
        ],
    }


def _typed(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"@context": COMPUTE, "@type": "Item", **inner_bag(item, "itemAttributes")}


def _words(told: Mapping[str, Any]) -> dict[str, Any]:
    found = inner_bag(told, "descriptor")
    return {name: found[name] for name in ("name", "shortDesc") if isinstance(found.get(name), str)}
