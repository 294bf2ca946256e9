"""A command's wall time and peak memory, as the operating system counts them.

The peak of a child begins at what its parent held when it was started. So a process of its own, which holds next to
nothing, starts the command: ``python -m benchmarks.comparison.measuring LIMIT_S COMMAND...``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
KB_A_MB = 1000
GB = 1e9


class Measured(NamedTuple):
    """What a command took.

    :ivar status: its exit status, negative for the signal that ended it.
    :ivar late: whether it was stopped because its time was over.
    :ivar lines: what it wrote on standard error, without empty lines.
    """

    status: int
    wall_s: float
    peak_mb: float
    late: bool
    lines: tuple[str, ...]

    @property
    def said(self) -> str:
        """Its last word."""
        return self.lines[-1] if self.lines else ""


def machine() -> str:
    """What figures are measured on."""
    import platform
    from importlib.metadata import version

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    python = f"Python {platform.python_version()}, HiGHS {version('highspy')}"
    return f"{os.cpu_count()} cores, {memory:.0f} GB of memory, {python}"


def measure(command: Sequence[str | Path], limit_s: float) -> Measured:
    """Run a command in the project's folder, and stop it with all its children after ``limit_s``."""
    starter = [sys.executable, "-m", "benchmarks.comparison.measuring", str(limit_s), *map(str, command)]
    told = subprocess.run(starter, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    status, wall_s, peak_mb, late, lines = json.loads(told)
    return Measured(status, wall_s, peak_mb, late, tuple(lines))


def _run(command: Sequence[str], limit_s: float) -> Measured:
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        timer = Timer(limit_s, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        lines = tuple(line.strip() for line in errors if line.strip())
    late = process.returncode == -signal.SIGKILL and wall_s >= limit_s
    return Measured(process.returncode, wall_s, usage.ru_maxrss / KB_A_MB, late, lines)


if __name__ == "__main__":
    print(json.dumps(_run(sys.argv[2:], float(sys.argv[1]))))
