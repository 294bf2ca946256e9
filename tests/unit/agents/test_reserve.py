"""Room kept for expected load: beside the real jobs, never at their cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.job.arrivals import ExpectedLoad
from agents.proposal import Figures, drawn_kw
from agents.reserve import bidders_of, reserved_kw
from agents.solver import InlineSolver
from core.errors import SolverFailed
from core.plan import Assignment
from core.series import Kind
from core.slots import SLOT
from tests.house import START as HOUSE_START
from tests.house import Bench

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
T = 24


def figures(headroom_kw: float = 100.0, price: float = 0.2) -> Figures:
    full = np.full((2, T), 1.0)
    kinds = np.full((2, T), Kind.FORECAST, dtype=np.int8)
    return Figures(
        START, ("s1", "s2"), ("GB-C", "GB-J"), (0.999, 0.999), full * headroom_kw, full * 0, full * 1.25,
        full * price, full * 100, kinds, kinds, full * price, full * price, full * 100, full * 100, full * np.inf,
    )  # fmt: skip


def spike(**changes: object) -> ExpectedLoad:
    load = ExpectedLoad("physics", ("s1", "s2"), START + 4 * SLOT, 40.0, 2, 6, 0.8, 5.0, spike=True)
    return replace(load, **changes)  # type: ignore[arg-type]


def kept(quoted: Figures, *expected: ExpectedLoad, planned: tuple[Assignment, ...] = ()) -> np.ndarray:
    return reserved_kw(expected, quoted, planned, InlineSolver(), 100.0)


def test_room_is_kept_in_the_window_of_an_expected_spike():
    room = kept(figures(), spike())
    assert room.sum() == pytest.approx(2 * 40 * 1.25)
    assert not room[:, :4].any()
    assert not room[:, 10:].any()


def test_load_that_is_no_spike_or_lies_beyond_the_horizon_keeps_nothing():
    late, past = spike(slot_start=START + (T - 1) * SLOT), spike(slot_start=START - timedelta(hours=1))
    assert not kept(figures(), spike(spike=False), late, past, spike(site_ids=("elsewhere",))).any()


def test_a_site_without_figures_keeps_no_room():
    quoted = figures()
    price = quoted.price_gbp_per_kwh.copy()
    price[0, 3] = np.nan
    (bidder,) = bidders_of([spike()], replace(quoted, price_gbp_per_kwh=price))
    assert bidder.sites == ("s2",)


def test_room_that_costs_more_than_the_load_is_worth_is_not_kept():
    assert not kept(figures(price=0.9), spike()).any()


def test_what_is_planned_or_sold_is_not_kept_a_second_time():
    quoted = figures(headroom_kw=60.0)
    everywhere = tuple(Assignment(job=f"j{site}", site=site, runs=((0, T, 40.0),)) for site in ("s1", "s2"))
    assert drawn_kw(everywhere, quoted).sum() == pytest.approx(2 * T * 50)
    assert not kept(quoted, spike(), planned=everywhere).any()
    assert not kept(replace(quoted, sold_kw=np.full((2, T), 30.0)), spike()).any()
    assert not kept(replace(quoted, cap_kw=np.full((2, T), 30.0)), spike()).any(), "caps count like what is sold"


def test_where_the_solver_fails_no_room_is_kept_and_the_plan_stands():
    class Failing(InlineSolver):
        def solve(self, *_: object):
            raise SolverFailed("out of time")

    assert not reserved_kw([spike()], figures(), (), Failing(), 100.0).any()


class Arrivals:
    """Expects spikes at London that would fill it."""

    def expected(self, sites: object, now: datetime, slots: int) -> tuple[ExpectedLoad, ...]:
        at_london = spike(site_ids=("london",), slot_start=HOUSE_START + 4 * SLOT, power_kw=20.0)
        return (at_london, replace(at_london, tenant="film"))


def expecting(bench: Bench) -> Bench:
    tick = bench.house.loop._tick
    tick._with = replace(tick._with, arrivals=Arrivals())
    return bench


def test_where_no_job_waits_room_is_kept_all_the_same_and_nothing_is_recorded(bench: Bench):
    expecting(bench)
    assert bench.tick().outcome == "idle"
    standing = bench.house.loop.standing()
    assert standing.reserved_kw.sum() > 40
    assert (standing.room_kw - standing.free_kw).sum() == pytest.approx(standing.reserved_kw.sum())
    assert bench.house.log.head()[0] == 0


@pytest.mark.parametrize("kind", ["deferrable", "pausable", "throttlable"])
def test_the_plan_and_its_certificate_are_the_same_as_without_expected_load(tmp_path, kind):
    found = []
    for name, wants_room in (("with", True), ("without", False)):
        bench = expecting(Bench.build(tmp_path / name))
        tick = bench.house.loop._tick
        tick._terms = replace(tick._terms, reserve_for_spikes=wants_room)
        jobs = [bench.submit(kind, power_kw=45, duration_hours=6, tier="spot") for _ in range(3)]
        record = bench.tick()
        courses = [[(row.site_id, row.slot_start, row.power_kw) for row in bench.rows(job)] for job in jobs]
        found.append((record.objective_gbp, record.bound_gbp, record.placed, record.jobs, courses))
        assert bench.house.loop.standing().reserved_kw.any() == wants_room
        bench.house.close()
    assert found[0] == found[1]


def test_an_operator_who_wants_no_room_kept_has_none(bench: Bench):
    expecting(bench)
    tick = bench.house.loop._tick
    tick._terms = replace(tick._terms, reserve_for_spikes=False)
    bench.tick()
    assert not bench.house.loop.standing().reserved_kw.any()
