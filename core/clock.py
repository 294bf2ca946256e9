"""The one source of the present instant. Nothing else in Slackwater asks the machine for the time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.slots import require_aware


class Clock(Protocol):
    """Tells the time and how long, in real seconds, until a later instant."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...

    def real_seconds(self, span: timedelta) -> float:
        """Real seconds that ``span`` of this clock's time takes."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def real_seconds(self, span: timedelta) -> float:
        return span.total_seconds()


class ScaledClock:
    """A clock that stands at ``start`` at the real instant ``since`` and runs ``speed`` times as fast as the machine's.

    For replayed and simulated signals only: half an hour passes in ``1800 / speed`` real seconds. Clocks of several
    processes that are given one ``since`` agree, and one that is made anew goes on; without it the clock starts now.
    """

    def __init__(self, start: datetime, speed: float, since: datetime | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"clock speed {speed} must be positive")
        self._start = require_aware(start)
        self._speed = speed
        elapsed = timedelta(0) if since is None else datetime.now(UTC) - require_aware(since)
        self._origin = time.monotonic() - elapsed.total_seconds()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._origin) * self._speed)

    def real_seconds(self, span: timedelta) -> float:
        return span.total_seconds() / self._speed


class ManualClock:
    """A clock that moves only when told to: the clock of replays and tests."""

    def __init__(self, start: datetime) -> None:
        self._now = require_aware(start)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def set(self, instant: datetime) -> None:
        """Move to ``instant``; going back raises :class:`ValueError`."""
        with self._lock:
            if require_aware(instant) < self._now:
                raise ValueError(f"the clock stands at {self._now} and cannot go back to {instant}")
            self._now = require_aware(instant)

    def advance(self, span: timedelta) -> None:
        """Move forward by ``span``."""
        self.set(self.now() + span)

    def real_seconds(self, span: timedelta) -> float:  # noqa: ARG002  a manual clock never waits
        return 0.0
