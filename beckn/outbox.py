"""Delivers what is owed: in order within a stream, tried again with backoff until its time is over.

A message is delivered at least once. Where the process dies between the peer's acknowledgement and the note of it here,
the same message goes out again after the restart, with the same id and a fresh signature; receivers tell by the id.

Which failures are tried again:

- no answer, and answers that are no acknowledgement: always, because nobody knows whether the message arrived;
- a refusal (NACK) of a callback: always, as the protocol demands (CON-008-18), since the callback is owed;
- a refusal of a request: where the fault may pass (HTTP 429 and 5xx, codes ``NET_``); any other is final;
- ``CTX_MESSAGE_ID_DUPLICATE`` after an attempt of which nobody knows whether it arrived: it did, so it is delivered.

What is given up is a dead letter with its reason, an ``ERROR`` line with ``NET_CALLBACK_FAILED`` and a call of
``on_dead``.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from loguru import logger

from beckn.protocol.acknowledgement import DUPLICATE, Acknowledged, Malformed, Refused
from beckn.protocol.actions import is_callback
from beckn.transport import Answer, Unreached
from core.clock import Clock
from core.errors import StoreUnavailable
from core.slots import format_utc
from core.trade import Delivery
from store.outbox import DeliveryState, OutboxRepository, Outcome

FAILED = "NET_CALLBACK_FAILED"
_LEAST_WAIT_S = 0.02
"""real seconds; a clock that stands still must not make the clerk spin"""
_AGAIN_S = 1.0
"""real seconds until the store is tried again"""
_AHEAD = 2
"""deliveries taken from the store for each that can be tried at once"""
_GATHER_S = 0.02
"""real seconds between two transactions of the clerk, so that each has more to write down"""
_LOOKS = 8
"""at what is due; each passes over the peers of which there is enough"""


class Post(Protocol):
    """Makes one attempt; nothing that the peer does raises."""

    def post(self, delivery: Delivery) -> Answer:
        """Sign anew, send, and read the acknowledgement."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """How deliveries are tried.

    :param workers: attempts at once. :param per_peer: of these, to one peer; the rest is left to others.
    :param first: the wait after the first failure is drawn between 0 and this; the bound doubles with each failure,
        up to ``longest``.
    :param look_every_s: real seconds after which the store is read without being told, for what others replayed.
    """

    workers: int = 8
    per_peer: int = 4
    first: timedelta = timedelta(seconds=0.5)
    longest: timedelta = timedelta(seconds=60)
    look_every_s: float = 5.0

    def next_at(
        self, now: datetime, attempts: int, expires_at: datetime, retry_after: float | None, draw: float
    ) -> datetime:
        """When to try again after ``attempts`` failures; ``expires_at`` where there is no time for another.

        Near the end the wait is drawn from the time that is left, so that it does not pass unused.

        :param attempts: at least 1. :param retry_after: seconds that the peer asks for at least.
        :param draw: from [0, 1).
        """
        asked, left = timedelta(seconds=retry_after or 0.0), expires_at - now
        if left <= max(self.first, asked):
            return expires_at
        doubled = self.first * float(2 ** min(attempts - 1, 30))
        bound = min(self.longest, doubled, left - asked)
        return now + asked + bound * draw


@dataclass(slots=True)
class _UnderWay:
    """What has been taken from the store and is not settled yet."""

    ready: deque[Delivery]
    streams: set[str]
    peers: Counter[str]
    """taken, by peer"""
    active: Counter[str]
    """being tried, by peer"""
    ended: list[tuple[Delivery, Answer]]

    def release(self, delivery: Delivery) -> None:
        """It is settled: its stream may go on."""
        self.streams.discard(delivery.stream)
        self.peers[delivery.peer_id] -= 1


class Deliverer:
    """Tries what is due with a few workers; one clerk reads and writes the store for them, many outcomes at a time.

    Start it in one process only.

    :param on_dead: told of each dead letter before it is written; told again where the process or the store fails then.
    :param on_acknowledged: told likewise of each message that a peer has taken, and whether a callback follows; by the
        worker that sent it, so that several may wait for a disk at once.
    """

    def __init__(
        self,
        outbox: OutboxRepository,
        post: Post,
        clock: Clock,
        policy: Policy | None = None,
        on_dead: Callable[[Delivery], None] | None = None,
        on_acknowledged: Callable[[Delivery, Acknowledged], None] | None = None,
    ) -> None:
        self._outbox = outbox
        self._post = post
        self._clock = clock
        self._policy = policy or Policy()
        self._on_dead = on_dead
        self._on_acknowledged = on_acknowledged
        self._random = random.Random()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._news = threading.Condition(self._lock)
        self._under_way = _UnderWay(deque(), set(), Counter(), Counter(), [])
        self._told = False
        self._stopping = False
        self._uncertain: dict[int, bool] = {}
        # by number, whether the peer may have it from an attempt of which nobody knows how it ended
        self._workers: list[threading.Thread] = []
        self._clerk: threading.Thread | None = None

    def start(self) -> None:
        """Begin to deliver what is owed, from before as well."""
        self._stopping = False
        self._clerk = threading.Thread(target=self._keep_books, name="outbox", daemon=True)
        self._workers = [
            threading.Thread(target=self._deliver, name=f"outbox-{number}", daemon=True)
            for number in range(self._policy.workers)
        ]
        for thread in (self._clerk, *self._workers):
            thread.start()

    def stop(self) -> None:
        """Begin no more attempts, and return when those under way have ended and are written down."""
        with self._lock:
            self._stopping = True
            self._work.notify_all()
        self.wake()
        for thread in self._workers:
            thread.join()
        self.wake()
        if self._clerk is not None:
            self._clerk.join()

    def wake(self) -> None:
        """Look at once for what was stored just now."""
        with self._lock:
            self._told = True
            self._news.notify_all()

    def _deliver(self) -> None:
        """A worker: one attempt after another."""
        while (delivery := self._next()) is not None:
            try:
                answer = self._post.post(delivery)
            except Exception as error:  # whatever it is, the message stays owed
                logger.exception("attempt at {} number {} failed", delivery.action, delivery.number)
                answer = Unreached(f"the attempt failed here ({type(error).__name__})", sent=False)
            if isinstance(answer, Acknowledged):
                self._tell(self._on_acknowledged, delivery, answer)
            with self._lock:
                self._under_way.active[delivery.peer_id] -= 1
                self._under_way.ended.append((delivery, answer))
                self._told = True
                self._work.notify()
                self._news.notify_all()

    def _next(self) -> Delivery | None:
        """What a free worker tries next; None when it is to end."""
        with self._lock:
            while not self._stopping:
                ready, active = self._under_way.ready, self._under_way.active
                for delivery in ready:
                    if active[delivery.peer_id] < self._policy.per_peer:
                        ready.remove(delivery)
                        active[delivery.peer_id] += 1
                        return delivery
                self._work.wait()
            return None

    def _keep_books(self) -> None:
        """The clerk: write down what came of attempts, take what is due, wait."""
        last = False
        while not last:
            last = self._stopping and not any(thread.is_alive() for thread in self._workers)
            try:
                if self._turn():
                    time.sleep(0.0 if last else _GATHER_S)
                    continue
                wait_s = self._patience_s()
            except StoreUnavailable as error:
                logger.error("nothing is delivered: {}", error.diagnostics())
                wait_s = _AGAIN_S
            except Exception:  # the clerk must not die of one odd row
                logger.exception("the outbox stumbled")
                wait_s = _AGAIN_S
            with self._lock:
                if not last and not self._told:
                    self._news.wait(wait_s)
                self._told = False

    def _turn(self) -> bool:
        """One transaction of the clerk; whether there was anything to do."""
        now = self._clock.now()
        with self._lock:
            ended, self._under_way.ended = self._under_way.ended, []
            unbegun = list(self._under_way.ready) if self._stopping else []
        try:
            outcomes = [self._outcome(delivery, answer, now) for delivery, answer in ended]
            outcomes += [_as_before(delivery, now) for delivery in unbegun]
            begun = []
            for delivery in [] if self._stopping else self._due(now):
                if delivery.expires_at > now:
                    begun.append(replace(delivery, attempts=delivery.attempts + 1))
                else:
                    outcomes.append(self._given_up(delivery, now, _too_late(delivery.reason)))
            self._outbox.settle(outcomes, [delivery.number for delivery in begun], now)
        except BaseException:
            with self._lock:
                self._under_way.ended[:0] = ended
            raise
        self._settled([delivery for delivery, _ in ended], outcomes)
        self._begin(begun, unbegun)
        return bool(outcomes or begun)

    def _due(self, now: datetime) -> list[Delivery]:
        """What is due and has room: no more of one peer than its workers have use for."""
        streams, peers = set(self._under_way.streams), Counter(self._under_way.peers)
        quota, found = _AHEAD * self._policy.per_peer, []
        for _ in range(_LOOKS):
            room = 2 * _AHEAD * self._policy.workers - len(streams)
            if room < self._policy.workers:
                break
            full = [peer for peer, count in peers.items() if count >= quota]
            due, passed = self._outbox.due(now, room, streams, full), False
            for delivery in due:
                if peers[delivery.peer_id] >= quota:
                    passed = True
                    continue
                peers[delivery.peer_id] += 1
                streams.add(delivery.stream)
                found.append(delivery)
            if not passed:
                break
        return found

    def _begin(self, begun: list[Delivery], unbegun: list[Delivery]) -> None:
        """Hand to the workers what is noted as begun, and take back what none will begin."""
        with self._lock:
            for delivery in unbegun:
                self._under_way.ready.remove(delivery)
                self._under_way.release(delivery)
            for delivery in begun:
                self._under_way.streams.add(delivery.stream)
                self._under_way.peers[delivery.peer_id] += 1
                self._under_way.ready.append(delivery)
                self._uncertain.setdefault(delivery.number, delivery.attempts > 1 or delivery.reason is not None)
            self._work.notify_all()

    def _settled(self, ended: list[Delivery], outcomes: list[Outcome]) -> None:
        """Forget what is written down."""
        with self._lock:
            for delivery in ended:
                self._under_way.release(delivery)
        for outcome in outcomes:
            if outcome.state is not DeliveryState.PENDING:
                self._uncertain.pop(outcome.number, None)

    def _patience_s(self) -> float:
        """Real seconds until something comes due."""
        now = self._clock.now()
        due = self._outbox.next_due(now)
        until_s = self._policy.look_every_s if due is None else self._clock.real_seconds(due - now)
        return min(max(until_s, _LEAST_WAIT_S), self._policy.look_every_s)

    def _outcome(self, delivery: Delivery, answer: Answer, now: datetime) -> Outcome:
        """What an answer means; see the head of this module."""
        number, attempts = delivery.number, delivery.attempts
        if isinstance(answer, Refused) and answer.code == DUPLICATE and self._uncertain[number]:
            answer = Acknowledged(remark="the peer had it from an attempt whose answer was lost")
            self._tell(self._on_acknowledged, delivery, answer)
        if isinstance(answer, Acknowledged):
            return Outcome(number, DeliveryState.DELIVERED, now, attempts, answer.remark, answer.signature)
        reason = f"{answer.code}: {answer.message}" if isinstance(answer, Refused) else answer.reason
        if isinstance(answer, Malformed) or (isinstance(answer, Unreached) and answer.sent):
            self._uncertain[number] = True
        if isinstance(answer, Refused) and not answer.retry and not is_callback(delivery.action):
            return self._given_up(delivery, now, reason)
        wait_s = None if isinstance(answer, Unreached) else answer.retry_after
        next_at = self._policy.next_at(now, attempts, delivery.expires_at, wait_s, self._random.random())
        if next_at <= now:
            return self._given_up(delivery, now, _too_late(reason))
        return Outcome(number, DeliveryState.PENDING, next_at, attempts, reason)

    def _given_up(self, delivery: Delivery, now: datetime, reason: str) -> Outcome:
        """A dead letter, and the alert of it; no id of the transaction and nothing of the body is logged."""
        logger.error(
            "{}: {} number {} to {} is a dead letter after {} attempts: {}",
            FAILED,
            delivery.action,
            delivery.number,
            delivery.peer_id,
            delivery.attempts,
            reason.replace(delivery.transaction_id, "(transaction)"),
        )
        ended = replace(delivery, state=DeliveryState.DEAD.value, reason=reason, ended_at=now, next_at=None)
        self._tell(self._on_dead, ended)
        return Outcome(delivery.number, DeliveryState.DEAD, now, delivery.attempts, reason)

    @staticmethod
    def _tell(listener: Callable[..., None] | None, *told: object) -> None:
        """Call a listener; what it raises is logged and keeps nothing from being written."""
        if listener is None:
            return
        try:
            listener(*told)
        except Exception:  # the outcome stands, whoever listens
            logger.exception("the end of a delivery could not be passed on")


def renewed(body: bytes, now: datetime, ttl: timedelta) -> bytes:
    """The message with the present time and ``ttl`` in its context, for sending what has expired once more."""
    message = json.loads(body)
    message["context"] |= {"timestamp": format_utc(now), "ttl": f"PT{ttl.total_seconds():g}S"}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _too_late(reason: str | None) -> str:
    return "its time was over before a first attempt" if reason is None else f"its time is over; at last: {reason}"


def _as_before(delivery: Delivery, now: datetime) -> Outcome:
    """What was noted as begun and was not."""
    at = delivery.next_at or now
    return Outcome(delivery.number, DeliveryState.PENDING, at, delivery.attempts - 1, delivery.reason)
