"""Series: half-hourly figures that know their unit, source, kind and issue time.

A value is never without its kind. ``MISSING`` values are NaN and stay so: nothing is padded as fact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from core.slots import SLOT, require_aware, slot_floor, slots_between

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
KindArray = NDArray[np.int8]
LevelArray = NDArray[np.int8]
LEVEL = 0.9
"""Probability with which the outturn lies within a prediction interval."""
LEVEL_SIGMAS = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard deviations between the middle of a normal distribution and either end of such an interval."""


class Unit(StrEnum):
    """Units that a series may carry."""

    GBP_PER_KWH = "GBP/kWh"
    GBP_PER_DAY = "GBP/day"
    GBP_PER_PH_DAY = "GBP/(PH/s)/day"
    GBP = "GBP"
    G_PER_KWH = "gCO2/kWh"
    KW = "kW"
    MW = "MW"
    MWH = "MWh"
    HERTZ = "Hz"
    PERCENT = "%"
    CELSIUS = "°C"
    METRES_PER_SECOND = "m/s"
    NONE = "1"


class Kind(IntEnum):
    """What a figure is, from the firmest to the weakest."""

    SETTLED = 0
    ESTIMATE = 1
    FORECAST = 2
    SIMULATED = 3
    MISSING = 4

    @property
    def label(self) -> str:
        """Lower-case word for screens and records."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Series:
    """Half-hourly values from ``start``.

    :param start: aware UTC slot start of the first value.
    :param values: shape (n,), float64, in ``unit``; NaN exactly where ``kinds`` is MISSING.
    :param kinds: shape (n,), int8 codes of :class:`Kind`.
    :param source: who said so, for people and for the audit record.
    :param issued_at: when the figures were issued or fetched (their vintage).
    :param stale: True when the source should have issued newer figures by now.
    :param low: shape (n,) lower end of the central ``LEVEL`` prediction interval, or None where no figure has one.
        Equal to the value where that is known; NaN exactly where the value is.
    :param high: upper end, likewise; given if and only if ``low`` is.
    """

    start: datetime
    values: FloatArray
    kinds: KindArray
    unit: Unit
    source: str
    issued_at: datetime
    stale: bool = False
    low: FloatArray | None = None
    high: FloatArray | None = None

    def __post_init__(self) -> None:
        if slot_floor(self.start) != require_aware(self.start):
            raise ValueError(f"series start {self.start} is not on a half-hour")
        if self.values.shape != self.kinds.shape or self.values.ndim != 1:
            raise ValueError(f"values {self.values.shape} and kinds {self.kinds.shape} must be equal-length vectors")
        if not np.array_equal(np.isnan(self.values), self.kinds == Kind.MISSING):
            raise ValueError("a value must be NaN exactly where its kind is MISSING")
        low, high = self.low, self.high
        if (low is None) != (high is None):
            raise ValueError("an interval has both ends or none")
        if low is not None and high is not None:
            if low.shape != self.values.shape or high.shape != self.values.shape:
                raise ValueError(f"interval ends {low.shape} and {high.shape} must be as long as {self.values.shape}")
            if np.any((low > self.values) | (high < self.values)) or not np.array_equal(np.isnan(low), np.isnan(high)):
                raise ValueError("an interval must contain its value")

    @classmethod
    def of(
        cls,
        start: datetime,
        values: Iterable[float] | FloatArray,
        kind: Kind,
        unit: Unit,
        source: str,
        issued_at: datetime,
    ) -> Series:
        """A series of one kind; NaN values become MISSING."""
        array = np.asarray(list(values) if not isinstance(values, np.ndarray) else values, dtype=np.float64)
        kinds = np.where(np.isnan(array), np.int8(Kind.MISSING), np.int8(kind)).astype(np.int8)
        return cls(require_aware(start), array, kinds, unit, source, require_aware(issued_at))

    @classmethod
    def missing(cls, start: datetime, count: int, unit: Unit, source: str, issued_at: datetime) -> Series:
        """``count`` slots of which nothing is known."""
        return cls.of(start, np.full(count, np.nan), Kind.MISSING, unit, source, issued_at)

    def __len__(self) -> int:
        return int(self.values.size)

    @property
    def end(self) -> datetime:
        """End of the last slot (exclusive)."""
        return self.start + SLOT * len(self)

    def window(self, start: datetime, count: int) -> Series:
        """The ``count`` slots from ``start``; slots outside this series are MISSING."""
        values = np.full(count, np.nan)
        kinds = np.full(count, Kind.MISSING, dtype=np.int8)
        low, high = (None, None) if self.low is None else (values.copy(), values.copy())
        offset = slots_between(self.start, slot_floor(start))
        lo, hi = max(0, -offset), min(count, len(self) - offset)
        if hi > lo:
            kept, cut = slice(lo, hi), slice(lo + offset, hi + offset)
            values[kept], kinds[kept] = self.values[cut], self.kinds[cut]
            if low is not None and high is not None and self.low is not None and self.high is not None:
                low[kept], high[kept] = self.low[cut], self.high[cut]
        return replace(self, start=slot_floor(start), values=values, kinds=kinds, low=low, high=high)

    def overlay(self, weaker: Series) -> Series:
        """These values, and those of ``weaker`` in slots where these are missing, over this series' slots.

        The source names both when ``weaker`` was used at all.
        """
        if weaker.unit is not self.unit:
            raise ValueError(f"cannot join {self.unit} with {weaker.unit}")
        other = weaker.window(self.start, len(self))
        gaps = self.kinds == Kind.MISSING
        used = bool(np.any(gaps & (other.kinds != Kind.MISSING)))
        low, high = None, None
        if self.low is not None or other.low is not None:
            (mine_low, mine_high), (other_low, other_high) = self.interval, other.interval
            low, high = np.where(gaps, other_low, mine_low), np.where(gaps, other_high, mine_high)
        return replace(
            self,
            low=low,
            high=high,
            values=np.where(gaps, other.values, self.values),
            kinds=np.where(gaps, other.kinds, self.kinds).astype(np.int8),
            source=f"{self.source} + {weaker.source}" if used and self.source != weaker.source else self.source,
        )

    @property
    def interval(self) -> tuple[FloatArray, FloatArray]:
        """Both ends of the prediction interval, (n,) each: the values themselves where none is given."""
        if self.low is None or self.high is None:
            return self.values, self.values
        return self.low, self.high

    def with_interval(self, low: FloatArray, high: FloatArray) -> Series:
        """The same figures with the ends of their prediction interval."""
        return replace(self, low=np.minimum(low, self.values), high=np.maximum(high, self.values))

    def kinds_used(self) -> tuple[Kind, ...]:
        """The kinds that occur, firmest first."""
        return tuple(Kind(int(k)) for k in np.unique(self.kinds))
