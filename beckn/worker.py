"""Works off accepted messages: in order within a transaction, several transactions at a time.

The store is the queue: what was accepted before a crash is loaded at the start. A message whose work cannot be done
just now (the log or the store takes nothing) waits and is tried again; its peer is owed an answer all the same.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush

from loguru import logger

from beckn.precedence import Deference
from core.errors import SlackwaterError, Unavailable
from core.trade import Message
from store.messages import MessageRepository

THREADS = 4
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0


class Worker:
    """Threads that call ``work`` with each accepted message once, and ``give_up`` where that fails for good.

    :param deference: to messages that come in meanwhile.
    """

    def __init__(
        self,
        messages: MessageRepository,
        work: Callable[[Message], None],
        give_up: Callable[[Message, Exception], None],
        deference: Deference,
    ) -> None:
        self._messages = messages
        self._deference = deference
        self._work = work
        self._give_up = give_up
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Message]] = {}
        self._ready: list[tuple[float, int, str]] = []
        self._failures: dict[int, int] = {}
        self._taken: set[int] = set()
        self._threads: list[threading.Thread] = []
        self._ending = False

    def start(self) -> None:
        """Load what is owed, and begin."""
        self.look()
        self._threads = [
            threading.Thread(target=self._run, name=f"beckn worker {number}", daemon=True) for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the messages under way; the rest is owed in the store."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        with self._changed:
            self._waiting.clear()
            self._ready.clear()
            self._taken.clear()
            self._ending = False

    def look(self) -> None:
        """Take up what was accepted elsewhere: before a crash, or by another process."""
        for message in self._messages.accepted():
            self.offer(message)

    def offer(self, message: Message) -> None:
        """Have a message worked off, once."""
        with self._changed:
            if message.number in self._taken:
                return
            self._taken.add(message.number)
            known = message.transaction_id in self._waiting
            self._waiting.setdefault(message.transaction_id, deque()).append(message)
            if not known:
                heappush(self._ready, (time.monotonic(), message.number, message.transaction_id))
                self._changed.notify()

    @property
    def owed(self) -> int:
        """Messages that were accepted and not worked off yet."""
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def _run(self) -> None:
        while (message := self._next()) is not None:
            with self._deference.turn():
                wait_s = self._done(message)
            self._ended(message, wait_s)

    def _next(self) -> Message | None:
        """The next message whose transaction is free; None when it is time to end."""
        with self._changed:
            while not self._ending:
                if not self._ready:
                    self._changed.wait()
                elif (wait_s := self._ready[0][0] - time.monotonic()) > 0:
                    self._changed.wait(wait_s)
                else:
                    return self._waiting[heappop(self._ready)[2]][0]
            return None

    def _done(self, message: Message) -> float | None:
        """Work a message off; seconds until it is to be tried again, None when it is done."""
        try:
            self._work(message)
        except Unavailable as error:
            failures = self._failures.get(message.number, 0)
            self._failures[message.number] = failures + 1
            logger.error("{} of {} waits: {}", message.action, message.peer_id, error.diagnostics())
            return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures, 10))
        except Exception as error:  # noqa: BLE001,RUF100  the peer is owed an answer whatever goes wrong here
            logger.exception("{} of {} failed", message.action, message.peer_id)
            try:
                self._give_up(message, error)
            except SlackwaterError as again:
                logger.error("{} of {} waits: {}", message.action, message.peer_id, again.diagnostics())
                return LONGEST_WAIT_S
            except Exception:  # noqa: BLE001,RUF100  a message that cannot even be given up must not end the thread
                logger.exception("{} of {} cannot be given up and waits", message.action, message.peer_id)
                return LONGEST_WAIT_S
        self._failures.pop(message.number, None)
        return None

    def _ended(self, message: Message, wait_s: float | None) -> None:
        with self._changed:
            queue = self._waiting[message.transaction_id]
            if wait_s is None:
                self._taken.discard(queue.popleft().number)
            if queue:
                at = time.monotonic() + (wait_s or 0.0)
                heappush(self._ready, (at, queue[0].number, message.transaction_id))
            else:
                del self._waiting[message.transaction_id]
            self._changed.notify()
