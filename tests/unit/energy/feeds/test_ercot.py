"""Texas: ERCOT's dashboards."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from agents.energy.feed import Ask, Flag
from agents.energy.feeds.ercot import feeds
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.settings import Settings
from core.vintage import RawAnswer

CENTRAL = ZoneInfo("America/Chicago")
ZONE = "US-TEX-ERCO"
PRICES, LOAD, MIX = feeds(Settings(_env_file=None, usd_gbp=0.75))
DAY_START = datetime(2024, 7, 10, 5, tzinfo=UTC)
NOW = datetime(2024, 7, 10, 17, 5, tzinfo=UTC)
HOUR, QUARTER, FIVE_MINUTES = timedelta(hours=1), timedelta(minutes=15), timedelta(minutes=5)


class Upstream:
    """Answers with one body and remembers what was asked."""

    def __init__(self, body):
        self.body = body
        self.asked = []

    def __call__(self, url, parameters=None, *, authorise=None):
        self.asked.append(url)
        return RawAnswer.of(url, "application/json", json.dumps(self.body).encode())


def fetch(feed, body, start=DAY_START, end=DAY_START + timedelta(days=1), now=NOW):
    return feed.fetch(Ask(ZONE, start, end, now, Upstream(body)))


def stamp(instant):
    return instant.astimezone(CENTRAL).strftime("%Y-%m-%d %H:%M:%S%z")


def hours(start, values, name):
    """Rows named by their end, as the dashboards have them."""
    return [
        {
            "hourEnding": (start + HOUR * i).astimezone(CENTRAL).hour + 1,
            "dstFlag": "N",
            "timestamp": stamp(start + HOUR * (i + 1)),
            name: value,
        }
        for i, value in enumerate(values)
    ]


def price_body(real, ahead, start=DAY_START):
    quarters = [
        {"intervalEnding": "x", "timestamp": stamp(start + QUARTER * (i + 1)), "hbHubAvg": value, "hbWest": 1.0}
        for i, value in enumerate(real)
    ]
    return {"lastUpdated": stamp(NOW), "rtSppData": quarters, "damSppData": hours(start, ahead, "hbHubAvg")}


def load_body(actual, forecast, start=DAY_START):
    rows = hours(start, forecast, "currentLoadForecast")
    for row, value in zip(rows, actual, strict=False):
        row["systemLoad"] = value
    return {"previousDay": {"data": []}, "currentDay": {"data": rows}, "nextDay": {"data": []}}


GENERATION = {
    "Coal and Lignite": 10_000.0,
    "Hydro": 500.0,
    "Natural Gas": 25_000.0,
    "Nuclear": 5_000.0,
    "Other": 0.0,
    "Power Storage": -2_000.0,
    "Solar": -0.3,
    "Wind": 9_500.0,
}


def mix_body(count=12, start=NOW - HOUR, **changed):
    points = {}
    for i in range(count):
        fuels = {name: {"gen": value} for name, value in (GENERATION | changed).items() if value != "absent"}
        points[stamp(start - timedelta(minutes=5) + FIVE_MINUTES * (i + 1) - timedelta(seconds=3))] = fuels
    return {"lastUpdated": "x", "data": {"2024-07-10": points}}


def test_a_quarter_is_named_by_its_end_and_dollars_become_pounds():
    series = fetch(PRICES, price_body([100.0, 200.0] * 24, [50.0] * 24)).series["price"]
    assert series.start == DAY_START
    assert series.unit is Unit.GBP_PER_KWH
    assert series.values[0] == pytest.approx(150 * 0.00075)
    assert "at 0.75 GBP/USD" in series.source


def test_real_time_prices_are_estimates_and_day_ahead_ones_forecasts_of_the_coming_slots():
    series = fetch(PRICES, price_body([100.0] * 48, [50.0] * 24)).series["price"]
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 24 + [Kind.FORECAST] * 24
    assert series.values[[23, 24]].tolist() == pytest.approx([0.075, 0.0375])


def test_a_half_hour_that_is_not_over_is_a_forecast_though_a_part_of_it_is_known():
    """Else a bill would be settled with the price of its first quarter."""
    now = DAY_START + timedelta(minutes=50)
    series = fetch(PRICES, price_body([100.0] * 3, [50.0] * 24), now=now).series["price"]
    assert series.kinds[:2].tolist() == [Kind.ESTIMATE, Kind.FORECAST]
    mix = fetch(MIX, mix_body(), now=NOW - timedelta(minutes=20)).series
    assert {tuple(one.kinds.tolist()) for one in mix.values()} == {(Kind.ESTIMATE, Kind.FORECAST)}


def test_a_past_slot_without_a_real_time_price_is_not_filled_with_another_markets():
    body = price_body([100.0] * 20 + [None] * 2 + [100.0] * 26, [50.0] * 24)
    assert fetch(PRICES, body).series["price"].kinds[10] == Kind.MISSING


def test_negative_prices_are_kept():
    assert fetch(PRICES, price_body([-30.0] * 48, [1.0] * 24)).series["price"].values[0] == pytest.approx(-0.0225)


def test_the_hour_that_comes_twice_in_november_makes_two_hours():
    start = datetime(2024, 11, 3, 5, tzinfo=UTC)
    rows = hours(start, range(20_000, 20_025), "currentLoadForecast")
    assert [row["hourEnding"] for row in rows[:4]] == [1, 2, 2, 3]
    body = {"previousDay": {"data": []}, "currentDay": {"data": rows}, "nextDay": {"data": []}}
    series = fetch(LOAD, body, start, start + timedelta(days=2), start).series["demand"]
    assert len(series) == 50
    assert series.values[::2].tolist() == list(range(20_000, 20_025))


def test_the_hour_that_is_left_out_in_march_leaves_no_gap():
    start = datetime(2024, 3, 10, 6, tzinfo=UTC)
    rows = hours(start, range(20_000, 20_023), "currentLoadForecast")
    assert [row["hourEnding"] for row in rows[:4]] == [1, 2, 4, 5]
    body = {"previousDay": {"data": []}, "currentDay": {"data": rows}, "nextDay": {"data": []}}
    fetched = fetch(LOAD, body, start, start + timedelta(days=2), start)
    assert len(fetched.series["demand"]) == 46
    assert fetched.findings == ()


def test_an_hour_whose_label_disagrees_with_its_time_is_refused():
    body = load_body([], [30_000.0] * 24)
    body["currentDay"]["data"][5]["hourEnding"] = 5
    with pytest.raises(FeedInvalid, match="called hour ending 5"):
        fetch(LOAD, body)


def test_a_time_before_1970_is_refused():
    body = load_body([], [30_000.0] * 24)
    body["currentDay"]["data"][0]["timestamp"] = "0001-01-01T00:00:00Z"
    with pytest.raises(FeedInvalid, match="since 1970"):
        fetch(LOAD, body)


def test_demand_is_an_estimate_until_now_and_a_forecast_after():
    series = fetch(LOAD, load_body([40_000.0] * 12, [50_000.0] * 24)).series["demand"]
    assert series.unit is Unit.MW
    assert series.values[[0, 23, 24]].tolist() == [40_000, 40_000, 50_000]
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 24 + [Kind.FORECAST] * 24


def test_the_load_of_an_hour_that_is_not_over_is_not_yet_read():
    series = fetch(LOAD, load_body([40_000.0] * 13, [50_000.0] * 24)).series["demand"]
    assert (series.values[24], series.kinds[24]) == (50_000, Kind.FORECAST)


def test_a_load_of_zero_is_refused():
    with pytest.raises(FeedInvalid, match="systemLoad"):
        fetch(LOAD, load_body([0.0] * 12, [50_000.0] * 24))


def test_shares_add_to_a_hundred_without_batteries():
    series = fetch(MIX, mix_body()).series
    shares = {q: one.values[0] for q, one in series.items() if q != "carbon"}
    assert sum(shares.values()) == pytest.approx(100)
    assert shares["share_coal"] == pytest.approx(20)
    assert shares["share_gas"] == pytest.approx(50)
    assert shares["share_solar"] == 0
    assert series["share_wind"].unit is Unit.PERCENT


def test_carbon_is_computed_from_the_mix_and_says_so():
    carbon = fetch(MIX, mix_body()).series["carbon"]
    expected = 0.2 * 820 + 0.01 * 24 + 0.5 * 450 + 0.1 * 12 + 0.19 * 11
    assert carbon.values[0] == pytest.approx(expected)
    assert carbon.kinds_used() == (Kind.ESTIMATE,)
    assert "computed from ERCOT's fuel mix" in carbon.source


def test_a_stamp_some_seconds_before_the_end_belongs_to_the_five_minutes_it_ends():
    half = mix_body(3, start=datetime(2024, 7, 10, 16, 50, tzinfo=UTC))
    assert list(half["data"]["2024-07-10"])[-1] == "2024-07-10 11:59:57-0500"
    series = fetch(MIX, half).series["carbon"]
    assert (series.start, len(series)) == (datetime(2024, 7, 10, 16, 30, tzinfo=UTC), 1)


@pytest.mark.parametrize("changed", [{"Wind": "absent"}, {"Wind": None}, dict.fromkeys(GENERATION, 0.0)])
def test_a_mix_that_is_not_whole_is_no_clean_power(changed):
    body = mix_body(**changed)
    good = mix_body(12, start=NOW - 2 * HOUR)
    body["data"]["2024-07-09"] = good["data"]["2024-07-10"]
    fetched = fetch(MIX, body)
    assert fetched.series["carbon"].end == NOW.replace(minute=0) - HOUR
    assert fetched.findings[0].flag is Flag.GAP
    assert "12 figures" in fetched.findings[0].detail


def test_a_fuel_that_is_not_known_is_refused():
    with pytest.raises(FeedInvalid, match="'Fusion' is no fuel"):
        fetch(MIX, mix_body(Fusion=1.0))


def test_parts_of_storage_are_left_out_too():
    body = mix_body(**{"Power Storage Charging": -5000.0, "Power Storage Discharging": 5000.0})
    assert fetch(MIX, body).series["share_gas"].values[0] == pytest.approx(50)


@pytest.mark.parametrize(
    ("feed", "body"),
    [
        (PRICES, price_body([100.0] * 48, [50.0] * 24)),
        (LOAD, load_body([40_000.0] * 12, [50_000.0] * 24)),
        (MIX, mix_body()),
    ],
)
def test_last_weeks_dates_are_no_answer(feed, body):
    week = timedelta(days=7)
    with pytest.raises(FeedInvalid, match="no figures after"):
        fetch(feed, body, end=DAY_START + 2 * week, now=NOW + week)


@pytest.mark.parametrize("feed", [PRICES, LOAD, MIX])
@pytest.mark.parametrize("body", [{}, [], {"data": []}, {"rtSppData": [], "damSppData": []}, {"currentDay": {}}])
def test_a_broken_answer_gives_no_figure(feed, body):
    with pytest.raises(FeedInvalid):
        fetch(feed, body)


def test_a_quarter_that_comes_twice_is_told():
    body = price_body([100.0] * 48, [50.0] * 24)
    body["rtSppData"].append(dict(body["rtSppData"][0], hbHubAvg=200.0))
    fetched = fetch(PRICES, body)
    assert fetched.findings[0].flag is Flag.DUPLICATE
    assert fetched.series["price"].values[0] == pytest.approx(0.1125)


def test_only_texas_is_served_without_a_key():
    for feed in (PRICES, LOAD, MIX):
        assert feed.serves(ZONE)
        assert not feed.serves("GB")
        assert feed.declaration.ready
        assert feed.declaration.host == "www.ercot.com"


@pytest.mark.shared
def test_the_recorded_load_is_read_by_the_hours_it_ends(shared_data):
    body = json.loads(gzip.decompress((shared_data / "responses" / "ercot" / "ERCOT_demand.json.gz").read_bytes()))
    start, now = datetime(2024, 11, 24, 6, tzinfo=UTC), datetime(2024, 11, 25, 8, 15, tzinfo=UTC)
    series = fetch(LOAD, body, start, start + timedelta(days=4), now).series["demand"]
    assert (series.start, len(series)) == (start, 144)
    assert series.values[:4].tolist() == [42015.44, 42015.44, 40887.56, 40887.56]
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 52 + [Kind.FORECAST] * 92
    assert series.values[52] == body["currentDay"]["data"][2]["currentLoadForecast"]
    assert not np.isnan(series.values).any()
