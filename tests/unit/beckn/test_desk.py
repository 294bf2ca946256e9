"""The desk sells what is free, once, and only what the log has recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from beckn.desk import FlexibilityDesk
from beckn.models import SlotFilter, parse_slot_id, slot_id_of
from core.errors import Conflict, InputError, LogUnavailable, NotFound, StoreUnavailable
from core.ledger import Booking
from core.slots import SLOT
from core.trade import Hold, Reduction
from tests.unit.web.fakes import NOW, BrokenLog, House, build_house, standing_of

SLOT_ID = "london.20261120T1430Z"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = build_house(tmp_path)
    yield built
    built.log.close()


@pytest.fixture
def desk(house: House) -> FlexibilityDesk:
    return house.services.desk


def desk_over(house: House, log: Any) -> FlexibilityDesk:
    """Another desk over the same house, with another log."""
    return FlexibilityDesk(
        house.clock, house.loop, house.services.sites, house.bookings, house.reductions, log, lambda: None
    )


def booking_records(house: House) -> list[dict[str, Any]]:
    return [record.body for record in house.log.records(kind="booking")[0]]


def test_a_slot_is_a_half_hour_of_whole_free_kilowatts_at_one_site(desk: FlexibilityDesk) -> None:
    slots, total = desk.find(SlotFilter())

    assert total == len(slots) == 2 * 7
    assert [slot.slot_id for slot in slots[:2]] == [SLOT_ID, "norway.20261120T1430Z"]
    assert all(slot.power_kw == 60 for slot in slots)
    assert all(slot.end - slot.start == SLOT and slot.start > NOW for slot in slots)
    assert slots[0].zone == "GB-C"
    assert slots[0].country == "GB"


def test_simulated_figures_say_so(desk: FlexibilityDesk) -> None:
    slots = desk.search(SlotFilter(site_id="london"))
    assert [slot.simulated for slot in slots] == [False, False, False, True, True, True, True]
    assert {slot.price_kind for slot in slots} == {"forecast"}


def test_a_slot_carries_the_certificate_of_its_plan(house: House, desk: FlexibilityDesk) -> None:
    assert desk.search(SlotFilter(limit=1))[0].certificate is None
    house.loop.plan = replace(house.loop.plan, tick=house.loop.tick("operator"))
    certificate = desk.search(SlotFilter(limit=1))[0].certificate
    assert certificate is not None
    assert (certificate.gap, certificate.bound_gbp, certificate.log_seq) == (0.005, 9.95, 0)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"site_id": "norway"}, 7),
        ({"region": "GB"}, 7),
        ({"region": "NO-NO2"}, 7),
        ({"start": "2026-11-20T15:10Z"}, 2 * 5),
        ({"end": "2026-11-20T15:10Z"}, 2),
        ({"start": "2026-11-20T15:00Z", "end": "2026-11-20T16:00Z"}, 2 * 2),
        ({"max_price_gbp_per_kwh": 0.115}, 2),
        ({"max_carbon_g_per_kwh": 125}, 2 * 2),
        ({"min_power_kw": 61}, 0),
        ({"limit": 3}, 3),
    ],
)
def test_a_search_keeps_to_its_filters(desk: FlexibilityDesk, filters: dict[str, Any], count: int) -> None:
    assert len(desk.search(SlotFilter(**filters))) == count


def test_the_total_counts_beyond_the_limit(desk: FlexibilityDesk) -> None:
    assert desk.find(SlotFilter(limit=3))[1] == 14


@pytest.mark.parametrize("field", ["site_id", "region"])
def test_an_unknown_place_is_named_with_the_known_ones(desk: FlexibilityDesk, field: str) -> None:
    with pytest.raises(InputError) as caught:
        desk.search(SlotFilter(**{field: "atlantis"}))
    assert caught.value.field == field
    assert "london" in caught.value.remedy


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValidationError, match="not after start"):
        SlotFilter(start="2026-11-20T15:00Z", end="2026-11-20T14:00Z")  # type: ignore[arg-type]


def test_a_slot_that_load_is_moved_away_from_is_not_for_sale(house: House, desk: FlexibilityDesk) -> None:
    site_id, start = parse_slot_id(SLOT_ID)
    house.reductions.kept.append(Reduction("c-1", site_id, start, 40.0, 1.0, Hold.HELD))
    slots = desk.search(SlotFilter())
    assert len(slots) == 2 * 7 - 1
    assert SLOT_ID not in {slot.slot_id for slot in slots}
    with pytest.raises(Conflict):
        desk.confirm(SLOT_ID, "buyer-1", 1.0)


def test_slots_without_a_known_price_or_power_to_spare_are_not_offered(house: House, desk: FlexibilityDesk) -> None:
    house.loop.plan.price[0, 1] = np.nan
    house.loop.plan.planned_kw[0, 2] = 100.5
    house.loop.plan.planned_kw[0, 3] = 120.0
    assert len(desk.search(SlotFilter(site_id="london"))) == 4


def test_room_that_is_kept_for_expected_load_is_neither_offered_nor_sold(house: House, desk: FlexibilityDesk) -> None:
    house.loop.plan.reserved_kw[0, 1] = 50.0
    house.loop.plan.reserved_kw[0, 2] = 60.5
    offered = {slot.slot_id: slot.power_kw for slot in desk.search(SlotFilter(site_id="london"))}
    assert offered[SLOT_ID] == 10.0
    assert len(offered) == 6
    with pytest.raises(Conflict, match="10 kW free, not 20 kW"):
        desk.confirm(SLOT_ID, "buyer-1", 20)


def test_a_booking_is_on_the_log_before_it_is_confirmed(house: House, desk: FlexibilityDesk) -> None:
    booking = desk.confirm(SLOT_ID, "buyer-1")

    record = house.log.get(booking.log_seq or 0)
    assert (record.kind, record.body["booking_id"], record.body["power_kw"]) == (
        "booking",
        booking.booking_id,
        "60.000",
    )
    assert record.body["data_kinds"] == ["forecast"]
    assert json.loads(record.line)["body"]["start"] == "2026-11-20T14:30:00Z"
    assert house.bookings.get(booking.booking_id) == booking
    assert booking.state == "confirmed"
    assert house.loop.requested == ["booking"]


def test_a_booked_slot_is_no_longer_offered(desk: FlexibilityDesk) -> None:
    desk.confirm(SLOT_ID, "buyer-1", 10)
    assert SLOT_ID not in [slot.slot_id for slot in desk.search(SlotFilter())]


def test_the_same_order_again_is_the_same_booking(house: House, desk: FlexibilityDesk) -> None:
    assert desk.confirm(SLOT_ID, "buyer-1") == desk.confirm(SLOT_ID, "buyer-1")
    assert len(booking_records(house)) == 1
    assert house.loop.requested == ["booking"]


def test_a_slot_is_not_sold_twice(house: House, desk: FlexibilityDesk) -> None:
    desk.confirm(SLOT_ID, "buyer-1", 10)
    with pytest.raises(Conflict, match="already booked"):
        desk.confirm(SLOT_ID, "buyer-2", 10)
    assert len(booking_records(house)) == 1


@pytest.mark.parametrize(
    ("slot_id", "error"),
    [
        ("atlantis.20261120T1430Z", NotFound),
        ("london.20261121T1430Z", NotFound),
        ("london.20261120T1445Z", NotFound),
        ("london.20261120T1400Z", Conflict),
        ("london.20261120T1330Z", Conflict),
        ("london.20269920T1330Z", InputError),
    ],
)
def test_what_is_not_on_offer_is_not_booked(
    house: House, desk: FlexibilityDesk, slot_id: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        desk.confirm(slot_id, "buyer-1")
    assert house.bookings.kept == {}
    assert booking_records(house) == []


def test_a_plan_that_took_the_power_since_the_search_wins(house: House, desk: FlexibilityDesk) -> None:
    house.loop.plan.planned_kw[0, 1] = 95
    with pytest.raises(Conflict, match="5 kW free, not 10 kW"):
        desk.confirm(SLOT_ID, "buyer-1", 10)
    house.loop.plan.planned_kw[0, 1] = 100.9
    with pytest.raises(Conflict):
        desk.confirm(SLOT_ID, "buyer-1")


def test_when_the_log_cannot_record_it_the_booking_is_given_back(house: House) -> None:
    with pytest.raises(LogUnavailable):
        desk_over(house, BrokenLog(house.log)).confirm(SLOT_ID, "buyer-1")
    assert [booking.state for booking in house.bookings.kept.values()] == ["released"]
    assert desk_over(house, house.log).confirm(SLOT_ID, "buyer-2").state == "confirmed"


def test_a_booking_cut_short_after_its_record_is_finished_at_start(
    house: House, desk: FlexibilityDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(booking_id: str, log_seq: int) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(house.bookings, "confirm", power_cut)
        with pytest.raises(StoreUnavailable):
            desk.confirm(SLOT_ID, "buyer-1")

    assert desk_over(house, house.log).recover() == (1, 0)
    booking = next(iter(house.bookings.kept.values()))
    assert (booking.state, booking.log_seq) == ("confirmed", 0)
    assert len(booking_records(house)) == 1


def test_a_booking_cut_short_before_its_record_is_given_back_at_start(
    house: House, desk: FlexibilityDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(BaseException):
        """Ends the process where it stands."""

    def power_cut(kind: str, body: Any, **_: Any) -> None:
        raise PowerCut

    with monkeypatch.context() as broken:
        broken.setattr(house.log, "append", power_cut)
        with pytest.raises(PowerCut):
            desk.confirm(SLOT_ID, "buyer-1")

    assert desk.recover() == (0, 1)
    assert [booking.state for booking in house.bookings.kept.values()] == ["released"]


def test_an_order_repeated_after_a_failure_finishes_the_first(
    house: House, desk: FlexibilityDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(booking_id: str, log_seq: int) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(house.bookings, "confirm", down)
        with pytest.raises(StoreUnavailable):
            desk.confirm(SLOT_ID, "buyer-1")

    assert desk.confirm(SLOT_ID, "buyer-1").state == "confirmed"
    assert len(booking_records(house)) == 1


def test_32_buyers_at_once_get_each_slot_once(house: House, desk: FlexibilityDesk) -> None:
    orders = [(slot.slot_id, f"buyer-{n}") for n in range(4) for slot in desk.search(SlotFilter())[:8]]

    def order(slot_id: str, buyer: str) -> Booking | None:
        try:
            return desk.confirm(slot_id, buyer)
        except Conflict:
            return None

    with ThreadPoolExecutor(32) as pool:
        sold = [booking for booking in pool.map(lambda o: order(*o), orders) if booking is not None]

    assert len(sold) == 8
    assert {booking.slot_id for booking in sold} == {slot_id for slot_id, _ in orders}
    assert sorted(body["booking_id"] for body in booking_records(house)) == sorted(b.booking_id for b in sold)


@given(
    orders=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 7), st.floats(0.5, 120), st.integers(0, 2)), max_size=20
    ),
    planned=st.floats(0, 110),
)
@settings(max_examples=25, deadline=None)
def test_plan_and_bookings_together_never_exceed_the_headroom(
    tmp_path_factory: pytest.TempPathFactory, orders: list[tuple[int, int, float, int]], planned: float
) -> None:
    house = build_house(tmp_path_factory.mktemp("house"))
    house.loop.plan = plan = standing_of(["london", "norway"])
    plan.planned_kw[:] = planned
    for site, slot, power, buyer in orders:
        try:
            house.services.desk.confirm(
                slot_id_of(plan.site_ids[site], plan.start + SLOT * slot), f"buyer-{buyer}", power
            )
        except Conflict:
            continue
    held = np.zeros_like(plan.headroom_kw)
    for booking in house.bookings.kept.values():
        held[plan.site_ids.index(booking.site_id), (booking.start - plan.start) // SLOT] += booking.power_kw
    house.log.close()
    assert np.all((held == 0) | (held + planned <= plan.headroom_kw))


@settings(deadline=None)
@given(minutes=st.integers(0, 10**6))
def test_a_slot_id_names_its_site_and_start(minutes: int) -> None:
    start = NOW + timedelta(minutes=minutes)
    assert parse_slot_id(slot_id_of("de-1_b", start)) == ("de-1_b", start)


def test_the_same_order_32_times_at_once_is_one_booking(house: House, desk: FlexibilityDesk) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = set(pool.map(lambda _: desk.confirm(SLOT_ID, "buyer-1").booking_id, range(64)))
    assert len(answers) == len(booking_records(house)) == 1
