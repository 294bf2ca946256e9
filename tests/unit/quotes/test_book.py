"""The quote book: what a plan leaves open, for a week, at its prices."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from agents.quotes.book import WEEK, Openings, QuoteBook, Week
from agents.standing import Kept, standing_of
from tests.house import Bench
from tests.unit.quotes.markets import CARBON_PRICE, TICK, book_of, figures_of, job_of, stress_of

ROOM = np.full((2, 6), 50.0)


def openings(book: QuoteBook, **changes: object) -> Openings:
    return Openings.of(book, job_of(**changes), book.site_ids, 0, book.slots)


def test_what_is_planned_and_sold_is_not_open_and_beyond_the_plan_everything_is():
    figures = replace(figures_of(ROOM, 0 * ROOM, 0 * ROOM), sold_kw=np.full((2, 6), 5.0))
    plan = replace(figures_of(*(each[:, :4] for each in (ROOM, 0 * ROOM, 0 * ROOM))), sold_kw=np.full((2, 4), 5.0))
    standing = standing_of(plan, np.full((2, 4), 30.0), TICK, Kept({}, np.zeros((2, 4))))
    book = QuoteBook.of(standing, TICK, Week((), figures, {}), CARBON_PRICE)
    assert book.open_kw == pytest.approx(np.array([[15, 15, 15, 15, 45, 45]] * 2), abs=1e-5)


def test_a_charge_is_power_carbon_at_its_price_and_the_headroom_price_of_the_plan():
    book = book_of(ROOM, 0.2, 300.0, horizon=4, scarcity=0.05)
    power = 0.5 * (0.2 + 300 / 1e6 * CARBON_PRICE)
    assert book.charge_gbp_per_kw == pytest.approx(np.array([[power + 0.05] * 4 + [power] * 2] * 2))


def test_prices_of_headroom_are_at_the_meter_and_powers_are_not():
    figures = figures_of(ROOM, 0.2 + 0 * ROOM, 0 * ROOM)
    hot = replace(figures, pue=np.full((2, 6), 1.25))
    standing = standing_of(hot, 0 * ROOM, TICK, Kept({"a": [0.04] * 6}, 0 * ROOM))
    book = QuoteBook.of(standing, TICK, Week((), hot, {}), CARBON_PRICE)
    assert book.open_kw == pytest.approx(ROOM / 1.25)
    assert book.scarcity_gbp_per_kw[:, 0] == pytest.approx([0.05, 0.0])
    assert book.charge_gbp_per_kw[:, 0] == pytest.approx([0.175, 0.125])


def test_a_site_without_figures_for_the_plans_horizon_is_left_out_and_later_gaps_are_shut():
    price = np.full((2, 6), 0.1)
    price[0, 2] = price[1, 5] = np.nan
    book = book_of(ROOM, price, horizon=4)
    assert book.rows(book.site_ids).tolist() == [1]
    assert (book.open_kw[1] > 0).tolist() == [True] * 5 + [False]
    assert np.isfinite(book.charge_gbp_per_kw).all()


def test_limits_of_a_job_shut_dear_and_dirty_slots():
    book = book_of(ROOM, [[0.1, 0.2, 0.3, 0.1, 0.1, 0.1]], [[50, 50, 50, 50, 90, 200]])
    assert (openings(book, max_price_gbp_per_kwh=0.2).kw[0] > 0).tolist() == [True, True, False, True, True, True]
    assert (openings(book, carbon_cap_g_per_kwh=90.0).kw[0] > 0).tolist() == [True] * 5 + [False]


def test_openings_are_those_of_the_sites_and_slots_asked_for():
    book = book_of(np.arange(12.0).reshape(2, 6), 0.1)
    cut = Openings.of(book, job_of(), ["b"], 2, 5)
    assert (cut.rows.tolist(), cut.first, cut.slots) == ([1], 2, 3)
    assert cut.kw == pytest.approx(np.array([[8, 9, 10]]), abs=1e-5)
    assert Openings.of(book, job_of(), ["b"], 5, 2).slots == 0


def test_stress_is_that_of_a_sites_zone_and_unknown_elsewhere():
    book = book_of(ROOM, 0.1, stress={"b": stress_of([0.5] * 6)})
    assert np.isnan(book.stress[0]).all()
    assert (book.stress[1] == 0.5).all()


def test_the_book_is_made_with_the_plan_for_a_week_and_nobody_can_write_in_it(bench: Bench):
    bench.submit()
    record = bench.tick()
    book, standing = bench.house.loop._tick.book, bench.house.loop.standing()
    assert book is not None
    assert (book.tick, book.start, book.slots) == (record, standing.start, WEEK)
    assert book.price[:, : standing.slots] == pytest.approx(standing.price)
    room = standing.room_kw / standing.pue
    assert book.open_kw[:, : standing.slots] == pytest.approx(room, abs=1e-5)
    arrays = [value for field in fields(book) if isinstance(value := getattr(book, field.name), np.ndarray)]
    with pytest.raises(ValueError, match="read-only"):
        arrays[1][0, 0] = 1.0
    assert not any(array.flags.writeable for array in (*arrays, *book.price_ends, *book.carbon_ends))


def test_a_tick_that_fails_leaves_the_book_as_it_is(bench: Bench):
    bench.tick()
    book = bench.house.loop._tick.book
    bench.submit()
    bench.solver.fault = RuntimeError("broken")  # type: ignore[attr-defined]
    assert bench.tick().outcome == "failed"
    assert bench.house.loop._tick.book is book
