"""Price and carbon over time as one figure: data for the chart in the browser, geometry for the drawing without it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from core.ledger import SlotEntry
from core.series import FloatArray, Kind, Series
from core.slots import SLOT
from web.pages.formatting import kind_word

WIDTH, HEIGHT = 720.0, 300.0
LEFT, RIGHT, TOP, PANEL, GAP = 56.0, 8.0, 26.0, 96.0, 42.0

Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled instant; ``panel`` 0 is price, 1 carbon, None both."""

    at: datetime
    label: str
    panel: int | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """Price (GBP/kWh) and carbon (g/kWh) of one zone over the same slots, with shaded windows and marks."""

    description: str
    price: Series
    carbon: Series
    plan: tuple[Window, ...] = ()
    baseline: tuple[Window, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def start(self) -> datetime:
        """Start of the first slot."""
        return self.price.start

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.price)


@dataclass(frozen=True, slots=True)
class _Panel:
    name: str
    unit: str
    decimals: int
    values: FloatArray
    kinds: tuple[str, ...]


def _panels(curves: Curves) -> tuple[_Panel, _Panel]:
    price, carbon = curves.price, curves.carbon
    return (
        _Panel("Price", "p/kWh", 1, price.values * 100, tuple(kind_word(k, "price") for k in price.kinds)),
        _Panel("Carbon", "g/kWh", 0, carbon.values, tuple(kind_word(k, "carbon") for k in carbon.kinds)),
    )


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


def _runs(kinds: Sequence[str]) -> list[tuple[str, int, int]]:
    """Stretches of one kind as ``(kind, from, to)``; missing stretches are left out."""
    found, at = [], 0
    for kind, group in groupby(kinds):
        length = sum(1 for _ in group)
        if kind != Kind.MISSING.label:
            found.append((kind, at, at + length))
        at += length
    return found


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def chart_data(curves: Curves) -> dict[str, Any]:
    """What the browser's chart reads: instants in ms, each run with the value at which the next one begins."""
    return {
        "type": "curves",
        "description": curves.description,
        "start": _ms(curves.start),
        "step": int(SLOT.total_seconds() * 1000),
        "slots": curves.slots,
        "panels": [_panel_data(panel) for panel in _panels(curves)],
        "plan": [[_ms(a), _ms(b)] for a, b in curves.plan],
        "baseline": [[_ms(a), _ms(b)] for a, b in curves.baseline],
        "marks": [
            {"at": _ms(mark.at), "label": mark.label, **({} if mark.panel is None else {"panel": mark.panel})}
            for mark in curves.marks
        ],
    }


def _panel_data(panel: _Panel) -> dict[str, Any]:
    rounded = np.round(panel.values, 3)
    runs = []
    for kind, first, last in _runs(panel.kinds):
        following = last if last < len(rounded) and not math.isnan(rounded[last]) else last - 1
        runs.append({"kind": kind, "from": first, "values": [*rounded[first:last].tolist(), float(rounded[following])]})
    return {"name": panel.name, "unit": panel.unit, "decimals": panel.decimals, "runs": runs}


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the drawing."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PanelDrawing:
    """One panel: its title, grid lines ``(y, label)`` and stepped paths ``(kind, d)``."""

    title: str
    name: str
    top: float
    grid: tuple[tuple[float, str], ...]
    paths: tuple[tuple[str, str], ...]
    plan: tuple[Box, ...]
    baseline: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The whole figure in a ``WIDTH`` by ``HEIGHT`` box."""

    panels: tuple[PanelDrawing, ...]
    hours: tuple[tuple[float, str], ...]
    marks: tuple[tuple[float, str, str], ...]
    """x, label and the anchor that keeps the label inside the box"""
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    bottom: float = TOP + 2 * PANEL + GAP


def drawing(curves: Curves) -> Drawing:
    """The figure as shapes that a template can write as SVG."""
    return Drawing(
        panels=tuple(_draw_panel(curves, panel, TOP + i * (PANEL + GAP)) for i, panel in enumerate(_panels(curves))),
        hours=tuple((_x(curves, at), label) for at, label in _hours(curves)),
        marks=tuple(_draw_mark(curves, mark) for mark in curves.marks),
    )


def _x(curves: Curves, at: datetime) -> float:
    share = (at - curves.start) / (SLOT * curves.slots)
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _draw_mark(curves: Curves, mark: Mark) -> tuple[float, str, str]:
    x = _x(curves, mark.at)
    return x, mark.label, "start" if x < WIDTH * 0.25 else "end" if x > WIDTH * 0.75 else "middle"


def _draw_panel(curves: Curves, panel: _Panel, top: float) -> PanelDrawing:
    low, high, step = scale(panel.values)

    def y(value: float) -> float:
        return round(top + PANEL * (high - value) / (high - low), 1)

    def boxes(spans: tuple[Window, ...]) -> tuple[Box, ...]:
        return tuple(Box(_x(curves, a), top, round(_x(curves, b) - _x(curves, a), 1), PANEL) for a, b in spans)

    xs = [_x(curves, curves.start + SLOT * i) for i in range(curves.slots + 1)]
    ys = [y(value) if not math.isnan(value) else top for value in panel.values]
    lines = round((high - low) / step) + 1
    return PanelDrawing(
        title=f"{panel.name}, {panel.unit}",
        name=panel.name.lower(),
        top=top,
        grid=tuple((y(low + i * step), f"{low + i * step:g}".replace("-", "−")) for i in range(lines)),
        paths=tuple((kind, _steps(xs, ys, first, last)) for kind, first, last in _runs(panel.kinds)),
        plan=boxes(curves.plan),
        baseline=boxes(curves.baseline),
    )


def _steps(xs: Sequence[float], ys: Sequence[float], first: int, last: int) -> str:
    """A stepped path over slots ``[first, last)``."""
    return f"M{xs[first]} {ys[first]}" + "".join(f"V{ys[i]}H{xs[i + 1]}" for i in range(first, last))


def scale(values: FloatArray) -> tuple[float, float, float]:
    """Lower end, upper end and step of a round scale over ``values`` that shows zero."""
    known = values[~np.isnan(values)]
    low = min(0.0, float(known.min(initial=0.0)))
    high = max(0.0, float(known.max(initial=0.0)))
    if high == low:
        high = 1.0
    reach = high - low
    power = 10 ** math.floor(math.log10(reach))
    step = next(power * m for m in (0.5, 1, 2, 5) if reach / (power * m) <= 4)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def _hours(curves: Curves) -> list[tuple[datetime, str]]:
    """About six round hours in the window, midnights named by their day."""
    length = SLOT * curves.slots
    step = next((h for h in (1, 2, 3, 6, 12, 24) if length / timedelta(hours=h) <= 8), 48)
    at = curves.start.astimezone(UTC).replace(hour=0, minute=0)
    labels = []
    while at <= curves.start + length:
        if at >= curves.start:
            labels.append((at, f"{at:%a} {at.day}" if at.hour == 0 else f"{at:%H:%M}"))
        at += timedelta(hours=step)
    return labels
