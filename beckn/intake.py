"""Where what is accepted becomes durable: on the log first, then in the store.

Each of both costs a sync of the disk. What several threads bring while one is under way shares the next; while some are
stored, the next are recorded.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from audit.group_commit import GroupCommit
from audit.log import AuditLog
from audit.record import Entry
from core.errors import Conflict, Unavailable
from core.trade import Message
from store.messages import MessageRepository


@dataclass(slots=True)
class _Arrived:
    """A message; ``done`` once it was looked at, ``number`` where it was stored."""

    message: Message
    repeatable: bool
    done: bool = False
    number: int | None = None


class Intake:
    """Records and stores messages; for all threads."""

    def __init__(self, messages: MessageRepository, log: AuditLog) -> None:
        self._messages = messages
        self._log = log
        self._group = GroupCommit(threading.Lock(), self._keep)

    def take(self, entry: Entry, message: Message, *, repeatable: bool) -> int:
        """Record and store a message, and answer its number once both are durable.

        :param repeatable: as :meth:`MessageRepository.add` has it.
        :raises Conflict: it is here already. :raises Unavailable: the log or the store takes nothing.
        """
        self._log.append_all([entry])
        arrived = _Arrived(message, repeatable)
        self._group.do(arrived)
        if not arrived.done:
            raise Unavailable("the messages that came together could not be kept", remedy="Send it again.")
        if arrived.number is None:
            raise Conflict(f"message {message.message_id} of {message.peer_id} is here already")
        return arrived.number

    def _keep(self, every: list[_Arrived]) -> None:
        try:
            numbers = self._messages.add_all([(arrived.message, arrived.repeatable) for arrived in every])
        except Conflict:
            numbers = [self._alone(arrived) for arrived in every]
        for arrived, number in zip(every, numbers, strict=True):
            arrived.done, arrived.number = True, number

    def _alone(self, arrived: _Arrived) -> int | None:
        """Store one by itself: of several, another process stored one meanwhile."""
        try:
            return self._messages.add(arrived.message, repeatable=arrived.repeatable)
        except Conflict:
            return None
