"""Figures over time as one chart: panels of one quantity each, with intervals, marks and shaded windows.

This is the data that the browser's chart reads; :mod:`web.pages.drawing` has the same chart as shapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np

from core.ledger import SlotEntry
from core.series import FloatArray, Kind, Series
from core.slots import SLOT
from core.vintage import Quantity
from web.pages.formatting import kind_word
from web.pages.quantities import Style, style

Window = tuple[datetime, datetime]
FAR_FROM_ZERO: frozenset[Quantity] = frozenset({"frequency"})
"""Quantities whose scale need not show zero."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled instant; ``panel`` 0 is the first, None all of them."""

    at: datetime
    label: str
    panel: int | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """Series of one quantity over the same slots that share an axis.

    Where there are several, the first is what happened, drawn in ink, and the others what was told of it.
    """

    quantity: Quantity
    series: tuple[Series, ...]

    @property
    def style(self) -> Style:
        """How the figures are written."""
        return style(self.quantity)

    @property
    def name(self) -> str:
        """Title of the axis, without the unit."""
        return "Carbon" if self.quantity == "carbon" else self.style.title

    @property
    def colour(self) -> str:
        """Name of its colour in the style sheet."""
        return "price" if self.style.unit == "p/kWh" else "carbon"

    @property
    def scale(self) -> tuple[float, float, float]:
        """Ends and step of its axis, in the unit on screen, over the figures and their intervals."""
        every = [end * self.style.factor for series in self.series for end in series.interval]
        return scale(np.concatenate(every), zero=self.quantity not in FAR_FROM_ZERO)


@dataclass(frozen=True, slots=True)
class Curves:
    """Panels over the same slots, one above the other, with shaded windows and marks."""

    description: str
    panels: tuple[Panel, ...]
    plan: tuple[Window, ...] = ()
    baseline: tuple[Window, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def start(self) -> datetime:
        """Start of the first slot."""
        return self.panels[0].series[0].start

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.panels[0].series[0])


@dataclass(frozen=True, slots=True)
class Stretch:
    """Slots ``[first, last)`` of one kind; (last - first,) values in the unit on screen.

    :param colour: name of its colour in the style sheet.
    :param following: the value of the next slot, to which the line steps at the end; the last one where there is none.
    :param low: lower ends of the interval; None where it has no width.
    """

    kind: str
    colour: str
    first: int
    last: int
    values: FloatArray
    following: float
    low: FloatArray | None
    high: FloatArray | None


def stretches(panel: Panel) -> list[Stretch]:
    """The lines of a panel, cut where the kind changes; missing slots are in none."""
    return [run for number in range(len(panel.series)) for run in _stretches_of(panel, number)]


def _stretches_of(panel: Panel, number: int) -> list[Stretch]:
    series, factor = panel.series[number], panel.style.factor
    colour = "ink" if number == 0 and len(panel.series) > 1 else panel.colour
    values = series.values * factor
    low, high = (end * factor for end in series.interval)
    found = []
    for kind, first, last in _runs([kind_word(kind, panel.quantity) for kind in series.kinds]):
        cut = slice(first, last)
        wide = bool(np.any(high[cut] > low[cut]))
        following = values[last] if last < len(values) and not math.isnan(values[last]) else values[last - 1]
        ends = (low[cut], high[cut]) if wide else (None, None)
        found.append(Stretch(kind, colour, first, last, values[cut], float(following), *ends))
    return found


def _runs(kinds: Sequence[str]) -> list[tuple[str, int, int]]:
    """Stretches of one kind as ``(kind, from, to)``; missing stretches are left out."""
    found, at = [], 0
    for kind, group in groupby(kinds):
        length = sum(1 for _ in group)
        if kind != Kind.MISSING.label:
            found.append((kind, at, at + length))
        at += length
    return found


def published_end(price: Series) -> datetime | None:
    """The instant from which prices are no longer published, None where none or all of them are.

    A price worked out from another region's published one (an estimate) counts as published.
    """
    published = np.flatnonzero(price.kinds <= Kind.ESTIMATE)
    if not published.size or published[-1] + 1 == len(price):
        return None
    return price.start + SLOT * int(published[-1] + 1)


def windows(entries: Iterable[SlotEntry]) -> tuple[Window, ...]:
    """The slots of ``entries``, joined where they touch."""
    joined: list[Window] = []
    for start in sorted({entry.slot_start for entry in entries}):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], start + SLOT)
        else:
            joined.append((start, start + SLOT))
    return tuple(joined)


def price_and_carbon(price: Series, carbon: Series) -> tuple[Panel, ...]:
    """Price above carbon."""
    return Panel("price", (price,)), Panel("carbon", (carbon,))


def chart_data(curves: Curves) -> dict[str, Any]:
    """What the browser's chart reads: instants in ms, each run with the value at which the next one begins."""
    return {
        "type": "curves",
        "description": curves.description,
        "start": _ms(curves.start),
        "step": int(SLOT.total_seconds() * 1000),
        "slots": curves.slots,
        "panels": [_panel_data(panel) for panel in curves.panels],
        "plan": [[_ms(a), _ms(b)] for a, b in curves.plan],
        "baseline": [[_ms(a), _ms(b)] for a, b in curves.baseline],
        "marks": [
            {"at": _ms(mark.at), "label": mark.label, **({} if mark.panel is None else {"panel": mark.panel})}
            for mark in curves.marks
        ],
    }


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _panel_data(panel: Panel) -> dict[str, Any]:
    return {
        "name": panel.name,
        "unit": panel.style.unit,
        "decimals": panel.style.decimals,
        "colour": panel.colour,
        "scale": panel.scale,
        "runs": [_run_data(run) for run in stretches(panel)],
    }


def _run_data(run: Stretch) -> dict[str, Any]:
    data = {
        "kind": run.kind,
        "colour": run.colour,
        "from": run.first,
        "values": [*_rounded(run.values), round(run.following, 3)],
    }
    if run.low is not None and run.high is not None:
        data |= {"low": _rounded(run.low), "high": _rounded(run.high)}
    return data


def _rounded(values: FloatArray) -> list[float]:
    return [round(value, 3) for value in values.tolist()]


def scale(values: FloatArray, *, zero: bool = True) -> tuple[float, float, float]:
    """Lower end, upper end and step of a round scale over ``values``; it shows zero unless told not to."""
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if zero or not known.size:
        low, high = min(0.0, low), max(0.0, high)
    if high == low:
        high = low + 1.0
    reach = high - low
    power = 10 ** math.floor(math.log10(reach))
    step = next(power * m for m in (0.5, 1, 2, 5) if reach / (power * m) <= 4)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step
