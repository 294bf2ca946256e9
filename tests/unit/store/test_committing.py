"""Writers of one process share a commit: all in it are kept, or none; a step that fails is undone alone."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import StoreUnavailable
from store import committing
from store.committing import Writers
from store.database import Database
from tests.waiting import eventually

INSERT = sa.text("INSERT INTO kept (name) VALUES (:name)")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.writing() as connection:
        connection.execute(sa.text("CREATE TABLE kept (name TEXT PRIMARY KEY)"))
    yield database
    database.close()


@pytest.fixture
def commits(database: Database) -> list[None]:
    """Grows with each commit."""
    found: list[None] = []
    sa.event.listen(database.engine, "commit", lambda _: found.append(None))
    return found


def writers_of(database: Database) -> Writers:
    assert database._writers is not None
    return database._writers


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(sa.text("SELECT name FROM kept ORDER BY name")).scalars())


def at_once(database: Database, *steps: tuple[str, bool]) -> list[BaseException | None]:
    """Steps that all wait while another is under way, which writes ``first``; what each raised.

    :param steps: name, and whether it is urgent; what begins with ``bad`` fails after it wrote.
    """
    raised: list[BaseException | None] = [None] * len(steps)

    def write(number: int, name: str, urgent: bool) -> None:
        try:
            with database.writing(urgent=urgent) as connection:
                connection.execute(INSERT, {"name": name})
                if name.startswith("bad"):
                    raise ValueError(name)
        except (ValueError, StoreUnavailable) as error:
            raised[number] = error

    queue, threads = writers_of(database)._queue, list[threading.Thread]()

    def waits(count: int) -> bool:
        return sum(map(len, queue._waiting)) == count

    with database.writing() as connection:
        connection.execute(INSERT, {"name": "first"})
        for number, (name, urgent) in enumerate(steps):
            threads.append(threading.Thread(target=write, args=(number, name, urgent)))
            threads[-1].start()
            eventually(partial(waits, number + 1))
    for thread in threads:
        thread.join()
    return raised


def test_those_that_wait_are_committed_together(
    database: Database, commits: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "LONGEST_S", 30.0)
    assert at_once(database, *((f"n{number}", False) for number in range(5))) == [None] * 5
    assert len(commits) == 1
    assert names(database) == ["first", "n0", "n1", "n2", "n3", "n4"]


def test_a_step_that_fails_is_undone_alone(
    database: Database, commits: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "LONGEST_S", 30.0)
    raised = at_once(database, ("a", False), ("bad", False), ("b", False), ("bad last", False))
    assert [type(error) for error in raised] == [type(None), ValueError, type(None), ValueError]
    assert names(database) == ["a", "b", "first"]
    assert len(commits) == 1


def test_an_urgent_step_waits_for_no_other(
    database: Database, commits: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "LONGEST_S", 30.0)
    at_once(database, ("a", False), ("b", False), ("urgent", True), ("urgent too", True))
    assert len(commits) == 2  # the first with both urgent ones; the others
    assert names(database) == ["a", "b", "first", "urgent", "urgent too"]


def test_nobody_joins_a_transaction_that_lasts_long(
    database: Database, commits: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "LONGEST_S", 0.0)
    at_once(database, ("a", False), ("b", False))
    assert len(commits) == 3


def test_none_returns_before_it_is_on_disk_and_readers_see_nothing_before(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "LONGEST_S", 30.0)
    seen: list[list[str]] = []
    sa.event.listen(database.engine, "commit", lambda _: seen.append(names(database)))
    at_once(database, ("a", False), ("b", False))
    assert seen == [[]]


def test_a_commit_that_fails_is_told_to_all(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "LONGEST_S", 30.0)
    with database.writing() as connection:
        connection.execute(INSERT, {"name": "before"})

    def fail(_: object) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, OSError("the disk is full"))

    sa.event.listen(database.engine, "commit", fail)
    with pytest.raises(StoreUnavailable, match="full"):
        at_once(database, ("a", False), ("bad", False))
    sa.event.remove(database.engine, "commit", fail)
    assert names(database) == ["before"]
    with database.writing() as connection:
        connection.execute(INSERT, {"name": "after"})
    assert names(database) == ["after", "before"]


def test_what_breaks_the_whole_transaction_is_told_to_all_in_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "LONGEST_S", 30.0)
    told: list[BaseException] = []

    def earlier() -> None:
        try:
            with database.writing() as connection:
                connection.execute(INSERT, {"name": "earlier"})
                eventually(writers_of(database)._queue.waits)
        except StoreUnavailable as error:
            told.append(error)

    thread = threading.Thread(target=earlier)
    thread.start()
    eventually(lambda: writers_of(database)._open is not None)
    with pytest.raises(StoreUnavailable, match="gone"), database.writing() as connection:
        _lose(connection)
    thread.join()
    assert len(told) == 1
    assert names(database) == []


def _lose(connection: sa.Connection) -> None:
    """What SQLite does when a disk is full: it undoes the whole transaction."""
    connection.exec_driver_sql("ROLLBACK")
    raise sa.exc.OperationalError("INSERT", {}, OSError("it is gone"))


def test_a_write_within_a_write_is_refused_instead_of_waiting_for_itself(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing(), database.writing():
        pass
    with database.writing() as connection:
        connection.execute(INSERT, {"name": "after"})
    assert names(database) == ["after"]


def test_many_threads_keep_what_they_were_told_was_kept(database: Database) -> None:
    chance, kept = random.Random(3), list[str]()
    fates = [chance.random() < 0.3 for _ in range(400)]

    def write(number: int) -> None:
        with database.writing(urgent=number % 7 == 0) as connection:
            connection.execute(INSERT, {"name": f"n{number}"})
            if fates[number]:
                raise ValueError(number)
        kept.append(f"n{number}")

    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(write, number) for number in range(400)]:
            try:
                future.result(timeout=30)
            except ValueError as error:
                assert fates[int(str(error))]  # noqa: PT017  that others than these fail is the question
    assert sorted(kept) == names(database)
    assert len(kept) == fates.count(False)


@pytest.mark.parametrize("at", ["commit", "release_savepoint"])
def test_a_break_where_it_is_kept_reaches_its_thread_and_leaves_the_next_a_transaction_of_its_own(
    database: Database, at: str
) -> None:
    def broken(*_: object) -> None:
        if names(database) == []:
            raise KeyboardInterrupt

    sa.event.listen(database.engine, at, broken)
    with pytest.raises(KeyboardInterrupt), database.writing() as connection:
        connection.execute(INSERT, {"name": "broken"})
    sa.event.remove(database.engine, at, broken)
    with database.writing() as connection:
        connection.execute(INSERT, {"name": "next"})
    assert names(database) == ["next"]


@pytest.mark.parametrize("at", ["commit", "release_savepoint"])
def test_who_shares_a_commit_that_is_broken_off_learns_that_it_is_not_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setattr(committing, "LONGEST_S", 30.0)

    def broken(*_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise KeyboardInterrupt

    told: list[BaseException] = []
    sa.event.listen(database.engine, at, broken)
    queue = writers_of(database)._queue

    def interrupted() -> None:
        with pytest.raises(KeyboardInterrupt), database.writing() as connection:
            connection.execute(INSERT, {"name": "interrupted"})
        told.append(KeyboardInterrupt())

    thread = threading.Thread(target=interrupted)

    def first() -> None:
        with database.writing() as connection:
            connection.execute(INSERT, {"name": "first"})
            thread.start()
            eventually(queue.waits)

    with pytest.raises(StoreUnavailable):
        first()
    thread.join()
    assert len(told) == 1
    assert names(database) == []
