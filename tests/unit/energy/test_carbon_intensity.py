from __future__ import annotations

import gzip
import itertools
import json
from datetime import timedelta

import numpy as np
import pytest
import responses

from agents.energy.carbon_intensity import LONGEST_RANGE, CarbonIntensityFeed, ranges
from agents.energy.client import JsonClient
from core.clock import ManualClock
from core.errors import FeedInvalid, FeedUnreachable
from core.series import Kind, Unit
from core.slots import SLOT
from tests.unit.energy.fakes import carbon_row, utc

BASE = "https://api.carbonintensity.example"
NOW = utc(2026, 11, 20, 13, 47)
PRESENT = utc(2026, 11, 20, 13, 30)
START = PRESENT - 4 * SLOT
END = PRESENT + timedelta(hours=48)
PAST_URL = f"{BASE}/intensity/2026-11-20T11:30Z/2026-11-20T13:30Z"
AHEAD_URL = f"{BASE}/intensity/2026-11-20T13:30Z/fw48h"


@pytest.fixture
def feed():
    client = JsonClient(backoff_seconds=0)
    yield CarbonIntensityFeed(client, BASE + "/", ManualClock(NOW))
    client.close()


def past_rows():
    return [carbon_row(START + SLOT * i, 100 + i, 90 + i) for i in range(-1, 4)]


def ahead_rows(count=96):
    return [carbon_row(PRESENT + SLOT * i, 200 + i) for i in range(-1, count)]


def answer(past, ahead):
    responses.get(PAST_URL, json=past)
    responses.get(AHEAD_URL, json=ahead)


def fetch(feed, past, ahead, zone="GB"):
    answer({"data": past}, {"data": ahead})
    return feed.fetch(zone, START, END).series


@responses.activate
def test_national_figures_are_actual_where_known_and_forecast_48_hours_ahead(feed):
    series = fetch(feed, past_rows(), ahead_rows())
    assert (series.start, series.end) == (START, END)
    assert series.values[:5].tolist() == [90, 91, 92, 93, 200]
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 4 + [Kind.FORECAST] * 96
    assert series.unit is Unit.G_PER_KWH
    assert series.issued_at == NOW
    assert series.source == "Carbon Intensity API GB"


@responses.activate
def test_the_bytes_of_every_request_are_kept(feed):
    answer({"data": past_rows()}, {"data": ahead_rows()})
    pages = [json.loads(line) for line in feed.fetch("GB", START, END).body.split(b"\n")]
    assert [len(page["data"]) for page in pages] == [5, 97]


@responses.activate
def test_rows_that_end_at_the_start_asked_for_are_dropped(feed):
    series = fetch(feed, past_rows(), ahead_rows())
    assert series.start == START


@responses.activate
def test_of_rows_given_twice_the_later_one_stays_unless_the_first_is_firmer(feed):
    twice = [*past_rows(), carbon_row(START, 100, 55), carbon_row(START + SLOT, 77)]
    series = fetch(feed, twice, ahead_rows())
    assert series.values[:2].tolist() == [55, 91]
    assert len(series) == 100


@responses.activate
def test_a_null_actual_never_becomes_zero(feed):
    rows = [carbon_row(START + SLOT * i, 100, None) for i in range(4)]
    series = fetch(feed, rows, ahead_rows())
    assert series.values[:3].tolist() == [100] * 3
    assert set(series.kinds[:3]) == {Kind.FORECAST}


@responses.activate
def test_a_zero_actual_beside_a_forecast_above_20_is_not_used_and_beside_a_low_one_is(feed):
    rows = [carbon_row(START, 150, 0), carbon_row(START + SLOT, 12, 0)]
    series = fetch(feed, rows, ahead_rows())
    assert series.values[:2].tolist() == [150, 0]
    assert series.kinds[:2].tolist() == [Kind.FORECAST, Kind.ESTIMATE]


@responses.activate
def test_a_row_without_any_figure_stays_missing(feed):
    series = fetch(feed, [carbon_row(START, 90, 91), carbon_row(START + SLOT, None, None)], ahead_rows())
    assert series.kinds[:3].tolist() == [Kind.ESTIMATE, Kind.MISSING, Kind.MISSING]


@responses.activate
def test_a_gap_inside_stays_a_gap_and_a_short_forecast_ends_where_it_ends(feed):
    short = [row for row in ahead_rows(30) if row["from"] != "2026-11-20T15:30Z"]
    series = fetch(feed, past_rows(), short)
    assert series.end == PRESENT + 30 * SLOT
    assert series.window(PRESENT + 4 * SLOT, 1).kinds[0] == Kind.MISSING


@responses.activate
@pytest.mark.parametrize("nothing", [{}, {"data": []}])
def test_an_answer_without_rows_is_no_data_and_not_a_success(feed, nothing):
    answer(nothing, nothing)
    with pytest.raises(FeedInvalid, match="no figures for the time asked"):
        feed.fetch("GB", START, END)


@responses.activate
def test_figures_of_the_past_alone_are_no_answer(feed):
    answer({"data": past_rows()}, {})
    with pytest.raises(FeedInvalid, match="no figures after 2026-11-20 13:30 UTC"):
        feed.fetch("GB", START, END)


@responses.activate
def test_a_missing_past_does_not_spoil_the_forecast(feed):
    answer({}, {"data": ahead_rows()})
    assert feed.fetch("GB", START, END).series.start == PRESENT - SLOT


@responses.activate
def test_a_server_error_is_unreachable(feed):
    responses.get(PAST_URL, status=500, json={"error": {"message": "Requested resource not found."}})
    with pytest.raises(FeedUnreachable):
        feed.fetch("GB", START, END)


@responses.activate
def test_a_slot_that_begins_at_this_very_instant_is_the_present_one():
    client = JsonClient(backoff_seconds=0)
    feed = CarbonIntensityFeed(client, BASE, ManualClock(PRESENT))
    answer({"data": past_rows()}, {"data": ahead_rows()})
    assert feed.fetch("GB", START, END).series.window(PRESENT, 1).values[0] == 200
    client.close()


REGIONAL = "/regional/intensity/2026-11-20T"


def regional(rows, region_id=13):
    return {"data": {"regionid": region_id, "shortname": "London", "data": rows}}


@responses.activate
def test_a_region_has_no_actual_so_its_passed_slots_are_estimates(feed):
    rows = [carbon_row(START + SLOT * i, 60 + i) for i in range(4)]
    responses.get(f"{BASE}{REGIONAL}11:30Z/2026-11-20T13:30Z/regionid/13", json=regional(rows))
    responses.get(f"{BASE}{REGIONAL}13:30Z/fw48h/regionid/13", json=regional(ahead_rows()))
    series = feed.fetch("GB-C", START, END).series
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 4 + [Kind.FORECAST] * 96


@responses.activate
def test_an_answer_about_another_region_is_refused(feed):
    responses.get(f"{BASE}{REGIONAL}11:30Z/2026-11-20T13:30Z/regionid/13", json=regional(past_rows(), 12))
    responses.get(f"{BASE}{REGIONAL}13:30Z/fw48h/regionid/13", json=regional(ahead_rows(), 12))
    with pytest.raises(FeedInvalid, match="about region 12, 13 was asked for"):
        feed.fetch("GB-C", START, END)


@responses.activate
@pytest.mark.parametrize(
    ("row", "said"),
    [
        (carbon_row(PRESENT, "high"), "'high', a number was expected"),
        (carbon_row(PRESENT, True), "True, a number was expected"),
        (carbon_row(PRESENT, -5), "-5, outside 0 to 1500"),
        (carbon_row(PRESENT, 9000), "9000, outside 0 to 1500"),
        ({**carbon_row(PRESENT, 5), "to": "2026-11-20T14:30Z"}, "not one half-hour"),
        ({**carbon_row(PRESENT, 5), "from": "2026-11-20T13:30"}, "a time with its UTC offset was expected"),
        ({**carbon_row(PRESENT, 5), "from": None}, "a time with its UTC offset was expected"),
        ({**carbon_row(PRESENT, 5), "from": "2026-11-20T13:31Z"}, "not on a half-hour"),
        ({**carbon_row(PRESENT, 5), "intensity": [5]}, "an object was expected"),
        ("row", "an object was expected"),
    ],
)
def test_a_row_that_is_not_what_is_documented_spoils_the_answer(feed, row, said):
    answer({"data": past_rows()}, {"data": [row]})
    with pytest.raises(FeedInvalid, match=said):
        feed.fetch("GB", START, END)


@responses.activate
@pytest.mark.parametrize("body", [[], "text", {"data": {"regionid": None, "data": 7}}, {"data": 3}])
def test_an_answer_of_another_shape_is_refused(feed, body):
    answer({"data": past_rows()}, body)
    with pytest.raises(FeedInvalid, match="was expected"):
        feed.fetch("GB", START, END)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (utc(2026, 1, 5), utc(2026, 1, 14)),
        (utc(2025, 11, 1), utc(2026, 2, 1)),
        (utc(2025, 12, 31, 23, 30), utc(2026, 1, 1, 0, 30)),
    ],
)
def test_ranges_cover_all_without_overlap_and_never_exceed_13_days_or_cross_new_year(start, end):
    cut = list(ranges(start, end))
    assert (cut[0][0], cut[-1][1]) == (start, end)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(cut))
    assert all(stop - begin <= LONGEST_RANGE for begin, stop in cut)
    assert all((stop - SLOT).year == begin.year for begin, stop in cut)


@responses.activate
def test_the_last_slot_of_the_year_is_had_from_the_range_that_begins_at_new_year():
    now, midnight = utc(2026, 1, 1, 0, 40), utc(2026, 1, 1)
    client = JsonClient(backoff_seconds=0)
    feed = CarbonIntensityFeed(client, BASE, ManualClock(now))
    old = [carbon_row(midnight - 2 * SLOT, 1, 11)]
    responses.get(f"{BASE}/intensity/2025-12-31T23:00Z/2026-01-01T00:00Z", json={"data": old})
    first = [carbon_row(midnight - SLOT, 2, 12), carbon_row(midnight, 3, 13)]
    responses.get(f"{BASE}/intensity/2026-01-01T00:00Z/2026-01-01T00:30Z", json={"data": first})
    responses.get(f"{BASE}/intensity/2026-01-01T00:30Z/fw48h", json={"data": [carbon_row(midnight + SLOT, 4)]})
    assert feed.fetch("GB", midnight - 2 * SLOT, now).series.values.tolist() == [11, 12, 13, 4]
    client.close()


# -- bodies recorded from the real API -----------------------------------------------------------------------------


def recorded(folder, name):
    path = folder / "responses" / "carbonintensity" / name
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def serve_recorded(body, start, end, now, region=""):
    """Answer the range with ``body`` and the forecast with one row of the present slot, as the API would."""
    base = f"{BASE}{'/regional' if region else ''}/intensity"
    text = "%Y-%m-%dT%H:%MZ"
    responses.get(f"{base}/{start:{text}}/{end:{text}}{region}", body=body, content_type="application/json")
    ahead = [carbon_row(now, 123)]
    shaped = {"data": {"regionid": 13, "data": ahead}} if region else {"data": ahead}
    responses.get(f"{base}/{now:{text}}/fw48h{region}", json=shaped)


@pytest.mark.shared
@responses.activate
@pytest.mark.parametrize(
    ("name", "zone", "region"), [("gb_with_dates.json", "GB", ""), ("reg_with_dates.json", "GB-C", "/regionid/13")]
)
def test_recorded_ranges_give_each_slot_once_and_drop_the_row_before(shared_data, name, zone, region):
    start, end = utc(2020, 1, 1), utc(2020, 1, 2, 23, 30)
    client = JsonClient(backoff_seconds=0)
    feed = CarbonIntensityFeed(client, BASE, ManualClock(end))
    serve_recorded(recorded(shared_data, name), start, end, end, region)
    series = feed.fetch(zone, start, end + SLOT).series
    assert (series.start, len(series)) == (start, 96)
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 95 + [Kind.FORECAST]
    assert not np.isnan(series.values).any()
    client.close()


@pytest.mark.shared
@responses.activate
def test_the_recorded_present_answer_with_a_null_actual_is_a_forecast(shared_data):
    start = utc(2021, 4, 30, 22, 30)
    client = JsonClient(backoff_seconds=0)
    feed = CarbonIntensityFeed(client, BASE, ManualClock(utc(2021, 4, 30, 22, 45)))
    responses.get(
        f"{BASE}/intensity/2021-04-30T22:30Z/fw48h",
        body=recorded(shared_data, "gb_no_dates.json"),
        content_type="application/json",
    )
    series = feed.fetch("GB", start, start + SLOT).series
    assert (series.values.tolist(), series.kinds.tolist()) == ([255], [Kind.FORECAST])
    client.close()


@pytest.mark.shared
@responses.activate
def test_the_recorded_regional_answer_in_a_list_is_read_like_the_object(shared_data):
    start = utc(2021, 4, 30, 22, 30)
    client = JsonClient(backoff_seconds=0)
    feed = CarbonIntensityFeed(client, BASE, ManualClock(start))
    responses.get(
        f"{BASE}/regional/intensity/2021-04-30T22:30Z/fw48h/regionid/13",
        body=recorded(shared_data, "reg_no_dates.json"),
        content_type="application/json",
    )
    assert feed.fetch("GB-C", start, start + SLOT).series.values.tolist() == [210]
    client.close()


@pytest.mark.shared
@responses.activate
@pytest.mark.parametrize("name", ["get_mix.json", "get_factors.json", "get_stats_block.json", "raw_with_dates.json.gz"])
def test_recorded_answers_of_other_endpoints_never_become_figures(shared_data, name):
    start = utc(2021, 4, 30, 21, 30)
    client = JsonClient(backoff_seconds=0)
    feed = CarbonIntensityFeed(client, BASE, ManualClock(start))
    responses.get(
        f"{BASE}/intensity/2021-04-30T21:30Z/fw48h", body=recorded(shared_data, name), content_type="application/json"
    )
    with pytest.raises(FeedInvalid):
        feed.fetch("GB", start, start + SLOT)
    client.close()
