"""Quotes: true to what an award would be, and to what patience saves."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from agents.job.demand import demand
from agents.negotiation import Effort, negotiate
from agents.quotes.book import QuoteBook
from agents.quotes.quote import LADDER_H, Quote, quote
from core.errors import InputError, Unavailable
from core.instance import Instance, SiteInstance
from core.job import Job, JobRequest, capped_levels
from core.ledger import Leg, Totals
from core.slots import SLOT
from tests.conftest import ROOT
from tests.house import Bench
from tests.unit.quotes.markets import CARBON_PRICE, START, book_of, job_of, stress_of

HOUR = timedelta(hours=1)
ROOM = np.full((1, 12), 50.0)


def priced(book: QuoteBook, job: Job, *deadlines: int, first: int = 0) -> Quote:
    """The quote by slots of the book; with no deadlines the ladder's."""
    asked = [START + SLOT * each for each in deadlines] or None
    return quote(job, book.site_ids, book, START, START + SLOT * first, asked)


def request(bench: Bench, kind: str = "deferrable", **changes: Any) -> JobRequest:
    fields: dict[str, Any] = {
        "job_name": kind,
        "flexibility_type": kind,
        "duration_hours": 2,
        "power_kw": 20,
        "latest_finish": bench.clock.now() + timedelta(hours=24),
    }
    return JobRequest.model_validate({**fields, **changes})


# -- against awards -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fixed", "deferrable", "pausable", "throttlable"])
def test_on_an_empty_system_the_quote_is_what_the_award_turns_out_to_be(bench: Bench, kind: str):
    bench.tick()
    asked = request(bench, kind)
    seen = bench.house.loop.quote(asked)
    job = bench.house.jobs.submit(asked)
    bench.tick()
    rows, worth = bench.rows(job), Totals.of(bench.rows(job))
    offer = seen.own.offer
    assert offer is not None
    assert (offer.site_id, offer.start, offer.end) == (rows[0].site_id, rows[0].slot_start, rows[-1].slot_start + SLOT)
    assert (offer.cost_gbp, offer.carbon_kg) == (pytest.approx(worth.cost_gbp), pytest.approx(worth.carbon_kg))
    assert offer.energy_kwh == pytest.approx(worth.energy_kwh)
    assert offer.kinds == ("simulated",)
    baseline = bench.rows(job, Leg.BASELINE)
    assert seen.now is not None
    assert (seen.now.site_id, seen.now.start) == (baseline[0].site_id, baseline[0].slot_start)
    assert seen.now.cost_gbp == pytest.approx(Totals.of(baseline).cost_gbp)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["deferrable", "pausable", "throttlable"])
def test_a_quote_is_what_a_negotiation_gives_the_job_alone(seed: int, kind: str):
    rng = np.random.default_rng(seed)
    headroom, price = rng.choice([0.0, 6.0, 30.0], (3, 16), p=[0.1, 0.1, 0.8]), rng.normal(0.15, 0.08, (3, 16))
    if kind == "throttlable":
        headroom[headroom == 6.0] = 30.0  # where only some levels fit the planner may miss the best ones
    carbon = rng.uniform(0, 300, (3, 16))
    book = book_of(headroom, price, carbon)
    levels = capped_levels(10.0) if kind == "throttlable" else ()
    job = job_of(kind, slots=3, finish=14, pause_cost_gbp=0.2 if kind == "pausable" else 0.0, levels=levels)
    wanted = demand(job, (), book.site_ids, START, 16).instance
    assert wanted is not None
    sites = tuple(
        SiteInstance(
            id=name,
            region=name,
            headroom_kw=headroom[row],
            price_gbp_per_kwh=price[row],
            carbon_g_per_kwh=carbon[row],
            pue=1.0,
        )
        for row, name in enumerate(book.site_ids)
    )
    instance = Instance(
        name="one job", start=START, slots=16, carbon_price_gbp_per_tonne=CARBON_PRICE, sites=sites, jobs=(wanted,)
    )
    plan = negotiate(instance, 0, Effort(time_limit_s=60)).plan
    offer = priced(book, job).own.offer
    if not plan.assignments:
        assert offer is None
        return
    assert offer is not None
    assert offer.charge_gbp == pytest.approx(plan.objective_gbp)
    assert offer.site_id == plan.assignments[0].site


def test_a_quote_avoids_what_is_planned_already(bench: Bench):
    asked = request(bench, power_kw=90, allowed_regions=["london"])
    bench.tick()
    first = bench.house.loop.quote(asked).own.offer
    bench.house.jobs.submit(asked)
    bench.tick()
    second = bench.house.loop.quote(asked).own.offer
    assert first is not None
    assert second is not None
    assert second.end <= first.start or second.start >= first.end


def test_a_quote_sees_a_window_beyond_the_two_days_that_are_always_planned(bench: Bench):
    bench.tick()
    day = timedelta(days=1)
    offer = bench.house.loop.quote(
        request(bench, earliest_start=START + 4 * day, latest_finish=START + 5 * day)
    ).own.offer
    assert offer is not None
    assert START + 4 * day <= offer.start < offer.end <= START + 5 * day


# -- what is refused, and what is left alone ---------------------------------------------------------------------------


def test_a_quote_changes_nothing(bench: Bench):
    bench.submit()
    bench.tick()
    book, counts, head = bench.house.loop._tick.book, bench.house.jobs.counts(), bench.house.log.head()
    standing = bench.house.loop.standing()
    planned = standing.planned_kw.copy()
    one, other = (bench.house.loop.quote(request(bench, "throttlable")) for _ in range(2))
    assert one == other
    assert bench.house.jobs.counts() == counts
    assert bench.house.log.head() == head
    assert bench.house.loop._tick.book is book
    assert (bench.house.loop.standing().planned_kw == planned).all()
    assert bench.solver.solved[1:] == []  # type: ignore[attr-defined]


def test_before_the_first_plan_there_is_none_to_quote_against(bench: Bench):
    with pytest.raises(Unavailable, match="no plan is in force"):
        bench.house.loop.quote(request(bench))


def test_a_job_that_would_not_be_accepted_is_not_quoted(bench: Bench):
    bench.tick()
    for wrong, field in (({"power_kw": 5000}, "power_kw"), ({"allowed_regions": ["MARS"]}, "allowed_regions")):
        with pytest.raises(InputError) as caught:
            bench.house.loop.quote(request(bench, **wrong))
        assert caught.value.field == field


def test_a_deadline_beyond_a_week_is_refused_by_its_number(bench: Bench):
    bench.tick()
    now = bench.clock.now()
    with pytest.raises(InputError, match="more than 7 days") as caught:
        bench.house.loop.quote(request(bench), [now + 5 * HOUR, now + timedelta(days=7, minutes=1)])
    assert caught.value.field == "deadlines.1"
    assert "2023-03-08T00:00:00Z" in caught.value.remedy


def test_a_quote_needs_no_compiler():
    """Three quotes in a process where it cannot be had."""
    script = """
import sys
sys.modules["numba"] = None
from agents.quotes.quote import quote
from core.job import capped_levels
from tests.unit.quotes.markets import START, book_of, job_of
book = book_of([[50.0] * 12], 1.0)
for kind, levels in (("deferrable", ()), ("pausable", ()), ("throttlable", capped_levels(10.0))):
    assert quote(job_of(kind, levels=levels), book.site_ids, book, START, START).own.offer
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


# -- deadlines ------------------------------------------------------------------------------------------------------


def test_the_ladder_goes_from_the_earliest_finish_to_two_days_of_patience_and_has_the_own_deadline(bench: Bench):
    bench.tick()
    own = START + timedelta(hours=9)
    found = bench.house.loop.quote(request(bench, latest_finish=own))
    assert [point.patience_h for point in found.points] == sorted([*map(float, LADDER_H), 7.0])
    assert found.points[0].latest_finish == START + 2 * HOUR
    assert found.own in found.points
    assert found.own.latest_finish == own


def test_the_ladder_stops_where_a_deadline_would_be_refused_or_nothing_is_quoted():
    book = book_of(np.full((1, 20), 50.0), 0.1)
    assert [point.patience_h for point in priced(book, job_of(finish=12)).points] == [0, 1, 2, 3, 4, 5, 6, 8]


def test_deadlines_are_answered_in_order_each_once_beside_the_own():
    book = book_of(ROOM, [[5, 4, 3, 2, 1, 5, 5, 5, 5, 5, 5, 5]])
    found = priced(book, job_of(finish=5), 4, 9, 2, 4)
    assert [point.latest_finish for point in found.points] == [START + SLOT * each for each in (2, 4, 9)]
    assert [point.offer and point.offer.end for point in found.points] == [START + SLOT * each for each in (2, 4, 5)]
    assert found.own.latest_finish == START + SLOT * 5


def test_a_deadline_within_a_slot_counts_as_its_start_and_is_answered_as_it_was_asked():
    book = book_of(ROOM, [[5, 4, 3, 2, 1, 5, 5, 5, 5, 5, 5, 5]])
    odd = START + SLOT * 4 + timedelta(minutes=12)
    (point,) = quote(job_of(), book.site_ids, book, START, START, [odd]).points
    assert point.latest_finish == odd
    assert point.offer is not None
    assert point.offer.end == START + SLOT * 4


def test_nothing_starts_before_the_first_slot_that_can_still_be_decided():
    book = book_of(ROOM, [[1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2]])
    found = priced(book, job_of(finish=12), 12, first=2)
    assert found.own.offer is not None
    assert found.own.offer.start == START + 2 * SLOT
    assert found.now is not None
    assert found.now.start == START + 2 * SLOT


def test_a_fixed_job_has_one_course_and_gains_nothing_by_patience():
    book = book_of(ROOM, [[5, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]])
    found = priced(book, job_of("fixed", finish=8))
    assert [point.latest_finish for point in found.points] == [START + 2 * SLOT, START + 8 * SLOT]
    assert {point.offer and point.offer.start for point in found.points} == {START}
    assert found.own.saved_gbp == 0


# -- what is told of an offer ------------------------------------------------------------------------------------------


def test_savings_are_against_running_now_with_pauses_and_by_the_hour_of_patience():
    book = book_of(ROOM, [[5, 1, 5, 1, 5, 5, 5, 5, 5, 5, 5, 5]], 100.0)
    found = priced(book, job_of("pausable", pause_cost_gbp=3.0), 2, 6)
    first, second = found.points
    assert found.now is not None
    assert (found.now.spent_gbp, first.saved_gbp, first.saved_gbp_per_h, first.saved_kg) == (30, 0, None, 0)
    assert second.offer is not None
    assert (second.offer.cost_gbp, second.offer.pause_gbp, second.offer.spent_gbp) == (10, 3, 13)
    assert [run[:2] for run in second.offer.runs] == [
        (START + SLOT, START + 2 * SLOT),
        (START + 3 * SLOT, START + 4 * SLOT),
    ]
    assert (second.patience_h, second.saved_gbp, second.saved_gbp_per_h) == (2, 17, 8.5)


def test_intervals_kinds_and_stress_are_those_of_the_slots_used():
    price = [[5, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 5]]
    book = book_of(ROOM, price, 200.0, stress={"a": stress_of([0.9, 0.2, 0.4, *[0.9] * 9])})
    offer = priced(book, job_of()).own.offer
    assert offer is not None
    assert (offer.cost_gbp, offer.cost_low_gbp, offer.cost_high_gbp) == pytest.approx((10, 9, 11))
    assert (offer.carbon_kg, offer.carbon_low_kg, offer.carbon_high_kg) == pytest.approx((2, 1.8, 2.2))
    assert (offer.carbon_gbp, offer.energy_kwh) == pytest.approx((0.2, 10))
    assert (offer.kinds, offer.stress) == (("forecast",), 0.4)
    assert priced(book_of(ROOM, price), job_of()).own.offer.stress is None  # type: ignore[union-attr]


def test_headroom_that_others_need_is_left_to_them_and_what_it_is_worth_is_told():
    price = [[1, 1, 1.1, 1.1, 2, 2, 2, 2, 2, 2, 2, 2]]
    scarcity = [[0.2, 0.2, *[0.01] * 10]]
    offer = priced(book_of(ROOM, price, scarcity=scarcity), job_of()).own.offer
    assert offer is not None
    assert offer.start == START + 2 * SLOT
    assert offer.scarcity_gbp == pytest.approx(10 * 2 * 0.01)
    assert offer.charge_gbp == pytest.approx(11 + 0.2)


@pytest.mark.parametrize("kind", ["deferrable", "pausable", "throttlable"])
@pytest.mark.parametrize("seed", range(5))
def test_a_later_deadline_is_never_charged_more(kind: str, seed: int):
    rng = np.random.default_rng(seed)
    shape = (4, 200)
    book = book_of(
        rng.choice([0.0, 8.0, 30.0], shape, p=[0.05, 0.1, 0.85]),
        rng.normal(0.2, 0.1, shape),
        rng.uniform(0, 400, shape),
        scarcity=0.01,
    )
    levels = capped_levels(10.0) if kind == "throttlable" else ()
    job = job_of(kind, slots=6, finish=60, pause_cost_gbp=0.02 if kind == "pausable" else 0.0, levels=levels)
    told = [point.offer.charge_gbp for point in priced(book, job).points if point.offer is not None]
    assert len(told) > 5
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(told))


# -- where there is no offer -------------------------------------------------------------------------------------------


def refusal(found: Quote) -> tuple[str, str]:
    assert found.own.offer is None
    assert found.own.saved_gbp is None
    return found.own.reason or "", found.own.remedy or ""


def at(slot: int) -> str:
    moment: datetime = START + SLOT * slot
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def test_a_window_that_is_too_short_says_how_long_it_must_be():
    reason, remedy = refusal(priced(book_of(ROOM, 1.0), job_of(slots=4, finish=3)))
    assert f"2 h from {at(0)} on end after {at(3)}" in reason
    assert at(4) in remedy


def test_where_there_is_room_later_the_remedy_is_the_deadline_and_patience_counts_from_there():
    room = np.array([[5.0] * 6 + [50.0] * 6])
    found = priced(book_of(room, 1.0), job_of(finish=4))
    reason, remedy = refusal(found)
    assert reason == "no site has room enough by then"
    assert at(8) in remedy
    assert [(point.latest_finish, point.patience_h) for point in found.points[:2]] == [
        (START + 4 * SLOT, 0.0),
        (START + 8 * SLOT, 0.0),
    ]


def test_caps_that_only_later_slots_meet_are_named():
    price = [[3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1]]
    reason, remedy = refusal(priced(book_of(ROOM, price), job_of(finish=4, max_price_gbp_per_kwh=2)))
    assert "caps" in reason
    assert at(6) in remedy


def test_caps_that_no_slot_meets_are_to_be_raised():
    reason, remedy = refusal(priced(book_of(ROOM, 3.0, 100.0), job_of(carbon_cap_g_per_kwh=50)))
    assert "caps" in reason
    assert "carbon_cap_g_per_kwh" in remedy


def test_a_fixed_job_without_room_may_be_deferred():
    room = np.array([[5.0, 50, 50, 50, 50, 50]])
    reason, remedy = refusal(priced(book_of(room, 1.0), job_of("fixed", finish=6)))
    assert at(0) in reason
    assert "deferrable" in remedy


def test_where_nothing_is_ever_free_less_is_to_be_asked_for():
    found = priced(book_of(np.full((1, 12), 5.0), 1.0), job_of())
    reason, remedy = refusal(found)
    assert reason == "no site has enough headroom left"
    assert "less power" in remedy
    assert found.now is None
    assert len(found.points) == 1


def test_sites_without_figures_are_no_sites():
    reason, remedy = refusal(priced(book_of(ROOM, np.nan), job_of()))
    assert "none of its sites has a price" in reason
    assert "/health" in remedy
