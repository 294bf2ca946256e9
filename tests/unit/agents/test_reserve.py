from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.job.arrivals import ExpectedLoad
from agents.negotiation import Effort, negotiate
from agents.proposal import Figures
from agents.reserve import PREFIX, awarded, is_reservation, reservations, reserved_kw, with_reservations
from core.instance import Instance, JobInstance, SiteInstance
from core.series import Kind
from core.slots import SLOT
from tests.house import START as HOUSE_START
from tests.house import Bench

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
T = 24
EFFORT = Effort(time_limit_s=2)


def figures(headroom_kw: float = 100.0, price: float = 0.2) -> Figures:
    full = np.full((2, T), 1.0)
    kinds = np.full((2, T), Kind.FORECAST, dtype=np.int8)
    return Figures(
        START, ("s1", "s2"), ("GB-C", "GB-J"), full * headroom_kw, full * 0, full * 1.25, full * price, full * 100,
        kinds, kinds, full * price, full * price, full * 100, full * 100,
    )  # fmt: skip


def spike(**changes: object) -> ExpectedLoad:
    load = ExpectedLoad("physics", ("s1", "s2"), START + 4 * SLOT, 40.0, 2, 6, 0.8, 5.0, spike=True)
    return replace(load, **changes)  # type: ignore[arg-type]


def job(name: str, power_kw: float = 60.0, first: int = 0, last: int = T, slots: int = 4) -> JobInstance:
    return JobInstance(
        id=name, kind="block", earliest_slot=first, latest_slot=last, sites=("s1", "s2"), tier="spot",
        unserved_penalty_gbp=0.5 * power_kw * slots / 2, power_kw=power_kw, duration_slots=slots,
    )  # fmt: skip


def instance(quoted: Figures, *jobs: JobInstance) -> Instance:
    return Instance(
        name="test",
        start=START,
        slots=T,
        carbon_price_gbp_per_tonne=100,
        sites=tuple(
            SiteInstance(
                id=site,
                region=site,
                headroom_kw=tuple(quoted.headroom_kw[row]),
                price_gbp_per_kwh=tuple(quoted.price_gbp_per_kwh[row]),
                carbon_g_per_kwh=tuple(quoted.carbon_g_per_kwh[row]),
                pue=tuple(quoted.pue[row]),
            )
            for row, site in enumerate(quoted.site_ids)
        ),
        jobs=jobs,
    )


def test_room_is_kept_in_the_window_of_an_expected_spike_and_awarded_to_nobody():
    quoted = figures()
    expected = reservations([spike()], quoted)
    outcome = negotiate(with_reservations(instance(quoted, job("real")), expected), 0, EFFORT)
    kept = reserved_kw(outcome, quoted)
    assert kept.sum() == pytest.approx(2 * 40 * 1.25)
    assert not kept[:, :4].any()
    assert not kept[:, 10:].any()
    real = awarded(outcome)
    assert [award.job_id for award in real.awards] == ["real"]
    assert set(real.options) == {"real"}
    assert len(real.plan.assignments) == 2, "the certificate is about all that took part"


def test_load_that_is_no_spike_or_lies_beyond_the_horizon_keeps_nothing():
    quoted = figures()
    late = spike(slot_start=START + (T - 1) * SLOT)
    assert reservations([spike(spike=False), late, spike(site_ids=("elsewhere",))], quoted) == ()
    past = spike(slot_start=START - timedelta(hours=1))
    assert reservations([past], quoted) == ()


def test_a_site_without_figures_keeps_no_room():
    quoted = figures()
    price = quoted.price_gbp_per_kwh.copy()
    price[0, 3] = np.nan
    (bidder,) = reservations([spike()], replace(quoted, price_gbp_per_kwh=price))
    assert bidder.sites == ("s2",)


def test_room_that_costs_more_than_the_load_is_worth_is_not_kept():
    quoted = figures(price=0.9)
    outcome = negotiate(with_reservations(instance(quoted), reservations([spike()], quoted)), 0, EFFORT)
    assert not reserved_kw(outcome, quoted).any()


def test_an_expected_load_is_named_as_no_job_can_be():
    (bidder,) = reservations([spike()], figures())
    assert bidder.id.startswith(PREFIX)
    assert is_reservation(bidder.id)
    assert not is_reservation("job-1")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(20, 80), st.integers(1, 8)), min_size=1, max_size=5), st.integers(1, 3))
def test_no_real_job_is_refused_for_the_sake_of_expected_load(asked, spikes):
    quoted = figures()
    jobs = [job(f"real-{n}", float(power), 0, 12, slots) for n, (power, slots) in enumerate(asked)]
    alone = negotiate(instance(quoted, *jobs), 0, EFFORT)
    expected = reservations([spike(tenant=str(n)) for n in range(spikes)], quoted)
    beside = awarded(negotiate(with_reservations(instance(quoted, *jobs), expected), 0, EFFORT))
    served = {award.job_id for award in beside.awards}
    lost = {award.job_id for award in alone.awards} - served
    gained = served - {award.job_id for award in alone.awards}
    worth = {each.id: each.unserved_penalty_gbp for each in jobs}
    assert sum(worth[name] for name in lost) <= sum(worth[name] for name in gained) + 1e-6


class Arrivals:
    """Expects one spike at London."""

    def expected(self, sites: object, now: datetime, slots: int) -> tuple[ExpectedLoad, ...]:
        return (spike(site_ids=("london",), slot_start=HOUSE_START + 4 * SLOT, power_kw=20.0),)


def expecting(bench: Bench) -> Bench:
    tick = bench.house.loop._tick
    tick._with = replace(tick._with, arrivals=Arrivals())
    return bench


def test_where_no_job_waits_room_is_kept_all_the_same_and_nothing_is_recorded(bench: Bench):
    expecting(bench)
    assert bench.tick().outcome == "idle"
    standing = bench.house.loop.standing()
    assert standing.reserved_kw.sum() == pytest.approx(2 * 20 * standing.pue[standing.reserved_kw > 0].mean())
    assert (standing.room_kw - standing.free_kw).sum() == pytest.approx(standing.reserved_kw.sum())
    assert bench.house.log.head()[0] == 0


def test_a_round_counts_jobs_and_expected_load_apart(bench: Bench):
    expecting(bench)
    bench.submit()
    record = bench.tick()
    assert (record.outcome, record.jobs, record.placed) == ("planned", 1, 1)
    (found,) = bench.house.log.records(kind="round")[0]
    assert (found.body["jobs"], found.body["placed"], found.body["expected"]) == (1, 1, 1)


def test_an_operator_who_wants_no_room_kept_has_none(bench: Bench):
    expecting(bench)
    tick = bench.house.loop._tick
    tick._terms = replace(tick._terms, reserve_for_spikes=False)
    bench.tick()
    assert not bench.house.loop.standing().reserved_kw.any()
