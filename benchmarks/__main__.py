"""``make bench``: plans seeded instances with ``python app.py plan`` and lets the referee judge each plan.

Fails when a plan has a violation, or when the first instance misses what the README promises of it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import referee
from benchmarks.instances import generate
from core.instance import write_json

PROMISED_WALL_S = 3.0
PROMISED_GAP = 0.01
TIME_LIMIT_S = 120
CASES: tuple[dict[str, Any], ...] = (
    {"jobs": 200, "sites": 13, "slots": 96, "utilisation": 0.05},
    {"jobs": 200, "sites": 13, "slots": 96, "utilisation": 0.1},
    {"jobs": 200, "sites": 13, "slots": 96, "utilisation": 0.3},
    {"jobs": 200, "sites": 13, "slots": 96, "utilisation": 0.6},
    {"jobs": 200, "sites": 13, "slots": 96, "utilisation": 0.6, "carbon_cap_share": 0.35},
    {"jobs": 1000, "sites": 13, "slots": 96},
    {"jobs": 10_000, "sites": 10, "slots": 96},
)
COLUMNS = "{:<20} {:>13} {:>11} {:>11} {:>8} {:>7} {:>9}  {}"
HEADER = COLUMNS.format("instance", "placed", "objective", "bound", "gap", "plan s", "command s", "referee")


class Result(NamedTuple):
    """One instance planned and judged."""

    name: str
    verdict: referee.Verdict
    wall_s: float
    command_s: float

    def row(self) -> str:
        """A line of the table under ``HEADER``."""
        verdict = self.verdict
        return COLUMNS.format(
            self.name,
            f"{verdict.placed}/{verdict.placed + verdict.unserved}",
            f"{verdict.objective_gbp:.2f}",
            f"{verdict.bound_gbp:.2f}",
            f"{verdict.gap:.3%}",
            f"{self.wall_s:.2f}",
            f"{self.command_s:.2f}",
            f"{len(verdict.violations)} violations" if verdict.violations else "valid",
        )

    def keeps_promise(self) -> bool:
        """Whether the plan was as quick and as good as the README says of 200 jobs."""
        return self.wall_s < PROMISED_WALL_S and self.verdict.gap < PROMISED_GAP


def name_of(case: dict[str, Any]) -> str:
    """``jobs x sites x slots`` with what else is special."""
    cap = " cap" if "carbon_cap_share" in case else ""
    return f"{case['jobs']}x{case['sites']}x{case['slots']} {case.get('utilisation', 0.6):.0%}{cap}"


def plan(case: dict[str, Any], folder: Path) -> Result:
    """Generate, plan in a process of its own, judge from the files."""
    instance = generate(**case)
    instance_file, plan_file = folder / "instance.json.gz", folder / "plan.json"
    write_json(instance, instance_file)
    command = [sys.executable, "app.py", "plan", str(instance_file), "--out", str(plan_file)]
    started = time.perf_counter()
    subprocess.run([*command, "--time-limit", str(TIME_LIMIT_S), "--seed", "1"], check=True, stdout=subprocess.DEVNULL)
    command_s = time.perf_counter() - started
    answer = referee.read(plan_file)
    return Result(
        name_of(case),
        referee.judge(referee.read(instance_file), answer),
        answer["wall_s"],
        command_s,
    )


def main() -> int:
    """Print the table; 1 when a plan is not valid or the promise is not kept."""
    print("jobs x sites x slots, share of the headroom asked for; objective and bound in GBP, by the referee")
    print(HEADER)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            results.append(plan(case, Path(folder)))
            print(results[-1].row(), flush=True)
    for result in results:
        for text in result.verdict.violations[:5]:
            print(f"{result.name}: {text}")
    if not results[0].keeps_promise():
        print(f"{results[0].name}: not under {PROMISED_WALL_S:g} s with a gap under {PROMISED_GAP:.0%}")
        return 1
    return int(any(result.verdict.violations for result in results))


if __name__ == "__main__":
    sys.exit(main())
