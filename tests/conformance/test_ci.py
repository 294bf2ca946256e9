"""CI does what it says: a skipped test fails it, and its script is a script."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.project import ROOT

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="runs"/>
<testcase classname="tests.a" name="waits"><skipped type="pytest.skip" message="{reason}">here</skipped></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def skipped() -> Callable[[Path], list[str]]:
    return runpy.run_path(str(ROOT / ".ci" / "skipped.py"))["skipped"]


def test_a_skipped_test_is_named_with_its_reason(tmp_path: Path, skipped: Callable[[Path], list[str]]) -> None:
    (tmp_path / "junit.xml").write_text(REPORT.format(reason="no Chromium"))
    assert skipped(tmp_path / "junit.xml") == ["tests.a::waits: no Chromium"]


@pytest.mark.parametrize(
    ("what", "said_by"), [("DATA", "tests/conftest.py"), ("PEERS", "tests/unit/benchmarks/peers/test_adapters.py")]
)
def test_a_test_of_recorded_data_or_of_peers_may_be_skipped_only_where_there_are_none(
    tmp_path: Path, skipped: Callable[[Path], list[str]], monkeypatch: pytest.MonkeyPatch, what: str, said_by: str
) -> None:
    reason = skipped.__globals__[f"{what}_ABSENT"]
    (tmp_path / "junit.xml").write_text(REPORT.format(reason=f"Skipped: {reason}"))
    monkeypatch.setitem(skipped.__globals__, what, tmp_path / "absent")
    assert skipped(tmp_path / "junit.xml") == []
    monkeypatch.setitem(skipped.__globals__, what, tmp_path)
    assert len(skipped(tmp_path / "junit.xml")) == 1
    assert reason in (ROOT / said_by).read_text()


def test_a_report_without_tests_is_no_success(tmp_path: Path, skipped: Callable[[Path], list[str]]) -> None:
    (tmp_path / "junit.xml").write_text("<testsuites/>")
    with pytest.raises(ValueError, match="no test at all"):
        skipped(tmp_path / "junit.xml")


def test_ci_runs_the_slow_tests_too_and_looks_for_skips_in_every_report() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    reports = re.findall(r"^make (?:check|test-slow) PYTEST_FLAGS=\"--junitxml=(\S+)\"$", script, re.MULTILINE)
    assert len(reports) == 2
    assert f".ci/skipped.py {' '.join(reports)}\n" in script


def test_the_script_of_ci_is_executable_and_well_formed() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)
