"""Kill -9 at any moment: no accepted job is lost, the log verifies, and no job is stuck."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from audit.verify import verify
from core.slots import format_utc
from tests.integration.servers import Serving

KILLS = 2
EPOCH = datetime(2023, 3, 1, tzinfo=UTC)
SPEED = 1800
"""half an hour of the server's clock passes in a second"""


@dataclass
class Submitter:
    """Submits one job after another until the server is gone; keeps what was acknowledged."""

    url: str
    now: datetime
    accepted: list[str] = field(default_factory=list)

    def run(self) -> None:
        with requests.Session() as session:
            while True:
                body = {
                    "job_name": f"job {len(self.accepted)}",
                    "flexibility_type": ("deferrable", "pausable", "throttlable")[len(self.accepted) % 3],
                    "duration_hours": 0.5,
                    "power_kw": 5,
                    "latest_finish": format_utc(self.now + timedelta(hours=16)),
                }
                try:
                    answer = session.post(f"{self.url}/api/jobs", json=body, timeout=10)
                except requests.RequestException:
                    return
                if answer.status_code == 201:
                    self.accepted.append(answer.json()["job_id"])


def test_a_server_killed_at_random_moments_loses_nothing(tmp_path: Path):
    folder = tmp_path / "var"
    folder.mkdir()
    moments = random.Random(11)
    accepted: list[str] = []
    for number in range(KILLS + 1):
        now = EPOCH + timedelta(hours=number)
        server = Serving.start(folder, CLOCK_SPEED=str(SPEED), CLOCK_START=format_utc(now), TICK_SECONDS="900")
        try:
            for job_id in accepted:
                assert requests.get(f"{server.url}/api/jobs/{job_id}", timeout=10).status_code == 200
            if number == KILLS:
                break
            submitter = Submitter(server.url, now)
            thread = threading.Thread(target=submitter.run)
            thread.start()
            time.sleep(moments.uniform(0.5, 2.0))
            server.kill()
            thread.join()
            assert submitter.accepted
            accepted += submitter.accepted
            assert verify(folder / "decisions.jsonl").ok or torn(folder)
        finally:
            if number < KILLS:
                server.kill()
    try:
        ended = await_ends(server.url, accepted)
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


def await_ends(url: str, accepted: list[str]) -> dict[str, str]:
    """State of every job once all have ended: their windows are sixteen hours long, which is 32 s."""
    deadline = time.monotonic() + 60
    while True:
        found = requests.get(f"{url}/api/jobs", params={"limit": 500}, timeout=30).json()
        states = {job["job_id"]: job["status"] for job in found["jobs"]}
        if found["total"] > 500:
            states |= {i: requests.get(f"{url}/api/jobs/{i}", timeout=10).json()["job"]["status"] for i in accepted}
        open_jobs = {i: states[i] for i in accepted if states[i] not in ("completed", "failed", "cancelled")}
        if not open_jobs:
            return {i: states[i] for i in accepted}
        assert time.monotonic() < deadline, f"stuck: {open_jobs}"
        time.sleep(0.5)


def all_failures_have_reasons(url: str, ended: dict[str, str]) -> bool:
    failed = [i for i, status in ended.items() if status == "failed"]
    return all(requests.get(f"{url}/api/jobs/{i}", timeout=10).json()["job"]["reason"] for i in failed)
