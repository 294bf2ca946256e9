"""A log that cannot be written or synced stops decisions, says so, and nothing is acted on."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from audit import storage
from audit.verify import verify
from core.job import JobStatus
from core.slots import SLOT
from tests.house import Bench
from tests.integration.servers import services_of
from web.application import create_app


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench.build(tmp_path / "var")
    yield made
    made.house.close()


@pytest.fixture
def client(bench: Bench) -> FlaskClient:
    return create_app(services_of(bench)).test_client()


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(params=["write_all", "fsync"])
def full(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it to let every further write, or every sync, of the log fail."""

    class Disk:
        """The operating system, as the log's storage sees it."""

        def __getattr__(self, name: str) -> Any:
            return no_space if name == "fsync" else getattr(os, name)

    def fail() -> None:
        if request.param == "write_all":
            monkeypatch.setattr(storage, "write_all", no_space)
        else:
            monkeypatch.setattr(storage, "os", Disk())

    return fail


def job(bench: Bench) -> dict[str, Any]:
    finish = bench.clock.now() + timedelta(hours=12)
    return {"job_name": "a", "duration_hours": 1, "power_kw": 20, "latest_finish": finish.isoformat()}


def test_point_10_decisions_stop_with_503_and_health_says_why(bench: Bench, client: FlaskClient, full: Any):
    placed = client.post("/api/jobs", json=job(bench)).json["job_id"]
    assert client.post("/api/ticks", json={}).status_code == 200
    slot = client.post("/api/beckn/search", json={}).json["slots"][-1]
    records, planned = bench.house.log.head()[0], bench.house.ledger.entries()
    full()
    waiting = client.post("/api/jobs", json=job(bench)).json["job_id"]
    for path, body in (
        ("/api/schedule-all", {}),
        ("/api/beckn/confirm", {"slot_id": slot["slot_id"], "job_id": "theirs"}),
        (f"/api/jobs/{waiting}/schedule", {}),
    ):
        answer = client.post(path, json=body)
        assert (path, answer.status_code) == (path, 503)
        assert answer.mimetype == "application/problem+json"
        assert "Retry-After" in answer.headers
    health = client.get("/health").json
    assert health["status"] == "unhealthy"
    assert not health["checks"]["decision_log"]["ok"]
    assert "space" in health["checks"]["decision_log"]["detail"].lower()
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200
    assert bench.house.jobs.get(waiting).status is JobStatus.PENDING
    assert bench.house.jobs.get(placed).status is JobStatus.SCHEDULED
    assert [row for row in bench.house.ledger.entries() if row.leg == "plan"] == [
        row for row in planned if row.leg == "plan"
    ]
    assert bench.house.bookings.active(bench.clock.now(), bench.clock.now() + 400 * SLOT) == []
    assert bench.house.log.head()[0] == records


def test_point_10_no_job_starts_while_its_end_could_not_be_recorded(bench: Bench, client: FlaskClient, full: Any):
    placed = client.post("/api/jobs", json=job(bench) | {"flexibility_type": "fixed"}).json["job_id"]
    client.post("/api/ticks", json={})
    full()
    assert client.post("/api/ticks", json={}).json["outcome"] == "failed"
    bench.house.dispatcher.dispatch()
    assert bench.house.jobs.get(placed).status is JobStatus.SCHEDULED


def test_after_the_disk_has_room_again_a_restart_goes_on_where_it_stopped(
    bench: Bench, client: FlaskClient, full: Any, monkeypatch: pytest.MonkeyPatch
):
    waiting = client.post("/api/jobs", json=job(bench)).json["job_id"]
    full()
    assert client.post("/api/ticks", json={}).json["outcome"] == "failed"
    monkeypatch.undo()
    again = bench.restarted()
    assert again.tick().placed == 1
    assert again.house.jobs.get(waiting).status is JobStatus.SCHEDULED
    assert verify(bench.folder / "decisions.jsonl").ok
    again.house.close()
