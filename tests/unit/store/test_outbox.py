"""What is owed: given out in order within a stream, counted before it is tried, kept until it ends."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Conflict, NotFound
from core.trade import Delivery
from store.database import Database
from store.messages import MessageRepository
from store.outbox import DeliveryState, OutboxRepository, Outcome, add
from store.tables import outbox
from store.trading import Trading
from tests.unit.store.samples import T0

PENDING, DELIVERED, DEAD = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.DEAD
SECOND = timedelta(seconds=1)


def a_delivery(message_id: str, stream: str = "c1", **changes: Any) -> Delivery:
    facts: dict[str, Any] = {
        "action": "on_confirm",
        "message_id": message_id,
        "transaction_id": f"t-{stream}",
        "peer_id": "grid.example.org",
        "url": "https://grid.example.org/on_confirm",
        "stream": stream,
        "body": b'{"message": "\xc3\xbc"}',
        "created_at": T0,
        "expires_at": T0 + 600 * SECOND,
    }
    return Delivery(**facts | changes)


def owe(database: Database, *deliveries: Delivery) -> OutboxRepository:
    with database.writing() as connection:
        for delivery in deliveries:
            add(connection, delivery)
    return OutboxRepository(database)


def ids(found: list[Delivery]) -> list[str]:
    return [each.message_id for each in found]


def test_what_is_owed_comes_back_as_it_was_stored(database: Database) -> None:
    kept = owe(database, a_delivery("m1", request_signature="abc"))
    (found,) = kept.due(T0, 10)
    assert found == a_delivery("m1", request_signature="abc", next_at=T0, number=found.number)
    assert kept.get(found.number) == found
    with pytest.raises(NotFound, match="404"):
        kept.get(404_404)


def test_only_the_head_of_a_stream_is_given_out(database: Database) -> None:
    kept = owe(database, a_delivery("m1"), a_delivery("m2"), a_delivery("n1", "c2"), a_delivery("m3"))
    first, other = kept.due(T0, 10)
    assert ids([first, other]) == ["m1", "n1"]
    kept.settle([Outcome(first.number, DELIVERED, T0 + SECOND, 1)], [], T0 + SECOND)
    assert ids(kept.due(T0 + SECOND, 10)) == ["n1", "m2"]
    assert kept.get(first.number).ended_at == T0 + SECOND


def test_a_head_that_is_postponed_holds_up_what_is_behind_it(database: Database) -> None:
    kept = owe(database, a_delivery("m1"), a_delivery("m2"))
    (head,) = kept.due(T0, 10)
    kept.settle([Outcome(head.number, PENDING, T0 + 8 * SECOND, 1, "HTTP 500")], [], T0)
    assert kept.due(T0 + 7 * SECOND, 10) == []
    assert kept.next_due(T0) == T0 + 8 * SECOND
    (again,) = kept.due(T0 + 8 * SECOND, 10)
    assert (again.message_id, again.attempts, again.reason) == ("m1", 1, "HTTP 500")


def test_a_dead_letter_lets_the_next_one_through(database: Database) -> None:
    kept = owe(database, a_delivery("m1"), a_delivery("m2"))
    (head,) = kept.due(T0, 10)
    kept.settle([Outcome(head.number, DEAD, T0 + SECOND, 3, "refused")], [], T0 + SECOND)
    assert ids(kept.due(T0 + SECOND, 10)) == ["m2"]
    (dead,) = kept.listed(DEAD, 10)
    assert (dead.message_id, dead.reason, dead.attempts, dead.ended_at) == ("m1", "refused", 3, T0 + SECOND)


def test_an_attempt_is_counted_before_it_is_made(database: Database) -> None:
    kept = owe(database, a_delivery("m1"))
    (head,) = kept.due(T0, 10)
    kept.settle([], [head.number], T0)
    assert kept.get(head.number).attempts == 1
    assert kept.get(head.number).state == "pending"


def test_streams_and_peers_under_way_are_passed_over(database: Database) -> None:
    kept = owe(database, a_delivery("m1"), a_delivery("n1", "c2"), a_delivery("o1", "c3", peer_id="slow.example.org"))
    assert ids(kept.due(T0, 10, streams=["c1"])) == ["n1", "o1"]
    assert ids(kept.due(T0, 10, peers=["slow.example.org"])) == ["m1", "n1"]
    assert ids(kept.due(T0, 1)) == ["m1"]


def test_what_has_ended_does_not_end_again(database: Database) -> None:
    kept = owe(database, a_delivery("m1"))
    (head,) = kept.due(T0, 10)
    kept.settle([Outcome(head.number, DELIVERED, T0, 1)], [], T0)
    kept.settle([Outcome(head.number, DEAD, T0 + SECOND, 2, "late")], [], T0 + SECOND)
    assert kept.get(head.number).state == "delivered"


def test_a_replayed_dead_letter_takes_its_old_place(database: Database) -> None:
    kept = owe(database, a_delivery("m1"), a_delivery("m2"))
    (head,) = kept.due(T0, 10)
    kept.settle([Outcome(head.number, DEAD, T0, 3, "refused")], [], T0)
    later = T0 + 900 * SECOND
    assert kept.replay([head.number], later, later + 60 * SECOND, lambda body: body + b" ") == [head.number]
    (again,) = kept.due(later, 10)
    assert (again.message_id, again.attempts, again.reason, again.ended_at) == ("m1", 0, "refused", None)
    assert (again.expires_at, again.body) == (later + 60 * SECOND, a_delivery("m1").body + b" ")
    kept.settle([Outcome(again.number, DELIVERED, later, 1)], [], later)
    assert ids(kept.due(later, 10)) == ["m2"]


def test_a_message_under_way_when_an_earlier_one_is_replayed_waits_again(database: Database) -> None:
    kept = owe(database, a_delivery("m1"), a_delivery("m2"))
    (head,) = kept.due(T0, 10)
    kept.settle([Outcome(head.number, DEAD, T0, 3, "refused")], [], T0)
    (second,) = kept.due(T0, 10)
    kept.settle([], [second.number], T0)
    kept.replay(None, T0, T0 + 60 * SECOND)
    kept.settle([Outcome(second.number, PENDING, T0 + SECOND, 1, "HTTP 500")], [], T0)
    assert ids(kept.due(T0 + 9 * SECOND, 10)) == ["m1"]


def test_only_dead_letters_are_replayed_and_all_or_none(database: Database) -> None:
    kept = owe(database, a_delivery("m1"), a_delivery("n1", "c2"))
    dead, pending = kept.due(T0, 10)
    kept.settle([Outcome(dead.number, DEAD, T0, 1, "refused")], [], T0)
    with pytest.raises(Conflict, match=f"number {pending.number} is pending"):
        kept.replay([dead.number, pending.number], T0, T0)
    with pytest.raises(NotFound):
        kept.replay([dead.number, 404_404], T0, T0)
    assert kept.get(dead.number).state == "dead"
    assert kept.replay(None, T0, T0 + SECOND) == [dead.number]
    assert kept.replay(None, T0, T0 + SECOND) == []


def test_lists_go_from_the_newest_page_by_page(database: Database) -> None:
    kept = owe(database, *(a_delivery(f"m{number}", f"c{number}") for number in range(5)))
    page = kept.listed(PENDING, 2)
    assert ids(page) == ["m4", "m3"]
    assert ids(kept.listed(PENDING, 9, before=page[-1].number)) == ["m2", "m1", "m0"]
    assert kept.listed(DEAD, 9) == []


def test_counts_and_age(database: Database) -> None:
    kept = OutboxRepository(database)
    assert (kept.owed().counts, kept.owed().seconds(T0)) == ({PENDING: 0, DELIVERED: 0, DEAD: 0}, 0.0)
    owe(database, a_delivery("m1"), a_delivery("n1", "c2", created_at=T0 + SECOND))
    assert kept.owed().counts[PENDING] == 2
    assert kept.owed().seconds(T0 + 30 * SECOND) == 30.0


def test_the_signature_that_the_peer_took_is_kept_with_the_message(database: Database) -> None:
    with Trading(database).work() as work:
        for name in ("m1", "m2", "m3"):
            work.send(a_delivery(name, stream=name))
    kept, found = OutboxRepository(database), MessageRepository(database)
    found.signed("on_confirm", "m2", "noted-before")
    numbers = {each.message_id: each.number for each in kept.due(T0, 10)}
    kept.settle(
        [
            Outcome(numbers["m1"], DELIVERED, T0, 1, signature="taken-1"),
            Outcome(numbers["m2"], DELIVERED, T0, 1, signature="taken-2"),
            Outcome(numbers["m3"], DEAD, T0, 1, "too late"),
        ],
        (),
        T0,
    )
    signatures = {each.message_id: each.signature for each in found.latest(10)}
    assert signatures == {"m1": "taken-1", "m2": "noted-before", "m3": ""}


def test_a_step_that_fails_owes_nothing(database: Database) -> None:
    def step() -> None:
        with database.writing() as connection:
            add(connection, a_delivery("m1"))
            raise RuntimeError("the step fails")

    with pytest.raises(RuntimeError):
        step()
    assert OutboxRepository(database).due(T0, 10) == []


def test_finding_what_is_due_does_not_grow_with_what_waits(database: Database) -> None:
    """Ten thousand behind a few heads: a look costs as much as before."""
    kept = owe(database, *(a_delivery(f"m{number}", f"c{number % 20}") for number in range(40)))
    rows = [asdict(a_delivery(f"b{number}", f"c{number % 20}")) for number in range(10_000)]
    with database.writing() as connection:
        connection.execute(outbox.insert(), [{name: row[name] for name in row if name != "number"} for row in rows])
    began = time.perf_counter()
    for _ in range(20):
        assert len(kept.due(T0, 100)) == 20
    assert (time.perf_counter() - began) / 20 < 0.05


STEPS = st.lists(st.tuples(st.sampled_from(["add", "deliver", "postpone", "kill", "replay"]), st.integers(0, 2)))


@given(STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_every_stream_the_oldest_pending_has_a_time_and_no_other(
    database: Database, steps: list[tuple[str, int]]
) -> None:
    with database.writing() as connection:
        connection.execute(outbox.delete())
    kept = OutboxRepository(database)
    for at, (step, stream) in enumerate(steps):
        now = T0 + at * SECOND
        head = next((each for each in kept.due(now + 99 * SECOND, 10) if each.stream == f"c{stream}"), None)
        if step == "add":
            owe(database, a_delivery(f"m{at}", f"c{stream}"))
        elif step == "replay":
            kept.replay(None, now, now + 60 * SECOND)
        elif head is not None:
            state = {"deliver": DELIVERED, "postpone": PENDING, "kill": DEAD}[step]
            kept.settle([Outcome(head.number, state, now + SECOND, 1, step)], [], now)
        pending = kept.listed(PENDING, 1000)
        for name in {each.stream for each in pending}:
            numbers = {each.number: each.next_at for each in pending if each.stream == name}
            assert [number for number, due in numbers.items() if due is not None] == [min(numbers)]
    assert sum(kept.owed().counts.values()) == sum(step == "add" for step, _ in steps)
