"""Waiting for what a test does not control: threads and processes."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(true: Callable[[], object], within_s: float = 8.0) -> None:
    """Wait until ``true`` holds."""
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within_s} s")
        time.sleep(0.005)
