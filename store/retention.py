"""What of the trade is removed when it is old: deliveries, messages and drafts of which nothing follows any more.

What is young stands behind what is old in the order of arrival, so that looking ends at the first row that is young,
and costs as much as there is of what is old. A row that is out of order is removed a little later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from core.purchases import PurchaseState
from core.trade import ContractState, Side
from store import bookings as booked
from store import reductions as reduced
from store.database import Database, hold_lock
from store.outbox import LOCK, DeliveryState
from store.tables import bookings, contracts, messages, outbox, purchases, reductions

BATCH = 200
"""rows of a table that one transaction removes: short enough that an acknowledgement can wait for it"""
_WORKED_OFF = ("done", "refused", "sent")
_TERMINAL = [state.value for state in ContractState if state.terminal]
_ENDED = [state.value for state in PurchaseState if state.ended]


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows were removed."""

    deliveries: int
    messages: int
    drafts: int

    def __bool__(self) -> bool:
        return bool(self.deliveries or self.messages or self.drafts)


class Retention:
    """Removes what is old; never a dead letter, what is pending, or a message of a contract that may still change
    or is in dispute.

    While a message is here its id is refused when it comes again. So ``before`` must lie further back than a request
    may hold after it came: :data:`beckn.protocol.context.MOST_TTL` and the few seconds by which clocks may differ.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def remove(self, before: datetime, limit: int = BATCH) -> Removed:
        """Remove up to ``limit`` rows of each table that ended before ``before``, in one transaction."""
        with self._database.writing() as connection:
            hold_lock(connection, "trade")
            hold_lock(connection, LOCK)
            drafts = _remove_drafts(connection, before, limit)
            found = _old_messages(connection, before, limit)
            connection.execute(sa.delete(messages).where(messages.c.number.in_(found)))
            delivered = _old_deliveries(connection, before, limit)
            connection.execute(sa.delete(outbox).where(outbox.c.number.in_(delivered)))
        return Removed(len(delivered), len(found), drafts)


def _remove_drafts(connection: Connection, before: datetime, limit: int) -> int:
    """Drafts of which nothing came, with what they had held once; those of our own purchases end by themselves."""
    held = sa.select(bookings.c.contract_id).where(
        bookings.c.contract_id == contracts.c.contract_id, bookings.c.state.in_(booked.ACTIVE)
    )
    moved = sa.select(reductions.c.contract_id).where(
        reductions.c.contract_id == contracts.c.contract_id, reductions.c.state.in_(reduced.ACTIVE)
    )
    query = sa.select(contracts.c.contract_id).where(
        contracts.c.state == ContractState.DRAFT.value,
        contracts.c.side == Side.PROVIDER.value,
        contracts.c.held_until.is_(None),
        contracts.c.log_seq.is_(None),
        contracts.c.updated_at < before,
        ~held.exists(),
        ~moved.exists(),
        contracts.c.transaction_id.not_in(sa.select(messages.c.transaction_id).where(messages.c.state == "accepted")),
        contracts.c.transaction_id.not_in(_owed()),
    )
    found = connection.execute(query.order_by(contracts.c.number).limit(limit)).scalars().all()
    for table in (bookings, reductions, contracts):
        connection.execute(sa.delete(table).where(table.c.contract_id.in_(found)))
    return len(found)


def _old_messages(connection: Connection, before: datetime, limit: int) -> Sequence[int]:
    """Numbers of messages that nothing needs any more."""
    disputed = contracts.c.document["dispute"].as_string().is_not(None)
    lasting = sa.or_(contracts.c.state.not_in(_TERMINAL), contracts.c.updated_at >= before, disputed)
    of_contract = sa.select(contracts.c.number).where(contracts.c.contract_id == messages.c.contract_id, lasting)
    of_transaction = sa.select(contracts.c.number).where(
        contracts.c.transaction_id == messages.c.transaction_id, lasting
    )
    buying = sa.select(purchases.c.purchase_id).where(purchases.c.state.not_in(_ENDED))
    query = sa.select(messages.c.number).where(
        messages.c.number < _first_young(messages, messages.c.at, before),
        messages.c.state.in_(_WORKED_OFF),
        messages.c.transaction_id.not_in(_owed()),
        messages.c.transaction_id.not_in(buying),
        ~of_contract.exists(),
        ~of_transaction.exists(),
    )
    return connection.execute(query.order_by(messages.c.number).limit(limit)).scalars().all()


def _old_deliveries(connection: Connection, before: datetime, limit: int) -> Sequence[int]:
    """Numbers of what was delivered long ago."""
    query = sa.select(outbox.c.number).where(
        outbox.c.number < _first_young(outbox, outbox.c.created_at, before),
        outbox.c.state == DeliveryState.DELIVERED.value,
        outbox.c.ended_at < before,
    )
    return connection.execute(query.order_by(outbox.c.number).limit(limit)).scalars().all()


def _owed() -> sa.Select[tuple[str]]:
    """Transactions in which something is still to be sent, or may be sent again."""
    states = [DeliveryState.PENDING.value, DeliveryState.DEAD.value]
    return sa.select(outbox.c.transaction_id).where(outbox.c.state.in_(states))


def _first_young(table: sa.Table, at: sa.ColumnElement[datetime], before: datetime) -> sa.ColumnElement[int]:
    """Number of the first row that is not old; beyond all where every row is."""
    first = sa.select(table.c.number).where(at >= before).order_by(table.c.number).limit(1).scalar_subquery()
    return sa.func.coalesce(first, sa.literal(2**62, sa.BigInteger))
