"""Bookings and plans at the same time: what is planned and what is sold fits into the headroom, everywhere."""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np

from audit.verify import verify
from core.errors import Conflict, NotFound
from core.ledger import Leg
from core.slots import SLOT
from beckn.models import SlotFilter
from tests.house import START, Bench


def test_buyers_and_plans_never_take_the_same_headroom(tmp_path: Path):
    bench = Bench.build(tmp_path)
    house = bench.house
    house.loop.tick("schedule")
    offered = [slot for slot in house.desk.search(SlotFilter(limit=5000)) if slot.start < START + 16 * SLOT]
    assert len(offered) > 30
    over = threading.Event()
    refused = []

    def buy(buyer: int) -> int:
        bought = 0
        for slot in np.random.default_rng(buyer).permutation(len(offered)).tolist():
            try:
                house.desk.confirm(offered[slot].slot_id, f"buyer-{buyer}", float(10 + 7 * buyer))
                bought += 1
            except (Conflict, NotFound) as error:
                refused.append(error)
        return bought

    def submit() -> None:
        number = 0
        while not over.is_set() and number < 25:
            bench.submit(
                ("deferrable", "pausable", "throttlable")[number % 3],
                power_kw=35,
                latest_finish=START + timedelta(hours=8),
            )
            house.loop.tick("job")
            number += 1

    planner = threading.Thread(target=submit)
    planner.start()
    with ThreadPoolExecutor(6) as pool:
        bought = sum(pool.map(buy, range(6)))
    over.set()
    planner.join()
    house.loop.tick("schedule")
    assert bought == len(offered) - len({slot.slot_id for slot in offered} - {b.slot_id for b in sold(bench)})
    assert_fits(bench)
    assert verify(tmp_path / "decisions.jsonl").ok
    house.close()


def sold(bench: Bench):
    return bench.house.bookings.active(START, START + 400 * SLOT)


def assert_fits(bench: Bench) -> None:
    """In every slot of every site."""
    taken: dict[tuple[str, object], float] = defaultdict(float)
    for row in bench.house.ledger.entries(leg=Leg.PLAN):
        taken[row.site_id, row.slot_start] += row.power_kw * row.pue
    planned = len(taken)
    for booking in sold(bench):
        assert booking.state == "confirmed"
        assert booking.end == booking.start + SLOT
        taken[booking.site_id, booking.start] += booking.power_kw
    assert planned > 0
    quote = bench.house.sites.quote(START, 96)
    headroom = {
        (site, START + SLOT * slot): float(quote.headroom_kw[row, slot])
        for row, site in enumerate(quote.site_ids)
        for slot in range(96)
    }
    over = {place: (kw, headroom[place]) for place, kw in taken.items() if kw > headroom[place] + 1e-6}
    assert not over
