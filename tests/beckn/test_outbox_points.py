"""Points 12 and 13: what is owed is delivered or a dead letter, in order, across failures and a kill."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from beckn.outbox import FAILED, Deliverer, Policy, Post, renewed
from beckn.protocol.acknowledgement import Acknowledged, Malformed, Refused
from beckn.signing import Signature
from beckn.transport import Answer, Unreached
from benchmarks.outbox import Task, measure, told
from core.clock import Clock, ManualClock, SystemClock
from core.errors import StoreUnavailable
from core.trade import Delivery
from store.database import Database
from store.outbox import DeliveryState, OutboxRepository
from tests.beckn.peers import Came, Say, a_delivery, acked, nacked, owe, peer_saying, transport
from tests.waiting import eventually

PENDING, DELIVERED, DEAD = DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.DEAD
NOW = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)
QUICK = Policy(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=100), look_every_s=0.2)
SLOW = Policy(first=timedelta(seconds=30), look_every_s=0.05)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'slackwater.db'}")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def outbox(database: Database) -> OutboxRepository:
    return OutboxRepository(database)


@contextmanager
def delivering(
    outbox: OutboxRepository, post: Post, clock: Clock | None = None, policy: Policy = QUICK, **listeners: Any
) -> Iterator[Deliverer]:
    deliverer = Deliverer(outbox, post, clock or SystemClock(), policy, **listeners)
    deliverer.start()
    try:
        yield deliverer
    finally:
        deliverer.stop()


class Scripted:
    """Answers attempts without a network: ``script(delivery, attempt from 0)``."""

    def __init__(self, script: Callable[[Delivery, int], Answer]) -> None:
        self.script = script
        self.tried: list[Delivery] = []
        self.lock = threading.Lock()

    def post(self, delivery: Delivery) -> Answer:
        with self.lock:
            before = sum(each.number == delivery.number for each in self.tried)
            self.tried.append(delivery)
        return self.script(delivery, before)


def ended(outbox: OutboxRepository) -> Callable[[], bool]:
    return lambda: outbox.owed().counts[PENDING] == 0


LOST = Unreached("no answer in time", sent=True)
DUPLICATE = Refused("CTX_MESSAGE_ID_DUPLICATE", "seen", retry=False)


@pytest.mark.parametrize(
    "bad",
    [
        Say(cut=True),
        Say(500, b"", "text/plain"),
        Say(502, b"<html>bad gateway</html>", "text/html"),
        Say(body=b"<html>welcome</html>", kind="text/html"),
        Say(body=b""),
        Say(404, b"no such path", "text/plain"),
        Say(429, b"", headers={"Retry-After": "0"}),
        Say(body=acked("6ef3c1ae-4d0b-4a5c-8f6a-0a4c8f9b1d11")),
        Say(400, nacked("m1", "BIZ_X")),
        Say(401, nacked("m1", "AUT_SIGNATURE_INVALID")),
        Say(500, nacked("m1", "NET_X")),
    ],
)
def test_point_12_a_callback_is_tried_again_after_every_kind_of_failure(
    bad: Say, database: Database, outbox: OutboxRepository
) -> None:
    with peer_saying(lambda came, times: bad if times < 2 else Say()) as peer, transport() as post:
        owe(database, a_delivery(peer.url, message_id="m1"))
        with delivering(outbox, post):
            eventually(ended(outbox))
        assert len(peer.came) == 3
    (kept,) = outbox.listed(DELIVERED, 10)
    assert (kept.attempts, kept.reason) == (3, None)


def test_point_12_a_slow_and_an_absent_peer_are_tried_again(database: Database, outbox: OutboxRepository) -> None:
    held = threading.Event()

    def answer(came: Came, times: int) -> Say:
        return Say(held=held, cut=True) if times == 0 else Say()

    with peer_saying(answer) as peer, transport(timeouts_s=(0.2, 0.2)) as post:
        owe(database, a_delivery(peer.url), a_delivery("http://127.0.0.1:9"))
        with delivering(outbox, post):
            eventually(lambda: outbox.owed().counts[DELIVERED] == 1)
            eventually(lambda: outbox.listed(PENDING, 1)[0].attempts > 2)
        held.set()
    assert outbox.listed(PENDING, 1)[0].reason == "no answer: Connection refused"


def test_point_12_every_attempt_has_a_signature_of_its_own_over_the_same_bytes(
    database: Database, outbox: OutboxRepository
) -> None:
    def answer(came: Came, times: int) -> Say:
        return Say(500, b"") if times < 1 else Say()

    clock = ManualClock(NOW)
    with peer_saying(answer) as peer, transport(clock) as post:
        delivery = a_delivery(peer.url, created_at=NOW)
        owe(database, delivery)
        with delivering(outbox, post, clock):
            eventually(lambda: outbox.listed(PENDING, 1)[0].reason)
            clock.advance(timedelta(seconds=10))
            eventually(ended(outbox))
        signed = [Signature.parse(came.headers["Authorization"]) for came in peer.came]
        assert [came.body for came in peer.came] == [delivery.body] * 2
    assert signed[1].created == signed[0].created + 10
    assert all(signature.answers for signature in signed)


def test_point_12_messages_of_a_contract_arrive_in_order_however_often_they_fail(
    database: Database, outbox: OutboxRepository
) -> None:
    sure: list[str] = []

    def script(delivery: Delivery, times: int) -> Answer:
        if (delivery.number * 7 + times) % 3 == 0:
            return LOST
        sure.append(delivery.message_id)
        return Acknowledged()

    deliveries = [a_delivery("http://x", message_id=f"{n % 4}-{n:03}", stream=f"c{n % 4}") for n in range(60)]
    owe(database, *deliveries)
    with delivering(outbox, Scripted(script)):
        eventually(ended(outbox), 20)
    assert sorted(sure) == sorted(each.message_id for each in deliveries)
    for stream in "0123":
        ours = [each for each in sure if each.startswith(stream)]
        assert ours == sorted(ours)


def test_point_12_one_attempt_of_a_contract_at_a_time(database: Database, outbox: OutboxRepository) -> None:
    running: list[str] = []
    together = []

    def script(delivery: Delivery, times: int) -> Answer:
        running.append(delivery.stream)
        together.append(running.count(delivery.stream))
        time.sleep(0.005)
        running.remove(delivery.stream)
        return Acknowledged()

    owe(database, *(a_delivery("http://x", stream=f"c{n % 3}") for n in range(30)))
    with delivering(outbox, Scripted(script)):
        eventually(ended(outbox))
    assert set(together) == {1}


def test_point_12_a_peer_that_hangs_does_not_hold_up_the_others(database: Database, outbox: OutboxRepository) -> None:
    held = threading.Event()

    def script(delivery: Delivery, times: int) -> Answer:
        if delivery.peer_id == "slow.example.org":
            held.wait(10)
        return Acknowledged()

    owe(database, *(a_delivery("http://x", peer_id="slow.example.org") for _ in range(50)))
    owe(database, *(a_delivery("http://x") for _ in range(20)))
    post = Scripted(script)
    with delivering(outbox, post):
        eventually(lambda: outbox.owed().counts[DELIVERED] == 20)
        assert sum(each.peer_id == "slow.example.org" for each in post.tried) == Policy().per_peer
        held.set()
        eventually(ended(outbox))


def test_point_12_new_work_goes_out_at_once_when_told(database: Database, outbox: OutboxRepository) -> None:
    policy = Policy(look_every_s=60)
    with delivering(outbox, Scripted(lambda delivery, times: Acknowledged()), policy=policy) as deliverer:
        time.sleep(0.1)
        owe(database, a_delivery("http://x"))
        deliverer.wake()
        eventually(ended(outbox), 2)


def test_point_12_what_was_stored_without_a_word_is_found(database: Database, outbox: OutboxRepository) -> None:
    with delivering(outbox, Scripted(lambda delivery, times: Acknowledged())):
        time.sleep(0.05)
        owe(database, a_delivery("http://x"))
        eventually(ended(outbox), 2)


def test_point_12_a_repetition_refused_after_a_lost_answer_is_a_delivery(
    database: Database, outbox: OutboxRepository
) -> None:
    owe(database, a_delivery("http://x"))
    with delivering(outbox, Scripted(lambda delivery, times: DUPLICATE if times else LOST)):
        eventually(ended(outbox))
    (kept,) = outbox.listed(DELIVERED, 10)
    assert "lost" in str(kept.reason)


def test_point_12_a_repetition_refused_after_a_crash_is_a_delivery(
    database: Database, outbox: OutboxRepository
) -> None:
    """The process died when the peer had the message and the note of it was not written."""
    owe(database, a_delivery("http://x"))
    (head,) = outbox.due(datetime.now(UTC), 1)
    outbox.settle([], [head.number], datetime.now(UTC))
    with delivering(outbox, Scripted(lambda delivery, times: DUPLICATE)):
        eventually(ended(outbox))
    assert outbox.owed().counts[DELIVERED] == 1


def test_point_12_a_repetition_refused_at_the_first_attempt_is_a_refusal(
    database: Database, outbox: OutboxRepository
) -> None:
    refused = Refused("BIZ_X", "no", retry=False)
    owe(database, a_delivery("http://x", expires_at=datetime.now(UTC) + timedelta(seconds=0.5)))
    with delivering(outbox, Scripted(lambda delivery, times: DUPLICATE if times else refused)):
        eventually(ended(outbox))
    assert outbox.owed().counts[DEAD] == 1


def test_point_12_stopping_waits_for_attempts_under_way_and_keeps_the_rest(
    database: Database, outbox: OutboxRepository
) -> None:
    begun, held = threading.Event(), threading.Event()
    under_way: list[int] = []

    def script(delivery: Delivery, times: int) -> Answer:
        under_way.append(delivery.number)
        if len(under_way) == 2:
            begun.set()
        held.wait(10)
        return Acknowledged()

    owe(database, *(a_delivery("http://x", peer_id=f"p{n}") for n in range(30)))
    policy = Policy(workers=2)
    deliverer = Deliverer(outbox, Scripted(script), SystemClock(), policy)
    deliverer.start()
    begun.wait(5)
    stopping = threading.Thread(target=deliverer.stop)
    stopping.start()
    time.sleep(0.05)
    assert stopping.is_alive()
    held.set()
    stopping.join(5)
    assert outbox.owed().counts == {PENDING: 28, DELIVERED: 2, DEAD: 0}
    assert {each.attempts for each in outbox.listed(PENDING, 99)} == {0}


def test_point_12_a_store_that_fails_for_a_while_loses_no_outcome(
    database: Database, outbox: OutboxRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beckn.outbox._AGAIN_S", 0.02)
    settle, failures = outbox.settle, iter([False, True, True])

    def failing(*told: Any) -> None:
        if next(failures, False):
            raise StoreUnavailable("the disk is full")
        settle(*told)

    monkeypatch.setattr(outbox, "settle", failing)
    owe(database, a_delivery("http://x"))
    post = Scripted(lambda delivery, times: Acknowledged())
    with delivering(outbox, post):
        eventually(ended(outbox))
    assert len(post.tried) == 1


def test_point_12_an_attempt_that_breaks_here_is_tried_again(database: Database, outbox: OutboxRepository) -> None:
    def script(delivery: Delivery, times: int) -> Answer:
        if times == 0:
            raise StoreUnavailable("the keys cannot be read")
        return Acknowledged()

    owe(database, a_delivery("http://x"))
    with delivering(outbox, Scripted(script)):
        eventually(ended(outbox))
    assert outbox.owed().counts[DELIVERED] == 1


SECONDS = st.floats(0, 700).map(lambda seconds: timedelta(seconds=seconds))


@given(SECONDS, st.integers(1, 10_000), st.none() | st.floats(0, 90_000), st.floats(0, 1, exclude_max=True))
def test_point_12_waits_grow_stay_within_the_time_and_heed_the_peer(
    left: timedelta, attempts: int, asked: float | None, draw: float
) -> None:
    policy = Policy()
    at = policy.next_at(NOW, attempts, NOW + left, asked, draw)
    assert NOW <= at <= NOW + left
    if at < NOW + left:
        assert at - NOW >= timedelta(seconds=asked or 0)
        bound = min(0.5 * 2.0 ** min(attempts - 1, 20), 60.0)
        assert at - NOW <= timedelta(seconds=(asked or 0) + bound) + timedelta(microseconds=2)
    if asked is not None and timedelta(seconds=asked) >= left:
        assert at == NOW + left


def test_point_12_waits_are_drawn_from_a_range_that_doubles() -> None:
    far = NOW + timedelta(days=1)
    widest = [(Policy().next_at(NOW, n, far, None, 0.999999) - NOW).total_seconds() for n in (1, 2, 3, 7, 8, 9, 900)]
    assert widest == pytest.approx([0.5, 1, 2, 32, 60, 60, 60], rel=1e-4)
    assert Policy().next_at(NOW, 5, far, None, 0.0) == NOW


@contextmanager
def alerts() -> Iterator[list[str]]:
    lines: list[str] = []
    handler = logger.add(lines.append, level="ERROR", format="{message}")
    try:
        yield lines
    finally:
        logger.remove(handler)


def test_point_13_what_cannot_be_delivered_in_time_is_a_dead_letter_with_its_reason_and_an_alert(
    database: Database, outbox: OutboxRepository
) -> None:
    clock, dead = ManualClock(NOW), []
    delivery = a_delivery("http://x", created_at=NOW)
    refused = Refused("BIZ_X", f"no such {delivery.transaction_id}", retry=False)
    owe(database, delivery)
    with (
        alerts() as lines,
        delivering(outbox, Scripted(lambda *_: refused), clock, on_dead=dead.append),
    ):
        eventually(lambda: outbox.listed(PENDING, 1)[0].reason)
        clock.advance(timedelta(seconds=59))
        eventually(lambda: outbox.listed(PENDING, 1)[0].attempts > 1)
        clock.advance(timedelta(seconds=2))
        eventually(ended(outbox))
    (kept,) = outbox.listed(DEAD, 10)
    assert kept.reason == f"its time is over; at last: BIZ_X: no such {delivery.transaction_id}"
    assert kept.ended_at is not None
    assert kept.ended_at >= kept.expires_at
    assert [(each.number, each.state, each.reason) for each in dead] == [(kept.number, "dead", kept.reason)]
    (line,) = lines
    assert line.startswith(f"{FAILED}: on_confirm number {kept.number} to grid.example.org")
    assert "BIZ_X: no such (transaction)" in line
    assert delivery.transaction_id not in line
    assert "price" not in line


def test_point_13_nothing_is_tried_after_its_time(database: Database, outbox: OutboxRepository) -> None:
    clock = ManualClock(NOW + timedelta(seconds=60))
    owe(database, a_delivery("http://x", created_at=NOW))
    post = Scripted(lambda *_: Acknowledged())
    with delivering(outbox, post, clock):
        eventually(ended(outbox))
    assert post.tried == []
    assert outbox.listed(DEAD, 1)[0].reason == "its time was over before a first attempt"


@pytest.mark.parametrize(
    ("action", "refusal", "state"),
    [
        ("confirm", Refused("BIZ_X", "no", retry=False), DEAD),
        ("confirm", Refused("NET_OVERLOADED", "not now", retry=True), DELIVERED),
        ("confirm", Malformed("HTTP 502"), DELIVERED),
        ("on_confirm", Refused("BIZ_X", "no", retry=False), DELIVERED),
        ("catalog/on_publish", Refused("SCH_X", "no", retry=False), DELIVERED),
        ("catalog/publish", Refused("SCH_X", "no", retry=False), DEAD),
    ],
)
def test_point_13_a_refusal_of_a_request_is_final_and_that_of_a_callback_is_not(
    action: str, refusal: Answer, state: DeliveryState, database: Database, outbox: OutboxRepository
) -> None:
    owe(database, a_delivery("http://x", action=action))
    with delivering(outbox, Scripted(lambda delivery, times: Acknowledged() if times else refusal)):
        eventually(ended(outbox))
    assert outbox.owed().counts[state] == 1


def test_point_13_a_dead_letter_is_replayed_and_then_delivered(database: Database, outbox: OutboxRepository) -> None:
    clock = ManualClock(NOW + timedelta(seconds=60))
    with peer_saying(lambda came, times: Say()) as peer, transport(clock) as post:
        owe(database, a_delivery(peer.url, created_at=NOW))
        with delivering(outbox, post, clock):
            eventually(ended(outbox))
            ttl = timedelta(seconds=600)
            outbox.replay(None, clock.now(), clock.now() + ttl, lambda body: renewed(body, clock.now(), ttl))
            eventually(lambda: outbox.owed().counts[DELIVERED] == 1)
        (came,) = peer.came
    assert b'"timestamp":"2026-04-01T08:31:00Z","ttl":"PT600S"' in came.body
    assert b'{"price":1.5}' in came.body


def test_point_13_a_listener_that_fails_keeps_nothing_from_ending(database: Database, outbox: OutboxRepository) -> None:
    def listener(*_: object) -> None:
        raise OSError("the log is full")

    owe(database, a_delivery("http://x"), a_delivery("http://x", action="confirm"))

    def script(delivery: Delivery, times: int) -> Answer:
        return Acknowledged() if delivery.action == "on_confirm" else Refused("BIZ_X", "no", retry=False)

    with delivering(outbox, Scripted(script), on_dead=listener, on_acknowledged=listener):
        eventually(ended(outbox))
    assert outbox.owed().counts == {PENDING: 0, DELIVERED: 1, DEAD: 1}


def test_point_13_who_waits_for_an_answer_hears_that_none_follows(database: Database, outbox: OutboxRepository) -> None:
    heard: list[tuple[str, Acknowledged]] = []
    owe(database, a_delivery("http://x", message_id="m1", action="select"))
    answer = Acknowledged(callback=False, code="BIZ_CLOSED", message="closed")
    with delivering(
        outbox,
        Scripted(lambda *_: answer),
        on_acknowledged=lambda delivery, told: heard.append((delivery.message_id, told)),
    ):
        eventually(ended(outbox))
    assert heard == [("m1", answer)]


@pytest.mark.slow
def test_point_12_nothing_is_lost_through_a_failing_peer_and_a_kill(tmp_path: Path) -> None:
    found = measure(Task(callbacks=600), tmp_path)
    assert found.holds, told(found)
    assert 0 < found.killed_at < 600
    assert found.owed.counts == {PENDING: 0, DELIVERED: 600, DEAD: 0}
    assert found.attempts > 800


@pytest.mark.slow
def test_point_13_a_peer_that_never_answers_well_leaves_dead_letters_only(tmp_path: Path) -> None:
    found = measure(Task(callbacks=60, fail=1.0, ttl_s=15.0, kill_at=0.05), tmp_path)
    assert found.holds, told(found)
    assert found.owed.counts[PENDING] == 0
    assert found.owed.counts[DEAD] > 40
