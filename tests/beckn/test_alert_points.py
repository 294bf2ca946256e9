"""Point 24: an alert in the middle of an event is answered by what can be done, and how soon."""

from __future__ import annotations

import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

from beckn.packs.alert import Alert, read_action
from core.slots import SLOT, slots_between
from core.trade import Hold
from tests.beckn.market import Buyer, Market, asking, market
from tests.house import START


def turned_down(world: Market, buyer: Buyer, kw: float) -> tuple[dict[str, Any], str, Any]:
    """A confirmed turn-down of ``kw`` in the first half-hour in which load may move; contract, site, start."""
    catalogs = buyer.ask("discover", {"intent": {}})["message"]["catalogs"]
    catalog = next(each for each in catalogs if each["id"].endswith("turn-down"))
    resource = catalog["resources"][0]
    intervals = resource["resourceAttributes"]["intervals"]
    number = next(i for i, each in enumerate(intervals) if each["payloads"][0]["values"][0] >= kw + 10)
    plan = world.bench.house.loop.standing()
    site, starts = resource["resourceAttributes"]["siteId"], plan.start + SLOT * number
    transaction = str(uuid.uuid4())
    wanted = asking(resource, catalog["offers"][0], slots_between(START, starts), [kw])
    contract: dict[str, Any] = {"contract": wanted}
    for action in ("select", "init", "confirm"):
        told = buyer.ask(action, contract, transaction)
        assert "error" not in told, told["error"]
        contract = {"contract": told["message"]["contract"]}
        world.bench.tick()
    return {**contract["contract"], "transaction": transaction}, site, starts


def alerted(contract: dict[str, Any], alert: Alert, buyer: Buyer) -> dict[str, Any]:
    """The contract as its buyer sends it with an alert."""
    return {**contract, "performance": [{"id": "alert", "performanceAttributes": alert.wire(buyer.peer.url)}]}


def test_point_24_an_alert_is_answered_with_what_is_done_and_how_soon(tmp_path: Path) -> None:
    with market(tmp_path) as world:
        buyer = world.buyer()
        contract, site, starts = turned_down(world, buyer, 10.0)
        transaction = contract.pop("transaction")
        alert = Alert("event-7", "CARBON_SPIKE", "high", site, starts, (Decimal(8),))
        asked = alerted(contract, alert, buyer)
        told = buyer.ask("update", {"contract": asked}, transaction)
        assert "error" not in told, told["error"]
        answered = read_action(told["message"]["contract"]["performance"], "$")
        assert answered is not None
        assert answered.event_id == "event-7"
        assert answered.response_seconds >= 0
        kept = world.bench.house.store.reductions.of_contract(contract["id"])
        if answered.action == "continue":
            assert [one.reduction_kw for one in kept] == [10.0], answered.reason
        else:
            assert [(one.reduction_kw, one.state) for one in kept] == [(18.0, Hold.COMMITTED)]
            world.bench.tick()
            plan = world.bench.house.loop.standing()
            cell = plan.site_ids.index(site), slots_between(plan.start, starts)
            assert plan.planned_kw[cell] <= kept[0].cap_kw + 1e-6
        records, _ = world.bench.house.log.records(kind="contract", text=contract["id"], limit=10)
        assert "alerted" in {record.body["event"] for record in records}


def test_point_24_an_alert_that_is_tried_changes_nothing(tmp_path: Path) -> None:
    with market(tmp_path) as world:
        buyer = world.buyer()
        contract, site, starts = turned_down(world, buyer, 10.0)
        transaction = contract.pop("transaction")
        before = world.bench.house.contracts.get(contract["id"])
        alert = Alert("event-8", "CARBON_SPIKE", "high", site, starts, (Decimal(5),))
        asked = alerted(contract, alert, buyer)
        context = buyer.context("update", transaction, **{"try": True})
        assert buyer.post("update", {"context": context, "message": {"contract": asked}}).status == 200
        told = buyer.callback("on_update", context["messageId"])
        assert read_action(told["message"]["contract"]["performance"], "$") is not None
        assert world.bench.house.contracts.get(contract["id"]) == before
