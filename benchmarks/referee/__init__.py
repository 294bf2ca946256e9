"""An independent referee: reads an instance and a plan from their files and believes neither.

It shares no code with the planner: the limits, the objective and the lower bound of docs/planner.md are worked out here
from the two files alone. ``python -m benchmarks.referee INSTANCE PLAN`` prints a table and fails on any violation.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

from benchmarks.referee.examination import Examination
from benchmarks.referee.verdict import Json, Verdict, relative_gap

__all__ = ["Verdict", "judge", "main", "read", "relative_gap"]


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def read(path: Path) -> Json:
    """Read ``.json`` or ``.json.gz``; NaN and infinities are refused with :class:`ValueError`."""
    raw = path.read_bytes()
    parsed: Json = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw, parse_constant=_refuse)
    return parsed


def judge(instance: Json, plan: Json) -> Verdict:
    """Judge a plan against its instance, both as read from their files."""
    return Examination(instance, plan).run()


def main(arguments: list[str]) -> int:
    """0 for a valid plan, 1 for violations, 2 for files that cannot be judged."""
    if len(arguments) != 2:
        print("usage: python -m benchmarks.referee INSTANCE PLAN", file=sys.stderr)
        return 2
    try:
        verdict = judge(*(read(Path(name)) for name in arguments))
    except (OSError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError) as error:
        print(f"cannot be judged: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(verdict.table())
    return 1 if verdict.violations else 0
