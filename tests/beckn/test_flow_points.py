"""Points 1, 2, 8, 11, 14, 15, 22 and 23: what a buyer is told, in which order, and what may follow what."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from beckn.protocol.actions import TRANSACTIONS
from beckn.signing import BadSignature, Signature
from core.slots import SLOT
from core.trade import ContractState
from tests.beckn.market import Buyer, Market, asking, market
from tests.beckn.test_layer_points import error_of
from tests.house import START

Body = dict[str, Any]


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with market(tmp_path_factory.mktemp("seller"), beckn_support_email="flex@example.org") as found:
        yield found


@pytest.fixture(scope="module")
def buyer(seller: Market) -> Buyer:
    return seller.buyer()


def code(told: Body) -> str | None:
    """Of the error in a callback."""
    error = told.get("error")
    return None if error is None else str(error["code"])


# 1


def test_point_01_every_endpoint_answers_with_its_callback(seller: Market, buyer: Buyer) -> None:
    transaction_id, contract = buyer.quoted(6, [3])
    named = {"contract": {"id": contract["id"], "commitments": contract["commitments"]}}
    rating = {"target": {"id": contract["id"]}, "range": {"min": 1, "max": 5, "value": 4}}
    messages: Body = {
        "discover": {"intent": {}},
        "select": {"contract": asking(*buyer.offered(), 6, [3])},
        "init": {"contract": contract},
        "confirm": {"contract": contract},
        "status": named,
        "track": {"tracking": {"contract": {"id": contract["id"]}}},
        "update": {"contract": contract},
        "rate": {"ratingInputs": [rating]},
        "support": {"support": {"orderId": contract["id"]}},
        "cancel": named,
    }
    assert set(messages) == set(TRANSACTIONS)
    for action, message in messages.items():
        told = buyer.ask(action, message, transaction_id)
        assert code(told) is None, told
        assert told["context"]["action"] == f"on_{action}"
        assert told["message"]
    assert told["message"]["contract"]["status"]["code"] == "CANCELLED"


@pytest.mark.parametrize("status", [202, 409])
def test_point_01_the_catalogue_of_another_is_refused_without_a_callback(tmp_path: Path, status: int) -> None:
    with market(tmp_path, beckn_no_callback_status=status) as found:
        other = found.buyer()
        context = other.context("catalog/publish", bapId=None, bapUri=None, bppId=other.name, bppUri=other.peer.url)
        descriptor = {"name": "n"}
        catalog = {"id": "c", "descriptor": descriptor, "provider": {"id": "p", "descriptor": descriptor}, "offers": []}
        reply = other.post("catalog/publish", {"context": context, "message": {"catalogs": [catalog]}})
        told = json.loads(reply.body)["message"]
        assert (reply.status, told["status"], told["messageId"]) == (status, "ACK", context["messageId"])
        assert told["error"]["code"] == "NET_NOT_IMPLEMENTED"
        other.ask("discover", {"intent": {}})
        assert [came.path for came in other.peer.came] == ["/beckn/on_discover"]
        record = found.bench.house.log.records(kind="message")[0][-1].body
        assert (record["outcome"], record["code"]) == ("refused", "NET_NOT_IMPLEMENTED")


# 2


def test_point_02_the_acknowledgement_does_not_wait_for_the_work(seller: Market, buyer: Buyer) -> None:
    free, held = threading.Event(), threading.Event()

    def hold() -> None:
        with seller.bench.house.loop.plan_lock:
            held.set()
            free.wait(10)

    transaction_id, contract = buyer.quoted(7, [3])
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        context = buyer.send("confirm", {"contract": contract}, transaction_id)
        assert seller.trade.owed == 1
        assert not [b for b in buyer.received("on_confirm") if b["context"]["messageId"] == context["messageId"]]
    finally:
        free.set()
        thread.join()
    told = buyer.callback("on_confirm", context["messageId"])
    assert told["message"]["contract"]["status"]["code"] == "ACTIVE"


# 8


def test_point_08_a_callback_is_bound_to_what_it_answers_and_news_to_nothing(tmp_path: Path) -> None:
    with market(tmp_path) as found:
        buyer = found.buyer()
        buyer.bought(6, [5])
        assert code(buyer.ask("init", {"contract": {"commitments": asking(*buyer.offered(), 6, [5])["commitments"]}}))
        found.bench.at(6)
        found.trade.advance()
        buyer.callback("on_status")
        bound = [Signature.parse(came.headers["Authorization"]) for came in buyer.peer.came]
        assert [each.answers for each in bound] == [True, True, True, True, False]
        for signature, came in zip(bound[:4], buyer.peer.came, strict=False):
            asked = buyer.sent[json.loads(came.body)["context"]["messageId"]].value
            signature.require(came.body, found.public_key, START, asked)
            for other in {sent.value for sent in buyer.sent.values()} - {asked}:
                with pytest.raises(BadSignature):
                    signature.require(came.body, found.public_key, START, other)


# 11


def test_point_11_an_answer_bears_the_ids_of_what_it_answers_and_news_a_fresh_one(tmp_path: Path) -> None:
    with market(tmp_path) as found:
        buyer = found.buyer()
        transaction_id, contract = buyer.bought(6, [5, 4])
        for body in buyer.received():
            assert body["context"]["transactionId"] == transaction_id
            assert body["context"]["messageId"] in buyer.sent
            assert body["context"]["bapUri"] == buyer.peer.url
        found.bench.at(6)
        found.trade.advance()
        told = buyer.callback("on_status")
        assert told["context"]["transactionId"] == transaction_id
        assert told["context"]["messageId"] not in buyer.sent
        assert uuid.UUID(told["context"]["messageId"]).version == 4
        assert told["message"]["contract"]["id"] == contract["id"]


# 14


def test_point_14_a_callback_goes_only_where_the_registry_says(seller: Market, buyer: Buyer) -> None:
    message = {"intent": {}}
    for url in (
        "http://127.0.0.1:1/beckn",
        buyer.peer.url + "/deeper",
        buyer.peer.url.replace("127.0.0.1", "localhost"),
        buyer.peer.url.replace("http:", "https:"),
        buyer.peer.url.replace("127.0.0.1", "user@127.0.0.1"),
    ):
        reply = buyer.post("discover", {"context": buyer.context("discover", bapUri=url), "message": message})
        assert reply.status == 400, url
        assert error_of(reply)["code"].startswith("CTX_")
        assert error_of(reply)["details"]["path"] == "$.context.bapUri"


def test_point_14_an_inner_address_is_refused_even_where_the_registry_has_it(tmp_path: Path) -> None:
    with market(tmp_path, start=False, beckn_private_addresses=False) as found:
        buyer = found.buyer()
        reply = buyer.post("discover", {"context": buyer.context("discover"), "message": {"intent": {}}})
        assert reply.status in {400, 401}, "neither the registry nor the buyer may be called on loopback"
        assert buyer.peer.came == []


# 15


def test_point_15_what_may_not_follow_is_refused(seller: Market, buyer: Buyer) -> None:
    transaction_id, contract = buyer.quoted(8, [2])

    def ask(action: str, message: Body | None = None) -> Body:
        told: Body = buyer.ask(action, message or {"contract": contract}, transaction_id)
        return told

    assert code(ask("update")) == "BIZ_INVALID_STATE_TRANSITION", "nothing is in force yet"
    assert code(ask("init")) is None
    assert code(ask("select", {"contract": asking(*buyer.offered(), 8, [2])})) == "BIZ_INVALID_STATE_TRANSITION"
    confirmed = ask("confirm")
    assert confirmed["message"]["contract"]["status"]["code"] == "ACTIVE"
    before = seller.rows("bookings", "contracts", "reductions")
    assert code(ask("confirm")) == "BIZ_ALREADY_CONFIRMED"
    assert code(ask("init")) == "BIZ_INVALID_STATE_TRANSITION"
    assert code(ask("select", {"contract": asking(*buyer.offered(), 8, [2])})) == "BIZ_INVALID_STATE_TRANSITION"
    assert seller.rows("bookings", "contracts", "reductions") == before, "a second confirmation books nothing"
    assert code(ask("cancel")) is None
    assert code(ask("cancel")) == "BIZ_ALREADY_CANCELLED"
    for action in ("init", "confirm", "update"):
        assert code(ask(action)) == "BIZ_INVALID_STATE_TRANSITION"
    booked = seller.bench.house.store.bookings.active(START, START + 50 * SLOT)
    assert contract["id"] not in {row.contract_id for row in booked}


def test_point_15_a_contract_is_its_buyers_alone(seller: Market, buyer: Buyer) -> None:
    other = seller.buyer(3)
    transaction_id, contract = buyer.quoted(9, [2])
    named = {"contract": contract}
    for action in ("init", "confirm", "status", "cancel", "update"):
        assert code(other.ask(action, named, transaction_id)) == "BIZ_ORDER_NOT_FOUND"
        assert code(other.ask(action, named)) == "BIZ_ORDER_NOT_FOUND"
    assert code(other.ask("track", {"tracking": {"contract": {"id": contract["id"]}}})) == "BIZ_ORDER_NOT_FOUND"
    rating = {"target": {"id": contract["id"]}, "range": {"min": 0, "max": 1, "value": 1}}
    assert code(other.ask("rate", {"ratingInputs": [rating]})) == "BIZ_RATING_TARGET_NOT_FOUND"
    assert code(buyer.ask("status", named, transaction_id)) is None


def test_point_15_two_confirmations_at_once_book_once(seller: Market, buyer: Buyer) -> None:
    transaction_id, contract = buyer.quoted(10, [4])
    sent = [buyer.send("confirm", {"contract": contract}, transaction_id) for _ in range(4)]
    told = [buyer.callback("on_confirm", context["messageId"]) for context in sent]
    assert [code(each) for each in told] == [None, *["BIZ_ALREADY_CONFIRMED"] * 3]
    held = seller.bench.house.store.bookings.active(START, START + 50 * SLOT)
    assert [row.power_kw for row in held if row.contract_id == contract["id"]] == [4.0]


# 22, and the end of a contract


def test_point_22_carbon_is_told_as_planned_and_as_it_came_out_and_settles_nothing(tmp_path: Path) -> None:
    with market(tmp_path) as found:
        buyer = found.buyer()
        transaction_id, contract = buyer.bought(6, [30, 20])
        quoted = contract["commitments"][0]["resources"][0]["resourceAttributes"]
        assert quoted["carbon"]["@type"] == "CarbonWindow"
        assert "carbonOutturn" not in quoted
        settling = {d["payloadType"] for d in quoted["payloadDescriptors"]}
        assert settling == {"CAPACITY_AVAILABLE", "PRICE", "SHORTFALL_PENALTY"}
        found.bench.tick()
        for slot in (7, 9, 9.1):
            found.advance(slot)
        assert len(buyer.received("on_status")) == 3
        last = buyer.received("on_status")[-1]["message"]["contract"]
        assert last["status"]["code"] == "COMPLETE"
        shown = last["commitments"][0]["resources"][0]["resourceAttributes"]
        assert shown["carbon"] == quoted["carbon"], "the figures that were quoted stay as they were"
        assert shown["carbonOutturn"]["intervalPeriod"] == quoted["carbon"]["intervalPeriod"]
        assert set(shown["carbonOutturn"]["kinds"]) <= {"outturn", "estimate", "simulated"}
        flows = last["contractAttributes"]["revenueFlows"]
        assert sum(flow["value"] for flow in flows) == 0
        named = {"contract": contract}
        assert code(buyer.ask("cancel", named, transaction_id)) == "BIZ_INVALID_STATE_TRANSITION"
        assert code(buyer.ask("update", named, transaction_id)) == "BIZ_INVALID_STATE_TRANSITION"
        assert code(buyer.ask("status", named, transaction_id)) is None


# 23

_TABLES = ("bookings", "contracts", "reductions", "jobs", "slot_entries")


def test_point_23_a_trial_changes_nothing_and_shows_what_would_come_of_it(seller: Market, buyer: Buyer) -> None:
    transaction_id, contract = buyer.bought(12, [6, 6])
    less = {**contract, "commitments": asking(*buyer.offered(), 12, [6, 2])["commitments"]}
    before, log = seller.rows(*_TABLES), seller.bench.house.log.records(kind="contract")[1]
    told = buyer.ask("update", {"contract": less}, transaction_id, **{"try": True})
    intervals = told["message"]["contract"]["commitments"][0]["commitmentAttributes"]["intervals"]
    assert [row["payloads"][0]["values"] for row in intervals] == [[6], [2]]
    told = buyer.ask("cancel", {"contract": contract}, transaction_id, **{"try": True})
    assert told["message"]["contract"]["status"]["code"] == "CANCELLED"
    assert seller.rows(*_TABLES) == before
    assert seller.bench.house.log.records(kind="contract")[1] == log
    assert code(buyer.ask("update", {"contract": less}, transaction_id)) is None
    held = seller.bench.house.store.bookings.active(START, START + 50 * SLOT)
    assert [row.power_kw for row in held if row.contract_id == contract["id"]] == [6.0, 2.0]
    more = {**contract, "commitments": asking(*buyer.offered(), 12, [6, 6])["commitments"]}
    assert code(buyer.ask("update", {"contract": more}, transaction_id)) == "BIZ_UPDATE_INCONSISTENT"


def test_point_23_after_the_notice_deadline_nothing_is_taken_back(tmp_path: Path) -> None:
    with market(tmp_path, beckn_notice_minutes=60) as found:
        buyer = found.buyer()
        early, contract = buyer.bought(6, [5])
        late, kept = buyer.bought(7, [5])
        found.bench.clock.set(START + SLOT * 6 - timedelta(hours=1))
        assert code(buyer.ask("cancel", {"contract": contract}, early)) is None
        found.bench.clock.set(START + SLOT * 7 - timedelta(minutes=59, seconds=59))
        for action, refusal in (("cancel", "POL_CANCELLATION_NOT_ALLOWED"), ("update", "POL_UPDATE_NOT_ALLOWED")):
            for tried in (True, False):
                assert code(buyer.ask(action, {"contract": kept}, late, **{"try": tried})) == refusal
        more = {**kept, "commitments": asking(*buyer.offered(), 7, [9])["commitments"]}
        assert code(buyer.ask("update", {"contract": more}, late)) == "POL_UPDATE_NOT_ALLOWED", "POL is before BIZ"
        assert found.bench.house.store.contracts.get(kept["id"]).state is ContractState.ACTIVE
