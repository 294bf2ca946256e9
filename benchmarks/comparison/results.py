"""What came of each run, kept in a file so that a run that is repeated in part keeps the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PLAN, VALUE, UNSUITED, NO_ANSWER, LATE, ABSENT, FAILED = (
    "plan",
    "value",
    "unsuited",
    "no answer",
    "late",
    "absent",
    "failed",
)
"""a plan was made; only a value; the form cannot express it; it said so; out of time; not installed; it broke down"""


@dataclass(frozen=True)
class Row:
    """One method on one instance.

    :ivar wall_s: planning alone, by the method's own clock; ``command_s`` and ``peak_mb`` of its whole process.
    :ivar figures: the judgement (benchmarks.comparison.judging); empty without a plan.
    """

    instance: str
    method: str
    outcome: str
    said: str = ""
    wall_s: float | None = None
    command_s: float | None = None
    peak_mb: float | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether it is a plan that keeps every limit: only these are ranked."""
        return self.outcome == PLAN and not self.figures["violations"]

    @property
    def complete(self) -> bool:
        """Whether it is a valid plan that serves every job."""
        return self.valid and not self.figures["unserved"]

    @property
    def proven_gbp(self) -> float:
        """The best bound that it proves; minus infinity for none."""
        names = ("bound_gbp", "solver_bound_gbp", *(("fractional_gbp",) if self.method == "exact-lp" else ()))
        return max((self.figures[name] for name in names if self.figures.get(name) is not None), default=float("-inf"))


@dataclass(frozen=True)
class Results:
    """All rows of the last runs, with what they ran on."""

    machine: str
    source: str
    rows: tuple[Row, ...]

    def of(self, instance: str) -> list[Row]:
        """The rows of one instance."""
        return [row for row in self.rows if row.instance == instance]

    def bound_gbp(self, instance: str) -> float:
        """The best bound that any method proved."""
        return max((row.proven_gbp for row in self.of(instance)), default=float("-inf"))

    def with_rows(self, rows: Iterable[Row]) -> Results:
        """The same with some rows replaced or added."""
        found = {(row.instance, row.method): row for row in (*self.rows, *rows)}
        return Results(self.machine, self.source, tuple(found.values()))


def load(path: Path, machine: str, source: str) -> Results:
    """The last results, none where there are none or where they come from another machine or other figures."""
    if path.exists():
        read = json.loads(path.read_text())
        if (read["machine"], read["source"]) == (machine, source):
            return Results(machine, source, tuple(Row(**row) for row in read["rows"]))
    return Results(machine, source, ())


def save(results: Results, path: Path) -> None:
    """Write the results for :func:`load`."""
    path.write_text(json.dumps(asdict(results), indent=1))
