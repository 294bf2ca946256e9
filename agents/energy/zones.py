"""Grid zones that Slackwater has figures for, and how the names of the feeds map to them.

GB regions carry three names: the grid supply point group of the electricity market (a letter, used by Octopus), the
region number of the Carbon Intensity API (joined by the network operator's name), and the zone ``GB-<letter>``.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import NotFound

GB = "GB"
NATIONAL_PRICE_LETTER = "C"
"""There is no national retail tariff: the zone ``GB`` shows London's, and its source says so."""


@dataclass(frozen=True, slots=True)
class GbRegion:
    """One of the 14 regions.

    :param letter: grid supply point group.
    :param carbon_region_id: number in the Carbon Intensity API.
    :param distribution: Agile's multiplier D of the wholesale price.
    :param peak_adder_p: Agile's adder P on 16:00 to 19:00 local time, p/kWh before VAT.
    """

    letter: str
    carbon_region_id: int
    distribution: float
    peak_adder_p: float
    name: str

    @property
    def zone(self) -> str:
        return f"{GB}-{self.letter}"


@dataclass(frozen=True, slots=True)
class Zone:
    """A grid zone: ``country`` is ISO 3166-1 alpha-2."""

    zone: str
    country: str
    name: str


_REGIONS = (
    GbRegion("A", 10, 2.1, 13, "Eastern England"),
    GbRegion("B", 9, 2.0, 14, "East Midlands"),
    GbRegion("C", 13, 2.0, 12, "London"),
    GbRegion("D", 6, 2.2, 13, "Merseyside and North Wales"),
    GbRegion("E", 8, 2.1, 12, "West Midlands"),
    GbRegion("F", 4, 2.1, 12, "North East England"),
    GbRegion("G", 3, 2.1, 12, "North West England"),
    GbRegion("H", 12, 2.1, 12, "Southern England"),
    GbRegion("J", 14, 2.2, 12, "South East England"),
    GbRegion("K", 7, 2.2, 12, "South Wales"),
    GbRegion("L", 11, 2.3, 11, "South West England"),
    GbRegion("M", 5, 2.0, 13, "Yorkshire"),
    GbRegion("N", 2, 2.1, 13, "South Scotland"),
    GbRegion("P", 1, 2.4, 12, "North Scotland"),
)
REGIONS = {region.zone: region for region in _REGIONS}
"""The 14 GB regions by zone."""

_OTHERS = (
    Zone("IS", "IS", "Iceland"),
    Zone("NO-NO2", "NO", "Southern Norway"),
    Zone("CA-ON", "CA", "Ontario"),
    Zone("IE", "IE", "Ireland"),
    Zone("DE-LU", "DE", "Germany and Luxembourg"),
    Zone("CL-SIC", "CL", "Central Chile"),
    Zone("JP-TK", "JP", "Tokyo"),
    Zone("AU-NSW", "AU", "New South Wales"),
    Zone("US-TEX-ERCO", "US", "Texas (ERCOT)"),
    Zone("SG", "SG", "Singapore"),
)
ZONES = {
    zone.zone: zone
    for zone in (
        Zone(GB, "GB", "Great Britain"),
        *(Zone(region.zone, "GB", region.name) for region in _REGIONS),
        *_OTHERS,
    )
}
"""Every zone by its name."""


def is_gb(zone: str) -> bool:
    """Whether the zone is Great Britain or one of its regions."""
    return zone == GB or zone in REGIONS


def price_region(zone: str) -> GbRegion:
    """The Agile region whose price a GB zone pays; :class:`KeyError` for others."""
    return REGIONS[f"{GB}-{NATIONAL_PRICE_LETTER}" if zone == GB else zone]


def require_known(zone: str) -> str:
    """The zone itself; :class:`NotFound` names the zones there are."""
    if zone not in ZONES:
        raise NotFound(f"no figures for grid zone {zone!r}", remedy=f"Use one of {', '.join(ZONES)}.")
    return zone
