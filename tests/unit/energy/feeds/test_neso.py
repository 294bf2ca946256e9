from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest

from agents.energy.feed import Ask, Flag
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.slots import LONDON, SLOT, settlement_period, slot_starts
from tests.unit.energy.feeds.elexon_answers import FEEDS, Upstream, fetch, utc

NOW = utc(2026, 11, 20, 10, 7)
START = utc(2026, 11, 20, 10)
END = START + timedelta(days=14)
FAR = START + timedelta(days=12)
SEARCH, SQL = "/api/3/action/datastore_search", "/api/3/action/datastore_search_sql"


def answer(records, **extra):
    return {"help": "", "success": True, "result": {"records": records, **extra}}


def demand_record(slot, megawatts):
    end = slot + SLOT
    local = slot.astimezone(LONDON)
    clock = f"{(slot + SLOT).astimezone(LONDON):%H%M}".replace("0000", "2400")
    return {
        "DATE": local.date().isoformat(),
        "CTIME": int(clock),
        "GDATETIME": f"{end:%Y-%m-%dT%H:%M:%S}",
        "NATIONALDEMAND": megawatts,
    }


def wind_record(slot, megawatts):
    day, period = settlement_period(slot)
    return {
        "ForecastDateTime": "2026-11-20T08:30:00",
        "Date": day.isoformat(),
        "Settlement_Period": period,
        "Capacity": 30_000,
        "Wind_Forecast": megawatts,
    }


def solar_record(slot, megawatts):
    day, period = settlement_period(slot)
    return {
        "SETTLEMENT_DATE": f"{day}T00:00:00",
        "SETTLEMENT_PERIOD": period,
        "EMBEDDED_WIND_FORECAST": 9999,
        "EMBEDDED_SOLAR_FORECAST": megawatts,
    }


RECORDS = {"neso-demand": demand_record, "neso-wind": wind_record, "neso-solar": solar_record}
COLUMNS = {"neso-demand": "NATIONALDEMAND", "neso-wind": "Wind_Forecast", "neso-solar": "EMBEDDED_SOLAR_FORECAST"}
QUANTITIES = {"neso-demand": "demand", "neso-wind": "wind", "neso-solar": "solar"}


def table(name, start=START, count=672):
    return [RECORDS[name](slot, 1000 + i) for i, slot in enumerate(slot_starts(start, count))]


def read(name, records, start=START, end=END, now=NOW, **extra):
    return fetch(name, {SEARCH: answer(records, **extra)}, start, end, now)


@pytest.mark.parametrize("name", RECORDS)
def test_a_table_is_read_to_its_true_end_and_cut_to_what_was_asked(name):
    fetched = read(name, table(name))
    series = fetched.series[QUANTITIES[name]]
    assert (series.start, len(series), series.unit) == (START, 672, Unit.MW)
    assert series.values[:3].tolist() == [1000, 1001, 1002]
    assert series.kinds_used() == (Kind.FORECAST,)
    assert fetched.findings == ()
    assert read(name, table(name), end=START + 3 * SLOT).series[QUANTITIES[name]].end == START + 3 * SLOT
    assert read(name, table(name, count=600)).series[QUANTITIES[name]].end == START + 600 * SLOT


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize(("start", "changed"), [((2026, 3, 27), (2026, 3, 29, 1)), ((2026, 10, 23), (2026, 10, 25, 1))])
def test_a_clock_change_neither_doubles_nor_drops_nor_moves_a_half_hour(name, start, changed):
    begin = utc(*start)
    end = begin + timedelta(days=12)
    series = read(name, table(name, begin, 576), begin, end, begin + SLOT / 2).series[QUANTITIES[name]]
    assert series.values.tolist() == [1000 + i for i in range(576)]
    assert series.start <= utc(*changed) < series.end


@pytest.mark.parametrize("name", RECORDS)
def test_a_null_is_no_nought_and_text_is_read_as_its_number(name):
    records = table(name)
    column = {"neso-demand": "NATIONALDEMAND", "neso-wind": "Wind_Forecast", "neso-solar": "EMBEDDED_SOLAR_FORECAST"}[
        name
    ]
    records[5][column], records[6][column], records[7][column] = None, "77.5", ""
    values = read(name, records).series[QUANTITIES[name]].values
    assert np.flatnonzero(np.isnan(values)).tolist() == [5, 7]
    assert values[6] == 77.5


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("days", [5, 7, 30])
def test_a_table_of_days_ago_is_no_answer_even_where_it_reaches_beyond_the_present(name, days):
    with pytest.raises(FeedInvalid, match="which a table of today would be well beyond"):
        read(name, table(name, START - timedelta(days=days)), START - timedelta(days=days))


@pytest.mark.parametrize("name", RECORDS)
def test_the_past_is_not_forecast(name):
    with pytest.raises(FeedInvalid, match="coming slots only"):
        read(name, table(name), START - timedelta(days=2), START - timedelta(days=1))


@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "error": {"message": "not found"}},
        answer([demand_record(FAR, 1000)]) | {"success": False},
        {},
        {"success": True},
        answer([], total=0),
        answer([demand_record(FAR, 1000)], total=700),
        answer([{"GDATETIME": "2026-11-20T10:30:00"}]),
        answer([demand_record(FAR, "many")]),
        answer([demand_record(FAR, 1e9)]),
        answer([demand_record(FAR, True)]),
        answer([{**demand_record(FAR, 1), "GDATETIME": "2026-12-02T10:30:00+01:00"}]),
        answer([{**demand_record(FAR, 1), "GDATETIME": "2026-12-02T10:10:00"}]),
    ],
)
def test_an_answer_that_is_not_a_whole_table_is_refused(body):
    with pytest.raises(FeedInvalid):
        fetch("neso-demand", {SEARCH: body}, START, END, NOW)


@pytest.mark.parametrize("name", RECORDS)
def test_an_outlier_is_left_out_and_said_so(name):
    records = table(name)
    records[9][COLUMNS[name]] = 1e6
    fetched = read(name, records)
    assert np.flatnonzero(np.isnan(fetched.series[QUANTITIES[name]].values)).tolist() == [9]
    assert [(found.flag, found.start) for found in fetched.findings] == [(Flag.OUTLIER, START + 9 * SLOT)]


@pytest.mark.parametrize("name", RECORDS)
def test_a_table_of_zeros_is_an_outage(name):
    with pytest.raises(FeedInvalid, match=r"has no figures|nothing but zeros"):
        read(name, [record | {COLUMNS[name]: 0} for record in table(name)])


@pytest.mark.parametrize(("name", "kept"), [("neso-demand", False), ("neso-wind", False), ("neso-solar", True)])
def test_nought_is_a_figure_of_solar_alone(name, kept):
    records = table(name)
    records[9][COLUMNS[name]] = 0
    fetched = read(name, records)
    assert (fetched.series[QUANTITIES[name]].values[9] == 0) == kept
    assert [found.flag for found in fetched.findings] == ([] if kept else [Flag.SPURIOUS_ZERO])


@pytest.mark.parametrize("name", RECORDS)
def test_a_half_hour_given_twice_with_different_figures_is_flagged(name):
    fetched = read(name, [*table(name), RECORDS[name](START, 7777)])
    assert fetched.series[QUANTITIES[name]].values[0] == 7777
    assert [(found.flag, found.end) for found in fetched.findings] == [(Flag.DUPLICATE, START + SLOT)]


@pytest.mark.shared
def test_the_recorded_shape_of_the_demand_forecast_is_read(shared_data):
    body = json.loads((shared_data / "responses/elexon_neso/consumption_forecast_live.json").read_text())
    now = utc(2026, 7, 21, 9)
    series = fetch("neso-demand", {SEARCH: body}, now, now + timedelta(days=14), now).series["demand"]
    assert series.start == utc(2026, 7, 31, 13)
    assert series.values.tolist() == [20289, 20099, 20663, 20747, 21203, 22465]


def history(start, count):
    return [
        {"DATETIME": f"{slot:%Y-%m-%dT%H:%M:%S}", "CARBON_INTENSITY": str(100.0 + i % 50)}
        for i, slot in enumerate(slot_starts(start, count))
    ]


def test_history_is_of_slots_long_past_and_estimated():
    start = utc(2015, 3, 1)
    series = fetch("neso-carbon-history", {SQL: answer(history(start, 48))}, start, START, NOW).series["carbon"]
    assert (series.start, len(series), series.unit) == (start, 48, Unit.G_PER_KWH)
    assert series.values[:2].tolist() == [100.0, 101.0]
    assert series.kinds_used() == (Kind.ESTIMATE,)


def test_history_is_asked_for_a_year_at_a_time_from_2009_to_the_present():
    upstream = Upstream({SQL: answer(history(utc(2009, 1, 1), 1))})
    FEEDS["neso-carbon-history"].fetch(Ask("GB", utc(1999, 1, 1), END, utc(2010, 6, 1, 0, 20), upstream))
    first, second = (asked["sql"] for _, asked in upstream.asked)
    assert """"DATETIME" >= '2009-01-01T00:00:00' AND "DATETIME" < '2010-01-01T00:00:00'""" in first
    assert """"DATETIME" >= '2010-01-01T00:00:00' AND "DATETIME" < '2010-06-01T00:00:00'""" in second


def test_history_that_was_cut_off_is_refused():
    with pytest.raises(FeedInvalid, match="gave 48 of more records"):
        fetch(
            "neso-carbon-history",
            {SQL: answer(history(START, 48), records_truncated=True)},
            utc(2015, 3, 1),
            START,
            NOW,
        )


def test_history_of_what_is_yet_to_come_is_refused():
    with pytest.raises(FeedInvalid, match="past slots only"):
        fetch("neso-carbon-history", {}, START + SLOT, END, NOW)
