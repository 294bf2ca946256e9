from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounting.settlement import settle
from core.ledger import Leg, SlotEntry
from core.series import Kind, Series, Unit
from core.slots import SLOT

START = datetime(2026, 3, 1, tzinfo=UTC)
SLOTS = 6
LATER = START + timedelta(days=30)
KINDS = st.sampled_from(list(Kind))
KNOWN = st.sampled_from([kind for kind in Kind if kind is not Kind.MISSING])
FIGURE = st.floats(-1, 1)


def entry(price_kind=Kind.FORECAST, carbon_kind=Kind.FORECAST, slot=0, **changes):
    row = SlotEntry(
        job_id="job-1",
        leg=Leg.PLAN,
        slot_start=START + SLOT * slot,
        site_id="site-1",
        power_kw=10.0,
        pue=1.2,
        price_gbp_per_kwh=0.20,
        price_kind=price_kind,
        carbon_g_per_kwh=100.0,
        carbon_kind=carbon_kind,
    )
    return replace(row, **changes)


def series(values, kinds, unit=Unit.GBP_PER_KWH):
    figures = np.where(np.array(kinds) == Kind.MISSING, np.nan, np.array(values, dtype=float))
    return Series(START, figures, np.array(kinds, dtype=np.int8), unit, "test", START)


def one(row, price_kind, carbon_kind, price=0.30, carbon=80.0, now=LATER):
    observed_price = {"site-1": series([price], [price_kind])}
    observed_carbon = {"site-1": series([carbon], [carbon_kind], Unit.G_PER_KWH)}
    return settle([row], observed_price, observed_carbon, now)[0]


def test_published_figures_replace_forecasts_and_settle_the_row():
    settled = one(entry(), Kind.SETTLED, Kind.ESTIMATE)
    assert settled == entry(
        price_kind=Kind.SETTLED,
        carbon_kind=Kind.ESTIMATE,
        price_gbp_per_kwh=0.30,
        carbon_g_per_kwh=80.0,
        settled=True,
    )


def test_one_published_figure_is_taken_but_does_not_settle_the_row():
    half = one(entry(), Kind.SETTLED, Kind.MISSING)
    assert (half.price_gbp_per_kwh, half.price_kind, half.settled) == (0.30, Kind.SETTLED, False)
    assert (half.carbon_g_per_kwh, half.carbon_kind) == (100.0, Kind.FORECAST)
    assert one(half, Kind.MISSING, Kind.ESTIMATE).settled


def test_a_price_published_before_the_slot_counts_as_the_last_word():
    settled = one(entry(price_kind=Kind.SETTLED), Kind.MISSING, Kind.ESTIMATE)
    assert (settled.price_gbp_per_kwh, settled.settled) == (0.20, True)


def test_a_forecast_never_replaces_a_published_figure():
    kept = one(entry(price_kind=Kind.SETTLED, carbon_kind=Kind.ESTIMATE), Kind.FORECAST, Kind.SIMULATED)
    assert (kept.price_gbp_per_kwh, kept.carbon_g_per_kwh, kept.settled) == (0.20, 100.0, True)


def test_a_carbon_estimate_is_restated_until_it_is_two_days_old():
    fresh = one(entry(), Kind.SETTLED, Kind.ESTIMATE, carbon=80.0, now=START + SLOT)
    assert (fresh.carbon_g_per_kwh, fresh.settled) == (80.0, False)
    revised = one(fresh, Kind.SETTLED, Kind.ESTIMATE, carbon=90.0, now=START + timedelta(hours=48))
    assert (revised.carbon_g_per_kwh, revised.settled) == (90.0, False)
    last = one(revised, Kind.SETTLED, Kind.ESTIMATE, carbon=95.0, now=START + SLOT + timedelta(hours=48))
    assert (last.carbon_g_per_kwh, last.settled) == (95.0, True)
    assert one(last, Kind.SETTLED, Kind.ESTIMATE, carbon=10.0) is last


def test_settled_carbon_is_final_at_once():
    assert one(entry(), Kind.SETTLED, Kind.SETTLED, now=START + SLOT).settled


def test_a_simulated_zone_settles_on_simulated_figures_that_keep_their_label():
    settled = one(entry(Kind.SIMULATED, Kind.SIMULATED), Kind.SIMULATED, Kind.SIMULATED)
    assert (settled.price_kind, settled.carbon_kind, settled.settled) == (Kind.SIMULATED, Kind.SIMULATED, True)
    assert (settled.price_gbp_per_kwh, settled.carbon_g_per_kwh) == (0.30, 80.0)


def test_a_simulated_figure_is_not_final_while_its_zone_has_nothing_to_say():
    row = entry(Kind.SIMULATED, Kind.SIMULATED)
    assert one(row, Kind.MISSING, Kind.MISSING) is row


def test_a_forecast_does_not_settle_on_a_simulated_figure():
    row = entry()
    assert one(row, Kind.SIMULATED, Kind.SIMULATED) is row


def test_a_newer_forecast_is_taken_without_settling():
    newer = one(entry(), Kind.FORECAST, Kind.FORECAST)
    assert (newer.price_gbp_per_kwh, newer.carbon_g_per_kwh, newer.settled) == (0.30, 80.0, False)


def test_a_settled_row_is_left_alone():
    row = entry(Kind.SETTLED, Kind.ESTIMATE, settled=True)
    assert one(row, Kind.SETTLED, Kind.SETTLED) is row


@pytest.mark.parametrize("slot", [-1, 1, 50])
def test_a_slot_outside_the_series_or_a_site_unknown_changes_nothing(slot):
    row = entry(slot=slot)
    assert one(row, Kind.SETTLED, Kind.SETTLED) is row
    assert settle([row], {}, {}, LATER) == [row]


@st.composite
def ledgers(draw):
    rows = [
        entry(
            draw(KNOWN),
            draw(KNOWN),
            slot=draw(st.integers(-1, SLOTS)),
            site_id=draw(st.sampled_from(["site-1", "site-2", "site-3"])),
            power_kw=draw(st.floats(0.1, 100)),
            price_gbp_per_kwh=draw(FIGURE),
            delivered_kwh=draw(st.none() | st.floats(0, 50)),
        )
        for _ in range(draw(st.integers(0, 8)))
    ]
    observed = [
        {
            site: series(
                draw(st.lists(FIGURE, min_size=SLOTS, max_size=SLOTS)),
                draw(st.lists(KINDS, min_size=SLOTS, max_size=SLOTS)),
                unit,
            )
            for site in ("site-1", "site-2")
        }
        for unit in (Unit.GBP_PER_KWH, Unit.G_PER_KWH)
    ]
    return rows, observed


@settings(max_examples=150, deadline=None)
@given(ledgers())
def test_settling_keeps_every_row_its_energy_and_its_place(ledger):
    rows, observed = ledger
    settled = settle(rows, *observed, LATER)
    kept = [(r.job_id, r.leg, r.slot_start, r.site_id, r.power_kw, r.pue, r.delivered_kwh, r.site_kwh) for r in rows]
    assert kept == [
        (r.job_id, r.leg, r.slot_start, r.site_id, r.power_kw, r.pue, r.delivered_kwh, r.site_kwh) for r in settled
    ]


@settings(max_examples=150, deadline=None)
@given(ledgers())
def test_settling_twice_is_settling_once(ledger):
    rows, observed = ledger
    once = settle(rows, *observed, LATER)
    twice = settle(once, *observed, LATER)
    assert twice == once
    assert all(again is before for again, before in zip(twice, once, strict=True))


@settings(max_examples=150, deadline=None)
@given(ledgers())
def test_no_figure_becomes_weaker_or_unknown(ledger):
    rows, observed = ledger
    for before, after in zip(rows, settle(rows, *observed, LATER), strict=True):
        assert after.price_kind <= before.price_kind
        assert after.carbon_kind <= before.carbon_kind
        assert np.isfinite([after.price_gbp_per_kwh, after.carbon_g_per_kwh]).all()
