"""The database: SQLite in a file, or PostgreSQL by URL, migrated at start.

SQLite runs in WAL mode with ``synchronous=FULL``, so a commit is on disk when it returns and readers never wait for
the writer. Write transactions begin ``IMMEDIATE``: two writers queue instead of failing half way. Those of one process
queue for a turn of their own, because SQLite has writers wait by looking again after ever longer pauses, and share
commits (:mod:`store.committing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import Conflict, InputError, StoreUnavailable
from store.committing import Writers

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 30_000
CONNECT_SECONDS = 5


class Database:
    """Connections to one database; every repository works through :meth:`reading` and :meth:`writing`."""

    def __init__(self, url: str) -> None:
        self.url = normalised(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            _make_folder(Path(str(self.url.database)).parent)
        self.engine = _engine(self.url, self.is_sqlite)
        self._writers = Writers(self.engine) if self.is_sqlite else None

    @contextmanager
    def reading(self, *, snapshot: bool = True) -> Iterator[Connection]:
        """A connection for reading; :class:`StoreUnavailable` when the database cannot be reached.

        :param snapshot: all statements see the same; one alone needs none, and SQLite then begins no transaction.
        """
        with _reachable(), self.engine.connect().execution_options(begins=snapshot) as connection:
            yield connection

    @contextmanager
    def writing(self, *, urgent: bool = False) -> Iterator[Connection]:
        """One write transaction: committed at the end, rolled back on an error.

        :param urgent: of the writers of this process that queue for SQLite, the others let it go first.
        """
        with _reachable():
            if self._writers is not None:
                with self._writers.step(urgent=urgent) as connection:
                    yield connection
            else:
                with self.engine.begin() as connection:
                    yield connection

    def migrate(self) -> None:
        """Bring the tables up to date; :class:`StoreUnavailable` when the database is newer than this program."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self.writing() as connection:
            hold_lock(connection, "migration")
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise StoreUnavailable(
                    f"the database cannot be migrated: {error}",
                    remedy="It was made by a newer Slackwater: run that one, or name another DATABASE_URL.",
                ) from error

    def ping(self) -> None:
        """:class:`StoreUnavailable` unless the database answers."""
        with self.reading() as connection:
            connection.execute(sa.text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def normalised(url: str) -> sa.URL:
    """The URL with the driver in use; :class:`InputError` where nothing would be kept there."""
    try:
        parsed = make_url(url.strip())
    except ArgumentError as error:
        raise _bad_url("is not a database URL") from error
    if parsed.drivername == "sqlite":
        if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
            raise _bad_url("names no file, so nothing would outlive the process")
        return parsed
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        query = {"connect_timeout": str(CONNECT_SECONDS), **parsed.query}
        return parsed.set(drivername="postgresql+psycopg", query=query)
    raise _bad_url(f"is of kind {parsed.drivername!r}, which is not supported")


def lock_key(name: str) -> sa.ColumnElement[int]:
    """PostgreSQL's key of a lock by name; locks belong to the server, so the schema is part of the key."""
    words = sa.func.concat(sa.func.current_schema(), ".slackwater.", sa.literal(name))
    return sa.func.hashtextextended(words, 0, type_=sa.BigInteger)


def hold_lock(connection: Connection, name: str) -> None:
    """Wait for the lock ``name`` and hold it until the transaction ends; SQLite's writers hold the file anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_key(name))))


def _bad_url(what: str) -> InputError:
    remedy = "Set DATABASE_URL to sqlite:////path/to/file.db or postgresql://user@host/name."
    return InputError(f"DATABASE_URL {what}", field="DATABASE_URL", remedy=remedy)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"the folder of the database, {folder}, cannot be made: {error}") from error


@contextmanager
def _reachable() -> Iterator[None]:
    """Turn the driver's failures into :class:`StoreUnavailable`, and broken constraints into :class:`Conflict`."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(f"the database holds something that does not go with this: {error.orig}") from error
    except PoolTimeout as error:
        raise StoreUnavailable(f"no connection to the database came free: {error}") from error
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable(f"the database does not answer: {error.orig}") from error
    except DBAPIError as error:
        if error.connection_invalidated or type(error) is DatabaseError:
            raise StoreUnavailable(f"the database cannot be used: {error.orig}") from error
        raise


def _engine(url: sa.URL, is_sqlite: bool) -> Engine:
    if not is_sqlite:
        return sa.create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=60)
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False}, pool_size=10, max_overflow=60
    )
    sa.event.listen(engine, "connect", _configure)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: object) -> None:
    """Durable commits, readers beside a writer, and transactions that SQLAlchemy begins itself."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Writers take the write lock at once; readers never take it."""
    options = connection.get_execution_options()
    if options.get("begins", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")
