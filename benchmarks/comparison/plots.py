"""The pictures of docs/benchmarks.md, as SVG. A plan that breaks a limit or leaves a job out is not drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.comparison.cases import CASES, PLANNER, TITLES
from benchmarks.comparison.results import Results

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "slackwater",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
}
COLOURS = {
    PLANNER: "#0b6e4f",
    "exact-milp": "#d1495b",
    "exact-lp": "#7b5ea7",
    "pop-8": "#edae49",
    "run-now": "#8d99ae",
    "greedy-due-first": "#3d7ea6",
    "greedy-largest-first": "#7fb7d6",
    "emhass": "#b56576",
    "flexmeasures": "#6d597a",
}
CAP_KINDS, CAP_FACTORS = ("block", "mixed"), (1.17, 1.3, 1.57, 2.1)
SIZES = {"b4-1k": 1e3, "b4-10k": 1e4, "b4-100k": 1e5, "b4-1m": 1e6}
LEAST_SHOWN_PERCENT = 0.001


def draw(results: Results, folder: Path) -> list[str]:
    """Write the pictures for which there are rows; the names of their files."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figures = {"caps": _caps(results), "gaps": _gaps(results), "sizes": _sizes(results)}
        for name, figure in figures.items():
            if figure is not None:
                figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
    return [name for name, figure in figures.items() if figure is not None]


def _title(method: str) -> str:
    return TITLES[method].strip("*")


def _caps(results: Results) -> Figure | None:
    """What can be saved under a cap on power, against running now without one."""
    instances = [[f"b2-{kind}-{factor}" for factor in CAP_FACTORS] for kind in CAP_KINDS]
    if not any(results.of(name) for names in instances for name in names):
        return None
    figure = Figure(figsize=(8, 3.2))
    for axes, names, kind in zip(figure.subplots(1, 2, sharey=True), instances, CAP_KINDS, strict=True):
        _savings(axes, results, names)
        axes.set_title(f"1,000 {kind} jobs", fontsize=9)
        axes.set_xlabel("cap, multiples of the mean load")
        axes.set_xticks(CAP_FACTORS, [f"{factor:g}" for factor in CAP_FACTORS])
    figure.axes[0].set_ylabel("cost saved against running now, %")
    figure.axes[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _savings(axes: Axes, results: Results, names: Sequence[str]) -> None:
    base: dict[str, float] = {
        name: row.figures["objective_gbp"]
        for name in names
        for row in results.of(name)
        if row.method == "run-now-no-capacity" and row.figures
    }

    def saved(name: str, gbp: float) -> float:
        return 100 * (1 - gbp / base[name])

    free = [
        saved(name, row.figures["objective_gbp"])
        for name in base
        for row in results.of(name)
        if row.method == "cheapest-window-no-capacity" and row.figures
    ]
    if free:
        axes.axhline(free[0], color="#555555", linestyle=":", label="cheapest window, capacity ignored")
    limits = [
        (factor, saved(name, results.bound_gbp(name)))
        for factor, name in zip(CAP_FACTORS, names, strict=True)
        if name in base
    ]
    axes.plot(*_xy(limits), color="#555555", linestyle="--", label="best bound: no plan saves more")
    for method in ("run-now", "greedy-due-first", "exact-milp", PLANNER):
        points = [
            (factor, saved(name, row.figures["objective_gbp"]))
            for factor, name in zip(CAP_FACTORS, names, strict=True)
            for row in results.of(name)
            if row.method == method and row.complete and name in base
        ]
        axes.plot(*_xy(points), color=COLOURS[method], marker="o", markersize=4, label=_title(method))


def _xy(points: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    found = list(points)
    return [x for x, _ in found], [y for _, y in found]


def _gaps(results: Results) -> Figure | None:
    """How far each plan is above the best bound, instance by instance."""
    dots = [
        (row.instance, row.method, max(LEAST_SHOWN_PERCENT, 100 * (row.figures["objective_gbp"] / bound - 1)))
        for case in CASES
        for row in results.of(case.name)
        if row.method in COLOURS and row.complete and (bound := results.bound_gbp(row.instance)) > 0
    ]
    if not dots:
        return None
    names = list(dict.fromkeys(name for name, _, _ in dots))
    figure = Figure(figsize=(8, 0.6 + 0.22 * len(names)))
    axes = figure.subplots()
    for method, colour in COLOURS.items():
        mine = [(gap, float(names.index(name))) for name, of, gap in dots if of == method]
        if mine:
            axes.plot(*_xy(mine), "o", color=colour, markersize=5, label=_title(method))
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("cost above the best bound that any method proved, %")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _sizes(results: Results) -> Figure | None:
    """Planning time and peak memory by number of jobs."""
    rows = [row for row in results.rows if row.instance in SIZES and row.wall_s is not None and row.method in COLOURS]
    if not rows:
        return None
    figure = Figure(figsize=(8, 3.2))
    labels = {"wall_s": "planning, s", "peak_mb": "peak memory of the process, MB"}
    for axes, (field, label) in zip(figure.subplots(1, 2), labels.items(), strict=True):
        for method, colour in COLOURS.items():
            points = sorted((SIZES[row.instance], float(getattr(row, field))) for row in rows if row.method == method)
            if points:
                axes.plot(*_xy(points), color=colour, marker="o", markersize=4, label=_title(method))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("jobs, at 10 sites over 96 half-hours")
        axes.set_ylabel(label)
    figure.axes[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    return figure
