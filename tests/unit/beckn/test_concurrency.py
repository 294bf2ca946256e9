"""Over the real store: whatever is asked at the same time, no half-hour is sold twice and none is overbooked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from beckn.desk import FlexibilityDesk
from beckn.models import SlotFilter
from core.errors import Conflict
from core.ledger import Booking
from core.slots import SLOT
from store.bookings import BookingRepository
from store.database import Database
from tests.unit.web.fakes import House, build_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = build_house(tmp_path)
    yield built
    built.log.close()


@pytest.fixture
def bookings(tmp_path: Path) -> Iterator[BookingRepository]:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    database.migrate()
    yield BookingRepository(database)
    database.close()


def desk_of(house: House, bookings: BookingRepository) -> FlexibilityDesk:
    sites, reductions = house.services.sites, house.reductions
    return FlexibilityDesk(house.clock, house.loop, sites, bookings, reductions, house.log, lambda: None)


def test_32_concurrent_buyers_never_overbook(house: House, bookings: BookingRepository) -> None:
    desk = desk_of(house, bookings)
    slots = desk.search(SlotFilter(limit=6))
    orders = [(slot.slot_id, f"buyer-{n}") for n in range(16) for slot in slots]

    def order(one: tuple[str, str]) -> Booking | None:
        try:
            return desk.confirm(*one)
        except Conflict:
            return None

    with ThreadPoolExecutor(32) as pool:
        answered = [booking for booking in pool.map(order, orders) if booking is not None]

    plan = house.loop.plan
    stored = bookings.active(plan.start, plan.start + SLOT * plan.slots)
    assert Counter(b.slot_id for b in answered) == Counter({slot.slot_id: 1 for slot in slots})
    assert {b.booking_id for b in stored} == {b.booking_id for b in answered}
    assert all(b.state == "confirmed" for b in stored)
    assert house.log.records(kind="booking")[1] == len(slots)


def test_bookings_survive_a_restart(house: House, bookings: BookingRepository) -> None:
    desk = desk_of(house, bookings)
    slot = desk.search(SlotFilter(limit=1))[0]
    booking = desk.confirm(slot.slot_id, "buyer-1", 10)

    again = desk_of(house, bookings)

    assert again.recover() == (0, 0)
    assert again.confirm(slot.slot_id, "buyer-1") == booking
    assert slot.slot_id not in [other.slot_id for other in again.search(SlotFilter())]
