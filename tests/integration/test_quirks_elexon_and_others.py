"""Quirks 32 to 37: Elexon, NESO, energy-charts, Electricity Maps, WattTime, Open-Meteo; and that all 37 are tested."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest

from agents.energy.feed import Flag
from agents.energy.feeds.elexon_rows import rows_of
from agents.energy.places import place_of
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.slots import LONDON, SLOT, settlement_period
from tests.upstream import Fault, affected
from tests.upstream.desk import Desk, flags, missing, utc
from tests.upstream.world import slots

NOW = utc(2026, 11, 20, 13, 47)
PRESENT = utc(2026, 11, 20, 13, 30)
START = PRESENT - timedelta(days=2)
END = NOW + timedelta(days=15)
LONG_DAY = datetime(2026, 10, 25, tzinfo=LONDON)
SHORT_DAY = datetime(2026, 3, 29, tzinfo=LONDON)
G_PER_LB = 0.45359237
OXFORD = place_of(51.75, -1.25)


@pytest.fixture
def desk():
    with Desk(NOW) as made:
        yield made


def of_series(series):
    """The slots of a series, as the world counts them."""
    return slots(series.start, series.end)


# -- Elexon and NESO --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "count"), [(LONG_DAY, 50), (SHORT_DAY, 46)])
def test_settlement_periods_of_a_day_on_which_the_clocks_change_fall_on_their_instants(day, count):
    """Quirk 32."""
    start, end = day.astimezone(utc(2000, 1, 1).tzinfo), (day + timedelta(days=1)).astimezone(utc(2000, 1, 1).tzinfo)
    with Desk(end + timedelta(days=2)) as desk:
        price = desk.series("elexon-system-price", "GB", start, end, "imbalance_price")
        demand = desk.series("elexon-demand", "GB", start, end, "demand")
    for series, expected in (
        (price, desk.world.imbalance_gbp_per_mwh(slots(start, end)) / 1000),
        (demand, desk.world.demand_mw(slots(start, end))),
    ):
        assert (series.start, len(series), missing(series)) == (start, count, set())
        np.testing.assert_allclose(series.values, expected)


def test_the_fifth_period_of_the_long_day_is_one_in_the_morning_gmt():
    """Quirk 32."""
    now = utc(2026, 10, 24, 22, 10)
    with Desk(now) as desk:
        forecast = desk.series("neso-wind", "GB", now, now + timedelta(days=3), "wind")
        expected = np.round(desk.world.wind_mw(of_series(forecast)) * 0.95)
    assert settlement_period(utc(2026, 10, 25, 1)).period == 5
    assert missing(forecast) == set()
    np.testing.assert_allclose(forecast.values, expected)


def test_a_bare_array_and_rows_in_an_envelope_are_the_same_rows(desk):
    """Quirk 33."""
    recorder = desk.client.recording(NOW)
    asked = {"settlementDateFrom": "2026-11-19", "settlementDateTo": "2026-11-19"}
    base = desk.settings.elexon_url
    wrapped, bare = (recorder(f"{base}/datasets/FUELHH{stream}", asked) for stream in ("", "/stream"))
    assert isinstance(json.loads(bare.body), list)
    assert rows_of(wrapped, "Elexon:") == rows_of(bare, "Elexon:")


def test_no_more_than_a_day_of_frequency_is_asked_for_at_once(desk):
    """Quirk 33."""
    fetched = desk.fetch("elexon-frequency", "GB", NOW - timedelta(days=3), END)
    for query in desk.queries("elexon"):
        first, last = (datetime.fromisoformat(text) for text in (values[0] for values in parse_qs(query).values()))
        assert last - first <= timedelta(hours=24)
    mean, deviation = fetched.series["frequency"], fetched.series["frequency_deviation"]
    assert missing(mean) == set()
    samples = desk.world.frequency_hz(slots(mean.start, mean.start + SLOT, 0.25))
    assert mean.values[0] == pytest.approx(samples.mean())
    assert deviation.values[0] == pytest.approx(np.abs(samples - 50).max())


def test_the_exchange_without_trades_does_not_make_power_free(desk):
    """Quirk 31."""
    series = desk.series("elexon-market-index", "GB", START, END, "wholesale_price")
    assert np.nanmin(np.abs(series.values)) > 0


def hourly(asked):
    """The hour that each slot lies in."""
    return np.floor(asked / 2) * 2


HEALTHY = {
    ("elexon-demand", "GB", "demand"): lambda world, asked: world.demand_mw(asked),
    ("elexon-wind", "GB", "wind"): lambda world, asked: world.wind_mw(asked),
    ("neso-carbon-history", "GB", "carbon"): lambda world, asked: world.carbon(18, asked),
    ("ercot-load", "US-TEX-ERCO", "demand"): lambda world, asked: np.round(world.demand_mw(hourly(asked)) * 1.6, 2),
    ("electricity-maps-history", "DE-LU", "carbon"): lambda world, asked: np.round(
        world.zone_carbon("DE", hourly(asked))
    ),
    ("energy-charts-price", "FR", "price"): lambda world, asked: world.zone_price("FR", hourly(asked)) * 0.86 / 1000,
    ("entsoe-day-ahead", "FR", "price"): lambda world, asked: world.zone_price("FR", hourly(asked)) * 0.86 / 1000,
}
COMING = {
    ("elexon-demand", "GB", "demand"): lambda world, asked: np.round(world.demand_mw(asked) * 1.01),
    ("elexon-wind", "GB", "wind"): lambda world, asked: np.round(world.wind_mw(hourly(asked)) * 0.96),
    ("neso-demand", "GB", "demand"): lambda world, asked: np.round(world.demand_mw(asked) * 1.02),
    ("neso-wind", "GB", "wind"): lambda world, asked: np.round(world.wind_mw(asked) * 0.95),
    ("neso-solar", "GB", "solar"): lambda world, asked: world.solar_mw(asked),
    ("ercot-prices", "US-TEX-ERCO", "price"): lambda world, asked: (
        world.zone_price("ERCOT", hourly(asked)) * 0.76 / 1000
    ),
}


@pytest.mark.parametrize(("name", "zone", "quantity"), HEALTHY)
def test_past_figures_are_those_of_their_slots_in_our_units(desk, name, zone, quantity):
    """Quirks 31, 32."""
    series = desk.series(name, zone, PRESENT - timedelta(days=1), NOW, quantity).window(PRESENT - 18 * SLOT, 12)
    np.testing.assert_allclose(series.values, HEALTHY[name, zone, quantity](desk.world, of_series(series)), atol=1e-9)


@pytest.mark.parametrize(("name", "zone", "quantity"), COMING)
def test_coming_figures_are_those_of_their_slots_in_our_units(desk, name, zone, quantity):
    """Quirks 31, 32."""
    series = desk.series(name, zone, NOW, END, quantity)
    series = series.window(max(series.start, PRESENT + 2 * SLOT), 12)
    np.testing.assert_allclose(series.values, COMING[name, zone, quantity](desk.world, of_series(series)), atol=1e-9)


# -- energy-charts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("zone", "country", "minutes"), [("DE-LU", "de", 15), ("FR", "fr", 60)])
def test_quarter_hours_and_hours_become_half_hours(desk, zone, country, minutes):
    """Quirk 34."""
    series = desk.series("energy-charts-carbon", zone, START, NOW, "carbon").window(PRESENT - timedelta(days=1), 40)
    asked = of_series(series)
    parts = [np.floor((asked + shift) / (minutes / 30)) * (minutes / 30) for shift in (0, 0.5)]
    expected = np.mean([desk.world.zone_carbon(country.upper(), part) for part in parts], axis=0)
    np.testing.assert_allclose(series.values, expected)


def test_where_there_is_no_figure_yet_the_forecast_counts_and_null_is_never_zero(desk):
    """Quirk 34."""
    series = desk.series("energy-charts-carbon", "DE-LU", START, END, "carbon")
    assert np.nanmin(series.values) > 0
    assert set(series.window(PRESENT + SLOT, 20).kinds) == {Kind.FORECAST}
    assert series.window(START, 20).kinds_used() == (Kind.ESTIMATE,)


def test_a_null_in_both_columns_is_missing(desk):
    """Quirk 34."""
    desk.upstream.break_(Fault.NULLS, "energy_charts")
    fetched = desk.fetch("energy-charts-carbon", "DE-LU", START, END)
    series = fetched.series["carbon"]
    assert missing(series) == {int(slot) for slot in of_series(series) if affected(slot)}
    assert Flag.GAP in flags(fetched)


def test_a_price_that_is_told_once_for_several_hours_holds_for_all_of_them(desk):
    """Quirk 34."""
    desk.upstream.break_(Fault.FROZEN, "entsoe")
    series = desk.series("entsoe-day-ahead", "FR", START, END, "price")
    expected = np.round(desk.world.zone_price("FR", hourly(of_series(series))), -1) * 0.86 / 1000
    assert missing(series) == set()
    np.testing.assert_allclose(series.values, expected, atol=1e-9)
    assert desk.answers[0].body.count(b"<Point>") < len(series) / 2


# -- outages that look clean, and figures of other kinds --------------------------------------------------------------


@pytest.mark.parametrize("name", ["watttime-forecast", "watttime-history"])
def test_zero_emissions_for_an_hour_and_a_half_are_an_outage(desk, name):
    """Quirk 35."""
    desk.upstream.break_(Fault.SPURIOUS_ZERO, "watttime")
    fetched = desk.fetch(name, "DE-LU", START, END)
    series = fetched.series["marginal_carbon"]
    assert missing(series) == {int(slot) for slot in of_series(series) if affected(slot)}
    assert np.nanmin(series.values) > 0
    assert Flag.SPURIOUS_ZERO in flags(fetched)


@pytest.mark.parametrize(
    ("name", "api", "zone"),
    [
        ("watttime-forecast", "watttime", "DE-LU"),
        ("electricity-maps-forecast", "electricity_maps", "DE-LU"),
        ("energy-charts-carbon", "energy_charts", "DE-LU"),
        ("elexon-demand", "elexon", "GB"),
    ],
)
def test_an_answer_of_zeros_alone_is_no_answer(desk, name, api, zone):
    """Quirk 35."""
    desk.upstream.break_(Fault.ZEROS, api)
    with pytest.raises(FeedInvalid):
        desk.fetch(name, zone, START, END)


def test_marginal_pounds_a_megawatt_hour_become_marginal_grams_a_kilowatt_hour(desk):
    """Quirk 36."""
    fetched = desk.fetch("watttime-forecast", "DE-LU", PRESENT, END)
    assert set(fetched.series) == {"marginal_carbon"}
    series = fetched.series["marginal_carbon"]
    assert series.unit is Unit.G_PER_KWH
    region = parse_qs(desk.queries("watttime")[-1])["region"][0]
    quarters = slots(PRESENT + 4 * SLOT, PRESENT + 5 * SLOT, 5)
    expected = desk.world.zone_marginal(region, quarters).mean() * G_PER_LB
    assert series.window(PRESENT + 4 * SLOT, 1).values[0] == pytest.approx(expected)


def test_no_feed_gives_average_and_marginal_carbon_under_one_name(desk):
    """Quirk 36."""
    for name, feed in desk.feeds.items():
        declared = set(feed.declaration.quantities)
        assert not {"carbon", "marginal_carbon"} <= declared, name
        assert ("marginal_carbon" in declared) == name.startswith("watttime"), name


@pytest.mark.parametrize(
    ("name", "api"),
    [
        ("watttime-forecast", "watttime"),
        ("watttime-history", "watttime"),
        ("electricity-maps-history", "electricity_maps"),
        ("energy-charts-price", "energy_charts"),
    ],
)
def test_figures_of_another_kind_or_unit_are_refused(desk, name, api):
    """Quirk 36."""
    desk.upstream.break_(Fault.OTHER_UNITS, api)
    with pytest.raises(FeedInvalid, match=r"was (expected|asked for)"):
        desk.fetch(name, "DE-LU", START, END)


def test_the_users_keys_are_sent_and_never_stored(desk):
    """Quirk 36."""
    for name in ("watttime-forecast", "electricity-maps-history", "entsoe-day-ahead"):
        desk.fetch(name, "DE-LU", START, END)
        for answer in desk.answers:
            assert "made-up" not in answer.url
            assert "token" not in answer.url.lower()


# -- weather ----------------------------------------------------------------------------------------------------------


def test_hours_of_the_weather_are_utc_also_in_summer():
    """Quirk 37."""
    now = utc(2026, 7, 15, 13, 47)
    with Desk(now) as desk:
        series = desk.series("open-meteo", OXFORD, now - timedelta(days=1), now + timedelta(days=2), "temperature")
        asked = of_series(series)
        latitude, longitude = (float(part) for part in OXFORD.split(","))
        ends = [desk.world.weather(latitude, longitude, np.floor(asked / 2) * 2 + 2 * i) for i in (0, 1)]
        queries = [parse_qs(query) for query in desk.queries("open_meteo")]
    assert all(query["timezone"] == ["UTC"] or query["timeformat"] == ["unixtime"] for query in queries)
    first, second = (each["temperature_2m"] for each in ends)
    share = (asked % 2) / 2 + 0.25
    np.testing.assert_allclose(series.values, first + (second - first) * share, atol=1e-9)


def test_weather_of_two_weeks_ago_comes_from_the_archive_and_joins_on_to_the_forecast(desk):
    """Quirk 37."""
    series = desk.series("open-meteo", OXFORD, NOW - timedelta(days=14), NOW + timedelta(days=3), "temperature")
    assert missing(series) == set()
    assert desk.queries("open_meteo_archive")
    assert desk.queries("open_meteo")


# -- all of them ------------------------------------------------------------------------------------------------------


def test_every_quirk_is_tested():
    here = Path(__file__).parent
    numbers: set[int] = set()
    for path in here.glob("test_quirks_*.py"):
        for text in re.findall(r'"""Quirks? ([\d, ]+)\."""', path.read_text(encoding="utf-8")):
            numbers |= {int(number) for number in text.split(",")}
    assert numbers == set(range(1, 38))
