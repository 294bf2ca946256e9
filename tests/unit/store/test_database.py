from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, text

from core.errors import InputError, StoreUnavailable
from store.database import Database
from store.jobs import JobRepository
from store.tables import metadata
from tests.unit.store.samples import a_job

ROOT = Path(__file__).resolve().parents[3]


def test_migrations_from_empty_give_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_from_another_folder_changes_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    JobRepository(database).add(a_job("j1"))
    monkeypatch.chdir(tmp_path)
    database.migrate()
    assert JobRepository(database).get("j1") == a_job("j1")


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.writing() as connection:
        before = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(StoreUnavailable, match="9999") as refused:
            database.migrate()
        assert "newer" in refused.value.diagnostics()
    finally:
        with database.writing() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": before})


def test_a_server_that_does_not_answer_is_named_with_a_remedy() -> None:
    database = Database("postgres://nobody@127.0.0.1:9/none")
    with pytest.raises(StoreUnavailable) as failed:
        database.ping()
    assert "DATABASE_URL" in failed.value.diagnostics()
    database.close()


def test_a_file_that_is_no_database_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is not SQLite at all" * 100)
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(StoreUnavailable):
        database.ping()
    database.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/x", "nonsense"])
def test_a_url_that_cannot_keep_anything_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="DATABASE_URL"):
        Database(url)


def test_everything_is_there_after_reopening_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    first = Database(url)
    first.migrate()
    JobRepository(first).add(a_job("j1"))
    first.close()
    again = Database(url)
    again.migrate()
    again.ping()
    assert JobRepository(again).get("j1") == a_job("j1")
    again.close()


def test_readers_do_not_wait_for_a_writer_and_do_not_see_its_work(database: Database) -> None:
    jobs, seen = JobRepository(database), []
    jobs.add(a_job("j1"))
    with database.writing() as connection:
        connection.execute(text("UPDATE jobs SET reason = 'unfinished'"))
        reader = threading.Thread(target=lambda: seen.append(jobs.get("j1").reason))
        reader.start()
        reader.join(timeout=10)
    assert seen == [None]
    assert jobs.get("j1").reason == "unfinished"


def test_sqlite_commits_are_synced_before_they_return(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.reading() as connection:
        facts = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")]
        assert facts == ["wal", 2]
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    database.close()


ADDER = """
import sys
from store.database import Database
from store.jobs import JobRepository
from tests.unit.store.samples import a_job
jobs = JobRepository(Database(sys.argv[1]))
for number in range(10**9):
    jobs.add(a_job(f"k{number}"))
    print(f"k{number}", flush=True)
"""


def test_kill_9_loses_no_job_that_was_accepted(database: Database, database_url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ADDER, database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        accepted = [child.stdout.readline().strip() for _ in range(20)]
        os.kill(child.pid, signal.SIGKILL)
        accepted += child.stdout.read().split("\n")[:-1]
    jobs = JobRepository(database)
    assert [jobs.get(job_id).job_id for job_id in accepted] == accepted


def test_one_statement_alone_begins_no_transaction_and_several_see_the_same(tmp_path: Path) -> None:
    database, said = Database(f"sqlite:///{tmp_path / 'x.db'}"), list[str]()
    event.listen(database.engine, "before_cursor_execute", lambda *told: said.append(told[2]))
    with database.reading(snapshot=False) as connection:
        connection.execute(text("SELECT 1"))
    assert said == ["SELECT 1"]
    with database.reading() as connection:
        connection.execute(text("SELECT 1"))
    assert said == ["SELECT 1", "BEGIN", "SELECT 1"]
    database.close()
