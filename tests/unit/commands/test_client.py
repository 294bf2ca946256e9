"""``submit``, ``quote``, ``jobs`` and ``tick`` against a real server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import app
from commands import client as client_module
from commands.client import Client
from core.clock import SystemClock
from core.errors import InputError, Unavailable
from core.job import JobStatus
from core.slots import SLOT, format_utc, slot_floor
from tests.house import Bench
from tests.integration.servers import free_port, served


@dataclass
class Terminal:
    """The command line, pointed at a served bench."""

    bench: Bench
    url: str
    capture: pytest.CaptureFixture[str]

    def run(self, *argv: str) -> tuple[int, str, str]:
        """Status, standard output, standard error."""
        self.capture.readouterr()
        status = app.main([argv[0], "--url", self.url, *argv[1:]])
        told = self.capture.readouterr()
        return status, told.out, told.err

    def json(self, *argv: str) -> Any:
        status, out, err = self.run(*argv, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    def submit(self, *argv: str) -> tuple[int, str, str]:
        return self.run("submit", "train", "--hours", "1", "--kw", "20", "--deadline", "+12", *argv)


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    bench = Bench.build(tmp_path / "var", at=slot_floor(SystemClock().now()))
    with served(bench) as url:
        yield Terminal(bench, url, capsys)
    bench.house.close()


def test_a_job_is_submitted_planned_listed_shown_and_cancelled(terminal: Terminal):
    status, out, _ = terminal.submit("--region", "oslo", "--tier", "premium", "--kind", "pausable")
    job_id, state = out.split()[:2]
    assert (status, state) == (0, "pending")
    stored = terminal.bench.house.jobs.get(job_id)
    assert (stored.allowed_regions, stored.tier, stored.flexibility_type) == (("oslo",), "premium", "pausable")
    status, out, _ = terminal.run("tick")
    assert (status, out.startswith("planned: 1 placed, 0 unserved, gap ")) == (0, True)
    status, out, _ = terminal.run("jobs")
    assert job_id in out
    assert "oslo" in out
    assert out.endswith("1 jobs\n")
    assert terminal.json("jobs", "--status", "scheduled")["total"] == 1
    assert terminal.json("jobs", "--status", "failed")["total"] == 0
    assert job_id in json.dumps(terminal.json("jobs", job_id))
    terminal.json("jobs", job_id, "--cancel")
    assert terminal.bench.house.jobs.get(job_id).status is JobStatus.CANCELLED
    status, _, err = terminal.run("jobs", job_id, "--cancel")
    assert (status, "cancelled already" in err) == (2, True)


def test_a_quote_prints_a_line_for_now_and_each_deadline_and_stores_nothing(terminal: Terminal):
    terminal.bench.tick()
    job = ("train", "--hours", "1", "--kw", "20", "--deadline", "+12")
    status, out, _ = terminal.run("quote", *job, "--by", "+3", "--by", "+6")
    lines = out.splitlines()
    assert (status, len(lines)) == (0, 4)
    assert (lines[1].split()[0], lines[1].count("GBP"), lines[0].count("GBP")) == ("now", 0, 2)
    assert all("simulated" in line for line in lines[1:])
    assert len(terminal.json("quote", *job)["points"]) > 10
    assert terminal.bench.house.jobs.counts() == {}


def test_a_quote_that_cannot_be_met_says_why_and_ends_with_status_1(terminal: Terminal):
    terminal.bench.tick()
    job = ("train", "--hours", "1", "--kw", "20", "--deadline", "+12", "--max-carbon", "0")
    status, out, _ = terminal.run("quote", *job)
    assert status == 1
    assert "caps" in out
    assert "carbon_cap_g_per_kwh" in out


def test_what_the_server_refuses_is_told_with_its_remedy(terminal: Terminal):
    status, out, err = terminal.submit("--region", "MARS")
    assert (status, out) == (2, "")
    assert "MARS" in err
    assert "oslo" in err
    status, _, err = terminal.run("jobs", "job-none")
    assert (status, "job-none" in err) == (2, True)


def test_a_deadline_that_is_no_number_of_hours_is_refused_before_anything_is_sent(terminal: Terminal):
    status, _, err = terminal.run("submit", "a", "--hours", "1", "--kw", "1", "--deadline", "+soon")
    assert (status, "+24" in err) == (2, True)


def test_cancel_without_a_job_is_refused(terminal: Terminal):
    status, _, err = terminal.run("jobs", "--cancel")
    assert (status, "jobs JOB_ID --cancel" in err) == (2, True)


def test_a_tick_that_fails_ends_with_status_1(terminal: Terminal):
    terminal.submit()
    terminal.bench.solver.fault = RuntimeError("broken")  # type: ignore[attr-defined]
    status, out, _ = terminal.run("tick")
    assert (status, out.startswith("failed: ")) == (1, True)


def test_without_a_server_the_remedy_is_to_start_one(capsys: pytest.CaptureFixture[str]):
    assert app.main(["jobs", "--url", f"http://127.0.0.1:{free_port()}"]) == 2
    assert "make run" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", [None, 30])
def test_a_submitted_job_is_followed_to_its_end(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, minutes: int | None
):
    """The clock passes over its window beside the terminal; a job that is cancelled meanwhile gives status 1."""
    monkeypatch.setattr(client_module, "POLL_S", 0.01)
    bench, over = terminal.bench, threading.Event()

    def live() -> None:
        while not over.wait(0.02):
            for job in bench.house.jobs.open_jobs():
                if minutes is not None:
                    bench.house.jobs.cancel(job.job_id, "not needed")
                    return
                bench.tick()
                bench.house.dispatcher.dispatch()
                bench.clock.advance(SLOT)

    world = threading.Thread(target=live)
    world.start()
    status, out, _ = terminal.submit("--wait")
    over.set()
    world.join()
    assert (status, out.split()[1]) == ((0, "completed") if minutes is None else (1, "cancelled"))


def test_a_python_program_uses_the_client(terminal: Terminal):
    client = Client(terminal.url + "/")
    finish = terminal.bench.clock.now() + timedelta(hours=6)
    body = {"job_name": "from Python", "duration_hours": 1, "power_kw": 5, "latest_finish": format_utc(finish)}
    with pytest.raises(InputError, match="no plan is in force"):
        client.quote(body)
    assert client.tick()["outcome"] == "idle"
    assert client.quote(body)["own"]["offer"]["site_id"]
    assert len(client.quote(body, [format_utc(finish)])["points"]) == 1
    job = client.submit(body)
    assert client.tick()["outcome"] == "planned"
    assert client.jobs(status="scheduled")["jobs"][0]["job_id"] == job["job_id"]
    assert client.cancel(job["job_id"])["status"] == "cancelled"
    with pytest.raises(InputError) as caught:
        client.submit(body | {"power_kw": -1})
    assert caught.value.field == "power_kw"
    with pytest.raises(Unavailable):
        Client(f"http://127.0.0.1:{free_port()}").jobs()


def test_shares_tell_who_is_due_what_and_who_waits(terminal: Terminal):
    status, out, _ = terminal.run("shares")
    assert (status, "0 tenants" in out) == (0, True)
    terminal.submit("--tenant", "acme/research", "--level", "4")
    assert terminal.bench.house.jobs.open_jobs()[0].priority_level == 4
    status, out, _ = terminal.run("shares")
    (line,) = [line for line in out.splitlines() if line.startswith("acme/research")]
    assert line.split()[1:8] == ["1", "100.0%", "0.0%", "0.0%", "-", "1", "1"]
    assert terminal.json("shares")["tenants"][0]["waiting"] == 1


def test_a_level_beyond_the_last_is_refused_by_name(terminal: Terminal):
    status, _, err = terminal.submit("--level", "10")
    assert (status, "priority_level" in err) == (2, True)
