from __future__ import annotations

import csv
import gzip
import time
from datetime import timedelta

import numpy as np
import pytest

from agents.energy.recorded import GB_FILE
from agents.energy.replay import Replay, spread
from agents.energy.zones import ZONES
from core.clock import ManualClock
from core.series import Kind
from core.slots import LONDON, SLOT, slots_between
from tests.unit.energy.fakes import agent_of, utc
from tests.unit.energy.recordings import write_folder, write_gb

START = utc(2023, 3, 20)
NOW = utc(2023, 3, 24, 12, 10)
PRESENT = utc(2023, 3, 24, 12)
DAYS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("recorded"), START, DAYS)


@pytest.fixture(scope="module")
def replay(folder):
    return Replay(folder, tuple(ZONES), 1)


def known_until(series):
    return series.start + SLOT * (int(np.flatnonzero(series.kinds != Kind.MISSING)[-1]) + 1)


def test_the_carbon_forecast_is_visible_48_hours_ahead_and_no_further(replay):
    series = replay.figures("GB-C", "carbon", NOW, PRESENT, 200)
    assert series.kinds[:96].tolist() == [Kind.FORECAST] * 96
    assert set(series.kinds[96:]) == {Kind.MISSING}


def test_an_actual_is_visible_half_an_hour_after_its_slot_has_ended(replay):
    series = replay.figures("GB-C", "carbon", NOW, PRESENT - 4 * SLOT, 4)
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 3 + [Kind.FORECAST]
    assert series.values.tolist() == [140, 140, 140, 150]


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (utc(2023, 3, 24, 15, 59), utc(2023, 3, 24, 23)),
        (utc(2023, 3, 24, 16), utc(2023, 3, 25, 23)),
        (utc(2023, 3, 25, 15, 59), utc(2023, 3, 25, 23)),
        (utc(2023, 3, 25, 16), utc(2023, 3, 26, 22)),
        (utc(2023, 3, 26, 14, 59), utc(2023, 3, 26, 22)),
        (utc(2023, 3, 26, 15), utc(2023, 3, 27, 22)),
    ],
)
def test_agile_prices_are_visible_to_23_00_local_of_tomorrow_from_16_00_local_across_the_clock_change(
    replay, now, until
):
    series = replay.figures("GB-J", "price", now, now.replace(minute=0), 200)
    assert known_until(series) == until
    assert until.astimezone(LONDON).hour == 23


@pytest.mark.parametrize(
    ("change", "slots"), [(utc(2023, 3, 25, 16), 60), (utc(2023, 10, 28, 15), 64), (utc(2023, 6, 1, 15), 62)]
)
def test_at_publication_60_62_or_64_slots_are_known(tmp_path, change, slots):
    write_folder(tmp_path, change.replace(hour=0), 4)
    series = Replay(tmp_path, ("GB-J",), 1).figures("GB-J", "price", change, change, 200)
    assert slots_between(change, known_until(series)) == slots


def test_the_recorded_region_is_settled_and_others_are_derived_by_the_formula_and_say_so(replay):
    start = utc(2023, 3, 22, 15)  # 16:00 to 19:00 local is the peak, local is UTC here
    recorded = replay.figures("GB-J", "price", NOW, start, 4)
    derived = replay.figures("GB-B", "price", NOW, start, 4)
    assert recorded.kinds_used() == (Kind.SETTLED,)
    assert recorded.source == "recorded Octopus Agile region J"
    assert derived.kinds_used() == (Kind.ESTIMATE,)
    assert derived.source == "recorded Octopus Agile region J, region B derived by D*W+P"
    j_exc = recorded.values * 100 / 1.05
    peak = np.array([0, 0, 1, 1])
    expected = (2.0 * (j_exc - 12 * peak) / 2.2 + 14 * peak) * 1.05 / 100
    assert derived.values.tolist() == pytest.approx(expected.tolist())


def test_gb_zones_share_the_national_carbon_and_say_so(replay):
    a, b = (replay.figures(zone, "carbon", NOW, PRESENT, 96) for zone in ("GB-A", "GB"))
    assert np.array_equal(a.values, b.values)
    assert a.source == "recorded Carbon Intensity API, national"


def test_other_zones_are_recorded_hourly_and_converted_at_one_stated_rate(replay):
    price = replay.figures("DE-LU", "price", NOW, START, 2)
    assert price.values.tolist() == pytest.approx([0.0804, 0.0804])
    assert price.kinds_used() == (Kind.ESTIMATE,)
    assert price.source == "recorded wholesale DE-LU, hourly, at 0.804 GBP/USD"


def test_prices_not_to_be_trusted_or_not_recorded_are_not_replayed(replay):
    assert replay.serves("CL-SIC", "carbon")
    assert not replay.serves("CL-SIC", "price")
    assert not replay.serves("IS", "price")


def test_a_zone_with_outturns_only_is_forecast_with_an_error_from_its_last_outturn_on(replay):
    series = replay.figures("DE-LU", "carbon", NOW, PRESENT - 3 * SLOT, 100)
    truth = replay.figures("DE-LU", "carbon", utc(2023, 3, 31), PRESENT - 3 * SLOT, 100)
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 2 + [Kind.FORECAST] * 97 + [Kind.MISSING]
    assert np.array_equal(series.values[:2], truth.values[:2])
    assert np.all(series.values[2:99] != truth.values[2:99])


def test_the_forecast_seen_before_the_fact_converges_to_the_recorded_one(replay):
    slot = PRESENT + 40 * SLOT
    errors = []
    for lead in (40, 10, 1, 0):
        forecast = replay.figures("GB", "carbon", slot - lead * SLOT, slot, 1).values[0]
        errors.append(abs(forecast - 150.0 - 50 * (slot.hour >= 12)))
    assert errors[-1] == 0
    assert errors[0] > 0


def test_the_same_seed_replays_the_same_forecasts_and_another_seed_others(folder, replay):
    ask = ("GB", "carbon", NOW, PRESENT, 96)
    assert np.array_equal(Replay(folder, ("GB",), 1).figures(*ask).values, replay.figures(*ask).values)
    assert not np.array_equal(Replay(folder, ("GB",), 2).figures(*ask).values, replay.figures(*ask).values)


def test_null_and_spurious_actuals_are_shown_as_the_recorded_forecast(tmp_path):
    write_folder(tmp_path, START, 3)
    write_gb(tmp_path, START, 48 * 3, actual=lambda i: {0: "", 1: 0}.get(i, 99), forecast=lambda i: 120)
    series = Replay(tmp_path, ("GB",), 1).figures("GB", "carbon", utc(2023, 3, 21), START, 3)
    assert series.values.tolist() == [120, 120, 99]
    assert series.kinds.tolist() == [Kind.FORECAST, Kind.FORECAST, Kind.ESTIMATE]


def test_nothing_is_known_outside_the_recording(replay):
    assert replay.figures("GB", "carbon", NOW, START - 5 * SLOT, 5).kinds_used() == (Kind.MISSING,)
    assert replay.figures("GB-J", "price", utc(2024, 1, 1), utc(2024, 1, 1), 5).kinds_used() == (Kind.MISSING,)


def test_the_spread_is_not_swayed_by_spikes():
    values = np.concatenate([np.random.default_rng(1).normal(0, 10, 2_000), [9_000.0, np.nan]])
    assert spread(values) == pytest.approx(10, rel=0.1)


# -- the recorded figures ------------------------------------------------------------------------------------------

SITES = (
    "IS", "NO-NO2", "CA-ON", "IE", "DE-LU", "CL-SIC", "JP-TK", "AU-NSW", "US-TEX-ERCO", "SG", "GB-C", "GB-J", "GB-P",
)  # fmt: skip


@pytest.fixture(scope="module")
def recorded(request):
    from tests.conftest import SHARED_DATA

    if not SHARED_DATA.is_dir():
        pytest.skip("recorded data (../shared/data) is not beside this clone")
    return Replay(SHARED_DATA, tuple(ZONES), 20230301)


@pytest.mark.shared
def test_the_day_ahead_error_on_recorded_carbon_is_about_24_g_and_small_at_once(recorded):
    errors = []
    for day in range(1, 265):
        now = utc(2023, 1, 1) + timedelta(days=day, hours=day * 7 % 24)
        seen = recorded.figures("GB", "carbon", now, now, 96).values
        happened = recorded.figures("GB", "carbon", utc(2023, 10, 1), now, 96)
        errors.append(np.where(happened.kinds == Kind.ESTIMATE, seen - happened.values, np.nan))
    by_lead = np.nanmean(np.abs(errors), axis=0)
    assert by_lead[48:].mean() == pytest.approx(24, abs=3)
    assert by_lead[0] == pytest.approx(10, abs=2)


@pytest.mark.shared
def test_the_recorded_faults_are_not_used_as_actuals(recorded):
    series = recorded.figures("GB", "carbon", utc(2023, 10, 2), utc(2023, 1, 1), 273 * 48)
    assert np.sum(series.kinds == Kind.FORECAST) == 10
    assert series.values.min() > 20


@pytest.mark.shared
def test_the_formula_gives_the_other_recorded_region_off_peak_and_from_july_at_peak(recorded, shared_data):
    with gzip.open(shared_data / GB_FILE, "rt") as lines:
        other = np.array([float(row["agile_import_D2.1"]) for row in csv.DictReader(lines)])
    derived = recorded.figures("GB-N", "price", utc(2023, 10, 2), utc(2023, 1, 1), other.size)
    half_hour = np.array([(derived.start + SLOT * i).astimezone(LONDON).hour for i in range(other.size)])
    off_peak = (half_hour < 16) | (half_hour >= 19)
    error = np.abs(derived.values * 100 - other)
    july_on = np.arange(other.size) >= 181 * 48
    assert np.percentile(error[off_peak], 99.9) < 0.06
    assert np.median(error[~off_peak & july_on]) < 0.01
    assert np.median(error[~off_peak & ~july_on]) < 1.6


@pytest.mark.shared
def test_every_slot_of_700_ticks_has_a_value_and_a_quote_takes_milliseconds(recorded):
    clock = ManualClock(utc(2023, 3, 20))
    agent = agent_of(clock, SITES, replay=recorded)
    agent.quote(SITES, clock.now(), 96)
    took = []
    for _ in range(672):
        clock.advance(SLOT)
        begin = time.process_time()
        quote = agent.quote(SITES, clock.now(), 96)
        took.append(time.process_time() - begin)
        assert not any(np.isnan(series.values).any() for series in (*quote.price.values(), *quote.carbon.values()))
    assert np.median(took) < 0.030


@pytest.mark.shared
def test_no_quote_shows_a_recorded_actual_before_it_was_known(recorded):
    now = utc(2023, 5, 10, 12)
    seen = recorded.figures("GB", "carbon", now, now - SLOT, 97)
    assert seen.kinds_used() == (Kind.FORECAST,)
