"""How many tokens a day the advisor's model may use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date


class TokenBudget:
    """Tokens used since midnight UTC, at most ``per_day``. Safe for threads.

    A request reserves what it may use at most, and settles for what it did use; one that fails without saying gives
    nothing back, because it may have been counted all the same.
    """

    def __init__(self, per_day: int, today: Callable[[], date]) -> None:
        self._per_day = per_day
        self._today = today
        self._day = today()
        self._used = 0
        self._lock = threading.Lock()

    def reserve(self, tokens: int) -> bool:
        """Count ``tokens`` as used; False, and nothing counted, where that is more than is left."""
        with self._lock:
            if self._day != (today := self._today()):
                self._day, self._used = today, 0
            if self._used + tokens > self._per_day:
                return False
            self._used += tokens
            return True

    def settle(self, reserved: int, used: int) -> None:
        """A request that had ``reserved`` tokens used so many."""
        with self._lock:
            self._used = max(0, self._used + used - reserved)
