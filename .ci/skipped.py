"""Fail where a test was skipped that CI could have run: `python .ci/skipped.py JUNIT.xml...`.

CI has Chromium and PostgreSQL, so no skip is excused but two: tests of recorded data, where ``../shared/data`` does
not lie beside the clone, and tests of the benchmarks' peers, where ``make bench-peers`` has not installed them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DATA_ABSENT = "recorded data (../shared/data) is not beside this clone"
PEERS = Path(__file__).resolve().parents[1] / ".venv-peers"
PEERS_ABSENT = "peers of the benchmarks are not installed (make bench-peers)"


def skipped(report: Path) -> list[str]:
    """Each skipped test of a JUnit report, with the reason it gave, but for the excused ones."""
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314  pytest wrote it a moment ago
    if not cases:
        raise ValueError(f"{report} holds no test at all")
    excused = [reason for folder, reason in ((DATA, DATA_ABSENT), (PEERS, PEERS_ABSENT)) if not folder.is_dir()]
    reasons = [(case, skip.get("message", "")) for case in cases if (skip := case.find("skipped")) is not None]
    return [
        f"{case.get('classname')}::{case.get('name')}: {reason}"
        for case, reason in reasons
        if not any(text in reason for text in excused)
    ]


if __name__ == "__main__":
    rows = [row for report in sys.argv[1:] for row in skipped(Path(report))]
    if rows:
        sys.exit("skipped, though CI can run them:\n  " + "\n  ".join(rows))
    sys.stdout.write("no test was skipped that CI can run\n")
