"""Grid zones that Slackwater has figures for, and how the names of the feeds map to them.

GB regions carry three names: the grid supply point group of the electricity market (a letter, used by Octopus), the
region number of the Carbon Intensity API (joined by the network operator's name), and the zone ``GB-<letter>``.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import NotFound
from core.slots import LONDON

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
    :param latitude: degrees north of where its weather is taken.
    :param longitude: degrees east of there.
    """

    letter: str
    carbon_region_id: int
    distribution: float
    peak_adder_p: float
    name: str
    latitude: float
    longitude: float

    @property
    def zone(self) -> str:
        return f"{GB}-{self.letter}"


@dataclass(frozen=True, slots=True)
class Zone:
    """A grid zone: ``country`` is ISO 3166-1 alpha-2.

    ``latitude`` and ``longitude`` (degrees) are where its weather is taken, ``timezone`` is the clock it lives by.
    """

    zone: str
    country: str
    name: str
    latitude: float
    longitude: float
    timezone: str


_REGIONS = (
    GbRegion("A", 10, 2.1, 13, "Eastern England", 52.25, 0.75),
    GbRegion("B", 9, 2.0, 14, "East Midlands", 52.75, -1.0),
    GbRegion("C", 13, 2.0, 12, "London", 51.5, -0.25),
    GbRegion("D", 6, 2.2, 13, "Merseyside and North Wales", 53.25, -3.0),
    GbRegion("E", 8, 2.1, 12, "West Midlands", 52.5, -2.0),
    GbRegion("F", 4, 2.1, 12, "North East England", 54.75, -1.5),
    GbRegion("G", 3, 2.1, 12, "North West England", 53.75, -2.5),
    GbRegion("H", 12, 2.1, 12, "Southern England", 51.0, -1.25),
    GbRegion("J", 14, 2.2, 12, "South East England", 51.25, 0.5),
    GbRegion("K", 7, 2.2, 12, "South Wales", 51.75, -3.75),
    GbRegion("L", 11, 2.3, 11, "South West England", 50.75, -4.0),
    GbRegion("M", 5, 2.0, 13, "Yorkshire", 53.75, -1.25),
    GbRegion("N", 2, 2.1, 13, "South Scotland", 55.5, -3.75),
    GbRegion("P", 1, 2.4, 12, "North Scotland", 57.5, -4.25),
)
REGIONS = {region.zone: region for region in _REGIONS}
"""The 14 GB regions by zone."""

_OTHERS = (
    Zone("IS", "IS", "Iceland", 64.0, -21.5, "Atlantic/Reykjavik"),
    Zone("NO-NO2", "NO", "Southern Norway", 58.5, 7.5, "Europe/Oslo"),
    Zone("CA-ON", "CA", "Ontario", 44.0, -79.5, "America/Toronto"),
    Zone("IE", "IE", "Ireland", 53.25, -7.5, "Europe/Dublin"),
    Zone("DE-LU", "DE", "Germany and Luxembourg", 52.0, 10.0, "Europe/Berlin"),
    Zone("CL-SIC", "CL", "Central Chile", -33.5, -70.75, "America/Santiago"),
    Zone("JP-TK", "JP", "Tokyo", 35.75, 139.75, "Asia/Tokyo"),
    Zone("AU-NSW", "AU", "New South Wales", -33.5, 150.5, "Australia/Sydney"),
    Zone("US-TEX-ERCO", "US", "Texas (ERCOT)", 31.5, -98.5, "America/Chicago"),
    Zone("SG", "SG", "Singapore", 1.25, 103.75, "Asia/Singapore"),
)
ZONES = {
    zone.zone: zone
    for zone in (
        Zone(GB, "GB", "Great Britain", 53.5, -1.75, LONDON.key),
        *(Zone(region.zone, "GB", region.name, region.latitude, region.longitude, LONDON.key) for region in _REGIONS),
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
