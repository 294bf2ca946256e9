"""Fail where a test was skipped that CI could have run: `python .ci/skipped.py JUNIT.xml`.

CI has Chromium and PostgreSQL, so no skip is excused but one: tests of recorded data, where ``../shared/data`` does
not lie beside the clone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DATA_ABSENT = "recorded data (../shared/data) is not beside this clone"


def skipped(report: Path) -> list[str]:
    """Each skipped test of a JUnit report, with the reason it gave, but for an excused one."""
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314  pytest wrote it a moment ago
    if not cases:
        raise ValueError(f"{report} holds no test at all")
    reasons = [(case, skip.get("message", "")) for case in cases if (skip := case.find("skipped")) is not None]
    return [
        f"{case.get('classname')}::{case.get('name')}: {reason}"
        for case, reason in reasons
        if DATA.is_dir() or DATA_ABSENT not in reason
    ]


if __name__ == "__main__":
    rows = skipped(Path(sys.argv[1]))
    if rows:
        sys.exit("skipped, though CI can run them:\n  " + "\n  ".join(rows))
    sys.stdout.write("no test was skipped that CI can run\n")
