"""Cooling curves against published points and the laws they must keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.site.cooling import OVERHEAD, chiller_share, pue
from core.site import CoolingType


def at(cooling: CoolingType, temperature_c: float, humidity_percent: float = 50.0) -> float:
    return float(pue(cooling, np.array(temperature_c), np.array(humidity_percent)))


@pytest.mark.parametrize(("temperature_c", "cop"), [(20, 4.19), (35, 3.15), (40, 2.85)])
def test_the_chiller_has_its_published_efficiency_at_70_percent_load(temperature_c: float, cop: float) -> None:
    assert 1 / float(chiller_share(np.array(temperature_c))) == pytest.approx(cop, abs=0.006)


def test_every_cooling_type_has_a_curve() -> None:
    assert set(OVERHEAD) == set(CoolingType)


@settings(max_examples=60)
@given(
    cooling=st.sampled_from(CoolingType),
    humidity=st.floats(0, 100),
    low=st.floats(-45, 60),
    step=st.floats(0, 40),
)
def test_pue_is_at_least_one_and_does_not_fall_when_it_gets_warmer(
    cooling: CoolingType, humidity: float, low: float, step: float
) -> None:
    cool, warm = pue(cooling, np.array([low, low + step]), np.array(humidity))
    assert 1.0 <= cool <= warm + 1e-12
    assert warm < 2.5


@pytest.mark.parametrize("cooling", CoolingType)
@pytest.mark.parametrize("humidity", [5, 50, 95])
def test_no_step_of_the_thermometer_lowers_the_pue(cooling: CoolingType, humidity: float) -> None:
    figures = pue(cooling, np.arange(-45, 60, 0.1), np.array(humidity))
    assert np.diff(figures).min() >= -1e-12


@given(low=st.floats(0, 100), high=st.floats(0, 100), temperature=st.floats(-20, 50))
def test_damp_air_never_helps_evaporative_cooling(low: float, high: float, temperature: float) -> None:
    dry, damp = sorted((low, high))
    assert at(CoolingType.EVAPORATIVE, temperature, dry) <= at(CoolingType.EVAPORATIVE, temperature, damp) + 1e-9


def test_free_air_needs_the_chiller_only_when_the_air_is_too_warm() -> None:
    assert at(CoolingType.FREE_AIR, 5) == pytest.approx(1.066, abs=0.001)
    assert at(CoolingType.FREE_AIR, 25) == pytest.approx(1.10, abs=0.001)
    assert at(CoolingType.FREE_AIR, 35) == pytest.approx(1.10 + 0.317, abs=0.002)


def test_pads_keep_the_chiller_off_in_dry_heat() -> None:
    assert at(CoolingType.EVAPORATIVE, 38, 20) < 1.12 < at(CoolingType.FREE_AIR, 38, 20)


def test_immersion_stays_in_its_published_range() -> None:
    figures = pue(CoolingType.IMMERSION, np.linspace(-20, 60, 81), np.array(50.0))
    assert 1.03 <= figures.min() < 1.031
    assert figures.max() == pytest.approx(1.10)


def test_hydro_uses_its_trim_chiller_only_above_the_loop_limit() -> None:
    assert at(CoolingType.HYDRO, 27) == pytest.approx(1.11)
    assert at(CoolingType.HYDRO, 32) > 1.2


def test_the_curves_broadcast() -> None:
    assert pue(CoolingType.EVAPORATIVE, np.zeros((3, 4)), np.full((3, 1), 50.0)).shape == (3, 4)
