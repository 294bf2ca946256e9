"""Orphans: processes of commands that outlived a killed server, or the command itself.

They are found by identity, never by process id alone: ``process.json`` in a job's folder holds the process id of the
command, its start time in clock ticks since boot and the boot's id. A process id is reused; the three together are not.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PROCESS_FILE = "process.json"
JOB_VARIABLE = "SLACKWATER_JOB_ID"


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """The first process of a command for certain: process id, start time in ticks since boot, and which boot.

    :param home: the job's folder, which all its processes have as HOME.
    """

    pid: int
    start_ticks: int
    boot_id: str
    home: Path


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    state: str
    session: int
    start_ticks: int


def _boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> _Stat | None:
    """Fields of ``/proc/<pid>/stat`` (proc(5)), None when there is no such process."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return _Stat(pid, fields[0], int(fields[3]), int(fields[19]))


def _environment_names(pid: int, job_id: str, home: Path) -> bool:
    try:
        environment = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"{JOB_VARIABLE}={job_id}".encode() in environment and f"HOME={home}".encode() in environment


def remember(folder: Path, pid: int) -> ProcessIdentity | None:
    """Write the identity of the just started process ``pid`` to its job's folder; None where there is no such one."""
    stat = _stat(pid)
    if stat is None:
        return None
    identity = ProcessIdentity(pid, stat.start_ticks, _boot_id(), folder.resolve())
    body = {"pid": pid, "start_ticks": identity.start_ticks, "boot_id": identity.boot_id}
    (folder / PROCESS_FILE).write_text(json.dumps(body))
    return identity


def _recall(path: Path) -> ProcessIdentity | None:
    try:
        body = json.loads(path.read_text())
        home = path.parent.resolve()
        return ProcessIdentity(int(body["pid"]), int(body["start_ticks"]), str(body["boot_id"]), home)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remembered(jobs_folder: Path) -> dict[str, ProcessIdentity]:
    """By job id, the commands that were started below ``jobs_folder`` and not seen to end."""
    found = {path.parent.name: _recall(path) for path in jobs_folder.glob(f"*/{PROCESS_FILE}")}
    return {job_id: identity for job_id, identity in found.items() if identity is not None}


def forget(jobs_folder: Path, job_id: str) -> None:
    """The command of ``job_id`` has ended."""
    (jobs_folder / job_id / PROCESS_FILE).unlink(missing_ok=True)


def members(identity: ProcessIdentity, job_id: str) -> Iterator[int]:
    """Living processes that certainly belong to the command of ``job_id``.

    Until the first process is reaped, its start time vouches for its whole session. Any other process, in whichever
    session it is by now, must carry the job's id and folder in its environment.
    """
    if identity.boot_id != _boot_id():
        return
    leader = _stat(identity.pid)
    vouched = leader is not None and leader.start_ticks == identity.start_ticks
    for path in PROC.iterdir():
        stat = _stat(int(path.name)) if path.name.isdigit() else None
        if stat is None or stat.state in "ZX":
            continue
        if (vouched and stat.session == identity.pid) or _environment_names(stat.pid, job_id, identity.home):
            yield stat.pid


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_all(orphans: Mapping[str, ProcessIdentity], grace_s: float) -> int:
    """End what is left of commands, by job id: SIGTERM, then SIGKILL after ``grace_s``. Returns how many processes."""

    def living() -> list[int]:
        return [pid for job_id, identity in orphans.items() for pid in members(identity, job_id)]

    found = living()
    _signal(found, signal.SIGTERM)
    _signal(found, signal.SIGCONT)
    deadline = time.monotonic() + grace_s
    remaining = living()
    while remaining and time.monotonic() < deadline:
        time.sleep(0.02)
        remaining = living()
    _signal(remaining, signal.SIGKILL)
    return len(found)
