"""Point 28: the dialect of 2025 works through an adapter, behind a flag."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from beckn.dialect.catalogues import MOST_ITEMS
from beckn.dialect.orders import write_order
from beckn.dialect.reading import memory, read, translated
from beckn.dialect.words import COMPUTE, CORE, made_of
from beckn.identity import Identity
from beckn.message_routes import dialect_routes
from beckn.packs.contracts import performance
from beckn.packs.grid import Column, Grid
from beckn.packs.performance import Measured
from beckn.packs.settlement import Interval, settle
from beckn.protocol.faults import Fault
from beckn.protocol.structure import require_structure
from beckn.provider.items import Item, Line, write_items
from beckn.provider.paper import Paper, Standing
from core.slots import SLOT, format_utc
from core.trade import Contract, ContractState, Product, Side
from tests.beckn.market import SELLER, SELLER_URL, Buyer, Market, market
from tests.beckn.peers import Came, Peer, Say, peer_saying
from tests.beckn.registries import record, serving, signer
from tests.house import START, small_site
from tests.waiting import eventually

ACK = b'{"message":{"ack":{"status":"ACK"}}}'
DOMAIN = "beckn.one:DEG:compute-energy:1.0"
FOLDERS = ("compute-energy-2025", "demand-flexibility-2025")


@dataclass
class OldBuyer:
    """A scripted BAP that speaks the dialect over sockets."""

    world: Market
    peer: Peer
    url: str
    name: str = "bap-old.example.org"
    seed: int = 7
    sent: dict[str, str] = field(default_factory=dict)

    def body(self, action: str, message: dict[str, Any], message_id: str, transaction_id: str) -> dict[str, Any]:
        context = {
            "version": "2.0.0",
            "action": action,
            "domain": DOMAIN,
            "timestamp": format_utc(self.world.bench.clock.now()),
            "message_id": message_id,
            "transaction_id": transaction_id,
            "bap_id": self.name,
            "bap_uri": self.peer.url,
            "bpp_id": SELLER,
            "bpp_uri": SELLER_URL,
            "ttl": "PT30S",
        }
        return {"context": context, "message": message}

    def post(self, action: str, body: dict[str, Any] | bytes, header: str | None = None) -> requests.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body, indent=2).encode()
        signed = signer(self.seed, self.name).sign(raw, self.world.bench.clock.now())
        headers = {"Authorization": header or signed.header(), "Content-Type": "application/json"}
        return requests.post(f"{self.url}/beckn/2025/{action}", data=raw, headers=headers, timeout=10)

    def ask(self, action: str, message: dict[str, Any], message_id: str, transaction_id: str = "txn-ce-1") -> Any:
        """Send, expect an acknowledgement and wait for the callback."""
        answer = self.post(action, self.body(action, message, message_id, transaction_id))
        assert (answer.status_code, answer.content) == (200, ACK), answer.text
        return self.told(f"on_{action}", message_id)

    def told(self, action: str, message_id: str | None = None, where: Callable[[Any], bool] = lambda _: True) -> Any:
        found: list[Any] = []

        def there() -> bool:
            with self.peer.lock:
                bodies = [json.loads(came.body) for came in self.peer.came if came.path.endswith(f"/{action}")]
            found[:] = [b for b in bodies if message_id in (None, b["context"]["message_id"]) and where(b)]
            return bool(found)

        eventually(there)
        return found[-1]


@contextmanager
def old_market(folder: Path, **set_to: Any) -> Iterator[tuple[Market, OldBuyer]]:
    def answer(_came: Came, _times: int) -> Say:
        return Say(body=ACK)

    with market(folder, **{"beckn_dialect_2025": True, **set_to}) as world, peer_saying(answer) as peer:
        application = Flask("old")
        application.register_blueprint(dialect_routes(world.trade.reception_2025))
        with serving(application) as port:
            buyer = OldBuyer(world, peer, f"http://127.0.0.1:{port}")
            world.registry.put(record(buyer.seed, buyer.name, details={"url": peer.url}), buyer.name)
            yield world, buyer


def order_of(items: list[dict[str, Any]], mw: float, name: str = "order-ce-cambridge-morning-001") -> dict[str, Any]:
    """An order of windows."""
    return {
        "order": {
            "@context": CORE,
            "@type": "beckn:Order",
            "beckn:id": name,
            "beckn:orderStatus": "QUOTE_REQUESTED",
            "beckn:buyer": "buyer-compflex-001",
            "beckn:orderItems": [
                {
                    "@type": "beckn:OrderItem",
                    "beckn:lineId": f"order-item-ce-{number}",
                    "beckn:orderedItem": item["beckn:items"][0],
                    "beckn:quantity": 1,
                    "beckn:acceptedOffer": {
                        "@context": CORE,
                        "@type": "beckn:Offer",
                        "beckn:id": item["beckn:id"],
                        "beckn:price": {"currency": "GBP", "price": float(item["beckn:price"]["value"])},
                    },
                }
                for number, item in enumerate(items)
            ],
            "beckn:fulfillment": {
                "@context": CORE,
                "@type": "beckn:Fulfillment",
                "beckn:id": "fulfillment-ce-cambridge-001",
                "beckn:deliveryAttributes": {
                    "@context": COMPUTE,
                    "@type": "beckn:ComputeEnergyFulfillment",
                    "beckn:computeLoad": mw,
                    "beckn:computeLoadUnit": "MW",
                },
            },
        }
    }


def offers_at(catalogs: list[dict[str, Any]], site: str, first: int, count: int) -> list[dict[str, Any]]:
    """Offers of half-hours on end at a site."""
    names = [f"{site}.{START + SLOT * (first + i):%Y%m%dT%H%MZ}" for i in range(count)]
    offers = {offer["beckn:items"][0]: offer for catalog in catalogs for offer in catalog["beckn:offers"]}
    return [offers[name] for name in names]


def test_point_28_search_confirm_and_status_in_the_dialect_of_2025(tmp_path: Path):
    with old_market(tmp_path) as (world, buyer):
        found = buyer.ask("search", {"text_search": "Grid flexibility windows"}, "msg-discover-ce-001")
        context = found["context"]
        assert (context["message_id"], context["transaction_id"]) == ("msg-discover-ce-001", "txn-ce-1")
        assert (context["action"], context["domain"], context["bpp_id"]) == ("on_search", DOMAIN, SELLER)
        assert context["bpp_uri"] == SELLER_URL.replace("/v2", "/2025")
        assert not any("Id" in name or "Uri" in name for name in context), "all of it is in snake case"
        (catalog,) = found["message"]["catalogs"]
        items = catalog["beckn:items"]
        starts = [item["beckn:itemAttributes"]["beckn:timeWindow"]["start"] for item in items]
        assert starts == sorted(starts)
        assert 0 < len(items) <= MOST_ITEMS
        window = items[0]["beckn:itemAttributes"]
        assert window["@type"] == "beckn:ComputeEnergyWindow"
        assert window["beckn:slotId"] == items[0]["beckn:id"]
        assert window["beckn:gridParameters"]["carbonIntensityUnit"] == "gCO2/kWh"
        assert "renewableMix" not in window["beckn:gridParameters"], "it is not known here"
        assert window["beckn:capacityParameters"]["capacityUnit"] == "MW"

        order = order_of(offers_at([catalog], "leeds", 6, 3), 0.03)
        told = buyer.ask("confirm", order, "msg-confirm-ce-001")
        assert "error" not in told, told["error"]
        confirmed = told["message"]["order"]
        assert confirmed["beckn:id"] == "order-ce-cambridge-morning-001"
        assert confirmed["beckn:orderStatus"] == "CONFIRMED"
        assert [line["beckn:lineId"] for line in confirmed["beckn:orderItems"]] == [
            f"order-item-ce-{i}" for i in range(3)
        ]
        assert [line["beckn:orderedItem"] for line in confirmed["beckn:orderItems"]] == [
            offer["beckn:items"][0] for offer in offers_at([catalog], "leeds", 6, 3)
        ]
        (known,) = world.bench.house.store.contracts.of_transaction(made_of(buyer.name, "txn-ce-1"))
        assert known.state is ContractState.ACTIVE
        booked = world.bench.house.store.bookings.active(known.starts, known.ends)
        assert [booking.power_kw for booking in booked if booking.site_id == "leeds"] == [30.0] * 3

        status = buyer.ask("status", {"order_id": "order-ce-cambridge-morning-001"}, "msg-status-ce-001")
        assert status["message"]["order"]["beckn:fulfillment"]["beckn:id"] == "fulfillment-ce-cambridge-001"

        world.bench.tick()
        for slot in (7, 9.1):
            world.bench.at(slot)
            world.bench.house.dispatcher.dispatch()
            world.trade.advance()
            world.bench.tick()
        world.trade.advance()
        world.trade.advance()
        settled = buyer.told("on_status", where=lambda b: b["message"]["order"]["beckn:orderStatus"] == "COMPLETED")
        assert settled["context"]["transaction_id"] == "txn-ce-1"
        assert settled["context"]["message_id"] != "msg-status-ce-001"
        lines = [line["beckn:orderItemAttributes"] for line in settled["message"]["order"]["beckn:orderItems"]]
        costs = sum(Decimal(str(line["beckn:costMetrics"]["actualCost"])) for line in lines)
        details = settled["message"]["order"]["beckn:fulfillment"]["beckn:deliveryAttributes"][
            "beckn:settlementDetails"
        ]
        assert abs(costs - Decimal(str(details["settlementAmount"]))) <= Decimal("0.02")
        assert lines[0]["beckn:performanceMetrics"]["energyDelivered"] == 0.015
        assert "actualCarbon" in lines[0]["beckn:carbonMetrics"]


def test_point_28_without_the_flag_there_is_no_such_endpoint(tmp_path: Path):
    with old_market(tmp_path, beckn_dialect_2025=False) as (_, buyer):
        assert buyer.post("search", buyer.body("search", {}, "msg-1", "txn-1")).status_code == 404


def test_point_28_select_init_confirm_update_and_cancel_name_one_order(tmp_path: Path):
    with old_market(tmp_path) as (world, buyer):
        catalogs = buyer.ask("discover", {}, "msg-d")["message"]["catalogs"]
        offers = offers_at(catalogs, "leeds", 8, 2)
        order = order_of(offers, 0.04)
        quoted = dict(order["order"])
        del quoted["beckn:fulfillment"]
        selected = buyer.ask("select", {"order": quoted}, "msg-s")
        assert "error" not in selected, selected["error"]
        line = selected["message"]["order"]["beckn:orderItems"][0]["beckn:orderItemAttributes"]
        assert line["beckn:capacityParameters"]["reservedCapacity"] > 0.04, "all that is free is quoted"
        for action in ("init", "confirm"):
            told = buyer.ask(action, order, f"msg-{action}")
            assert "error" not in told, told["error"]
            line = told["message"]["order"]["beckn:orderItems"][0]["beckn:orderItemAttributes"]
            assert line["beckn:capacityParameters"]["reservedCapacity"] == 0.04
        (known,) = world.bench.house.store.contracts.of_transaction(made_of(buyer.name, "txn-ce-1"))
        again = buyer.ask("confirm", order, "msg-confirm-2")
        assert again["error"]["code"] == "BIZ_ALREADY_CONFIRMED"
        less = buyer.ask("update", order_of(offers, 0.01), "msg-u")
        assert "error" not in less, less["error"]
        line = less["message"]["order"]["beckn:orderItems"][1]["beckn:orderItemAttributes"]
        assert line["beckn:capacityParameters"]["reservedCapacity"] == 0.01
        rated = buyer.ask("rating", {"ratings": [{"id": quoted["beckn:id"], "value": 5}]}, "msg-r")
        assert "error" not in rated, rated["error"]
        gone = buyer.ask("cancel", {"order": {"beckn:id": quoted["beckn:id"]}}, "msg-c")
        assert gone["message"]["order"]["beckn:orderStatus"] == "CANCELLED"
        assert world.bench.house.store.contracts.get(known.contract_id).state is ContractState.CANCELLED


def test_point_28_an_order_above_what_is_free_or_below_its_price_is_refused(tmp_path: Path):
    with old_market(tmp_path) as (world, buyer):
        offers = offers_at(buyer.ask("discover", {}, "msg-d")["message"]["catalogs"], "leeds", 8, 2)
        told = buyer.ask("confirm", order_of(offers, 50.0, "large"), "msg-1")
        assert told["error"]["code"] == "BIZ_QUANTITY_UNAVAILABLE"
        assert told["message"]["order"]["beckn:id"] == "large"
        cheap = [{**offer, "beckn:price": {"value": "0.00001"}} for offer in offers]
        told = buyer.ask("confirm", order_of(cheap, 0.05, "cheap"), "msg-2")
        assert told["error"]["code"] == "BIZ_PRICE_MISMATCH"
        told = buyer.ask("status", {"order_id": "unheard-of"}, "msg-3")
        assert told["error"]["code"] == "BIZ_ORDER_NOT_FOUND"
        assert world.bench.house.store.contracts.in_states([ContractState.ACTIVE]) == []


def test_point_28_a_turn_down_is_confirmed_in_part_and_says_from_where_to_where(tmp_path: Path):
    with old_market(tmp_path) as (_, buyer):
        catalogs = buyer.ask("discover", {"text_search": "turned down"}, "msg-d")["message"]["catalogs"]
        resource = catalogs[0]["beckn:items"][0]
        attributes = resource["beckn:itemAttributes"]
        assert attributes["@type"] == "beckn:DemandFlexibilityResource"
        starts = attributes["beckn:availabilityParameters"]["availableFrom"]
        most = attributes["beckn:participantCapabilities"]["loadCapacity"]["max"]
        activation = {
            "@context": CORE,
            "@type": "beckn:DemandFlexibilityActivation",
            "beckn:requestedReduction": most + 500,
            "beckn:requestedReductionUnit": "kW",
            "beckn:activationTime": starts,
            "beckn:duration": "PT30M",
        }
        line = {"beckn:lineId": "activation-004", "beckn:orderedItem": resource["beckn:id"]}
        order = {"order": {"beckn:orderItems": [{**line, "beckn:orderItemAttributes": activation}]}}
        told = buyer.ask("confirm", order, "msg-confirm-activation-002", "txn-df-event-002")
        assert "error" not in told, told["error"]
        given = told["message"]["order"]["beckn:orderItems"][0]["beckn:orderItemAttributes"]
        assert given["@type"] == "beckn:DemandFlexibilityParticipation"
        assert 0 < given["beckn:committedReduction"] <= most
        assert 0 < given["beckn:confidenceLevel"] <= 1
        reached = given["beckn:baselineLoad"] - given["beckn:committedReduction"]
        assert given["beckn:targetLoad"] == pytest.approx(reached)


def test_point_28_an_alert_of_the_grid_is_answered_with_what_is_done(tmp_path: Path):
    with old_market(tmp_path) as (world, buyer):
        catalogs = buyer.ask("discover", {"text_search": "turned down"}, "msg-d")["message"]["catalogs"]
        resource = catalogs[0]["beckn:items"][0]
        plan = world.bench.house.loop.standing()
        row = plan.site_ids.index(resource["beckn:id"].partition(".")[2])
        starts = plan.start + SLOT * int(next(i for i, kw in enumerate(plan.planned_kw[row]) if kw >= 20 and i > 2))
        activation = {
            "@context": CORE,
            "@type": "beckn:DemandFlexibilityActivation",
            "beckn:requestedReduction": 0.01,
            "beckn:requestedReductionUnit": "MW",
            "beckn:activationTime": format_utc(starts),
            "beckn:duration": "PT30M",
        }
        line = {"beckn:lineId": "a-1", "beckn:orderedItem": resource["beckn:id"]}
        order: dict[str, Any] = {
            "beckn:id": "df-1",
            "beckn:orderItems": [{**line, "beckn:orderItemAttributes": activation}],
        }
        assert "error" not in buyer.ask("confirm", {"order": order}, "msg-c")
        world.bench.tick()
        order["beckn:fulfillment"] = {
            "beckn:deliveryAttributes": {
                "@context": CORE,
                "@type": "beckn:DemandFlexibilityEvent",
                "beckn:gridEventAlert": {"eventId": "event-7", "eventType": "peak", "severity": "high"},
                "beckn:requestedReduction": 5,
            }
        }
        told = buyer.ask("update", {"order": order}, "msg-u")
        assert "error" not in told, told["error"]
        action = told["message"]["order"]["beckn:fulfillment"]["beckn:deliveryAttributes"]["beckn:flexibilityAction"]
        assert action["responseToEvent"] == "event-7"
        assert action["actionType"] in {"workload_shift", "workload_pause", "continue_with_acknowledgement"}
        del order["beckn:orderItems"]
        refused = buyer.post("update", buyer.body("update", {"order": order}, "msg-u2", "txn-ce-1"))
        assert refused.json()["error"]["code"] == "SCH_REQUIRED_FIELD_MISSING"


def action_of_2025(**changes: Any) -> dict[str, Any]:
    """What a buyer does about an event, as the dialect's example of a workload shift has it."""
    action = {
        "actionType": "workload_shift",
        "actionReason": "grid_stress_response",
        "actionTimestamp": format_utc(START + timedelta(seconds=30)),
        "shiftDetails": {"shiftedLoad": 0.03, "shiftedLoadUnit": "MW", "targetLocation": "Manchester"},
        "loadReductionCommitment": {"loadReduction": 0.03, "reductionUnit": "MW", "responseTime": "PT2M"},
    }
    told = {name: each for name, each in {**action, **changes}.items() if each is not None}
    delivery = {"@context": COMPUTE, "@type": "beckn:ComputeEnergyFulfillment", "beckn:flexibilityAction": told}
    words = {"@context": COMPUTE, "@type": "beckn:ComputeEnergyOrder", "beckn:updateType": "flexibility_response"}
    attributes = {**words, "beckn:responseToEvent": "grid-event-1"}
    order = {"beckn:id": "order-ce-cambridge-morning-001", "beckn:fulfillment": {"beckn:deliveryAttributes": delivery}}
    return {"order": {**order, "beckn:orderAttributes": attributes}}


@pytest.mark.parametrize(
    ("action", "seconds"), [("workload_shift", 120), ("continue_with_acknowledgement", None), ("workload_pause", 120)]
)
def test_point_28_what_a_buyer_does_about_an_event_is_kept_and_confirmed(
    tmp_path: Path, action: str, seconds: int | None
):
    with old_market(tmp_path) as (world, buyer):
        catalogs = buyer.ask("discover", {}, "msg-d")["message"]["catalogs"]
        assert "error" not in buyer.ask("confirm", order_of(offers_at(catalogs, "leeds", 8, 2), 0.04), "msg-c")
        changes = {} if seconds else {"loadReductionCommitment": None}
        told = buyer.ask("update", action_of_2025(actionType=action, **changes), "msg-u")
        assert "error" not in told, told["error"]
        order = told["message"]["order"]
        found = order["beckn:fulfillment"]["beckn:deliveryAttributes"]["beckn:flexibilityAction"]
        assert (found["actionType"], found["responseToEvent"]) == (action, "grid-event-1")
        assert found["actionReason"] == "grid_stress_response"
        assert found.get("responseTime") == ("PT120S" if seconds else None)
        assert found["loadReductionCommitment"]["loadReduction"] == (0.03 if seconds else 0)
        line = order["beckn:orderItems"][0]["beckn:orderItemAttributes"]
        assert line["beckn:capacityParameters"]["reservedCapacity"] == 0.04, "what was agreed stays"
        (known,) = world.bench.house.store.contracts.of_transaction(made_of(buyer.name, "txn-ce-1"))
        (kept,) = known.document["alerts"]
        assert (kept["by"], kept["event_id"]) == ("buyer", "grid-event-1")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actionType": "workload_stop"}, "SCH_INVALID_ENUM"),
        ({"actionTimestamp": None}, "SCH_REQUIRED_FIELD_MISSING"),
        ({"responseToEvent": ""}, "SCH_REQUIRED_FIELD_MISSING"),
        ({"loadReductionCommitment": {"loadReduction": 1, "reductionUnit": "hp"}}, "SCH_INVALID_ENUM"),
        ({"loadReductionCommitment": {"responseTime": "soon"}}, "SCH_INVALID_FORMAT"),
    ],
)
def test_point_28_an_action_that_cannot_be_read_is_refused_by_its_field(changes: dict[str, Any], code: str):
    context = {"bap_id": "b", "message_id": "m", "transaction_id": "t", "action": "update"}
    with pytest.raises(Fault) as caught:
        read({"context": context, "message": action_of_2025(**changes)})
    assert caught.value.code == code
    assert "flexibilityAction" in (caught.value.path or "")


@pytest.mark.parametrize(
    ("ordered", "times", "code"),
    [
        ("turn-down.leeds", {"activationTime": "9999-12-31T23:30:00Z", "duration": "PT30M"}, "SCH_INVALID_FORMAT"),
        ("turn-down.leeds", {"activationTime": "2023-03-01T10:10:00Z", "duration": "PT30M"}, "SCH_INVALID_FORMAT"),
        ("turn-down.leeds", {"activationTime": "2023-03-01T10:00:00Z", "duration": "P900D"}, "SCH_INVALID_FORMAT"),
        ("turn-down.leeds", {"requestedReduction": 1, "requestedReductionUnit": "hp"}, "SCH_INVALID_ENUM"),
        ("turn-down.leeds", {"requestedReduction": -1}, "SCH_INVALID_FORMAT"),
        (None, {}, "SCH_REQUIRED_FIELD_MISSING"),
    ],
)
def test_point_28_what_cannot_be_read_is_refused(ordered: str | None, times: dict[str, Any], code: str):
    item = {"lineId": "1", "orderedItem": ordered, "orderItemAttributes": times}
    context = {"bap_id": "b", "message_id": "m", "transaction_id": "t", "action": "confirm"}
    with pytest.raises(Fault) as caught:
        read({"context": context, "message": {"order": {"orderItems": [item]}}})
    assert caught.value.code == code


@pytest.mark.parametrize("slot", ["leeds.99991231T2330Z", "leeds.20230301T1010Z"])
def test_point_28_what_is_no_half_hour_is_no_item_of_ours(slot: str):
    context = {"bap_id": "b", "message_id": "m", "transaction_id": "t", "action": "select"}
    found = read({"context": context, "message": {"order": {"orderItems": [{"orderedItem": slot}]}}})
    (told,) = found["message"]["contract"]["commitments"]
    assert told["resources"] == [{"id": slot}]
    assert "commitmentAttributes" not in told


def test_point_28_signatures_are_over_raw_bytes_and_a_repetition_is_refused(tmp_path: Path):
    with old_market(tmp_path) as (world, buyer):
        body = buyer.body("discover", {}, "msg-1", "txn-1")
        assert buyer.post("discover", body).content == ACK
        again = buyer.post("search", body)
        assert again.status_code == 400
        assert again.json() == {
            "message": {"ack": {"status": "NACK"}},
            "error": again.json()["error"],
        }
        assert again.json()["error"]["code"] == "CTX_MESSAGE_ID_DUPLICATE"
        assert again.headers["Signature"].startswith("Signature ")
        other = json.dumps(buyer.body("discover", {}, "msg-2", "txn-1"), indent=2).encode()
        signed = signer(buyer.seed, buyer.name).sign(json.dumps(json.loads(other)).encode(), world.bench.clock.now())
        refused = buyer.post("discover", other, signed.header())
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "AUT_SIGNATURE_INVALID")
        foreign = {"@context": "https://evil.example.org/x.jsonld"}
        refused = buyer.post("select", buyer.body("select", {"order": foreign}, "msg-3", "txn-1"))
        assert refused.json()["error"]["code"] == "SCH_INVALID_JSONLD_CONTEXT"
        elsewhere = buyer.body("discover", {}, "msg-4", "txn-1")
        elsewhere["context"]["bap_uri"] = "http://127.0.0.1:9/beckn"
        assert buyer.post("discover", elsewhere).json()["error"]["code"].startswith("CTX_")
        error = buyer.post("on_confirm", elsewhere).json()["error"]
        assert error["code"] == "NET_NOT_IMPLEMENTED"
        assert error["message"].endswith("callbacks are taken as version 2.0.0")
        modern: Buyer = world.buyer()
        found = modern.context("discover")
        raw = json.dumps({"context": found, "message": {"intent": {}}}).encode()
        assert buyer.post("discover", raw).json()["error"]["code"] == "CTX_MISSING_FIELD"


def test_point_28_filters_and_places_of_the_dialect_select_items(tmp_path: Path):
    with old_market(tmp_path) as (_, buyer):

        def ids(message_id: str, **message: Any) -> list[str]:
            catalogs = buyer.ask("discover", message, message_id)["message"]["catalogs"]
            return [item["beckn:id"] for catalog in catalogs for item in catalog["beckn:items"]]

        area = "@.beckn:itemAttributes.beckn:gridParameters.gridArea in ['leeds', 'Manchester']"
        filters = {"type": "jsonpath", "expression": f"$[?({area})]"}
        found = ids("msg-1", filters=filters)
        assert found
        assert all(name.startswith("leeds.") for name in found)
        mixed = f"{area} && @.beckn:itemAttributes.beckn:gridParameters.renewableMix >= 70"
        assert ids("msg-2", filters={"type": "jsonpath", "expression": f"$[?({mixed})]"}) == [], "it is not known"
        here = {
            "targets": "$['beckn:availableAt'][*]['geo']",
            "geometry": {"type": "Point", "coordinates": [0.1, 52.1]},
        }
        assert ids("msg-3", spatial=[here])
        away = {**here, "geometry": {"type": "Point", "coordinates": [20.0, 40.0]}}
        assert ids("msg-4", spatial=[away]) == []
        told = buyer.ask("discover", {"filters": {"type": "jsonpath", "expression": "$..x"}}, "msg-5")
        assert told["error"]["code"] == "SCH_INVALID_JSONPATH"
        assert told["message"] == {"catalogs": []}


def windows(kw: str, price: str, carbon: str, count: int) -> tuple[Item, ...]:
    """One item of half-hours that are all alike."""
    lines = tuple(
        Line(START + SLOT * i, Decimal(kw), Decimal(price), Decimal("0.05"), None, Decimal(carbon), ("forecast",))
        for i in range(count)
    )
    resource_id = "compute-window.cambridge"
    return (Item("line-1", Product.COMPUTE_WINDOW, "cambridge", f"{resource_id}@tick", "tick", lines),)


def test_point_28_an_order_comes_to_what_our_arithmetic_says():
    items = windows("1200", "0.102", "120", 8)
    ends = START + SLOT * 8
    paper = Paper(Identity(SELLER, SELLER_URL), timedelta(hours=1), "GBP")
    sites = {"cambridge": small_site("cambridge")}
    delivered = Grid(
        START,
        {
            "BASELINE": Column.of("KW", [Decimal(1200)] * 8, reading_type="FORECAST"),
            "USAGE": Column.of("KW", [Decimal(0)] * 6 + [Decimal(1200)] * 2, reading_type="DIRECT_READ"),
        },
    )
    measured = performance("p", "DONE", "done", ["line-1"], Measured("line-1", "kept", {"cambridge": delivered}).wire())
    asked = {
        "context": {"bap_id": "b", "message_id": "m", "transaction_id": "t", "action": "confirm"},
        "message": {
            "order": {
                "beckn:id": "o-1",
                "beckn:orderItems": [{"beckn:lineId": "line-1", "beckn:orderedItem": "compute-window.cambridge"}],
                "beckn:fulfillment": {
                    "beckn:deliveryAttributes": {
                        "beckn:computeLoad": 1.2,
                        "beckn:timeWindow": {"start": format_utc(START), "end": format_utc(ends)},
                    }
                },
            }
        },
    }
    contract = Contract(
        "c-1",
        Side.PROVIDER,
        Product.COMPUTE_WINDOW,
        "t",
        "b",
        "",
        ContractState.ACTIVE,
        START,
        ends,
        START,
        START,
        {"items": write_items(items)},
    )

    def line(standing: Standing) -> dict[str, Any]:
        order = write_order(contract, paper.contract(items, sites, standing), memory(asked))
        found: dict[str, Any] = order["beckn:orderItems"][0]["beckn:orderItemAttributes"]
        return found

    promised = line(Standing("c-1", ContractState.ACTIVE, "b", ends))
    assert promised["beckn:pricingParameters"]["estimatedCost"] == 489.60
    assert promised["beckn:pricingParameters"]["spotPrice"] == 0.102
    assert promised["beckn:carbonMetrics"]["plannedCarbonBudget"] == 576
    assert promised["beckn:capacityParameters"]["reservedCapacity"] == 1.2

    settled = settle(
        [Interval(x.kw, x.kw if i < 6 else Decimal(0), x.price, x.penalty) for i, x in enumerate(items[0].lines)], "GBP"
    )
    over = line(Standing("c-1", ContractState.COMPLETE, "b", ends, [measured], settled))
    assert settled.total == Decimal("307.20"), "three hours at 0.102 less one hour of 0.05 short"
    assert over["beckn:costMetrics"] == {
        "estimatedCost": 489.6,
        "actualCost": 307.2,
        "costSavings": 182.4,
        "currency": "GBP",
    }
    assert over["beckn:carbonMetrics"]["actualCarbon"] == 432
    assert over["beckn:performanceMetrics"]["energyDelivered"] == 3.6


@pytest.mark.shared
def test_point_28_every_published_example_is_read(shared_data: Path):
    paths = [
        path for folder in FOLDERS for path in sorted((shared_data.parent / "beckn/examples" / folder).glob("*.json"))
    ]
    assert len(paths) >= 12
    for path in paths:
        body = json.loads(path.read_bytes())
        found, kept = translated(body)
        require_structure(found, found["context"]["action"])
        assert kept is not None
        assert kept["context"]["transaction_id"] == body["context"]["transaction_id"]
        if "order" in body["message"]:
            lines = body["message"]["order"].get("beckn:orderItems", [])
            assert [line["line"] for line in kept["lines"]] == [line["beckn:lineId"] for line in lines]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["discover-request", "select-request", "1.update-workload-shift-request"])
def test_point_28_a_published_request_is_acknowledged_and_answered(shared_data: Path, tmp_path: Path, name: str):
    path = shared_data.parent / "beckn/examples" / FOLDERS[0] / f"{name}.json"
    with old_market(tmp_path) as (_, buyer):
        body = json.loads(path.read_bytes())
        asked = body["context"]
        asked |= {"bap_id": buyer.name, "bap_uri": buyer.peer.url, "bpp_id": SELLER, "bpp_uri": SELLER_URL}
        asked["timestamp"] = format_utc(START)
        assert buyer.post(asked["action"], body).content == ACK
        told = buyer.told(f"on_{asked['action']}", asked["message_id"])
        assert told["context"]["transaction_id"] == asked["transaction_id"]


def test_point_28_ids_of_two_senders_never_meet():
    def ids(sender: str, message_id: str) -> Any:
        context = {"bap_id": sender, "message_id": message_id, "transaction_id": "txn-1", "action": "status"}
        found = read({"context": context, "message": {"order_id": "o-1"}})
        return found["context"]["messageId"], found["context"]["transactionId"], found["message"]["contract"]["id"]

    assert ids("a", "msg-1") == ids("a", "msg-1")
    assert not set(ids("a", "msg-1")) & set(ids("b", "msg-1"))
    assert ids("a", "3D39DF73-a4c0-4374-9836-ec6c365a7ecc")[0] == "3d39df73-a4c0-4374-9836-ec6c365a7ecc"
    with pytest.raises(Fault, match="no text"):
        ids("a", "")
