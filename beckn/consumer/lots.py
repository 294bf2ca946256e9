"""What providers' catalogs offer, half-hour by half-hour: the lots that a purchase chooses from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from loguru import logger

from beckn.packs import compute_window
from beckn.packs.compute_window import ComputeWindow, read_compute_window
from beckn.packs.reading import instant, mapping
from beckn.protocol.faults import Fault
from core.slots import SLOT

CURRENCY = "GBP"


@dataclass(frozen=True, slots=True)
class Lot:
    """Power that one resource offers in one half-hour.

    :param peer_id: of the provider. :param minimum_kw: the least that may be taken. :param available_kw: the most.
    :param price: and :param penalty: GBP/kWh. :param carbon: g/kWh; None where it is not told.
    """

    peer_id: str
    offer_id: str
    resource_id: str
    site_id: str
    starts: datetime
    minimum_kw: Decimal
    available_kw: Decimal
    price: Decimal
    penalty: Decimal
    carbon: Decimal | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A resource of a catalog with the offer that sells it, as both came.

    :param uri: where the provider is asked.
    """

    peer_id: str
    uri: str
    resource: Mapping[str, Any]
    offer: Mapping[str, Any]
    window: ComputeWindow
    valid_until: datetime | None

    @property
    def key(self) -> tuple[str, str, str]:
        """By which a lot finds it."""
        return self.peer_id, self.offer["id"], self.resource["id"]

    def lots(self) -> Iterator[Lot]:
        """What it offers in each half-hour where it offers anything."""
        shown = self.window.shown
        columns = [shown.grid.figures(name) for name in ("CAPACITY_AVAILABLE", "PRICE", "SHORTFALL_PENALTY")]
        carbon = None if shown.carbon is None else shown.carbon.grid.columns.get("CARBON_INTENSITY")
        for i, (power, price, penalty) in enumerate(zip(*columns, strict=True)):
            if power is None or price is None or penalty is None or power <= 0 or shown.price_kinds[i] == "none":
                continue
            kinds = (shown.price_kinds[i], *(() if shown.carbon is None else (shown.carbon.kinds[i],)))
            yield Lot(
                peer_id=self.peer_id,
                offer_id=self.offer["id"],
                resource_id=self.resource["id"],
                site_id=shown.place.site_id,
                starts=shown.grid.start + SLOT * i,
                minimum_kw=min(self.window.minimum_kw, power),
                available_kw=power,
                price=price,
                penalty=penalty,
                carbon=None if carbon is None else carbon.figures[i],
                kinds=tuple(dict.fromkeys(kinds)),
            )


def provider_of(catalog: Mapping[str, Any], sender_id: str, discovery_id: str | None) -> str | None:
    """Whose a catalog is; None where its sender may not speak for whom it names.

    A provider speaks for itself, a discovery service for others.
    """
    named = catalog.get("bppId")
    owner = named if isinstance(named, str) and named else sender_id
    if sender_id == discovery_id:
        return None if owner == discovery_id else owner
    return owner if owner == sender_id else None


def listings(catalog: Mapping[str, Any], peer_id: str, uri: str) -> list[Listing]:
    """The compute windows of a catalog in GBP; what cannot be read is passed over and said in the server's log."""
    resources = {each["id"]: each for each in catalog.get("resources") or ()}
    found = []
    for i, offer in enumerate(catalog.get("offers") or ()):
        attributes = offer.get("offerAttributes")
        if not isinstance(attributes, Mapping) or attributes.get("@type") != compute_window.OFFER_KIND:
            continue
        for resource_id in offer.get("resourceIds") or ():
            try:
                found.append(_listing(resources.get(resource_id), offer, peer_id, uri))
            except Fault as fault:
                logger.warning("offer {} of {} is passed over: {} {}", i, peer_id, fault.path or "", fault)
    return found


def _listing(resource: Any, offer: Mapping[str, Any], peer_id: str, uri: str) -> Listing:
    found = mapping(resource, "$.resources")
    window = read_compute_window(found.get("resourceAttributes"), "$.resourceAttributes")
    compute_window.read_offer(offer["offerAttributes"], "$.offerAttributes")
    if window.shown.grid.columns["PRICE"].units != f"{CURRENCY}_PER_KWH":
        raise Fault("SCH_ATTRIBUTE_PACK_INVALID", f"its prices are not in {CURRENCY}")
    validity = offer.get("validity")
    told = isinstance(validity, Mapping) and validity.get("endDate") is not None
    until = instant(mapping(validity, "$.validity"), "endDate", "$.validity") if told else None
    return Listing(peer_id, uri, found, offer, window, until)
