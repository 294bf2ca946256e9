"""Weather from Open-Meteo."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.energy.feed import Ask, Flag
from agents.energy.feeds.open_meteo import feeds
from core.errors import FeedInvalid
from core.series import Kind
from core.settings import Settings
from core.vintage import UNITS, RawAnswer

PLACE = "51.50,-0.25"
NOW = datetime(2024, 3, 22, 12, 10, tzinfo=UTC)
MIDNIGHT = datetime(2024, 3, 22, tzinfo=UTC)
UNIX = {
    "time": "unixtime",
    "temperature_2m": "°C",
    "relative_humidity_2m": "%",
    "wet_bulb_temperature_2m": "°C",
    "wind_speed_10m": "m/s",
    "cloud_cover": "%",
}


class Upstream:
    """Answers by the last part of the address, and remembers what was asked."""

    def __init__(self, **bodies):
        self.bodies = bodies
        self.asked = []

    def __call__(self, url, parameters=None, *, authorise=None):
        self.asked.append((url, dict(parameters)))
        body = self.bodies[url.rpartition("/")[2]]
        return RawAnswer.of(url, "application/json; charset=utf-8", json.dumps(body).encode())


def body(start=MIDNIGHT, hours=25, units=UNIX, **columns):
    given = {
        "time": [int(start.timestamp()) + 3600 * i for i in range(hours)],
        "temperature_2m": [float(i % 60) for i in range(hours)],
        "relative_humidity_2m": [50] * hours,
        "wet_bulb_temperature_2m": [1.5] * hours,
        "wind_speed_10m": [10.0] * hours,
        "cloud_cover": [30] * hours,
    }
    hourly = {name: column for name, column in (given | columns).items() if column != "absent"}
    return {
        "latitude": 51.49,
        "longitude": -0.16,
        "utc_offset_seconds": 0,
        "hourly_units": units,
        "hourly": hourly,
    }


def fetch(upstream, start=MIDNIGHT, end=MIDNIGHT + timedelta(days=1), now=NOW, place=PLACE):
    (feed,) = feeds(Settings(_env_file=None))
    return feed.fetch(Ask(place, start, end, now, upstream))


def test_every_quantity_comes_in_its_unit():
    series = fetch(Upstream(forecast=body())).series
    assert {quantity: one.unit for quantity, one in series.items()} == {q: UNITS[q] for q in series}
    assert {q: float(one.values[0]) for q, one in series.items()} == {
        "temperature": 0.25,
        "humidity": 50,
        "wet_bulb": 1.5,
        "wind_speed": 10,
        "cloud_cover": 30,
    }


def test_half_hours_are_the_middle_of_the_line_between_two_hours():
    temperature = fetch(Upstream(forecast=body())).series["temperature"]
    assert temperature.values[:4].tolist() == [0.25, 0.75, 1.25, 1.75]
    assert len(temperature) == 48


def test_past_slots_are_estimates_and_the_present_and_coming_ones_forecasts():
    temperature = fetch(Upstream(forecast=body())).series["temperature"]
    assert set(temperature.kinds[:24].tolist()) == {Kind.ESTIMATE}
    assert set(temperature.kinds[24:].tolist()) == {Kind.FORECAST}


def test_the_question_leaves_no_doubt_about_units_and_times():
    upstream = Upstream(forecast=body())
    fetch(upstream)
    ((url, parameters),) = upstream.asked
    assert url == "https://api.open-meteo.com/v1/forecast"
    assert parameters["wind_speed_unit"] == "ms"
    assert (parameters["timezone"], parameters["timeformat"]) == ("UTC", "unixtime")
    assert (parameters["start_date"], parameters["end_date"]) == ("2024-03-22", "2024-03-23")
    assert (parameters["latitude"], parameters["longitude"]) == ("51.50", "-0.25")


def test_older_days_come_from_the_archive_and_join_the_newer_ones():
    start = MIDNIGHT - timedelta(days=6)
    upstream = Upstream(archive=body(start, 49), forecast=body(start + timedelta(days=1), 121))
    series = fetch(upstream, start, MIDNIGHT, NOW).series["temperature"]
    assert [url for url, _ in upstream.asked] == [
        "https://archive-api.open-meteo.com/v1/archive",
        "https://api.open-meteo.com/v1/forecast",
    ]
    assert len(series) == 6 * 48
    assert series.kinds_used() == (Kind.ESTIMATE,)


def test_years_back_are_asked_for_a_year_at_a_time():
    upstream = Upstream(archive=body(datetime(2021, 1, 1, tzinfo=UTC), 49))
    fetch(upstream, datetime(2021, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC))
    spans = [(p["start_date"], p["end_date"]) for _, p in upstream.asked]
    assert spans == [("2021-01-01", "2022-01-02"), ("2022-01-02", "2023-01-01")]


def test_nothing_is_asked_beyond_what_is_forecast():
    upstream = Upstream(forecast=body())
    fetch(upstream, end=MIDNIGHT + timedelta(days=60))
    assert upstream.asked[0][1]["end_date"] == "2024-04-06"
    with pytest.raises(FeedInvalid, match="further than 15 days"):
        fetch(upstream, MIDNIGHT + timedelta(days=40), MIDNIGHT + timedelta(days=60))


def test_local_times_without_an_offset_are_shifted_by_the_answers_own():
    local = [f"2024-03-22T{hour:02d}:00" for hour in range(24)]
    answer = body(hours=24, units=UNIX | {"time": "iso8601"}, time=local) | {"utc_offset_seconds": -18_000}
    temperature = fetch(Upstream(forecast=answer)).series["temperature"]
    assert temperature.start == MIDNIGHT + timedelta(hours=5)
    assert temperature.values[0] == 0.25


@pytest.mark.parametrize(
    ("unit", "expected"), [("km/h", 36 / 3.6), ("m/s", 36), ("mp/h", 36 * 0.44704), ("kn", 36 * 0.514444)]
)
def test_wind_is_read_in_the_unit_that_the_answer_names(unit, expected):
    answer = body(units=UNIX | {"wind_speed_10m": unit}, wind_speed_10m=[36.0] * 25)
    assert fetch(Upstream(forecast=answer)).series["wind_speed"].values[0] == pytest.approx(expected, rel=1e-5)


def test_fahrenheit_is_never_taken_for_celsius():
    answer = body(units=UNIX | {"temperature_2m": "°F"}, temperature_2m=[50.0] * 25)
    assert fetch(Upstream(forecast=answer)).series["temperature"].values[0] == pytest.approx(10)


@pytest.mark.parametrize("unit", [None, "K", "fathoms"])
def test_an_unknown_unit_is_refused(unit):
    with pytest.raises(FeedInvalid, match="temperature_2m is in"):
        fetch(Upstream(forecast=body(units=UNIX | {"temperature_2m": unit})))


def test_older_spellings_are_read():
    units = {"time": "unixtime", "temperature_2m": "°C", "windspeed_10m": "km/h", "cloudcover": "%"}
    answer = body(
        units=units,
        windspeed_10m=[36.0] * 25,
        cloudcover=[70] * 25,
        wind_speed_10m="absent",
        cloud_cover="absent",
        relative_humidity_2m="absent",
        wet_bulb_temperature_2m="absent",
    )
    series = fetch(Upstream(forecast=answer)).series
    assert (series["wind_speed"].values[0], series["cloud_cover"].values[0]) == (10, 70)
    assert "humidity" not in series
    assert "wet_bulb" not in series


def test_a_wet_bulb_that_is_not_given_is_computed():
    answer = body(temperature_2m=[20.0] * 25, wet_bulb_temperature_2m=[None] * 25)
    assert fetch(Upstream(forecast=answer)).series["wet_bulb"].values[0] == pytest.approx(13.70, abs=0.01)


def test_a_null_hour_leaves_the_half_hours_beside_it_missing():
    temperature = [float(i) for i in range(25)]
    temperature[3] = None
    series = fetch(Upstream(forecast=body(temperature_2m=temperature))).series["temperature"]
    assert np.flatnonzero(series.kinds == Kind.MISSING).tolist() == [4, 5, 6, 7]


def test_an_hour_that_comes_twice_is_told():
    stamps = [int(MIDNIGHT.timestamp()) + 3600 * i for i in range(25)]
    stamps[5] = stamps[4]
    assert Flag.DUPLICATE in {f.flag for f in fetch(Upstream(forecast=body(time=stamps))).findings}


def test_the_series_stops_where_the_answer_stops():
    series = fetch(Upstream(forecast=body(hours=15))).series["temperature"]
    assert series.end == MIDNIGHT + timedelta(hours=14)


def test_last_weeks_dates_are_no_answer():
    with pytest.raises(FeedInvalid, match="no figures"):
        fetch(Upstream(forecast=body(MIDNIGHT - timedelta(days=7), 100)), MIDNIGHT - timedelta(days=4))


def test_weather_of_another_place_is_refused():
    with pytest.raises(FeedInvalid, match="about 48"):
        fetch(Upstream(forecast=body() | {"latitude": 48.0}))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"error": True, "reason": "broken"},
        body() | {"hourly": {}},
        body() | {"hourly_units": None},
        body(units=UNIX | {"temperature_2m": {}}),
        body(temperature_2m=[1.0]),
        body(temperature_2m=[99.0] * 25),
        body(relative_humidity_2m=["50"] * 25),
        body(time=[f"2024-03-22T{h:02d}:00" for h in range(25)]),
        body(units=UNIX | {"time": "iso8601"}, time=["2024-03-22T00:00Z"] * 25),
        body(units=UNIX | {"time": "iso8601"}, time=["2024-13-22T00:00"] * 25),
        body(time=[int(MIDNIGHT.timestamp()) + 3600 * i + 60 for i in range(25)]),
    ],
)
def test_a_broken_answer_gives_no_figure(answer):
    with pytest.raises(FeedInvalid):
        fetch(Upstream(forecast=answer))


def test_places_are_served_and_grid_zones_are_not():
    (feed,) = feeds(Settings(_env_file=None))
    assert feed.serves(PLACE)
    assert not feed.serves("GB-C")
    assert feed.declaration.limits.requests == 10_000
    assert "non-commercial" in feed.declaration.licence


@pytest.mark.shared
@pytest.mark.parametrize(
    ("zone", "place", "first_utc"),
    [("DE-LU", "50.00,8.75", "2022-12-31T23:00"), ("US-TEX-ERCO", "32.75,-96.75", "2023-01-01T05:00")],
)
def test_a_recorded_archive_year_is_read_in_utc_and_metres_per_second(shared_data, zone, place, first_utc):
    recorded = json.loads(
        gzip.decompress((shared_data / f"weather_openmeteo_archive_{zone}_2023.json.gz").read_bytes())
    )
    upstream = Upstream(archive=recorded)
    first = datetime.fromisoformat(f"{first_utc}+00:00")
    series = fetch(upstream, first, first + timedelta(days=365), NOW, place).series
    assert set(series) == {"temperature", "humidity", "wet_bulb", "wind_speed", "cloud_cover"}
    temperature, wind = recorded["hourly"]["temperature_2m"], recorded["hourly"]["windspeed_10m"]
    assert series["temperature"].start == first
    assert series["temperature"].values[0] == pytest.approx(0.75 * temperature[0] + 0.25 * temperature[1])
    assert series["wind_speed"].values[0] == pytest.approx((0.75 * wind[0] + 0.25 * wind[1]) / 3.6)
    assert len(series["temperature"]) == 2 * 8760 - 2
    assert not np.isnan(series["wet_bulb"].values).any()
