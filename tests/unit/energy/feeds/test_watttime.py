"""Marginal carbon from WattTime."""

import base64
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import requests
import responses

from agents.energy.feed import Ask, Flag
from agents.energy.feeds.watttime import LEFT_ALONE_SECONDS, TOKEN_SECONDS, Token, feeds, login
from core.errors import FeedInvalid, FeedUnreachable
from core.series import Kind, Unit
from core.settings import Settings
from core.vintage import RawAnswer

START = datetime(2024, 3, 22, tzinfo=UTC)
NOW = START + timedelta(hours=1, minutes=5)
DAY = timedelta(days=1)
PASSWORD = "a-secret-password"
LOGIN = "https://api.watttime.org/login"
FORECAST, HISTORY = feeds(
    Settings(_env_file=None, watttime_username="me", watttime_password=PASSWORD), log_in=lambda *_: "a-token"
)


class Upstream:
    """Answers with one body and remembers what was asked."""

    def __init__(self, body):
        self.body = body
        self.asked = []
        self.headers = {}

    def __call__(self, url, parameters=None, *, authorise=None):
        self.asked.append((url, dict(parameters)))
        self.headers = dict(authorise().headers)
        return RawAnswer.of(url, "application/json", json.dumps(self.body).encode())


def answer(values, start=START, step_s=300, **meta):
    return {
        "data": [
            {"point_time": (start + timedelta(seconds=step_s * i)).isoformat(), "value": value}
            for i, value in enumerate(values)
        ],
        "meta": {
            "data_point_period_seconds": step_s,
            "region": "DE",
            "signal_type": "co2_moer",
            "units": "lbs_co2_per_mwh",
            **meta,
        },
    }


def fetch(feed, body, start=START, end=START + DAY, now=NOW):
    return feed.fetch(Ask("DE-LU", start, end, now, Upstream(body)))


def test_pounds_a_megawatt_hour_become_grams_a_kilowatt_hour():
    series = fetch(HISTORY, answer([1000.0] * 12)).series["marginal_carbon"]
    assert series.unit is Unit.G_PER_KWH
    assert series.values.tolist() == pytest.approx([453.59237, 453.59237])
    assert series.kinds_used() == (Kind.ESTIMATE,)


def test_six_five_minute_figures_make_a_half_hour():
    values = [100.0, 200, 300, 400, 500, 600]
    assert fetch(HISTORY, answer(values * 2)).series["marginal_carbon"].values[0] == pytest.approx(350 * 0.45359237)


def test_marginal_figures_are_never_called_carbon():
    for feed in (HISTORY, FORECAST):
        assert feed.declaration.quantities == ("marginal_carbon",)
    assert set(fetch(HISTORY, answer([1000.0] * 12)).series) == {"marginal_carbon"}


def test_an_outage_that_reads_as_zeros_is_no_answer():
    with pytest.raises(FeedInvalid, match="no figures"):
        fetch(HISTORY, answer([0.0] * 120))


def test_a_half_hour_that_is_not_over_is_a_forecast_though_a_part_of_it_is_known():
    series = fetch(HISTORY, answer([900.0] * 10), now=START + timedelta(minutes=52)).series["marginal_carbon"]
    assert series.kinds.tolist() == [Kind.ESTIMATE, Kind.FORECAST]


def test_zeros_between_figures_stay_missing_and_are_told():
    fetched = fetch(HISTORY, answer([900.0] * 6 + [0.0] * 6 + [900.0] * 6), now=START + timedelta(hours=2))
    series = fetched.series["marginal_carbon"]
    assert series.kinds.tolist() == [Kind.ESTIMATE, Kind.MISSING, Kind.ESTIMATE]
    assert [f.flag for f in fetched.findings] == [Flag.SPURIOUS_ZERO]


def test_a_half_hour_with_a_few_zeros_is_the_mean_of_the_rest():
    values = fetch(HISTORY, answer([0.0, 900, 900, 900, 900, 900] * 2)).series["marginal_carbon"].values
    assert values.tolist() == pytest.approx([900 * 0.45359237] * 2)


def test_null_is_missing():
    series = fetch(HISTORY, answer([900.0] * 6 + [None] * 6 + [900.0] * 6)).series["marginal_carbon"]
    assert np.isnan(series.values).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "meta",
    [
        {"units": "g_co2_per_kwh"},
        {"units": None},
        {"signal_type": "co2_aoer"},
        {"region": "FR"},
        {"data_point_period_seconds": 77},
    ],
)
def test_an_answer_about_something_else_is_refused(meta):
    with pytest.raises(FeedInvalid, match="expected"):
        fetch(HISTORY, answer([900.0] * 12, **meta))


def test_the_forecast_is_a_forecast_and_asks_for_three_days():
    upstream = Upstream(answer([900.0] * 24))
    series = FORECAST.fetch(Ask("DE-LU", START, START + DAY, NOW, upstream)).series["marginal_carbon"]
    assert series.kinds_used() == (Kind.FORECAST,)
    ((url, parameters),) = upstream.asked
    assert url == "https://api.watttime.org/v3/forecast"
    assert parameters == {"region": "DE", "signal_type": "co2_moer", "horizon_hours": "72"}


def test_the_token_travels_in_a_header_alone():
    upstream = Upstream(answer([900.0] * 24))
    HISTORY.fetch(Ask("DE-LU", START, START + DAY, NOW, upstream))
    assert upstream.headers == {"Authorization": "Bearer a-token"}
    assert "a-token" not in str(upstream.asked)
    assert PASSWORD not in str(upstream.asked)


def test_history_is_asked_for_a_month_at_a_time_and_never_ahead():
    upstream = Upstream(answer([900.0] * 24))
    HISTORY.fetch(Ask("DE-LU", START, START + 40 * DAY, START + 40 * DAY, upstream))
    assert [(p["start"][:10], p["end"][:10]) for _, p in upstream.asked] == [
        ("2024-03-22", "2024-04-22"),
        ("2024-04-22", "2024-05-01"),
    ]


def test_a_future_without_a_past_is_not_asked_of_history():
    upstream = Upstream(answer([900.0]))
    with pytest.raises(FeedInvalid, match="no figures"):
        HISTORY.fetch(Ask("DE-LU", NOW + DAY, NOW + 2 * DAY, NOW, upstream))
    assert upstream.asked == []


@pytest.mark.parametrize("feed", [HISTORY, FORECAST])
def test_last_weeks_dates_are_no_answer(feed):
    with pytest.raises(FeedInvalid, match="no figures after"):
        fetch(feed, answer([900.0] * 24), end=START + 9 * DAY, now=START + 7 * DAY)


@pytest.mark.parametrize(
    "body",
    [{}, [], {"data": []}, {"meta": answer([])["meta"], "data": None}, answer([]), answer(["900"]), answer([-5])],
)
def test_a_broken_answer_gives_no_figure(body):
    with pytest.raises(FeedInvalid):
        fetch(HISTORY, body)


@pytest.mark.parametrize("fault", [FeedInvalid("refused with 401"), FeedUnreachable("dripping")])
def test_a_failed_login_is_not_tried_again_for_each_zone(fault):
    seconds, logins = [0.0], []

    def log_in(*_):
        logins.append(seconds[0])
        if len(logins) == 1:
            raise fault
        return "a-token"

    token = Token(LOGIN, ("me", PASSWORD), log_in, lambda: seconds[0])
    for at in (0.0, 1.0, LEFT_ALONE_SECONDS - 0.1):
        seconds[0] = at
        with pytest.raises(type(fault), match=str(fault)) as raised:
            token()
        assert raised.value.remedy == fault.remedy
    assert logins == [0.0]
    seconds[0] = LEFT_ALONE_SECONDS
    assert token().headers["Authorization"] == "Bearer a-token"


def test_one_token_serves_until_it_is_about_to_end():
    seconds, logins = [0.0], []
    token = Token(LOGIN, ("me", PASSWORD), lambda *asked: logins.append(asked) or f"t{len(logins)}", lambda: seconds[0])
    assert token().headers == token().headers == {"Authorization": "Bearer t1"}
    seconds[0] = TOKEN_SECONDS
    assert token().headers == {"Authorization": "Bearer t2"}
    assert logins == [(LOGIN, "me", PASSWORD)] * 2


@responses.activate
def test_the_login_sends_the_account_once_and_reads_the_token():
    responses.get(LOGIN, json={"token": "fresh"})
    assert login(LOGIN, "me", PASSWORD) == "fresh"
    sent = responses.calls[0].request.headers["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == f"me:{PASSWORD}"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"status": 401, "json": {"error": "no"}}, FeedInvalid),
        ({"status": 403, "body": "no"}, FeedInvalid),
        ({"status": 404, "json": {"token": "t"}}, FeedInvalid),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, FeedInvalid),
        ({"status": 429}, FeedUnreachable),
        ({"status": 503}, FeedUnreachable),
        ({"json": {"token": ""}}, FeedInvalid),
        ({"json": {}}, FeedInvalid),
        ({"body": "<html>", "content_type": "text/html"}, FeedInvalid),
        ({"json": {"token": "x" * 20_000}}, FeedInvalid),
        ({"body": requests.ConnectionError(f"me:{PASSWORD} refused")}, FeedUnreachable),
    ],
)
@responses.activate
def test_a_failed_login_is_named_without_the_password(reply, error):
    responses.get(LOGIN, **reply)
    with pytest.raises(error) as caught:
        login(LOGIN, "me", PASSWORD)
    assert PASSWORD not in caught.value.diagnostics()
    assert len(responses.calls) == 1


def test_without_an_account_the_feeds_are_not_ready():
    keyless = feeds(Settings(_env_file=None, watttime_username="me", watttime_password=None))
    assert [feed.declaration.ready for feed in keyless] == [False, False]
    assert HISTORY.declaration.ready
    assert not HISTORY.serves("CA-ON")
