"""Where a negotiation is computed: in this process, or in another so that web threads never wait on a solver."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from agents.negotiation import Effort, Outcome, negotiate
from core.errors import SolverFailed
from core.instance import Instance

GRACE_S = 15.0


class Solver(Protocol):
    """Negotiates a plan for an instance."""

    def solve(self, instance: Instance, seed: int, effort: Effort) -> Outcome:
        """A plan; :class:`SolverFailed` when there is none in time."""
        ...

    def close(self) -> None:
        """Let go of what the solver holds."""
        ...


class InlineSolver:
    """Computes in the calling thread: for commands, replays and tests."""

    def solve(self, instance: Instance, seed: int, effort: Effort) -> Outcome:
        return negotiate(instance, seed, effort)

    def close(self) -> None:
        """Nothing is held."""


class ProcessSolver:
    """Computes in one spawned process, with a deadline after which that process is replaced."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def solve(self, instance: Instance, seed: int, effort: Effort) -> Outcome:
        with self._lock:
            pool = self._pool or self._started()
            limit_s = effort.time_limit_s + GRACE_S
            try:
                return pool.submit(negotiate, instance, seed, effort).result(timeout=limit_s)
            except FutureTimeout as error:
                self._kill()
                raise SolverFailed(f"the negotiation gave no plan in {limit_s:.0f} s; its process was ended") from error
            except BrokenProcessPool as error:
                self._kill()
                raise SolverFailed("the process that negotiates ended by itself (out of memory?)") from error

    def warm_up(self) -> None:
        """Start the process and have it import the optimiser, so that the first tick need not wait."""
        with self._lock:
            (self._pool or self._started()).submit(_import_optimiser).result(timeout=60)

    def close(self) -> None:
        with self._lock:
            self._kill()

    def _started(self) -> ProcessPoolExecutor:
        self._pool = ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn"))
        return self._pool

    def _kill(self) -> None:
        if self._pool is None:
            return
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None


def _import_optimiser() -> None:
    """Import what the first negotiation would otherwise wait for."""
    import cvxpy  # noqa: F401
