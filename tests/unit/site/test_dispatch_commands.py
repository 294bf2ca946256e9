"""The dispatcher with jobs that bring a command: real processes, fake store, a clock moved by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.site import orphans
from audit.record import Entry
from core.clock import ScaledClock
from core.errors import LogUnavailable
from core.job import FlexibilityType, JobStatus
from core.ledger import Leg
from core.slots import SLOT
from tests.unit.audit.samples import decision
from tests.unit.site.conftest import Yard
from tests.unit.site.fakes import START
from tests.waiting import eventually


def ends(yard: Yard) -> None:
    """Dispatch, as a server does all the time, until the job has ended."""

    def over() -> bool:
        yard.dispatcher.dispatch()
        return yard.status().terminal

    eventually(over)


def sh(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


def test_a_command_that_ends_early_completes_its_job_and_frees_the_rows_to_come(yard: Yard) -> None:
    job = yard.plan([0, 1, 2], command=sh("echo hello"), duration_hours=1.5)
    yard.at(0)
    ends(yard)
    after = yard.jobs.get("job1")
    assert (after.status, after.exit_status, after.reason) == (JobStatus.COMPLETED, 0, None)
    assert yard.ledger.entries(job_id="job1") == []
    assert yard.dispatcher.output("job1") == "hello\n"
    (body,) = yard.log.deliveries("job1")
    assert body["exit_status"] == 0
    assert body["committed_kwh"] == "15.000000"
    assert len(body["command_sha256"]) == len(body["output_sha256"]) == 64
    assert float(body["runtime_s"]) >= 0
    assert "s of CPU" in body["method"]
    assert str(job.command) not in str(body)


def test_a_command_that_ends_early_is_compared_with_as_much_of_its_baseline(yard: Yard) -> None:
    yard.plan([0, 1], command=sh("sleep 0.3"))
    row = yard.ledger.entries(job_id="job1")[0]
    yard.ledger.add(replace(row, leg=Leg.BASELINE, room_kw=100.0))
    yard.log.append_all([Entry("decision", decision("job1"))])
    yard.at(0)
    yard.clock.set(START + SLOT / 2)
    ends(yard)
    (baseline,) = yard.ledger.entries(job_id="job1", leg=Leg.BASELINE)
    _, body = yard.log.deliveries("job1")
    share = float(body["delivered_kwh"]) / float(body["committed_kwh"])
    assert 0 < share < 0.5
    assert baseline.it_kwh == pytest.approx(share * row.it_kwh)
    assert float(body["carbon"]["baseline_energy"]["it_kwh"]) == pytest.approx(baseline.it_kwh, abs=1e-6)


def test_a_command_that_fails_names_its_exit_status(yard: Yard) -> None:
    yard.plan([0, 1], command=sh("exit 7"))
    yard.at(0)
    ends(yard)
    job = yard.jobs.get("job1")
    assert (job.status, job.exit_status, job.reason) == (JobStatus.FAILED, 7, "exit status 7")


def test_a_command_that_is_not_found_fails_in_the_same_call(yard: Yard) -> None:
    yard.plan([0, 1], command=("no-such-program",))
    assert yard.at(0).failed == ("job1",)
    assert yard.jobs.get("job1").reason == "command 'no-such-program' was not found"


def test_a_command_still_running_when_its_rows_end_is_stopped(yard: Yard) -> None:
    yard.plan([0], command=sh("sleep 60"), timeout_minutes=600)
    yard.at(0)
    assert yard.at(1).failed == ("job1",)
    assert yard.jobs.get("job1").reason == "ran out of its awarded time"
    assert yard.delivered() == [5.0]


def test_a_paused_command_draws_nothing_and_goes_on_at_its_next_row(yard: Yard) -> None:
    script = "echo begun; while ! [ -f go ]; do sleep 0.02; done"
    yard.plan([0, 2], command=sh(script), flexibility_type=FlexibilityType.PAUSABLE, timeout_minutes=600)
    yard.at(0)
    eventually(lambda: yard.dispatcher.output("job1"))
    assert yard.at(1).paused == ("job1",)
    assert yard.at(2).resumed == ("job1",)
    yard.clock.set(START + SLOT * 2.5)
    (yard.folder / "job1/go").touch()
    ends(yard)
    assert yard.delivered() == pytest.approx([5.0, 2.5])
    assert yard.status() is JobStatus.COMPLETED


def test_cancelling_stops_the_command_and_keeps_what_it_drew(yard: Yard) -> None:
    yard.plan([0, 1], command=sh("sleep 60"), timeout_minutes=600)
    yard.at(0)
    yard.clock.set(START + SLOT / 4)
    yard.dispatcher.cancel("job1")
    job = yard.jobs.get("job1")
    assert (job.status, job.exit_status) == (JobStatus.CANCELLED, -15)
    assert yard.delivered() == [1.25]


def test_a_command_that_ended_before_it_was_cancelled_keeps_its_own_end(yard: Yard) -> None:
    yard.plan([0, 1], command=sh("exit 0"))
    yard.at(0)
    eventually(lambda: yard.dispatcher._local.poll("job1") or yard.status().terminal)
    yard.dispatcher.cancel("job1")
    assert yard.status() is JobStatus.COMPLETED


def test_a_command_whose_end_cannot_be_recorded_waits_for_the_log(yard: Yard) -> None:
    yard.plan([0, 1], command=sh("while ! [ -f go ]; do sleep 0.02; done"))
    yard.at(0)
    yard.log.up = False
    (yard.folder / "job1/go").touch()
    eventually(lambda: yard.dispatcher.dispatch().errors)
    assert yard.status() is JobStatus.RUNNING
    yard.log.up = True
    assert yard.at(0.5).completed == ("job1",)
    assert len(yard.log.deliveries("job1")) == 1


def test_a_cancelled_command_is_stopped_even_when_the_log_is_down(yard: Yard) -> None:
    yard.plan([0, 1], command=sh("sleep 60"), timeout_minutes=600)
    yard.at(0)
    identity = orphans.remembered(yard.folder)["job1"]
    yard.log.up = False
    with pytest.raises(LogUnavailable):
        yard.dispatcher.cancel("job1")
    assert list(orphans.members(identity, "job1")) == []


def test_closing_ends_commands_as_failed_and_leaves_simulated_jobs(yard: Yard) -> None:
    yard.plan([0, 1], command=sh("sleep 60"), timeout_minutes=600)
    yard.plan([0, 1], job_id="simulated")
    yard.at(0)
    yard.dispatcher.close()
    job = yard.jobs.get("job1")
    assert (job.status, job.reason) == (JobStatus.FAILED, "the server was stopped while its command ran")
    assert yard.status("simulated") is JobStatus.RUNNING


def test_slots_of_half_a_second_are_kept_on_a_scaled_clock(tmp_path: Path) -> None:
    clock: Any = ScaledClock(START, speed=3600)
    yard = Yard(tmp_path, clock)
    script = "echo begun; while ! [ -f go ]; do sleep 0.01; done; echo done"
    yard.plan([0, 2], command=sh(script), flexibility_type=FlexibilityType.PAUSABLE, timeout_minutes=600)
    yard.plan([0, 1], job_id="simulated")
    seen: list[JobStatus] = []

    def over() -> bool:
        yard.dispatcher.dispatch()
        seen.append(yard.status())
        if seen.count(JobStatus.PAUSED):
            (tmp_path / "job1/go").touch()
        return yard.status().terminal and yard.status("simulated").terminal

    eventually(over)
    assert list(dict.fromkeys(seen)) == [JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.COMPLETED]
    assert yard.dispatcher.output("job1") == "begun\ndone\n"
    first, last = yard.delivered()
    assert first is not None
    assert last is not None
    assert last < first <= 5.0
    assert yard.delivered("simulated") == pytest.approx([5.0, 5.0], rel=0.03)


SERVER = """
import sys, time
from pathlib import Path
from agents.site.local_executor import LocalExecutor
from core.clock import ManualClock
from tests.unit.site.fakes import START, make_job

executor = LocalExecutor(ManualClock(START), Path(sys.argv[1]))
executor.start(make_job(command=("/bin/sh", "-c", "trap '' PIPE; sleep 60 & wait")), "london", 10)
print("up", flush=True)
time.sleep(60)
"""


def test_commands_of_a_killed_server_are_ended_and_their_jobs_failed(yard: Yard) -> None:
    yard.plan([0, 1, 2], command=sh("sleep 60"), status=JobStatus.RUNNING)
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(yard.folder)], stdout=subprocess.PIPE, env=environment)
    assert server.stdout is not None
    with server.stdout:
        assert server.stdout.readline() == b"up\n"
        server.kill()
        server.wait()
    orphan = orphans.remembered(yard.folder)["job1"]
    eventually(lambda: len(list(orphans.members(orphan, "job1"))) == 2)
    yard.clock.advance(timedelta(minutes=40))
    report = yard.dispatcher.recover()
    assert report.failed == ("job1",)
    assert list(orphans.members(orphan, "job1")) == []
    assert orphans.remembered(yard.folder) == {}
    assert "the server stopped while its command ran" in str(yard.jobs.get("job1").reason)
    assert yard.delivered() == [0.0, 0.0]
    assert yard.dispatcher.recover().failed == ()
