from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.flexibility.firm import Firm, Promise, Wanted
from agents.flexibility.movable import MovableLoad, Step
from agents.standing import StandingPlan
from beckn.consumer.answers import need_id_of
from beckn.consumer.legs import leg_of, read_items
from beckn.consumer.needs import Answer, Nearby, Passed, answer_need
from beckn.packs.alert import read_action
from beckn.packs.demand_flex import FIXED_PRICE, PAY_AS_CLEAR, Need, need_attributes, read_needs
from beckn.packs.grid import Column, Grid, read_grid
from core.errors import Conflict
from core.ledger import TickRecord
from core.series import FloatArray
from core.slots import SLOT
from core.trade import ContractState, Hold
from tests.consumers import FIRST, NOW, Consumers, Provider, consumers
from tests.unit.flexibility.plans import job, movable, planned, two_sites
from tests.unit.web.fakes import standing_of

UTILITY = "utility.example.org"
SITES, SLOTS = ("london", "leeds"), 4
D = Decimal


def need_catalog(
    kw: list[float],
    price: list[float],
    penalty: list[float],
    *,
    currency: str = "GBP",
    clears: bool = False,
    start: datetime = FIRST,
) -> dict[str, Any]:
    columns = {
        "CAPACITY_REQUESTED": Column.of("KW", [D(str(v)) for v in kw], "buyer"),
        "PRICE": Column.of(f"{currency}_PER_KWH", [D(str(v)) for v in price], "buyer"),
        "SHORTFALL_PENALTY": Column.of(f"{currency}_PER_KWH", [D(str(v)) for v in penalty], "buyer"),
    }
    policy = PAY_AS_CLEAR if clears else FIXED_PRICE
    terms = {
        "@context": "https://schema.nfh.global/DEGContract/v2.0/context.jsonld",
        "@type": "DEGContract",
        "roles": [{"role": "buyer", "participantId": "grid-co"}, {"role": "seller", "participantId": None}],
        "policy": {"url": policy.url, "queryPath": policy.query_path},
    }
    inputs = {"currency": currency, "baselineMethodology": {"bestOf": 5, "outOf": 10}}
    offer = {
        "@context": "https://schema.nfh.global/DemandFlexBuyOffer/v2.0/context.jsonld",
        "@type": "DemandFlexBuyOffer",
        "contractAttributes": terms,
        "inputs": [
            {"role": "buyer", "participantId": "grid-co", "inputs": inputs},
            {"role": "seller", "participantId": None},
        ],
    }
    return {
        "id": "needs",
        "descriptor": {"name": "needs"},
        "provider": {"id": "grid-co", "descriptor": {"name": "Grid Co"}},
        "bppId": UTILITY,
        "bppUri": f"https://{UTILITY}/beckn",
        "resources": [{"id": "need-1", "resourceAttributes": need_attributes(Grid(start, columns), -0.1, 51.5)}],
        "offers": [
            {
                "id": "offer-1",
                "resourceIds": ["need-1"],
                "validity": {"endDate": "2026-04-01T08:45:00Z"},
                "offerAttributes": offer,
            }
        ],
    }


def need(*arguments: Any, **others: Any) -> Need:
    (found,), faults = read_needs(need_catalog(*arguments, **others), "$")
    assert not faults
    return found


class Load(MovableLoad):
    """Its bid curve is made of its own cells, the cheapest site first, whatever plan stands behind it."""

    def bid_curve(
        self, site_ids: Collection[str], starts: Collection[datetime], max_kw: float
    ) -> dict[datetime, list[Step]]:
        found = {}
        for at in starts:
            slot, left, steps = (at - self.start) // SLOT, max_kw, []
            for row in sorted(map(self.site_ids.index, site_ids), key=lambda r: self.price_gbp_per_kwh[r, slot]):
                kw = min(left, self.movable_kw[row, slot])
                if kw > 0:
                    steps.append(Step(self.price_gbp_per_kwh[row, slot], kw))
                    left -= kw
            found[at] = steps
        return found


@dataclass
class Planner:
    """Firm prices are those of the load times ``dearer``; of what is wanted a ``share`` can be promised."""

    load: Load | None
    share: float = 1.0
    dearer: float = 1.0
    plan_lock: Any = field(default_factory=threading.RLock)
    asked: int = 0
    tick_id: str = "tick-1"

    def movable(self) -> Load | None:
        return self.load

    def standing(self) -> StandingPlan:
        tick = TickRecord(self.tick_id, "schedule", NOW, NOW, "planned", "")
        return standing_of(SITES, tick, SLOTS)

    def firm(self, wanted: Sequence[Wanted]) -> Firm:
        self.asked += 1
        cost, promises = 0.0, []
        for one in wanted:
            slot = (one.starts - self.load.start) // SLOT
            row = self.load.site_ids.index(one.site_id)
            kw = one.kw * self.share
            cost += kw / 2 * self.load.price_gbp_per_kwh[row, slot] * self.dearer
            promises.append(Promise(one.site_id, one.starts, 80.0, kw))
        return Firm(
            tick_id=self.tick_id,
            served=self.share >= 1,
            reason="no room",
            share=self.share,
            promises=tuple(promises),
            cost_gbp=cost,
            cost_ends_gbp=(cost, cost),
            carbon_kg=0.0,
            without=None,
            with_caps=None,
        )


def load_of(movable_kw: FloatArray, price: FloatArray, confidence: FloatArray) -> Load:
    """Two sites over four half-hours from :data:`FIRST` on."""
    some = any_load()
    return Load(
        tick_id="tick-1",
        start=FIRST,
        slots=SLOTS,
        site_ids=SITES,
        planned_kw=movable_kw,
        fixed_kw=np.zeros_like(movable_kw),
        movable_kw=movable_kw,
        price_gbp_per_kwh=price,
        carbon_kg_per_kwh=np.zeros_like(price),
        confidence=confidence,
        simulated=np.zeros(price.shape, dtype=np.bool_),
        present=some.present,
        seats=some.seats,
    )


@cache
def any_load() -> MovableLoad:
    """Of a plan of one job: what stands behind a load whose cells are told."""
    return movable(planned(two_sites(job("a"))))


def load(price: float = 0.1, kw: float = 40.0, confidence: float = 1.0) -> Load:
    shape = len(SITES), SLOTS
    return load_of(np.full(shape, kw), np.full(shape, price), np.full(shape, confidence))


def offered(found: Answer | Passed) -> list[float]:
    assert isinstance(found, Answer), found
    return [float(kw) for kw in found.kw]


def answered(of: Need, planner: Planner, sites: Any = ("leeds", "london")) -> Answer | Passed:
    return answer_need(of, planner, sites, 0.1, NOW)


def test_only_half_hours_that_pay_are_offered_and_never_more_than_sought() -> None:
    of = need([50, 50, 200, 50], [0.2, 0.1, 0.2, 0.5], [0, 0, 0, 0])
    assert offered(answered(of, Planner(load()))) == [50, 0, 80, 50]


def test_a_likely_shortfall_weighs_its_penalty() -> None:
    of = need([50, 50], [0.2, 0.2], [0.1, 0.5])
    assert offered(answered(of, Planner(load(confidence=0.8)))) == [50, 0]


def test_what_does_not_pay_at_the_firm_price_is_left_out_and_priced_anew() -> None:
    of = need([40, 40], [0.16, 0.5], [0, 0])
    planner = Planner(load(), dearer=1.6)
    assert offered(answered(of, planner)) == [0, 40]
    assert planner.asked == 2


def test_a_share_that_can_be_promised_is_what_is_offered() -> None:
    found = answered(need([50], [0.5], [0]), Planner(load(), share=1 / 3))
    assert offered(found) == [16.666]
    assert isinstance(found, Answer)
    assert sum(each.reduction_kw for each in found.reductions) == pytest.approx(50 / 3)


@pytest.mark.parametrize(
    ("of", "planner", "sites", "why"),
    [
        (need([5], [9], [0], currency="INR"), Planner(load()), ("london",), "INR"),
        (need([5], [9], [0]), Planner(load()), (), "no site"),
        (need([5], [9], [0]), Planner(None), ("london",), "nothing is planned"),
        (need([5], [-1], [0]), Planner(load()), ("london",), "no half-hour"),
        (need([5], [9], [0], start=FIRST + timedelta(days=3)), Planner(load()), ("london",), "no half-hour"),
        (need([5], [0.05], [0]), Planner(load()), ("london",), "pays"),
        (need([5], [9], [0]), Planner(load(), share=0.0), ("london",), "no room"),
    ],
)
def test_a_need_is_passed_over_for_a_reason(of: Need, planner: Planner, sites: Any, why: str) -> None:
    found = answered(of, planner, sites)
    assert isinstance(found, Passed)
    assert why in found.reason


prices = st.floats(0.01, 0.6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 200), prices, st.floats(0, 0.5)), min_size=1, max_size=4),
    st.lists(prices, min_size=8, max_size=8),
    st.lists(st.floats(0, 90), min_size=8, max_size=8),
    st.floats(0, 1),
    st.booleans(),
)
def test_an_answer_never_promises_more_than_is_sought_or_held_and_never_loses(
    rows: Any, costs: Any, powers: Any, confidence: float, clears: bool
) -> None:
    columns = [[round(value, 3) for value in column] for column in zip(*rows, strict=True)]
    of = need(*columns, clears=clears)
    given_load = load_of(np.array(powers).reshape(2, 4), np.array(costs).reshape(2, 4), np.full((2, 4), confidence))
    found = answered(of, Planner(given_load))
    if isinstance(found, Passed):
        return
    for i, kw in enumerate(found.kw):
        at = of.grid.start + SLOT * i
        held = sum(each.reduction_kw for each in found.reductions if each.starts == at)
        assert 0 <= kw <= D(str(columns[0][i]))
        assert float(kw) <= held + 1e-9
        if kw > 0 and not clears:
            assert columns[1][i] - columns[2][i] * (1 - confidence) > found.unit_gbp * 1.1 - 1e-12
        if clears:
            curve = (found.curves or ())[i]
            assert sum(power for _, power in curve) <= kw
            assert [price for price, _ in curve] == sorted(price for price, _ in curve)
            assert all(power == 0 or float(price) >= found.unit_gbp * 1.1 - 1e-9 for price, power in curve)


def test_sites_serve_by_distance_or_zone() -> None:
    places = {"london": (-0.12, 51.5, "GB-C"), "leeds": (-1.55, 53.8, "GB-M")}
    of = need([5], [9], [0])
    assert Nearby(places, 50)(of) == ("london",)
    assert Nearby(places, 500)(of) == ("leeds", "london")
    of.resource["resourceAttributes"]["location"] = {"zone": "GB-M"}
    assert Nearby(places, 500)(of) == ("leeds",)
    of.resource["resourceAttributes"]["location"] = {"geo": {"type": "Point", "coordinates": ["x", 1]}}
    assert Nearby(places, 1e6)(of) == ()


class Utility(Provider):
    """Clears ``share`` of a bid when it confirms."""

    share: float | None = None

    def answer(self, action: str, body: dict[str, Any]) -> dict[str, Any] | None:
        told = super().answer(action, body)
        if self.share is not None and action == "confirm" and told is not None:
            each = told["message"]["contract"]["commitments"][0]
            series = dict(each["commitmentAttributes"])
            names = [("CAPACITY_CLEARED", "KW"), ("CLEARING_PRICE", "GBP_PER_KWH")]
            series["payloadDescriptors"] = series["payloadDescriptors"] + [
                {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": name, "units": units, "insertedBy": "buyer"}
                for name, units in names
            ]
            series["intervals"] = [self._cleared(row) for row in series["intervals"]]
            told["message"]["contract"]["commitments"] = [{**each, "commitmentAttributes": series}]
        return told

    def _cleared(self, row: dict[str, Any]) -> dict[str, Any]:
        kw = sum(next(p["values"] for p in row["payloads"] if p["type"] == "CAPACITY_OFFERED"))
        more = [{"type": "CAPACITY_CLEARED", "values": [kw * self.share]}, {"type": "CLEARING_PRICE", "values": [0.4]}]
        return {**row, "payloads": row["payloads"] + more}


def seen(ours: Consumers) -> str:
    """Ask for needs; the id of the one that came."""
    ours.service.seek([UTILITY])
    ours.settle()
    (found,) = ours.service.needs()
    return found.need_id


def held(ours: Consumers, state: Hold) -> dict[tuple[str, datetime], float]:
    rows = ours.store.reductions.active(NOW, NOW + timedelta(days=1))
    return {(row.site_id, row.starts): row.reduction_kw for row in rows if row.state is state}


def world(tmp_path: Path, utility: Utility, planner: Planner) -> Any:
    return consumers(tmp_path, utility, planner=planner, serving=lambda _need: ("london", "leeds"))


FIXED = ([50.0, 50.0], [0.5, 0.05], [0.2, 0.2])


def test_an_answer_is_held_before_it_is_confirmed_and_kept_once_it_is_active(tmp_path: Path) -> None:
    with world(tmp_path, Utility(UTILITY, [need_catalog(*FIXED)]), Planner(load())) as ours:
        found = ours.service.answer(seen(ours))
        assert found.state == "answered"
        for _ in range(2):
            ours.turn()
        assert sum(held(ours, Hold.HELD).values()) == 50
        assert len(ours.records("confirmed")) == 1
        ours.settle()
        assert held(ours, Hold.HELD) == {}
        assert sum(held(ours, Hold.COMMITTED).values()) == 50
        leg = ours.store.contracts.get(found.contract.contract_id)
        assert leg.state is ContractState.ACTIVE
        sent = ours.body(ours.sent("confirm")[0])["message"]["contract"]
        grid = read_grid(sent["commitments"][0]["commitmentAttributes"], "$")
        assert grid.figures("CAPACITY_OFFERED") == (50, 0)
        assert {each["role"]: each["participantId"] for each in sent["contractAttributes"]["roles"]} == {
            "buyer": "grid-co",
            "seller": "us.example.org",
        }
        with pytest.raises(Conflict):
            ours.service.answer(found.need_id)
        for message in list(ours.came):
            ours.callbacks.work(message)
        assert len(ours.sent("confirm")) == 1
        assert sum(held(ours, Hold.COMMITTED).values()) == 50


@pytest.mark.parametrize("action", ["select", "init", "confirm"])
def test_an_answer_that_is_refused_holds_nothing(tmp_path: Path, action: str) -> None:
    with world(tmp_path, Utility(UTILITY, [need_catalog(*FIXED)], {action}), Planner(load())) as ours:
        found = ours.service.answer(seen(ours))
        ours.settle()
        leg = ours.store.contracts.get(found.contract.contract_id)
        assert leg.state is ContractState.CANCELLED
        assert "BIZ_QUANTITY_UNAVAILABLE" in (leg_of(leg).failed or "")
        assert held(ours, Hold.HELD) | held(ours, Hold.COMMITTED) == {}


def test_a_contract_that_the_utility_cancels_gives_the_load_back(tmp_path: Path) -> None:
    with world(tmp_path, Utility(UTILITY, [need_catalog(*FIXED)]), Planner(load())) as ours:
        found = ours.service.answer(seen(ours))
        ours.settle()
        leg = ours.store.contracts.get(found.contract.contract_id)
        wire = {**leg.document["contract"], "status": {"code": "CANCELLED"}}
        ours.callbacks.work(ours.unasked(leg, "on_cancel", wire))
        assert held(ours, Hold.COMMITTED) == {}
        assert ours.store.contracts.get(leg.contract_id).state is ContractState.CANCELLED


def test_of_a_bid_only_what_cleared_is_kept(tmp_path: Path) -> None:
    utility = Utility(UTILITY, [need_catalog(*FIXED, clears=True)])
    utility.share = 0.5
    with world(tmp_path, utility, Planner(load())) as ours:
        found = ours.service.answer(seen(ours))
        ours.settle()
        sent = ours.body(ours.sent("confirm")[0])["message"]["contract"]["commitments"][0]
        grid = read_grid(sent["commitmentAttributes"], "$")
        assert [sum(cell) for cell in grid.columns["CAPACITY_OFFERED"].cells] == [50, 50]
        assert grid.columns["OFFER_PRICE"].cells[0][0] == D("0.11")
        assert sum(held(ours, Hold.COMMITTED).values()) == pytest.approx(50)
        leg = ours.store.contracts.get(found.contract.contract_id)
        assert [(line.kw, line.price) for line in read_items(leg)[0].lines] == [(25, D("0.4"))] * 2


def test_a_plan_that_changed_is_priced_anew_and_what_no_longer_pays_is_not_confirmed(tmp_path: Path) -> None:
    planner = Planner(load())
    with world(tmp_path, Utility(UTILITY, [need_catalog(*FIXED)]), planner) as ours:
        need_id = seen(ours)
        found = ours.service.answer(need_id)
        planner.load = load(price=0.9)
        planner.tick_id = "tick-2"
        ours.settle()
        assert ours.sent("confirm") == []
        leg = ours.store.contracts.get(found.contract.contract_id)
        assert "no longer pays" in (leg_of(leg).failed or "")
        assert held(ours, Hold.HELD) == {}
        assert [row.peer_id for row in ours.sent("cancel")] == [UTILITY]


def test_a_need_that_does_not_pay_is_passed_over_and_may_be_asked_again(tmp_path: Path) -> None:
    with world(tmp_path, Utility(UTILITY, [need_catalog(*FIXED)]), Planner(load(price=2.0))) as ours:
        need_id = seen(ours)
        found = ours.service.answer(need_id)
        assert (found.state, found.contract) == ("passed", None)
        assert "pays" in (found.reason or "")
        assert seen(ours) == need_id
        assert ours.service.needs()[0].state == "open"
        assert ours.sent("select") == []


def test_an_answer_without_a_reply_ends_and_its_load_lapses(tmp_path: Path) -> None:
    with world(tmp_path, Utility(UTILITY, [need_catalog(*FIXED)], mute={"confirm"}), Planner(load())) as ours:
        found = ours.service.answer(seen(ours))
        ours.settle()
        ours.later(61)
        ours.settle()
        leg = ours.store.contracts.get(found.contract.contract_id)
        assert leg.state is ContractState.CANCELLED
        assert held(ours, Hold.HELD) | held(ours, Hold.COMMITTED) == {}


@pytest.mark.parametrize(("refusal", "kept"), [("POL_CANCELLATION_NOT_ALLOWED", True), ("BIZ_ORDER_NOT_FOUND", False)])
def test_an_answer_that_its_buyer_refuses_to_cancel_stays_promised(tmp_path: Path, refusal: str, kept: bool) -> None:
    utility = Utility(UTILITY, [need_catalog(*FIXED)], mute={"confirm"}, refuses={"cancel"}, refusal=refusal)
    with world(tmp_path, utility, Planner(load())) as ours:
        found = ours.service.answer(seen(ours))
        ours.settle()
        assert held(ours, Hold.HELD)
        ours.later(61)
        ours.settle()
        leg = ours.store.contracts.get(found.contract.contract_id)
        assert leg.state is (ContractState.ACTIVE if kept else ContractState.CANCELLED)
        assert bool(held(ours, Hold.COMMITTED)) == kept
        assert held(ours, Hold.HELD) == {}


def test_an_event_about_what_was_promised_is_answered_and_nothing_moves(tmp_path: Path) -> None:
    with world(tmp_path, Utility(UTILITY, [need_catalog(*FIXED)]), Planner(load())) as ours:
        found = ours.service.answer(seen(ours))
        ours.settle()
        before, leg = held(ours, Hold.COMMITTED), ours.store.contracts.get(found.contract.contract_id)
        alert = {"gridEventAlert": {"eventId": "event-9", "eventType": "peak", "severity": "high"}}
        attributes = {**leg.document["contract"]["contractAttributes"], **alert}
        wire = {**leg.document["contract"], "contractAttributes": attributes}
        ours.callbacks.work(ours.unasked(leg, "on_update", wire))
        (row,) = ours.sent("update")
        told = read_action(ours.body(row)["message"]["contract"]["performance"], "$")
        assert told is not None
        assert (told.event_id, told.action) == ("event-9", "continue")
        assert held(ours, Hold.COMMITTED) == before != {}


def test_one_need_has_one_id() -> None:
    of = need([5], [9], [0])
    assert need_id_of(UTILITY, of) == need_id_of(UTILITY, of)
    assert need_id_of(UTILITY, of) != need_id_of("other.example.org", of)
