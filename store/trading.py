"""One transaction over everything that a step of the trade changes: all of it happens, or none.

``with trading.work() as work:`` reads and writes through ``work``; the tables' own modules say how.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.engine import Connection

from core.ledger import Booking
from core.purchases import Purchase, SeenNeed
from core.trade import Contract, Delivery, Direction, Hold, Message, Reduction
from store import bookings, contracts, messages, outbox, purchases, reductions
from store.database import Database, hold_lock


class Work:
    """The step under way; it holds the trade's lock until it ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def contract(self, contract_id: str) -> Contract:
        """One contract; :class:`NotFound`."""
        return contracts.get(self._connection, contract_id)

    def find(self, contract_id: str) -> Contract | None:
        """One contract, where there is one."""
        return contracts.find(self._connection, contract_id)

    def save(self, contract: Contract) -> Contract:
        """Write a contract; :class:`Conflict` where another change came between."""
        return contracts.save(self._connection, contract)

    def drafts_held_by(self, peer_id: str) -> int:
        """How many drafts of a peer hold capacity."""
        return contracts.held_by(self._connection, peer_id)

    def hold_bookings(self, held: Sequence[Booking]) -> None:
        """Keep capacity for a contract; the caller has seen that it is free, under the plan's lock."""
        hold_lock(self._connection, "bookings")
        bookings.hold(self._connection, held)

    def settle_bookings(self, contract_id: str, state: str, log_seq: int | None = None) -> None:
        """Confirm or release the bookings of a contract."""
        bookings.change_of_contract(self._connection, contract_id, state, log_seq)

    def release_bookings(self, booking_ids: Sequence[str]) -> None:
        """Give back some of what a contract holds."""
        bookings.release(self._connection, booking_ids)

    def hold_reductions(self, held: Sequence[Reduction]) -> None:
        """Keep load movable for a contract, as :meth:`hold_bookings`."""
        reductions.add(self._connection, held)

    def put_reductions(self, held: Sequence[Reduction]) -> None:
        """Move away more of what a contract moves away already."""
        reductions.put(self._connection, held)

    def settle_reductions(self, contract_id: str, state: Hold) -> None:
        """Commit or release the reductions of a contract."""
        reductions.change_of_contract(self._connection, contract_id, state)

    def drop_holds(self, contract_id: str) -> None:
        """Forget what a draft held before, so that it may hold anew."""
        bookings.change_of_contract(self._connection, contract_id, "released")
        reductions.drop(self._connection, contract_id)

    def lessen(self, contract_id: str, power_kw: Mapping[tuple[str, datetime], float]) -> None:
        """Give back part of what a contract has: ``power_kw`` by site and half-hour is what is left."""
        for (site_id, starts), left in power_kw.items():
            bookings.lessen(self._connection, contract_id, (site_id, starts), left)
            reductions.lessen(self._connection, contract_id, (site_id, starts), left)

    def release(self, contract_id: str) -> None:
        """Give back all that a contract has."""
        bookings.change_of_contract(self._connection, contract_id, "released")
        reductions.change_of_contract(self._connection, contract_id, Hold.RELEASED)

    def replace_reductions(self, contract_id: str, held: Sequence[Reduction]) -> None:
        """Keep these for a contract and none besides; the caller has seen that they are no more than was kept."""
        reductions.drop(self._connection, contract_id)
        reductions.add(self._connection, held)

    def purchase(self, purchase_id: str) -> Purchase | None:
        """One purchase, where there is one."""
        return purchases.find(self._connection, purchase_id)

    def save_purchase(self, purchase: Purchase) -> Purchase:
        """Write a purchase; :class:`Conflict` where another change came between."""
        return purchases.save(self._connection, purchase)

    def need(self, need_id: str) -> SeenNeed | None:
        """One need, where there is one."""
        return purchases.find_need(self._connection, need_id)

    def save_need(self, need: SeenNeed) -> SeenNeed:
        """Write a need; :class:`Conflict` where another change came between."""
        return purchases.save_need(self._connection, need)

    def contracts_of(self, transaction_id: str) -> list[Contract]:
        """The contracts of a transaction, the oldest first, as this step has left them."""
        return contracts.of_transaction(self._connection, transaction_id)

    def received(self, message: Message, *, repeatable: bool) -> int:
        """Keep a message that came."""
        return messages.add(self._connection, message, repeatable=repeatable)

    def finish(self, message: Message, code: str | None = None, contract_id: str | None = None) -> None:
        """What a message asked for is done, or refused for ``code``."""
        state = "done" if code is None else "refused"
        messages.finish(self._connection, message.number, state, code, contract_id)

    def send(self, delivery: Delivery, contract_id: str | None = None) -> None:
        """Owe a message to a peer."""
        outbox.add(self._connection, delivery)
        messages.add(
            self._connection,
            Message(
                direction=Direction.OUT,
                action=delivery.action,
                message_id=delivery.message_id,
                transaction_id=delivery.transaction_id,
                peer_id=delivery.peer_id,
                at=delivery.created_at,
                signature="",
                body=delivery.body,
                state="sent",
                contract_id=contract_id,
            ),
            repeatable=delivery.action.startswith("on_"),
        )


class Trading:
    """Gives out steps, one at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def work(self) -> Iterator[Work]:
        """A step: committed at the end, undone by an exception."""
        with self._database.writing() as connection:
            hold_lock(connection, "trade")
            yield Work(connection)

    def release_lapsed(self, now: datetime) -> list[str]:
        """Give back what drafts held beyond their time; the ids of the contracts."""
        with self._database.writing() as connection:
            hold_lock(connection, "trade")
            lapsed = bookings.release_lapsed(connection, now) | reductions.release_lapsed(connection, now)
            contracts.let_lapse(connection, now)
            return sorted(lapsed)
