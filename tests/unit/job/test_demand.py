"""Demand: what is committed stays, what is left is asked for, and nothing is lost between the two."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agents.job.demand import Demand, demand, frozen_runs
from core.job import FlexibilityType, Job, JobStatus, Level, Tier
from core.ledger import Leg, SlotEntry
from core.series import Kind
from core.slots import SLOT

START = datetime(2023, 3, 1, tzinfo=UTC)
LEVELS = (Level(power_kw=5, work_per_slot=0.8), Level(power_kw=10, work_per_slot=1.0))
BLOCKS = (FlexibilityType.FIXED, FlexibilityType.DEFERRABLE)


def job(kind: str = "deferrable", **changes: Any) -> Job:
    """Four slots at 10 kW in a window of 20 slots that opens at slot 2."""
    fields: dict[str, Any] = {
        "job_id": "j",
        "job_name": "j",
        "job_type": "batch",
        "flexibility_type": kind,
        "tenant": "physics",
        "tier": Tier.STANDARD,
        "earliest_start": START + 2 * SLOT,
        "latest_finish": START + 22 * SLOT,
        "duration_hours": 2.0,
        "power_kw": 10.0,
        "levels": LEVELS if kind == "throttlable" else (),
        "status": JobStatus.SCHEDULED,
        "submitted_at": START,
        "updated_at": START,
    }
    return Job(**{**fields, **changes})


def rows(*slots: int, power_kw: float = 10.0, site: str = "a", delivered: float | None = None) -> list[SlotEntry]:
    row = SlotEntry("j", Leg.PLAN, START, site, power_kw, 1.2, 0.2, Kind.FORECAST, 100.0, Kind.FORECAST, delivered)
    return [replace(row, slot_start=START + SLOT * slot) for slot in slots]


def at(slot: int, asking: Job, planned: list[SlotEntry], slots: int = 48) -> Demand:
    return demand(asking, planned, ("a", "b"), START + SLOT * slot, slots)


@pytest.mark.parametrize("kind", ["fixed", "deferrable", "pausable", "throttlable"])
def test_before_it_begins_a_job_asks_for_all_of_its_work_at_all_of_its_sites(kind: str):
    asked = at(1, job(kind), rows(4, 5, 6, 7)).instance
    assert asked is not None
    assert asked.sites == ("a", "b")
    assert (asked.work if kind == "throttlable" else asked.duration_slots) == 4
    assert asked.earliest_slot == 1
    assert asked.latest_slot == (5 if kind == "fixed" else 21)


@pytest.mark.parametrize("kind", ["fixed", "deferrable"])
def test_what_is_left_of_a_begun_block_is_frozen_where_and_when_it_stands(kind: str):
    found = at(6, job(kind, status=JobStatus.RUNNING), rows(4, 5, 6, 7, site="b"))
    assert found.frozen is not None
    assert (found.frozen.site, found.frozen.runs) == ("b", ((0, 2, 10.0),))
    assert found.instance is not None
    assert (found.instance.duration_slots, found.instance.sites) == (2, ("b",))


def test_a_begun_block_without_slots_to_come_asks_for_nothing():
    assert at(8, job(status=JobStatus.RUNNING), rows(4, 5, 6, 7)) == Demand(None, None)


def test_what_is_left_of_a_begun_pausable_job_may_move_in_time_but_not_to_another_site():
    found = at(6, job("pausable", status=JobStatus.RUNNING), rows(4, 8, 9, 10, site="b"))
    assert found.frozen is None
    assert found.instance is not None
    assert (found.instance.duration_slots, found.instance.sites) == (3, ("b",))


def test_what_is_left_of_a_begun_throttlable_job_counts_the_work_of_its_levels():
    half = rows(4, 5, power_kw=5.0)
    found = at(6, job("throttlable", status=JobStatus.RUNNING), half + rows(6, 7, 8)).instance
    assert found is not None
    assert found.work == pytest.approx(4 - 2 * 0.8)
    assert found.levels == LEVELS


@pytest.mark.parametrize("kind", ["pausable", "throttlable"])
def test_when_all_work_is_committed_nothing_is_asked_for(kind: str):
    assert at(8, job(kind, status=JobStatus.RUNNING), rows(4, 5, 6, 7)) == Demand(None, None)


@pytest.mark.parametrize("kind", ["deferrable", "pausable", "throttlable"])
@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.SCHEDULED])
def test_slots_that_were_missed_are_still_to_do_at_any_site(kind: str, status: JobStatus):
    found = at(9, job(kind, status=status), rows(4, 5, 6, 7, delivered=0.0)).instance
    assert found is not None
    assert found.sites == ("a", "b")
    assert (found.work if kind == "throttlable" else found.duration_slots) == 4


def test_a_fixed_job_has_room_for_itself_alone_at_its_earliest_start_or_at_once_when_that_has_passed():
    early, late = at(0, job("fixed"), []).instance, at(7, job("fixed"), []).instance
    assert early is not None
    assert late is not None
    assert (early.earliest_slot, early.latest_slot) == (2, 6)
    assert (late.earliest_slot, late.latest_slot) == (0, 4)


def test_a_window_beyond_the_horizon_is_cut_to_it():
    found = at(0, job(), [], slots=10).instance
    assert found is not None
    assert (found.earliest_slot, found.latest_slot) == (2, 10)


def test_limits_and_penalty_go_with_the_job():
    cheap = at(0, job(carbon_cap_g_per_kwh=120, max_price_gbp_per_kwh=0.1, tier=Tier.SPOT), []).instance
    dear = at(0, job(tier=Tier.PREMIUM), []).instance
    assert cheap is not None
    assert dear is not None
    assert (cheap.max_carbon_g_per_kwh, cheap.max_price_gbp_per_kwh) == (120, 0.1)
    assert dear.unserved_penalty_gbp == pytest.approx(20 * cheap.unserved_penalty_gbp)


@pytest.mark.parametrize("kind", ["pausable", "throttlable"])
def test_a_job_under_way_gives_way_to_nobody_of_a_dearer_tier(kind: str):
    running = at(6, job(kind, tier=Tier.SPOT, status=JobStatus.RUNNING), rows(4, 8, 9, 10)).instance
    fresh = at(6, job(kind, tier=Tier.PREMIUM), []).instance
    assert running is not None
    assert fresh is not None
    assert running.unserved_penalty_gbp >= fresh.unserved_penalty_gbp


SLOT_SETS = st.sets(st.integers(2, 21), max_size=4).map(sorted)


@given(
    st.sampled_from(["deferrable", "pausable", "throttlable"]),
    SLOT_SETS,
    st.lists(st.sampled_from([5.0, 10.0]), min_size=4, max_size=4),
    st.integers(0, 24),
)
@settings(max_examples=150)
def test_committed_and_left_add_up_to_the_work(kind: str, slots: list[int], powers: list[float], now: int):
    if kind == "deferrable":
        slots = list(range(slots[0], slots[0] + 4)) if slots else []
    if kind != "throttlable":
        powers = [10.0] * 4
    planned = [row for slot, power in zip(slots, powers, strict=False) for row in rows(slot, power_kw=power)]
    assume(kind == "deferrable" or len(planned) <= 4)
    asking = job(kind, status=JobStatus.RUNNING if any(slot < now for slot in slots) else JobStatus.SCHEDULED)
    found = at(now, asking, planned)
    pace = {5.0: 0.8, 10.0: 1.0} if kind == "throttlable" else {10.0: 1.0}
    done = sum(pace[row.power_kw] for row in planned if row.slot_start < START + SLOT * now)
    left = 0.0
    if found.frozen is not None:
        left = float(sum(last - first for first, last, _ in found.frozen.runs))
    elif found.instance is not None:
        left = float(found.instance.work or found.instance.duration_slots or 0)
    assert done + left == pytest.approx(asking.work_slots)


@given(st.sets(st.integers(0, 30), min_size=1), st.lists(st.sampled_from([5.0, 10.0]), min_size=31, max_size=31))
@settings(max_examples=60)
def test_frozen_runs_hold_every_row_once_at_its_power(slots: set[int], powers: list[float]):
    planned = [row for slot in sorted(slots) for row in rows(slot, power_kw=powers[slot])]
    runs = frozen_runs(planned, START)
    spread = [(slot, power) for first, last, power in runs for slot in range(first, last)]
    assert spread == [(slot, powers[slot]) for slot in sorted(slots)]
