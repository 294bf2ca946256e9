"""Volumes of settlement: MWh in a half-hour, Decimal, by the sign convention of the BSC.

Export is positive and import negative, so consuming less than the baseline deviates upwards: turn-down is positive.
Figures are rounded once, when they are recorded; sums are sums of recorded figures, so that they can be added up again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

KWH_PER_MWH = Decimal(1000)
RECORDED = Decimal("0.0001")
ROUNDING = "HALF_EVEN@4dp"
"""our policy, named in records: no official mode was found"""
Indicator = Literal["B", "S"]
"""How the expected volume of an MSID pair comes about: Baselined, or Submitted by the lead party."""


def recorded(mwh: Decimal) -> Decimal:
    """MWh as they are recorded: to four decimals, half to even, zero without a sign."""
    return mwh.quantize(RECORDED, rounding=ROUND_HALF_EVEN) + Decimal(0)


def from_meter(import_kwh: Decimal, export_kwh: Decimal = Decimal(0)) -> Decimal:
    """MWh of a half-hour in which a meter counted import and export, both at least 0 kWh."""
    if import_kwh < 0 or export_kwh < 0:
        raise ValueError(
            f"a meter counts upwards: import {import_kwh} kWh and export {export_kwh} kWh must be at least 0"
        )
    return (export_kwh - import_kwh) / KWH_PER_MWH


def to_meter(mwh: Decimal) -> tuple[Decimal, Decimal]:
    """Net import and export in kWh, both at least 0, of a volume: the inverse of :func:`from_meter`."""
    kwh = abs(mwh) * KWH_PER_MWH
    return (kwh, Decimal(0)) if mwh < 0 else (Decimal(0), kwh)


@dataclass(frozen=True, slots=True)
class PairVolume:
    """One MSID pair in one settlement period; unrounded MWh, None where unknown.

    :param metered_mwh: what its meters counted.
    :param baseline_mwh: its BL01 baseline.
    :param submitted_mwh: the expected volume that the lead party submitted in time.
    """

    indicator: Indicator
    metered_mwh: Decimal | None
    baseline_mwh: Decimal | None = None
    submitted_mwh: Decimal | None = None

    @property
    def expected_mwh(self) -> Decimal | None:
        """What settlement expects of the pair, as recorded; without it a deviation is lost."""
        expected = self.baseline_mwh if self.indicator == "B" else self.submitted_mwh
        return None if expected is None else recorded(expected)

    @property
    def deviation_mwh(self) -> Decimal | None:
        """Metered less expected, rounded once: what is submitted as delivered (P0282). Turn-down is positive."""
        expected = self.baseline_mwh if self.indicator == "B" else self.submitted_mwh
        if expected is None or self.metered_mwh is None:
            return None
        return recorded(self.metered_mwh - expected)


@dataclass(frozen=True, slots=True)
class Total:
    """A sum of recorded figures: ``unknown`` of the ``parts`` had none and are not in it."""

    mwh: Decimal
    parts: int
    unknown: int

    @classmethod
    def of(cls, figures: Iterable[Decimal | None]) -> Total:
        """Add up what pairs and periods have: pairs to a BM unit, periods to a day."""
        given = list(figures)
        known = [recorded(figure) for figure in given if figure is not None]
        return cls(recorded(sum(known, Decimal(0))), len(given), len(given) - len(known))
