"""How many requests a caller may send: a bucket of tokens for each, filled at a steady rate."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict

MOST_CALLERS = 10_000


class RateLimit:
    """Lets a caller through ``per_second`` times a second on average, with bursts of two seconds' worth.

    The callers that were longest silent are forgotten first: their buckets are full again.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._burst = max(1.0, 2 * per_second)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str) -> int | None:
        """None where the caller may pass; else the whole seconds after which it may try again."""
        now = time.monotonic()
        with self._lock:
            tokens, since = self._buckets.pop(caller, (self._burst, now))
            tokens = min(self._burst, tokens + (now - since) * self._per_second)
            passes = tokens >= 1
            self._buckets[caller] = (tokens - 1 if passes else tokens, now)
            if len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        return None if passes else math.ceil((1 - tokens) / self._per_second)
