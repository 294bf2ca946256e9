"""Lets messages that come in go before the work on those that came.

All threads of a server share one interpreter, so each that works makes an acknowledgement wait. While messages come in,
the work is done by few threads; otherwise by as many as there are. None waits long: work that is waiting for something
else (two plans that give a firm price) must not keep all other work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BUSY_S = 0.25
"""so long after the last message came, others are expected"""
PATIENCE_S = 0.25
"""after which work goes on, whatever comes in"""


class Arrivals:
    """Knows whether messages are coming in."""

    def __init__(self) -> None:
        self._last = -BUSY_S

    def came(self) -> None:
        """A message is here."""
        self._last = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether others are to be expected."""
        return time.monotonic() - self._last < BUSY_S


class Deference:
    """Has threads of one kind step back while messages come in: ``most`` of them go on."""

    def __init__(self, arrivals: Arrivals, most: int = 1) -> None:
        self._arrivals = arrivals
        self._most = most
        self._left = threading.Condition()
        self._working = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A piece of work, begun when there is room for it."""
        until = time.monotonic() + PATIENCE_S
        with self._left:
            while self._working >= self._most and self._arrivals.busy and (wait_s := until - time.monotonic()) > 0:
                self._left.wait(wait_s)
            self._working += 1
        try:
            yield
        finally:
            with self._left:
                self._working -= 1
                self._left.notify()
