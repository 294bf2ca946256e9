from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from agents.energy.feed import Ask, Flag
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.slots import SLOT, format_utc
from tests.unit.energy.feeds.elexon_answers import FEEDS, Upstream, fetch, period_row, rows_each, utc

START = utc(2026, 11, 20, 10)
NOW = START + 4 * SLOT + timedelta(minutes=7)
END = START + timedelta(days=2)
OUTTURN, FORECAST = "/demand/outturn", "/forecast/demand/day-ahead/latest"


def outturn(count=4, start=START):
    return rows_each(start, count, initialDemandOutturn=lambda i: 30_000 + i, initialTransmissionSystemDemandOutturn=1)


def forecast(count=40, start=START, **extra):
    fields = {"nationalDemand": lambda i: 20_000 + i, "transmissionSystemDemand": 1, "boundary": "N", **extra}
    return rows_each(start, count, **fields)


def read(past, coming, start=START, end=END, now=NOW):
    return fetch("elexon-demand", {OUTTURN: {"data": past}, FORECAST: {"data": coming}}, start, end, now)


def test_the_outturn_is_followed_by_the_forecast_to_its_true_end():
    series = read(outturn(), forecast()).series["demand"]
    assert series.values[:6].tolist() == [30_000, 30_001, 30_002, 30_003, 20_004, 20_005]
    assert series.kinds[:4].tolist() == [Kind.ESTIMATE] * 4
    assert set(series.kinds[4:]) == {Kind.FORECAST}
    assert (len(series), series.unit, series.issued_at) == (40, Unit.MW, NOW)


def test_an_outturn_that_is_late_leaves_its_slot_to_the_forecast():
    series = read(outturn(3), forecast()).series["demand"]
    assert (series.values[3], series.kinds[3]) == (20_003, Kind.FORECAST)


def test_a_null_outturn_is_not_zero_and_a_zero_one_is_no_figure():
    rows = outturn()
    rows[1]["initialDemandOutturn"], rows[2]["initialDemandOutturn"] = None, 0
    fetched = read(rows, forecast())
    assert fetched.series["demand"].values[:4].tolist() == [30_000, 20_001, 20_002, 30_003]
    assert [found.flag for found in fetched.findings] == [Flag.SPURIOUS_ZERO]


def test_a_gap_inside_stays_a_gap():
    rows = [row for row in forecast() if row["startTime"] != format_utc(START + 20 * SLOT)]
    series = read(outturn(), rows).series["demand"]
    assert np.flatnonzero(np.isnan(series.values)).tolist() == [20]


def test_of_two_forecasts_of_a_slot_the_later_published_holds_wherever_it_stands():
    late = period_row(START + 9 * SLOT, nationalDemand=999, publishTime=format_utc(START + 30 * SLOT))
    for rows in ([late, *forecast()], [*forecast(), late]):
        assert read(outturn(), rows).series["demand"].values[9] == 999


def test_a_later_null_does_not_take_a_forecast_away():
    late = period_row(START + 9 * SLOT, nationalDemand=None, publishTime=format_utc(START + 30 * SLOT))
    assert read(outturn(), [*forecast(), late]).series["demand"].values[9] == 20_009


def test_zones_of_the_forecast_are_left_out():
    zone = forecast(boundary="B1", nationalDemand=1)
    assert read(outturn(), [*forecast(), *zone]).series["demand"].values.min() >= 20_000


def test_the_past_alone_needs_no_forecast():
    fetched = fetch("elexon-demand", {OUTTURN: {"data": outturn()}}, START, START + 4 * SLOT, NOW)
    assert len(fetched.series["demand"]) == 4


def test_settlement_dates_are_local_and_asked_for_a_week_at_a_time():
    upstream = Upstream({OUTTURN: {"data": outturn(48, utc(2026, 6, 30, 23))}})
    FEEDS["elexon-demand"].fetch(Ask("GB", utc(2026, 6, 30, 23), utc(2026, 7, 9, 23), NOW, upstream))
    assert [asked for _, asked in upstream.asked] == [
        {"settlementDateFrom": "2026-07-01", "settlementDateTo": "2026-07-07"},
        {"settlementDateFrom": "2026-07-08", "settlementDateTo": "2026-07-09"},
    ]


@pytest.mark.parametrize(("day", "periods"), [((2026, 3, 29), 46), ((2026, 3, 30), 48), ((2026, 10, 25), 50)])
def test_a_local_day_of_46_48_or_50_periods_is_read_whole(day, periods):
    start = utc(*day) - timedelta(hours=1 if day[1] == 10 or day[2] == 30 else 0)
    rows = outturn(periods, start)
    assert rows[0]["settlementPeriod"] == periods
    series = fetch("elexon-demand", {OUTTURN: {"data": rows}}, start, start + periods * SLOT, NOW).series["demand"]
    assert (series.start, len(series)) == (start, periods)
    assert np.all(np.diff(series.values) == 1)


def test_the_figures_of_last_week_are_no_answer():
    week = timedelta(days=7)
    with pytest.raises(FeedInvalid, match="no figures after 2026-11-14 06:00 UTC, 6 days"):
        read(outturn(start=START - week), forecast(start=START - week))


def test_an_outturn_that_stopped_is_no_answer_although_the_forecast_goes_on():
    start = START - timedelta(hours=24)
    with pytest.raises(FeedInvalid, match="outturn: has no figures after"):
        read(outturn(8, start), forecast(), start)


def test_no_data_is_no_success():
    with pytest.raises(FeedInvalid, match="no figures"):
        read([], [])


def test_an_outlier_is_left_out_and_two_figures_of_one_publication_are_flagged():
    rows = outturn()
    rows[0]["initialDemandOutturn"] = 240_000
    again = period_row(START, initialDemandOutturn=31_000)
    fetched = read([*rows, again], forecast())
    assert fetched.series["demand"].values[:4].tolist() == [31_000, 30_001, 30_002, 20_003]
    assert [found.flag for found in fetched.findings] == [Flag.OUTLIER, Flag.DUPLICATE]
