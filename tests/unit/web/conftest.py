"""The application over fakes, and its test client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.unit.web.fakes import House, build_house
from web.application import create_app


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = build_house(tmp_path)
    yield built
    built.log.close()


@pytest.fixture
def client(house: House) -> FlaskClient:
    return create_app(house.services).test_client()


@pytest.fixture
def request_body() -> dict[str, Any]:
    """A job that every rule accepts."""
    return {"job_name": "night training", "latest_finish": "2026-11-21T12:00Z", "duration_hours": 2, "power_kw": 50}
