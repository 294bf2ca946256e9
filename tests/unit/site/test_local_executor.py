"""The local executor with real processes: what they get, how they are held and ended, what is measured."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.site.executor import Exit
from agents.site.local_executor import LocalExecutor, output_tail, run_limit
from core.clock import ManualClock
from core.job import FlexibilityType, Job
from core.slots import SLOT
from tests.unit.site.fakes import LEVELS, START, SteppedClock, make_job
from tests.waiting import eventually

PYTHON = sys.executable


def python(code: str, **changes: Any) -> Job:
    return make_job(command=(PYTHON, "-c", code), **changes)


def shell(script: str, **changes: Any) -> Job:
    return make_job(command=("/bin/sh", "-c", script), **changes)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def executor(clock: SteppedClock, tmp_path: Path) -> Iterator[LocalExecutor]:
    executor = LocalExecutor(clock, tmp_path, grace_s=0.5, cap_bytes=1000)
    yield executor
    executor.stop(["job1"], "end of test")


def ended(executor: LocalExecutor) -> Exit:
    eventually(lambda: executor.poll("job1"))
    result = executor.poll("job1")
    assert result is not None
    return result


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def alive(pid: int) -> bool:
    try:
        return state_of(pid) not in "ZX"
    except OSError:
        return False


def test_a_command_runs_in_its_folder_and_its_output_is_kept(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.start(shell("pwd; echo oops >&2"), "london", 10)
    result = ended(executor)
    assert (result.exit_status, result.reason) == (0, None)
    text = output_tail(tmp_path, "job1")
    assert text == f"{tmp_path / 'job1'}\noops\n"
    assert result.output_sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_command_sees_none_of_the_servers_environment(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    executor.start(make_job(command=("env",)), "london", 7.5)
    ended(executor)
    found = dict(line.split("=", 1) for line in output_tail(tmp_path, "job1").splitlines())
    assert set(found) == {
        "PATH", "HOME", "LANG", "SLACKWATER_JOB_ID", "SLACKWATER_SITE_ID", "SLACKWATER_POWER_KW",
    }  # fmt: skip
    assert (found["SLACKWATER_SITE_ID"], found["SLACKWATER_POWER_KW"]) == ("london", "7.5")


def test_an_exit_status_is_kept_with_a_reason(executor: LocalExecutor) -> None:
    executor.start(shell("exit 3"), "london", 10)
    assert (ended(executor).exit_status, ended(executor).reason) == (3, "exit status 3")


def test_a_signal_that_ends_a_command_is_named(executor: LocalExecutor) -> None:
    executor.start(shell("kill -9 $$"), "london", 10)
    assert (ended(executor).exit_status, ended(executor).reason) == (-9, "ended by signal 9 (Killed)")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("no-such-program",), "command 'no-such-program' was not found"),
        (("/etc/passwd",), "command '/etc/passwd' is not an executable file"),
        (("echo", "a\0b"), "command 'echo' could not be started: embedded null byte"),
    ],
)
def test_a_command_that_cannot_start_is_a_failed_job(
    executor: LocalExecutor, command: tuple[str, ...], reason: str
) -> None:
    executor.start(make_job(command=command), "london", 10)
    assert ended(executor).exit_status is None
    assert ended(executor).reason == reason


def test_a_folder_that_cannot_be_made_is_a_failed_job(clock: SteppedClock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    executor = LocalExecutor(clock, tmp_path / "file")
    executor.start(shell("true"), "london", 10)
    assert "could not be started" in str(ended(executor).reason)


def test_output_beyond_the_cap_is_dropped_and_does_not_stop_the_command(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    executor.start(python("print('x' * 5_000_000); open('done', 'w')"), "london", 10)
    result = ended(executor)
    assert result.exit_status == 0
    assert (tmp_path / "job1/done").exists()
    kept = (tmp_path / "job1/output.txt").read_bytes()
    assert kept == b"x" * 1000
    assert result.output_sha256 == hashlib.sha256(kept).hexdigest()


def test_the_tail_is_the_end_of_the_output(tmp_path: Path) -> None:
    (tmp_path / "job1").mkdir()
    (tmp_path / "job1/output.txt").write_bytes(b"a" * 100 + b"\xff end")
    assert output_tail(tmp_path, "job1", 5) == "� end"
    assert output_tail(tmp_path, "job2") == ""


def test_a_paused_command_stands_still_and_goes_on_when_resumed(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.start(shell("echo $$; sleep 0.2; echo done"), "london", 10)
    eventually(lambda: output_tail(tmp_path, "job1"))
    pid = int(output_tail(tmp_path, "job1"))
    executor.pause("job1")
    eventually(lambda: state_of(pid) in "TD")  # D: the shell waits for a child that was stopped while being made
    executor.pause("job1")
    executor.resume("job1")
    assert ended(executor).exit_status == 0
    assert output_tail(tmp_path, "job1").endswith("done\n")


def test_paused_time_counts_neither_as_run_time_nor_towards_the_time_out(executor: LocalExecutor) -> None:
    executor.start(shell("sleep 0.3", timeout_minutes=5), "london", 10)  # 0.5 real seconds
    executor.pause("job1")
    time.sleep(0.7)  # a real process really has to stand still
    executor.resume("job1")
    result = ended(executor)
    assert result.reason is None
    assert 0 < (result.runtime_s or 0) < 0.6


def test_a_command_is_stopped_at_its_time_out(executor: LocalExecutor) -> None:
    executor.start(shell("sleep 60", timeout_minutes=2), "london", 10)  # 0.2 real seconds
    result = ended(executor)
    assert result.reason == "stopped at its time-out of 2 min of run time"
    assert result.exit_status == -15


def test_the_time_out_counts_all_stretches_of_run_time(executor: LocalExecutor) -> None:
    executor.start(shell("sleep 60", timeout_minutes=6), "london", 10)  # 0.6 real seconds
    for _ in range(2):
        time.sleep(0.25)
        executor.pause("job1")
        executor.resume("job1")
    result = ended(executor)
    assert result.reason == "stopped at its time-out of 6 min of run time"
    assert 0.6 <= (result.runtime_s or 0) < 1.0


def test_a_command_deaf_to_sigterm_is_killed_after_the_grace(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.start(shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"), "london", 10)
    eventually(lambda: output_tail(tmp_path, "job1"))
    executor.stop(["job1"], "ran out of its awarded time")
    assert (ended(executor).exit_status, ended(executor).reason) == (-9, "ran out of its awarded time")


def test_a_paused_command_is_woken_to_tidy_up_before_it_ends(executor: LocalExecutor, tmp_path: Path) -> None:
    script = "trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.02; done"
    executor.start(shell(script), "london", 10)
    eventually(lambda: output_tail(tmp_path, "job1"))
    executor.pause("job1")
    executor.stop(["job1"], "cancelled")
    assert (ended(executor).reason, ended(executor).exit_status) == ("cancelled", 4)
    assert output_tail(tmp_path, "job1").endswith("bye\n")


def test_several_deaf_commands_share_one_grace(executor: LocalExecutor, tmp_path: Path) -> None:
    names = ["job1", "job2", "job3"]
    for name in names:
        executor.start(shell("trap '' TERM; echo ready; while :; do sleep 0.05; done", job_id=name), "london", 10)
        eventually(lambda name=name: output_tail(tmp_path, name))
    began = time.monotonic()
    executor.stop(names, "cancelled")
    assert 0.5 <= time.monotonic() - began < 1.4
    assert all(executor.poll(name) for name in names)


def test_what_a_command_leaves_in_the_background_ends_with_it(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.start(shell("sleep 60 & echo $!"), "london", 10)
    assert ended(executor).exit_status == 0
    child = int(output_tail(tmp_path, "job1"))
    eventually(lambda: not alive(child))


def test_what_a_command_sends_into_another_session_ends_with_it(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.start(
        python("import subprocess as s; print(s.Popen(['sleep', '60'], stdout=s.DEVNULL, start_new_session=True).pid)"),
        "london",
        10,
    )
    assert ended(executor).exit_status == 0
    child = int(output_tail(tmp_path, "job1"))
    eventually(lambda: not alive(child))


def test_cpu_seconds_are_those_of_the_command(executor: LocalExecutor) -> None:
    executor.start(python("import time\nwhile time.process_time() < 0.3: pass"), "london", 10)
    result = ended(executor)
    assert 0.3 <= (result.cpu_s or 0) < 2
    assert (result.runtime_s or 0) >= 0.25


def test_energy_is_awarded_power_times_the_share_of_the_slot_in_which_it_ran(
    executor: LocalExecutor, clock: SteppedClock
) -> None:
    clock.advance(SLOT / 6)
    executor.start(shell("sleep 60"), "london", 10)
    clock.advance(SLOT / 2)
    executor.pause("job1")
    clock.advance(SLOT)
    executor.resume("job1")
    clock.advance(SLOT / 3)
    executor.stop(["job1"], "cancelled")
    clock.advance(SLOT)
    slots = [executor.delivered_kwh("job1", START + SLOT * n, 12.0, START + SLOT * (n + 1)) for n in range(4)]
    assert slots == pytest.approx([3.0, 2.0, 0.0, 0.0])


def test_a_new_power_is_told_to_the_command_in_a_file(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.start(shell("while ! [ -f power_kw.txt ]; do sleep 0.02; done; cat power_kw.txt"), "london", 10)
    executor.set_power("job1", 5.5)
    assert ended(executor).exit_status == 0
    assert output_tail(tmp_path, "job1") == "5.5\n"


def test_standard_input_is_empty(executor: LocalExecutor) -> None:
    executor.start(make_job(command=("cat",)), "london", 10)
    assert ended(executor).exit_status == 0


def test_the_command_has_a_session_of_its_own(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.start(python("import os; print(os.getsid(0) == os.getpid())"), "london", 10)
    ended(executor)
    assert output_tail(tmp_path, "job1") == "True\n"


def test_an_unknown_job_is_ignored(executor: LocalExecutor) -> None:
    executor.pause("nobody")
    executor.resume("nobody")
    executor.set_power("nobody", 1)
    executor.stop(["nobody"], "cancelled")
    executor.forget("nobody")
    assert executor.poll("nobody") is None
    assert executor.delivered_kwh("nobody", START, 10, START + SLOT) == 0


def test_a_clock_that_never_waits_sets_no_time_out(tmp_path: Path) -> None:
    executor = LocalExecutor(ManualClock(START), tmp_path)
    executor.start(shell("sleep 0.1"), "london", 10)
    assert ended(executor).reason is None


def test_the_run_limit_is_the_time_out_else_the_duration_else_the_window() -> None:
    assert run_limit(make_job(timeout_minutes=5)) == timedelta(minutes=5)
    assert run_limit(make_job(duration_hours=1.25)) == timedelta(minutes=75)
    assert run_limit(make_job(flexibility_type=FlexibilityType.THROTTLABLE, levels=LEVELS)) == timedelta(hours=8)


def test_no_file_descriptor_or_process_is_left_behind(executor: LocalExecutor) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        executor.start(shell("echo hello"), "london", 10)
        ended(executor)
        executor.forget("job1")
    eventually(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)
