"""Points 10, 29 and 30: nothing is done twice or lost, whatever falls between two steps."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from beckn.protocol.acknowledgement import NO_ID
from core.errors import Unavailable
from core.slots import SLOT
from core.trade import ContractState
from tests.beckn.market import Market, asking, market
from tests.beckn.peers import Say
from tests.beckn.test_flow_points import code
from tests.beckn.test_layer_points import error_of
from tests.house import START
from tests.waiting import eventually

Body = dict[str, Any]


def events(seller: Market, contract_id: str) -> list[str]:
    """What the log says of a contract, in order."""
    records, _ = seller.bench.house.log.records(kind="contract", text=contract_id)
    return [str(record.body["event"]) for record in reversed(records)]


def kept(seller: Market, contract_id: str) -> list[float]:
    """kW that a contract has."""
    held = seller.bench.house.store.bookings.active(START, START + 50 * SLOT)
    return [row.power_kw for row in held if row.contract_id == contract_id]


# 10


def test_point_10_a_repeated_message_is_refused_also_after_a_restart(tmp_path: Path) -> None:
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        transaction_id, contract = buyer.quoted(8, [5])
        context = buyer.context("confirm", transaction_id)
        body = {"context": context, "message": {"contract": contract}}
        assert buyer.post("confirm", body).status == 200
        buyer.callback("on_confirm", context["messageId"])
        other = {"context": context | {"action": "status"}, "message": {"contract": contract}}
        upper = {"context": context | {"messageId": context["messageId"].upper()}, "message": {"contract": contract}}
        for restarted in (False, True):
            if restarted:
                seller.restarted()
                seller.trade.look()
            for action, again in (("confirm", body), ("status", other), ("confirm", upper)):
                reply = buyer.post(action, again)
                assert (reply.status, error_of(reply)["code"]) == (400, "CTX_MESSAGE_ID_DUPLICATE")
        assert kept(seller, contract["id"]) == [5.0]
        assert events(seller, contract["id"]) == ["confirmed"]
        assert len(buyer.received("on_confirm")) == 1


def test_point_10_of_many_at_once_one_is_taken(tmp_path: Path) -> None:
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        transaction_id, contract = buyer.quoted(8, [5])
        context = buyer.context("confirm", transaction_id)
        body = {"context": context, "message": {"contract": contract}}
        start, statuses = threading.Barrier(20), []

        def post() -> None:
            start.wait(10)
            statuses.append(buyer.post("confirm", body).status)

        threads = [threading.Thread(target=post) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(statuses) == {200: 1, 400: 19}
        buyer.callback("on_confirm", context["messageId"])
        assert len(buyer.received("on_confirm")) == 1
        assert kept(seller, contract["id"]) == [5.0]
        records, _ = seller.bench.house.log.records(kind="message", limit=100)
        confirms = [r.body["outcome"] for r in records if r.body["action"] == "confirm"]
        assert Counter(confirms) == {"accepted": 1, "refused": 19}, "the log says of one that it was taken"


# crashes


def _failing(seller: Market, monkeypatch: pytest.MonkeyPatch, times: int, error: Exception) -> None:
    """Let the store fail after the next confirmation was recorded."""
    trading = seller.bench.house.store.trading
    work, left = trading.work, [times]

    @contextmanager
    def failing() -> Any:
        records, _ = seller.bench.house.log.records(kind="contract", limit=1)
        if left[0] and records and sys._getframe(2).f_code.co_name == "_end":
            left[0] -= 1
            raise error
        with work() as step:
            yield step

    monkeypatch.setattr(trading, "work", failing)


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("late", [False, True])
def test_point_10_a_confirmation_that_a_crash_cut_off_is_put_in_force_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool, late: bool
) -> None:
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        transaction_id, contract = buyer.quoted(8, [5])
        if held:
            buyer.ask("init", {"contract": contract}, transaction_id)
        _failing(seller, monkeypatch, 1000, Unavailable("the store is away"))
        context = buyer.send("confirm", {"contract": contract}, transaction_id, ttl="PT60S")
        eventually(lambda: events(seller, contract["id"]) == ["confirmed"])
        seller.bench.house.trade.stop()  # type: ignore[union-attr]
        monkeypatch.undo()
        assert seller.bench.house.store.contracts.get(contract["id"]).state is ContractState.DRAFT
        if late:
            seller.bench.clock.set(START + timedelta(seconds=400))
        seller.restarted()
        seller.bench.tick()
        seller.trade.look()
        told = buyer.callback("on_confirm", context["messageId"])
        assert code(told) is None, told
        assert told["message"]["contract"]["status"]["code"] == "ACTIVE"
        seller.trade.advance()
        assert kept(seller, contract["id"]) == [5.0]
        assert events(seller, contract["id"]) == ["confirmed"]
        assert len(buyer.received("on_confirm")) == 1


def test_point_10_a_store_that_fails_once_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        transaction_id, contract = buyer.quoted(8, [5])
        _failing(seller, monkeypatch, 1, Unavailable("the store is away"))
        assert code(buyer.ask("confirm", {"contract": contract}, transaction_id)) is None
        assert kept(seller, contract["id"]) == [5.0]
        assert events(seller, contract["id"]) == ["confirmed"]


def test_point_10_what_is_given_up_is_not_in_force_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        transaction_id, contract = buyer.quoted(8, [5])
        buyer.ask("init", {"contract": contract}, transaction_id)
        _failing(seller, monkeypatch, 1, ZeroDivisionError("broken"))
        told = buyer.ask("confirm", {"contract": contract}, transaction_id)
        assert code(told) == "NET_INTERNAL_ERROR"
        monkeypatch.undo()
        seller.restarted()
        seller.trade.look()
        assert seller.bench.house.store.contracts.get(contract["id"]).state is ContractState.DRAFT
        assert events(seller, contract["id"]) == ["confirmed", "cancelled"]


def test_point_10_what_was_taken_before_a_restart_is_worked_off_after_it(tmp_path: Path) -> None:
    with market(tmp_path, start=False) as seller:
        buyer = seller.buyer()
        context = buyer.send("select", {"contract": asking(*buyer.offered(), 8, [5])})
        short = buyer.send("select", {"contract": asking(*buyer.offered(), 8, [5])}, ttl="PT10S")
        seller.bench.clock.set(START + timedelta(seconds=11))
        seller.restarted()
        seller.bench.tick()
        seller.trade.look()
        assert code(buyer.callback("on_select", context["messageId"])) is None
        assert code(buyer.callback("on_select", short["messageId"])) == "CTX_TTL_EXPIRED"


# 29


def test_point_29_the_log_tells_of_every_message_and_of_every_step_and_others_do_not(tmp_path: Path) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, level=0, format="{message} {extra} {exception}")
    try:
        with market(tmp_path) as seller:
            logging.getLogger("werkzeug").setLevel(logging.ERROR)
            buyer = seller.buyer()
            transaction_id, contract = buyer.bought(8, [5])
            raw = json.dumps({"context": buyer.context("select", transaction_id), "message": {}}).encode()
            buyer.post("select", raw)
            records, _ = seller.bench.house.log.records(kind="message", limit=100)
            refused = next(record for record in records if record.body["outcome"] == "refused")
            assert refused.body["sha256"] == hashlib.sha256(raw).hexdigest()
            assert refused.body["code"] == "SCH_REQUIRED_FIELD_MISSING"
            assert "signature=" in refused.body["signature"]
            taken = [r for r in reversed(records) if r.body["outcome"] == "accepted"]
            assert [r.body["action"] for r in taken] == ["select", "init", "confirm"]
            assert all(r.trace.beckn_transaction_id == transaction_id for r in taken)
            assert events(seller, contract["id"]) == ["confirmed"]
            stored = seller.bench.house.store.contracts.get(contract["id"])
            promise = seller.bench.house.log.get(stored.log_seq or 0)
            assert promise.kind == "contract"
            assert promise.seq > taken[-1].seq
            assert seller.bench.house.log.verify().ok
    finally:
        logger.remove(sink)
    assert lines
    assert transaction_id not in "".join(lines)


# 30 and bad peers


def test_point_30_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    with market(tmp_path, start=False, beckn_requests_per_second=2) as seller:
        buyer, other = seller.buyer(), seller.buyer(2)

        def post(who: Any, address: str, context: Any = None) -> Any:
            body = {"context": context or who.context("discover"), "message": {"intent": {}}}
            return who.post("discover", body, address=address)

        contexts = [buyer.context("discover") for _ in range(6)]
        replies = [post(buyer, f"192.0.2.{number}", context) for number, context in enumerate(contexts)]
        assert [reply.status for reply in replies] == [200] * 4 + [429] * 2
        assert error_of(replies[-1])["code"] == "NET_OVERLOADED"
        assert int(replies[-1].headers["Retry-After"]) >= 1
        assert json.loads(replies[-1].body)["message"]["messageId"] == contexts[-1]["messageId"]
        assert post(other, "192.0.2.9").status == 200, "another peer is served"
        crowd = [buyer.post("discover", b"{", address="198.51.100.1") for _ in range(6)]
        assert [reply.status for reply in crowd] == [400] * 4 + [429] * 2
        assert {json.loads(reply.body)["message"]["messageId"] for reply in crowd} == {NO_ID}
        assert "Retry-After" in crowd[-1].headers
        _, refusals = seller.bench.house.log.records(kind="message")
        assert refusals == 4 + 1 + 4, "who is turned away leaves no record"


def test_point_12_a_peer_that_answers_badly_does_not_keep_others_waiting(tmp_path: Path) -> None:
    with market(tmp_path) as seller:
        free = threading.Event()
        html, slow, silent, good = (seller.buyer(number) for number in range(1, 5))
        html.answers["on_discover"] = Say(body=b"<html>hello</html>", kind="text/html")
        slow.answers["on_discover"] = Say(held=free)
        silent.answers["on_discover"] = Say(cut=True)
        for bad in (html, slow, silent):
            bad.send("discover", {"intent": {}})
        try:
            assert code(good.ask("discover", {"intent": {}})) is None
        finally:
            free.set()


HOSTILE = ["$[?(@.a", "$" + "[*]" * 500, "$..[?(@.x=~/(a+)+$/)]", "__import__('os')", "$[?(" + "(" * 2000, "$['a'"]


def test_point_25_a_hostile_expression_is_refused_by_callback(tmp_path: Path) -> None:
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        for expression in HOSTILE:
            intent = {"filters": {"type": "jsonpath", "expression": expression}}
            told = buyer.ask("discover", {"intent": intent})
            assert code(told) == "SCH_INVALID_JSONPATH", expression
            assert told["message"] == {"catalogs": []}
