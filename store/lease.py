"""The leader lease: of several processes over one database, one ticks and dispatches."""

from __future__ import annotations

import fcntl
import zlib
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from store.database import Database


class LeaderLease:
    """Held for as long as the process lives: an advisory lock in PostgreSQL, a locked file beside SQLite."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._connection: Connection | None = None
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """True when this process has the lease now."""
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
        file = Path(f"{self._database.url.database}.{self._name}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def _lock_row(self) -> bool:
        if self._connection is not None:
            return True
        engine = self._database.engine.execution_options(isolation_level="AUTOCOMMIT")
        connection = engine.connect()
        connection.detach()  # the lock lives with the session, so it must not go back to the pool
        key = zlib.crc32(f"slackwater {self._name}".encode())
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one():
            connection.close()
            return False
        self._connection = connection
        return True
