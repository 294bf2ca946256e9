"""Quirks 1 to 17: what a client of the Carbon Intensity API must be right about, over real sockets."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from agents.energy.feed import Flag
from agents.energy.feeds.carbon_bands import index_of
from agents.energy.feeds.carbon_regions import region_of_postcode
from core.errors import FeedInvalid, FeedUnreachable, NotFound
from core.series import Kind
from core.slots import SLOT, slots_between
from core.vintage import Fetch
from store.database import Database
from store.vintages import VintageRepository
from tests.upstream import Fault, World, affected
from tests.upstream.carbon_intensity import BANDS
from tests.upstream.desk import Desk, flags, known, missing, utc
from tests.upstream.household import household
from tests.upstream.world import slot_of, slots

NOW = utc(2026, 11, 20, 13, 47)
PRESENT = utc(2026, 11, 20, 13, 30)
HORIZON = PRESENT + timedelta(hours=48)
START = PRESENT - timedelta(hours=12)
END = NOW + timedelta(days=15)
MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ")


@pytest.fixture
def desk():
    with Desk(NOW) as made:
        yield made


def carbon(desk, zone="GB", start=START, end=END):
    return desk.series("carbon-intensity", zone, start, end, "carbon")


def asked_ranges(desk):
    """The ranges in the addresses asked for, as pairs of instants."""
    pairs = (MINUTE.findall(path) for path in desk.paths("carbon"))
    return [tuple(datetime.fromisoformat(text) for text in pair) for pair in pairs if len(pair) == 2]


def test_the_row_that_ends_where_the_range_begins_is_no_part_of_it(desk):
    """Quirk 1."""
    series = carbon(desk)
    assert series.start == START
    answered = json.loads(desk.answers[0].body)["data"]
    assert answered[0]["to"] == START.strftime("%Y-%m-%dT%H:%MZ")


def test_rows_that_two_ranges_share_count_once(desk):
    """Quirk 2."""
    start = NOW - timedelta(days=20)
    series = carbon(desk, start=start)
    assert len(series) == slots_between(series.start, HORIZON)
    rows = [row["from"] for answer in desk.answers for row in json.loads(answer.body)["data"]]
    assert len(rows) > len(set(rows))
    expected = desk.world.carbon_actual(slots(series.start, PRESENT - 2 * SLOT), slot_of(NOW))
    np.testing.assert_array_equal(series.values[: expected.size], expected)


def test_a_slot_given_twice_with_two_figures_is_noted(desk):
    """Quirk 2."""
    desk.upstream.break_(Fault.DUPLICATES, "carbon")
    fetched = desk.fetch("carbon-intensity", "GB", START, END)
    assert Flag.DUPLICATE in flags(fetched)
    assert len(fetched.series["carbon"]) == slots_between(START, HORIZON)


@pytest.mark.parametrize("zone", ["GB", "GB-C"])
def test_history_over_new_year_has_every_slot(zone):
    """Quirk 3."""
    with Desk(utc(2026, 1, 20, 9, 10)) as desk:
        series = carbon(desk, zone, utc(2025, 12, 1))
        ranges = asked_ranges(desk)
    assert all(last - first <= timedelta(days=13) for first, last in ranges)
    assert all(first.year == (last - SLOT).year for first, last in ranges)
    assert missing(series) == set()
    assert series.start == utc(2025, 12, 1)


def test_history_that_ends_with_the_year_has_its_last_slot(desk):
    """Quirk 3."""
    series = carbon(desk, start=utc(2025, 12, 30), end=utc(2026, 1, 1))
    assert (len(series), series.end) == (96, utc(2026, 1, 1))
    assert missing(series) == set()


def test_all_shapes_of_an_answer_are_read(desk):
    """Quirk 4."""
    national = carbon(desk)
    regional = desk.fetch("carbon-intensity", "GB-C", START, END)
    mix = desk.fetch("carbon-mix", "GB", START, END)
    recorder = desk.client.recording(NOW)
    place = region_of_postcode(recorder, desk.settings.carbon_intensity_url, "SW1A")
    asked = slots(START, PRESENT)
    np.testing.assert_array_equal(
        regional.series["carbon"].values[: asked.size], desk.world.carbon_forecast(13, asked, slot_of(NOW))
    )
    assert len(national) == len(regional.series["carbon"])
    assert mix.series["share_gas"].kinds_used() == (Kind.ESTIMATE, Kind.FORECAST)
    assert place.letter == "C"


@pytest.mark.parametrize("nothing", [Fault.EMPTY_OBJECT, Fault.EMPTY_LIST])
@pytest.mark.parametrize("zone", ["GB", "GB-C"])
def test_an_answer_without_data_is_no_success(desk, nothing, zone):
    """Quirk 5."""
    desk.upstream.break_(nothing, "carbon")
    with pytest.raises(FeedInvalid, match="no figures"):
        carbon(desk, zone)


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (Fault.SERVER_ERROR, FeedUnreachable, "500.*Requested resource not found"),
        (Fault.SERVER_ERROR_HTML, FeedUnreachable, "502"),
        (Fault.BAD_REQUEST, FeedInvalid, "400.*Please enter a date"),
        (Fault.HTML, FeedInvalid, "text/html instead of JSON"),
        (Fault.EMPTY_BODY, FeedInvalid, "broken JSON"),
    ],
)
def test_an_error_is_told_in_the_words_of_the_api(desk, fault, error, said):
    """Quirk 6."""
    desk.upstream.break_(fault, "carbon")
    with pytest.raises(error, match=said):
        carbon(desk)


def test_a_postcode_that_the_api_does_not_know_is_not_found(desk):
    """Quirk 6."""
    with pytest.raises(NotFound, match="ZE9"):
        region_of_postcode(desk.client.recording(NOW), desk.settings.carbon_intensity_url, "ZE9 9ZZ")


def test_an_outage_is_not_taken_for_an_unknown_postcode(desk):
    """Quirk 6."""
    desk.upstream.break_(Fault.EMPTY_OBJECT, "carbon")
    with pytest.raises(FeedInvalid):
        region_of_postcode(desk.client.recording(NOW), desk.settings.carbon_intensity_url, "EN2")


def test_an_actual_that_is_not_known_yet_is_the_forecast_and_never_zero(desk):
    """Quirk 7."""
    series = carbon(desk)
    last = series.window(PRESENT - 2 * SLOT, 2)
    assert last.kinds.tolist() == [Kind.ESTIMATE, Kind.FORECAST]
    told = desk.world.carbon_forecast(18, slots(PRESENT - SLOT, PRESENT), slot_of(NOW))
    assert last.values.tolist()[1:] == told.tolist()


def test_a_slot_with_neither_actual_nor_forecast_is_missing_and_never_zero(desk):
    """Quirk 7."""
    desk.upstream.break_(Fault.NULLS, "carbon")
    series = carbon(desk)
    asked = slots(series.start, series.end)
    assert missing(series) == {int(slot) for slot in asked if affected(slot)}
    assert np.nanmin(series.values) > 0


def test_a_zero_beside_a_forecast_of_carbon_is_not_clean_power(desk):
    """Quirk 8."""
    desk.upstream.break_(Fault.SPURIOUS_ZERO, "carbon")
    fetched = desk.fetch("carbon-intensity", "GB", START, END)
    series = fetched.series["carbon"]
    asked = slots(START, PRESENT - 2 * SLOT)
    zeros = np.array([affected(slot) for slot in asked])
    forecast = desk.world.carbon_forecast(18, asked, slot_of(NOW))
    assert zeros.any()
    np.testing.assert_array_equal(series.values[: asked.size][zeros], forecast[zeros])
    assert set(series.kinds[: asked.size][zeros]) == {Kind.FORECAST}
    assert Flag.SPURIOUS_ZERO in flags(fetched)


def test_what_was_said_first_is_kept_beside_what_was_said_a_day_later(desk, tmp_path: Path):
    """Quirk 9."""
    database = Database(f"sqlite:///{tmp_path / 'vintages.db'}")
    database.migrate()
    kept, end = VintageRepository(database), NOW + timedelta(days=3)
    for _ in range(2):
        now = desk.clock.now()
        fetched = desk.fetch("carbon-intensity", "GB", START, end)
        kept.add(Fetch("carbon-intensity", "GB", now, START, end, desk.answers, fetched.series))
        desk.clock.advance(timedelta(hours=49))
    first, second = kept.vintages("carbon-intensity", "GB", "carbon", NOW, NOW + timedelta(days=3))
    database.close()
    asked = slots(START, PRESENT - 2 * SLOT)
    for vintage, at in ((first, NOW), (second, NOW + timedelta(hours=49))):
        assert (vintage.fetched_at, vintage.series.issued_at) == (at, at)
        told = desk.world.carbon_actual(asked, slot_of(at))
        np.testing.assert_array_equal(vintage.series.values[: asked.size], told)
    assert not np.array_equal(first.series.values[: asked.size], second.series.values[: asked.size])


def test_a_short_forecast_ends_where_it_ends(desk):
    """Quirk 10."""
    desk.upstream.break_(Fault.SHORT_HORIZON, "carbon")
    fetched = desk.fetch("carbon-intensity", "GB", START, END)
    assert fetched.series["carbon"].end == PRESENT + timedelta(hours=15)
    assert Flag.SHORT_HORIZON in flags(fetched)


def test_beyond_the_published_horizon_carbon_is_our_forecast_with_its_interval(tmp_path, monkeypatch):
    """Quirk 10."""
    with household(tmp_path, NOW, monkeypatch) as home:
        home.house.energy.learn()
        series = home.house.energy.quote(["GB-C"], PRESENT, 6 * 48).carbon["GB-C"]
        assert home.house.energy.forecast("GB-C", "carbon") is not None
    beyond = slice(96, 6 * 48)
    assert set(series.kinds[beyond]) == {Kind.FORECAST}
    low, high = series.interval
    assert (low[beyond] < high[beyond]).all()
    assert series.values[beyond].min() > 0


def test_a_gap_stays_a_gap(desk):
    """Quirk 11."""
    desk.upstream.break_(Fault.GAP, "carbon")
    fetched = desk.fetch("carbon-intensity", "GB", START, END)
    series = fetched.series["carbon"]
    assert missing(series) == {int(slot) for slot in slots(series.start, series.end) if affected(slot)}
    assert Flag.GAP in flags(fetched)


def test_the_present_slot_is_told_by_its_time_and_not_by_its_place_in_the_answer(desk):
    """Quirk 12."""
    recorder = desk.client.recording(NOW)
    latest = json.loads(recorder(f"{desk.settings.carbon_intensity_url}/intensity").body)["data"][0]
    assert latest["from"] == "2026-11-20T13:00Z"
    present = carbon(desk).window(PRESENT, 1)
    assert present.values.tolist() == desk.world.carbon_forecast(18, slots(PRESENT, NOW), slot_of(NOW)).tolist()


def test_a_region_without_actual_figures_has_estimates_of_the_past(desk):
    """Quirk 13."""
    series = carbon(desk, "GB-P")
    assert set(series.window(START, 24).kinds) == {Kind.ESTIMATE}
    assert set(series.window(PRESENT, 96).kinds) == {Kind.FORECAST}


def test_region_18_is_great_britain(desk):
    """Quirk 13."""
    mix = desk.fetch("carbon-mix", "GB", NOW, END).series["share_wind"]
    ahead = slots(PRESENT, mix.end)
    assert mix.end >= HORIZON - timedelta(hours=1)
    np.testing.assert_allclose(mix.window(PRESENT, ahead.size).values, desk.world.mix(18, ahead)[:, 8])
    assert any(path.endswith("/regionid/18") for path in desk.paths("carbon"))


def test_a_wrong_region_number_in_an_answer_about_a_postcode_is_not_believed(desk):
    """Quirk 14."""
    desk.upstream.break_(Fault.WRONG_REGION, "carbon")
    region = region_of_postcode(desk.client.recording(NOW), desk.settings.carbon_intensity_url, "en2 6xx")
    assert (region.letter, region.carbon_region_id) == ("A", 10)
    assert desk.paths("carbon") == ["/regional/postcode/EN2"]


@pytest.mark.parametrize("year", range(2018, 2027))
def test_the_word_for_an_intensity_is_that_of_its_year(desk, year):
    """Quirk 15."""
    recorder = desk.client.recording(NOW)
    address = f"{desk.settings.carbon_intensity_url}/intensity/{year}-03-01T00:00Z/{year}-03-08T00:00Z"
    for row in json.loads(recorder(address).body)["data"]:
        assert row["intensity"]["index"] == index_of(row["intensity"]["actual"], year)


@pytest.mark.parametrize(("year", "bounds"), BANDS.items())
def test_a_band_includes_its_lower_bound(year, bounds):
    """Quirk 15."""
    words = ("very low", "low", "moderate", "high", "very high")
    for below, at, bound in zip(words, words[1:], bounds, strict=False):
        assert (index_of(bound - 0.5, year), index_of(bound, year)) == (below, at)


@pytest.mark.parametrize("zone", ["GB", "GB-C"])
@pytest.mark.parametrize("minute", [0, 30])
def test_at_the_very_start_of_a_slot_the_new_slot_is_the_present_one(zone, minute):
    """Quirk 16."""
    now = utc(2026, 11, 20, 13, minute)
    with Desk(now) as desk:
        series = carbon(desk, zone)
        assert series.window(now, 1).kinds.tolist() == [Kind.FORECAST]
        region = 18 if zone == "GB" else 13
        expected = desk.world.carbon_forecast(region, slots(now, now + SLOT), slot_of(now))
    assert series.window(now, 1).values.tolist() == expected.tolist()
    assert series.end == now + timedelta(hours=48)


def test_times_are_asked_for_in_utc_to_the_minute(desk):
    """Quirk 17."""
    summer = timezone(timedelta(hours=1))
    carbon(desk, "GB", START.astimezone(summer), END.astimezone(summer))
    carbon(desk, "GB-C", START.astimezone(summer), END.astimezone(summer))
    for path in desk.paths("carbon"):
        times = [part for part in path.split("/") if part[:2] == "20"]
        assert times
        assert all(MINUTE.fullmatch(text) for text in times)
    assert slot_of(START) in known(carbon(desk))


# -- the days of 2023 on which it happened -----------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("first", "count", "forecasts"),
    [((2023, 1, 31, 1), 1, [89]), ((2023, 6, 7, 9, 30), 4, [185, 176, 170, 164])],
)
def test_the_zeros_that_were_recorded_are_not_clean_power(shared_data, first, count, forecasts):
    """Quirk 8."""
    start = utc(*first)
    with Desk(start + timedelta(days=2), World.of_recorded(shared_data)) as desk:
        fetched = desk.fetch("carbon-intensity", "GB", start - timedelta(hours=6), start + timedelta(hours=6))
    series = fetched.series["carbon"]
    assert series.window(start, count).values.tolist() == forecasts
    assert set(series.window(start, count).kinds) == {Kind.FORECAST}
    assert Flag.SPURIOUS_ZERO in flags(fetched)


@pytest.mark.shared
def test_the_nulls_that_were_recorded_are_the_forecasts_beside_them(shared_data):
    """Quirk 7."""
    start = utc(2023, 1, 26, 13, 30)
    with Desk(start + timedelta(days=2), World.of_recorded(shared_data)) as desk:
        series = carbon(desk, start=start - SLOT, end=start + 6 * SLOT)
    assert series.values[1:6].tolist() == [214, 225, 223, 218, 212]
    assert series.kinds.tolist() == [Kind.ESTIMATE, *[Kind.FORECAST] * 5, Kind.ESTIMATE]
