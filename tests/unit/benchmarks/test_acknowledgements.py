"""The benchmark of acknowledgements, for a few seconds at a low rate: nothing may be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.acknowledgements import Task, measure, told


@pytest.mark.slow  # starts three processes
def test_every_acknowledged_request_gets_its_callback(tmp_path: Path) -> None:
    found = measure(Task(rate=6.0, seconds=5.0, standing_jobs=6), tmp_path)
    assert found.complete, told(found)
    assert len(found.answers) == 30
    assert found.faults < 10
    assert "p99" in told(found)
