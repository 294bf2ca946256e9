"""Orphans: commands that outlived a killed server. They are found by identity, never by process id alone.

``process.json`` in a job's folder holds the process id, its start time in clock ticks since boot and the boot's id.
A process id is reused; the three together are not.
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
    """A process for certain: process id, start time in ticks since boot, and which boot."""

    pid: int
    start_ticks: int
    boot_id: str


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


def _environment_names(pid: int, job_id: str) -> bool:
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return f"{JOB_VARIABLE}={job_id}".encode() in environment.split(b"\0")


def remember(folder: Path, pid: int) -> None:
    """Write the identity of the just started process ``pid`` to its job's folder."""
    stat = _stat(pid)
    if stat is not None:
        body = {"pid": pid, "start_ticks": stat.start_ticks, "boot_id": _boot_id()}
        (folder / PROCESS_FILE).write_text(json.dumps(body))


def _recall(path: Path) -> ProcessIdentity | None:
    try:
        body = json.loads(path.read_text())
        return ProcessIdentity(int(body["pid"]), int(body["start_ticks"]), str(body["boot_id"]))
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
    """Living processes of the command's session that certainly belong to ``job_id``.

    While the first process lives its start time vouches for the whole session; after it, each member must carry the
    job's id in its environment.
    """
    if identity.boot_id != _boot_id():
        return
    leader = _stat(identity.pid)
    vouched = leader is not None and leader.start_ticks == identity.start_ticks
    for path in PROC.iterdir():
        stat = _stat(int(path.name)) if path.name.isdigit() else None
        if stat is None or stat.session != identity.pid or stat.state in "ZX":
            continue
        if vouched or _environment_names(stat.pid, job_id):
            yield stat.pid


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end_all(orphans: Mapping[str, ProcessIdentity], grace_s: float) -> int:
    """End the sessions of orphans, by job id: SIGTERM, then SIGKILL after ``grace_s``. Returns how many processes."""

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
