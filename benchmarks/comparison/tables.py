"""The tables of docs/benchmarks.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.comparison.cases import (
    BACKTEST,
    BACKTEST_TARGET,
    CASES,
    PLANNER,
    REPLAN_TARGET,
    REPLANNED,
    TITLES,
    Target,
)
from benchmarks.comparison.results import ABSENT, FAILED, LATE, NO_ANSWER, PLAN, UNSUITED, VALUE, Results, Row
from benchmarks.instances.faults import FAULTS

NOTHING = "–"
ROUNDING = 1e-9
WORDS = {
    UNSUITED: "cannot express it",
    NO_ANSWER: "no answer",
    LATE: "out of time",
    ABSENT: "not installed",
    FAILED: "broke down",
}


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, places: int = 0) -> str:
    """With commas, or a dash."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:,.{places}f}"


def percent(value: float | None, places: int = 2) -> str:
    """A share as per cent, or a dash."""
    return NOTHING if value is None or not math.isfinite(value) else f"{100 * value:.{places}f} %"


# --- figures to reach -------------------------------------------------------------------------------------------------


def targets(results: Results) -> str:
    """What the planner has to reach, and what it did."""
    heads = (
        "instance",
        "unserved",
        "planning, s",
        "target",
        "certified gap",
        "target",
        "peak, MB",
        "target",
        "reached",
    )
    wanted = [(case.name, case.told, case.target) for case in CASES if case.target is not None]
    wanted.append((REPLANNED, "10,000 mixed jobs planned again after 10 arrivals", REPLAN_TARGET))
    wanted.append((BACKTEST, "nine months of half-hours, 100 jobs a day, rolling; gap: median", BACKTEST_TARGET))
    return table(heads, (_target_row(results, *one) for one in wanted))


def _target_row(results: Results, name: str, told: str, target: Target) -> list[str]:
    title = f"{told} (`{name}`)"
    row = next((row for row in results.of(name) if row.method == PLANNER), None)
    if row is None or row.outcome != PLAN:
        return [title, *[NOTHING] * 7, "not run" if row is None else f"no: {row.outcome}, {row.said}"]
    gap = certified_gap(row)
    return [
        title,
        number(row.figures["unserved"]),
        number(row.wall_s, 2),
        number(target.wall_s, 1),
        percent(gap, 3),
        percent(target.gap),
        number(row.peak_mb),
        number(target.peak_mb),
        _reached(results, row, gap, target),
    ]


def certified_gap(row: Row) -> float:
    """Distance of a plan from the bound that its own prices prove, both by the referee; of many plans the median."""
    if "median_gap" in row.figures:
        return float(row.figures["median_gap"])
    objective, bound = row.figures["objective_gbp"], row.figures["bound_gbp"]
    return float((objective - bound) / abs(bound)) if bound else math.inf


def _reached(results: Results, row: Row, gap: float, target: Target) -> str:
    missed = [
        name
        for name, found, wanted in (
            ("time", row.wall_s, target.wall_s),
            ("gap", gap, target.gap),
            ("memory", row.peak_mb, target.peak_mb),
        )
        if found is not None and wanted is not None and found > wanted * (1 + ROUNDING)
    ]
    if not row.complete and any(other.complete for other in results.of(row.instance)):
        missed.append("jobs left out, though there is a plan that serves all")
    if not row.valid:
        missed.append(row.figures["first_violation"])
    return f"no: {', '.join(missed)}" if missed else "yes"


# --- comparison -------------------------------------------------------------------------------------------------------

COMPARED = (
    "method",
    "objective, GBP",
    "above the best bound",
    "carbon, kg",
    "energy, GBP",
    "jobs left out (kWh)",
    "over capacity",
    "pauses",
    "least share, Jain",
    "planning, s",
    "process, s",
    "peak, MB",
)


def comparison(results: Results) -> str:
    """Every method on every instance: ranked by cost if valid, then those that are no plans."""
    return table(COMPARED, _compared(results))


def _compared(results: Results) -> Iterator[list[str]]:
    for case in CASES:
        rows = results.of(case.name)
        if rows:
            bound = results.bound_gbp(case.name)
            proven = f"; best bound {number(bound, 2)} GBP" if math.isfinite(bound) else ""
            yield [f"**`{case.name}`** {case.told}{proven}", *[""] * (len(COMPARED) - 1)]
            for row in sorted(rows, key=_rank):
                yield _compared_row(row, bound)


def _rank(row: Row) -> tuple[int, float]:
    if row.valid:
        return 0, row.figures["objective_gbp"]
    return ([PLAN, VALUE].index(row.outcome) + 1 if row.outcome in (PLAN, VALUE) else 3), 0.0


def _compared_row(row: Row, bound: float) -> list[str]:
    title, figures = TITLES[row.method], row.figures
    process = [number(row.command_s, 1), number(row.peak_mb)]
    if row.outcome == VALUE:
        value = figures.get("fractional_gbp")
        what = "fractional, no plan" if value is not None else f"only a bound: {number(figures['solver_bound_gbp'], 2)}"
        above = NOTHING if value is None else percent(value / bound - 1)
        return [f"{title}: {what}", number(value, 2), above, *[NOTHING] * 6, number(row.wall_s, 2), *process]
    if row.outcome != PLAN:
        return [f"{title}: {WORDS[row.outcome]} ({row.said})", *[NOTHING] * 9, *process]
    return [
        title if row.valid else f"{title}: not valid",
        number(figures["objective_gbp"], 2),
        percent(figures["objective_gbp"] / bound - 1) if row.valid and bound > 0 else NOTHING,
        number(figures["carbon_kg"]),
        number(figures["energy_gbp"], 2),
        f"{figures['unserved']:,} ({figures['unserved_kwh']:,.0f})" if figures["unserved"] else "0",
        _over(row),
        number(figures["pauses"]),
        f"{figures['least_share']:.3f}, {figures['jain']:.3f}",
        number(row.wall_s, 2),
        *process,
    ]


def _over(row: Row) -> str:
    figures = row.figures
    if figures["over_slots"]:
        return f"{figures['over_slots']:,} slots, {figures['over_kw_slots']:,.0f} kW-slots"
    return "0" if row.valid else figures["first_violation"].replace("|", "/")


# --- faults -----------------------------------------------------------------------------------------------------------


def faults(results: Results) -> str:
    """What became of each fault."""
    lines = ["| what is wrong | has to be | came out as |", "| --- | --- | --- |"]
    for name, fault in FAULTS.items():
        for row in results.of(f"b6-{name}"):
            wanted = "refused" if fault.refused else "planned"
            lines.append(f"| {fault.told} (`{row.instance}`) | {wanted} | {_came_out(row, fault.refused)} |")
    return "\n".join(lines)


def _came_out(row: Row, refused: bool) -> str:
    if row.outcome == UNSUITED:
        return f"{'' if refused else '**wrongly** '}refused: {row.said.replace('|', '/')}"
    if row.outcome != PLAN:
        return f"**broke down**: {row.said}"
    if not row.valid:
        return f"**not valid**: {row.figures['first_violation']}"
    left = f", {row.figures['unserved']:,} of them left out" if row.figures["unserved"] else ""
    jobs = row.figures["placed"] + row.figures["unserved"]
    return f"{'**wrongly** ' if refused else ''}a valid plan of {jobs:,} jobs{left}"


def fault_holds(row: Row) -> bool:
    """Whether a fault came out as it has to."""
    refused = FAULTS[row.instance.removeprefix("b6-")].refused
    return row.outcome == UNSUITED if refused else row.valid
