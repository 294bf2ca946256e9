"""Carbon of a half-hour, in two accounts that are never added.

*Attributional*: energy times the average intensity of the grid; a share of what was emitted. *Consequential*: the
change of energy times a marginal estimate; what emissions did because of it. They answer different questions, so they
are different types: adding one to the other is an error to mypy and at run time.

Energies are kWh imported at the meter (positive), masses kg of CO2. Errors are standard deviations (1 sigma) and are
taken as independent from period to period and of one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import NormalDist
from typing import Self

from core.series import LEVEL, Kind

GRAMS_PER_KG = Decimal(1000)
NINETY_FIVE = Decimal(str(round(NormalDist().inv_cdf(0.975), 6)))
"""standard deviations to either end of a central 95 % interval"""
_AT_LEVEL = Decimal(str(round(NormalDist().inv_cdf(0.5 + LEVEL / 2), 6)))


@dataclass(frozen=True, slots=True)
class _Mass:
    """A mass with its standard deviation; masses of one account add, errors in quadrature."""

    kg: Decimal
    sigma_kg: Decimal

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return self.total((self, other))

    @property
    def u95_kg(self) -> Decimal:
        """Half width of the central 95 % interval."""
        return NINETY_FIVE * self.sigma_kg

    @property
    def interval_kg(self) -> tuple[Decimal, Decimal]:
        """Both ends of the central 95 % interval."""
        return self.kg - self.u95_kg, self.kg + self.u95_kg

    @classmethod
    def within(cls, kg: Decimal, low_kg: Decimal, high_kg: Decimal) -> Self:
        """A mass with the ends of its central 95 % interval, as records have it."""
        return cls(kg, (high_kg - low_kg) / 2 / NINETY_FIVE)

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """The sum of masses of this account."""
        given = list(parts)
        if any(type(part) is not cls for part in given):
            raise TypeError(f"only masses of type {cls.__name__} add up to one")
        return cls(sum((part.kg for part in given), Decimal(0)), _quadrature(*(part.sigma_kg for part in given)))


class Attributional(_Mass):
    """A mass by average intensity."""

    __slots__ = ()


class Consequential(_Mass):
    """A mass by marginal intensity; unobservable, so always an estimate with a named provider."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Intensity:
    """Grid intensity of a half-hour and who says so.

    :param sigma_g: its standard deviation, gCO2/kWh; 0 where the provider states none.
    :param method_version: version of the provider's model or method.
    :param final: whether the provider will say no more about the half-hour, be it an estimate.
    """

    g_per_kwh: Decimal
    sigma_g: Decimal
    kind: Kind
    provider: str
    method_version: str | None = None
    final: bool = False

    @classmethod
    def within(cls, value: float, low: float, high: float, kind: Kind, provider: str) -> Intensity:
        """A figure of a :class:`core.series.Series` with its central ``LEVEL`` interval."""
        sigma = (Decimal(str(high)) - Decimal(str(low))) / 2 / _AT_LEVEL
        return cls(Decimal(str(value)), sigma, kind, provider)


@dataclass(frozen=True, slots=True)
class PeriodCarbon:
    """One site in one half-hour: what it would have drawn and what it drew, and the intensities known.

    :param sigma_kwh: standard deviation of the baseline, such as the placebo's CVRMSE times it.
    :param metered: whether ``actual_kwh`` was measured; otherwise it is what is planned.
    :param settled: whether it is the last word: a site's figure of a binding settlement run, a job's only reading.
    """

    site_id: str
    sp_start: datetime
    baseline_kwh: Decimal
    actual_kwh: Decimal
    sigma_kwh: Decimal
    forecast: Intensity | None
    outturn: Intensity | None
    marginal: Intensity | None
    metered: bool
    settled: bool = False

    @property
    def saved_kwh(self) -> Decimal:
        """Baseline less actual; below 0 in a period of rebound."""
        return self.baseline_kwh - self.actual_kwh

    @property
    def average(self) -> Intensity | None:
        """The average intensity to account with: outturn where known, else forecast."""
        return self.outturn or self.forecast

    def baseline_mass(self, average: Intensity) -> Attributional:
        """What the baseline is allocated."""
        return Attributional(*_product(self.baseline_kwh, self.sigma_kwh, average))

    def saved(self, average: Intensity) -> Attributional:
        """Baseline less actual, allocated; an error of the intensity counts for their difference only."""
        sigma = _quadrature(self.sigma_kwh * average.g_per_kwh, self.saved_kwh * average.sigma_g)
        return Attributional(self.saved_kwh * average.g_per_kwh / GRAMS_PER_KG, sigma / GRAMS_PER_KG)

    def avoided(self, marginal: Intensity) -> Consequential:
        """What emissions fell by because of the change of energy; below 0 they rose."""
        return Consequential(*_product(self.saved_kwh, self.sigma_kwh, marginal))


def _quadrature(*sigmas: Decimal) -> Decimal:
    """Root of the sum of squares; roots of Decimals are dear, and most sums here have one part or none."""
    parts = [sigma for sigma in sigmas if sigma]
    if len(parts) < 2:
        return abs(parts[0]) if parts else Decimal(0)
    return sum((sigma * sigma for sigma in parts), Decimal(0)).sqrt()


def _product(kwh: Decimal, sigma_kwh: Decimal, intensity: Intensity) -> tuple[Decimal, Decimal]:
    """Energy times intensity in kg, with the standard deviation of both."""
    sigma = _quadrature(sigma_kwh * intensity.g_per_kwh, kwh * intensity.sigma_g)
    return kwh * intensity.g_per_kwh / GRAMS_PER_KG, sigma / GRAMS_PER_KG
