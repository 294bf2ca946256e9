"""Solvers: another process gives the same plan, and its death or delay is an error and not the end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from agents import solver as solver_module
from agents.evidence import plan_digest
from agents.negotiation import Effort
from agents.solver import InlineSolver, ProcessSolver
from core.errors import SolverFailed
from core.instance import Instance

EFFORT = Effort(time_limit_s=10.0)


def instance(jobs: int) -> Instance:
    slots = 48
    return Instance.model_validate(
        {
            "name": f"{jobs} jobs",
            "start": "2023-03-01T00:00Z",
            "slots": slots,
            "carbon_price_gbp_per_tonne": 100,
            "sites": [
                {
                    "id": name,
                    "region": "GB-C",
                    "headroom_kw": [100.0] * slots,
                    "price_gbp_per_kwh": [0.1 + 0.01 * ((7 * slot + shift) % 11) for slot in range(slots)],
                    "carbon_g_per_kwh": [100.0 + slot for slot in range(slots)],
                    "pue": 1.2,
                }
                for shift, name in enumerate(("a", "b"))
            ],
            "jobs": [
                {
                    "id": f"j{number}",
                    "kind": ("block", "pausable")[number % 2],
                    "earliest_slot": number % 8,
                    "latest_slot": slots,
                    "sites": ["a", "b"],
                    "unserved_penalty_gbp": 50 + number,
                    "power_kw": 10 + number % 17,
                    "duration_slots": 1 + number % 9,
                }
                for number in range(jobs)
            ],
        }
    )


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessSolver]:
    made = ProcessSolver()
    made.warm_up()
    yield made
    made.close()


def worker_of(made: ProcessSolver) -> int:
    assert made._pool is not None
    return next(iter(made._pool._processes))


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_another_process_gives_the_plan_that_this_one_gives(process: ProcessSolver):
    asked = instance(20)
    here, there = InlineSolver().solve(asked, 5, EFFORT), process.solve(asked, 5, EFFORT)
    assert plan_digest(there.plan) == plan_digest(here.plan)
    assert there.counters == here.counters


def test_a_worker_killed_in_mid_solve_is_a_failure_and_the_next_solve_works(process: ProcessSolver):
    process.solve(instance(2), 1, EFFORT)
    victim = worker_of(process)
    assassin = threading.Timer(0.0, os.kill, (victim, signal.SIGKILL))

    def keep_solving() -> None:
        assassin.start()
        for _ in range(200):
            process.solve(instance(40), 1, EFFORT)

    with pytest.raises(SolverFailed, match="ended by itself"):
        keep_solving()
    assassin.join()
    assert process.solve(instance(2), 1, EFFORT).plan.assignments
    assert worker_of(process) != victim


def test_a_solve_that_outlasts_its_deadline_is_ended_with_its_process(
    process: ProcessSolver, monkeypatch: pytest.MonkeyPatch
):
    process.solve(instance(2), 1, EFFORT)
    victim = worker_of(process)
    monkeypatch.setattr(solver_module, "GRACE_S", 0.0)
    began = time.monotonic()
    with pytest.raises(SolverFailed, match="no plan in 0 s"):
        process.solve(instance(300), 1, Effort(time_limit_s=0.005))
    assert time.monotonic() - began < 5
    assert gone(victim)
    monkeypatch.undo()
    process.warm_up()
    assert process.solve(instance(2), 1, EFFORT).plan.assignments


def test_closing_ends_the_process_and_may_be_done_twice(process: ProcessSolver):
    process.solve(instance(1), 1, EFFORT)
    victim = worker_of(process)
    process.close()
    process.close()
    assert gone(victim)
