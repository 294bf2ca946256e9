"""A fresh copy of the small instance and its plan for each test."""

from __future__ import annotations

import pytest

from tests.unit.benchmarks.referee import tiny
from tests.unit.benchmarks.referee.tiny import Json


@pytest.fixture
def instance() -> Json:
    return tiny.instance()


@pytest.fixture
def plan() -> Json:
    return tiny.plan()
