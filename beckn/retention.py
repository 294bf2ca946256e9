"""Removes from the store what of the trade is old; the decision log keeps its own time."""

from __future__ import annotations

from datetime import datetime, timedelta

from loguru import logger

from core.clock import Clock
from store.retention import Retention

EVERY = timedelta(hours=1)


class Upkeep:
    """Removes what ended more than ``days`` ago: a batch a step while there is some, then nothing for an hour.

    A message id is refused as long as its message is kept. A request holds for 31 days at most, whatever it says
    (:data:`beckn.protocol.context.MOST_TTL`), and its timestamp may be some seconds ahead; so the setting, and with it
    ``days``, is at least 32.
    """

    def __init__(self, retention: Retention, clock: Clock, days: int) -> None:
        self._retention = retention
        self._clock = clock
        self._kept = timedelta(days=days)
        self._next: datetime | None = None

    def advance(self) -> None:
        """Remove a batch, unless it is less than an hour since nothing was left."""
        now = self._clock.now()
        if self._next is not None and now < self._next:
            return
        removed = self._retention.remove(now - self._kept)
        if removed:
            logger.info("removed {}, which ended more than {} days ago", removed, self._kept.days)
        else:
            self._next = now + EVERY
