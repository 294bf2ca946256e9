from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.carbon import Attributional, Consequential, Intensity, PeriodCarbon
from accounting.energy_use import EnergyUse
from core.series import Kind
from tests.unit.accounting.samples import EVENT, at

KG = st.decimals(-1000, 1000, places=3)
SIGMA = st.decimals(0, 100, places=3)


def grid(g, kind=Kind.ESTIMATE, sigma=0):
    return Intensity(Decimal(g), Decimal(sigma), kind, "test")


def period(baseline, actual, g=200, marginal=None, sigma=0, sp=36, **changes):
    made = PeriodCarbon(
        site_id="london",
        sp_start=at(sp),
        baseline_kwh=Decimal(baseline),
        actual_kwh=Decimal(actual),
        sigma_kwh=Decimal(sigma),
        forecast=grid(g, Kind.FORECAST),
        outturn=grid(g),
        marginal=None if marginal is None else grid(marginal),
        metered=True,
    )
    return replace(made, **changes)


def test_the_two_accounts_cannot_be_added():
    with pytest.raises(TypeError):
        Attributional(Decimal(1), Decimal(0)) + Consequential(Decimal(1), Decimal(0))
    with pytest.raises(TypeError):
        Consequential.total([Attributional(Decimal(1), Decimal(0))])
    assert Attributional(Decimal(1), Decimal(0)) != Consequential(Decimal(1), Decimal(0))


@given(st.lists(st.tuples(KG, SIGMA), max_size=8))
def test_masses_of_one_account_add_and_their_errors_in_quadrature(parts):
    total = Attributional.total(Attributional(*part) for part in parts)
    assert total.kg == sum((kg for kg, _ in parts), Decimal(0))
    assert float(total.sigma_kg) == pytest.approx(float(sum(s**2 for _, s in parts)) ** 0.5, abs=1e-9)


def test_the_interval_is_of_95_percent():
    low, high = Attributional(Decimal(10), Decimal(1)).interval_kg
    assert (round(low, 2), round(high, 2)) == (Decimal("8.04"), Decimal("11.96"))


def test_a_quoted_interval_becomes_a_standard_deviation():
    quoted = Intensity.within(200.0, 200 - 16.44854, 200 + 16.44854, Kind.FORECAST, "test")
    assert round(quoted.sigma_g, 4) == 10


def test_an_error_of_the_intensity_counts_for_the_difference_only():
    sure = period(500, 500)
    assert sure.saved(grid(200, sigma=50)).sigma_kg == 0
    assert period(500, 400).saved(grid(200, sigma=50)).sigma_kg == 5


def test_a_baseline_error_counts_at_the_intensity_of_its_period():
    assert period(500, 300, sigma=15).saved(grid(204)).sigma_kg == Decimal("3.06")


def test_more_than_the_baseline_saves_less_than_nothing():
    rebound = period(420, 628, marginal=394)
    assert rebound.saved(grid(101)).kg < 0
    assert rebound.avoided(rebound.marginal).kg == Decimal("-81.952")


def test_the_outturn_comes_before_the_forecast():
    known = period(500, 300)
    assert known.average is known.outturn
    assert replace(known, outturn=None).average is known.forecast


def test_overhead_is_what_the_meter_sees_beyond_the_machines():
    use = EnergyUse(Decimal(100), Decimal(10), Decimal(5), Decimal(23))
    assert (use.site_kwh, use.pue) == (138, Decimal("1.2"))
    assert EnergyUse.total([use, use]).site_kwh == 276
    assert EnergyUse.total([]).pue is None


def test_samples_are_on_one_day():
    assert at(36) - at(6) == timedelta(hours=15)
    assert at(1).date() == EVENT - timedelta(days=1)
