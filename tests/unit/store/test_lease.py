from __future__ import annotations

import pytest
from sqlalchemy import text

from store.database import Database
from store.lease import LeaderLease


def test_one_of_two_holds_the_lease_until_it_gives_it_up(database: Database, database_url: str) -> None:
    other = Database(database_url)
    first, second = LeaderLease(database, "loop"), LeaderLease(other, "loop")
    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    assert LeaderLease(other, "another").acquire()
    second.release()
    assert not second.acquire()
    first.release()
    first.release()
    assert second.acquire()
    second.release()
    other.close()


@pytest.mark.postgres
def test_a_lease_is_lost_with_its_connection(postgres_url: str) -> None:
    database, other = Database(postgres_url), Database(postgres_url)
    first, second = LeaderLease(database, "loop"), LeaderLease(other, "loop")
    assert first.acquire()
    with other.writing() as connection:
        holders = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        ours = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%'"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM ({holders} INTERSECT {ours}) AS h"))
    assert second.acquire()
    assert not first.acquire()
    first.release()
    second.release()
    database.close()
    other.close()
