"""The loop: it keeps ticking, forgets no request, shows every failure, and only one leads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import app
from agents import loop as loop_module
from agents.solver import InlineSolver
from commands.house import House
from core.clock import ScaledClock
from core.errors import SolverFailed, StoreUnavailable, Unavailable
from core.job import JobRequest, JobStatus
from core.settings import Settings
from core.slots import SLOT
from tests.house import SITES, START, Bench, ScriptedSolver
from tests.waiting import eventually

PATIENCE_S = 10


@dataclass
class GatedSolver:
    """Solves when it is let; counts how often it was asked."""

    asked: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    faults: list[Exception] = field(default_factory=list)
    count: int = 0

    def solve(self, *arguments: Any) -> Any:
        self.count += 1
        self.asked.set()
        assert self.gate.wait(60)
        if self.faults:
            raise self.faults.pop()
        return InlineSolver().solve(*arguments)

    def close(self) -> None:
        self.gate.set()


def live_house(folder: Path, solver: Any, **changes: Any) -> House:
    """A house whose clock runs; half an hour takes 180 s of real time."""
    settings = Settings(
        **{"data_dir": folder, "database_url": None, "signals": "simulated", "tick_seconds": 80_000, **changes}
    )
    return app.compose(settings, ScaledClock(START, 10), solver, SITES)


def asked(house: House, name: str = "a") -> JobRequest:
    finish = house.clock.now() + 40 * SLOT
    return JobRequest(job_name=name, duration_hours=1, power_kw=10, latest_finish=finish)


def submit(house: House, name: str = "a"):
    return house.jobs.submit(asked(house, name))


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[tuple[House, GatedSolver]]:
    solver = GatedSolver()
    house = live_house(tmp_path, solver)
    yield house, solver
    solver.gate.set()
    house.close()


def test_a_request_while_a_tick_is_solving_is_not_lost(gated: tuple[House, GatedSolver]):
    house, solver = gated
    first = submit(house, "first")
    house.loop.start()
    assert solver.asked.wait(60)
    second = submit(house, "second")
    house.loop.request_tick("job")
    assert house.loop.status().ticking
    solver.gate.set()
    eventually(lambda: house.jobs.get(second.job_id).status is JobStatus.SCHEDULED, within_s=PATIENCE_S)
    assert house.jobs.get(first.job_id).status is JobStatus.SCHEDULED
    eventually(lambda: [tick.trigger for tick in house.ticks.latest()][:1] == ["job"], within_s=PATIENCE_S)


def test_a_request_brings_the_next_tick_forward(gated: tuple[House, GatedSolver]):
    house, solver = gated
    solver.gate.set()
    house.loop.start()
    eventually(lambda: house.loop.status().last is not None, within_s=PATIENCE_S)
    job = submit(house)
    house.loop.request_tick("job")
    eventually(lambda: house.jobs.get(job.job_id).status is JobStatus.SCHEDULED, within_s=PATIENCE_S)


def test_a_tick_that_fails_is_shown_and_tried_again(gated: tuple[House, GatedSolver], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop_module, "RETRY_S", 0.3)
    house, solver = gated
    solver.faults = [SolverFailed("no usable solution"), MemoryError("much too large")]
    job = submit(house)
    house.loop.start()
    assert solver.asked.wait(60)
    solver.gate.set()
    eventually(lambda: house.jobs.get(job.job_id).status is JobStatus.SCHEDULED, within_s=PATIENCE_S)
    eventually(lambda: len(house.ticks.latest()) >= 3, within_s=PATIENCE_S)
    planned, *failed = house.ticks.latest()[:3]
    assert (planned.outcome, [tick.outcome for tick in failed]) == ("planned", ["failed", "failed"])
    assert ["MemoryError" in failed[1].detail, "no usable solution" in failed[0].detail] == [True, True]
    assert house.loop.status().last_error is None


def test_an_error_stands_in_the_status_until_a_tick_succeeds(bench: Bench):
    bench.submit()
    assert isinstance(bench.solver, ScriptedSolver)
    bench.solver.fault = SolverFailed("no usable solution")
    bench.tick()
    status = bench.house.loop.status()
    assert "no usable solution" in (status.last_error or "")
    assert status.last is not None
    assert status.last.outcome == "failed"
    bench.solver.fault = None
    bench.tick()
    assert bench.house.loop.status().last_error is None


def test_an_unforeseen_error_ends_the_tick_and_not_the_loop(bench: Bench):
    bench.submit()
    assert isinstance(bench.solver, ScriptedSolver)
    bench.solver.fault = ZeroDivisionError("by zero")
    record = bench.tick()
    assert (record.outcome, "ZeroDivisionError" in record.detail) == ("failed", True)


def test_a_tick_that_cannot_be_stored_is_still_the_last_one_shown(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    bench.submit()

    def down(_record: object) -> None:
        raise StoreUnavailable("the database does not answer")

    monkeypatch.setattr(bench.house.ticks, "add", down)
    record = bench.tick()
    assert (record.outcome, bench.house.loop.status().last) == ("planned", record)


def test_of_two_servers_on_one_database_one_leads_until_it_stops(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    first = live_house(tmp_path / "one", InlineSolver(), database_url=url)
    second = live_house(tmp_path / "two", InlineSolver(), database_url=url)
    try:
        first.loop.start()
        eventually(lambda: first.loop.status().last is not None, within_s=PATIENCE_S)
        second.loop.start()
        job = submit(second)
        second.loop.request_tick("job")
        second.loop._lead()
        assert (first.loop.status().leading, second.loop.status().leading) == (True, False)
        assert second.loop.status().last is None
        assert second.jobs.get(job.job_id).status is JobStatus.PENDING
        assert first.loop.quote(asked(first)).own.offer is not None
        with pytest.raises(Unavailable, match="no plan is in force here"):
            second.loop.quote(asked(second))
        first.loop.stop()
        second.loop._lead()
        assert second.loop.status().leading
        eventually(lambda: second.jobs.get(job.job_id).status is JobStatus.SCHEDULED, within_s=PATIENCE_S)
    finally:
        first.close()
        second.close()


def test_stopping_lets_the_tick_under_way_end_and_closes_the_solver(gated: tuple[House, GatedSolver]):
    house, solver = gated
    job = submit(house)
    house.loop.start()
    assert solver.asked.wait(60)
    threading.Timer(0.1, solver.gate.set).start()
    house.loop.stop()
    assert house.jobs.get(job.job_id).status is JobStatus.SCHEDULED
    status = house.loop.status()
    assert (status.running, status.leading, status.next_at) == (False, False, None)


def test_no_booking_is_ever_made_against_a_plan_that_no_longer_stands(bench: Bench):
    """As soon as the plan lock is free after a tick, the standing plan is the new one."""
    bench.submit(power_kw=90)
    bench.tick()
    seen: list[tuple[bool, str | None]] = []
    loop, lock = bench.house.loop, bench.house.loop.plan_lock

    class Watched:
        """Looks at the standing plan at the moment the lock is let go."""

        def __enter__(self):
            return lock.__enter__()

        def __exit__(self, *error):
            standing = loop.standing()
            planned = bench.house.ledger.entries(start=standing.start)
            total = sum(row.power_kw * row.pue for row in planned if row.leg == "plan")
            seen.append((abs(total - float(standing.planned_kw.sum())) < 1e-6, standing.tick and standing.tick.tick_id))
            return lock.__exit__(*error)

    loop._tick._lock = Watched()  # type: ignore[assignment]
    bench.submit(power_kw=80)
    record = bench.tick()
    assert seen
    assert seen[-1] == (True, record.tick_id)


def test_a_plan_that_came_too_late_makes_the_next_one_start_later(bench: Bench, tmp_path: Path):
    """A clock so fast that a slot passes while the plan is made: the loop learns how long its ticks take."""
    settings = Settings(data_dir=tmp_path / "fast", database_url=None, signals="simulated", clock_start=START)
    clock = ScaledClock(START, 20_000)
    solver = ScriptedSolver(meanwhile=[lambda: time.sleep(1.2)])
    house = app.compose(settings, clock, solver, SITES)
    try:
        finish = START + 300 * SLOT
        house.jobs.submit(JobRequest(job_name="a", duration_hours=1, power_kw=10, latest_finish=finish))
        outcomes = [house.loop.tick("schedule").outcome]
        while outcomes[-1] != "planned" and len(outcomes) < 6:
            outcomes.append(house.loop.tick("schedule").outcome)
        assert outcomes[0] == "late"
        assert outcomes[-1] == "planned"
    finally:
        house.close()
