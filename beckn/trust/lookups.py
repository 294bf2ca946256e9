"""Answers kept for a while: bounded in number, one question at a time for each key, renewals at a measured pace."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from beckn.protocol.faults import Fault
from core.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

PACE = timedelta(seconds=5)
"""least time between two questions about one key: bad signatures must not flood the registry"""
REFUSED = timedelta(seconds=30)
"""how long a refusal is kept"""
UNREACHED = timedelta(seconds=2)
"""how long nobody is asked again after no answer came"""
MOST_KEPT = 4096
MOST_AT_ONCE = 16
"""questions under way, for all keys"""
_TURN_S = 1.0
"""longest wait for one of them to end"""


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """What was found, or why nothing was.

    :param until: as long as it may be used. :param asked_at: of the last question, answered or not.
    """

    asked_at: datetime
    until: datetime
    value: V | None = None
    code: str = ""
    why: str = ""

    def taken(self) -> V:
        """The value; :class:`Fault` where there is none."""
        if self.value is None:
            raise Fault(self.code, self.why)
        return self.value


class Lookups(Generic[K, V]):
    """Asks ``fetch`` and keeps what it says.

    :param fetch: returns a value and the time for which it may be kept, or raises :class:`Fault`.
    :param fits: whether a kept value may still be used; one that may not is asked for again.
    """

    def __init__(
        self, fetch: Callable[[K], tuple[V, timedelta]], fits: Callable[[V, datetime], bool], clock: Clock
    ) -> None:
        self._fetch = fetch
        self._fits = fits
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[K, Answer[V]] = OrderedDict()
        self._refused: OrderedDict[K, Answer[V]] = OrderedDict()
        self._under_way: dict[K, Future[Answer[V]]] = {}
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)

    def get(self, key: K, *, anew: bool = False) -> V:
        """The value of ``key``; ``anew``: asked for again, unless that was done within the last seconds.

        :raises Fault: as ``fetch`` does; ``NET_OVERLOADED`` where too many questions are under way.
        """
        with self._lock:
            kept = self._kept(key, self._clock.now(), anew=anew)
            under_way = self._under_way.get(key)
            mine: Future[Answer[V]] = Future()
            if kept is None and under_way is None:
                self._under_way[key] = mine
        if kept is not None:
            return kept.taken()
        return (under_way.result() if under_way is not None else self._asked(key, mine)).taken()

    def _kept(self, key: K, now: datetime, *, anew: bool) -> Answer[V] | None:
        """What may be told without asking."""
        answer = self._found.get(key) or self._refused.get(key)
        if answer is None or answer.until <= now:
            return None
        lately = answer.asked_at + PACE > now
        if answer.value is not None:
            self._found.move_to_end(key)
            anew = anew or not self._fits(answer.value, now)
        return answer if lately or not anew else None

    def _asked(self, key: K, mine: Future[Answer[V]]) -> Answer[V]:
        """Ask, keep what comes, and tell those who wait for the same."""
        try:
            answer = self._store(key, self._question(key))
        except BaseException as error:
            with self._lock:
                del self._under_way[key]
            mine.set_exception(error)
            raise
        mine.set_result(answer)
        return answer

    def _question(self, key: K) -> Answer[V]:
        now = self._clock.now()
        if not self._turns.acquire(timeout=_TURN_S):
            return Answer(now, now, code="NET_OVERLOADED", why="too many lookups in the registry are under way")
        try:
            value, keep = self._fetch(key)
        except Fault as fault:
            keep = UNREACHED if fault.code.startswith("NET_") else REFUSED
            return Answer(now, now + keep, code=fault.code, why=str(fault))
        finally:
            self._turns.release()
        return Answer(now, now + keep, value)

    def _store(self, key: K, answer: Answer[V]) -> Answer[V]:
        """Keep an answer; where none came, what was found before holds until its time is over."""
        with self._lock:
            former = self._found.get(key)
            if answer.code.startswith("NET_") and former is not None and former.until > answer.asked_at:
                answer = Answer(answer.asked_at, former.until, former.value)
            self._found.pop(key, None)
            self._refused.pop(key, None)
            shelf = self._refused if answer.value is None else self._found
            shelf[key] = answer
            while len(shelf) > MOST_KEPT:
                shelf.popitem(last=False)
            del self._under_way[key]
        return answer
