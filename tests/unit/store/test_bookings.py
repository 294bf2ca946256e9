from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import Conflict, NotFound
from store.bookings import BookingRepository
from store.database import Database
from tests.unit.store.samples import a_booking, limit, slot

ROOT = Path(__file__).resolve().parents[3]


def test_a_booking_is_reserved_confirmed_and_released(database: Database) -> None:
    bookings = BookingRepository(database)
    bookings.reserve(a_booking("b1"), limit(100))
    assert bookings.get("b1") == a_booking("b1")
    bookings.confirm("b1", 42)
    assert (bookings.get("b1").state, bookings.get("b1").log_seq) == ("confirmed", 42)
    bookings.release("b1")
    assert bookings.get("b1").state == "released"
    assert bookings.active(slot(0), slot(9)) == []
    with pytest.raises(NotFound, match="b404"):
        bookings.get("b404")


def test_what_was_released_cannot_be_confirmed(database: Database) -> None:
    bookings = BookingRepository(database)
    bookings.reserve(a_booking("b1"), limit(40))
    bookings.release("b1")
    bookings.reserve(a_booking("b2"), limit(40))
    with pytest.raises(Conflict):
        bookings.confirm("b1", 42)
    assert [b.booking_id for b in bookings.active(slot(0), slot(9))] == ["b2"]


def test_every_half_hour_counts_against_its_own_limit(database: Database) -> None:
    bookings = BookingRepository(database)
    bookings.reserve(a_booking("b1", 2, 2), limit(100))
    with pytest.raises(Conflict, match="60"):
        bookings.reserve(a_booking("b2", 0, 3, power_kw=61), limit(100))
    bookings.reserve(a_booking("b3", 0, 2, power_kw=100), limit(100))
    bookings.reserve(a_booking("b4", 0, 4, site_id="norway", power_kw=100), limit(100))
    with pytest.raises(Conflict):
        bookings.reserve(a_booking("b5", 46, 4), limit(100))


def test_a_slot_is_sold_once_at_a_time(database: Database) -> None:
    bookings = BookingRepository(database)
    bookings.reserve(a_booking("b1", slot_id="s"), limit(100))
    with pytest.raises(Conflict):
        bookings.reserve(a_booking("b2", slot_id="s"), limit(100))
    with pytest.raises(Conflict):
        bookings.reserve(a_booking("b3", 9, slot_id="s", site_id="norway"), limit(100))
    bookings.release("b1")
    bookings.reserve(a_booking("b2", slot_id="s"), limit(100))


def test_active_bookings_are_those_that_overlap(database: Database) -> None:
    bookings = BookingRepository(database)
    for number, start in enumerate((4, 0, 2)):
        bookings.reserve(a_booking(f"b{number}", start), limit(100))
    assert [b.start for b in bookings.active(slot(1), slot(4))] == [slot(0), slot(2)]


def _attempt(bookings: BookingRepository, number: int) -> bool:
    try:
        bookings.reserve(a_booking(f"b{number}", number % 4), limit(100))
    except Conflict:
        return False
    return True


def most_kw(bookings: BookingRepository) -> float:
    return max(sum(b.power_kw for b in bookings.active(slot(n), slot(n + 1))) for n in range(6))


def test_threads_at_once_never_sell_more_than_there_is(database: Database) -> None:
    bookings = BookingRepository(database)
    with ThreadPoolExecutor(16) as threads:
        sold = sum(threads.map(lambda number: _attempt(bookings, number), range(100)))
    assert 80 <= most_kw(bookings) <= 100
    assert sold == len(bookings.active(slot(0), slot(9)))


SELLER = """
import sys
from core.errors import Conflict
from store.bookings import BookingRepository
from store.database import Database
from tests.unit.store.samples import a_booking, limit
database = Database(sys.argv[1])
bookings = BookingRepository(database)
print("ready", flush=True)
sys.stdin.readline()
sold = []
for number in range(25):
    name = f"{sys.argv[2]}-{number}"
    try:
        bookings.reserve(a_booking(name, number % 4, power_kw=10.0), limit(100))
    except Conflict:
        continue
    sold.append(name)
database.close()
import json
print(json.dumps(sold))
"""


def test_processes_at_once_never_sell_more_than_there_is(database: Database, database_url: str) -> None:
    sellers = [
        subprocess.Popen(
            [sys.executable, "-c", SELLER, database_url, str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for seller in sellers:
        assert seller.stdout is not None
        assert seller.stdout.readline() == "ready\n"
    for seller in sellers:
        assert seller.stdin is not None
        seller.stdin.write("go\n")
        seller.stdin.flush()
    sold = [name for seller in sellers for name in json.loads(seller.communicate(timeout=60)[0])]
    bookings = BookingRepository(database)
    assert sorted(sold) == sorted(b.booking_id for b in bookings.active(slot(0), slot(9)))
    assert 90 <= most_kw(bookings) <= 100
