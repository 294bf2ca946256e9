"""The catalog of what is for sale: one resource and one offer per site and product, one grid over the horizon.

Half-hours in which nothing is for sale have a capacity of 0, so that every grid is the whole horizon. Carbon travels
beside the terms, as an object of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beckn.models import Certificate
from beckn.packs import compute_window, turn_down
from beckn.packs.compute_window import ComputeWindow
from beckn.packs.contracts import Seller, catalog, contract_attributes, offer, offer_id_of, own_policy, resource
from beckn.packs.forms import CARBON_KINDS, PRICE_KINDS
from beckn.packs.grid import Column, Grid, decimals
from beckn.packs.site import Carbon, Place, Shown, most
from beckn.packs.turn_down import Baseline, TurnDown
from core.series import Kind
from core.site import Site
from core.trade import Product

Floats = NDArray[np.float64]
_KW_PLACES = 3
_PRICE_PLACES = 5
_CARBON_PLACES = 1
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class ShelfSite:
    """A site as a buyer sees it: WGS 84 degrees, ISO 3166-1 country."""

    site_id: str
    name: str
    latitude: float
    longitude: float
    zone: str
    country: str
    hardware: str | None = None

    @classmethod
    def of(cls, site: Site) -> ShelfSite:
        """What a buyer may know of a site."""
        held = ", ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in site.hardware.model_dump().items() if count
        )
        place = site.site_id, site.name, site.latitude, site.longitude, site.zone, site.country
        return cls(*place, hardware=held or None)

    @property
    def place(self) -> Place:
        """As it travels."""
        return Place(self.site_id, self.zone, self.country, self.latitude, self.longitude)


@dataclass(frozen=True, slots=True)
class Goods:
    """One product over sites S and half-hours T.

    :param power_kw: (S, T) at the meter; NaN or 0 where nothing is for sale.
    :param price: (S, T) GBP/kWh, margin included; NaN where nothing is for sale. :param penalty: (S, T) GBP/kWh short.
    :param kinds: (S, T) codes of :class:`Kind`, of the price.
    """

    power_kw: Floats
    price: Floats
    penalty: Floats
    kinds: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What there is to sell from ``start``, by the plan of one round.

    :param goods: by product; a product that is not there is not sold.
    :param carbon: (S, T) g/kWh as planned, NaN where nothing is known; ``carbon_kinds`` are its kinds.
    :param avoided_kg: (S, T) kg that a turn-down of all that is offered is planned to avoid, where the load goes
        included; None where it was not reckoned. :param confidence: (S, T) of a turn-down, 0 to 1.
    :param certificate: of the plan. :param valid_until: until when its prices hold.
    :param longest: how long a turn-down may last on end.
    """

    start: datetime
    sites: Sequence[ShelfSite]
    goods: Mapping[Product, Goods]
    carbon: Floats
    carbon_kinds: NDArray[np.int8]
    confidence: Floats
    certificate: Certificate
    valid_until: datetime
    notice: timedelta
    longest: timedelta
    minimum_kw: float = 1.0
    avoided_kg: Floats | None = field(default=None)


_NAMES = {
    Product.COMPUTE_WINDOW: ("Compute windows", "Free headroom of a site, half-hour by half-hour"),
    Product.TURN_DOWN: ("Turn-down", "Load of a site that moves away, half-hour by half-hour"),
}


def resource_id_of(product: Product, site_id: str) -> str:
    """The id of a site's resource of a product."""
    return f"{product.value}.{site_id}"


def parse_resource_id(resource_id: str) -> tuple[Product, str]:
    """Product and site of a resource; :class:`ValueError` where it is none of this participant's."""
    name, _, site_id = resource_id.partition(".")
    if not site_id:
        raise ValueError(f"{resource_id[:130]!r} is no id of a resource")
    return Product(name), site_id


def catalogues(shelf: Shelf, base: str, seller: Seller) -> list[dict[str, Any]]:
    """One catalog per product that is on the shelf, in the order of :class:`Product`."""
    return [catalogue(shelf, product, base, seller) for product in Product if product in shelf.goods]


def catalogue(shelf: Shelf, product: Product, base: str, seller: Seller) -> dict[str, Any]:
    """The catalog of one product: a resource and an offer for each site that has any of it to sell.

    :param base: where this participant is reached.
    """
    name, short = _NAMES[product]
    policy = own_policy(base)
    terms = contract_attributes(None, seller.subscriber_id, policy)
    baseline = Baseline(shelf.certificate.tick_id, shelf.certificate.log_seq)
    resources: list[dict[str, Any]] = []
    offers: list[dict[str, Any]] = []
    for s, site in enumerate(shelf.sites):
        shown = _shown(shelf, shelf.goods[product], product, s)
        if shown is None:
            continue
        resource_id = resource_id_of(product, site.site_id)
        if product is Product.COMPUTE_WINDOW:
            least = min(Decimal(str(shelf.minimum_kw)), most(shown.grid))
            attributes = ComputeWindow(shown, least, most(shown.grid), site.hardware).wire(base)
            offered = compute_window.offer_attributes(base, seller.subscriber_id, terms)
        else:
            confidence = decimals(np.nan_to_num(shelf.confidence[s]), 3)
            attributes = TurnDown(shown, shelf.longest, confidence, baseline).wire(base)
            offered = turn_down.offer_attributes(base, seller.subscriber_id, terms, baseline)
        resources.append(resource(resource_id, f"{name}, {site.name}", short, attributes))
        offer_id = offer_id_of(shelf.certificate.tick_id, resource_id)
        offers.append(offer(offer_id, f"{name}, {site.name}", [resource_id], shelf.valid_until, offered))
    return catalog(f"{seller.subscriber_id}.{product.value}", name, short, seller, resources, offers)


def _shown(shelf: Shelf, goods: Goods, product: Product, s: int) -> Shown | None:
    """What a site shows; None where it has nothing to sell.

    Half-hours without power or price have a capacity and prices of 0.
    """
    power, price, penalty = goods.power_kw[s], goods.price[s], goods.penalty[s]
    kept = np.floor(np.where(np.isfinite(power), power, 0.0) * 10**_KW_PLACES) / 10**_KW_PLACES
    sold = (kept > 0) & np.isfinite(price) & np.isfinite(penalty) & (goods.kinds[s] != Kind.MISSING)
    if not sold.any():
        return None
    columns = {
        "CAPACITY_AVAILABLE": ("KW", kept, _KW_PLACES),
        "PRICE": ("GBP_PER_KWH", price, _PRICE_PLACES),
        "SHORTFALL_PENALTY": ("GBP_PER_KWH", penalty, _PRICE_PLACES),
    }
    grid = Grid(
        shelf.start,
        {
            name: Column.of(units, decimals(np.where(sold, figures, 0.0), places), "seller")
            for name, (units, figures, places) in columns.items()
        },
    )
    kinds = tuple(
        PRICE_KINDS[Kind(kind) if told else Kind.MISSING] for kind, told in zip(goods.kinds[s], sold, strict=True)
    )
    carbon = _carbon(shelf, product, s, sold)
    return Shown(shelf.sites[s].place, shelf.notice, grid, kinds, shelf.certificate, carbon)


def _carbon(shelf: Shelf, product: Product, s: int, sold: NDArray[np.bool_]) -> Carbon | None:
    """Carbon beside the terms; None where it is not known throughout."""
    intensity, kinds = shelf.carbon[s], shelf.carbon_kinds[s]
    if not np.isfinite(intensity).all() or (kinds == Kind.MISSING).any():
        return None
    columns = {"CARBON_INTENSITY": Column.of("G_PER_KWH", decimals(intensity, _CARBON_PLACES), "seller")}
    if product is Product.TURN_DOWN and shelf.avoided_kg is not None:
        avoided = np.where(sold & np.isfinite(shelf.avoided_kg[s]), shelf.avoided_kg[s], 0.0)
        columns["CARBON_AVOIDED"] = Column.of("KG", decimals(avoided, _CARBON_PLACES), "seller")
    return Carbon(Grid(shelf.start, columns), tuple(CARBON_KINDS[Kind(kind)] for kind in kinds))
