"""Weather: a feed's figures first; the simulated ones the same for the same seed, in the right season and hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.messages import WeatherQuote
from agents.site.profiles import load_sites
from agents.site.weather import conditions, simulate
from core.series import Kind, Series, Unit
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
    assert set(weather.temperature_kind.ravel()) == set(weather.humidity_kind.ravel()) == {Kind.SIMULATED}


def a_series(first: datetime, values: list[float], unit: Unit) -> Series:
    return Series.of(first, values, Kind.FORECAST, unit, "a feed", JULY)


def test_figures_of_a_feed_take_the_place_of_simulated_ones_slot_by_slot() -> None:
    known = WeatherQuote(
        temperature={"london": a_series(JULY - SLOT, [19.0, 20.0, np.nan, 22.0], Unit.CELSIUS)},
        humidity={"london": a_series(JULY, [51.0], Unit.PERCENT)},
    )
    drawn, weather = simulate(SITES, 1, JULY, 4), conditions(SITES, 1, JULY, 4, known)
    row = [site.site_id for site in SITES].index("london")
    simulated_c = drawn.temperature_c[row]
    assert weather.temperature_c[row].tolist() == [20.0, simulated_c[1], 22.0, simulated_c[3]]
    assert weather.temperature_kind[row].tolist() == [Kind.FORECAST, Kind.SIMULATED, Kind.FORECAST, Kind.SIMULATED]
    assert weather.humidity_percent[row].tolist() == [51.0, *drawn.humidity_percent[row, 1:]]
    assert weather.humidity_kind[row].tolist() == [Kind.FORECAST, *[Kind.SIMULATED] * 3]


def test_sites_without_a_feed_keep_their_simulated_weather() -> None:
    known = WeatherQuote(temperature={"london": a_series(JULY, [20.0], Unit.CELSIUS)}, humidity={})
    drawn, weather = simulate(SITES, 1, JULY, 4), conditions(SITES, 1, JULY, 4, known)
    others = [row for row, site in enumerate(SITES) if site.site_id != "london"]
    assert np.array_equal(weather.temperature_c[others], drawn.temperature_c[others])
    assert np.array_equal(weather.humidity_percent, drawn.humidity_percent)
    assert (weather.temperature_kind[others] == Kind.SIMULATED).all()


def test_without_a_quote_all_weather_is_simulated() -> None:
    drawn, weather = simulate(SITES, 1, JULY, 4), conditions(SITES, 1, JULY, 4)
    assert np.array_equal(weather.temperature_c, drawn.temperature_c)
    assert (weather.humidity_kind == Kind.SIMULATED).all()


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
