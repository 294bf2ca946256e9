"""The assumed character of each zone's simulated price and carbon.

All figures are assumptions. Carbon means of CA-ON, DE-LU, CL-SIC, JP-TK, AU-NSW, US-TEX-ERCO, SG and GB are the rounded
zone means of 2021 to 2023 (direct emissions, Electricity Maps); price means of CA-ON, DE-LU, JP-TK, AU-NSW, SG and
US-TEX-ERCO are near the medians of recorded wholesale prices of those years. IS, NO-NO2, IE, the split of Great Britain
into regions and every sensitivity are guesses at the right size.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.energy.zones import GB, REGIONS


@dataclass(frozen=True, slots=True)
class Climate:
    """How a zone's figures move.

    ``*_wind``: fall for one standard deviation more wind; ``*_solar``: fall at full sun; ``*_demand``: rise for one
    unit of demand. Carbon in g/kWh; wholesale price in p/kWh.

    :param weather: zones of one name share most of their wind and cloud.
    :param longitude: degrees east, sets solar time.
    :param season: +1 where January is winter, -1 where it is summer, less near the equator.
    """

    weather: str
    longitude: float
    season: float
    carbon_mean: float
    carbon_wind: float
    carbon_solar: float
    carbon_demand: float
    carbon_floor: float
    price_mean: float
    price_wind: float
    price_solar: float
    price_demand: float


def _gb(carbon_mean: float, longitude: float, wind_share: float) -> Climate:
    """A GB region: the wholesale price is national, only the carbon differs."""
    wind = 50 * wind_share
    demand = 12 + carbon_mean / 9
    floor = max(3.0, 0.12 * carbon_mean)
    return Climate("GB", longitude, 1, carbon_mean, wind, carbon_mean / 4, demand, floor, 7.5, 2.6, 3.0, 1.7)


_GB_REGIONS = {
    "A": (150, 0.5, 1.0),
    "B": (230, -1.0, 1.0),
    "C": (145, -0.1, 0.9),
    "D": (110, -3.0, 0.8),
    "E": (190, -2.0, 1.0),
    "F": (60, -1.6, 0.7),
    "G": (80, -2.6, 0.8),
    "H": (165, -1.4, 1.0),
    "J": (150, 0.6, 0.9),
    "K": (270, -3.6, 1.1),
    "L": (190, -3.8, 1.1),
    "M": (175, -1.3, 1.0),
    "N": (45, -4.0, 0.6),
    "P": (40, -4.3, 0.6),
}

CLIMATES = {
    GB: _gb(147, -1.5, 0.9),
    **{zone: _gb(*_GB_REGIONS[region.letter]) for zone, region in REGIONS.items()},
    "IS": Climate("IS", -19, 1, 12, 0.4, 0, 0.6, 8, 3.5, 0.05, 0, 0.1),
    "NO-NO2": Climate("NO", 8, 1, 20, 2.5, 0, 2.5, 8, 6, 1.3, 0.5, 0.8),
    "CA-ON": Climate("CA", -80, 1, 38, 12, 6, 14, 3, 1.9, 0.8, 0.3, 0.7),
    "IE": Climate("IE", -7, 1, 290, 85, 15, 40, 90, 10.5, 3.2, 0.6, 2),
    "DE-LU": Climate("DE", 10, 1, 363, 100, 140, 40, 90, 9.2, 3.0, 5.5, 2),
    "CL-SIC": Climate("CL", -71, -1, 277, 25, 240, 45, 50, 8, 0.4, 5.5, 1.5),
    "JP-TK": Climate("JP", 140, 1, 457, 6, 130, 18, 200, 7.7, 0.3, 3.5, 1.6),
    "AU-NSW": Climate("AU", 151, -1, 548, 45, 290, 45, 180, 6.5, 1.4, 6.0, 2),
    "US-TEX-ERCO": Climate("TX", -98, 1, 337, 65, 70, 25, 120, 3.5, 1.5, 1.2, 1.2),
    "SG": Climate("SG", 104, 0.1, 371, 0, 5, 6, 150, 9.6, 0, 0.3, 1.2),
}
"""Every zone's climate."""
