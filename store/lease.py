"""The leader lease: of several processes over one database, one ticks and dispatches."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from core.errors import StoreUnavailable
from store.database import Database, lock_key


class LeaderLease:
    """Held for as long as the process lives: an advisory lock in PostgreSQL, a locked file beside SQLite."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._connection: Connection | None = None
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """True when this process has the lease now; one lost with its connection is asked for again."""
        return self._lock_file() if self._database.is_sqlite else self._lock_row()

    def release(self) -> None:
        """Let another process lead."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lock_file(self) -> bool:
        if self._file is not None:
            return True
        file = Path(f"{self._database.url.database}.{self._name}.lock").open("w")  # noqa: SIM115  open as long as the lease is held
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def _lock_row(self) -> bool:
        if self._still_held():
            return True
        engine = self._database.engine.execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection = engine.connect()
            connection.detach()  # the lock lives with the session, so it must not go back to the pool
            held = connection.execute(sa.select(sa.func.pg_try_advisory_lock(lock_key(self._name)))).scalar_one()
        except OperationalError as error:
            raise StoreUnavailable(f"nobody can say who leads: {error.orig}") from error
        if not held:
            connection.close()
            return False
        self._connection = connection
        return True

    def _still_held(self) -> bool:
        """The lock lives as long as its connection: a lost connection is a lost lease."""
        if self._connection is None:
            return False
        try:
            self._connection.execute(sa.select(1))
        except DBAPIError:
            self._connection.close()
            self._connection = None
        return self._connection is not None
