"""The catalogue as buyers see it, read back from the wire: one row a resource, one cell a half-hour."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from beckn.catalogue import parse_resource_id
from beckn.packs.grid import Grid, read_grid
from beckn.packs.settlement import HOURS
from beckn.packs.site import TERMS
from core.slots import SLOT
from core.trade import Product
from web.dues import figure, objects, part
from web.pages.heatmap import STEPS

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Cell:
    """One half-hour of a resource: kW for sale, prices per kWh, what buyers are told beside.

    :param step: shade of the strip, 0 where nothing is for sale, to 8.
    """

    start: datetime
    kw: Decimal
    price: Decimal
    penalty: Decimal
    price_kind: str
    confidence: Decimal | None
    carbon_g_per_kwh: Decimal | None
    carbon_kind: str | None
    step: int

    @property
    def sold(self) -> bool:
        """Whether anything is for sale."""
        return self.kw > 0


@dataclass(frozen=True, slots=True)
class Shelved:
    """A resource of the catalogue, as it is offered."""

    resource_id: str
    offer_id: str | None
    site_id: str
    product: Product
    notice: timedelta | None
    valid_until: str | None
    log_seq: int | None
    gap: float | None
    cells: tuple[Cell, ...]
    wire: Mapping[str, Any]

    @property
    def ends(self) -> datetime:
        """Of its last half-hour."""
        return self.cells[-1].start + SLOT

    @property
    def sold(self) -> tuple[Cell, ...]:
        """The half-hours that are for sale."""
        return tuple(cell for cell in self.cells if cell.sold)

    @property
    def most_kw(self) -> Decimal:
        """Of any half-hour."""
        return max((cell.kw for cell in self.cells), default=_ZERO)

    @property
    def energy_kwh(self) -> Decimal:
        """Of all that is for sale."""
        return sum((cell.kw * HOURS for cell in self.cells), _ZERO)

    @property
    def prices(self) -> tuple[Decimal, Decimal] | None:
        """Lowest and highest."""
        prices = [cell.price for cell in self.sold]
        return (min(prices), max(prices)) if prices else None

    @property
    def confidences(self) -> tuple[Decimal, Decimal] | None:
        """Lowest and highest, of a turn-down."""
        told = [cell.confidence for cell in self.sold if cell.confidence is not None]
        return (min(told), max(told)) if told else None

    @property
    def price_kinds(self) -> list[str]:
        """Each kind of price once."""
        return list(dict.fromkeys(cell.price_kind for cell in self.sold))

    @property
    def carbon_kinds(self) -> list[str]:
        """Each kind of carbon figure once."""
        return list(dict.fromkeys(cell.carbon_kind for cell in self.sold if cell.carbon_kind))


def shelved(catalogues: Sequence[Mapping[str, Any]]) -> list[Shelved]:
    """What catalogues offer, in their order; :class:`beckn.protocol.faults.Fault` where one is not as its pack says."""
    found = []
    for catalogue in catalogues:
        offers = {
            resource_id: offer
            for offer in objects(catalogue.get("offers"))
            for resource_id in offer.get("resourceIds", ())
        }
        for resource in objects(catalogue.get("resources")):
            found.append(_shelved(resource, offers.get(resource["id"], {})))
    return found


def _shelved(resource: Mapping[str, Any], offer: Mapping[str, Any]) -> Shelved:
    attributes = resource["resourceAttributes"]
    product, site_id = parse_resource_id(resource["id"])
    terms = read_grid(attributes, "$.resourceAttributes", TERMS)
    carbon = read_grid(attributes["carbon"], "$.resourceAttributes.carbon") if attributes.get("carbon") else None
    return Shelved(
        resource_id=resource["id"],
        offer_id=offer.get("id"),
        site_id=site_id,
        product=product,
        notice=_duration(attributes.get("notice")),
        valid_until=part(offer, "validity", "endDate"),
        log_seq=part(attributes, "certificate", "logSeq"),
        gap=part(attributes, "certificate", "gap"),
        cells=_cells(terms, carbon, attributes),
        wire=resource,
    )


def _cells(terms: Grid, carbon: Grid | None, attributes: Mapping[str, Any]) -> tuple[Cell, ...]:
    powers, prices, penalties = ([value or _ZERO for value in terms.figures(name)] for name in TERMS)
    most = max(powers, default=_ZERO)
    confidence = attributes.get("confidence") or [None] * len(terms)
    intensity = carbon.figures("CARBON_INTENSITY") if carbon else (None,) * len(terms)
    carbon_kinds = attributes["carbon"]["kinds"] if carbon else [None] * len(terms)
    return tuple(
        Cell(
            start=terms.start + SLOT * i,
            kw=powers[i],
            price=prices[i],
            penalty=penalties[i],
            price_kind=attributes["priceKinds"][i],
            confidence=figure(confidence[i]),
            carbon_g_per_kwh=intensity[i],
            carbon_kind=carbon_kinds[i],
            step=0 if not most or not powers[i] else 1 + min(STEPS - 2, int(powers[i] / most * (STEPS - 1))),
        )
        for i in range(len(terms))
    )


def _duration(text: Any) -> timedelta | None:
    """A duration in days, hours, minutes and seconds."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    days, hours, minutes, seconds = (int(group or 0) for group in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
