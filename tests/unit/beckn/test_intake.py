"""What comes at once is kept together, each message once, and on the log before it is in the store."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from audit.bodies.trade import MessageBody
from audit.log import AuditLog
from audit.record import Build, Entry
from beckn.intake import Intake
from core.clock import SystemClock
from core.errors import Conflict, StoreUnavailable
from core.trade import Direction, Message
from store.database import Database
from store.messages import MessageRepository
from tests.waiting import eventually


@pytest.fixture
def log(tmp_path: Path) -> Any:
    made = AuditLog.open(tmp_path / "decisions.jsonl", clock=SystemClock(), build=Build("1", "0" * 40, "0" * 64))
    yield made
    made.close()


@pytest.fixture
def messages(tmp_path: Path) -> Any:
    database = Database(f"sqlite:///{tmp_path / 'messages.db'}")
    database.migrate()
    yield MessageRepository(database)
    database.close()


def entry() -> Entry:
    body = MessageBody(
        direction="in",
        action="status",
        peer_id="peer.example.org",
        sha256="0" * 64,
        raw_bytes=2,
        signature=None,
        outcome="accepted",
        code=None,
        detail=None,
    )
    return Entry("message", body, "beckn")


def message(message_id: str) -> Message:
    return Message(
        direction=Direction.IN,
        action="status",
        message_id=message_id,
        transaction_id="t",
        peer_id="peer.example.org",
        at=SystemClock().now(),
        signature="s",
        body=b"{}",
        state="accepted",
    )


def test_what_waits_for_the_disk_is_kept_in_one_transaction(
    log: AuditLog, messages: MessageRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake, threads = Intake(messages, log), list[threading.Thread]()
    outcomes, sizes = list[int | None](), list[int]()
    hold, real = threading.Event(), messages.add_all

    def slow(found: Any) -> Any:
        sizes.append(len(found))
        if len(sizes) == 1:
            hold.wait(10)
        return real(found)

    monkeypatch.setattr(messages, "add_all", slow)

    def take(message_id: str) -> None:
        try:
            outcomes.append(intake.take(entry(), message(message_id), repeatable=False))
        except Conflict:
            outcomes.append(None)

    for number, message_id in enumerate(["first", "a", "b", "a", "c"]):
        threads.append(threading.Thread(target=take, args=(message_id,)))
        threads[-1].start()
        if number == 0:
            eventually(lambda: sizes == [1])
    eventually(lambda: len(intake._group) == 4)
    hold.set()
    for thread in threads:
        thread.join()
    assert sizes == [1, 4]
    assert outcomes.count(None) == 1, "the same message twice in one go is one message"
    assert sorted(each for each in outcomes if each is not None) == [one.number for one in messages.accepted()]
    assert {one.message_id for one in messages.accepted()} == {"first", "a", "b", "c"}
    assert log.records(kind="message", limit=10)[1] == 5


def test_what_the_store_does_not_take_is_not_acknowledged(
    log: AuditLog, messages: MessageRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    intake = Intake(messages, log)
    monkeypatch.setattr(messages, "add_all", down)
    with pytest.raises(StoreUnavailable):
        intake.take(entry(), message("a"), repeatable=False)
    assert messages.accepted() == []


def test_what_another_process_stored_meanwhile_costs_the_others_nothing(
    log: AuditLog, messages: MessageRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clash(_: Any) -> Any:
        raise Conflict("somebody was quicker")

    intake = Intake(messages, log)
    messages.add(message("a"), repeatable=False)
    monkeypatch.setattr(messages, "add_all", clash)
    with pytest.raises(Conflict):
        intake.take(entry(), message("a"), repeatable=False)
    assert intake.take(entry(), message("b"), repeatable=False) == messages.accepted()[-1].number
