"""Where a negotiation is computed: in this process, or in another so that web threads never wait on a solver."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from agents.negotiation import Effort, Outcome, negotiate, warm_up
from core.errors import SolverFailed
from core.instance import Instance

GRACE_S = 15.0
WATCH_S = 2.0
WARM_UP_S = 90.0


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
        """Start the process so that the first tick need not wait for imports and compilation.

        Where that takes longer it goes on, and the first tick waits for its end.
        """
        with self._lock, contextlib.suppress(FutureTimeout, BrokenProcessPool):
            (self._pool or self._started()).submit(warm_up).result(timeout=WARM_UP_S)

    def close(self) -> None:
        with self._lock:
            self._kill()

    def _started(self) -> ProcessPoolExecutor:
        self._pool = ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_end_with,
            initargs=(os.getpid(),),
        )
        return self._pool

    def _kill(self) -> None:
        if self._pool is None:
            return
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None


def _end_with(parent: int) -> None:
    """Have this process end soon after ``parent`` did, also when that was killed and could not say so."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="ends with its parent").start()
