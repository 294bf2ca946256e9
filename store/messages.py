"""Messages of the protocol: what came and what went, each kept once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from core.errors import Conflict
from core.trade import Direction, Message
from store.database import Database
from store.rows import columns_of
from store.tables import messages

_ADD = sa.insert(messages)
_KNOWN = sa.select(messages.c.number).where(messages.c.once == sa.bindparam("of")).limit(1)
_FROM = sa.and_(
    messages.c.direction == Direction.IN.value,
    messages.c.message_id == sa.bindparam("of"),
    messages.c.peer_id == sa.bindparam("by"),
)
_CAME = sa.select(messages.c.number).where(_FROM, messages.c.action == sa.bindparam("action")).limit(1)
_REQUESTED = sa.select(messages.c.number).where(_FROM, messages.c.action.not_like("on_%")).limit(1)


class MessageRepository:
    """Keeps messages in order of arrival."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, message: Message, *, repeatable: bool) -> int:
        """Keep a message and answer its number.

        :param repeatable: other messages with the same id may follow (callbacks); byte by byte the same one may not.
        :raises Conflict: it is here already; nothing was stored.
        """
        with self._database.writing() as connection:
            return add(connection, message, repeatable=repeatable)

    def add_all(self, found: Sequence[tuple[Message, bool]]) -> list[int | None]:
        """Keep messages, each with whether it is repeatable, in one urgent transaction; None for what is here already.

        :raises Conflict: another process stored one of them meanwhile; nothing was stored.
        """
        with self._database.writing(urgent=True) as connection:
            return [_added(connection, message, repeatable=repeatable) for message, repeatable in found]

    def known(self, message: Message, *, repeatable: bool) -> bool:
        """Whether it is here already."""
        with self._database.reading(snapshot=False) as connection:
            return connection.execute(_KNOWN, {"of": _once(message, repeatable=repeatable)}).first() is not None

    def received(self, action: str, message_id: str, peer_id: str, *, any_action: bool) -> bool:
        """Whether a message with this id came from a peer, of the same action or of any request."""
        asked = {"of": message_id, "by": peer_id} | ({} if any_action else {"action": action})
        with self._database.reading(snapshot=False) as connection:
            return connection.execute(_REQUESTED if any_action else _CAME, asked).first() is not None

    def accepted(self, after: int = 0, limit: int = 1000) -> list[Message]:
        """Those whose work is owed, the oldest first."""
        return self._all(
            sa.and_(messages.c.state == "accepted", messages.c.number > after), messages.c.number, limit=limit
        )

    def of_contract(self, contract_id: str) -> list[Message]:
        """Those about one contract, the oldest first."""
        return self._all(messages.c.contract_id == contract_id, messages.c.number)

    def of_transaction(self, transaction_id: str) -> list[Message]:
        """Those of one transaction, the oldest first."""
        return self._all(messages.c.transaction_id == transaction_id, messages.c.number)

    def latest(self, limit: int) -> list[Message]:
        """The newest first."""
        return self._all(sa.true(), messages.c.number.desc(), limit=limit)

    def sent(self, action: str, message_id: str) -> Message | None:
        """The request of ours that a callback answers, where there is one."""
        ours = sa.and_(
            messages.c.direction == Direction.OUT.value,
            messages.c.action == action,
            messages.c.message_id == message_id,
        )
        found = self._all(ours, messages.c.number, limit=1)
        return found[0] if found else None

    def signed(self, action: str, message_id: str, signature: str) -> None:
        """Remember one more signature with which a message of ours was sent: an answer is bound to one of them."""
        ours = sa.and_(
            messages.c.direction == Direction.OUT.value,
            messages.c.action == action,
            messages.c.message_id == message_id,
        )
        signatures = sa.func.trim(messages.c.signature + " " + signature)
        with self._database.writing() as connection:
            connection.execute(sa.update(messages).where(ours).values(signature=signatures))

    def _all(
        self, condition: sa.ColumnElement[bool], order: sa.ColumnElement[Any], limit: int | None = None
    ) -> list[Message]:
        with self._database.reading(snapshot=False) as connection:
            rows = connection.execute(sa.select(messages).where(condition).order_by(order).limit(limit))
            return [_message(row) for row in rows]


def add(connection: Connection, message: Message, *, repeatable: bool) -> int:
    """Keep a message; see :meth:`MessageRepository.add`."""
    number = _added(connection, message, repeatable=repeatable)
    if number is None:
        raise Conflict(f"message {message.message_id} of {message.peer_id} is here already")
    return number


def _added(connection: Connection, message: Message, *, repeatable: bool) -> int | None:
    """Keep a message; None where it is here already."""
    once = _once(message, repeatable=repeatable)
    if connection.execute(_KNOWN, {"of": once}).first() is not None:
        return None
    key = connection.execute(_ADD, columns_of(message, "number") | {"once": once}).inserted_primary_key
    return int(key[0]) if key is not None else 0


def finish(connection: Connection, number: int, state: str, code: str | None, contract_id: str | None) -> None:
    """The work of a message is done."""
    values: dict[str, Any] = {"state": state, "code": code}
    if contract_id is not None:
        values["contract_id"] = contract_id
    connection.execute(sa.update(messages).where(messages.c.number == number).values(values))


def _once(message: Message, *, repeatable: bool) -> str:
    """The key by which a repetition collides."""
    parts = [message.direction.value, message.peer_id, message.message_id]
    if repeatable:
        parts += [message.action, hashlib.sha256(message.body).hexdigest()]
    return "|".join(parts)


def _message(row: Row[Any]) -> Message:
    return Message(
        direction=Direction(row.direction),
        action=row.action,
        message_id=row.message_id,
        transaction_id=row.transaction_id,
        peer_id=row.peer_id,
        at=row.at,
        signature=row.signature,
        body=row.body,
        state=row.state,
        contract_id=row.contract_id,
        code=row.code,
        number=row.number,
    )
