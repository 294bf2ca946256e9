"""The consumer's points: several providers at once, compensation, ids, late and repeated callbacks, settlement."""

from __future__ import annotations

import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from beckn.consumer.legs import leg_of, read_items
from beckn.packs.performance import Measured
from beckn.packs.settlement import intervals_of, settle
from core.trade import ContractState
from tests.consumers import FIRST, Consumers, Provider, consumers, order, windows
from web.dues import Basis, Due
from web.pages.contract_story import story_of

A, B, C = "a.example.org", "b.example.org", "c.example.org"


def three(**of_b: Any) -> tuple[Provider, Provider, Provider]:
    """50 kW take 30 of the cheap A and 20 of B; C is dear and has enough of all."""
    return (
        Provider(A, [windows(A, [30, 30], [0.10, 0.11])]),
        Provider(B, [windows(B, [30, 30], [0.12, 0.13])], **of_b),
        Provider(C, [windows(C, [200, 200], [0.30, 0.31])]),
    )


def active(ours: Consumers, purchase_id: str) -> dict[str, float]:
    """kW in the first half-hour by provider of what is active."""
    return {
        leg.peer_id: float(sum(item.lines[0].kw for item in read_items(leg)))
        for leg in ours.legs(purchase_id)
        if leg.state is ContractState.ACTIVE
    }


def test_point_26_windows_of_several_providers_are_confirmed_in_parallel(tmp_path: Path) -> None:
    with consumers(tmp_path, *three()) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.turn()
        assert [row.peer_id for row in ours.sent("select")] == [A, B]
        ours.turn()
        assert [row.peer_id for row in ours.sent("init")] == [A, B]
        assert ours.records("confirmed") == []
        ours.turn()
        assert [row.peer_id for row in ours.sent("confirm")] == [A, B]
        assert {each.body["peer_id"] for each in ours.records("confirmed")} == {A, B}
        ours.settle()
        found = ours.service.purchase(bought.purchase_id)
        assert (found.state, found.confirmed_kwh) == ("confirmed", 50.0)
        assert active(ours, bought.purchase_id) == {A: 30.0, B: 20.0}
        assert found.cost_gbp == pytest.approx(15 * 0.10 + 15 * 0.11 + 10 * 0.12 + 10 * 0.13)


def test_point_11_one_transaction_and_an_id_for_each_message(tmp_path: Path) -> None:
    with consumers(tmp_path, *three()) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.settle()
        contexts = [ours.body(row)["context"] for row in ours.sent()]
        assert {each["transactionId"] for each in contexts} == {bought.purchase_id}
        ids = [each["messageId"] for each in contexts]
        assert len(set(ids)) == len(ids) == 3 + 3 * 2
        assert all(str(uuid.UUID(each)) == each for each in ids)


def test_point_26_a_leg_that_fails_is_made_good_once_by_others(tmp_path: Path) -> None:
    with consumers(tmp_path, *three(refuses={"confirm"})) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.settle()
        found = ours.service.purchase(bought.purchase_id)
        assert found.state == "confirmed"
        assert active(ours, bought.purchase_id) == {A: 30.0, C: 20.0}
        assert "BIZ_QUANTITY_UNAVAILABLE" in (found.reason or "")
        assert ours.sent("cancel") == []


def test_point_26_what_cannot_be_made_good_is_given_back(tmp_path: Path) -> None:
    with consumers(tmp_path, *three(refuses={"confirm"})[:2]) as ours:
        bought = ours.service.buy(order(A, B))
        ours.settle()
        found = ours.service.purchase(bought.purchase_id)
        assert [row.peer_id for row in ours.sent("cancel")] == [A]
        assert (found.state, found.confirmed_kwh) == ("failed", 0.0)
        assert {leg.state for leg in ours.legs(bought.purchase_id)} == {ContractState.CANCELLED}
        assert [each.body["peer_id"] for each in ours.records("cancelled")] == [A]


def test_point_26_what_cannot_be_given_back_is_said(tmp_path: Path) -> None:
    first, second, _ = three(refuses={"confirm"})
    first.refuses = {"cancel"}
    with consumers(tmp_path, first, second) as ours:
        bought = ours.service.buy(order(A, B))
        ours.settle()
        found = ours.service.purchase(bought.purchase_id)
        assert found.state == "failed"
        assert f"still bound to {A}" in (found.reason or "")
        assert active(ours, bought.purchase_id) == {A: 30.0}


@pytest.mark.parametrize(("refusal", "bound"), [("POL_CANCELLATION_NOT_ALLOWED", True), ("BIZ_ORDER_NOT_FOUND", False)])
@pytest.mark.parametrize("late", [False, True])
def test_point_26_a_confirmation_without_an_answer_that_cannot_be_cancelled_counts_as_in_force(
    tmp_path: Path, refusal: str, bound: bool, late: bool
) -> None:
    providers = three(mute={"confirm", "cancel"} if late else {"confirm"}, refuses={"cancel"}, refusal=refusal)
    with consumers(tmp_path, *providers) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.settle()
        ours.later(61)
        ours.settle()
        if late:
            assert ours.service.purchase(bought.purchase_id).state == "confirmed", "C has made it good"
            (row,) = ours.sent("cancel")
            ours.callbacks.work(ours.callback(row, {"message": {}, "error": {"code": refusal, "message": "no"}}))
        found = ours.service.purchase(bought.purchase_id)
        assert found.state == "confirmed"
        assert active(ours, bought.purchase_id) == {A: 30.0, C: 20.0} | ({B: 20.0} if bound else {})
        assert (found.reason or "").count(f"still bound to {B}") == bound
        ours.service.tick()
        assert ours.service.purchase(bought.purchase_id) == found
        assert found.confirmed_kwh == (70.0 if bound else 50.0)


def test_point_26_a_held_leg_that_cannot_be_cancelled_binds_nobody(tmp_path: Path) -> None:
    first, second, _ = three(refuses={"init"})
    first.refuses = {"cancel"}
    with consumers(tmp_path, first, second) as ours:
        bought = ours.service.buy(order(A, B))
        ours.settle()
        found = ours.service.purchase(bought.purchase_id)
        assert [row.peer_id for row in ours.sent("cancel")] == [A]
        assert (found.state, found.confirmed_kwh) == ("failed", 0.0)
        assert "still bound" not in (found.reason or "")
        assert ours.records("confirmed") == []
        assert {leg.state for leg in ours.legs(bought.purchase_id)} == {ContractState.CANCELLED}


def test_point_26_a_buyer_may_keep_a_part(tmp_path: Path) -> None:
    with consumers(tmp_path, *three(refuses={"confirm"})[:2]) as ours:
        bought = ours.service.buy(order(A, B, partial=True))
        ours.settle()
        found = ours.service.purchase(bought.purchase_id)
        assert (found.state, found.confirmed_kwh) == ("partial", 30.0)
        assert ours.sent("cancel") == []


def test_point_26_a_confirmation_without_an_answer_is_cancelled_and_made_good(tmp_path: Path) -> None:
    with consumers(tmp_path, *three(mute={"confirm"})) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.settle()
        assert ours.service.purchase(bought.purchase_id).state == "negotiating"
        ours.later(61)
        ours.service.tick()
        ours.settle()
        assert [row.peer_id for row in ours.sent("cancel")] == [B]
        assert ours.service.purchase(bought.purchase_id).state == "confirmed"
        assert active(ours, bought.purchase_id) == {A: 30.0, C: 20.0}


def test_point_26_a_dead_letter_fails_its_leg(tmp_path: Path) -> None:
    with consumers(tmp_path, *three(mute={"init"})) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.settle()
        lost = next(row for row in ours.sent("init") if row.peer_id == B)
        for _ in range(2):
            ours.callbacks.undelivered(lost.message_id, "init", "no answer in 10 minutes")
        ours.settle()
        assert active(ours, bought.purchase_id) == {A: 30.0, C: 20.0}


def test_point_26_repeated_callbacks_have_no_second_effect(tmp_path: Path) -> None:
    with consumers(tmp_path, *three()) as ours:
        bought = ours.service.buy(order(A, B, C))
        while ours.turn():
            sent = len(ours.sent())
            for message in list(ours.came):
                ours.callbacks.work(message)
            assert len(ours.sent()) == sent
        legs = ours.legs(bought.purchase_id)
        assert len(legs) == 2
        assert len(ours.records("confirmed")) == 2
        assert ours.store.messages.accepted() == []
        for message in list(ours.came):
            ours.callbacks.work(message)
        assert ours.legs(bought.purchase_id) == legs


def test_point_26_late_catalogs_and_answers_are_kept_and_change_nothing(tmp_path: Path) -> None:
    first, second, third = three()
    third.mute = {"discover"}
    with consumers(tmp_path, first, second, third) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.turn()
        assert ours.sent("select") == []
        ours.later(16)
        asked = next(row for row in ours.sent("discover") if row.peer_id == C)
        late = ours.callback(asked, {"message": {"catalogs": [windows(C, [200, 200], [0.01, 0.01])]}})
        ours.callbacks.work(late)
        ours.settle()
        assert active(ours, bought.purchase_id) == {A: 30.0, B: 20.0}
        assert ours.store.messages.accepted() == []


def test_point_26_an_answer_after_its_leg_has_ended_is_kept_and_changes_nothing(tmp_path: Path) -> None:
    with consumers(tmp_path, *three(refuses={"confirm"})) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.settle()
        row = next(row for row in ours.sent("confirm") if row.peer_id == B)
        contract = ours.body(row)["message"]["contract"]
        before = ours.legs(bought.purchase_id)
        ours.callbacks.work(ours.callback(row, {"message": {"contract": {**contract, "status": {"code": "ACTIVE"}}}}))
        assert ours.legs(bought.purchase_id) == before
        assert ours.store.messages.accepted() == []


def test_point_26_a_purchase_goes_on_after_a_restart(tmp_path: Path) -> None:
    providers = three()
    with consumers(tmp_path, *providers) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.turn()
        ours.turn()
        clock, read = ours.clock, ours.read
    with consumers(tmp_path, *providers, clock=clock) as ours:
        ours.read = read
        ours.settle()
        assert ours.service.purchase(bought.purchase_id).state == "confirmed"


def test_point_26_a_step_that_a_crash_cut_off_after_its_record_adds_no_second(tmp_path: Path) -> None:
    with consumers(tmp_path, *three()) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.turn()
        ours.turn()
        rows = ours.sent("init")
        for row in rows:
            message = ours.callback(row, ours.providers[row.peer_id].answer("init", ours.body(row)) or {})
            whole = ours.tools.letters.request
            ours.tools.letters.request = _fails_at_confirm(whole)
            if row is rows[-1]:
                with pytest.raises(RuntimeError, match="killed"):
                    ours.callbacks.work(message)
            ours.tools.letters.request = whole
            ours.callbacks.work(message)
        assert len(ours.records("confirmed")) == 2
        assert len(ours.sent("confirm")) == 2
        assert ours.store.messages.accepted() == []
        ours.read = len(ours.sent()) - 2
        ours.settle()
        assert ours.service.purchase(bought.purchase_id).state == "confirmed"


def _fails_at_confirm(whole: Any) -> Any:
    def request(action: str, *arguments: Any, **others: Any) -> Any:
        if action == "confirm":
            raise RuntimeError("killed")
        return whole(action, *arguments, **others)

    return request


@pytest.mark.parametrize(("tolerance", "state"), [(0.05, "failed"), (0.2, "confirmed")])
def test_point_26_a_price_that_rose_beyond_the_tolerance_is_not_taken(
    tmp_path: Path, tolerance: float, state: str
) -> None:
    with consumers(tmp_path, Provider(A, [windows(A, [60, 60], [0.1, 0.1])], dearer=1.1)) as ours:
        bought = ours.service.buy(order(A, tolerance=tolerance))
        ours.settle()
        assert ours.service.purchase(bought.purchase_id).state == state
        assert len(ours.sent("confirm")) == (state == "confirmed")


def test_point_26_a_provider_that_cancels_leaves_a_part(tmp_path: Path) -> None:
    with consumers(tmp_path, *three()) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.settle()
        leg = next(leg for leg in ours.legs(bought.purchase_id) if leg.peer_id == B)
        wire = {**leg.document["contract"], "status": {"code": "CANCELLED"}}
        message = ours.unasked(leg, "on_cancel", wire)
        ours.callbacks.work(message)
        ours.callbacks.work(message)
        found = ours.service.purchase(bought.purchase_id)
        assert (found.state, found.confirmed_kwh) == ("partial", 30.0)
        assert len(ours.records("cancelled")) == 1


def test_point_26_a_provider_may_give_the_contract_its_own_id(tmp_path: Path) -> None:
    own_id = str(uuid.uuid4())
    with consumers(tmp_path, Provider(A, [windows(A, [60, 60], [0.1, 0.1])], own_id=own_id)) as ours:
        bought = ours.service.buy(order(A))
        ours.settle()
        found = ours.service.purchase(bought.purchase_id)
        assert found.state == "confirmed"
        assert ours.body(ours.sent("confirm")[0])["message"]["contract"]["id"] == own_id
        leg = ours.legs(bought.purchase_id)[0]
        assert [(each.contract_id, each.peer_contract_id) for each in found.legs] == [(leg.contract_id, own_id)]
        alert = {**leg.document["contract"], "contractAttributes": {**_attributes(leg), "gridEventAlert": {}}}
        ours.callbacks.work(ours.unasked(leg, "on_update", alert))
        (alert,) = ours.service.purchase(bought.purchase_id).legs[0].alerts
        assert (alert.event_id, alert.action) == (None, None)
        assert "without an eventId" in alert.reason
        assert ours.sent("update") == []


def _attributes(leg: Any) -> dict[str, Any]:
    return dict(leg.document["contract"]["contractAttributes"])


def settled_statuses(leg: Any, short_kw: float, error: float = 0.0) -> list[dict[str, Any]]:
    """Two pages of readings and the flows; the first half-hour is ``short_kw`` short."""
    from decimal import Decimal

    from beckn.consumer.settling import grids
    from beckn.packs.grid import Column, Grid

    item = read_items(leg)[0]
    kw = [line.kw for line in item.lines]
    half = [figure / 2 for figure in kw]
    usage = [Decimal(str(short_kw)), *(Decimal(0) for _ in kw[1:])]
    meters = {
        "m1": Grid(FIRST, {"BASELINE": Column.of("KW", half, None, "DIRECT_READ"), "USAGE": _report(usage)}),
        "m2": Grid(FIRST, {"BASELINE": Column.of("KW", half, None, "DIRECT_READ"), "USAGE": _report([0] * len(kw))}),
    }
    ours = settle(intervals_of(*grids(item), list(meters.values())), "GBP")
    assert ours.rows[0].delivered_kw == kw[0] - Decimal(str(short_kw))
    flows = [{"role": role, "value": float(value), "currency": "GBP"} for role, value in ours.flows.items()]
    flows[0]["value"] = flows[0]["value"] - error
    flows[1]["value"] = flows[1]["value"] + error
    attributes = {**_attributes(leg), "revenueFlows": flows}
    wires = []
    for page in Measured("event", "declared-plan", meters).pages(1, "readings"):
        performance = [{"id": "p", "commitmentIds": [item.commitment_id], "performanceAttributes": page.wire()}]
        wires.append({**leg.document["contract"], "performance": performance, "contractAttributes": attributes})
    return wires


def _report(figures: Any) -> Any:
    from decimal import Decimal

    from beckn.packs.grid import Column

    return Column.of("KW", [Decimal(figure) for figure in figures], None, "DIRECT_READ")


def bought_of_one(ours: Consumers) -> Any:
    bought = ours.service.buy(order(A))
    ours.settle()
    return ours.legs(bought.purchase_id)[0]


@pytest.mark.parametrize("order_of", [(0, 1), (1, 0)])
def test_point_21_pages_are_joined_and_the_settlement_reckoned_again(tmp_path: Path, order_of: tuple[int, int]) -> None:
    with consumers(tmp_path, Provider(A, [windows(A, [60, 60], [0.1, 0.1])])) as ours:
        leg = bought_of_one(ours)
        wires = settled_statuses(leg, short_kw=10)
        ours.callbacks.work(ours.unasked(leg, "on_status", wires[order_of[0]]))
        assert ours.legs(leg.transaction_id)[0].state is ContractState.ACTIVE
        ours.callbacks.work(ours.unasked(leg, "on_status", wires[order_of[1]]))
        done = ours.legs(leg.transaction_id)[0]
        assert (done.state, done.document["dispute"]) == (ContractState.COMPLETE, None)
        ours.callbacks.work(ours.unasked(leg, "on_status", wires[0]))
        assert ours.legs(leg.transaction_id)[0] == done
        (record,) = ours.records("settled")
        # 25 and 25 kWh at 0.1, of the first 5 kWh short at 0.5: 2.00 + 2.50 - 2.50
        assert record.body["total"] == "2.00"
        story = story_of(done)
        assert story.due == Due(Decimal("-2.00"), "GBP", Basis.SETTLED, Decimal("-2.00"))
        assert (story.stage, story.settled, story.sums.net) == ("settled", True, Decimal("2.00"))


def test_point_21_a_penny_too_much_is_a_dispute_with_both_figures(tmp_path: Path) -> None:
    with consumers(tmp_path, Provider(A, [windows(A, [60, 60], [0.1, 0.1])])) as ours:
        leg = bought_of_one(ours)
        for wire in settled_statuses(leg, short_kw=10, error=0.01):
            ours.callbacks.work(ours.unasked(leg, "on_status", wire))
        done = ours.legs(leg.transaction_id)[0]
        assert (done.document["dispute"]["told"], done.document["dispute"]["ours"]) == ("2.01", "2.00")
        assert story_of(done).dispute == "the figures differ: 2.01 is told, 2.00 is reckoned"
        (record,) = ours.records("settled")
        assert "2.01" in record.body["detail"]
        assert "2.00" in record.body["detail"]


@pytest.mark.parametrize("status", ["PARTIAL", "REJECTED", "ACCEPTED"])
def test_point_01_what_was_published_in_part_or_not_is_alerted(tmp_path: Path, status: str) -> None:
    said: list[str] = []
    handler = logger.add(said.append, level="WARNING", format="{message}")
    try:
        with consumers(tmp_path, Provider(A, [])) as ours:
            body = {"message": {"results": [{"catalogId": "k", "status": status, "errors": [{"message": "no id"}]}]}}
            context = {"action": "catalog/on_publish", "messageId": str(uuid.uuid4()), "transactionId": "t"}
            ours.callbacks.work(ours.take("directory.example.org", context, body))
            assert ours.store.messages.accepted() == []
    finally:
        logger.remove(handler)
    assert any(status in each and "no id" in each for each in said) == (status != "ACCEPTED")


@pytest.mark.parametrize("action", ["on_track", "on_support", "on_rate"])
def test_point_01_other_callbacks_are_kept_beside_the_contract(tmp_path: Path, action: str) -> None:
    with consumers(tmp_path, Provider(A, [windows(A, [60, 60], [0.1, 0.1])])) as ours:
        leg = bought_of_one(ours)
        told = {
            "on_track": {"tracking": {"url": "https://a.example.org/track", "status": "ACTIVE"}},
            "on_support": {"support": {"orderId": leg.contract_id}},
            "on_rate": {"ratings": []},
        }[action]
        context = {"action": action, "messageId": str(uuid.uuid4()), "transactionId": leg.transaction_id}
        ours.callbacks.work(ours.take(A, context, {"message": told}))
        kept = ours.legs(leg.transaction_id)[0]
        assert kept.document["told"][action] == told
        assert leg_of(kept) == leg_of(leg)


def test_a_tick_before_anything_is_due_changes_nothing(tmp_path: Path) -> None:
    with consumers(tmp_path, *three(mute={"init"})) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.settle()
        before = ours.store.purchases.get(bought.purchase_id), ours.legs(bought.purchase_id)
        ours.later(59)
        assert (ours.store.purchases.get(bought.purchase_id), ours.legs(bought.purchase_id)) == before


def test_a_catalog_with_an_error_and_no_message_ends_the_wait(tmp_path: Path) -> None:
    with consumers(tmp_path, *three()[:1], Provider(B, [])) as ours:
        bought = ours.service.buy(order(A, B, kw=20))
        rows = {row.peer_id: row for row in ours.sent("discover")}
        error = {"message": None, "error": {"code": "NET_OVERLOADED", "message": "later"}}
        ours.callbacks.work(ours.callback(rows[B], error))
        ours.callbacks.work(ours.callback(rows[A], ours.providers[A].answer("discover", {}) or {}))
        assert ours.service.purchase(bought.purchase_id).asked[B] == "NET_OVERLOADED: later"
        assert [row.peer_id for row in ours.sent("select")] == [A]


def test_a_provider_that_speaks_for_another_is_not_heard(tmp_path: Path) -> None:
    with consumers(tmp_path, Provider(A, [windows(B, [60, 60], [0.01, 0.01])]), Provider(B, [])) as ours:
        bought = ours.service.buy(order(A))
        ours.settle()
        assert ours.service.purchase(bought.purchase_id).state == "failed"
        assert ours.sent("select") == []


def test_point_26_it_is_made_good_once_only(tmp_path: Path) -> None:
    first, second, third = three(refuses={"confirm"})
    third.refuses = {"confirm"}
    last = Provider("d.example.org", [windows("d.example.org", [200, 200], [0.50, 0.50])])
    with consumers(tmp_path, first, second, third, last) as ours:
        bought = ours.service.buy(order(A, B, C, last.peer_id))
        ours.settle()
        assert ours.service.purchase(bought.purchase_id).state == "failed"
        assert [row.peer_id for row in ours.sent("select")] == [A, B, C]


def test_point_26_a_late_catalog_replaces_nothing(tmp_path: Path) -> None:
    first, second, third = three(refuses={"confirm"})
    third.mute = {"discover"}
    with consumers(tmp_path, first, second, third) as ours:
        bought = ours.service.buy(order(A, B, C))
        ours.turn()
        ours.later(16)
        asked = next(row for row in ours.sent("discover") if row.peer_id == C)
        ours.callbacks.work(ours.callback(asked, {"message": {"catalogs": third.catalogs}}))
        ours.settle()
        assert ours.service.purchase(bought.purchase_id).state == "failed"
        assert C not in {row.peer_id for row in ours.sent("select")}
