"""The chart of :mod:`web.pages.curves` as shapes that a template writes as SVG, for browsers without JavaScript."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.series import FloatArray
from core.slots import SLOT
from web.pages.curves import Curves, Mark, Panel, Stretch, Window, stretches

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP, FOOT = 720.0, 56.0, 8.0, 48.0, 96.0, 42.0, 30.0
MARK_LABEL_WIDTH = 200.0
"""Room for the label of a mark, on a phone's scale: nearer to the right edge, it stands to the left of its line."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the drawing."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """The vertical line of a mark with its label, and the anchor that keeps the label inside the drawing."""

    x: float
    label: str
    label_x: float
    anchor: str


@dataclass(frozen=True, slots=True)
class PanelDrawing:
    """One panel: its title, grid lines ``(y, label)``, stepped paths ``(kind, colour, d)``, bands of intervals."""

    title: str
    colour: str
    top: float
    bottom: float
    grid: tuple[tuple[float, str], ...]
    bands: tuple[str, ...]
    paths: tuple[tuple[str, str, str], ...]
    plan: tuple[Box, ...]
    baseline: tuple[Box, ...]
    marks: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The whole figure in a ``width`` by ``height`` box; ``marks`` cross all panels."""

    panels: tuple[PanelDrawing, ...]
    hours: tuple[tuple[float, str], ...]
    marks: tuple[Line, ...]
    height: float
    bottom: float
    width: float = WIDTH
    left: float = LEFT
    right: float = WIDTH - RIGHT


def drawing(curves: Curves) -> Drawing:
    """The figure as shapes."""
    count = len(curves.panels)
    bottom = TOP + count * PANEL + (count - 1) * GAP
    return Drawing(
        panels=tuple(_panel(curves, number) for number in range(count)),
        hours=tuple((_x(curves, at), label) for at, label in _hours(curves)),
        marks=tuple(_line(curves, mark) for mark in curves.marks if mark.panel is None),
        height=bottom + FOOT,
        bottom=bottom,
    )


def _x(curves: Curves, at: datetime) -> float:
    share = (at - curves.start) / (SLOT * curves.slots)
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _line(curves: Curves, mark: Mark) -> Line:
    x = _x(curves, mark.at)
    left = x > WIDTH - RIGHT - MARK_LABEL_WIDTH
    return Line(x, mark.label, x - 4 if left else x + 4, "end" if left else "start")


def _panel(curves: Curves, number: int) -> PanelDrawing:
    panel, top = curves.panels[number], TOP + number * (PANEL + GAP)
    low, high, step = panel.scale
    height_of = _height_of(low, high, top)

    def boxes(spans: tuple[Window, ...]) -> tuple[Box, ...]:
        return tuple(Box(_x(curves, a), top, round(_x(curves, b) - _x(curves, a), 1), PANEL) for a, b in spans)

    xs = [_x(curves, curves.start + SLOT * i) for i in range(curves.slots + 1)]
    runs = stretches(panel)
    return PanelDrawing(
        title=_title(panel),
        colour=panel.colour,
        top=top,
        bottom=top + PANEL,
        grid=tuple((height_of(value), axis_label(value)) for value in rungs(low, high, step)),
        bands=tuple(
            _band(xs, run, run.low, run.high, height_of) for run in runs if run.low is not None and run.high is not None
        ),
        paths=tuple((run.kind, run.colour, _steps(xs, run, height_of)) for run in runs),
        plan=boxes(curves.plan),
        baseline=boxes(curves.baseline),
        marks=tuple(_line(curves, mark) for mark in curves.marks if mark.panel == number),
    )


def _title(panel: Panel) -> str:
    return f"{panel.name}, {panel.style.unit}" if panel.style.unit else panel.name


def _height_of(low: float, high: float, top: float) -> Callable[[float], float]:
    """From a value to its height in the drawing."""
    return lambda value: round(top + PANEL * (high - value) / (high - low), 1)


def rungs(low: float, high: float, step: float) -> list[float]:
    """Where the grid lines of a scale stand, both ends among them."""
    return [low + step * i for i in range(round((high - low) / step) + 1)]


def axis_label(value: float) -> str:
    """A value of a scale, with a true minus sign."""
    return f"{value:g}".replace("-", "−")


def _steps(xs: Sequence[float], run: Stretch, height_of: Callable[[float], float]) -> str:
    """A stepped path over the slots of ``run``."""
    steps = "".join(f"V{height_of(value)}H{xs[run.first + i + 1]}" for i, value in enumerate(run.values.tolist()))
    return f"M{xs[run.first]} {height_of(float(run.values[0]))}{steps}"


def _band(
    xs: Sequence[float], run: Stretch, low: FloatArray, high: FloatArray, height_of: Callable[[float], float]
) -> str:
    """A closed path: along the upper ends to the right, back along the lower ends."""
    there = "".join(f"V{height_of(value)}H{xs[run.first + i + 1]}" for i, value in enumerate(high.tolist()))
    back = "".join(f"V{height_of(value)}H{xs[run.first + i]}" for i, value in reversed(list(enumerate(low.tolist()))))
    return f"M{xs[run.first]} {height_of(float(high[0]))}{there}{back}Z"


def _hours(curves: Curves) -> list[tuple[datetime, str]]:
    """About six round hours in the window, midnights named by their day."""
    length = SLOT * curves.slots
    step = next((h for h in (1, 2, 3, 6, 12, 24) if length / timedelta(hours=h) <= 8), 24 * math.ceil(length.days / 8))
    at = curves.start.astimezone(UTC).replace(hour=0, minute=0)
    labels = []
    while at <= curves.start + length:
        if at >= curves.start:
            labels.append((at, f"{at:%a} {at.day}" if at.hour == 0 else f"{at:%H:%M}"))
        at += timedelta(hours=step)
    return labels
