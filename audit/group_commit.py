"""Work of several threads done in one go: whoever finds nobody at it does all that waits, in order of arrival."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Work = TypeVar("Work")


class _Turn(Generic[Work]):
    """One caller's work, and the signal that it was done or that the caller is to do what waits."""

    __slots__ = ("_signal", "leads", "work")

    def __init__(self, work: Work, leads: bool) -> None:
        self.work = work
        self.leads = leads
        self._signal = threading.Lock()
        if not leads:
            self._signal.acquire()

    def call(self) -> None:
        self._signal.release()

    def wait(self) -> None:
        self._signal.acquire()


class GroupCommit(Generic[Work]):
    """Has ``commit`` called with the work of all threads that wait, one call at a time.

    Nobody waits for more than the call under way and the next: a thread whose work was done needs no lock to learn it.

    :param lock: held during each call; what came while it was awaited belongs to that call.
    """

    def __init__(self, lock: threading.Lock, commit: Callable[[list[Work]], None]) -> None:
        self._lock = lock
        self._commit = commit
        self._queue = threading.Lock()
        self._waiting: list[_Turn[Work]] = []
        self._led = False

    def __len__(self) -> int:
        """How many threads wait for a call that has not begun."""
        return len(self._waiting)

    def do(self, work: Work) -> None:
        """Return after the call that ``work`` was part of; an error of that call is raised in one of its threads."""
        with self._queue:
            turn = _Turn(work, leads=not self._led)
            self._led = True
            self._waiting.append(turn)
        turn.wait()
        if turn.leads:
            self._lead(turn)

    def _lead(self, own: _Turn[Work]) -> None:
        group: list[_Turn[Work]] = []
        try:
            with self._lock:
                with self._queue:
                    group, self._waiting = self._waiting, []
                self._commit([turn.work for turn in group])
        finally:
            with self._queue:
                self._waiting = [turn for turn in self._waiting if turn is not own]
                heir = self._waiting[0] if self._waiting else None
                self._led = heir is not None
            if heir is not None:
                heir.leads = True
                heir.call()
            for turn in group:
                if turn is not own:
                    turn.call()
