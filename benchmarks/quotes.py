"""How long does a quote take with 10,000 jobs planned? ``python -m benchmarks.quotes``

Builds the whole system in this process and a temporary folder, with simulated signals and a clock that stands still,
submits the jobs, negotiates once, and asks for quotes of every kind of job: first through the application alone, then
over HTTP on loopback, client and server in this one process.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import requests
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

import app
from agents.site.profiles import load_sites
from agents.solver import InlineSolver
from commands.house import House
from core.clock import ManualClock
from core.job import FlexibilityType, JobRequest
from core.series import FloatArray
from core.settings import Settings
from core.slots import format_utc
from web.application import create_app
from web.services import Services

JOBS = 10_000
QUOTES = 2_000
WARM = 50
PROMISED_P99_S = 0.010
START = datetime(2023, 3, 1, tzinfo=UTC)
KINDS = tuple(kind.value for kind in FlexibilityType)
PLACES: tuple[tuple[str, ...], ...] = ((), (), ("GB",), ("NO", "IS"))


class Handler(WSGIRequestHandler):
    """Keeps connections open, as the server of ``serve`` does, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        """Nothing."""


def request(rng: np.random.Generator, *, most_kw: float, most_hours: int, most_days: float) -> dict[str, Any]:
    """A job of any kind that has up to ``most_days`` to finish."""
    hours = float(rng.integers(1, 2 * most_hours + 1)) / 2
    window_h = float(rng.uniform(hours + 1, max(hours + 2, 24 * most_days)))
    kind = str(rng.choice(KINDS))
    return {
        "job_name": "benchmark",
        "flexibility_type": kind,
        "duration_hours": hours,
        "power_kw": round(float(rng.uniform(1, most_kw)), 1),
        "latest_finish": format_utc(START + timedelta(hours=window_h)),
        "allowed_regions": PLACES[rng.integers(len(PLACES))],
        "pause_cost_gbp": float(rng.choice([0.0, 0.2])) if kind == "pausable" else 0.0,
    }


@contextmanager
def planned(jobs: int) -> Iterator[tuple[House, Flask]]:
    """A system in which so many jobs are planned, and its application."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url=None, signals="simulated", clock_start=START)
        house = app.compose(settings, ManualClock(START), InlineSolver(), load_sites())
        try:
            rng = np.random.default_rng(0)
            for _ in range(jobs):
                body = request(rng, most_kw=14, most_hours=6, most_days=2)
                house.jobs.submit(JobRequest.model_validate(body))
            house.loop.tick("benchmark")
            parts: dict[str, Any] = {each.name: getattr(house, each.name, "benchmark") for each in fields(Services)}
            yield house, create_app(Services(**parts))
        finally:
            house.close()


@contextmanager
def served(application: Flask) -> Iterator[str]:
    """The application's address on loopback."""
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def timed(ask: Callable[[dict[str, Any]], int], bodies: list[dict[str, Any]]) -> FloatArray:
    """(n, 2) seconds of each answer by the clock, and of processors; :class:`RuntimeError` for what is no quote."""
    seconds = []
    for body in bodies:
        began, used = time.perf_counter(), time.process_time()
        status = ask(body)
        seconds.append((time.perf_counter() - began, time.process_time() - used))
        if status != 200:
            raise RuntimeError(f"{status} for {body}")
    return np.array(seconds)


def measure(application: Flask, quotes: int) -> dict[str, FloatArray]:
    """Seconds of each quote through the application alone, and over HTTP, client and server together."""
    rng = np.random.default_rng(1)
    bodies = [request(rng, most_kw=200, most_hours=24, most_days=6.5) for _ in range(quotes)]
    client = application.test_client()
    found = {}
    with served(application) as address, requests.Session() as session:
        ways: dict[str, Callable[[dict[str, Any]], int]] = {
            "handler": lambda body: client.post("/api/quote", json=body).status_code,
            "HTTP": lambda body: session.post(f"{address}/api/quote", json=body, timeout=60).status_code,
        }
        for name, ask in ways.items():
            timed(ask, bodies[:WARM])
            found[name] = timed(ask, bodies)
    return found


def main() -> int:
    """Print the percentiles; 1 when p99 over HTTP is above what is promised."""
    with planned(JOBS) as (house, application):
        tick = house.loop.status().last
        if tick is None or tick.outcome != "planned":
            print(f"no plan to quote against: {tick and tick.detail}")
            return 1
        print(f"{QUOTES} quotes of every kind, {tick.placed} of {tick.jobs} jobs planned, up to 6.5 days ahead:")
        found = measure(application, QUOTES)
    for name, seconds in found.items():
        for what, each in zip(("", ", processor time"), seconds.T, strict=True):
            p50, p99, worst = np.quantile(each, [0.5, 0.99, 1.0]) * 1000
            print(f"{name + what:24} p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {worst:.1f} ms")
    return int(np.quantile(found["HTTP"][:, 0], 0.99) >= PROMISED_P99_S)


if __name__ == "__main__":
    sys.exit(main())
