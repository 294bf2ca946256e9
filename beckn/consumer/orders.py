"""What a purchase was asked for, and the catalogs that it chooses from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from beckn.consumer.choosing import Wanted
from beckn.consumer.legs import Tools
from beckn.consumer.lots import Listing, listings, provider_of
from beckn.packs.site import Place
from beckn.protocol.body import read_body
from core.purchases import Purchase
from core.slots import format_utc


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase as it was asked for.

    :param places: sites, zones or countries that will do; empty: anywhere.
    :param tolerance: share by which a leg's price may rise above the one it was chosen at.
    """

    wanted: Wanted
    places: tuple[str, ...] = ()
    tolerance: Decimal = Decimal(0)

    def takes(self, place: Place) -> bool:
        """Whether a site will do."""
        return not self.places or not {place.site_id, place.zone, place.region}.isdisjoint(self.places)

    def written(self) -> dict[str, Any]:
        """For the store."""
        wanted = self.wanted
        return {
            "kw": str(wanted.kw),
            "half_hours": wanted.count,
            "earliest": format_utc(wanted.earliest),
            "latest": format_utc(wanted.latest),
            "contiguous": wanted.contiguous,
            "max_price": None if wanted.max_price is None else str(wanted.max_price),
            "max_carbon": None if wanted.max_carbon is None else str(wanted.max_carbon),
            "carbon_price": str(wanted.carbon_price),
            "partial": wanted.partial,
            "places": list(self.places),
            "tolerance": str(self.tolerance),
        }

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Order:
        """What :meth:`written` wrote."""
        wanted = Wanted(
            kw=Decimal(told["kw"]),
            count=told["half_hours"],
            earliest=datetime.fromisoformat(told["earliest"]),
            latest=datetime.fromisoformat(told["latest"]),
            contiguous=told["contiguous"],
            max_price=None if told["max_price"] is None else Decimal(told["max_price"]),
            max_carbon=None if told["max_carbon"] is None else Decimal(told["max_carbon"]),
            carbon_price=Decimal(told["carbon_price"]),
            partial=told["partial"],
        )
        return cls(wanted, tuple(told["places"]), Decimal(told["tolerance"]))


def listings_seen(tools: Tools, purchase: Purchase, discovery_id: str | None) -> dict[tuple[str, str, str], Listing]:
    """The compute windows of the catalogs that came in time; of one that came twice the later."""
    numbers, peers = set(purchase.document["catalogs"]), purchase.document.get("peers", {})
    found: dict[tuple[str, str, str], Listing] = {}
    for message in tools.messages.of_transaction(purchase.purchase_id):
        if message.number not in numbers:
            continue
        for catalog in (read_body(message.body).get("message") or {}).get("catalogs") or ():
            owner = provider_of(catalog, message.peer_id, discovery_id)
            if owner is not None and owner in peers:
                found |= {each.key: each for each in listings(catalog, owner, peers[owner])}
    return found
