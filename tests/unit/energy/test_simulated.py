from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.energy.simulated import BLOCKS_KEPT, Simulator
from agents.energy.zones import ZONES
from core.series import Kind, Unit
from core.slots import SLOT
from tests.unit.energy.fakes import utc

START = utc(2026, 1, 1)
YEAR = 17_520
SIMULATOR = Simulator(20230301)


def outturn(zone, quantity, start=START, count=YEAR):
    return SIMULATOR.outturn(zone, quantity, start, count, start).values


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(ZONES)),
    st.sampled_from(["price", "carbon"]),
    st.integers(0, 5_000),
    st.integers(1, 3_000),
)
def test_the_same_slot_has_the_same_outturn_whatever_window_is_asked_and_whoever_asks(zone, quantity, offset, count):
    other = Simulator(20230301).outturn(zone, quantity, START + SLOT * offset, count, START).values
    assert np.array_equal(other, outturn(zone, quantity, count=offset + count)[offset:])


def test_another_seed_makes_another_world():
    assert not np.array_equal(
        Simulator(1).outturn("GB", "carbon", START, 48, START).values, outturn("GB", "carbon")[:48]
    )


@pytest.mark.parametrize("zone", sorted(ZONES))
def test_every_zone_is_labelled_simulated_and_has_figures_of_plausible_size(zone):
    price = SIMULATOR.forecast(zone, "price", START, 336, START)
    carbon = SIMULATOR.forecast(zone, "carbon", START, 336, START)
    for series, unit in ((price, Unit.GBP_PER_KWH), (carbon, Unit.G_PER_KWH)):
        assert series.kinds_used() == (Kind.SIMULATED,)
        assert series.source == f"simulated {zone}"
        assert series.unit is unit
    assert outturn(zone, "carbon").min() > 0
    assert carbon.values.min() >= 0
    assert -0.5 < outturn(zone, "price").min() < outturn(zone, "price").max() < 1.05


@pytest.mark.parametrize(
    ("zone", "low", "high"),
    [("IS", 8, 20), ("NO-NO2", 10, 30), ("CA-ON", 30, 50), ("GB", 120, 170), ("DE-LU", 320, 400), ("AU-NSW", 500, 600)],
)
def test_the_yearly_mean_of_carbon_is_that_of_the_zone(zone, low, high):
    assert low < outturn(zone, "carbon").mean() < high


def test_prices_are_sometimes_negative_where_there_is_wind_and_never_where_there_is_none():
    for zone in ("GB-C", "DE-LU", "US-TEX-ERCO"):
        assert 0.001 < np.mean(outturn(zone, "price") < 0) < 0.1
    assert outturn("SG", "price").min() > 0


def test_evenings_cost_more_than_nights_and_weekends_less_than_weekdays():
    price = outturn("GB-C", "price", utc(2026, 1, 5), 48 * 7 * 40).reshape(40, 7, 48)
    assert price[:, :5, 34:38].mean() > 1.5 * price[:, :5, 4:8].mean()
    assert price[:, 5:].mean() < price[:, :5].mean()


def test_the_sun_makes_noon_cleaner_than_evening_and_summer_south_of_the_equator_is_january():
    carbon = outturn("AU-NSW", "carbon").reshape(365, 48)
    assert carbon[:, 4].mean() < carbon[:, 20].mean() - 100  # 02:00 UTC is noon, 10:00 UTC is evening in Sydney
    assert carbon[:31].mean() < carbon[165:196].mean()


def test_neighbouring_regions_share_their_wind_and_distant_zones_do_not():
    def daily_wind(zone):
        return outturn(zone, "carbon").reshape(365, 48).mean(axis=1)

    assert np.corrcoef(daily_wind("GB-N"), daily_wind("GB-P"))[0, 1] > 0.7
    assert abs(np.corrcoef(daily_wind("GB-N"), daily_wind("US-TEX-ERCO"))[0, 1]) < 0.45


def errors(zone, quantity, leads=97, issues=240):
    found = []
    for day in range(issues):
        issued = START + timedelta(hours=31 * day)
        forecast = SIMULATOR.forecast(zone, quantity, issued, leads, issued).values
        found.append(forecast - SIMULATOR.outturn(zone, quantity, issued, leads, issued).values)
    return np.array(found)


def test_forecast_errors_grow_with_lead_to_24_g_a_day_ahead_and_are_alike_in_neighbouring_slots():
    found = errors("GB", "carbon")
    by_lead = np.abs(found).mean(axis=0)
    assert by_lead[0] == 0
    assert by_lead[2] < by_lead[12] < by_lead[48]
    assert np.abs(found[:, 48:]).mean() == pytest.approx(24, abs=3)
    assert np.corrcoef(found[:, 60], found[:, 61])[0, 1] > 0.9


def test_forecast_errors_are_small_where_figures_hardly_move():
    assert np.abs(errors("SG", "carbon", issues=40)).mean() < 5
    assert np.abs(errors("IS", "carbon", issues=40)).mean() < 1


def test_a_later_issue_revises_the_earlier_one_smoothly():
    first = SIMULATOR.forecast("GB", "carbon", START + SLOT, 96, START).values
    second = SIMULATOR.forecast("GB", "carbon", START + SLOT, 96, START + SLOT).values
    assert np.abs(first - second).max() < np.abs(errors("GB", "carbon", issues=40)).max() / 2


def test_past_slots_are_forecast_as_they_were():
    past = SIMULATOR.forecast("DE-LU", "price", START, 48, START + timedelta(days=2)).values
    assert np.array_equal(past, outturn("DE-LU", "price")[:48])


def test_blocks_are_dropped_when_too_many_are_kept():
    simulator = Simulator(3)
    for number in range(BLOCKS_KEPT + 5):
        simulator.outturn("IS", "carbon", START + SLOT * 1024 * number, 1, START)
    assert len(simulator._blocks) == BLOCKS_KEPT


def test_price_forecasts_of_gb_regions_err_together_because_their_wholesale_price_is_one():
    london, yorkshire = (errors(zone, "price", issues=20).ravel() for zone in ("GB-C", "GB-M"))
    assert np.corrcoef(london, yorkshire)[0, 1] > 0.999
