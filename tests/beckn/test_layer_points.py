"""Points 3 to 8: what is answered at once, layer by layer, before anything is worked off."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from beckn.protocol.actions import CALLBACKS, TRANSACTIONS
from beckn.protocol.body import MOST_BYTES
from beckn.protocol.faults import Fault
from beckn.reception import Reply
from core.slots import format_utc
from tests.beckn.market import SELLER, Buyer, Market, asking, market
from tests.beckn.peers import Say
from tests.beckn.registries import signer
from tests.waiting import eventually

Body = dict[str, Any]
Change = Callable[[Body], object]


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with market(tmp_path_factory.mktemp("seller"), start=False) as found:
        yield found


@pytest.fixture(scope="module")
def buyer(seller: Market) -> Buyer:
    return seller.buyer()


@pytest.fixture
def select(buyer: Buyer) -> Body:
    """A message that is taken."""
    return {"context": buyer.context("select"), "message": {"contract": asking(*buyer.offered(), 6, [10])}}


def error_of(reply: Reply) -> Body:
    told = json.loads(reply.body)["message"]
    assert told["status"] == "NACK"
    return dict(told["error"])


def refused(buyer: Buyer, body: Body, action: str = "select") -> tuple[int, str, str | None]:
    """Status, code and path; the message was not kept, and the refusal names the message."""
    reply = buyer.post(action, body)
    error = error_of(reply)
    told = body["context"].get("messageId") if isinstance(body.get("context"), dict) else None
    if isinstance(told, str) and len(told) == 36 and told.count("-") == 4:
        assert json.loads(reply.body)["message"]["messageId"] == told
    return reply.status, error["code"], error.get("details", {}).get("path")


def in_context(**changes: Any) -> Change:
    def change(body: Body) -> None:
        body["context"] = {k: v for k, v in (body["context"] | changes).items() if v is not None}

    return change


def at(path: str, value: Any) -> Change:
    """Set one field of a message; a path such as ``message.contract.commitments.0.offer``."""

    def change(body: Body) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        found: Any = body
        for step in steps:
            found = found[step]
        found[last] = value

    return change


# 3


def test_point_03_acknowledgements_are_flat(buyer: Buyer, select: Body) -> None:
    reply = buyer.post("select", select)
    message_id = select["context"]["messageId"]
    assert (reply.status, json.loads(reply.body)) == (200, {"message": {"status": "ACK", "messageId": message_id}})
    refusal = buyer.post("select", select)
    told = json.loads(refusal.body)
    assert set(told) == {"message"}
    assert set(told["message"]) == {"status", "messageId", "error"}
    assert set(told["message"]["error"]) == {"code", "message", "details"}


@pytest.mark.parametrize("version", ["1.1.0", "1.1.1", "0.9.4"])
def test_point_03_a_message_of_version_1_is_answered_in_its_own_way(seller: Market, buyer: Buyer, version: str) -> None:
    body = {"context": {"version": version, "action": "select", "message_id": str(uuid.uuid4())}, "message": {}}
    raw = json.dumps(body).encode()
    reply = seller.trade.reception.receive("select", raw, buyer.signer.sign(raw, buyer.clock.now()).header(), "::1")
    told = json.loads(reply.body)
    assert told["message"] == {"ack": {"status": "NACK"}}
    assert told["error"]["code"] == "CTX_VERSION_UNSUPPORTED"


# 4 and 5

OTHER = "11111111-2222-4333-8444-555555555555"
CONTEXTS = [
    (in_context(action="init"), "CTX_ACTION_MISMATCH", "action"),
    (in_context(action="on_select"), "CTX_ACTION_MISMATCH", "action"),
    (in_context(version="2.1.0"), "CTX_VERSION_UNSUPPORTED", "version"),
    (in_context(version=2.0), "CTX_INVALID_FIELD", "version"),
    *(
        (in_context(**{name: None}), "CTX_MISSING_FIELD", name)
        for name in (
            *("version", "action", "transactionId", "messageId", "timestamp"),
            *("bapId", "bapUri", "bppId", "bppUri"),
        )
    ),
    *(
        (in_context(**{name: told}), "CTX_INVALID_FIELD", name)
        for name in ("transactionId", "messageId")
        for told in ("7", OTHER[:-1], OTHER.replace("-", ""), f"{{{OTHER}}}", 7, [OTHER], f"{OTHER}\n")
    ),
    *(
        (in_context(timestamp=told), "CTX_INVALID_FIELD", "timestamp")
        for told in (
            *("2023-03-01", "2023-03-01T00:00:00", "2023-03-01 00:00:00Z", "2023-02-30T00:00:00Z", 1677628800),
            *("2023-03-01T00:00:60Z", "2023-03-01T25:00:00Z", "2023-03-01T00:00:06Z", "2023-03-01T00:00:00+25:00"),
        )
    ),
    *(
        (in_context(ttl=told), "CTX_INVALID_FIELD", "ttl")
        for told in ("30", "30S", "P", "PT", "PT-5S", "P1M", "P1Y", "PT0S", "P32D", 30, "PT" + "9" * 60 + "S")
    ),
    (in_context(timestamp="2023-02-28T23:59:00Z", ttl="PT60S"), "CTX_TTL_EXPIRED", "ttl"),
    (in_context(timestamp="2023-02-28T23:59:00Z", ttl="PT30S"), "CTX_TTL_EXPIRED", "ttl"),
    (in_context(bapUri="gopher://a"), "CTX_INVALID_FIELD", "bapUri"),
    (in_context(bapUri="http://[::1"), "CTX_INVALID_FIELD", "bapUri"),
    (in_context(bapId="a b"), "CTX_INVALID_FIELD", "bapId"),
    (in_context(bppId="another.example.org"), "CTX_INVALID_FIELD", "bppId"),
    (in_context(**{"try": True}), "CTX_INVALID_FIELD", "try"),
    (in_context(**{"try": "yes"}), "CTX_INVALID_FIELD", "try"),
]


@pytest.mark.parametrize(("change", "code", "field"), CONTEXTS)
def test_point_04_what_is_wrong_with_a_context_is_named(
    buyer: Buyer, select: Body, change: Change, code: str, field: str
) -> None:
    change(select)
    assert refused(buyer, select) == (400, code, f"$.context.{field}")


def test_point_04_a_message_without_a_context_is_refused(buyer: Buyer, select: Body) -> None:
    for context in (None, [], "context", 7):
        assert refused(buyer, {**select, "context": context}) == (400, "CTX_MISSING_FIELD", "$.context")
    assert refused(buyer, {"message": {}}) == (400, "CTX_MISSING_FIELD", "$.context")


def test_point_04_there_are_no_other_actions(buyer: Buyer, select: Body) -> None:
    for action in ("search", "catalog/push", "rating", "select/../init", "x" * 5000):
        assert refused(buyer, select, action)[:2] == (400, "NET_NOT_IMPLEMENTED")


@pytest.mark.parametrize(
    "change",
    [
        in_context(timestamp="2023-03-01T00:00:05Z"),
        in_context(timestamp="2023-03-01T05:30:00.123456789+05:30"),
        in_context(timestamp="2023-02-28T23:59:00Z", ttl="PT61S"),
        in_context(timestamp="2023-02-01T00:00:00Z", ttl=None),
        in_context(ttl="P1DT12H"),
        in_context(ttl="PT0.5S"),
    ],
)
def test_point_05_times_of_every_form_are_read(buyer: Buyer, select: Body, change: Change) -> None:
    change(select)
    assert buyer.post("select", select).status == 200


# 6

_COMMITMENT = "message.contract.commitments.0"
FAULTS: list[tuple[str, Change]] = [
    ("CTX_TTL_EXPIRED", in_context(timestamp="2023-02-28T23:00:00Z", ttl="PT30S")),
    ("AUT_SIGNATURE_INVALID", lambda body: None),
    ("CTX_INVALID_BPP_URI", in_context(bapUri="https://elsewhere.example.org/beckn")),
    ("SCH_FIELD_NOT_ALLOWED", at("message.contract.colour", "red")),
    ("SCH_INVALID_JSONLD_CONTEXT", at(f"{_COMMITMENT}.commitmentAttributes.@context", "https://evil.example/c.jsonld")),
]


@pytest.mark.parametrize("first", range(len(FAULTS)))
@pytest.mark.parametrize("second", range(len(FAULTS)))
def test_point_06_the_first_layer_that_finds_a_fault_ends_it(
    buyer: Buyer, select: Body, first: int, second: int
) -> None:
    if first > second:
        return
    for number in {first, second}:
        FAULTS[number][1](select)
    raw = json.dumps(select).encode()
    forged = 1 in {first, second}
    header = buyer.signer.sign(raw + b" " if forged else raw, buyer.clock.now()).header()
    code = error_of(buyer.post("select", raw, header))["code"]
    expected = FAULTS[first][0]
    assert code == expected or (expected == "CTX_INVALID_BPP_URI" and code.startswith("CTX_"))


def test_point_06_a_fault_of_business_is_told_by_callback_only(seller: Market, buyer: Buyer, select: Body) -> None:
    at(f"{_COMMITMENT}.resources.0.id", "compute-window.nowhere")(select)
    assert buyer.post("select", select).status == 200


# 7


def test_point_07_a_bad_signature_is_refused_with_the_way_to_sign(buyer: Buyer, select: Body) -> None:
    raw, now = json.dumps(select).encode(), buyer.clock.now()
    good = buyer.signer.sign(raw, now).header()
    rogue = signer(99, buyer.name)
    unknown = signer(1, buyer.name, "key-2")
    bad = [
        (raw.replace(b"10", b"11", 1), good, "AUT_SIGNATURE_INVALID"),
        (raw, buyer.signer.sign(raw, now - timedelta(seconds=300)).header(), "AUT_SIGNATURE_INVALID"),
        (raw, buyer.signer.sign(raw, now + timedelta(seconds=6)).header(), "AUT_SIGNATURE_INVALID"),
        (raw, rogue.sign(raw, now).header(), "AUT_SIGNATURE_INVALID"),
        (raw, unknown.sign(raw, now).header(), "AUT_KEY_NOT_FOUND"),
        (raw, "", "AUT_SIGNATURE_MISSING"),
        (raw, "Bearer abc", "AUT_SIGNATURE_INVALID"),
        (raw, good.replace("ed25519", "rsa-sha256"), "AUT_SIGNATURE_INVALID"),
        (raw, buyer.signer.sign(raw, now, "c2lnbmF0dXJl").header(), "AUT_SIGNATURE_INVALID"),
    ]
    for body, header, code in bad:
        reply = buyer.post("select", body, header)
        assert (reply.status, error_of(reply)["code"]) == (401, code), header
        assert reply.headers["WWW-Authenticate"] == (f'Signature realm="{SELLER}",headers="(created) (expires) digest"')
    assert buyer.post("select", raw, buyer.signer.sign(raw, now + timedelta(seconds=5)).header()).status == 200


def test_point_07_nobody_speaks_for_another(seller: Market, buyer: Buyer, select: Body) -> None:
    other = seller.buyer(2)
    reply = other.post("select", select)
    assert (reply.status, error_of(reply)["code"]) == (401, "AUT_UNAUTHORIZED_ACTION")
    assert "WWW-Authenticate" in reply.headers
    assert buyer.post("select", select).status == 200, "the id was not used up by another"


# 8


@pytest.mark.parametrize("action", [*TRANSACTIONS, *CALLBACKS, "catalog/publish", "catalog/on_publish", "nothing"])
def test_point_08_every_answer_is_signed_and_bound_to_what_it_answers(buyer: Buyer, action: str) -> None:
    context = buyer.context(action)
    for body in ({"context": context, "message": {}}, b"", b"{", b"[]", b"\xff"):
        reply = buyer.post(action, body)
        assert reply.status in {400, 401}
        assert set(reply.headers) >= {"Signature"}


def test_point_08_the_signature_of_a_peers_acknowledgement_is_looked_at(tmp_path: Path) -> None:
    with market(tmp_path) as found:
        buyer = found.buyer()
        buyer.answers["on_discover"] = Say(headers={"Signature": 'Signature keyId="x"'})
        buyer.ask("discover", {"intent": {}})
        buyer.ask("support", {"support": {"orderId": "o-1"}})

        def remarks() -> list[str]:
            records, _ = found.bench.house.log.records(kind="message")
            return [str(r.body["detail"]) for r in reversed(records) if r.body["outcome"] == "delivered"]

        eventually(lambda: len(remarks()) == 2)
        first, second = remarks()
        assert first.startswith("AUT_SIGNATURE_INVALID")
        assert second.startswith("AUT_SIGNATURE_MISSING")


# bad input


CLOSED = [
    ("select", "colour"),
    ("select", "message.colour"),
    ("select", "message.contract.colour"),
    ("select", "message.contract.status.colour"),
    ("select", f"{_COMMITMENT}.status.descriptor.colour"),
    ("select", f"{_COMMITMENT}.resources.0.descriptor.colour"),
    ("select", f"{_COMMITMENT}.offer.validity.colour"),
    ("discover", "message.colour"),
    ("discover", "message.intent.colour"),
    ("support", "message.support.colour"),
    ("track", "message.colour"),
    ("rate", "message.ratingInputs.0.colour"),
]


@pytest.mark.parametrize(("action", "path"), CLOSED)
def test_point_06_unknown_fields_are_refused_where_the_specification_closes_an_object(
    buyer: Buyer, select: Body, action: str, path: str
) -> None:
    messages: Body = {
        "discover": {"intent": {}},
        "support": {"support": {"orderId": "o"}},
        "track": {"tracking": {}},
        "rate": {"ratingInputs": [{"target": {"id": "x"}, "range": {"min": 0, "max": 5, "value": 1}}]},
    }
    body = select if action == "select" else {"context": buyer.context(action), "message": messages[action]}
    if action == "select":
        commitment = body["message"]["contract"]["commitments"][0]
        commitment["resources"][0]["descriptor"] = {"name": "n"}
        commitment["offer"]["validity"] = {"startDate": format_utc(buyer.clock.now())}
    assert buyer.post(action, copy.deepcopy(body)).status == 200
    in_context(messageId=str(uuid.uuid4()))(body)
    at(path, 1)(body)
    status, code, where = refused(buyer, body, action)
    assert (status, code) == (400, "SCH_FIELD_NOT_ALLOWED")
    steps = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path.split("."))
    assert where == f"${steps}"


HOSTILE = [
    b"",
    b"null",
    b"[" * 1000 + b"]" * 1000,
    b'{"context":' * 100_000,
    b'{"a":1,"a":2}',
    b'{"a":1e999}',
    b'{"a":-1e400}',
    b'{"a":NaN}',
    b'{"a":' + b"9" * 5000 + b"}",
    b'{"a":"\\u0000"}',
    b'{"a":"\\ud800"}',
    b"\xff\xfe{",
    b" " * (5 * 1024 * 1024),
    b'{"a":"' + b"x" * MOST_BYTES + b'"}',
    b'{"a":[' + b"1," * 250_000 + b"1]}",
]


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_point_30_a_body_beyond_bounds_is_no_message(buyer: Buyer, raw: bytes) -> None:
    reply = buyer.post("select", raw)
    assert (reply.status, error_of(reply)["code"]) == (400, "SCH_INVALID_JSON")
    assert len(reply.body) < 1000


def test_point_30_errors_have_at_most_three_links() -> None:
    cause: Body = {"code": "E9", "message": "the last"}
    for number in range(8, 0, -1):
        cause = {"code": f"E{number}", "message": "m" * 5000, "details": {"cause": cause}}
    error = Fault("NET_INTERNAL_ERROR", "m" * 5000, cause=cause).error()
    depth, link = 0, error
    while link is not None:
        depth += 1
        assert len(link["message"]) <= 500
        link = link.get("details", {}).get("cause")
    assert depth == 3


def test_point_06_a_request_is_not_an_error(buyer: Buyer, select: Body) -> None:
    for message in ({}, None):
        body = {"context": buyer.context("select"), "error": {"code": "BIZ_X", "message": "no"}, "message": message}
        assert refused(buyer, body)[:2][0] == 400
    body.pop("message")
    assert refused(buyer, body)[:2] == (400, "SCH_REQUIRED_FIELD_MISSING")


def test_point_06_an_offer_in_a_commitment_names_its_resources(buyer: Buyer, select: Body) -> None:
    del select["message"]["contract"]["commitments"][0]["offer"]["resourceIds"]
    path = "$.message.contract.commitments[0].offer.resourceIds"
    assert refused(buyer, select) == (400, "SCH_REQUIRED_FIELD_MISSING", path)


def test_what_nobody_signed_does_not_slow_the_work_on_what_was_taken(tmp_path: Path) -> None:
    with market(tmp_path / "var", start=False) as made:
        buyer = made.buyer()
        arrivals = made.trade.reception._limits.arrivals
        body = {"context": buyer.context("discover"), "message": {"intent": {}}}
        junk = made.trade.reception.receive("discover", json.dumps(body).encode(), None, "127.0.0.1")
        assert (junk.status, arrivals.busy) == (401, False)
        assert buyer.post("discover", body).status == 200
        assert arrivals.busy
