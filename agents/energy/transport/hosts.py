"""What is known of one host: how often it may be asked, whether it answers, and what it said last.

Nothing here tells the time or waits: each method is told the present second of a clock that never goes back.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal, NamedTuple

from agents.energy.feed import Limits
from agents.energy.transport.bounds import Bounds
from agents.energy.transport.faults import HostBusy, HostUnreachable

CircuitState = Literal["closed", "open", "half_open"]
"""``closed``: asked as usual; ``open``: left alone; ``half_open``: one request may try whether it answers again."""


@dataclass(frozen=True, slots=True)
class HostState:
    """How the client stands with one host.

    :param failures: requests in a row that had no answer.
    :param retry_in_s: seconds until it may be asked again; 0 where it may be asked now.
    :param last_error: why the last request failed; None if it did not.
    :param skew_s: how far its clock was ahead of this machine's at its last answer; None if it never told the time.
    :param requests: attempts since the start.
    :param bytes: lengths of all bodies as they were sent, added up.
    """

    host: str
    state: CircuitState
    failures: int
    retry_in_s: float
    last_error: str | None
    skew_s: float | None
    requests: int
    bytes: int


class Window:
    """At most ``limits.requests`` in any ``limits.per``, by handing out starting times in order."""

    def __init__(self, limits: Limits) -> None:
        if limits.requests < 1 or limits.per.total_seconds() <= 0:
            raise ValueError(f"a host that allows {limits.requests} requests per {limits.per} cannot be asked")
        self._per_s = limits.per.total_seconds()
        self._last: deque[float] = deque(maxlen=limits.requests)

    def earliest(self, now: float) -> float:
        """When the next request may start."""
        full = len(self._last) == self._last.maxlen
        return max(now, self._last[0] + self._per_s) if full else now

    def take(self, at: float) -> None:
        """A request starts at ``at``, which is no earlier than the one before."""
        self._last.append(at)


class Circuit:
    """A circuit breaker: opens after failures in a row, for a time that doubles until the host answers again."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._next_s = bounds.open_s
        self._until: float | None = None
        self.probing = False
        self.failures = 0

    def state(self, now: float) -> CircuitState:
        """Where it stands."""
        if self._until is None:
            return "closed"
        return "half_open" if self.probing or now >= self._until else "open"

    def retry_in_s(self, now: float) -> float:
        """Seconds until it lets a request through."""
        return 0.0 if self._until is None else max(0.0, self._until - now)

    def admits(self, now: float) -> bool:
        """Whether a request may be made."""
        return self._until is None or (now >= self._until and not self.probing)

    def enter(self) -> bool:
        """Begin an admitted request; whether it is the one that tries the host again."""
        self.probing = self._until is not None
        return self.probing

    def failed(self, now: float, *, probe: bool, asked_s: float = 0.0) -> None:
        """The request had no answer, or the host asked to be left alone for ``asked_s``."""
        self.failures += 1
        self.probing = self.probing and not probe
        if probe or (self._until is None and self.failures >= self._bounds.open_after):
            self._until = now + max(asked_s, self._next_s)
            self._next_s = min(2 * self._next_s, self._bounds.longest_open_s)
        elif asked_s > 0:
            self._until = max(now + asked_s, self._until or 0.0)

    def answered(self) -> None:
        """The host answered: all is forgotten."""
        self.failures, self._until, self.probing, self._next_s = 0, None, False, self._bounds.open_s

    def abandoned(self, *, probe: bool) -> None:
        """The request was given up for a reason of its own: the next one may try."""
        self.probing = self.probing and not probe


class Turn(NamedTuple):
    """Leave to make a request after ``wait_s``; ``probe``: it tries whether the host answers again."""

    wait_s: float
    probe: bool


class Host:
    """One host; safe to share between threads."""

    def __init__(self, name: str, bounds: Bounds) -> None:
        self.name = name
        self._bounds = bounds
        self._lock = threading.Lock()
        self._trial_over = threading.Condition(self._lock)
        self._circuit = Circuit(bounds)
        self._windows: dict[Limits, Window] = {}
        self._busy = False
        self._last_error: str | None = None
        self._skew_s: float | None = None
        self._requests = 0
        self._bytes = 0

    def limit(self, limits: Limits) -> None:
        """Keep to these limits too."""
        with self._lock:
            self._windows.setdefault(limits, Window(limits))

    def enter(self, now: float) -> Turn:
        """Leave to ask. Raises :class:`HostUnreachable` or :class:`HostBusy` where there is none.

        While another request tries whether the host answers again, this one waits for what comes of it.
        """
        with self._lock:
            self._trial_over.wait_for(lambda: not self._circuit.probing, self._bounds.attempts_within_s)
            if not self._circuit.admits(now):
                raise self._left_alone(now)
            wait_s = self._reserve(now)
            if wait_s is None:
                wait_s = self._earliest(now) - now
                raise HostBusy(f"{self.name} allows no further request for {wait_s:.0f} s.", wait_s)
            return Turn(wait_s, self._circuit.enter())

    def again(self, now: float, pause_s: float) -> float | None:
        """Seconds to wait before another attempt, at least ``pause_s``; None where its turn comes too late."""
        with self._lock:
            wait_s = self._reserve(now + pause_s)
            return None if wait_s is None else pause_s + wait_s

    def failed(self, fault: HostUnreachable | HostBusy, now: float, *, probe: bool) -> None:
        """A request ended without an answer."""
        with self._lock:
            asked_s = fault.retry_after_s if isinstance(fault, HostBusy) else 0.0
            self._circuit.failed(now, probe=probe, asked_s=asked_s)
            self._busy, self._last_error = isinstance(fault, HostBusy), str(fault)
            self._trial_over.notify_all()

    def answered(self, error: str | None = None) -> None:
        """A request ended with an answer, if only with one that is an ``error``."""
        with self._lock:
            self._circuit.answered()
            self._last_error = error
            self._trial_over.notify_all()

    def abandoned(self, *, probe: bool) -> None:
        """A request ended for a reason that says nothing of the host."""
        with self._lock:
            self._circuit.abandoned(probe=probe)
            self._trial_over.notify_all()

    def received(self, wire_bytes: int, skew_s: float | None) -> None:
        """Count an answer."""
        with self._lock:
            self._bytes += wire_bytes
            self._skew_s = self._skew_s if skew_s is None else skew_s

    def state(self, now: float) -> HostState:
        """How it stands."""
        with self._lock:
            return HostState(
                self.name,
                self._circuit.state(now),
                self._circuit.failures,
                self._circuit.retry_in_s(now),
                self._last_error,
                self._skew_s,
                self._requests,
                self._bytes,
            )

    def _earliest(self, now: float) -> float:
        return max((window.earliest(now) for window in self._windows.values()), default=now)

    def _reserve(self, now: float) -> float | None:
        """Seconds until the next turn, which is taken; None where it is too far off to wait for."""
        at = self._earliest(now)
        if at - now > self._bounds.longest_wait_s:
            return None
        for window in self._windows.values():
            window.take(at)
        self._requests += 1
        return at - now

    def _left_alone(self, now: float) -> HostUnreachable | HostBusy:
        """The fault of a request that is not made."""
        wait_s = self._circuit.retry_in_s(now)
        when = f"is left alone for another {wait_s:.0f} s" if wait_s else "is just being tried again"
        message = f"{self.name} {when} after {self._circuit.failures} failures in a row; the last: {self._last_error}"
        if self._busy:
            return HostBusy(message, wait_s)
        return HostUnreachable(message, lasting=True)
