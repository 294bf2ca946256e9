"""How far published forecasts were off, by lead: what their prediction intervals are made of.

Sources publish a number without an interval. The interval here is split conformal: the quantile of the absolute errors
of what was published over the last two weeks, lead by lead, raised for the number of errors it rests on.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from core.series import LEVEL, FloatArray, IntArray, Kind, Series
from core.slots import SLOT, slot_floor
from core.vintage import Quantity

LEAD_EDGES = (0, 6, 12, 24, 36, 48, 72, 96)
"""Slots: errors are pooled from one edge up to the next, and beyond the last."""
LOOKED_BACK = timedelta(days=14)
ISSUES_EVERY = timedelta(hours=6)
LEAST_ERRORS = 60
UNKNOWN_SHARE = 0.34
"""Half-width as a share of the level while too few outturns are known. For Great Britain's carbon it is 50 g/kWh, which
is 90 % of normal errors with the mean absolute error of 24 g/kWh that is reported of that forecast."""


class Published(Protocol):
    """What was published of a zone's quantity at an instant, for the slots from it on; None where that is lost."""

    def __call__(self, zone: str, quantity: Quantity, at: datetime, /) -> Series | None: ...


class Outturn(Protocol):
    """What happened, as far as it is known."""

    def __call__(self, zone: str, quantity: Quantity, start: datetime, slots: int, now: datetime, /) -> Series: ...


@dataclass(frozen=True, slots=True)
class Errors:
    """Absolute errors by lead.

    :param half_width: (len(LEAD_EDGES),) of the interval; NaN where too few errors are known.
    :param mae: (len(LEAD_EDGES),) mean absolute error; NaN likewise.
    :param counts: (len(LEAD_EDGES),) number of errors.
    """

    half_width: FloatArray
    mae: FloatArray
    counts: IntArray


def errors_of(published: Published, outturn: Outturn, zone: str, quantity: Quantity, now: datetime) -> Errors:
    """Compare what was published every six hours of the last two weeks with what happened."""
    start, present = slot_floor(now - LOOKED_BACK), slot_floor(now)
    happened = outturn(zone, quantity, start, (present - start) // SLOT, now)
    known = np.where(happened.kinds <= np.int8(Kind.ESTIMATE), happened.values, np.nan)
    found: list[FloatArray] = []
    leads: list[IntArray] = []
    at = start
    while at < present:
        series = published(zone, quantity, at)
        if series is not None:
            off, lead = _off(series, known, start, at)
            found.append(off)
            leads.append(lead)
        at += ISSUES_EVERY
    return _pooled(found, leads)


def _off(series: Series, known: FloatArray, start: datetime, at: datetime) -> tuple[FloatArray, IntArray]:
    """Absolute errors of one publication and their leads in slots."""
    told = series.window(start, known.size)
    forecast = np.where(told.kinds == np.int8(Kind.FORECAST), told.values, np.nan)
    lead = np.arange(known.size, dtype=np.int64) - (at - start) // SLOT
    off = np.abs(forecast - known)
    use = (lead >= 0) & np.isfinite(off)
    return off[use], lead[use]


def _pooled(found: list[FloatArray], leads: list[IntArray]) -> Errors:
    count = len(LEAD_EDGES)
    off = np.concatenate(found) if found else np.empty(0)
    bucket = np.searchsorted(LEAD_EDGES, np.concatenate(leads) if leads else np.empty(0), side="right") - 1
    half_width, mae = np.full(count, np.nan), np.full(count, np.nan)
    counts = np.bincount(bucket, minlength=count).astype(np.int64)
    for number in np.flatnonzero(counts >= LEAST_ERRORS).tolist():
        errors = off[bucket == number]
        rank = min(1.0, math.ceil((errors.size + 1) * LEVEL) / errors.size)
        half_width[number], mae[number] = np.quantile(errors, rank), errors.mean()
    return Errors(half_width, mae, counts)


class Calibration:
    """The errors of every zone and quantity that publishes forecasts, as last compared."""

    def __init__(self) -> None:
        self._errors: dict[tuple[str, Quantity], Errors] = {}
        self._lock = threading.Lock()

    def learn(self, zone: str, quantity: Quantity, errors: Errors) -> None:
        """Use these from now on."""
        with self._lock:
            self._errors[zone, quantity] = errors

    def all(self) -> Mapping[tuple[str, Quantity], Errors]:
        """What is known now."""
        with self._lock:
            return dict(self._errors)

    def with_interval(self, series: Series, zone: str, quantity: Quantity, now: datetime) -> Series:
        """``series`` with the interval of its forecasts; what is settled, estimated or missing keeps its own."""
        forecast = series.kinds == np.int8(Kind.FORECAST)
        if not forecast.any():
            return series
        with self._lock:
            errors = self._errors.get((zone, quantity))
        lead = np.arange(len(series)) + (series.start - slot_floor(now)) // SLOT
        bucket = np.clip(np.searchsorted(LEAD_EDGES, lead, side="right") - 1, 0, None)
        half = np.full(len(series), np.nan) if errors is None else errors.half_width[bucket]
        level = float(np.nanmedian(np.abs(series.values)))
        half = np.where(np.isnan(half), UNKNOWN_SHARE * level, half)
        low, high = series.interval
        floor = 0.0 if quantity == "carbon" else -np.inf
        return series.with_interval(
            np.where(forecast, np.maximum(series.values - half, np.minimum(floor, series.values)), low),
            np.where(forecast, series.values + half, high),
        )
