"""Points 16, 17 and 18: what is held and sold is there, at the price that was told, and is sold once."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.slots import SLOT
from core.trade import Hold
from tests.beckn.market import Buyer, Market, asking, market
from tests.beckn.test_flow_points import code
from tests.house import START


@pytest.fixture(scope="module")
def seller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with market(tmp_path_factory.mktemp("seller"), beckn_open_drafts=2) as found:
        yield found


@pytest.fixture(scope="module")
def buyer(seller: Market) -> Buyer:
    return seller.buyer()


def booked(seller: Market, slot: int, site: str = "leeds") -> float:
    starts = START + slot * SLOT
    held = seller.bench.house.store.bookings.active(starts, starts + SLOT)
    return sum(row.power_kw for row in held if row.site_id == site)


def most(buyer: Buyer, slot: int) -> float:
    """kW that a selection of everything is promised."""
    _, contract = buyer.quoted(slot, [1e9])
    return float(contract["commitments"][0]["resources"][0]["quantity"]["unitQuantity"])


# 16


def test_point_16_a_hold_keeps_capacity_and_lapses_with_the_offer(tmp_path: Path) -> None:
    with market(tmp_path, beckn_hold_seconds=300) as found:
        buyer, other = found.buyer(), found.buyer(2)
        whole = most(buyer, 8)
        transaction_id, contract = buyer.quoted(8, [whole])
        assert booked(found, 8) == 0, "a quotation holds nothing"
        told = buyer.ask("init", {"contract": contract}, transaction_id)
        assert booked(found, 8) == whole
        assert code(other.ask("select", {"contract": asking(*other.offered(), 8, [1])})) == "BIZ_QUANTITY_UNAVAILABLE"
        until = told["message"]["contract"]["commitments"][0]["offer"]["validity"]["endDate"]
        assert until == "2023-03-01T00:05:00Z"
        found.bench.clock.set(START + timedelta(seconds=299))
        assert code(buyer.ask("init", {"contract": contract}, transaction_id)) is None
        found.trade.advance()
        assert booked(found, 8) == whole
        found.bench.clock.set(START + timedelta(seconds=300))
        assert code(buyer.ask("confirm", {"contract": contract}, transaction_id)) == "BIZ_QUOTE_EXPIRED_OR_CHANGED"
        found.trade.advance()
        assert booked(found, 8) == 0
        assert code(buyer.ask("confirm", {"contract": contract}, transaction_id)) == "BIZ_QUOTE_EXPIRED_OR_CHANGED"
        assert code(other.ask("select", {"contract": asking(*other.offered(), 8, [whole])})) is None


def test_point_16_two_drafts_do_not_hold_the_same(seller: Market, buyer: Buyer) -> None:
    other = seller.buyer(2)
    whole = most(buyer, 9)
    first, mine = buyer.quoted(9, [whole])
    second, theirs = other.quoted(9, [whole])
    assert code(buyer.ask("init", {"contract": mine}, first)) is None
    assert code(other.ask("init", {"contract": theirs}, second)) == "BIZ_QUANTITY_UNAVAILABLE"
    assert code(other.ask("confirm", {"contract": theirs}, second)) == "BIZ_QUANTITY_UNAVAILABLE"
    assert booked(seller, 9) == whole
    assert code(buyer.ask("cancel", {"contract": mine}, first)) is None
    assert code(other.ask("init", {"contract": theirs}, second)) is None
    assert code(other.ask("cancel", {"contract": theirs}, second)) is None
    assert booked(seller, 9) == 0


def test_point_16_the_last_of_a_half_hour_is_sold_once_to_a_hundred_buyers(seller: Market, buyer: Buyer) -> None:
    whole = most(buyer, 10)
    buyers = [seller.buyer(100 + number, buyer.peer) for number in range(100)]
    asked = asking(*buyer.offered(), 10, [whole])
    selections = [each.send("select", {"contract": asked}) for each in buyers]
    quotes = [each.callback("on_select", sent["messageId"]) for each, sent in zip(buyers, selections, strict=True)]
    start = threading.Barrier(10)
    confirmed: dict[int, Any] = {}

    def confirm(share: int) -> None:
        start.wait(10)
        for number in range(share, 100, 10):
            contract = quotes[number]["message"]["contract"]
            transaction_id = selections[number]["transactionId"]
            confirmed[number] = buyers[number].send("confirm", {"contract": contract}, transaction_id)

    threads = [threading.Thread(target=confirm, args=(share,)) for share in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [buyers[n].callback("on_confirm", sent["messageId"]) for n, sent in sorted(confirmed.items())]
    assert Counter(code(each) for each in told) == {None: 1, "BIZ_QUANTITY_UNAVAILABLE": 99}
    assert booked(seller, 10) == whole
    won = next(each["message"]["contract"]["id"] for each in told if code(each) is None)
    active = seller.bench.house.store.bookings.active(START + 10 * SLOT, START + 11 * SLOT)
    assert [row.contract_id for row in active] == [won]


def test_point_30_nobody_holds_more_drafts_than_allowed(seller: Market) -> None:
    hoarder = seller.buyer(4)
    drafts = [hoarder.quoted(11, [1]) for _ in range(3)]
    told = [hoarder.ask("init", {"contract": contract}, name) for name, contract in drafts]
    assert [code(each) for each in told] == [None, None, "POL_NP_CAPACITY_EXCEEDED"]
    assert booked(seller, 11) == 2
    assert "confirm or cancel one" in told[-1]["error"]["message"]
    assert code(hoarder.ask("confirm", {"contract": drafts[0][1]}, drafts[0][0])) is None
    assert code(hoarder.ask("init", {"contract": drafts[2][1]}, drafts[2][0])) is None


# 17


def _plan_at(found: Market, factor: float) -> None:
    """A new plan whose prices are ``factor`` times what they were."""
    loop = found.bench.house.loop
    found.bench.tick()
    standing = loop.standing()
    dearer = replace(standing, price=standing.price * factor)
    loop.standing = lambda: dearer  # type: ignore[method-assign]


def _price(contract: dict[str, Any]) -> float:
    rows = contract["commitments"][0]["resources"][0]["resourceAttributes"]["intervals"]
    return float(next(p["values"][0] for p in rows[0]["payloads"] if p["type"] == "PRICE"))


@pytest.mark.parametrize("action", ["init", "confirm"])
@pytest.mark.parametrize(("factor", "refusal"), [(1.5, "BIZ_QUOTE_EXPIRED_OR_CHANGED"), (1.0, None), (0.5, None)])
def test_point_17_a_quote_is_honoured_unless_a_new_plan_makes_it_dearer(
    tmp_path: Path, action: str, factor: float, refusal: str | None
) -> None:
    with market(tmp_path) as found:
        buyer = found.buyer()
        transaction_id, contract = buyer.quoted(8, [10])
        _plan_at(found, factor)
        told = buyer.ask(action, {"contract": contract}, transaction_id)
        assert code(told) == refusal
        if refusal is None:
            assert _price(told["message"]["contract"]) == _price(contract)
        else:
            assert booked(found, 8) == 0


def test_point_17_a_quote_that_was_held_is_honoured_whatever_the_plan(tmp_path: Path) -> None:
    with market(tmp_path) as found:
        buyer = found.buyer()
        transaction_id, contract = buyer.quoted(8, [10])
        buyer.ask("init", {"contract": contract}, transaction_id)
        _plan_at(found, 3.0)
        told = buyer.ask("confirm", {"contract": contract}, transaction_id)
        assert code(told) is None
        assert _price(told["message"]["contract"]) == _price(contract)


def _plan_while_priced(found: Market, *, before: bool = False, dearer_gbp: float = 0.0) -> list[str]:
    """A new plan while the next turn-down is priced, after or ``before`` its own; the plans priced from now on."""
    loop = found.bench.house.loop
    whole, priced = loop.firm, list[str]()

    def firm(wanted: Any) -> Any:
        first = not priced
        if first and before:
            found.bench.tick()
        cost = whole(wanted)
        if first and not before:
            found.bench.tick()
        priced.append(cost.tick_id)
        return replace(cost, cost_gbp=cost.cost_gbp + dearer_gbp)

    loop.firm = firm  # type: ignore[method-assign]
    return priced


def _tick_id(found: Market) -> str:
    tick = found.bench.house.loop.standing().tick
    assert tick is not None
    return tick.tick_id


def _busiest(found: Market) -> tuple[str, int]:
    """Site and slot in which the plan has the most load that may move."""
    planned = _planned(found.bench.house.loop.standing())
    return max((cell for cell in planned if cell[1] >= 2), key=lambda cell: planned[cell])


@pytest.mark.parametrize("action", ["init", "confirm"])
def test_point_17_a_turn_down_is_held_by_the_plan_that_came_while_it_was_priced(tmp_path: Path, action: str) -> None:
    with market(tmp_path, beckn_notice_minutes=0) as found:
        buyer = found.buyer()
        site, slot = _busiest(found)
        transaction_id, contract = buyer.quoted(slot, [5], product="turn-down", site=site)
        quoted = _tick_id(found)
        found.bench.tick()
        second, priced = _tick_id(found), _plan_while_priced(found)
        told = buyer.ask(action, {"contract": contract}, transaction_id)
        assert code(told) is None, told
        assert _price(told["message"]["contract"]) == _price(contract)
        assert len(priced) == 2
        assert priced[0] == second != priced[1], "it was priced anew by the plan that came meanwhile"
        standing = found.bench.house.loop.standing()
        (item,) = found.bench.house.contracts.get(contract["id"]).document["items"]
        assert item["tick_id"] == priced[1] != quoted
        (kept,) = found.bench.house.store.reductions.of_contract(contract["id"])
        assert kept.state is (Hold.HELD if action == "init" else Hold.COMMITTED)
        assert kept.baseline_kw == pytest.approx(standing.planned_kw[standing.site_ids.index(site), slot], abs=1e-3)
        assert found.bench.tick().unserved == 0
        assert _planned(found.bench.house.loop.standing()).get((site, slot), 0.0) <= kept.cap_kw + 1e-6


@pytest.mark.parametrize("action", ["init", "confirm"])
def test_point_17_a_turn_down_that_became_dearer_while_it_was_priced_is_refused(tmp_path: Path, action: str) -> None:
    with market(tmp_path, beckn_notice_minutes=0) as found:
        buyer = found.buyer()
        site, slot = _busiest(found)
        transaction_id, contract = buyer.quoted(slot, [5], product="turn-down", site=site)
        found.bench.tick()
        _plan_while_priced(found, dearer_gbp=1.0)
        told = buyer.ask(action, {"contract": contract}, transaction_id)
        assert code(told) == "BIZ_QUOTE_EXPIRED_OR_CHANGED"
        assert found.bench.house.store.reductions.of_contract(contract["id"]) == []


@pytest.mark.parametrize("before", [True, False])
def test_point_17_a_turn_down_is_quoted_by_one_plan_and_the_quote_holds(tmp_path: Path, before: bool) -> None:
    with market(tmp_path, beckn_notice_minutes=0) as found:
        buyer = found.buyer()
        site, slot = _busiest(found)
        asked = {"contract": asking(*buyer.offered(site, "turn-down"), slot, [5])}
        first, priced = _tick_id(found), _plan_while_priced(found, before=before)
        selected = buyer.ask("select", asked)
        assert code(selected) is None, selected
        contract = selected["message"]["contract"]
        (item,) = found.bench.house.contracts.get(contract["id"]).document["items"]
        assert item["tick_id"] == priced[-1]
        assert (len(priced), item["tick_id"] == first) == ((2, False) if before else (1, True))
        told = buyer.ask("init", {"contract": contract}, selected["context"]["transactionId"])
        assert code(told) is None, told
        assert _price(told["message"]["contract"]) == _price(contract)
        assert len(found.bench.house.store.reductions.of_contract(contract["id"])) == 1


def test_point_17_what_was_quoted_cannot_be_changed_on_the_way_back(seller: Market, buyer: Buyer) -> None:
    transaction_id, contract = buyer.quoted(13, [5, 5])
    whole = contract["commitments"][0]
    changes: list[tuple[str, Any]] = [
        ("BIZ_QUOTE_EXPIRED_OR_CHANGED", asking(*buyer.offered(), 13, [5, 6])["commitments"][0]),
        ("BIZ_QUOTE_EXPIRED_OR_CHANGED", asking(*buyer.offered(), 14, [5, 5])["commitments"][0]),
        ("BIZ_QUOTE_EXPIRED_OR_CHANGED", asking(*buyer.offered("london"), 13, [5, 5])["commitments"][0]),
        (
            "BIZ_QUOTE_EXPIRED_OR_CHANGED",
            {**whole, "offer": whole["offer"] | {"id": f"{whole['offer']['id'].split('@')[0]}@tick-0"}},
        ),
        ("BIZ_OFFER_NOT_FOUND", {**whole, "offer": whole["offer"] | {"id": "nothing"}}),
    ]
    cheaper = copy.deepcopy(whole)
    for row in cheaper["resources"][0]["resourceAttributes"]["intervals"]:
        next(p for p in row["payloads"] if p["type"] == "PRICE")["values"] = [0.00001]
    changes.append(("BIZ_PRICE_MISMATCH", cheaper))
    for refusal, commitment in changes:
        for action in ("init", "confirm"):
            told = buyer.ask(action, {"contract": {**contract, "commitments": [commitment]}}, transaction_id)
            assert code(told) == refusal, commitment
    assert booked(seller, 13) == booked(seller, 14) == 0


# 18


def test_point_18_who_asks_for_too_much_is_promised_what_there_is(seller: Market, buyer: Buyer) -> None:
    standing = seller.bench.house.loop.standing()
    row = standing.site_ids.index("leeds")
    _, contract = buyer.quoted(15, [1e9, 1, 1e9])
    intervals = contract["commitments"][0]["commitmentAttributes"]["intervals"]
    promised = [each["payloads"][0]["values"][0] for each in intervals]
    room = (standing.headroom_kw - standing.planned_kw)[row, 15:18]
    assert promised[1] == 1
    assert all(0 < kw <= most_kw for kw, most_kw in zip(promised, room, strict=True))


def test_point_18_a_turn_down_moves_load_away_and_every_job_keeps_its_deadline(tmp_path: Path) -> None:
    with market(tmp_path, beckn_notice_minutes=0) as found:
        buyer = found.buyer()
        standing = found.bench.house.loop.standing()
        cells = [(float(kw), site, slot) for (site, slot), kw in _planned(standing).items() if slot >= 2]
        planned, site, slot = max(cells)
        transaction_id, contract = buyer.quoted(slot, [planned * 2], product="turn-down", site=site)
        item = contract["commitments"][0]
        promised = item["commitmentAttributes"]["intervals"][0]["payloads"][0]["values"][0]
        assert 0 < promised <= planned + 1e-3
        for action in ("init", "confirm"):
            told = buyer.ask(action, {"contract": contract}, transaction_id)
            assert code(told) is None, told
        kept = found.bench.house.store.reductions.of_contract(contract["id"])
        assert [(row.state, row.reduction_kw) for row in kept] == [(Hold.COMMITTED, promised)]
        assert found.bench.tick().unserved == 0
        after = _planned(found.bench.house.loop.standing()).get((site, slot), 0.0)
        assert after <= kept[0].cap_kw + 1e-6 < planned
        for job in found.bench.house.store.jobs.open_jobs():
            rows = found.bench.rows(job)
            assert rows
            assert max(each.slot_start for each in rows) + SLOT <= job.window_end
        assert code(buyer.ask("select", {"contract": asking(*buyer.offered(site), slot, [5])})) == (
            "BIZ_QUANTITY_UNAVAILABLE"
        ), "a buyer's load there would undo what was sold"


def _planned(standing: Any) -> dict[tuple[str, int], float]:
    """kW by site and slot, where any is planned."""
    found = zip(*standing.planned_kw.nonzero(), strict=True)
    return {(standing.site_ids[row], int(slot)): float(standing.planned_kw[row, slot]) for row, slot in found}
