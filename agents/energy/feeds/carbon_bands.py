"""The words of the Carbon Intensity API for a national intensity: five bands, tightened each year.

Table 2 of the API's methodology. Its rows overlap at their edges; the recorded answers show that the lower bound of a
band belongs to it (360 g/kWh in 2020 and 290 in 2023 are "very high").
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

Band = Literal["very low", "low", "moderate", "high", "very high"]
BANDS: tuple[Band, ...] = ("very low", "low", "moderate", "high", "very high")
_BOUNDS_G = {
    2017: (100, 200, 300, 400),
    2018: (80, 180, 280, 380),
    2019: (60, 160, 260, 360),
    2020: (55, 150, 230, 350),
    2021: (50, 140, 220, 330),
    2022: (45, 130, 210, 310),
    2023: (40, 120, 200, 290),
    2024: (35, 110, 190, 270),
    2025: (30, 100, 180, 250),
    2026: (25, 90, 170, 230),
    2027: (20, 80, 160, 210),
    2028: (15, 70, 150, 190),
    2029: (10, 60, 140, 170),
    2030: (5, 50, 130, 150),
}
"""Lower bounds of low, moderate, high and very high, g/kWh, by year."""
FIRST_YEAR, LAST_YEAR = min(_BOUNDS_G), max(_BOUNDS_G)


def index_of(intensity_g: float, year: int) -> Band:
    """The band of an intensity in g/kWh by the table of a UTC year; years beyond the table use its nearest row."""
    bounds = _BOUNDS_G[min(max(year, FIRST_YEAR), LAST_YEAR)]
    return BANDS[bisect_right(bounds, intensity_g)]
