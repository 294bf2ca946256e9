"""Scope 2 of the GHG Protocol, by both methods, and the Software Carbon Intensity of ISO/IEC 21031.

Avoided emissions belong to neither: they are never netted from these figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from accounting.carbon import GRAMS_PER_KG, Intensity
from accounting.certificates import WH_PER_KWH, whole_wh


@dataclass(frozen=True, slots=True)
class Consumption:
    """A half-hour's import and what is known of it.

    :param location: average intensity of its grid.
    :param residual_g_per_kwh: intensity of what certificates leave of its market; None where nobody gave it.
    :param matched_wh: Wh for which certificates are claimed.
    """

    kwh: Decimal
    location: Intensity
    residual_g_per_kwh: Decimal | None = None
    matched_wh: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.matched_wh <= whole_wh(self.kwh):
            raise ValueError(f"{self.matched_wh} Wh are matched of {self.kwh} kWh")

    @property
    def unmatched_kwh(self) -> Decimal:
        """kWh without a certificate."""
        return self.kwh - self.matched_wh / WH_PER_KWH

    @property
    def market_g(self) -> Decimal:
        """Grams by market: none with a certificate, the rest by residual mix or, without one, by the grid's average."""
        rest = self.location.g_per_kwh if self.residual_g_per_kwh is None else self.residual_g_per_kwh
        return self.unmatched_kwh * rest


@dataclass(frozen=True, slots=True)
class Scope2:
    """kg of CO2 by location and by market, side by side.

    :param without_residual_mix: half-hours whose unmatched energy had to be counted with the grid's average, the last
        choice of the GHG Protocol, because no residual mix is known.
    """

    location_kg: Decimal
    market_kg: Decimal
    without_residual_mix: int

    @classmethod
    def of(cls, consumptions: Iterable[Consumption]) -> Scope2:
        """Sum half-hours."""
        given = list(consumptions)
        location = sum((each.kwh * each.location.g_per_kwh for each in given), Decimal(0))
        market = sum((each.market_g for each in given), Decimal(0))
        lacking = sum(each.residual_g_per_kwh is None and each.unmatched_kwh > 0 for each in given)
        return cls(location / GRAMS_PER_KG, market / GRAMS_PER_KG, lacking)


@dataclass(frozen=True, slots=True)
class FunctionalUnit:
    """R: what is counted, such as ``GPU hour``, and how many."""

    name: str
    count: Decimal

    def __post_init__(self) -> None:
        if not self.name or self.count <= 0:
            raise ValueError(f"a functional unit needs a name and a count above 0, not {self.name!r} and {self.count}")


@dataclass(frozen=True, slots=True)
class SoftwareCarbonIntensity:
    """What is known of (O + M) per R: ``operational_g`` is O, energy at the meter times intensity by location.

    Certificates are left out, as the standard has it. M, the carbon embodied in hardware, is not known here.
    """

    operational_g: Decimal
    unit: FunctionalUnit

    @classmethod
    def of(cls, consumptions: Iterable[Consumption], unit: FunctionalUnit) -> SoftwareCarbonIntensity:
        """Of the energy that made ``unit``."""
        return cls(sum((each.kwh * each.location.g_per_kwh for each in consumptions), Decimal(0)), unit)
