"""Point 24, the buyer's side: an event of the grid about what was bought is answered once, from the plan in force."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from beckn.consumer.shapes import AlertOut
from beckn.packs.alert import Alert, Answered, read_action
from core.ledger import Booking
from core.slots import SLOT
from core.trade import Contract, Message
from tests.beckn.market import market
from tests.beckn.oracles import message_faults
from tests.beckn.test_alert_points import turned_down
from tests.beckn.test_flow_points import code
from tests.consumers import FIRST, NOW, Consumers, Provider, consumers, order, windows

A = "a.example.org"
SITE = "site-a"


class Plan:
    """Two sites of ours over a day from ``NOW`` on; nothing is planned on their headroom."""

    def __init__(self, leeds_kw: float, london_kw: float, price: float = 0.05, scarcity: float = 0.0) -> None:
        shape = (2, 48)
        room = np.broadcast_to(np.array([[leeds_kw], [london_kw]]), shape)
        self.plan_lock = threading.RLock()
        self.plan: Any = SimpleNamespace(
            start=NOW,
            slots=48,
            site_ids=("leeds", "london"),
            headroom_kw=room,
            planned_kw=np.zeros(shape),
            reserved_kw=np.zeros(shape),
            price=np.array([[price], [price + 0.01]]) * np.ones(shape),
            prices_gbp_per_kw_slot=np.full(shape, scarcity),
            carbon=np.full(shape, 200.0),
            tick=SimpleNamespace(tick_id="tick-9"),
        )

    def standing(self) -> Any:
        return self.plan

    def movable(self) -> None:
        return None

    def firm(self, wanted: Any) -> Any:
        raise AssertionError(wanted)


@contextmanager
def bought(folder: Path, plan: Plan) -> Iterator[tuple[Consumers, Contract]]:
    """50 kW in two half-hours at 0.1 GBP/kWh."""
    with consumers(folder, Provider(A, [windows(A, [60, 60], [0.1, 0.1], carbon=[100, 100])]), planner=plan) as ours:
        purchase = ours.service.buy(order(A))
        ours.settle()
        yield ours, ours.legs(purchase.purchase_id)[0]


def alerted(ours: Consumers, leg: Contract, action: str = "on_update", **changes: Any) -> Message:
    """The provider needs 20 kW of the first half-hour, unless it says otherwise."""
    told = {"event_id": "event-7", "site_id": SITE, "starts": FIRST, "needed_kw": (Decimal(20), Decimal(0)), **changes}
    alert = Alert(told["event_id"], "CARBON_SPIKE", "high", told["site_id"], told["starts"], told["needed_kw"])
    performance = [{"id": "alert", "performanceAttributes": alert.wire("https://a.example.org/beckn")}]
    return ours.unasked(leg, action, {**leg.document["contract"], "performance": performance})


def told(ours: Consumers, leg: Contract) -> AlertOut:
    (purchased,) = ours.service.purchase(leg.transaction_id).legs
    (alert,) = purchased.alerts
    return alert


def answer(ours: Consumers) -> Answered:
    (row,) = ours.sent("update")
    assert message_faults("update", ours.body(row)) == []
    found = read_action(ours.body(row)["message"]["contract"]["performance"], "$")
    assert found is not None
    return found


def booked(ours: Consumers) -> list[Booking]:
    return ours.store.bookings.active(NOW, NOW + SLOT * 48)


@pytest.mark.parametrize("action", ["on_update", "on_status"])
def test_point_24_what_our_own_sites_have_room_for_shifts_and_the_room_is_booked(tmp_path: Path, action: str) -> None:
    with bought(tmp_path, Plan(15, 90)) as (ours, leg):
        message = alerted(ours, leg, action)
        ours.clock.set(ours.clock.now() + timedelta(seconds=7))
        ours.callbacks.work(message)
        found = answer(ours)
        assert (found.event_id, found.action, found.tick_id) == ("event-7", "shift", "tick-9")
        assert found.freed_kw == (Decimal(20), Decimal(0))
        assert found.response_seconds == 7
        assert found.carbon_kg == 1, "10 kWh at 200 g here, at 100 g there"
        assert "£0.52 at our own sites and £1.00 by the contract" in found.reason, "7.5 kWh at 0.05, 2.5 at 0.06"
        assert sorted((each.site_id, each.start, each.power_kw) for each in booked(ours)) == [
            ("leeds", FIRST, 15.0),
            ("london", FIRST, 5.0),
        ]
        (record,) = ours.records("alerted")
        assert record.body["detail"].startswith("event-7: shift: ")
        assert {each.log_seq for each in booked(ours)} == {record.seq}
        assert (told(ours, leg).action, told(ours, leg).outcome) == ("shift", None)
        assert told(ours, leg).response_seconds == 7
        ours.settle()
        assert told(ours, leg).outcome == "taken"
        for again in (message, alerted(ours, leg, action), ours.came[-1]):
            ours.callbacks.work(again)
        assert len(ours.sent("update")) == len(ours.records("alerted")) == 1
        assert ours.store.messages.accepted() == []
        assert ours.service.purchase(leg.transaction_id).state == "confirmed"


@pytest.mark.parametrize(
    ("plan", "changes", "reason"),
    [
        (Plan(15, 4), {}, "have 19 kW free at 2026-04-01T09:00:00Z, and 20 kW are needed"),
        (Plan(90, 90, price=0.11), {}, "£1.10 at our own sites and £1.00 by the contract"),
        (Plan(90, 90, scarcity=0.03), {}, "£1.10 at our own sites and £1.00 by the contract"),
        (Plan(90, 90), {"starts": FIRST + 4 * SLOT}, "nothing was bought in those half-hours"),
        (Plan(90, 90), {"site_id": "elsewhere"}, "nothing was bought in those half-hours at that site"),
        (Plan(90, 90), {"needed_kw": (Decimal(0),)}, "does not say how much is needed"),
    ],
)
def test_point_24_what_has_no_room_or_costs_more_here_goes_on_as_bought(
    tmp_path: Path, plan: Plan, changes: dict[str, Any], reason: str
) -> None:
    with bought(tmp_path, plan) as (ours, leg):
        ours.callbacks.work(alerted(ours, leg, **changes))
        assert answer(ours).action == "continue"
        assert reason in answer(ours).reason
        assert not any(answer(ours).freed_kw)
        assert booked(ours) == []
        assert told(ours, leg).rooms == []


def test_point_24_a_half_hour_that_has_begun_and_a_server_without_a_plan_change_nothing(tmp_path: Path) -> None:
    with bought(tmp_path, Plan(90, 90)) as (ours, leg):
        ours.clock.set(FIRST + timedelta(minutes=1))
        ours.callbacks.work(alerted(ours, leg))
        assert "1 of the half-hours have begun" in answer(ours).reason
    plan = Plan(90, 90)
    plan.plan.tick = None
    (tmp_path / "other").mkdir()
    with bought(tmp_path / "other", plan) as (ours, leg):
        ours.callbacks.work(alerted(ours, leg))
        assert "no plan of ours is in force yet" in answer(ours).reason


def test_point_24_an_event_in_the_words_of_2025_is_answered_over_the_half_hours_that_were_bought(
    tmp_path: Path,
) -> None:
    with bought(tmp_path, Plan(90, 90)) as (ours, leg):
        event = {
            "gridEventAlert": {"eventId": "event-8", "eventType": "carbon_intensity_spike", "severity": "moderate"}
        }
        attributes = {**leg.document["contract"]["contractAttributes"], **event}
        ours.callbacks.work(
            ours.unasked(leg, "on_update", {**leg.document["contract"], "contractAttributes": attributes})
        )
        assert (answer(ours).event_id, answer(ours).action) == ("event-8", "continue")
        assert (answer(ours).starts, len(answer(ours).freed_kw)) == (FIRST, 2)


@pytest.mark.parametrize("dead", [False, True])
def test_point_24_an_answer_that_is_not_taken_gives_its_room_back(tmp_path: Path, dead: bool) -> None:
    with bought(tmp_path, Plan(90, 90)) as (ours, leg):
        ours.callbacks.work(alerted(ours, leg))
        assert len(booked(ours)) == 1
        if dead:
            ours.callbacks.undelivered(ours.sent("update")[0].message_id, "update", "no answer in 10 minutes")
        else:
            ours.providers[A].refuses = {"update"}
            ours.settle()
        outcome = "could not be delivered: no answer" if dead else "BIZ_QUANTITY_UNAVAILABLE: it is gone"
        assert outcome in (told(ours, leg).outcome or "")
        assert booked(ours) == []
        assert ours.legs(leg.transaction_id)[0].state == "ACTIVE"


def test_point_24_an_event_that_cannot_be_read_is_kept_once_however_often_it_is_told(tmp_path: Path) -> None:
    with bought(tmp_path, Plan(90, 90)) as (ours, leg):
        odd = {**leg.document["contract"]["contractAttributes"], "gridEventAlert": {"severity": "high"}}
        wire = {**leg.document["contract"], "contractAttributes": odd}
        for _ in range(3):
            ours.callbacks.work(ours.unasked(leg, "on_status", wire))
        assert "cannot be read" in told(ours, leg).reason


def test_point_24_what_one_event_has_shifted_is_not_there_for_the_next(tmp_path: Path) -> None:
    with bought(tmp_path, Plan(200, 200)) as (ours, leg):
        ours.callbacks.work(alerted(ours, leg))
        ours.settle()
        ours.providers[A].refuses = {"update"}
        for event_id in ("event-8", "event-9"):
            ours.callbacks.work(alerted(ours, leg, event_id=event_id, needed_kw=(Decimal(50),)))
        alerts = ours.service.purchase(leg.transaction_id).legs[0].alerts
        assert [sum(room.kw for room in each.rooms) for each in alerts] == [20, 30, 0]
        assert "has shifted before" in alerts[2].reason
        assert sum(each.power_kw for each in booked(ours)) == 50
        ours.settle()
        assert [each.power_kw for each in booked(ours)] == [20], "the provider did not take the second answer"
        ours.callbacks.work(alerted(ours, leg, event_id="event-10", needed_kw=(Decimal(50),)))
        assert sum(each.power_kw for each in booked(ours)) == 50


def test_point_24_events_named_alike_and_answers_that_change_have_records_of_their_own(tmp_path: Path) -> None:
    plan = Plan(200, 200)
    with bought(tmp_path, plan) as (ours, leg):
        ours.callbacks.work(alerted(ours, leg, event_id="a: b"))
        ours.callbacks.work(alerted(ours, leg, event_id="a"))
        assert len(ours.records("alerted")) == 2
        message = alerted(ours, leg, event_id="c")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ours.tools.letters, "request", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                ours.callbacks.work(message)
        plan.plan.price += 1.0
        ours.callbacks.work(message)
        said = [each.body["detail"] for each in ours.records("alerted") if each.body["detail"].startswith("c: ")]
        assert sorted(each.split(": ")[1] for each in said) == ["continue", "shift"]


def test_point_24_a_contract_that_is_cancelled_gives_its_room_back(tmp_path: Path) -> None:
    with bought(tmp_path, Plan(90, 90)) as (ours, leg):
        ours.callbacks.work(alerted(ours, leg))
        wire = {**leg.document["contract"], "status": {"code": "CANCELLED"}}
        ours.callbacks.work(ours.unasked(leg, "on_cancel", wire))
        assert booked(ours) == []


def test_point_24_an_answer_that_a_crash_cut_off_is_given_once(tmp_path: Path) -> None:
    with bought(tmp_path, Plan(90, 90)) as (ours, leg):
        message, whole = alerted(ours, leg), ours.tools.letters.request
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ours.tools.letters, "request", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                ours.callbacks.work(message)
        assert whole == ours.tools.letters.request
        assert (booked(ours), len(ours.records("alerted"))) == ([], 1)
        ours.clock.set(ours.clock.now() + timedelta(seconds=3))
        ours.callbacks.work(message)
        assert (len(booked(ours)), len(ours.records("alerted")), len(ours.sent("update"))) == (1, 1, 1)


def test_point_24_a_provider_keeps_what_the_buyer_of_a_window_does_and_changes_nothing(tmp_path: Path) -> None:
    with market(tmp_path) as world:
        buyer = world.buyer()
        transaction, contract = buyer.bought(12, [5.0, 5.0])
        starts = world.bench.house.contracts.get(contract["id"]).starts
        done = Answered(
            "event-7", "shift", "it runs in leeds", starts, (Decimal(5), Decimal(0)), Decimal(1), Decimal(3), None
        )
        attributes = {"performanceAttributes": done.wire(buyer.peer.url)}
        asked = {**contract, "performance": [{"id": "answer", **attributes}]}
        before = world.bench.house.contracts.get(contract["id"])
        tried = buyer.ask("update", {"contract": asked}, transaction, **{"try": True})
        assert "error" not in tried, tried["error"]
        assert world.bench.house.contracts.get(contract["id"]) == before
        world.bench.clock.set(starts - timedelta(minutes=1))
        answered = buyer.ask("update", {"contract": asked}, transaction)
        assert "error" not in answered, answered["error"]
        assert read_action(answered["message"]["contract"]["performance"], "$") == done
        after = world.bench.house.contracts.get(contract["id"])
        assert after.document["items"] == before.document["items"]
        (kept,) = after.document["alerts"]
        assert (kept["by"], kept["event_id"], kept["action"]) == ("buyer", "event-7", "shift")
        records, _ = world.bench.house.log.records(kind="contract", text=contract["id"], limit=1)
        assert records[0].body["detail"] == "the buyer's answer: shift: it runs in leeds"
        less = buyer.quoted(14, [4.0])[1]["commitments"]
        told = buyer.ask("update", {"contract": {**asked, "commitments": less}}, transaction)
        assert code(told) == "BIZ_UPDATE_INCONSISTENT"


def test_point_24_the_buyer_of_a_turn_down_does_nothing_itself(tmp_path: Path) -> None:
    with market(tmp_path) as world:
        buyer = world.buyer()
        contract, _, starts = turned_down(world, buyer, 10.0)
        transaction = contract.pop("transaction")
        done = Answered("event-7", "shift", "we do", starts, (Decimal(5),), Decimal(0), Decimal(3), None)
        asked = {**contract, "performance": [{"id": "answer", "performanceAttributes": done.wire(buyer.peer.url)}]}
        assert code(buyer.ask("update", {"contract": asked}, transaction)) == "BIZ_INVALID_UPDATE_TARGET"
        assert uuid.UUID(contract["id"])
