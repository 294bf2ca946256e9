from __future__ import annotations

import uuid

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
    another = LeaderLease(other, "another")
    assert another.acquire()
    another.release()
    second.release()
    assert not second.acquire()
    first.release()
    first.release()
    assert second.acquire()
    second.release()
    other.close()


@pytest.mark.postgres
def test_a_lease_is_lost_with_its_connection(postgres_url: str) -> None:
    tag = f"lease-{uuid.uuid4().hex}"
    database, other = Database(f"{postgres_url}&application_name={tag}"), Database(postgres_url)
    first, second = LeaderLease(database, "loop"), LeaderLease(other, "loop")
    assert first.acquire()
    with other.writing() as connection:
        own = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = :tag")
        assert connection.execute(own, {"tag": tag}).scalars().all() == [True]
    assert second.acquire()
    assert not first.acquire()
    first.release()
    second.release()
    database.close()
    other.close()
