"""Day-ahead prices and carbon from Energy-Charts."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agents.energy.feed import Ask, Flag
from agents.energy.feeds.energy_charts import day_ahead_until, feeds
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.settings import Settings
from core.vintage import RawAnswer

START = datetime(2024, 3, 22, tzinfo=UTC)
ZERO_S = int(START.timestamp())
NOW = START + timedelta(hours=1, minutes=5)
DAY = timedelta(days=1)
PRICE, CARBON = feeds(Settings(_env_file=None, eur_gbp=0.8))


class Upstream:
    """Answers with its bodies in turn and remembers what was asked."""

    def __init__(self, *bodies):
        self.bodies = bodies
        self.asked = []

    def __call__(self, url, parameters=None, *, authorise=None):
        body = self.bodies[min(len(self.asked), len(self.bodies) - 1)]
        self.asked.append((url, dict(parameters)))
        return RawAnswer.of(url, "application/json", body if isinstance(body, bytes) else json.dumps(body).encode())


def fetch(feed, *bodies, zone="FR", start=START, end=START + DAY, now=NOW):
    return feed.fetch(Ask(zone, start, end, now, Upstream(*bodies)))


def prices(values, step_s=3600, **more):
    stamps = [ZERO_S + step_s * i for i in range(len(values))]
    return {"license_info": "x", "unix_seconds": stamps, "price": values, "unit": "EUR / MWh", **more}


def carbon(actual, forecast, step_s=3600):
    stamps = [ZERO_S + step_s * i for i in range(len(actual))]
    return {"unix_seconds": stamps, "co2eq": actual, "co2eq_forecast": forecast, "deprecated": False}


def test_euros_a_megawatt_hour_become_pounds_a_kilowatt_hour_at_the_rate_of_the_settings():
    series = fetch(PRICE, prices([100.0, -50.0, 0.0])).series["price"]
    assert series.unit is Unit.GBP_PER_KWH
    assert series.values.tolist() == pytest.approx([0.08, 0.08, -0.04, -0.04, 0, 0])
    assert series.kinds_used() == (Kind.ESTIMATE,)
    assert "at 0.8 GBP/EUR" in series.source


def test_quarter_hours_become_their_half_hours_mean():
    series = fetch(PRICE, prices([10.0, 30.0, 50.0, 70.0] * 3, 900)).series["price"]
    assert series.values[:2].tolist() == pytest.approx([20 * 0.0008, 60 * 0.0008])


def test_norway_is_asked_for_by_its_bidding_zone_in_seconds_utc():
    upstream = Upstream(prices([1.0] * 24))
    PRICE.fetch(Ask("NO-NO2", START, START + DAY, NOW, upstream))
    ((url, parameters),) = upstream.asked
    assert url == "https://api.energy-charts.info/price"
    assert parameters == {"bzn": "NO2", "start": str(ZERO_S), "end": str(ZERO_S + 86_400)}


def test_a_price_in_another_unit_is_refused():
    with pytest.raises(FeedInvalid, match="EUR/MWh was expected"):
        fetch(PRICE, prices([1.0] * 24, unit="NOK / MWh"))


def test_a_null_price_stays_missing():
    series = fetch(PRICE, prices([1.0, None, 3.0])).series["price"]
    assert np.flatnonzero(series.kinds == Kind.MISSING).tolist() == [2, 3]


def test_prices_of_last_week_are_no_answer():
    with pytest.raises(FeedInvalid, match="no figures"):
        fetch(PRICE, prices([1.0] * 24), start=START, end=START + 9 * DAY, now=START + 7 * DAY)


def test_a_backfill_may_be_of_last_week():
    assert len(fetch(PRICE, prices([1.0] * 24), now=START + 7 * DAY).series["price"]) == 48


def test_several_years_are_asked_for_a_year_at_a_time():
    upstream = Upstream(prices([1.0] * 24))
    PRICE.fetch(Ask("FR", START, START + 400 * DAY, START + 900 * DAY, upstream))
    spans = [(int(p["start"]), int(p["end"])) for _, p in upstream.asked]
    assert spans == [(ZERO_S, ZERO_S + 366 * 86_400), (ZERO_S + 366 * 86_400, ZERO_S + 400 * 86_400)]


def test_a_time_that_comes_twice_is_told():
    answer = prices([1.0, 2.0, 3.0])
    answer["unix_seconds"].append(ZERO_S)
    answer["price"].append(9.0)
    fetched = fetch(PRICE, answer)
    assert fetched.series["price"].values[0] == pytest.approx(9 * 0.0008)
    assert [f.flag for f in fetched.findings] == [Flag.DUPLICATE]


def test_actual_carbon_is_an_estimate_and_the_rest_forecast():
    body = carbon([40.0, 50.0, None], [None, None, 60.0])
    series = fetch(CARBON, body, now=START + timedelta(hours=2, minutes=5)).series["carbon"]
    assert series.values.tolist() == [40, 40, 50, 50, 60, 60]
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 4 + [Kind.FORECAST] * 2


def test_a_half_hour_that_is_not_over_is_a_forecast_though_a_part_of_it_is_known():
    """Else a bill would be settled with the figure of its first quarter."""
    now = START + timedelta(minutes=50)
    series = fetch(CARBON, carbon([40.0, 50.0, 60.0], [None] * 3, 900), now=now).series["carbon"]
    assert series.values.tolist() == [45, 60]
    assert series.kinds.tolist() == [Kind.ESTIMATE, Kind.FORECAST]


def test_where_both_columns_are_set_the_actual_one_counts():
    series = fetch(CARBON, carbon([40.0, 50.0], [1.0, 1.0])).series["carbon"]
    assert series.values.tolist() == [40, 40, 50, 50]


def test_where_neither_column_is_set_the_slot_stays_missing():
    body = carbon([40.0, None, 50.0], [None] * 3)
    series = fetch(CARBON, body, now=START + timedelta(hours=3, minutes=5)).series["carbon"]
    assert series.kinds.tolist() == [1, 1, Kind.MISSING, Kind.MISSING, 1, 1]


def test_a_half_hour_that_is_partly_forecast_is_a_forecast():
    series = fetch(CARBON, carbon([40.0, None, 40.0, 40.0] * 2, [None, 60.0, None, None] * 2, 900)).series["carbon"]
    assert series.values[:2].tolist() == [50, 40]
    assert series.kinds[:2].tolist() == [Kind.FORECAST, Kind.ESTIMATE]


def test_zero_carbon_is_an_outage_and_gives_way_to_the_forecast():
    fetched = fetch(CARBON, carbon([40.0, 0.0, 0], [None, 55.0, None]))
    assert fetched.series["carbon"].values.tolist() == [40, 40, 55, 55]
    assert Flag.SPURIOUS_ZERO in {f.flag for f in fetched.findings}


def test_carbon_that_stopped_long_ago_is_no_answer():
    with pytest.raises(FeedInvalid, match="no figures after 2024-03-22 02:00"):
        fetch(CARBON, carbon([40.0, 50.0], [None, None]), now=START + timedelta(hours=9))


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        b"<html>down</html>",
        b'{"unix_seconds":[1],"price":[NaN]}',
        prices([]),
        prices([1.0, True]),
        prices([1.0, 99_999.0]),
        prices([1.0, 2.0]) | {"price": [1.0]},
        prices([1.0, 2.0, 3.0]) | {"unix_seconds": [ZERO_S, ZERO_S + 7, ZERO_S + 14]},
    ],
)
def test_a_broken_answer_gives_no_price(body):
    with pytest.raises(FeedInvalid):
        fetch(PRICE, body)


def test_carbon_without_its_forecast_column_is_refused():
    answer = carbon([1.0] * 3, [1.0] * 3)
    del answer["co2eq_forecast"]
    with pytest.raises(FeedInvalid, match="co2eq_forecast"):
        fetch(CARBON, answer)


def test_zones_that_the_source_has_not_are_not_served():
    assert PRICE.serves("NO-NO2")
    assert not PRICE.serves("IE")
    assert not CARBON.serves("NO-NO2")
    assert not PRICE.serves("GB-C")


def test_both_feeds_say_what_they_are():
    assert [feed.declaration.quantities for feed in (PRICE, CARBON)] == [("price",), ("carbon",)]
    assert {feed.declaration.host for feed in (PRICE, CARBON)} == {"api.energy-charts.info"}
    assert PRICE.declaration.published_until is day_ahead_until
    assert CARBON.declaration.ready


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2024-03-22T12:59+00:00", "2024-03-22T23:00+00:00"),
        ("2024-03-22T13:00+00:00", "2024-03-23T23:00+00:00"),
        ("2024-03-30T13:00+00:00", "2024-03-31T22:00+00:00"),
        ("2024-07-01T12:00+00:00", "2024-07-02T22:00+00:00"),
    ],
)
def test_tomorrows_prices_are_due_at_two_in_the_afternoon_market_time(now, until):
    assert day_ahead_until(datetime.fromisoformat(now)) == datetime.fromisoformat(until)


@pytest.mark.shared
@pytest.mark.parametrize(("country", "zone", "slots"), [("fr", "FR", 94), ("at", "AT", 142)])
def test_recorded_carbon_keeps_its_step_its_nulls_and_its_mean(shared_data, country, zone, slots):
    body = json.loads((shared_data / "responses" / "energycharts" / f"{country}.json").read_text())
    fetched = fetch(CARBON, body, zone=zone, end=START + 3 * DAY, now=START + timedelta(hours=18))
    series = fetched.series["carbon"]
    assert len(series) == slots
    merged = [f if a is None else a for a, f in zip(body["co2eq"], body["co2eq_forecast"], strict=True)]
    assert series.kinds_used() == (Kind.ESTIMATE, Kind.FORECAST)
    assert np.nanmean(series.values) == pytest.approx(np.mean(merged), rel=1e-9)
