"""The pictures of docs/backtest.md, as SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.backtest.days import MEASURES, SERVED, dates, saved, spread
from benchmarks.backtest.rules import RULES
from benchmarks.backtest.running import PLANNER
from benchmarks.backtest.tables import titled
from benchmarks.comparison.plots import COLOURS, STYLE

Json = dict[str, Any]

OWN, LOST, OTHER = COLOURS[PLANNER], "#d1495b", "#8d99ae"


def draw(results: Json, folder: Path) -> list[str]:
    """Write the pictures; the names of their files."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figures = {"savings": _savings(results), "days": _days(results), "gaps": _gaps(results)}
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
    return list(figures)


def _savings(results: Json) -> Figure:
    """Median and P5 to P95 of what a day saves, by baseline."""
    figure = Figure(figsize=(8, 2.6))
    for axes, (measure, title) in zip(figure.subplots(1, len(MEASURES), sharey=True), MEASURES.items(), strict=True):
        for row, baseline in enumerate(RULES):
            found = spread(results, baseline, measure)
            axes.plot([100 * found.low, 100 * found.high], [row, row], color=OWN, linewidth=3, solid_capstyle="butt")
            axes.plot([100 * found.median], [row], "o", color=OWN, markersize=7)
        axes.axvline(0, color="#555555", linewidth=0.8)
        axes.set_title(title, fontsize=9)
        axes.set_yticks(range(len(RULES)), [titled(baseline) for baseline in RULES])
        axes.set_xlabel("saved, %")
    figure.axes[0].invert_yaxis()
    figure.tight_layout()
    return figure


def _days(results: Json) -> Figure:
    """Saved day by day against the plainest and the best of the baselines, penalties for missed deadlines left out."""
    shown = ("run-now", "greedy")
    figure = Figure(figsize=(8, 3.6))
    for axes, baseline in zip(figure.subplots(len(shown), 1, sharex=True), shown, strict=True):
        percent = 100 * saved(results, baseline, SERVED)
        colours = [OWN if day >= 0 else LOST for day in percent.tolist()]
        axes.bar(dates(results), percent, width=1.0, color=colours)
        axes.set_title(f"total cost without penalties, saved against {titled(baseline)}; red: days lost", fontsize=9)
        axes.set_axisbelow(True)
        axes.set_ylabel("%")
    figure.tight_layout()
    return figure


def _gaps(results: Json) -> Figure:
    """How the certified gaps and the times of the re-plans are spread."""
    found = results["methods"][PLANNER]
    figure = Figure(figsize=(8, 2.8))
    left, right = figure.subplots(1, 2, sharey=True)
    _cumulative(left, 100 * np.array(found["gap"]), "certified gap, %")
    left.axvline(1, color="#555555", linestyle=":", linewidth=1)
    _cumulative(right, 1000 * np.array(found["solve_cpu_s"]), "processor time, ms")
    left.set_ylabel("re-plans at or below, %")
    figure.tight_layout()
    return figure


def _cumulative(axes: Axes, figures: np.ndarray[Any, np.dtype[np.float64]], label: str) -> None:
    shares = np.linspace(0, 100, 201)
    axes.plot(np.percentile(figures, shares), shares, color=OWN)
    axes.set_xlabel(label)
    axes.set_xlim(left=0)
