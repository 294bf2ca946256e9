"""Commands run in an empty folder, so that no settings file and no data of anyone else is read."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from core.settings import Settings


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        if name.upper() in os.environ:
            monkeypatch.delenv(name.upper())


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Commands set up the log of the whole process; put back what was there."""
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers = handlers
    logger.remove()
    logger.add(sys.stderr)
