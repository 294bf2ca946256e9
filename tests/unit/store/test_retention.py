"""What is old and done is removed, in batches; what is owed, may be sent again or may still change never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import Conflict
from core.purchases import Purchase, PurchaseState
from core.trade import Contract, ContractState, Direction, Hold, Message, Product, Reduction, Side
from store.contracts import ContractRepository
from store.database import Database
from store.messages import MessageRepository
from store.outbox import DeliveryState, OutboxRepository, Outcome
from store.retention import Removed, Retention
from store.tables import bookings, reductions
from store.trading import Trading
from tests.unit.store.samples import T0, a_booking
from tests.unit.store.test_outbox import a_delivery

DAY = timedelta(days=1)
LATER = T0 + 90 * DAY
PEER = "grid.example.org"


def a_message(message_id: str, transaction_id: str = "t1", **changes: Any) -> Message:
    facts: dict[str, Any] = {
        "direction": Direction.IN,
        "action": "select",
        "message_id": message_id,
        "transaction_id": transaction_id,
        "peer_id": PEER,
        "at": T0,
        "signature": "abc",
        "body": b"{}",
        "state": "done",
    }
    return Message(**facts | changes)


def a_contract(contract_id: str, state: ContractState, **changes: Any) -> Contract:
    facts: dict[str, Any] = {
        "contract_id": contract_id,
        "side": Side.PROVIDER,
        "product": Product.COMPUTE_WINDOW,
        "transaction_id": f"t-{contract_id}",
        "peer_id": PEER,
        "peer_uri": "https://grid.example.org",
        "state": state,
        "starts": T0 + DAY,
        "ends": T0 + 2 * DAY,
        "created_at": T0,
        "updated_at": T0,
    }
    return Contract(**facts | changes)


class Shelf:
    """A database with what tests put into it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.trading, self.outbox = Trading(database), OutboxRepository(database)
        self.messages, self.contracts = MessageRepository(database), ContractRepository(database)

    def put(self, *items: Message | Contract | Purchase) -> None:
        with self.trading.work() as work:
            for item in items:
                if isinstance(item, Message):
                    work.received(item, repeatable=False)
                elif isinstance(item, Contract):
                    work.save(item)
                else:
                    work.save_purchase(item)

    def owe(self, message_id: str, state: DeliveryState, ended: datetime = T0, stream: str = "c1") -> None:
        """A delivery with its message, and what became of it."""
        with self.trading.work() as work:
            work.send(a_delivery(message_id, stream))
        (found,) = [each for each in self.outbox.listed(DeliveryState.PENDING, 100) if each.message_id == message_id]
        if state is not DeliveryState.PENDING:
            self.outbox.settle([Outcome(found.number, state, ended, 1)], [], ended)

    def remove(self, before: datetime = LATER, limit: int = 100) -> Removed:
        return Retention(self.database).remove(before, limit)

    @property
    def ids(self) -> list[str]:
        return sorted(each.message_id for each in self.messages.latest(1000))

    @property
    def deliveries(self) -> list[str]:
        return sorted(each.message_id for state in DeliveryState for each in self.outbox.listed(state, 1000))

    @property
    def drafts(self) -> list[str]:
        return [each.contract_id for each in self.contracts.in_states([ContractState.DRAFT])]


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


@pytest.mark.parametrize(("state", "stays"), [("done", False), ("refused", False), ("accepted", True)])
def test_what_was_worked_off_is_removed_and_what_is_owed_is_not(shelf: Shelf, state: str, stays: bool) -> None:
    shelf.put(a_message("m1", state=state))
    assert shelf.remove() == Removed(0, 0 if stays else 1, 0)
    assert shelf.ids == (["m1"] if stays else [])


def test_what_is_young_stays_and_is_refused_again(shelf: Shelf) -> None:
    shelf.put(a_message("old"), a_message("young", at=LATER), a_message("late", at=LATER - DAY / 86400))
    shelf.remove()
    assert shelf.ids == ["late", "young"], "what is out of order stays until what is before it is old"
    with pytest.raises(Conflict, match="here already"):
        shelf.put(a_message("young"))
    shelf.remove(LATER + DAY)
    assert shelf.ids == []


@pytest.mark.parametrize(
    ("state", "updated", "stays"),
    [
        (ContractState.ACTIVE, T0, True),
        (ContractState.COMPLETE, T0, False),
        (ContractState.CANCELLED, T0, False),
        (ContractState.COMPLETE, LATER, True),
    ],
)
def test_messages_stay_as_long_as_their_contract_may_change_and_a_time_beyond(
    shelf: Shelf, state: ContractState, updated: datetime, stays: bool
) -> None:
    shelf.put(
        a_contract("c1", state, updated_at=updated),
        a_message("by-transaction", "t-c1"),
        a_message("by-contract", "t9", contract_id="c1"),
        a_message("other", "t8"),
    )
    shelf.remove()
    assert shelf.ids == (["by-contract", "by-transaction"] if stays else [])
    assert shelf.contracts.find("c1") is not None, "contracts that were confirmed are never removed"


@pytest.mark.parametrize(("dispute", "stays"), [({"why": "the figures differ"}, True), (None, False)])
def test_messages_of_a_contract_in_dispute_stay(shelf: Shelf, dispute: dict[str, str] | None, stays: bool) -> None:
    complete = a_contract("c1", ContractState.COMPLETE, side=Side.CONSUMER, document={"dispute": dispute})
    shelf.put(complete, a_message("readings", "t-c1", action="on_status"))
    shelf.remove()
    assert shelf.ids == (["readings"] if stays else [])


@pytest.mark.parametrize("state", PurchaseState)
def test_messages_of_a_purchase_stay_until_it_has_ended(shelf: Shelf, state: PurchaseState) -> None:
    shelf.put(Purchase("t1", state, T0, T0, None), a_message("m1"))
    shelf.remove()
    assert shelf.ids == ([] if state.ended else ["m1"])


def test_dead_letters_and_what_is_pending_stay_with_their_messages(shelf: Shelf) -> None:
    shelf.put(a_message("asked", "t-c1"), a_message("asked too", "t-c2"), a_message("done with", "t-c3"))
    shelf.owe("dead", DeliveryState.DEAD, stream="c1")
    shelf.owe("pending", DeliveryState.PENDING, stream="c2")
    shelf.owe("delivered", DeliveryState.DELIVERED, stream="c3")
    shelf.owe("delivered lately", DeliveryState.DELIVERED, LATER, stream="c4")
    assert shelf.remove() == Removed(1, 3, 0)
    assert shelf.deliveries == ["dead", "delivered lately", "pending"]
    assert shelf.ids == ["asked", "asked too", "dead", "pending"]
    assert len(shelf.outbox.replay(None, LATER, LATER + DAY)) == 1


def _held(shelf: Shelf, state: str) -> None:
    with shelf.trading.work() as work:
        work.hold_bookings([replace(a_booking("b1"), state=state, contract_id="c1")])


def _moved(shelf: Shelf, state: Hold) -> None:
    with shelf.trading.work() as work:
        work.hold_reductions([Reduction("c1", "leeds", T0, 10, 5, state)])


STAYS: dict[str, Any] = {
    "its offer may hold": (a_contract("c1", ContractState.DRAFT, updated_at=LATER), None),
    "it holds capacity": (a_contract("c1", ContractState.DRAFT, held_until=T0 + DAY), None),
    "it was recorded": (a_contract("c1", ContractState.DRAFT, log_seq=7), None),
    "it is our own": (a_contract("c1", ContractState.DRAFT, side=Side.CONSUMER), None),
    "it is in force": (a_contract("c1", ContractState.ACTIVE), None),
    "it is booked": (a_contract("c1", ContractState.DRAFT), lambda shelf: _held(shelf, "held")),
    "it moves load": (a_contract("c1", ContractState.DRAFT), lambda shelf: _moved(shelf, Hold.COMMITTED)),
    "it is owed": (a_contract("c1", ContractState.DRAFT), lambda shelf: shelf.owe("m", DeliveryState.PENDING)),
    "it is asked about": (
        a_contract("c1", ContractState.DRAFT),
        lambda shelf: shelf.put(a_message("m", "t-c1", state="accepted")),
    ),
}


@pytest.mark.parametrize("why", STAYS)
def test_a_draft_of_which_something_may_come_stays(shelf: Shelf, why: str) -> None:
    contract, more = STAYS[why]
    shelf.put(contract, a_message("of it", "t-c1"))
    if more is not None:
        more(shelf)
    assert shelf.remove().drafts == 0
    assert shelf.contracts.find("c1") is not None
    assert "of it" in shelf.ids


def test_a_draft_of_which_nothing_came_goes_with_what_it_had_held(shelf: Shelf) -> None:
    shelf.put(a_contract("c1", ContractState.DRAFT), a_message("of it", "t-c1", contract_id="c1"))
    _held(shelf, "released")
    _moved(shelf, Hold.RELEASED)
    with shelf.trading.work() as work:
        work.hold_bookings([a_booking("of nobody")])
    assert shelf.remove() == Removed(0, 1, 1)
    assert shelf.drafts == []
    with shelf.database.reading() as connection:
        assert connection.execute(sa.select(bookings.c.booking_id)).scalars().all() == ["of nobody"]
        assert connection.execute(sa.select(reductions)).all() == []


def test_a_transaction_removes_no_more_than_it_is_told(shelf: Shelf) -> None:
    for number in range(5):
        shelf.put(a_message(f"m{number}"), a_contract(f"d{number}", ContractState.DRAFT))
        shelf.owe(f"o{number}", DeliveryState.DELIVERED)
    found = [shelf.remove(limit=3) for _ in range(5)]
    assert found == [Removed(3, 3, 3), Removed(2, 3, 2), Removed(0, 3, 0), Removed(0, 1, 0), Removed(0, 0, 0)]
    assert (shelf.ids, shelf.deliveries, shelf.drafts) == ([], [], [])
    assert not found[-1]
