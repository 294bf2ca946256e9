"""Points 1 and 6: every published example of version 2 is taken and answered, also by the independent schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beckn.consumer.legs import Leg, Step, with_leg
from core.slots import SLOT, format_utc
from core.trade import Contract, ContractState, Product, Side
from tests.beckn.market import SELLER, SELLER_URL, Buyer, Market, market
from tests.beckn.oracles import message_faults
from tests.beckn.test_flow_points import code
from tests.house import START
from tests.waiting import eventually

ANSWERED = {
    "confirm-request": "BIZ_ORDER_NOT_FOUND",
    "discover-request": None,
    "select-request": "BIZ_ITEM_NOT_FOUND",
    "update-request-opt-in": "BIZ_ORDER_NOT_FOUND",
}
"""requests, and the code in the callback to each: what they are about is for sale nowhere here"""
HEARD = {"on-confirm-response", "on-status-response-actuals", "on-status-response-settled"}
"""callbacks, which are taken where they are about a contract of ours"""
REFUSED = {"publish-catalog"}
"""acknowledged without a callback, because catalogues of others are not kept here"""


@pytest.fixture
def examples(shared_data: Path) -> dict[str, dict[str, Any]]:
    """All of the folder, by name."""
    paths = sorted((shared_data.parent / "beckn" / "examples" / "demand-flex-2026").glob("*.json"))
    assert paths
    return {path.stem: json.loads(path.read_bytes()) for path in paths}


@pytest.mark.shared
def test_point_06_the_schemas_find_nothing_in_an_example_but_the_id_of_its_contract(
    examples: dict[str, dict[str, Any]],
) -> None:
    """Why ``contract.id`` may be any short text here: four examples have no UUID there."""
    found = {name: message_faults(body["context"]["action"], body) for name, body in examples.items()}
    assert {fault.partition(": ")[2] for faults in found.values() for fault in faults} == {
        "['message', 'contract', 'id']: \"contract-flex-001\" is not a \"uuid\""
    }
    assert {name for name, faults in found.items() if faults} == {*HEARD, "update-request-opt-in"}


@pytest.mark.shared
def test_point_01_every_published_example_is_taken_and_answered(
    tmp_path: Path, examples: dict[str, dict[str, Any]]
) -> None:
    """Of each only who speaks to whom, and when, is changed."""
    with market(tmp_path) as world:
        peer = world.buyer()
        _ours(world, peer, examples["on-confirm-response"]["context"]["transactionId"])
        statuses: dict[str, int] = {}
        for name, body in examples.items():
            context = _addressed(body["context"], peer)
            statuses[name] = peer.post(context["action"], {**body, "context": context}).status
        assert statuses == {**dict.fromkeys(ANSWERED, 200), **dict.fromkeys(HEARD, 200), **dict.fromkeys(REFUSED, 202)}
        for name, refusal in ANSWERED.items():
            context = examples[name]["context"]
            told = peer.callback(f"on_{context['action']}", context["messageId"])
            assert (code(told), told["context"]["transactionId"]) == (refusal, context["transactionId"]), name
        eventually(lambda: world.trade.owed == 0)
        kept = {each.message_id: each.state for each in world.bench.house.store.messages.latest(100)}
        assert {name: kept[examples[name]["context"]["messageId"]] for name in HEARD} == dict.fromkeys(HEARD, "done")


def _addressed(context: dict[str, Any], peer: Buyer) -> dict[str, Any]:
    """The context between this peer and us, now."""
    action = context["action"]
    us, them = (SELLER, SELLER_URL), (peer.name, peer.peer.url)
    bap, bpp = (us, them) if action.startswith("on_") else (them, us)
    if action == "catalog/publish":
        bap, bpp = (None, None), them
    told = {"bapId": bap[0], "bapUri": bap[1], "bppId": bpp[0], "bppUri": bpp[1], "timestamp": format_utc(START)}
    return {name: value for name, value in {**context, **told}.items() if value is not None}


def _ours(world: Market, peer: Buyer, transaction_id: str) -> None:
    """A contract of ours with the peer, which the callbacks of the examples are about; it was called off."""
    contract = Contract(
        contract_id="contract-flex-001",
        side=Side.CONSUMER,
        product=Product.TURN_DOWN,
        transaction_id=transaction_id,
        peer_id=peer.name,
        peer_uri=peer.peer.url,
        state=ContractState.CANCELLED,
        starts=START + 40 * SLOT,
        ends=START + 41 * SLOT,
        created_at=START,
        updated_at=START,
    )
    with world.bench.house.store.trading.work() as work:
        work.save(with_leg(contract, Leg(Step.ENDED), contract={"id": contract.contract_id}))
