"""Write transactions of one process on SQLite that share a commit, and so a sync of the disk.

SQLite has one writer at a time, and a durable commit costs milliseconds, most of them the disk's. So whoever finds
others waiting leaves the transaction open for the next, who goes on in it; the last commits for all. Each step is a
savepoint of its own: one that fails is undone alone. None returns before what it wrote is on disk, or is known not to
be, and readers see nothing of it before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection, Engine

from core.errors import StoreUnavailable
from store.queueing import Queue

LONGEST_S = 0.02
"""after which a transaction takes no more steps in: the first of them waits for all"""


class _Shared:
    """A transaction that several steps share, and what came of it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.urgent = False
        self._until = time.monotonic() + LONGEST_S
        self._ended = threading.Event()
        self._error: BaseException | None = None

    @property
    def full(self) -> bool:
        """Whether it is time to commit, though others wait."""
        return time.monotonic() > self._until

    @property
    def ended(self) -> bool:
        """Whether it was committed or given up."""
        return self._ended.is_set()

    def end(self, error: BaseException | None = None) -> None:
        """Commit, or give up for ``error``; everybody in it learns of it, and nothing of it stays on the connection."""
        try:
            with self.connection:
                try:
                    if error is None:
                        self.connection.commit()
                except BaseException as failed:  # noqa: BLE001,RUF100  raised by `wait`, in every step alike
                    error = failed
                    if not isinstance(failed, Exception):
                        raise
                finally:
                    if error is not None:
                        self.connection.invalidate(error)
        finally:
            self._error = error
            self._ended.set()

    def wait(self) -> None:
        """Return when it is on disk; :class:`StoreUnavailable` where it is not."""
        self._ended.wait()
        if self._error is not None:
            raise StoreUnavailable(f"the database does not keep what is written: {self._error}") from self._error


class Writers:
    """Gives out steps, one at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue = Queue()
        self._open: _Shared | None = None

    @contextmanager
    def step(self, *, urgent: bool) -> Iterator[Connection]:
        """One step: on disk when it returns, undone by an exception, which is raised once the others are on disk.

        :param urgent: the others let it go first, and it waits for none of them.
        :raises RuntimeError: this thread is within a step.
        """
        failed: BaseException | None = None
        with self._queue.turn(urgent=urgent):
            shared = self._open = self._begun() if self._open is None or self._open.ended else self._open
            shared.urgent |= urgent
            try:
                savepoint = shared.connection.begin_nested()
                try:
                    yield shared.connection
                except BaseException as error:  # noqa: BLE001,RUF100  raised below
                    failed = error
                    savepoint.rollback()
                else:
                    savepoint.commit()
            except BaseException as error:  # noqa: BLE001,RUF100  the transaction is broken, for all who are in it
                shared.end(failed or error)
                if not isinstance(error, Exception):
                    raise
            if not (shared.ended or self._goes_on(shared)):
                shared.end()
        shared.wait()
        if failed is not None:
            raise failed

    def _begun(self) -> _Shared:
        connection = self._engine.connect().execution_options(writes=True)
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return _Shared(connection)

    def _goes_on(self, shared: _Shared) -> bool:
        """Whether the next step joins the transaction, instead of its commit."""
        return not shared.full and self._queue.waits(urgent=shared.urgent)
