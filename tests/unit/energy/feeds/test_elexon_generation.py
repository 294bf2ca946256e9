from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.energy.feed import Ask, Flag
from core.errors import FeedInvalid
from core.series import Kind, Unit
from core.slots import SLOT, format_utc
from core.vintage import FUELS
from tests.unit.energy.feeds.elexon_answers import FEEDS, Upstream, fetch, period_row, rows_each, utc

START = utc(2026, 11, 20, 10)
NOW = START + 4 * SLOT + timedelta(minutes=7)
END = START + timedelta(days=2)
FUELHH, WINDFOR = "/datasets/FUELHH", "/forecast/generation/wind/latest"
USUAL = {
    "CCGT": 9000, "OCGT": 1000, "NUCLEAR": 4000, "COAL": 0, "BIOMASS": 2000, "WIND": 8000, "NPSHYD": 500, "PS": -700,
    "OIL": 0, "OTHER": 300, "INTFR": 1500, "INTNED": -1000, "INTNSL": 700,
}  # fmt: skip


def mix(codes, start=START, count=4):
    return [row for code, mw in codes.items() for row in rows_each(start, count, fuelType=code, generation=mw)]


def shares(rows, start=START, end=END, now=NOW):
    return fetch("elexon-fuel-mix", {FUELHH: {"data": rows, "metadata": {"datasets": ["FUELHH"]}}}, start, end, now)


def test_shares_are_of_generation_and_imports_without_exports_and_pumping():
    series = shares(mix(USUAL)).series
    found = {quantity.removeprefix("share_"): figures.values[0] for quantity, figures in series.items()}
    total = 9000 + 1000 + 4000 + 2000 + 8000 + 500 + 300 + 1500 + 700
    expected = {"gas": 10_000, "nuclear": 4000, "coal": 0, "biomass": 2000, "wind": 8000, "hydro": 500, "other": 300}
    assert found == pytest.approx({**{k: v / total * 100 for k, v in expected.items()}, "imports": 2200 / total * 100})
    assert {figures.unit for figures in series.values()} == {Unit.PERCENT}
    assert series["share_gas"].kinds_used() == (Kind.ESTIMATE,)
    assert "without solar" in series["share_gas"].source


def test_solar_that_is_not_measured_has_no_share_rather_than_none_of_it():
    assert set(FUELS) - {quantity.removeprefix("share_") for quantity in shares(mix(USUAL)).series} == {"solar"}


def test_pumped_storage_is_hydro_while_it_generates():
    generating = shares(mix({**USUAL, "PS": 500})).series["share_hydro"].values[0]
    assert generating == pytest.approx(1000 / 27_500 * 100)


def test_a_code_yet_unknown_is_other_and_a_new_cable_is_imports():
    series = shares(mix({**USUAL, "TIDAL": 1000, "INTNEW": 2000})).series
    assert series["share_other"].values[0] == pytest.approx(1300 / 30_000 * 100)
    assert series["share_imports"].values[0] == pytest.approx(4200 / 30_000 * 100)


@given(st.lists(st.integers(-5000, 30_000), min_size=len(USUAL), max_size=len(USUAL)))
def test_shares_add_up_to_the_whole(generation):
    megawatts = dict(zip(USUAL, generation, strict=True)) | {"CCGT": 1 + abs(generation[0])}
    total = sum(figures.values for figures in shares(mix(megawatts)).series.values())
    assert total == pytest.approx(np.full(4, 100.0))


@pytest.mark.parametrize("code", ["WIND", "INTFR"])
def test_a_half_hour_without_a_usual_code_has_no_shares(code):
    rows = mix(USUAL, count=20)
    slot = format_utc(START + 7 * SLOT)
    kept = [row for row in rows if not (row["fuelType"] == code and row["startTime"] == slot)]
    fetched = shares(kept, now=START + 20 * SLOT)
    assert np.flatnonzero(np.isnan(fetched.series["share_gas"].values)).tolist() == [7]
    assert [(found.flag, found.start) for found in fetched.findings] == [(Flag.GAP, START + 7 * SLOT)]


def test_a_null_generation_is_not_zero():
    rows = mix(USUAL, count=20)
    next(row for row in rows if row["fuelType"] == "WIND" and row["startTime"] == format_utc(START))["generation"] = (
        None
    )
    assert shares(rows, now=START + 20 * SLOT).series["share_wind"].start == START + SLOT


def test_a_mix_without_nuclear_is_no_mix():
    with pytest.raises(FeedInvalid, match="no figures"):
        shares(mix({code: mw for code, mw in USUAL.items() if code != "NUCLEAR"}))


def test_of_two_publications_the_later_holds():
    late = period_row(START, fuelType="WIND", generation=18_000, publishTime=format_utc(START + 4 * SLOT))
    assert shares([late, *mix(USUAL)]).series["share_wind"].values[0] == pytest.approx(18_000 / 37_000 * 100)


def test_a_mix_of_last_week_is_no_answer():
    start = START - timedelta(days=7)
    with pytest.raises(FeedInvalid, match="no figures after 2026-11-13 12:00 UTC"):
        shares(mix(USUAL, start), start - SLOT)


def test_a_start_that_is_not_its_settlement_period_is_refused():
    rows = mix(USUAL)
    rows[0]["settlementPeriod"] += 2
    with pytest.raises(FeedInvalid, match="gives 2026-11-20T11:30:00Z for settlement period 26"):
        shares(rows)


def hourly(count=30, start=START, **extra):
    return [
        {"publishTime": "2026-11-20T08:30:00Z", "startTime": format_utc(start + 2 * i * SLOT), "generation": 5000 + i}
        | extra
        for i in range(count)
    ]


def wind(past, coming, start=START, end=END, now=NOW):
    return fetch("elexon-wind", {FUELHH: {"data": past}, WINDFOR: {"data": coming}}, start, end, now).series["wind"]


def outturn(count=4, start=START):
    return rows_each(start, count, fuelType="WIND", generation=lambda i: 7000 + i)


def test_an_hour_of_forecast_wind_stands_for_both_its_halves():
    series = wind(outturn(), hourly())
    assert series.values[:8].tolist() == [7000, 7001, 7002, 7003, 5002, 5002, 5003, 5003]
    assert series.kinds[:6].tolist() == [Kind.ESTIMATE] * 4 + [Kind.FORECAST] * 2
    assert len(series) == 60


def test_a_half_hour_with_a_forecast_of_its_own_keeps_it():
    own = {"publishTime": "2026-11-20T08:30:00Z", "startTime": format_utc(START + 7 * SLOT), "generation": 1}
    assert wind(outturn(), [*hourly(), own]).values[6:9].tolist() == [5003, 1, 5004]


def test_a_forecast_that_ends_on_a_half_hour_is_not_drawn_longer():
    own = {"publishTime": "2026-11-20T08:30:00Z", "startTime": format_utc(START + 61 * SLOT), "generation": 1}
    assert len(wind(outturn(), [*hourly(), own])) == 62


def test_the_hour_under_way_is_asked_for_from_its_beginning():
    upstream = Upstream({FUELHH: {"data": []}, WINDFOR: {"data": hourly()}})
    start = START + 5 * SLOT
    series = FEEDS["elexon-wind"].fetch(Ask("GB", start, END, NOW + SLOT, upstream)).series["wind"]
    assert upstream.asked[0][1]["from"] == "2026-11-20T12:00Z"
    assert (series.start, series.values[0]) == (start, 5002)


def test_wind_asks_for_its_code_alone_and_reads_no_other():
    upstream = Upstream({FUELHH: {"data": [*outturn(), *mix({"CCGT": 9000})]}})
    series = FEEDS["elexon-wind"].fetch(Ask("GB", START, START + 4 * SLOT, NOW, upstream)).series["wind"]
    assert upstream.asked[0][1]["fuelType"] == "WIND"
    assert series.values.tolist() == [7000, 7001, 7002, 7003]


def test_a_wind_forecast_of_last_week_is_no_answer():
    with pytest.raises(FeedInvalid, match="WINDFOR"):
        wind(outturn(), hourly(start=START - timedelta(days=7)))


def test_the_whole_fleet_at_nought_is_an_outage_and_not_a_calm():
    rows = outturn()
    rows[1]["generation"] = 0
    fetched = fetch("elexon-wind", {FUELHH: {"data": rows}}, START, START + 4 * SLOT, NOW)
    assert np.isnan(fetched.series["wind"].values).tolist() == [False, False, True, False]
    assert [found.flag for found in fetched.findings] == [Flag.SPURIOUS_ZERO]


def test_a_mix_of_nothing_but_zeros_has_no_shares():
    with pytest.raises(FeedInvalid, match="no figures"):
        shares(mix(dict.fromkeys(USUAL, 0)))


def test_a_code_reported_twice_in_one_publication_is_flagged():
    again = period_row(START, fuelType="WIND", generation=18_000)
    assert [found.flag for found in shares([*mix(USUAL), again]).findings] == [Flag.DUPLICATE]
    same = period_row(START, fuelType="WIND", generation=USUAL["WIND"])
    assert shares([*mix(USUAL), same]).findings == ()
