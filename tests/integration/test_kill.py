"""Kill -9 at any moment: no accepted job is lost, the log verifies, and no job is stuck."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from audit.verify import verify
from core.slots import format_utc
from tests.integration.servers import Serving

EPOCH = datetime(2023, 3, 1, tzinfo=UTC)
SPEED = 1800
"""half an hour of the server's clock passes in a second"""
WINDOW_S = 5.0
"""real time from the last start to every job's deadline, besides twice what this machine takes to its first plan"""


BETWEEN_S = 0.02


@dataclass
class Submitter:
    """Submits one job after another, no more than the sites can run, until the server is gone; keeps what was
    acknowledged."""

    url: str
    deadline: datetime
    accepted: list[str] = field(default_factory=list)

    def run(self) -> None:
        with requests.Session() as session:
            while True:
                try:
                    answer = session.post(
                        f"{self.url}/api/jobs", json=job(len(self.accepted), self.deadline), timeout=10
                    )
                except requests.RequestException:
                    return
                if answer.status_code == 201:
                    self.accepted.append(answer.json()["job_id"])
                time.sleep(BETWEEN_S)


def job(number: int, deadline: datetime) -> dict[str, object]:
    return {
        "job_name": f"job {number}",
        "flexibility_type": ("deferrable", "pausable", "throttlable")[number % 3],
        "duration_hours": 0.5,
        "power_kw": 5,
        "latest_finish": format_utc(deadline),
    }


def serve(folder: Path, now: datetime) -> Serving:
    folder.mkdir(parents=True, exist_ok=True)
    return Serving.start(folder, CLOCK_SPEED=str(SPEED), CLOCK_START=format_utc(now), TICK_SECONDS="900")


def seconds_to_a_plan(folder: Path) -> float:
    """Real time that a server takes on this machine from its start to its first plan."""
    began = time.monotonic()
    server = serve(folder, EPOCH)
    try:
        requests.post(f"{server.url}/api/jobs", json=job(0, EPOCH + timedelta(days=7)), timeout=30).raise_for_status()
        while requests.post(f"{server.url}/api/ticks", json={}, timeout=120).json().get("outcome") != "planned":
            time.sleep(0.05)
    finally:
        server.kill()
    return time.monotonic() - began


@pytest.mark.parametrize("kills", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_a_server_killed_at_random_moments_loses_nothing(tmp_path: Path, kills: int):
    folder, moments = tmp_path / "var", random.Random(11)
    window_s = WINDOW_S + 2 * seconds_to_a_plan(tmp_path / "rehearsal" / "var")
    deadline = EPOCH + timedelta(hours=kills, seconds=window_s * SPEED)
    accepted: list[str] = []
    for number in range(kills + 1):
        server = serve(folder, EPOCH + timedelta(hours=number))
        try:
            assert set(accepted) <= jobs_of(server.url).keys()
            if number == kills:
                break
            submitter = Submitter(server.url, deadline)
            thread = threading.Thread(target=submitter.run)
            thread.start()
            time.sleep(moments.uniform(0.5, 2.0))
            server.kill()
            thread.join()
            assert submitter.accepted
            accepted += submitter.accepted
            assert verify(folder / "decisions.jsonl").ok or torn(folder)
        finally:
            if number < kills:
                server.kill()
    try:
        ended = await_ends(server.url, accepted, window_s)
        assert set(ended.values()) <= {"completed", "failed"}
        assert list(ended.values()).count("completed") > 0
        assert all_failures_have_reasons(server.url, ended)
        assert server.stop() == 0
        assert not server.members()
        assert verify(folder / "decisions.jsonl").ok
    finally:
        server.kill()


def torn(folder: Path) -> bool:
    """Whether only the last line is unfinished: never acknowledged, and moved away at the next start."""
    return not (folder / "decisions.jsonl").read_bytes().endswith(b"\n")


def jobs_of(url: str) -> dict[str, dict[str, Any]]:
    """Every job, page by page."""
    found: dict[str, dict[str, Any]] = {}
    while True:
        page = requests.get(f"{url}/api/jobs", params={"limit": 500, "offset": len(found)}, timeout=30).json()
        found |= {job["job_id"]: job for job in page["jobs"]}
        if len(found) >= page["total"]:
            return found


def await_ends(url: str, accepted: list[str], window_s: float) -> dict[str, str]:
    """State of every job once all have ended, soon after their deadline."""
    deadline = time.monotonic() + 60 + 2 * window_s
    while True:
        states = {job_id: found["status"] for job_id, found in jobs_of(url).items()}
        open_jobs = {i: states[i] for i in accepted if states[i] not in ("completed", "failed", "cancelled")}
        if not open_jobs:
            return {i: states[i] for i in accepted}
        assert time.monotonic() < deadline, f"stuck: {open_jobs}"
        time.sleep(0.5)


def all_failures_have_reasons(url: str, ended: dict[str, str]) -> bool:
    found = jobs_of(url)
    return all(found[job_id]["reason"] for job_id, status in ended.items() if status == "failed")
