"""Fixtures shared by all tests: no sockets beyond loopback, recorded data and PostgreSQL where they are."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.threads import one_thread

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """In several processes, the tests of a file stay together, and all of the browser: they share fixtures."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)

    return Scheduling(config, log)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Linear algebra on one thread, as in the product: several make small problems slower."""
    with one_thread():
        yield


@pytest.fixture(autouse=True)
def _loopback_only(socket_disabled_except_loopback: None) -> None:
    """Every test runs with sockets limited to loopback."""


@pytest.fixture
def socket_disabled_except_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections beyond loopback (and unix sockets)."""
    import pytest_socket

    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture
def shared_data() -> Path:
    """Folder of recorded figures; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI") == "true" and SHARED_DATA.parent.parent.joinpath("shared").exists():
            pytest.fail("the shared folder is there but its data is not")
        pytest.skip("recorded data (../shared/data) is not beside this clone")
    return SHARED_DATA


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a schema of this session's own, dropped at its end.

    The server is the one ``SLACKWATER_TEST_POSTGRES`` names, or the local one. Where none answers the test is
    skipped, but fails in CI.
    """
    server = os.environ.get("SLACKWATER_TEST_POSTGRES", "postgresql://root@127.0.0.1:5432/test")
    schema = f"slackwater_{uuid.uuid4().hex[:12]}"
    try:
        with psycopg.connect(server, connect_timeout=5, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
    except psycopg.OperationalError as error:
        reason = f"no PostgreSQL server answers: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{schema}"
    with psycopg.connect(server, connect_timeout=5, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
