"""What the upstream says is what the real APIs were seen or documented to say."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
import requests

from core.clock import ManualClock
from tests.upstream import Fault, Upstream, World
from tests.upstream.desk import utc
from tests.upstream.world import slot_of, slots

NOW = utc(2026, 11, 20, 13, 47)
RATES = "/v1/products/AGILE-24-10-01/electricity-tariffs/E-1R-AGILE-24-10-01-C/standard-unit-rates/"


@pytest.fixture
def clock():
    return ManualClock(utc(2020, 1, 1))


@pytest.fixture
def upstream(clock):
    with Upstream(clock=clock) as running:
        yield running


@pytest.fixture
def get(upstream, clock):
    with requests.Session() as session:
        session.trust_env = False

        def asked(api: str, path: str, at: datetime = NOW, **options: Any) -> requests.Response:
            if clock.now() < at:
                clock.set(at)
            return session.get(upstream.url(api) + path, timeout=10, **options)

        yield asked


def shape(value: Any) -> Any:
    """What kind of thing stands where; of a list its first element speaks for all."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def recorded(folder, name):
    body = (folder / "responses" / name).read_bytes()
    return json.loads(gzip.decompress(body) if name.endswith(".gz") else body)


RECORDED = [
    ("gb_no_dates.json", "/intensity/"),
    ("gb_with_dates.json", "/intensity/2020-01-01T00:00Z/2020-01-02T23:59Z"),
    ("get_mix.json", "/generation/"),
    ("get_stats_block.json", "/intensity/stats/2019-04-01T00:00Z/2019-04-07T23:59Z/2"),
    ("nat_en.json", "/regional/england/"),
    ("nat_no_dates.json", "/regional/"),
    ("pc_no_dates.json", "/regional/postcode/EN2/"),
    ("reg_no_dates.json", "/regional/regionid/13/"),
    ("reg_with_dates.json", "/regional/intensity/2020-01-01T00:00Z/2020-01-02T23:59Z/regionid/13"),
]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "path"), RECORDED)
def test_carbon_answers_have_the_shapes_that_were_recorded(get, shared_data, name, path):
    told = get("carbon", path, utc(2021, 4, 30, 23, 1)).json()
    assert shape(told) == shape(recorded(shared_data, f"carbonintensity/{name}"))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["gb_with_dates.json", "reg_with_dates.json"])
def test_a_carbon_range_has_the_rows_that_were_recorded(get, shared_data, name):
    path = dict(RECORDED)[name]
    told, seen = get("carbon", path).json()["data"], recorded(shared_data, f"carbonintensity/{name}")["data"]
    rows, expected = (data if isinstance(data, list) else data["data"] for data in (told, seen))
    assert [row["from"] for row in rows] == [row["from"] for row in expected]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "country"), [("at.json", "at"), ("fr.json", "fr")])
def test_energy_charts_answers_in_the_steps_that_were_recorded(get, shared_data, name, country):
    seen = recorded(shared_data, f"energycharts/{name}")["unix_seconds"]
    told = get("energy_charts", f"/co2eq?country={country}").json()["unix_seconds"]
    assert told[1] - told[0] == seen[1] - seen[0]


@pytest.mark.shared
def test_ercot_hours_are_named_as_recorded(get, shared_data):
    seen = recorded(shared_data, "ercot/ERCOT_demand.json.gz")
    told = get("ercot", "/api/1/services/read/dashboards/loadForecastVsActual.json", utc(2026, 11, 25, 8, 15)).json()
    assert told.keys() == seen.keys()
    for day in ("previousDay", "currentDay", "nextDay"):
        for mine, theirs in zip(told[day]["data"], seen[day]["data"], strict=True):
            assert mine["hourEnding"] == theirs["hourEnding"]
            assert mine["timestamp"][10:] == theirs["timestamp"][10:]
            assert mine["epoch"] == 1000 * datetime.fromisoformat(mine["timestamp"]).timestamp()
            assert ("systemLoad" in mine) == ("systemLoad" in theirs)


@pytest.mark.shared
def test_a_recorded_world_tells_what_was_recorded(shared_data):
    world = World.of_recorded(shared_data)
    asked = slots(utc(2023, 3, 1), utc(2023, 3, 2))
    recorded_actual = world.carbon_actual(asked, slot_of(utc(2023, 9, 1)))
    assert not np.array_equal(recorded_actual, World().carbon_actual(asked, slot_of(utc(2023, 9, 1))))
    assert world.carbon_actual(slots(NOW, NOW + timedelta(hours=1)), 0).tolist()


@pytest.mark.parametrize(
    ("minute", "first"), [("2026-11-20T13:30Z", "2026-11-20T13:00Z"), ("2026-11-20T13:31Z", "2026-11-20T13:30Z")]
)
def test_a_forecast_asked_for_a_minute_later_begins_a_slot_later(get, minute, first):
    assert get("carbon", f"/intensity/{minute}/fw48h").json()["data"][0]["from"] == first


def test_a_carbon_range_stops_before_the_last_slot_of_the_year(get):
    data = get("carbon", "/intensity/2025-12-30T00:00Z/2026-01-03T00:00Z").json()["data"]
    assert data[-1]["to"] == "2025-12-31T23:30Z"


def test_a_carbon_range_of_more_than_14_days_is_refused(get):
    answer = get("carbon", "/intensity/2026-10-01T00:00Z/2026-10-16T00:00Z")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "400 Bad Request")


def test_an_actual_is_known_half_an_hour_after_its_slot_and_revised_for_a_day(get):
    path = "/intensity/2026-11-20T12:31Z/2026-11-20T13:00Z"

    def actual(at):
        return get("carbon", path, at).json()["data"][-1]["intensity"]["actual"]

    early, first, final = (actual(at) for at in (utc(2026, 11, 20, 13, 29), NOW, utc(2026, 11, 22)))
    assert early is None
    assert None not in {first, final}
    assert first != final


def test_rates_come_newest_first_in_pages_of_at_most_1500(get):
    page = get("octopus", f"{RATES}?period_from=2026-09-01T00:00Z&page_size=9999").json()
    starts = [row["valid_from"] for row in page["results"]]
    assert starts == sorted(starts, reverse=True)
    assert len(starts) == 1500
    following = requests.get(page["next"], timeout=5).json()
    assert following["next"] is None or following["results"]
    assert page["count"] > 1500
    assert following["results"][0]["valid_to"] == starts[-1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("period_to=2026-11-20T00:00Z", "period_from"),
        ("period_from=2026-11-20T00:00Z&period_to=2026-11-19T00:00Z", "period_from"),
        ("period_from=yesterday", "period_from"),
        ("period_from=2026-11-20T00:00:00+01:00", "period_from"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused_by_field(get, query, field):
    answer = get("octopus", f"{RATES}?{query}")
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_a_period_without_offset_is_londons(get):
    page = get("octopus", f"{RATES}?period_from=2026-07-01T00:00&period_to=2026-07-01T00:30").json()
    assert [row["valid_from"] for row in page["results"]] == ["2026-06-30T23:00:00Z"]


def test_unpublished_prices_are_none_and_not_an_error(get):
    assert get("octopus", f"{RATES}?period_from=2026-12-24T00:00Z").json()["count"] == 0


def test_a_half_hour_is_given_where_it_only_overlaps(get):
    page = get("octopus", f"{RATES}?period_from=2026-11-20T10:15Z&period_to=2026-11-20T10:45Z").json()
    assert [row["valid_from"] for row in page["results"]] == ["2026-11-20T10:30:00Z", "2026-11-20T10:00:00Z"]


def test_tomorrow_is_published_at_four_and_late_at_half_past_six(get, upstream):
    def newest(at):
        return get("octopus", f"{RATES}?page_size=1&period_from=2026-11-20T00:00Z", at).json()["results"][0]["valid_to"]

    assert newest(utc(2026, 11, 20, 15, 59)) == "2026-11-20T23:00:00Z"
    with upstream.broken(Fault.LATE, "octopus"):
        assert newest(utc(2026, 11, 20, 18, 29)) == "2026-11-20T23:00:00Z"
        assert newest(utc(2026, 11, 20, 18, 30)) == "2026-11-21T23:00:00Z"


def test_the_vat_of_a_whole_answer_is_that_of_the_day_it_is_given(get):
    page = get("octopus", f"{RATES}?period_from=2026-09-01T00:00Z&period_to=2026-09-01T00:30Z").json()
    (row,) = page["results"]
    assert row["value_inc_vat"] == row["value_exc_vat"]


def test_frequency_asked_for_by_the_wrong_names_is_the_last_day(get):
    base = "/bmrs/api/v1/datasets/FREQ"
    asked = get("elexon", f"{base}?measurementDateTimeFrom=2026-01-01T00:00Z&measurementDateTimeTo=2026-01-01T03:00Z")
    other = get("elexon", f"{base}?from=2026-01-01T00:00Z&to=2026-01-01T03:00Z")
    assert len(asked.json()["data"]) == 721
    assert other.json()["data"][-1]["measurementTime"].startswith("2026-11-20")
    longer = f"{base}?measurementDateTimeFrom=2026-01-01T00:00Z&measurementDateTimeTo=2026-01-02T00:30Z"
    assert get("elexon", longer).status_code == 400


def test_a_long_day_has_fifty_settlement_periods(get):
    rows = get("elexon", "/bmrs/api/v1/balancing/settlement/system-prices/2026-10-25").json()["data"]
    fifth = next(row for row in rows if row["settlementPeriod"] == 5)
    assert (len(rows), fifth["startTime"]) == (50, "2026-10-25T01:00:00Z")


def test_open_meteo_times_are_local_and_carry_no_offset(get):
    place = "latitude=51.5&longitude=-0.25&hourly=temperature_2m&forecast_days=1"
    at = utc(2027, 7, 1, 12)
    local = get("open_meteo", f"/v1/forecast?{place}&timezone=Europe/London", at).json()
    plain = get("open_meteo", f"/v1/forecast?{place}", at).json()
    assert local["utc_offset_seconds"] == 3600
    assert local["hourly"]["time"][0] == plain["hourly"]["time"][0] == "2027-07-01T00:00"
    assert local["hourly"]["temperature_2m"][1] == plain["hourly"]["temperature_2m"][0]


def test_a_watttime_token_holds_for_half_an_hour(get):
    token = get("watttime", "/login", auth=("made-up-user", "made-up-password")).json()["token"]
    path, headers = "/v3/forecast?region=CAISO_NORTH", {"Authorization": f"Bearer {token}"}
    assert get("watttime", path, NOW + timedelta(minutes=29), headers=headers).status_code == 200
    assert get("watttime", path, NOW + timedelta(minutes=31), headers=headers).status_code == 401
    assert get("watttime", "/login", auth=("made-up-user", "wrong")).status_code == 403


@pytest.mark.parametrize(
    ("api", "path", "status"),
    [
        ("electricity_maps", "/v3/carbon-intensity/forecast?zone=DE", 401),
        ("entsoe", "/api?documentType=A44", 401),
        ("octopus", "/v1/products/AGILE-99-01-01/", 404),
        ("neso", "/api/3/action/datastore_search?resource_id=none", 404),
    ],
)
def test_who_may_not_ask_or_asks_for_nothing_is_refused(get, api, path, status):
    assert get(api, path).status_code == status


def test_no_data_of_entsoe_is_another_document(get):
    asked = {"securityToken": "made-up-entsoe-token", "documentType": "A44", "in_Domain": "x"}
    answer = get("entsoe", "/api", params={**asked, "periodStart": "202701010000", "periodEnd": "202701020000"})
    assert answer.status_code == 200
    assert "Acknowledgement_MarketDocument" in answer.text
