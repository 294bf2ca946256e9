"""The local executor: runs a job's command as a process of this machine, in a session of its own.

The command gets an empty standard input, its job's folder as working directory and HOME, and an environment of six
variables: nothing of the server's own. Standard output and error go to ``output.txt`` up to a cap; beyond it they are
read and dropped, so that the command is never blocked. Process ids are signalled only while they are surely ours: an
ended command stays unreaped until all that it left behind, in its group or out of it, has been signalled for the last
time.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from agents.site.executor import Exit
from agents.site.metering import RunMeter, share_kwh
from agents.site.orphans import JOB_VARIABLE, PROCESS_FILE, ProcessIdentity, end_all, remember
from audit.bodies.settlement import ReadingType
from core.clock import Clock
from core.job import FlexibilityType, Job
from core.slots import SLOT

_LOG = logging.getLogger(__name__)
OUTPUT_FILE = "output.txt"
POWER_FILE = "power_kw.txt"
TAIL_BYTES = 64 * 1024
OUTPUT_CAP_BYTES = 10 * 1024 * 1024
GRACE_S = 2.0
"""real seconds between SIGTERM and SIGKILL"""
_DRAIN_S = 2.0
_KILL_S = 5.0
_CHUNK_BYTES = 64 * 1024
_PATH = os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin", str(Path(sys.executable).parent)])


def run_limit(job: Job) -> timedelta:
    """Longest run time of a job's command in the clock's time, pauses not counted.

    Its own time-out, else its duration; a throttlable job may take its whole window, since it slows down with power.
    """
    if job.timeout_minutes is not None:
        return timedelta(minutes=job.timeout_minutes)
    if job.flexibility_type is FlexibilityType.THROTTLABLE:
        return job.latest_finish - job.earliest_start
    return timedelta(hours=job.duration_hours)


def _environment(job: Job, site_id: str, power_kw: float, folder: Path) -> dict[str, str]:
    return {
        "PATH": _PATH,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        JOB_VARIABLE: job.job_id,
        "SLACKWATER_SITE_ID": site_id,
        "SLACKWATER_POWER_KW": f"{power_kw:g}",
    }


def _why_not_started(job: Job, error: Exception) -> str:
    command = job.command[0] if job.command else ""
    if isinstance(error, FileNotFoundError):
        return f"command {command!r} was not found"
    if isinstance(error, PermissionError):
        return f"command {command!r} is not an executable file"
    return f"command {command!r} could not be started: {error}"


def _status_reason(status: int) -> str | None:
    if status == 0:
        return None
    if status < 0:
        return f"ended by signal {-status} ({signal.strsignal(-status) or 'unknown'})"
    return f"exit status {status}"


class _Capture(threading.Thread):
    """Copies a command's output to a file up to a cap, then reads on and drops."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path, cap_bytes: int) -> None:
        super().__init__(name=f"capture {path.parent.name}", daemon=True)
        self._process = process
        self._file = path.open("wb", buffering=0)
        self._left = cap_bytes
        self._digest = hashlib.sha256()
        self.start()

    def run(self) -> None:
        pipe = self._process.stdout
        if pipe is None:
            raise ValueError("the command's output is not piped")
        with pipe, self._file:
            while chunk := os.read(pipe.fileno(), _CHUNK_BYTES):
                self._keep(chunk[: self._left])

    def _keep(self, chunk: bytes) -> None:
        try:
            written = self._file.write(chunk) if chunk else 0
        except OSError:  # a full disk must not block the command; the digest covers what the file holds
            written, self._left = 0, 0
        self._digest.update(chunk[:written])
        self._left = max(self._left - written, 0)

    def sha256(self) -> str:
        """Digest of what the file holds, once the output has ended or ``_DRAIN_S`` have passed."""
        self.join(_DRAIN_S)
        return self._digest.copy().hexdigest()


class _Run:
    """One running command: its process group, run time and limit. All signalling happens under its lock."""

    def __init__(
        self,
        job: Job,
        clock: Clock,
        process: subprocess.Popen[bytes],
        capture: _Capture,
        identity: ProcessIdentity | None,
        grace_s: float,
    ) -> None:
        self._job_id = job.job_id
        self._clock = clock
        self._process = process
        self._capture = capture
        self._identity = identity
        self._grace_s = grace_s
        self._limit = run_limit(job)
        self._lock = threading.Lock()
        self._alive = True
        self._reason: str | None = None
        self._timer: threading.Timer | None = None
        self._ran_s = 0.0
        self._resumed_s: float | None = None
        self.meter = RunMeter()
        self.exit: Exit | None = None
        with self._lock:
            self._count()
        self._waiter = threading.Thread(target=self._wait, name=f"wait {job.job_id}", daemon=True)
        self._waiter.start()

    def _count(self) -> None:
        """Run time counts from now on. A limit of zero real seconds means a clock that never waits: no timer."""
        self._resumed_s = time.monotonic()
        self.meter.begin(self._clock.now())
        limit_s = self._clock.real_seconds(self._limit)
        if limit_s > 0:
            self._timer = threading.Timer(max(limit_s - self._ran_s, 0.0), self._time_out)
            self._timer.daemon = True
            self._timer.start()

    def _hold(self) -> None:
        """Run time stands still from now on."""
        if self._resumed_s is not None:
            self._ran_s += time.monotonic() - self._resumed_s
            self._resumed_s = None
        self.meter.end(self._clock.now())
        if self._timer is not None:
            self._timer.cancel()

    def _signal(self, number: signal.Signals) -> None:
        if self._alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def pause(self) -> None:
        with self._lock:
            if self._alive and self._resumed_s is not None:
                self._signal(signal.SIGSTOP)
                self._hold()

    def resume(self) -> None:
        with self._lock:
            if self._alive and self._resumed_s is None:
                self._signal(signal.SIGCONT)
                self._count()

    def terminate(self, reason: str) -> None:
        """Ask the group to end; a stopped group is woken to hear it."""
        with self._lock:
            if self._alive and not self._exited():
                self._reason = self._reason or reason
                self._signal(signal.SIGTERM)
                self._signal(signal.SIGCONT)

    def kill(self) -> None:
        with self._lock:
            self._signal(signal.SIGKILL)

    def join(self, timeout_s: float | None = None) -> None:
        self._waiter.join(timeout_s)

    def _exited(self) -> bool:
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _time_out(self) -> None:
        self.terminate(f"stopped at its time-out of {self._limit.total_seconds() / 60:g} min of run time")
        self.join(self._grace_s)
        self.kill()

    def _wait(self) -> None:
        pid = self._process.pid
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._signal(signal.SIGKILL)  # what the command left behind in its group
            if self._identity is not None:  # and what left the group for a session of its own
                end_all({self._job_id: self._identity}, grace_s=0.0)
            self._alive = False
            self._hold()
            _, wait_status, usage = os.wait4(pid, 0)
        ended_at = self._clock.now()
        status = self._process.returncode = os.waitstatus_to_exitcode(wait_status)
        if self._identity is not None:
            with contextlib.suppress(OSError):  # a stale file is harmless: it names a process that is gone
                (self._identity.home / PROCESS_FILE).unlink()
        self.exit = Exit(
            ended_at=ended_at,
            exit_status=status,
            reason=self._reason or _status_reason(status),
            runtime_s=self._ran_s,
            cpu_s=usage.ru_utime + usage.ru_stime,
            output_sha256=self._capture.sha256(),
        )


class LocalExecutor:
    """Runs commands below ``folder``, one sub-folder a job."""

    method = "awarded power times the share of each slot in which the command ran"
    reading_type: ReadingType = "ESTIMATED"

    def __init__(
        self, clock: Clock, folder: Path, *, grace_s: float = GRACE_S, cap_bytes: int = OUTPUT_CAP_BYTES
    ) -> None:
        self._clock = clock
        self._folder = folder
        self._grace_s = grace_s
        self._cap_bytes = cap_bytes
        self._runs: dict[str, _Run] = {}
        self._never_started: dict[str, Exit] = {}

    def start(self, job: Job, site_id: str, power_kw: float) -> None:
        try:
            self._runs[job.job_id] = self._launch(job, site_id, power_kw)
        except (OSError, ValueError) as error:
            self._never_started[job.job_id] = Exit(self._clock.now(), reason=_why_not_started(job, error))

    def _launch(self, job: Job, site_id: str, power_kw: float) -> _Run:
        folder = self._folder.resolve() / job.job_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        process = subprocess.Popen(
            job.command or (),
            cwd=folder,
            env=_environment(job, site_id, power_kw, folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            identity = remember(folder, process.pid)
            capture = _Capture(process, folder / OUTPUT_FILE, self._cap_bytes)
        except OSError:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        return _Run(job, self._clock, process, capture, identity, self._grace_s)

    def pause(self, job_id: str) -> None:
        if run := self._runs.get(job_id):
            run.pause()

    def resume(self, job_id: str) -> None:
        if run := self._runs.get(job_id):
            run.resume()

    def set_power(self, job_id: str, power_kw: float) -> None:
        """Tell the command its new power in ``power_kw.txt``, replaced as a whole, for it to follow."""
        if job_id not in self._runs:
            return
        target = self._folder / job_id / POWER_FILE
        try:
            fresh = target.with_suffix(".new")
            fresh.write_text(f"{power_kw:g}\n")
            fresh.replace(target)
        except OSError as error:
            _LOG.warning("job %s was not told its new power of %g kW: %s", job_id, power_kw, error)

    def stop(self, job_ids: Collection[str], reason: str) -> None:
        runs = [run for job_id in job_ids if (run := self._runs.get(job_id))]
        for run in runs:
            run.terminate(reason)
        deadline = time.monotonic() + self._grace_s
        for run in runs:
            run.join(max(deadline - time.monotonic(), 0.0))
        for run in runs:
            run.kill()
        for run in runs:
            run.join(_KILL_S)

    def poll(self, job_id: str) -> Exit | None:
        run = self._runs.get(job_id)
        return run.exit if run else self._never_started.get(job_id)

    def delivered_kwh(self, job_id: str, slot_start: datetime, awarded_kw: float, until: datetime) -> float:
        run = self._runs.get(job_id)
        return share_kwh(awarded_kw, run.meter.running(slot_start, min(until, slot_start + SLOT))) if run else 0.0

    def forget(self, job_id: str) -> None:
        self._runs.pop(job_id, None)
        self._never_started.pop(job_id, None)


def output_tail(folder: Path, job_id: str, limit_bytes: int = TAIL_BYTES) -> str:
    """The last ``limit_bytes`` of a job's captured output, empty when it has none."""
    try:
        with (folder / job_id / OUTPUT_FILE).open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - limit_bytes, 0))
            return file.read(limit_bytes).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
