"""A lock whose waiters come in turn, those that are urgent first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Queue:
    """Lets one thread in after the other, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: tuple[deque[threading.Lock], deque[threading.Lock]] = deque(), deque()
        """urgent ones, and the others"""
        self._inside: int | None = None
        self._taken = False

    @contextmanager
    def turn(self, *, urgent: bool = False) -> Iterator[None]:
        """Wait until it is this thread's turn, which ends with the block.

        :raises RuntimeError: it is this thread's turn already, so it would wait for itself.
        """
        if self._inside == threading.get_ident():
            raise RuntimeError("a thread that is in cannot come in again")
        self._enter(urgent)
        self._inside = threading.get_ident()
        try:
            yield
        finally:
            self._inside = None
            self._leave()

    def waits(self, *, urgent: bool = False) -> bool:
        """Whether anybody waits, or anybody urgent; to the thread that is in a yes is for certain, a no may pass."""
        return bool(self._waiting[0] or (not urgent and self._waiting[1]))

    def _enter(self, urgent: bool) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            signal = threading.Lock()
            signal.acquire()
            self._waiting[0 if urgent else 1].append(signal)
        signal.acquire()

    def _leave(self) -> None:
        """Hand over to the next, who need not look whether another was quicker."""
        with self._lock:
            for waiting in self._waiting:
                if waiting:
                    waiting.popleft().release()
                    return
            self._taken = False
