"""Point 6: whatever is wrong with a message, in any layers at once, the first layer alone is told of."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.beckn.market import Buyer, Market, asking, market
from tests.beckn.registries import signer
from tests.beckn.test_flow_points import code
from tests.beckn.test_layer_points import Body, Change, at, error_of, in_context
from tests.waiting import eventually


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with market(tmp_path_factory.mktemp("seller")) as found:
        yield found


@pytest.fixture(scope="module")
def buyer(seller: Market) -> Buyer:
    return seller.buyer()


Header = Callable[[Buyer, bytes], str | None]


def by(seed: int = 1, key: str = "key-1", late: float = 0, cut: int = 0) -> Header:
    """A header that another key made, at another time, or over other bytes."""

    def header(buyer: Buyer, raw: bytes) -> str:
        made = buyer.signer if (seed, key) == (1, "key-1") else signer(seed, buyer.name, key)
        return made.sign(raw[cut:], buyer.clock.now() + timedelta(seconds=late)).header()

    return header


@dataclass(frozen=True)
class Wrong:
    """A fault of a layer: the code it is told by, and how a message comes to have it."""

    code: str
    change: Change = lambda _: None
    header: Header | None = None


_ONE = "message.contract.commitments.0"
CTX = [
    Wrong("CTX_TTL_EXPIRED", in_context(timestamp="2023-02-28T23:00:00Z", ttl="PT30S")),
    Wrong("CTX_TTL_EXPIRED", in_context(timestamp="2023-01-01T00:00:00Z", ttl=None)),
    Wrong("CTX_VERSION_UNSUPPORTED", in_context(version="2.1.0")),
    Wrong("CTX_ACTION_MISMATCH", in_context(action="init")),
    Wrong("CTX_MISSING_FIELD", in_context(transactionId=None)),
    Wrong("CTX_INVALID_FIELD", in_context(messageId="7")),
    Wrong("CTX_INVALID_FIELD", in_context(bppId="another.example.org")),
]
AUT = [
    Wrong("AUT_SIGNATURE_INVALID", header=by(cut=1)),
    Wrong("AUT_SIGNATURE_INVALID", header=by(late=-300)),
    Wrong("AUT_SIGNATURE_INVALID", header=by(late=6)),
    Wrong("AUT_SIGNATURE_INVALID", header=by(99)),
    Wrong("AUT_KEY_NOT_FOUND", header=by(1, "key-2")),
    Wrong("AUT_SIGNATURE_MISSING", header=lambda *_: None),
    Wrong("AUT_UNAUTHORIZED_ACTION", in_context(bapId="bap-2.example.org")),
]
SCH = [
    Wrong("SCH_FIELD_NOT_ALLOWED", at("message.contract.colour", "red")),
    Wrong("SCH_REQUIRED_FIELD_MISSING", lambda body: body["message"]["contract"].pop("commitments")),
    Wrong("SCH_INVALID_ENUM", at("message.contract.status.code", "SOLD")),
    Wrong("SCH_INVALID_JSONLD_CONTEXT", at(f"{_ONE}.commitmentAttributes.@context", "https://evil.example/c.jsonld")),
]
BIZ = [
    Wrong("BIZ_ITEM_NOT_FOUND", at(f"{_ONE}.resources.0.id", "nothing")),
    Wrong("BIZ_OFFER_NOT_FOUND", at(f"{_ONE}.offer.id", "nothing")),
    Wrong("BIZ_QUANTITY_UNAVAILABLE", at(f"{_ONE}.commitmentAttributes.intervals.0.payloads.0.values", [0])),
]
STATUS = {"CTX": 400, "AUT": 401, "SCH": 400}


def none_or(faults: list[Wrong]) -> st.SearchStrategy[Wrong | None]:
    return st.none() | st.sampled_from(faults)


def told(seller: Market) -> tuple[int, int]:
    """How many messages were kept, and how many records there are of messages."""
    return len(seller.rows("messages")["messages"]), seller.bench.house.log.records(kind="message")[1]


def test_point_06_of_faults_in_any_layers_the_first_layers_is_told_and_nothing_else_happens(
    seller: Market, buyer: Buyer
) -> None:
    @settings(max_examples=100, deadline=None)
    @given(st.tuples(none_or(CTX), none_or(AUT), none_or(SCH), none_or(BIZ)))
    def the_first_is_told(faults: tuple[Wrong | None, ...]) -> None:
        one_is_told(seller, buyer, [fault for fault in faults if fault is not None])

    the_first_is_told()


def one_is_told(seller: Market, buyer: Buyer, found: list[Wrong]) -> None:
    """Send a message with these faults, in the order of their layers."""
    body: Body = {"context": buyer.context("select"), "message": {"contract": asking(*buyer.offered(), 6, [10])}}
    body = copy.deepcopy(body)
    message_id = body["context"]["messageId"]
    for fault in reversed(found):
        fault.change(body)
    raw = json.dumps(body).encode()
    header = next((fault.header for fault in found if fault.header is not None), by())(buyer, raw)
    before, at_once = told(seller), [fault for fault in found if fault.code[:3] in STATUS]
    if not at_once:
        buyer.sent[message_id] = buyer.signer.sign(raw, buyer.clock.now())
    reply = buyer.post("select", raw, header or "")
    if at_once:
        assert (error_of(reply)["code"], reply.status) == (at_once[0].code, STATUS[at_once[0].code[:3]])
        assert ("WWW-Authenticate" in reply.headers) is (reply.status == 401)
        assert told(seller) == (before[0], before[1] + 1), "it is not kept, and one record says so"
        return
    assert json.loads(reply.body) == {"message": {"status": "ACK", "messageId": message_id}}
    assert code(buyer.callback("on_select", message_id)) == (found[0].code if found else None)
    eventually(lambda: all("pending" not in row for row in seller.rows("outbox")["outbox"]))
