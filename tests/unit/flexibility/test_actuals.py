"""Actuals: what was measured, and nothing where it is not known yet."""

from __future__ import annotations

import pytest

from agents.flexibility.actuals import Actuals
from core.series import Kind
from core.slots import SLOT
from core.trade import Hold, Reduction
from store.reductions import ReductionRepository
from store.trading import Trading
from tests.house import START, Bench


def actuals(bench: Bench) -> Actuals:
    house = bench.house
    return Actuals(bench.clock, house.ledger, ReductionRepository(house.database), house.sites)


def test_usage_is_known_once_the_half_hour_is_over_and_measured(bench: Bench):
    job = bench.submit("fixed", allowed_regions=["london"])
    bench.tick()
    pue = bench.rows(job)[0].pue
    with Trading(bench.house.database).work() as work:
        work.hold_reductions([Reduction("c-1", "london", START + SLOT * n, 30.0, 5.0, Hold.HELD) for n in (0, 1, 6)])
    read = actuals(bench)
    assert [one.usage_kw for one in read.of_contract("c-1")] == [None, None, None]
    for slot in (0, 1):
        bench.at(slot)
        bench.house.dispatcher.dispatch()
    bench.at(1.5)
    bench.house.dispatcher.dispatch()
    first, second, last = read.of_contract("c-1")
    assert first.usage_kw == pytest.approx(20 * pue, rel=0.05)
    assert first.reduction_kw == pytest.approx(30 - 20 * pue, abs=1.5)
    assert (first.baseline_kw, first.promised_kw) == (30.0, 5.0)
    assert (second.usage_kw, second.reduction_kw, last.usage_kw) == (None, None, None)
    bench.at(8)
    assert read.drawn_kw("london", {START + 6 * SLOT}) == {START + 6 * SLOT: 0.0}, "nothing ran, so nothing was drawn"


def test_what_stayed_free_is_capacity_less_what_the_meters_read(bench: Bench):
    job = bench.submit("fixed", allowed_regions=["london"])
    bench.tick()
    for slot in (0, 1):
        bench.at(slot)
        bench.house.dispatcher.dispatch()
    over, coming = actuals(bench).available_kw("london", [START, START + SLOT])
    drawn = sum(row.site_kwh for row in bench.rows(job) if row.slot_start == START) / 0.5
    assert over.available_kw == pytest.approx(100.0 - drawn)
    assert over.kind is Kind.SIMULATED
    assert (coming.available_kw, coming.kind) == (None, Kind.MISSING)


def test_nothing_is_known_of_no_half_hours(bench: Bench):
    assert actuals(bench).drawn_kw("london", []) == {}
    assert actuals(bench).of_contract("c-9") == []
