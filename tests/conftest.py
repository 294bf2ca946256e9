"""Fixtures shared by all tests: no sockets beyond loopback, recorded data and PostgreSQL where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


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
