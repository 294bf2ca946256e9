"""What had been forecast a day ahead beside what happened, over the last week."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from agents.energy.zones import GB, is_gb
from core.series import Kind, Series
from core.slots import SLOTS_PER_DAY, slot_floor
from core.vintage import OWN_FORECASTS, UNITS, Quantity
from web.pages.curves import Curves, Panel, chart_data
from web.pages.drawing import Drawing, drawing
from web.pages.quantities import style
from web.services import Services

DAY = timedelta(days=1)
DAYS = 7
OURS_WITHIN = timedelta(hours=36)
"""A forecast of ours is issued when more is known than before: of prices once a day."""
LEAST = 12
"""Figures below which a mean says nothing."""

Lookup = Callable[[datetime], Series | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Forecasts of one maker at a lead of 24 to 48 hours, and their outturn; errors in the unit of the quantity.

    :param maker: ``published`` or ``ours``.
    :param bias: mean of forecast less outturn.
    :param coverage: share of outturns within the interval; None where the forecast came without one.
    """

    zone: str
    quantity: Quantity
    maker: str
    told: Series
    happened: Series
    count: int
    mae: float
    bias: float
    coverage: float | None

    @property
    def panel(self) -> Panel:
        """Both as lines of one panel."""
        return Panel(self.quantity, (self.happened, self.told))

    @property
    def figure(self) -> tuple[dict[str, Any], Drawing]:
        """Data and drawing of the chart."""
        name = style(self.quantity).title
        curves = Curves(f"{name} in {self.zone}: forecast a day ahead, and what happened, last week.", (self.panel,))
        return chart_data(curves), drawing(curves)


def comparisons(services: Services, zone: str, quantity: Quantity, now: datetime) -> list[Comparison]:
    """What was published and what we forecast, each as far as there is anything to compare."""
    start = slot_floor(now) - DAYS * DAY
    judged, happened = _outturn(services, zone, quantity, start)
    makers: tuple[tuple[str, Lookup], ...] = (
        ("published", lambda at: services.energy.published(judged, quantity, at)),
        ("ours", _ours(services, judged, quantity, start)),
    )
    found = (_compared(judged, quantity, maker, _told(look, quantity, start), happened) for maker, look in makers)
    return [each for each in found if each is not None]


def _outturn(services: Services, zone: str, quantity: Quantity, start: datetime) -> tuple[str, Series]:
    """What happened, and of which zone: carbon of the GB regions is only ever forecast, so the nation's is judged."""
    slots = DAYS * SLOTS_PER_DAY
    happened = _firm(services.energy.known(zone, quantity, start, slots))
    if quantity == "carbon" and is_gb(zone) and zone != GB and np.all(happened.kinds == Kind.MISSING):
        return GB, _firm(services.energy.known(GB, quantity, start, slots))
    return zone, happened


def _firm(series: Series) -> Series:
    """Only what was measured or settled."""
    return _only(series, series.kinds <= Kind.ESTIMATE)


def _only(series: Series, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> Series:
    low, high = series.interval
    return Series(
        series.start,
        np.where(keep, series.values, np.nan),
        np.where(keep, series.kinds, np.int8(Kind.MISSING)).astype(np.int8),
        series.unit,
        series.source,
        series.issued_at,
        low=np.where(keep, low, np.nan),
        high=np.where(keep, high, np.nan),
    )


def _ours(services: Services, zone: str, quantity: Quantity, start: datetime) -> Lookup:
    """The newest forecast of ours that was in force at an instant, from one look into the store."""
    kept = services.vintages.vintages(
        OWN_FORECASTS, zone, quantity, start - DAY - OURS_WITHIN, start + (DAYS - 1) * DAY
    )

    def lookup(at: datetime) -> Series | None:
        found = [each.series for each in kept if at - OURS_WITHIN <= each.fetched_at <= at]
        return found[-1] if found else None

    return lookup


def _told(lookup: Lookup, quantity: Quantity, start: datetime) -> Series:
    """For each day from ``start`` on, what had been forecast of it 24 hours before it began."""
    told = Series.missing(start, DAYS * SLOTS_PER_DAY, UNITS[quantity], "", start)
    for day in range(DAYS):
        first = start + day * DAY
        found = lookup(first - DAY)
        if found is not None:
            piece = found.window(first, SLOTS_PER_DAY)
            piece = _only(piece, piece.kinds == Kind.FORECAST)
            told = told.overlay(piece.window(told.start, len(told)))
    return told


def _compared(zone: str, quantity: Quantity, maker: str, told: Series, happened: Series) -> Comparison | None:
    """The two, with their errors; None where too few figures are on both sides."""
    both = (told.kinds != Kind.MISSING) & (happened.kinds != Kind.MISSING)
    if int(both.sum()) < LEAST:
        return None
    off = (told.values - happened.values)[both]
    low, high = told.interval
    wide = bool(np.any(high[both] > low[both]))
    inside = (low[both] <= happened.values[both]) & (happened.values[both] <= high[both])
    return Comparison(
        zone=zone,
        quantity=quantity,
        maker=maker,
        told=told,
        happened=happened,
        count=int(both.sum()),
        mae=float(np.abs(off).mean()),
        bias=float(off.mean()),
        coverage=float(inside.mean()) if wide else None,
    )
