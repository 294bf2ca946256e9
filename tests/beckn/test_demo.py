"""The demo, from its first step to its last: both sides agree, and every message is as the published schemas say."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from demo.settlement import reckoned
from tests.conftest import ROOT


def play(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", *flags], cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )


@pytest.mark.slow
@pytest.mark.shared
def test_the_whole_story_ends_with_both_sides_agreed_and_every_message_valid(shared_data: Path, tmp_path: Path) -> None:
    told = play("--keep", str(tmp_path), "--schemas", str(shared_data.parent / "beckn" / "schemas"))
    assert told.returncode == 0, told.stdout[-8000:] + told.stderr[-4000:]
    assert "[ok] every message is as the published schemas say" in told.stdout
    assert "[ok] both sides agree on every settlement to the penny" in told.stdout
    assert "DIFFERS" not in told.stdout
    assert list(tmp_path.glob("*/decisions.jsonl"))


def a_contract(baseline: float, usage: float) -> dict[str, Any]:
    def series(**columns: float) -> dict[str, Any]:
        return {"intervals": [{"id": 0, "payloads": [{"type": name, "values": [v]} for name, v in columns.items()]}]}

    meter = {"meterId": "m", "telemetry": series(BASELINE=baseline, USAGE=usage)}
    return {
        "commitments": [
            {
                "id": "one",
                "resources": [{"resourceAttributes": series(PRICE=0.5, SHORTFALL_PENALTY=0.2)}],
                "commitmentAttributes": series(CAPACITY_OFFERED=10),
            }
        ],
        "performance": [{"commitmentIds": ["one"], "performanceAttributes": {"meters": [meter]}}],
    }


@pytest.mark.parametrize(
    ("baseline", "usage", "total"), [(30, 20, "2.50"), (30, 10, "2.50"), (30, 24, "1.10"), (30, 35, "-1.00")]
)
def test_the_buyers_own_arithmetic_pays_what_came_and_fines_what_did_not(
    baseline: float, usage: float, total: str
) -> None:
    assert reckoned(a_contract(baseline, usage)) == Decimal(total)
