"""What is owed to peers: stored before it is sent, until it is delivered or a dead letter.

Messages of one stream go out in order. Of each stream only the head, the oldest that is pending, has a ``next_at``; the
others wait without one and get theirs when the head ends, in the same transaction. So finding what is due costs as much
as there is of it, however much is owed in all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from core.errors import Conflict, NotFound
from core.trade import Delivery, Direction
from store.database import Database, hold_lock
from store.rows import columns_of
from store.tables import messages, outbox

LOCK = "outbox"
_CHUNK = 500
_T = TypeVar("_T")


class DeliveryState(StrEnum):
    """What has become of a message that is owed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """its time was over, or the peer refused it for good"""


_PENDING = outbox.c.state == DeliveryState.PENDING.value
_AHEAD = sa.select(outbox.c.number).where(outbox.c.stream == sa.bindparam("of"), _PENDING).limit(1)
_ADD = sa.insert(outbox)
_SETTLE = (
    sa.update(outbox)
    .where(outbox.c.number == sa.bindparam("of"), _PENDING)
    .values(
        state=sa.bindparam("to_state"),
        attempts=sa.bindparam("to_attempts"),
        reason=sa.bindparam("to_reason"),
        next_at=sa.bindparam("to_next"),
        ended_at=sa.bindparam("to_end"),
    )
)

_ITS_ID = sa.select(outbox.c.message_id).where(outbox.c.number == sa.bindparam("of")).scalar_subquery()
_ITS_ACTION = sa.select(outbox.c.action).where(outbox.c.number == sa.bindparam("of")).scalar_subquery()
_SIGN = (
    sa.update(messages)
    .where(
        messages.c.message_id == _ITS_ID,
        messages.c.action == _ITS_ACTION,
        messages.c.direction == Direction.OUT.value,
        messages.c.signature == "",
    )
    .values(signature=sa.bindparam("by"))
)
"""a message whose attempts were not noted one by one was sent with this signature"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt.

    :param number: of the delivery. :param attempts: made so far, this one among them.
    :param at: when it ended; for what stays pending, when it is tried next. :param reason: of the failure.
    :param signature: with which the peer took it, where that is known.
    """

    number: int
    state: DeliveryState
    at: datetime
    attempts: int
    reason: str | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """How much there is, by state.

    :param oldest: when the oldest that is pending was stored; None where nothing is.
    """

    counts: dict[DeliveryState, int]
    oldest: datetime | None

    def seconds(self, now: datetime) -> float:
        """Age of the oldest that is pending, in seconds; 0 where nothing is."""
        return 0.0 if self.oldest is None else max(0.0, (now - self.oldest).total_seconds())


class OutboxRepository:
    """Gives out what is due and keeps what came of it. One process delivers; any may look and replay."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(
        self, now: datetime, limit: int, streams: Collection[str] = (), peers: Collection[str] = ()
    ) -> list[Delivery]:
        """Heads of streams that are due at ``now``, the longest due first; nothing is written.

        :param streams: passed over, because one of their messages is under way. :param peers: passed over likewise.
        """
        waiting = sa.select(outbox).where(_PENDING, outbox.c.next_at <= now)
        query = waiting.order_by(outbox.c.next_at, outbox.c.number).limit(limit)
        for column, passed in ((outbox.c.stream, streams), (outbox.c.peer_id, peers)):
            if passed:
                query = query.where(column.not_in(passed))
        with self._database.reading(snapshot=False) as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def next_due(self, after: datetime) -> datetime | None:
        """The first instant after ``after`` at which something comes due."""
        query = sa.select(outbox.c.next_at).where(_PENDING, outbox.c.next_at > after)
        with self._database.reading(snapshot=False) as connection:
            return connection.execute(query.order_by(outbox.c.next_at).limit(1)).scalar()

    def settle(self, outcomes: Sequence[Outcome], begun: Collection[int], now: datetime) -> None:
        """Keep what came of attempts, and that further ones begin, in one transaction.

        An attempt is counted before it is made: after a crash, the count tells that the peer may have the message.

        :param begun: numbers of the deliveries about to be tried.
        """
        if not outcomes and not begun:
            return
        with self._database.writing() as connection:
            hold_lock(connection, LOCK)
            if outcomes:
                _keep(connection, outcomes, now)
            if begun:
                count = {"attempts": outbox.c.attempts + 1}
                connection.execute(sa.update(outbox).where(outbox.c.number.in_(begun)).values(count))

    def replay(
        self,
        numbers: Collection[int] | None,
        now: datetime,
        expires_at: datetime,
        renew: Callable[[bytes], bytes] = bytes,
    ) -> list[int]:
        """Owe dead letters again, until ``expires_at``; all of them where ``numbers`` is None.

        Each goes back to its place in its stream, before what was stored after it.

        :param renew: makes the body that is sent from the one that was.
        :raises NotFound: there is no such number. :raises Conflict: it is no dead letter; nothing is changed.
        """
        with self._database.writing() as connection:
            hold_lock(connection, LOCK)
            found = _dead(connection, numbers)
            for row in found:
                again = {
                    "state": DeliveryState.PENDING.value,
                    "body": renew(row.body),
                    "expires_at": expires_at,
                    "next_at": None,
                    "attempts": 0,
                    "ended_at": None,
                }
                connection.execute(sa.update(outbox).where(outbox.c.number == row.number).values(again))
            for part in _parts(sorted({row.stream for row in found})):
                heads = _promote(connection, part, now)
                behind = sa.and_(
                    outbox.c.stream.in_(part), outbox.c.number.not_in(heads), outbox.c.next_at.is_not(None)
                )
                connection.execute(sa.update(outbox).where(_PENDING, behind).values(next_at=None))
            return [row.number for row in found]

    def get(self, number: int) -> Delivery:
        """One delivery; :class:`NotFound`."""
        with self._database.reading(snapshot=False) as connection:
            row = connection.execute(sa.select(outbox).where(outbox.c.number == number)).first()
        if row is None:
            raise NotFound(f"nothing with number {number} was ever owed")
        return _delivery(row)

    def listed(self, state: DeliveryState, limit: int, before: int | None = None) -> list[Delivery]:
        """Those in a state, the newest first; ``before`` a number, for the next page."""
        query = sa.select(outbox).where(outbox.c.state == state.value).order_by(outbox.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(outbox.c.number < before)
        with self._database.reading(snapshot=False) as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def owed(self) -> Owed:
        """How much there is, by state, and since when."""
        counting = sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)
        first = sa.select(sa.func.min(outbox.c.created_at)).where(_PENDING)
        with self._database.reading() as connection:
            found = {DeliveryState(state): int(count) for state, count in connection.execute(counting)}
            oldest = connection.execute(first).scalar()
        return Owed({state: found.get(state, 0) for state in DeliveryState}, oldest)


def add(connection: Connection, delivery: Delivery) -> None:
    """Owe a message: due at once where nothing of its stream is pending, else when that has ended."""
    hold_lock(connection, LOCK)
    waits = connection.execute(_AHEAD, {"of": delivery.stream}).first() is not None
    due = replace(delivery, next_at=None if waits else delivery.next_at or delivery.created_at)
    connection.execute(_ADD, columns_of(due, "number"))


def _keep(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write outcomes of attempts to what was pending until now, and let their streams go on."""
    values = [
        {
            "of": outcome.number,
            "to_state": outcome.state.value,
            "to_attempts": outcome.attempts,
            "to_reason": outcome.reason,
            "to_next": outcome.at if outcome.state is DeliveryState.PENDING else None,
            "to_end": None if outcome.state is DeliveryState.PENDING else outcome.at,
        }
        for outcome in outcomes
    ]
    connection.execute(_SETTLE, values)
    signed = [{"of": each.number, "by": each.signature} for each in outcomes if each.signature is not None]
    if signed:
        connection.execute(_SIGN, signed)
    for part in _parts([outcome.number for outcome in outcomes]):
        streams = connection.execute(sa.select(outbox.c.stream).where(outbox.c.number.in_(part)).distinct()).scalars()
        heads = _promote(connection, list(streams), now)
        postponed = {each.number for each in outcomes if each.state is DeliveryState.PENDING} & set(part)
        if behind := postponed - heads:
            connection.execute(sa.update(outbox).where(_PENDING, outbox.c.number.in_(behind)).values(next_at=None))


def _promote(connection: Connection, streams: Sequence[str], now: datetime) -> set[int]:
    """The heads of streams: each comes due at ``now``, unless it has its time already."""
    first = sa.select(sa.func.min(outbox.c.number)).where(_PENDING, outbox.c.stream.in_(streams))
    heads = set(connection.execute(first.group_by(outbox.c.stream)).scalars())
    if heads:
        timeless = sa.and_(outbox.c.number.in_(heads), outbox.c.next_at.is_(None))
        connection.execute(sa.update(outbox).where(timeless).values(next_at=now))
    return heads


def _parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """In parts that fit a statement."""
    for at in range(0, len(items), _CHUNK):
        yield items[at : at + _CHUNK]


def _dead(connection: Connection, numbers: Collection[int] | None) -> list[Row[Any]]:
    """The dead letters named, or all; see :meth:`OutboxRepository.replay` for what it raises."""
    query = sa.select(outbox.c.number, outbox.c.state, outbox.c.stream, outbox.c.body).order_by(outbox.c.number)
    if numbers is None:
        return list(connection.execute(query.where(outbox.c.state == DeliveryState.DEAD.value)))
    found: list[Row[Any]] = []
    wanted = sorted(set(numbers))
    for part in _parts(wanted):
        found += connection.execute(query.where(outbox.c.number.in_(part)))
    if missing := set(wanted) - {row.number for row in found}:
        raise NotFound(f"nothing with number {min(missing)} was ever owed")
    for row in found:
        if row.state != DeliveryState.DEAD.value:
            raise Conflict(f"number {row.number} is {row.state}, no dead letter")
    return found


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**row._asdict())
