"""Simulated weather: the same for the same seed, site and instant; in the right season and hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.site.profiles import load_sites
from agents.site.weather import simulate
from core.series import Kind
from core.site import Site
from core.slots import SLOT

SITES = load_sites()
JANUARY, JULY = datetime(2023, 1, 10, tzinfo=UTC), datetime(2023, 7, 10, tzinfo=UTC)


def site(site_id: str) -> Site:
    return next(site for site in SITES if site.site_id == site_id)


def mean_c(site_id: str, start: datetime) -> float:
    return float(simulate([site(site_id)], 1, start, 48 * 20).temperature_c.mean())


def test_overlapping_windows_agree() -> None:
    whole = simulate(SITES, 7, JULY, 96)
    part = simulate(SITES[3:5], 7, JULY + SLOT * 10, 20)
    assert part.temperature_c == pytest.approx(whole.temperature_c[3:5, 10:30], abs=1e-9)
    assert part.humidity_percent == pytest.approx(whole.humidity_percent[3:5, 10:30], abs=1e-9)


def test_another_seed_gives_another_course() -> None:
    assert not np.allclose(simulate(SITES, 1, JULY, 48).temperature_c, simulate(SITES, 2, JULY, 48).temperature_c)


def test_it_is_labelled_simulated() -> None:
    weather = simulate(SITES, 1, JULY, 1)
    assert (weather.kind, weather.source) == (Kind.SIMULATED, "simulated weather")


@pytest.mark.parametrize("site_id", ["iceland", "london", "canada", "japan", "texas"])
def test_july_is_the_warm_season_in_the_north(site_id: str) -> None:
    assert mean_c(site_id, JULY) > mean_c(site_id, JANUARY) + 5


@pytest.mark.parametrize("site_id", ["chile", "australia"])
def test_july_is_the_cold_season_in_the_south(site_id: str) -> None:
    assert mean_c(site_id, JULY) < mean_c(site_id, JANUARY) - 5


def test_the_tropics_are_warm_all_year_and_the_north_is_not() -> None:
    assert 26 < mean_c("singapore", JANUARY) < 31
    assert -5 < mean_c("iceland", JANUARY) < 3


@pytest.mark.parametrize("site_id", ["london", "japan", "texas", "australia"])
def test_afternoons_are_warmer_than_nights_by_local_solar_time(site_id: str) -> None:
    place = site(site_id)
    days = simulate([place], 1, JULY, 48 * 40).temperature_c.reshape(40, 48).mean(axis=0)
    warmest_utc = (float(np.argmax(days)) + 0.5) / 2
    assert (warmest_utc + place.longitude / 15) % 24 == pytest.approx(15, abs=1)


def test_humidity_stays_in_its_range() -> None:
    humidity = simulate(SITES, 3, JANUARY, 48 * 60).humidity_percent
    assert humidity.min() >= 15
    assert humidity.max() <= 98


def test_no_sites_have_no_weather() -> None:
    assert simulate([], 1, JULY + timedelta(days=1), 4).temperature_c.shape == (0, 4)
