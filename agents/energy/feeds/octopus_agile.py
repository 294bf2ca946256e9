"""Octopus Agile: half-hourly import and export prices and standing charges of the 14 GB regions.

API: https://docs.octopus.energy/rest/. Prices are published between 16:00 and 20:00 local for the day that begins at
23:00, each day of 46, 48 or 50 half-hours. A product that is retired (gone, or without prices for the present) is
replaced by the one that is on sale, and a finding says so.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import numpy as np

from agents.energy.feed import Ask, Declaration, Feed, Fetched, Finding, Flag
from agents.energy.feeds.octopus_api import HOME, LICENCE, LIMITS
from agents.energy.feeds.octopus_tariff import Found, Tariff, Wanted, gaps
from agents.energy.reading import findings_at, series_at
from agents.energy.tariff import with_vat_gbp
from agents.energy.zones import GB, REGIONS, price_region
from core.halfhours import agile_known_until, slot_index
from core.series import FloatArray, Kind
from core.settings import Settings
from core.vintage import UNITS, Quantity

ATTRIBUTION = "Electricity prices: Octopus Energy API, Agile tariff, © Octopus Energy"
STANDING_PERIOD = timedelta(hours=12)
"""A standing charge changes a few times a year."""
STANDING_FOR = timedelta(days=7)
FIRST_HISTORY = timedelta(days=28)
"""What a forecast is fitted to before a backfill."""


class OctopusAgileFeed:
    """The feed ``octopus-agile``: import prices with VAT of the 14 ``GB-<letter>``, and of ``GB`` as London.

    :param product: product code; None for the one that is on sale.
    """

    def __init__(self, base_url: str, product: str | None) -> None:
        self._tariff = Tariff(base_url.rstrip("/"), "IMPORT", product, "OCTOPUS_PRODUCT")

    @property
    def declaration(self) -> Declaration:
        return Declaration(
            name="octopus-agile",
            title="Octopus Agile, import",
            home=HOME,
            licence=LICENCE,
            attribution=ATTRIBUTION,
            host=urlsplit(self._tariff.base_url).netloc,
            quantities=("price",),
            units="p/kWh before VAT; used as GBP/kWh with the VAT of each slot",
            limits=LIMITS,
            done=(
                "unit rates of all 14 regions, now and of the products of the past",
                "the product on sale, and the change to it when one is retired",
                "regions by postcode",
            ),
            exempt=(
                "meters and consumption: Slackwater has no account of its users there",
                "tariffs with day and night registers: they are not half-hourly",
            ),
            first_history=FIRST_HISTORY,
            published_until=agile_known_until,
        )

    def serves(self, zone: str) -> bool:
        """Whether the zone is Great Britain or one of its 14 regions."""
        return _serves(zone)

    def fetch(self, ask: Ask) -> Fetched:
        """Published prices: settled, negative ones too."""
        found = self._tariff.found(Wanted(ask, price_region(ask.zone).letter, "price"))
        prices = with_vat_gbp(found.rates.exc_vat_p, found.rates.index)
        return _fetched(ask, found, "price", prices, "Octopus Agile")


class OctopusExportFeed:
    """The feed ``octopus-export``: what exported power is paid, without VAT and never below 0, in the same zones."""

    def __init__(self, base_url: str, product: str | None) -> None:
        self._tariff = Tariff(base_url.rstrip("/"), "EXPORT", product, "OCTOPUS_EXPORT_PRODUCT")

    @property
    def declaration(self) -> Declaration:
        return Declaration(
            name="octopus-export",
            title="Octopus Agile Outgoing, export",
            home=HOME,
            licence=LICENCE,
            attribution=ATTRIBUTION,
            host=urlsplit(self._tariff.base_url).netloc,
            quantities=("export_price",),
            units="p/kWh; used as GBP/kWh",
            limits=LIMITS,
            done=("unit rates of all 14 regions",),
            published_until=agile_known_until,
        )

    def serves(self, zone: str) -> bool:
        """Whether the zone is Great Britain or one of its 14 regions."""
        return _serves(zone)

    def fetch(self, ask: Ask) -> Fetched:
        """Published prices: settled. Nobody pays for exporting, so a negative one counts as 0, and is noted."""
        found = self._tariff.found(Wanted(ask, price_region(ask.zone).letter, "export_price"))
        paid = np.maximum(found.rates.exc_vat_p, 0.0) / 100
        negative = found.rates.index[found.rates.exc_vat_p < 0]
        noted = findings_at(Flag.OUTLIER, "export_price", negative, "{count} negative export prices count as 0.")
        return _fetched(ask, found, "export_price", paid, "Octopus Agile", noted)


class OctopusStandingFeed:
    """The feed ``octopus-standing``: standing charges with VAT of the product whose prices are used."""

    def __init__(self, base_url: str, product: str | None) -> None:
        self._tariff = Tariff(base_url.rstrip("/"), "IMPORT", product, "OCTOPUS_PRODUCT")

    @property
    def declaration(self) -> Declaration:
        return Declaration(
            name="octopus-standing",
            title="Octopus Agile, standing charge",
            home=HOME,
            licence=LICENCE,
            attribution=ATTRIBUTION,
            host=urlsplit(self._tariff.base_url).netloc,
            quantities=("standing_charge",),
            units="p/day before VAT; used as GBP/day with the VAT of each slot",
            limits=LIMITS,
            done=("standing charges of all 14 regions",),
            least_period=STANDING_PERIOD,
            use_for=STANDING_FOR,
        )

    def serves(self, zone: str) -> bool:
        """Whether the zone is Great Britain or one of its 14 regions."""
        return _serves(zone)

    def fetch(self, ask: Ask) -> Fetched:
        """The charge of a day, in each of its slots; beyond the present a charge without an end is a forecast."""
        found = self._tariff.found(Wanted(ask, price_region(ask.zone).letter, "standing_charge"))
        charges = with_vat_gbp(found.rates.exc_vat_p, found.rates.index)
        return _fetched(ask, found, "standing_charge", charges, "Octopus Agile standing charge")


def _serves(zone: str) -> bool:
    return zone == GB or zone in REGIONS


def _fetched(
    ask: Ask, found: Found, quantity: Quantity, values: FloatArray, title: str, noted: tuple[Finding, ...] = ()
) -> Fetched:
    """The series of ``values`` (n,), one for each rate found. A rate that may be changed is settled up to now only."""
    region = price_region(ask.zone)
    source = f"{title} {' + '.join(found.codes)} region {region.letter}" + (f" ({region.name})" * (ask.zone == GB))
    held = found.rates
    open_ahead = held.until_changed & (held.index > slot_index(ask.now))
    kinds = np.where(open_ahead, Kind.FORECAST, Kind.SETTLED).astype(np.int8)
    series = series_at(held.index, values, kinds, UNITS[quantity], source, ask.now)
    return Fetched({quantity: series}, (*found.findings, *gaps(ask, quantity, held.index), *noted))


def feeds(settings: Settings) -> tuple[Feed, ...]:
    """The feeds of this module."""
    return (
        OctopusAgileFeed(settings.octopus_url, settings.octopus_product),
        OctopusExportFeed(settings.octopus_url, settings.octopus_export_product),
        OctopusStandingFeed(settings.octopus_url, settings.octopus_product),
    )
