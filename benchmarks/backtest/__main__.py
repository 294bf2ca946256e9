"""``python -m benchmarks.backtest``: run the backtest, keep its results, write docs/backtest.md with its pictures.

Without recorded figures there is nothing to run. A run of fewer than all days writes its page beside its results.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.backtest import plots
from benchmarks.backtest.days import lost
from benchmarks.backtest.page import page
from benchmarks.backtest.rules import RULES
from benchmarks.backtest.running import PLANNER, Setting, backtest, wrong
from benchmarks.backtest.tables import titled
from benchmarks.backtest.world import MOST_DAYS
from benchmarks.comparison.measuring import ROOT
from core.errors import InputError

Json = dict[str, Any]

DATA = ROOT.parent / "shared" / "data"
OUT = ROOT / "var" / "bench" / "backtest"
RESULTS = "results.json"
REFUSED = 2


def told(results: Json) -> str:
    """What came out, in a few lines."""
    own = results["methods"][PLANNER]
    gaps = np.quantile(own["gap"], (0.5, 0.95, 1)).tolist()
    replanned = f"{len(own['gap']):,} re-plans of {results['jobs']:,} jobs in {results['wall_s']:.0f} s"
    lines = [
        f"{replanned}, {own['cpu_s']:.0f} s of processor time for the rolling run",
        "certified gap: median {:.3%}, P95 {:.3%}, worst {:.3%}".format(*gaps),
        f"referee: {own['judged']} re-plans judged, {len(own['disagreements'])} disagreements",
        *(f"{len(lost(results, baseline))} days lost against {titled(baseline)}" for baseline in RULES),
        *(f"wrong: {fault}" for fault in wrong(results)),
    ]
    return "\n".join(lines)


def summary(results: Json) -> Json:
    """The figures of the row in docs/benchmarks.md."""
    own, broken = results["methods"][PLANNER], wrong(results)
    return {
        "wall_s": results["wall_s"],
        "median_gap": float(np.median(own["gap"])),
        "objective_gbp": sum(own["total_gbp"]),
        "unserved": sum(own["missed"]),
        "violations": len(broken),
        "first_violation": next(iter(broken), ""),
    }


def write(results: Json, folder: Path) -> None:
    """The page, and its pictures in a folder beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "backtest.md").write_text(page(results, plots.draw(results, folder / "backtest")), encoding="utf-8")


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; figures that cannot be used end the programme with what they should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtest", description=__doc__)
    parser.add_argument("--days", type=int, default=MOST_DAYS, help=f"from 1 January 2023 on (default {MOST_DAYS})")
    parser.add_argument("--jobs-a-day", type=float, default=100.0, help="(default 100)")
    parser.add_argument("--seed", type=int, default=1, help="of jobs, forecast errors and the referee's sample")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of recorded figures (default ../shared/data)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder for {RESULTS} (default var/bench/backtest)")
    parser.add_argument("--page-only", action="store_true", help=f"write the page anew from {RESULTS}, without a run")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="a few figures as JSON, for make bench")
    options = parser.parse_args(arguments)
    if not (math.isfinite(options.jobs_a_day) and options.jobs_a_day > 0):
        parser.error(f"--jobs-a-day {options.jobs_a_day:g}: give a number above 0")
    if options.seed < 0:
        parser.error(f"--seed {options.seed}: give a whole number from 0 on")
    if options.page_only and not (options.out / RESULTS).is_file():
        parser.error(f"--page-only: no {options.out / RESULTS}; run without it first")
    return options


def main(arguments: Sequence[str]) -> int:
    """0; 1 when a plan of ours broke a limit or the referee disagreed; 2 for input that is refused."""
    options = options_of(arguments)
    kept = options.out / RESULTS
    if options.page_only:
        results = json.loads(kept.read_text())
    else:
        try:
            results = backtest(Setting(options.data, options.days, options.jobs_a_day, options.seed))
        except InputError as error:
            print(error.diagnostics(), file=sys.stderr)
            return REFUSED
        options.out.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(results))
    write(results, ROOT / "docs" if results["days"] == MOST_DAYS and options.out == OUT else options.out)
    if options.summary:
        options.summary.write_text(json.dumps(summary(results)))
    print(told(results))
    return int(bool(wrong(results)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
