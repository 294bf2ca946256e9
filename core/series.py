"""Series: half-hourly figures that know their unit, source, kind and issue time.

A value is never without its kind. ``MISSING`` values are NaN and stay so: nothing is padded as fact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from core.slots import SLOT, require_aware, slot_floor, slots_between

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
KindArray = NDArray[np.int8]


class Unit(StrEnum):
    """Units that a series may carry."""

    GBP_PER_KWH = "GBP/kWh"
    G_PER_KWH = "gCO2/kWh"
    KW = "kW"
    CELSIUS = "°C"


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
    """

    start: datetime
    values: FloatArray
    kinds: KindArray
    unit: Unit
    source: str
    issued_at: datetime
    stale: bool = False

    def __post_init__(self) -> None:
        if slot_floor(self.start) != require_aware(self.start):
            raise ValueError(f"series start {self.start} is not on a half-hour")
        if self.values.shape != self.kinds.shape or self.values.ndim != 1:
            raise ValueError(f"values {self.values.shape} and kinds {self.kinds.shape} must be equal-length vectors")
        if not np.array_equal(np.isnan(self.values), self.kinds == Kind.MISSING):
            raise ValueError("a value must be NaN exactly where its kind is MISSING")

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
        offset = slots_between(self.start, slot_floor(start))
        lo, hi = max(0, -offset), min(count, len(self) - offset)
        if hi > lo:
            values[lo:hi] = self.values[lo + offset : hi + offset]
            kinds[lo:hi] = self.kinds[lo + offset : hi + offset]
        return replace(self, start=slot_floor(start), values=values, kinds=kinds)

    def overlay(self, weaker: Series) -> Series:
        """These values, and those of ``weaker`` in slots where these are missing, over this series' slots.

        The source names both when ``weaker`` was used at all.
        """
        if weaker.unit is not self.unit:
            raise ValueError(f"cannot join {self.unit} with {weaker.unit}")
        other = weaker.window(self.start, len(self))
        gaps = self.kinds == Kind.MISSING
        used = bool(np.any(gaps & (other.kinds != Kind.MISSING)))
        return replace(
            self,
            values=np.where(gaps, other.values, self.values),
            kinds=np.where(gaps, other.kinds, self.kinds).astype(np.int8),
            source=f"{self.source} + {weaker.source}" if used and self.source != weaker.source else self.source,
        )

    def shifted_kind(self, kind: Kind) -> Series:
        """The same values, all of them that are known, labelled ``kind``."""
        return Series.of(self.start, self.values, kind, self.unit, self.source, self.issued_at)

    def first_of(self, kind: Kind) -> datetime | None:
        """Start of the first slot of ``kind``, or None."""
        found = np.flatnonzero(self.kinds == kind)
        return self.start + SLOT * int(found[0]) if found.size else None

    def kinds_used(self) -> tuple[Kind, ...]:
        """The kinds that occur, firmest first."""
        return tuple(Kind(int(k)) for k in np.unique(self.kinds))
