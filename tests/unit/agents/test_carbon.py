from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.carbon import Course, claim_body, claim_of, known_of
from core.ledger import Leg, SlotEntry
from core.series import Kind
from core.slots import SLOT

START = datetime(2026, 10, 20, 16, 30, tzinfo=UTC)
ZONES = {"london": "GB-C", "oslo": "NO-NO2"}


def row(slot, leg=Leg.PLAN, site="london", kw=100.0, g=200.0, **changes):
    made = SlotEntry("job-1", leg, START + SLOT * slot, site, kw, 1.2, 0.2, Kind.FORECAST, g, Kind.FORECAST)
    room_kw = 500.0 if leg is Leg.BASELINE else None
    return replace(made, **{"carbon_forecast_g_per_kwh": g, "room_kw": room_kw, **changes})


def claim(plan, baseline, sigmas=None):
    return claim_of("run-at-submission", Course(plan), Course(baseline), lambda r: known_of(r, "NESO"), sigmas or {})


def body(plan, baseline):
    return claim_body(claim(plan, baseline), Course(plan), Course(baseline), ZONES)


def test_a_moved_job_displaces_here_and_rebounds_there():
    made = body([row(10, g=100.0)], [row(0, Leg.BASELINE)])
    assert [(moved.date, moved.sp, Decimal(moved.mwh)) for moved in made.displaced] == [
        ("2026-10-20", 36, Decimal("0.06"))
    ]
    assert [(moved.sp, Decimal(moved.mwh)) for moved in made.rebound] == [(46, Decimal("-0.06"))]
    assert Decimal(made.attributional_forecast.saved_kg) == Decimal("60") * 200 / 1000 - Decimal("60") * 100 / 1000
    assert (made.claim_level, made.baseline_policy, made.attributional) == ("forecast", "run-at-submission", None)
    assert (made.consequential, made.marginal) == (None, [])


def test_the_schedule_of_the_baseline_stands_beside_the_room_there_was():
    (scheduled,) = body([row(10)], [row(0, Leg.BASELINE)]).baseline_schedule
    assert (Decimal(scheduled.kw), Decimal(scheduled.room_kw)) == (120, 500)


def test_without_a_baseline_or_the_room_for_it_nothing_is_claimed():
    assert claim([row(10)], []) is None
    assert claim([], [row(0, Leg.BASELINE)]) is None
    assert claim([row(10)], [replace(row(0, Leg.BASELINE), room_kw=None)]) is None


def test_an_outturn_replaces_the_forecast_and_both_are_told():
    turned_out = {"carbon_g_per_kwh": 150.0, "carbon_kind": Kind.ESTIMATE, "delivered_kwh": 50.0}
    plan, baseline = [replace(row(10), **turned_out)], [replace(row(0, Leg.BASELINE), **turned_out)]
    made = body(plan, baseline)
    assert made.claim_level == "metered"
    assert [Decimal(mean.mean_g_per_kwh) for mean in (*made.average_forecast, *made.average_outturn)] == [200, 150]
    assert Decimal(made.attributional.saved_kg) == 0
    assert Decimal(made.attributional_forecast.baseline_kg) == 12


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({"carbon_kind": Kind.ESTIMATE, "settled": True}, "settled"),
        ({"carbon_kind": Kind.SETTLED, "settled": True}, "settled"),
        ({"carbon_kind": Kind.ESTIMATE}, "metered"),
        ({"carbon_kind": Kind.SIMULATED, "settled": True}, "forecast"),
    ],
)
def test_a_claim_is_settled_once_every_row_of_both_courses_is_and_none_is_simulated(changes, level):
    baseline = row(0, Leg.BASELINE, carbon_kind=Kind.ESTIMATE, settled=True)
    assert body([row(10, delivered_kwh=50.0, **changes)], [baseline]).claim_level == level
    unsettled = replace(baseline, settled=False)
    assert body([row(10, delivered_kwh=50.0, **changes)], [unsettled]).claim_level != "settled"


def test_pauses_leave_idling_and_checkpoints_unknown():
    whole, parts = body([row(10), row(11)], [row(0, Leg.BASELINE)]), body([row(10), row(12)], [row(0, Leg.BASELINE)])
    assert (whole.energy.checkpoint_kwh, whole.energy.idle_kwh) == ("0.000000", "0.000000")
    assert (parts.energy.checkpoint_kwh, parts.energy.idle_kwh) == (None, None)


def test_both_scopes_stand_side_by_side_without_certificates_or_a_residual_mix():
    made = body([row(10, g=100.0)], [row(0, Leg.BASELINE)])
    assert (Decimal(made.scope2.location_kg), Decimal(made.scope2.market_kg)) == (6, 6)
    assert (made.scope2.gc_ids, made.scope2.without_residual_mix) == ([], 1)
    assert (Decimal(made.sci.operational_g), made.sci.embodied_g, made.sci.g_per_unit) == (6000, None, None)
    assert made.grid_regions == ["GB-C"]


def test_an_error_of_the_readings_widens_the_interval():
    sigmas = {("london", START): Decimal("3"), ("london", START + SLOT * 10): Decimal("4")}
    saved = claim([row(10)], [row(0, Leg.BASELINE)], sigmas).attributional(forecast=True).saved
    assert saved.sigma_kg == pytest.approx(Decimal("1.0"))


SLOTS = st.sets(st.integers(0, 40), min_size=1, max_size=8)


@settings(deadline=None)
@given(SLOTS, SLOTS, st.lists(st.integers(0, 500), min_size=41, max_size=41))
def test_the_claim_is_what_the_ledger_says_whatever_was_moved(planned, usual, grams):
    plan = [row(slot, g=float(grams[slot])) for slot in sorted(planned)]
    baseline = [row(slot, Leg.BASELINE, g=float(grams[slot])) for slot in sorted(usual)]
    saved = claim(plan, baseline).attributional(forecast=True).saved.kg
    ledger = sum(r.carbon_kg for r in baseline) - sum(r.carbon_kg for r in plan)
    assert float(saved) == pytest.approx(ledger, abs=1e-9)
