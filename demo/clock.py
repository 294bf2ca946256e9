"""The time of the story: one clock that all processes and peers share, and that can be made to run faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from core.clock import ScaledClock, SystemClock

_SYSTEM = SystemClock()


class StoryClock:
    """Stands at ``start`` now, and runs ``speed`` times as fast as the machine's."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._set(start, speed)

    def _set(self, start: datetime, speed: float) -> None:
        self._start, self.speed, self._since = start, speed, _SYSTEM.now()
        self._clock = ScaledClock(start, speed, self._since)

    def now(self) -> datetime:
        """The present instant of the story."""
        return self._clock.now()

    def real_seconds(self, span: timedelta) -> float:
        """Real seconds that ``span`` of the story takes."""
        return self._clock.real_seconds(span)

    def run_at(self, speed: float) -> None:
        """Run faster or slower from now on; processes have to be started anew to follow."""
        self._set(self.now(), speed)

    def settings(self) -> dict[str, str]:
        """What makes a process follow this clock."""
        return {
            "CLOCK_START": self._start.isoformat(),
            "CLOCK_SPEED": str(self.speed),
            "CLOCK_EPOCH": self._since.isoformat(),
        }


def eventually(found: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    """Wait until ``found`` answers something true; :class:`TimeoutError` names ``what`` did not come."""
    until = time.monotonic() + within_s
    while not found():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not come within {within_s:g} s")
        time.sleep(0.05)
