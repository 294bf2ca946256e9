"""``make bench``: plan the instances, let others plan them too, have every plan judged, and write docs/benchmarks.md.

Fails when a plan of ours breaks a limit, or when a fault comes out otherwise than it has to.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.comparison import plots
from benchmarks.comparison.cases import BACKTEST, CASES, PLANNER, QUICK, QUICK_METHODS, REPLANNED
from benchmarks.comparison.measuring import ROOT, machine
from benchmarks.comparison.page import page
from benchmarks.comparison.results import Results, Row, load, save
from benchmarks.comparison.running import Bench
from benchmarks.comparison.tables import fault_holds
from benchmarks.instances.faults import FAULTS

RECORDS = ROOT.parent / "shared" / "data"
FOLDER = Path("var/bench")
"""in the project's folder"""
REPLANNED_CASE = "b4-10k"
QUICK_FAULTS = ("nan", "overload", "spring")


def rows(bench: Bench, patterns: list[str], quick: bool, ours: bool) -> Iterator[Row]:
    """Run what the patterns name, all of it or the quick part; ``ours``: with the planner alone."""

    def wanted(name: str, part: bool) -> bool:
        return any(fnmatch(name, pattern) for pattern in patterns) if patterns else part or not quick

    for case in CASES:
        if wanted(case.name, case.name in QUICK):
            methods = [method for method in case.methods if not ours and (not quick or method in QUICK_METHODS)]
            yield from bench.run(case, methods)
    if wanted(REPLANNED, part=False):
        yield bench.replanned(REPLANNED_CASE)
    if wanted(BACKTEST, part=False):
        yield bench.backtested()
    for name in FAULTS:
        if wanted(f"b6-{name}", name in QUICK_FAULTS):
            yield bench.fault(name)


def holds(row: Row) -> bool:
    """Whether nothing is wrong with a row of the planner's own."""
    return row.method != PLANNER or (fault_holds(row) if row.instance.startswith("b6-") else row.valid)


def told(row: Row) -> str:
    """One line of progress."""
    figures = row.figures
    cost = f"{figures['objective_gbp']:,.2f} GBP, {figures['unserved']} unserved" if row.valid else row.said
    return f"{row.instance:<16} {row.method:<28} {row.outcome:<10} {row.wall_s or row.command_s or 0:8.2f} s  {cost}"


def write(results: Results, docs: Path) -> None:
    """The page and its pictures."""
    docs.mkdir(parents=True, exist_ok=True)
    pictures = plots.draw(results, docs / "benchmarks")
    (docs / "benchmarks.md").write_text(page(results, pictures))


def main(arguments: list[str]) -> int:
    """Run, keep the results in ``var/bench``, write the page; 1 when something of ours is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes; writes to var/bench/quick")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="instances like b3-*; keeps other results"
    )
    parser.add_argument("--ours", action="store_true", help="the planner alone; keeps the other methods' results")
    parser.add_argument(
        "--data", type=Path, default=RECORDS, help="folder of recorded figures (default ../shared/data)"
    )
    parser.add_argument("--synthetic", action="store_true", help="draw the figures even where there are recorded ones")
    options = parser.parse_args(arguments)
    data = options.data.resolve() if options.data.is_dir() and not options.synthetic else None
    if data is None and not options.synthetic and options.data != RECORDS:
        parser.error(f"--data {options.data}: no such folder")
    folder = FOLDER / "quick" if options.quick else FOLDER
    kept = ROOT / folder / "results.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    results = load(kept, machine(), "synthetic" if data is None else "recorded")
    bench, began, wrong = Bench(folder, data, repeats=1 if options.quick else 3), time.perf_counter(), 0
    bench.prepare()
    for row in rows(bench, options.only, options.quick, options.ours):
        print(told(row), flush=True)
        wrong += not holds(row)
        results = results.with_rows([row])
        save(results, kept)
    write(results, kept.parent if options.quick else ROOT / "docs")
    print(f"{time.perf_counter() - began:.0f} s; {wrong} of our rows are not as they have to be")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
