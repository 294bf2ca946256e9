"""Bookings and plans at the same time: what is planned and what is sold fits into the headroom, everywhere."""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.verify import verify
from beckn.models import SlotFilter
from core.errors import Conflict, NotFound
from core.ledger import Leg
from core.slots import SLOT
from tests.house import START, Bench, small_site


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


def test_a_booking_asked_for_while_a_plan_is_put_in_force_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    house = bench.house
    house.loop.tick("schedule")
    job = bench.submit("fixed", power_kw=60)
    slot = next(found for found in house.desk.search(SlotFilter()) if found.start == START + SLOT)
    apply_plan, tried, answers = house.ledger.apply_plan, threading.Event(), []

    def buy() -> None:
        tried.set()
        try:
            answers.append(house.desk.confirm(slot.slot_id, "theirs", slot.power_kw))
        except Conflict as error:
            answers.append(error)

    buyer = threading.Thread(target=buy)

    def slowly(*arguments: Any, **named: Any) -> int:
        buyer.start()
        assert tried.wait(5)
        buyer.join(0.2)
        assert not answers, "booked while the plan was between the log and the ledger"
        return apply_plan(*arguments, **named)

    monkeypatch.setattr(house.ledger, "apply_plan", slowly)
    assert house.loop.tick("job").outcome == "planned"
    buyer.join()
    assert bench.rows(job)
    assert isinstance(answers[0], Conflict)
    assert_fits(bench)
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
