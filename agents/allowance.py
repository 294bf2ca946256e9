"""How long a negotiation may go on: by the clock, or just as far as an earlier one went.

A negotiation asks again and again whether its time is over; nothing else in it depends on the machine that it runs on.
So the questions that were answered with yes are all that has to be kept to go the same way again (docs/adr/0015).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

Result = TypeVar("Result")
LEAST_S = 0.05


@dataclass(slots=True)
class Tally:
    """What has been done: rounds of prices, clearings of the master, trials in which jobs traded places."""

    rounds: int = 0
    clearings: int = 0
    trials: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """What a negotiation did within its time, as in :class:`Tally`, and where time cut it short.

    :param stops: numbers, from 0, of the questions whether time was over that were answered with yes; none where the
        time sufficed.
    """

    rounds: int
    clearings: int
    trials: int
    stops: tuple[int, ...]


class Allowance(Protocol):
    """Says whether the time of a negotiation is over, and keeps which of its answers were yes."""

    stops: list[int]

    def spent(self, share: float = 1.0) -> bool:
        """Whether that share of the time is over."""
        ...

    def within(self, share: float, work: Callable[[float], Result | None]) -> Result | None:
        """What ``work(seconds)`` gives within that share of the time; None where it came to nothing."""
        ...

    def elapsed(self) -> float:
        """Real seconds since the beginning."""
        ...


@dataclass(slots=True)
class Deadline:
    """A time limit that began with the negotiation."""

    limit_s: float
    stops: list[int] = field(default_factory=list)
    _started: float = field(init=False)
    _asked: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._started = time.monotonic()

    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def spent(self, share: float = 1.0) -> bool:
        return self._noted(self.elapsed() > share * self.limit_s)

    def within(self, share: float, work: Callable[[float], Result | None]) -> Result | None:
        """As :class:`Allowance` says; ``work`` is given :data:`LEAST_S` at least."""
        found = work(max(LEAST_S, share * self.limit_s - self.elapsed()))
        self._noted(found is None)
        return found

    def _noted(self, stop: bool) -> bool:
        if stop:
            self.stops.append(self._asked)
        self._asked += 1
        return stop


class Retraced:
    """Ends where an earlier negotiation ended, however long that takes here: no clock is read.

    :param stops: of that negotiation's :class:`Work`.
    """

    def __init__(self, stops: Collection[int]) -> None:
        self._known = frozenset(stops)
        self.stops: list[int] = []
        self._asked = 0

    def elapsed(self) -> float:
        """Nought: how long it takes here says nothing."""
        return 0.0

    def spent(self, share: float = 1.0) -> bool:  # noqa: ARG002  the share was judged when the clock was read
        stop = self._asked in self._known
        if stop:
            self.stops.append(self._asked)
        self._asked += 1
        return stop

    def within(self, share: float, work: Callable[[float], Result | None]) -> Result | None:
        """As :class:`Allowance` says; what came to nothing is not tried again, and all else has time without end."""
        return None if self.spent(share) else work(math.inf)
