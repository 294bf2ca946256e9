"""A whale and a tenant of few jobs, over a real server: submitted, negotiated, explained, shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from core.clock import SystemClock
from core.slots import format_utc, slot_floor
from tests.house import Bench, small_site
from tests.integration.servers import served

BENCH_AT = slot_floor(SystemClock().now())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    bench = Bench.build(tmp_path / "var", at=BENCH_AT, sites=(small_site("london"),), tenant_weights="few=2")
    with served(bench) as url:
        yield url
    bench.house.close()


def submit(url: str, tenant: str, **changes: Any) -> str:
    body = {
        "job_name": "batch",
        "tenant": tenant,
        "duration_hours": 2,
        "power_kw": 20,
        "latest_finish": format_utc(BENCH_AT + timedelta(hours=12)),
    }
    answer = requests.post(f"{url}/api/jobs", json={**body, **changes}, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["job_id"])


def test_few_jobs_are_placed_beside_a_whale_and_a_refused_one_is_told_why(server: str):
    whale = [submit(server, "whale/pool", tier="premium") for _ in range(60)]
    few = [submit(server, "few", priority_level=5) for _ in range(6)]
    tick = requests.post(f"{server}/api/ticks", json={}, timeout=60).json()
    assert tick["outcome"] == "planned"
    jobs = {row["job_id"]: row for row in requests.get(f"{server}/api/jobs?limit=500", timeout=10).json()["jobs"]}
    assert {jobs[job_id]["status"] for job_id in few} == {"scheduled"}
    refused = next(job_id for job_id in whale if jobs[job_id]["status"] == "pending")
    share = requests.get(f"{server}/api/jobs/{refused}", timeout=10).json()["explanation"]["share"]
    assert share["asked_share"] > 1 > share["due_share"] == pytest.approx(1 / 3, abs=1e-5)
    page = requests.get(f"{server}/jobs/{refused}", timeout=10).text
    assert "beyond its fair share of the room" in page
    assert "against a fair share of 33 %" in page
    told = {row["tenant"]: row for row in requests.get(f"{server}/api/shares", timeout=10).json()["tenants"]}
    assert told["few"]["fair_share"] == pytest.approx(2 / 3)
    assert told["few"]["waiting"] == 0
    assert told["whale/pool"]["waiting"] > 20
    shares = requests.get(f"{server}/shares", timeout=10).text
    assert "whale/pool" in shares
    assert "66.7" in shares
