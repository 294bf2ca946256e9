"""Points 23 and 29: the log says what holds, also where a change was recorded and then could not be put in force."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from beckn.packs.alert import Alert
from beckn.protocol.faults import Fault
from core.errors import StoreUnavailable
from core.trade import ContractState
from tests.beckn.market import Buyer, Market, asking, market
from tests.beckn.test_alert_points import alerted, turned_down
from tests.beckn.test_crash_points import events, kept
from tests.beckn.test_flow_points import code

BROKEN = ZeroDivisionError("broken")
REFUSED = Fault("BIZ_INVALID_STATE_TRANSITION", "something else came between")
AWAY = StoreUnavailable("the store is away")


def failing(seller: Market, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    """Let the store fail in this way, one after another, whenever a step of the provider is to end."""
    trading = seller.bench.house.store.trading
    work, left = trading.work, list(errors)

    @contextmanager
    def broken() -> Any:
        if left and sys._getframe(2).f_code.co_name == "_end":
            raise left.pop(0)
        with work() as step:
            yield step

    monkeypatch.setattr(trading, "work", broken)
    monkeypatch.setattr("beckn.worker.LONGEST_WAIT_S", 0.05)


def told_last(seller: Market, contract_id: str) -> tuple[str, list[str], str]:
    """State, kW and detail of the last record of a contract."""
    records, _ = seller.bench.house.log.records(kind="contract", text=contract_id, limit=1)
    body = records[0].body
    return body["state"], [each["power_kw"] for each in body["intervals"]], body["detail"]


def less(buyer: Buyer, contract: dict[str, Any]) -> dict[str, Any]:
    return {"contract": {**contract, "commitments": asking(*buyer.offered(), 12, [6, 2])["commitments"]}}


@pytest.mark.parametrize("error", [BROKEN, REFUSED])
@pytest.mark.parametrize(("action", "event"), [("update", "updated"), ("cancel", "cancelled")])
def test_point_29_a_change_that_was_given_up_after_its_record_is_taken_back_on_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str, event: str, error: Exception
) -> None:
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        transaction_id, contract = buyer.bought(12, [6, 6])
        asked = less(buyer, contract) if action == "update" else {"contract": contract}
        failing(seller, monkeypatch, error)
        assert code(buyer.ask(action, asked, transaction_id)) in {"NET_INTERNAL_ERROR", REFUSED.code}
        assert events(seller, contract["id"]) == ["confirmed", event, "restored"]
        why = f"{event} was recorded and could not be put in force"
        assert told_last(seller, contract["id"]) == ("ACTIVE", ["6.000", "6.000"], why)
        assert kept(seller, contract["id"]) == [6.0, 6.0]
        assert seller.bench.house.store.contracts.get(contract["id"]).state is ContractState.ACTIVE
        assert code(buyer.ask(action, asked, transaction_id)) is None, "it may be asked for again"
        assert events(seller, contract["id"]) == ["confirmed", event, "restored", event]
        assert seller.bench.house.log.verify().ok


@pytest.mark.parametrize("action", ["update", "cancel", "confirm"])
def test_point_29_a_change_that_was_taken_back_and_then_succeeds_is_recorded_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """The answer to what was given up cannot be stored either, so that the request is worked off once more."""
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        if action == "confirm":
            transaction_id, contract = buyer.quoted(12, [6, 6])
        else:
            transaction_id, contract = buyer.bought(12, [6, 6])
        asked = less(buyer, contract) if action == "update" else {"contract": contract}
        failing(seller, monkeypatch, BROKEN, AWAY)
        assert code(buyer.ask(action, asked, transaction_id)) is None
        assert kept(seller, contract["id"]) == {"update": [6.0, 2.0], "cancel": [], "confirm": [6.0, 6.0]}[action]
        steps = {
            "update": ["confirmed", "updated", "restored", "updated"],
            "cancel": ["confirmed", "cancelled", "restored", "cancelled"],
            "confirm": ["confirmed", "cancelled", "confirmed"],
        }
        assert events(seller, contract["id"]) == steps[action]
        stored = seller.bench.house.store.contracts.get(contract["id"])
        assert stored.state is (ContractState.CANCELLED if action == "cancel" else ContractState.ACTIVE)


def test_point_29_an_answer_to_an_alert_that_was_given_up_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        contract, site, starts = turned_down(seller, buyer, 10.0)
        transaction_id = contract.pop("transaction")
        alert = Alert("event-7", "CARBON_SPIKE", "high", site, starts, (Decimal(8),))
        asked = alerted(contract, alert, buyer)
        failing(seller, monkeypatch, BROKEN)
        assert code(buyer.ask("update", {"contract": asked}, transaction_id)) == "NET_INTERNAL_ERROR"
        assert events(seller, contract["id"]) == ["confirmed", "alerted", "restored"]
        assert told_last(seller, contract["id"])[:2] == ("ACTIVE", ["10.000"])
        held = seller.bench.house.store.reductions.of_contract(contract["id"])
        assert [one.reduction_kw for one in held] == [10.0]


def test_point_29_what_was_refused_before_any_record_leaves_none(tmp_path: Path) -> None:
    with market(tmp_path) as seller:
        buyer = seller.buyer()
        transaction_id, contract = buyer.bought(12, [6, 6])
        more = {"contract": {**contract, "commitments": asking(*buyer.offered(), 12, [6, 9])["commitments"]}}
        assert code(buyer.ask("update", more, transaction_id)) == "BIZ_UPDATE_INCONSISTENT"
        assert code(buyer.ask("cancel", {"contract": contract}, transaction_id)) is None
        assert code(buyer.ask("cancel", {"contract": contract}, transaction_id)) == "BIZ_ALREADY_CANCELLED"
        assert events(seller, contract["id"]) == ["confirmed", "cancelled"]
