"""The clearing problem: quotes, bookings and demand joined so that what is promised always fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.job.demand import Demand
from agents.messages import CapacityQuote, EnergyQuote
from agents.proposal import Figures, Stakes, demands, figures, instance_of, planned_kw, worth_between
from core.instance import Frozen, JobInstance
from core.job import FlexibilityType, Job, JobStatus, Tier
from core.ledger import Booking, Leg, SlotEntry
from core.series import Kind, Series, Unit
from core.slots import SLOT

START = datetime(2023, 3, 1, tzinfo=UTC)
T = 6
SITES = ("a", "b", "c")
ZONES = ("GB-A", "GB-B", "GB-A")


def energy(**silent: list[int]) -> EnergyQuote:
    """Quotes of both zones; ``silent`` names slots of a zone (GB_B) that have no price."""

    def series(zone: str, unit: Unit, value: float) -> Series:
        values = np.full(T, value)
        if unit is Unit.GBP_PER_KWH:
            values[silent.get(zone.replace("-", "_"), [])] = np.nan
        return Series.of(START, values, Kind.FORECAST, unit, f"feed {zone}", START)

    price = {zone: series(zone, Unit.GBP_PER_KWH, 0.2) for zone in ZONES}
    carbon = {zone: series(zone, Unit.G_PER_KWH, 100.0) for zone in ZONES}
    return EnergyQuote(START, START, T, price, carbon)


def capacity() -> CapacityQuote:
    headroom = np.full((3, T), 100.0)
    nothing, kinds = headroom * 0, np.full((3, T), Kind.SIMULATED, dtype=np.int8)
    pue = np.full((3, T), 1.25)
    available = (0.9999, 0.97, 0.999)
    return CapacityQuote(
        START, START, SITES, ZONES, available, headroom, nothing, nothing, nothing, kinds, pue, nothing, kinds
    )


def booking(site: str, first: int, last: int, power_kw: float) -> Booking:
    return Booking(
        f"{site}{first}", f"{site}{first}", "j", site, START + SLOT * first, START + SLOT * last, power_kw,
        0.1, 1.0, "confirmed", START,
    )  # fmt: skip


def job(job_id: str, status: JobStatus = JobStatus.PENDING) -> Job:
    return Job(
        job_id=job_id,
        job_name=job_id,
        job_type="batch",
        flexibility_type=FlexibilityType.DEFERRABLE,
        tenant="t",
        tier=Tier.STANDARD,
        earliest_start=START - 4 * SLOT,
        latest_finish=START + 6 * SLOT,
        duration_hours=2,
        power_kw=10,
        status=status,
        submitted_at=START - 4 * SLOT,
        updated_at=START,
    )


def row(job_id: str, slot: int, site: str = "a", power_kw: float = 10.0) -> SlotEntry:
    at = START + SLOT * slot
    return SlotEntry(job_id, Leg.PLAN, at, site, power_kw, 1.25, 0.2, Kind.FORECAST, 100.0, Kind.FORECAST)


def quoted(*bookings: Booking, **silent: list[int]) -> Figures:
    return figures(energy(**silent), capacity(), bookings)


def test_bookings_lower_what_may_be_planned_in_their_slots_alone():
    found = quoted(booking("a", 1, 3, 30.0), booking("a", 2, 4, 20.0), booking("b", 0, 1, 500.0))
    assert found.unsold_kw[0].tolist() == [100, 70, 50, 80, 100, 100]
    assert found.unsold_kw[1].tolist() == [0, 100, 100, 100, 100, 100]
    assert found.headroom_kw.min() == 100, "the headroom itself is not touched"


def test_bookings_that_began_earlier_or_end_later_or_are_elsewhere_are_counted_as_far_as_they_reach():
    found = quoted(booking("a", -3, 1, 10.0), booking("a", 5, 9, 20.0), booking("gone", 0, 6, 99.0))
    assert found.sold_kw.tolist() == [[10, 0, 0, 0, 0, 20], [0] * 6, [0] * 6]


def test_planned_rows_draw_their_power_at_the_meter():
    plan = [row("j", 1), row("k", 1, power_kw=20.0), row("j", 7), row("j", -1), row("j", 2, site="gone")]
    total = planned_kw(plan, quoted())
    assert total[0].tolist() == [0, 37.5, 0, 0, 0, 0]
    assert total.sum() == 37.5


def test_a_site_without_a_figure_for_every_slot_is_left_out():
    found = quoted(GB_B=[5])
    assert found.priced.tolist() == [True, False, True]
    wanted = demands([job("j")], [], {"j": SITES}, found)
    assert wanted["j"].instance is not None
    assert wanted["j"].instance.sites == ("a", "c")
    assert [site.id for site in instance_of(found, wanted, Stakes(100.0)).sites] == ["a", "c"]


def test_a_job_that_began_at_a_site_without_figures_is_left_alone():
    found = quoted(GB_B=[0])
    rows = [row("j", slot, site="b") for slot in range(-2, 2)]
    assert demands([job("j", JobStatus.RUNNING)], rows, {"j": SITES}, found) == {}


def test_a_job_that_missed_its_slots_at_a_site_without_figures_may_go_elsewhere():
    found = quoted(GB_B=[0])
    rows = [replace(row("j", slot, site="b"), delivered_kwh=0.0) for slot in range(-4, -2)]
    wanted = demands([job("j")], rows, {"j": SITES}, found)["j"].instance
    assert wanted is not None
    assert (wanted.sites, wanted.duration_slots) == (("a", "c"), 4)


def bidder(job_id: str, site: str) -> JobInstance:
    return JobInstance(
        id=job_id, kind="block", earliest_slot=0, latest_slot=T, sites=(site,), unserved_penalty_gbp=1,
        power_kw=10, duration_slots=1,
    )  # fmt: skip


FROZEN = st.lists(st.tuples(st.sampled_from(SITES), st.integers(0, T - 1), st.floats(1, 120)), min_size=1, max_size=6)


@given(FROZEN, st.floats(0, 150))
@settings(max_examples=50)
def test_headroom_always_covers_what_is_frozen(parts: list[tuple[str, int, float]], sold: float):
    wanted = {}
    for number, (site, slot, power) in enumerate(parts):
        frozen = Frozen(job=f"j{number}", site=site, runs=((slot, slot + 1, power),))
        wanted[f"j{number}"] = Demand(bidder(f"j{number}", site), frozen)
    found = quoted(booking("a", 0, T, sold))
    made = instance_of(found, wanted, Stakes(100.0))
    for place, site in enumerate(made.sites):
        held = np.zeros(T)
        for where, slot, power in parts:
            held[slot] += power * 1.25 * (where == site.id)
        assert (np.array(site.headroom_kw) >= held - 1e-6).all()
        assert np.array(site.headroom_kw) == pytest.approx(np.maximum(found.unsold_kw[place], held))


def test_the_instance_keeps_prices_carbon_and_pue_as_quoted():
    made = instance_of(quoted(), {}, Stakes(80.0))
    assert (made.start, made.slots, made.carbon_price_gbp_per_tonne) == (START, T, 80.0)
    assert {site.price_gbp_per_kwh for site in made.sites} == {(0.2,) * T}
    assert {site.pue for site in made.sites} == {(1.25,) * T}
    assert [site.region for site in made.sites] == list(ZONES)


def test_a_site_whose_headroom_can_never_take_the_job_is_none_of_its_sites():
    found = quoted(booking("b", 0, T, 60.0))
    large = job("j").model_copy(update={"power_kw": 40.0})
    wanted = demands([large], [], {"j": SITES}, found)["j"].instance
    assert wanted is not None
    assert wanted.sites == ("a", "c")


def test_intervals_of_price_and_carbon_reach_the_instance():
    quoted = energy()
    price = {zone: one.with_interval(one.values - 0.05, one.values + 0.1) for zone, one in quoted.price.items()}
    made = instance_of(figures(replace(quoted, price=price), capacity(), ()), {}, Stakes(100.0))
    site = made.sites[0]
    assert set(site.price_low_gbp_per_kwh) == {0.15}
    assert set(site.price_high_gbp_per_kwh) == {0.3}
    assert site.carbon_low_g_per_kwh == site.carbon_g_per_kwh


def test_a_course_is_worth_between_the_sums_of_its_slots_ends():
    quoted = energy()
    price = {zone: one.with_interval(one.values - 0.05, one.values + 0.1) for zone, one in quoted.price.items()}
    quoted = figures(replace(quoted, price=price), capacity(), ())
    expected = worth_between(quoted, 0, ((1, 3, 10.0),))
    energy_kwh = 10 * 1.25 * 0.5 * 2
    assert expected.cost_low_gbp == pytest.approx(energy_kwh * 0.15)
    assert expected.cost_high_gbp == pytest.approx(energy_kwh * 0.3)
    assert expected.carbon_low_kg == expected.carbon_high_kg == pytest.approx(energy_kwh * 0.1)
