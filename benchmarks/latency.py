"""How long does submitting a job take while a negotiation is running? ``python -m benchmarks.latency``

Starts a server of its own on a free port of 127.0.0.1 with simulated signals and a temporary folder, fills it with
jobs, then posts one job after another and counts those answers that began and ended while a tick was under way.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import requests

from core.clock import SystemClock

STANDING_JOBS = 300
SAMPLES = 300
START_S = 120.0
PROMISED_P50_S = 0.050
KINDS = ("deferrable", "pausable", "throttlable")


def job(number: int, now: datetime) -> dict[str, Any]:
    """A job that has a day and a half to run."""
    return {
        "job_name": f"latency {number}",
        "flexibility_type": KINDS[number % len(KINDS)],
        "duration_hours": 1 + number % 8,
        "power_kw": 5 + number % 20,
        "latest_finish": (now + timedelta(hours=36)).isoformat(),
    }


@contextmanager
def server() -> Iterator[str]:
    """A fresh server's address; it is stopped in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "SIGNALS": "simulated", "DATA_DIR": folder, "PORT": str(port), "DATABASE_URL": ""}
        environment.pop("DATABASE_URL")
        process = subprocess.Popen(
            [sys.executable, "app.py", "serve"],
            env={**environment, "LOG_LEVEL": "WARNING", "TICK_SECONDS": "3600"},
            stdout=subprocess.DEVNULL,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            await_ready(address, process)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=60)


def await_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    """Return once the server is ready; :class:`RuntimeError` when it ends or takes too long."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(requests.ConnectionError, requests.Timeout):
            if requests.get(f"{address}/health/ready", timeout=5).ok:
                return
        time.sleep(0.2)
    raise RuntimeError(f"no server at {address} after {START_S:g} s")


class Ticking:
    """Keeps one negotiation after another running, and knows when each began and ended."""

    def __init__(self, address: str) -> None:
        self.spans: list[tuple[float, float]] = []
        self._address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Ticking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def covers(self, begun: float, ended: float) -> bool:
        """Whether a tick was under way all the time from ``begun`` to ``ended``."""
        return any(start <= begun and ended <= end for start, end in self.spans)

    def _run(self) -> None:
        while not self._stop.is_set():
            started = time.perf_counter()
            answer = requests.post(f"{self._address}/api/ticks", json={}, timeout=300)
            answer.raise_for_status()
            ended = time.perf_counter()
            self.spans.append((ended - min(answer.json()["wall_s"], ended - started), ended))


def measure(address: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Seconds of each answer that lay within a tick."""
    now = SystemClock().now().astimezone(UTC)
    with requests.Session() as session:
        for number in range(STANDING_JOBS):
            session.post(f"{address}/api/jobs", json=job(number, now), timeout=60).raise_for_status()
        spans = []
        with Ticking(address) as ticking:
            for number in range(SAMPLES):
                begun = time.perf_counter()
                session.post(f"{address}/api/jobs", json=job(number, now), timeout=60).raise_for_status()
                spans.append((begun, time.perf_counter()))
                time.sleep(0.05)
    return np.array([ended - begun for begun, ended in spans if ticking.covers(begun, ended)])


def main() -> int:
    """Print the percentiles; 1 when the median is above what the README promises."""
    with server() as address:
        seconds = measure(address)
    if not seconds.size:
        print("no answer fell into a tick: nothing was measured")
        return 1
    p50, p95, worst = np.quantile(seconds, [0.5, 0.95, 1.0])
    print(f"POST /api/jobs while a tick runs, {seconds.size} of {SAMPLES} answers, {STANDING_JOBS} jobs standing:")
    print(f"p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms, worst {worst * 1000:.1f} ms")
    return int(p50 >= PROMISED_P50_S)


if __name__ == "__main__":
    sys.exit(main())
