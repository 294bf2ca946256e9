"""Runs one case after another: generate, plan or let peers plan, judge; each in a process of its own."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison.cases import BACKTEST, EXTERNAL, PLANNER, REPLANNED, Case
from benchmarks.comparison.measuring import ROOT, Measured, measure
from benchmarks.comparison.results import ABSENT, FAILED, LATE, NO_ANSWER, PLAN, UNSUITED, VALUE, Row
from benchmarks.peers import forms

PEERS = ROOT / ".venv-peers"
SMALL_S = 10.0
"""commands that take less are repeated for a median"""
GENEROUS, MORE_S = 3.0, 60.0
"""a process may take so many times its limit, and so much more, for what is not planning"""
BACKTEST_LIMIT_S = 3 * 3600
REFUSAL = 2
"""exit status of ``app.py`` for input that it refuses"""
OUTCOMES = {0: PLAN, forms.UNSUITED: UNSUITED, forms.NO_ANSWER: NO_ANSWER}


@dataclass(frozen=True)
class Bench:
    """Where files go and figures come from.

    :ivar folder: for instances and plans, relative to the project's.
    :ivar data: folder of recorded figures; None for synthetic ones.
    :ivar repeats: how often a small run is made.
    """

    folder: Path
    data: Path | None
    repeats: int

    def prepare(self) -> None:
        """Have the planner's compiled code ready, so that no run pays for compiling it."""
        run = measure([sys.executable, "-c", "from agents.negotiation import warm_up; warm_up()"], 600)
        if run.status != 0:
            raise RuntimeError(f"the planner cannot be loaded: {run.said}")

    def generate(self, name: str) -> Path:
        """Write the named instance; :class:`RuntimeError` with what the generator said when it fails."""
        path = self.folder / f"{name}.json"
        data = () if self.data is None else ("--data", self.data)
        self._module("benchmarks.instances", name, "--out", path, *data)
        return path

    def run(self, case: Case, methods: Iterable[str]) -> Iterator[Row]:
        """The planner's row, then those of other methods."""
        instance = self.generate(case.name)
        for method in (PLANNER, *methods):
            limit_s = case.limit_s if method == PLANNER else case.patience_s
            yield self.row(case.name, method, instance, limit_s)
        (ROOT / instance).unlink()

    def row(self, name: str, method: str, instance: Path, limit_s: float) -> Row:
        """Run a method, again if that is quick, and have its plan judged."""
        command = command_of(method)
        if command is None:
            return Row(name, method, ABSENT, "not installed: make bench-peers")
        plan = self.folder / f"{name}-{method}.json"
        whole = [*command, instance, "--out", plan, "--time-limit", f"{limit_s:g}"]
        runs = [measure(whole, limit_s * GENEROUS + MORE_S)]
        if runs[0].status != 0:
            return Row(name, method, *_failure(runs[0], limit_s), command_s=runs[0].wall_s, peak_mb=runs[0].peak_mb)
        figures = self.judged(instance, plan)
        walls = [figures.pop("wall_s")]
        while len(runs) < self.repeats and runs[0].wall_s < SMALL_S:
            runs.append(measure(whole, limit_s * GENEROUS + MORE_S))
            walls.append(json.loads((ROOT / plan).read_text())["wall_s"])
        (ROOT / plan).unlink()
        return Row(
            name,
            method,
            PLAN if "placed" in figures else VALUE,
            wall_s=statistics.median(walls),
            command_s=statistics.median(run.wall_s for run in runs),
            peak_mb=max(run.peak_mb for run in runs),
            figures=figures,
        )

    def judged(self, instance: Path, plan: Path) -> dict[str, Any]:
        """The judgement of a plan."""
        out = plan.with_suffix(".judgement")
        self._module("benchmarks.comparison.judging", instance, plan, "--out", out)
        figures: dict[str, Any] = json.loads((ROOT / out).read_text())
        (ROOT / out).unlink()
        return figures

    def fault(self, name: str) -> Row:
        """Plan an instance with something wrong; a refusal comes as ``UNSUITED`` with what was said."""
        instance, plan = self.generate(f"b6-{name}"), self.folder / "b6.plan"
        run = measure([*_planner(), instance, "--out", plan, "--time-limit", "5"], 75)
        if run.status != 0:
            refused = run.status == REFUSAL and not run.late
            said = run.lines[0].removeprefix(f"{instance}: ") if refused else run.said
            return Row(f"b6-{name}", PLANNER, UNSUITED if refused else FAILED, said, command_s=run.wall_s)
        figures = self.judged(instance, plan)
        return Row(f"b6-{name}", PLANNER, PLAN, "", figures.pop("wall_s"), run.wall_s, run.peak_mb, figures)

    def replanned(self, name: str) -> Row:
        """The planner on ``name`` once more, when ten jobs have arrived since its plan."""
        instance = self.generate(name)
        again, plan = self.folder / f"{REPLANNED}.json", self.folder / f"{REPLANNED}-plan.json"
        run = measure([sys.executable, "-m", "benchmarks.replanning", instance, again, plan], 600)
        if run.status != 0:
            return Row(REPLANNED, PLANNER, FAILED, run.said, command_s=run.wall_s)
        churn = json.loads((ROOT / plan).read_text())["churn"]
        figures = self.judged(again, plan) | {"churn": churn}
        return Row(REPLANNED, PLANNER, PLAN, "", figures.pop("wall_s"), run.wall_s, run.peak_mb, figures)

    def backtested(self) -> Row:
        """The backtest over all that is recorded; it writes its own page, docs/backtest.md."""
        if self.data is None:
            return Row(BACKTEST, PLANNER, ABSENT, "no recorded figures: name their folder with --data")
        summary = ROOT / self.folder / f"{BACKTEST}.json"
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.backtest", "--data", self.data]
        run = measure([*command, "--summary", summary], BACKTEST_LIMIT_S)
        if not summary.exists():
            return Row(BACKTEST, PLANNER, LATE if run.late else FAILED, run.said, command_s=run.wall_s)
        figures = json.loads(summary.read_text())
        summary.unlink()
        return Row(BACKTEST, PLANNER, PLAN, "", figures.pop("wall_s"), run.wall_s, run.peak_mb, figures)

    def _module(self, module: str, *arguments: str | Path) -> None:
        run = measure([sys.executable, "-m", module, *arguments], 3600)
        if run.status != 0:
            raise RuntimeError(f"python -m {module} {' '.join(map(str, arguments))}: {run.said}")


def _planner() -> list[str | Path]:
    return [sys.executable, "app.py", "plan"]


def command_of(method: str) -> list[str | Path] | None:
    """The command that an instance, ``--out`` and ``--time-limit`` are added to; None for a peer not installed."""
    if method == PLANNER:
        return _planner()
    if method not in EXTERNAL:
        return [sys.executable, "-m", "benchmarks.peers", method]
    python = PEERS / method / "bin" / "python"
    return [python, "-m", f"benchmarks.peers.adapters.run_{method}"] if python.exists() else None


def _failure(run: Measured, limit_s: float) -> tuple[str, str]:
    if run.late:
        return LATE, f"nothing {run.wall_s:.0f} s after it was started with a limit of {limit_s:g} s"
    return OUTCOMES.get(run.status, FAILED), run.said
