"""Average carbon from Electricity Maps."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from agents.energy.feed import Ask, Flag
from agents.energy.feeds.electricity_maps import feeds
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.settings import Settings
from core.slots import format_utc
from core.vintage import RawAnswer

START = datetime(2024, 3, 22, tzinfo=UTC)
NOW = START + timedelta(hours=3, minutes=5)
DAY = timedelta(days=1)
KEY = "a-secret-key"
FORECAST, HISTORY = feeds(Settings(_env_file=None, electricity_maps_key=KEY))


class Upstream:
    """Answers by the last part of the address, and remembers what was asked."""

    def __init__(self, **bodies):
        self.bodies = {name.replace("_", "-"): body for name, body in bodies.items()}
        self.asked = []
        self.headers = {}

    def __call__(self, url, parameters=None, *, authorise=None):
        name = url.rpartition("/")[2]
        self.asked.append((name, dict(parameters)))
        self.headers = dict(authorise().headers)
        return RawAnswer.of(url, "application/json", json.dumps(self.bodies[name]).encode())


def hours(values, start=START, **more):
    return [
        {
            "zone": "DE",
            "carbonIntensity": value,
            "datetime": (start + timedelta(hours=i)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "emissionFactorType": "lifecycle",
            "isEstimated": False,
            **more,
        }
        for i, value in enumerate(values)
    ]


def history(values, **more):
    return Upstream(history={"zone": "DE", "history": hours(values, **more)})


def fetch(feed, upstream, zone="DE-LU", start=START, end=START + DAY, now=NOW):
    return feed.fetch(Ask(zone, start, end, now, upstream))


def test_an_hour_holds_for_both_its_half_hours():
    series = fetch(HISTORY, history([300, 400, 500])).series["carbon"]
    assert series.unit is Unit.G_PER_KWH
    assert series.values.tolist() == [300, 300, 400, 400, 500, 500]
    assert series.kinds_used() == (Kind.SETTLED,)
    assert "life-cycle" in series.source


def test_a_half_hour_that_is_not_over_is_a_forecast_though_its_hour_is_told():
    series = fetch(HISTORY, history([300, 400]), now=START + timedelta(hours=1, minutes=40)).series["carbon"]
    assert series.kinds.tolist() == [Kind.SETTLED] * 3 + [Kind.FORECAST]


def test_an_estimated_hour_is_an_estimate():
    assert fetch(HISTORY, history([300, 400], isEstimated=True)).series["carbon"].kinds_used() == (Kind.ESTIMATE,)


def test_an_hour_that_does_not_say_is_an_estimate():
    assert fetch(HISTORY, history([300], isEstimated=None)).series["carbon"].kinds_used() == (Kind.ESTIMATE,)


def test_a_null_hour_stays_missing():
    series = fetch(HISTORY, history([300, None, 500])).series["carbon"]
    assert series.kinds.tolist() == [0, 0, Kind.MISSING, Kind.MISSING, 0, 0]


def test_zero_carbon_is_refused_and_told():
    fetched = fetch(HISTORY, history([300, 0, 500]))
    assert fetched.series["carbon"].kinds[2] == Kind.MISSING
    assert fetched.findings[0].flag is Flag.SPURIOUS_ZERO


@pytest.mark.parametrize("where", ["row", "answer"])
def test_direct_figures_never_mix_with_life_cycle_ones(where):
    body = {"zone": "DE", "history": hours([300], emissionFactorType="direct" if where == "row" else "lifecycle")}
    if where == "answer":
        body["emissionFactorType"] = "direct"
    with pytest.raises(FeedInvalid, match="'direct' factors"):
        fetch(HISTORY, Upstream(history=body))


def test_the_factors_are_asked_for_by_name_and_the_key_travels_apart():
    upstream = history([300])
    fetch(HISTORY, upstream)
    ((name, parameters),) = upstream.asked
    assert (name, parameters["zone"], parameters["emissionFactorType"]) == ("history", "DE", "lifecycle")
    assert upstream.headers == {"auth-token": KEY}
    assert KEY not in str(upstream.asked)


def test_older_hours_are_asked_for_ten_days_at_a_time():
    start = START - 15 * DAY
    upstream = Upstream(past_range={"zone": "DE", "data": hours([300] * 48, start)})
    fetch(HISTORY, upstream, start=start, end=START)
    spans = [(p["start"], p["end"]) for _, p in upstream.asked]
    assert spans == [
        (format_utc(start), format_utc(start + 10 * DAY)),
        (format_utc(start + 10 * DAY), format_utc(START)),
    ]


def test_the_forecast_is_a_forecast():
    body = {"zone": "DE", "updatedAt": "x", "forecast": [{"carbonIntensity": 200, "datetime": "2024-03-22T04:00:00Z"}]}
    series = fetch(FORECAST, Upstream(forecast=body)).series["carbon"]
    assert series.kinds_used() == (Kind.FORECAST,)
    assert series.start == START + timedelta(hours=4)


def test_a_forecast_of_last_week_is_no_answer():
    body = {"zone": "DE", "forecast": hours([200] * 24)}
    with pytest.raises(FeedInvalid, match="no figures after"):
        fetch(FORECAST, Upstream(forecast=body), end=START + 9 * DAY, now=START + 7 * DAY)


def test_history_that_stopped_long_ago_is_no_answer():
    with pytest.raises(FeedInvalid, match="no figures after"):
        fetch(HISTORY, history([300]), now=START + timedelta(hours=8))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"zone": "FR", "history": hours([300])},
        {"zone": "DE", "history": []},
        {"zone": "DE", "history": {}},
        {"zone": "DE", "history": hours(["300"])},
        {"zone": "DE", "history": hours([-1])},
        {"zone": "DE", "history": hours([300], datetime="2024-03-22T00:00:00")},
        {"zone": "DE", "history": hours([300], datetime="2024-03-22T00:05:00Z")},
    ],
)
def test_a_broken_answer_gives_no_figure(body):
    with pytest.raises(FeedInvalid):
        fetch(HISTORY, Upstream(history=body))


def test_without_a_key_the_feeds_are_not_ready():
    keyless = feeds(Settings(_env_file=None, electricity_maps_key=None))
    assert [feed.declaration.ready for feed in keyless] == [False, False]
    assert [feed.declaration.ready for feed in (HISTORY, FORECAST)] == [True, True]
    assert {feed.declaration.key_setting for feed in keyless} == {"ELECTRICITY_MAPS_KEY"}


def test_only_average_carbon_is_given():
    assert {feed.declaration.quantities for feed in (HISTORY, FORECAST)} == {("carbon",)}
    assert not HISTORY.serves("GB-C")
