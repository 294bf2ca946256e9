from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents.energy.client import Refused, StoredAnswers
from agents.energy.feed import Ask, Flag
from agents.energy.feeds import carbon_intensity
from agents.energy.feeds.carbon_intensity import SHARES, CarbonIntensityFeed, CarbonMixFeed
from agents.energy.feeds.carbon_regions import REGION_IDS
from agents.energy.feeds.carbon_rows import LONGEST_RANGE, minute, ranges
from core.errors import FeedInvalid, FeedUnreachable
from core.series import Kind, Unit
from core.settings import Settings
from core.slots import SLOT, slots_between
from core.vintage import FUELS, RawAnswer

BASE = "https://carbon.test"
NOW = datetime(2026, 11, 20, 13, 47, tzinfo=UTC)
PRESENT = datetime(2026, 11, 20, 13, 30, tzinfo=UTC)
START = PRESENT - 4 * SLOT
END = PRESENT + timedelta(days=15)
MIX = dict.fromkeys(FUELS, 0.0) | {"gas": 60.0, "wind": 40.0}
ADDRESS = re.compile(
    rf"{BASE}/(?P<kind>intensity|regional/intensity|generation)"
    r"/(?P<first>[^/]+)/(?P<last>[^/]+)(?:/regionid/(?P<region>\d+))?"
)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def row(start, forecast, actual=None, mix=None):
    told = {"from": minute(start), "to": minute(start + SLOT)}
    told["intensity"] = {"forecast": forecast, "actual": actual, "index": "moderate"}
    if mix is not None:
        told["generationmix"] = [{"fuel": fuel, "perc": share} for fuel, share in mix.items()]
    return told


class Api:
    """The API as it behaves: ends within the range, both included; nothing across a New Year; shapes by address.

    Holds rows from ``since`` to ``until``; national ones have an ``actual`` until ``metered``. ``changed`` replaces the
    rows of single slots by any number of others.
    """

    def __init__(self, since=START - 10 * SLOT, until=PRESENT + 96 * SLOT, metered=PRESENT):
        self.since, self.until, self.metered = since, until, metered
        self.changed = {}
        self.faults = {}
        self.asked = []
        self.answers = []

    def __call__(self, url, parameters=None, *, authorise=None):
        assert (parameters, authorise) == (None, None)
        self.asked.append(url)
        for part, fault in self.faults.items():
            if part in url:
                if isinstance(fault, Exception):
                    raise fault
                return self._answer(url, fault)
        asked = ADDRESS.fullmatch(url)
        assert asked, url
        regional = asked["region"] is not None
        first = datetime.strptime(asked["first"], "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
        if asked["last"] == "fw48h":
            last = first + timedelta(hours=48)
        else:
            last = datetime.strptime(asked["last"], "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
            assert last - first <= timedelta(days=14), "the API refuses this"
        rows = list(self._rows(first, last, regional, asked["kind"]))
        body = {"regionid": int(asked["region"]), "data": rows} if regional else rows
        return self._answer(url, {"data": body})

    def _answer(self, url, value):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.answers.append(RawAnswer.of(url, "application/json", body))
        return self.answers[-1]

    def _rows(self, first, last, regional, kind):
        new_year = datetime(first.year + 1, 1, 1, tzinfo=UTC)
        stop = min(last, new_year - SLOT) if last >= new_year else last
        at = max(self.since, first - SLOT)
        at = at.replace(minute=at.minute - at.minute % 30)
        while at < self.until and at + SLOT <= stop:
            if at + SLOT >= first and not (kind == "generation" and at >= self.metered):
                yield from self.changed.get(at, [self.row(at, regional, kind)])
            at += SLOT

    def row(self, at, regional=False, kind="intensity"):
        number = slots_between(PRESENT, at)
        if regional or kind == "generation":
            told = row(at, 60 + number % 50, None, MIX)
            del told["intensity"]["actual"]
            return (
                {"from": told["from"], "to": told["to"], "generationmix": told["generationmix"]}
                if not regional
                else told
            )
        return row(at, 200 + number % 50, 100 + number % 50 if at < self.metered else None)


def fetch(api, zone="GB", start=START, end=END, now=NOW, feed=None):
    return (feed or CarbonIntensityFeed(BASE + "/")).fetch(Ask(zone, start, end, now, api))


def carbon(api, **asked):
    return fetch(api, **asked).series["carbon"]


def flags(fetched):
    return [finding.flag for finding in fetched.findings]


# -- what is asked -------------------------------------------------------------------------------------------------


def test_national_figures_are_actual_where_known_and_forecast_48_hours_ahead():
    series = carbon(Api())
    assert (series.start, series.end) == (START, PRESENT + timedelta(hours=48))
    assert series.values[:5].tolist() == [146, 147, 148, 149, 200]
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 4 + [Kind.FORECAST] * 96
    assert (series.unit, series.issued_at, series.source) == (Unit.G_PER_KWH, NOW, "Carbon Intensity API GB")


def test_times_are_asked_for_in_utc_to_the_minute_and_the_forecast_just_after_its_slot_began():
    api = Api()
    fetch(api, end=PRESENT + 96 * SLOT)
    assert api.asked == [
        f"{BASE}/intensity/2026-11-20T11:30Z/2026-11-20T13:30Z",
        f"{BASE}/intensity/2026-11-20T13:31Z/fw48h",
    ]


def test_a_slot_that_begins_at_this_very_instant_is_the_present_one():
    api = Api()
    assert carbon(api, now=PRESENT).kinds[4] == Kind.FORECAST
    assert api.asked[1].endswith("/intensity/2026-11-20T13:31Z/fw48h")


def test_figures_beyond_the_documented_48_hours_are_used_where_there_are_any():
    api = Api(until=PRESENT + 150 * SLOT)
    assert carbon(api).end == PRESENT + 150 * SLOT
    assert api.asked[-1] == f"{BASE}/intensity/2026-11-22T13:30Z/2026-11-24T13:30Z"


@pytest.mark.parametrize("fault", [Refused("400", 400), FeedUnreachable("down"), {}, {"data": []}, b"<html>"])
def test_no_answer_beyond_48_hours_spoils_nothing(fault):
    api = Api()
    api.faults["/2026-11-22T13:30Z/"] = fault
    fetched = fetch(api)
    assert fetched.series["carbon"].end == PRESENT + timedelta(hours=48)
    assert flags(fetched) == []


def test_a_forecast_that_stops_at_the_end_of_the_year_is_asked_for_beyond_it():
    now = utc(2026, 12, 31, 12)
    api = Api(utc(2026, 12, 31), utc(2027, 1, 3), now)
    series = carbon(api, start=now, end=now + timedelta(days=2), now=now)
    assert series.end == now + timedelta(days=2)
    assert not np.isnan(series.values).any()


def test_slots_of_the_past_alone_need_no_forecast():
    api = Api()
    series = carbon(api, end=PRESENT)
    assert len(api.asked) == 1
    assert series.end == PRESENT


def test_the_newest_row_of_the_api_is_of_the_slot_before_so_slots_are_told_by_their_time():
    api = Api()
    late = [api.row(PRESENT - SLOT), api.row(PRESENT)]
    api.faults["fw48h"] = {"data": late}
    assert carbon(api).window(PRESENT, 1).values[0] == 200


# -- ranges --------------------------------------------------------------------------------------------------------


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.datetimes(utc(2019, 1, 1).replace(tzinfo=None), utc(2027, 1, 1).replace(tzinfo=None)), st.integers(1, 4000))
def test_ranges_give_each_slot_once_and_never_exceed_13_days_or_cross_new_year(moment, slots):
    start = moment.replace(minute=30 * (moment.minute // 30), second=0, microsecond=0, tzinfo=UTC)
    end = start + slots * SLOT
    cut = list(ranges(start, end))
    inside = [(first, last) for first, last in cut if first < end]
    assert (inside[0][0], inside[-1][1]) == (start, end)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(cut))
    assert all(last - first <= LONGEST_RANGE and (last - SLOT).year == first.year for first, last in cut)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (utc(2025, 11, 1), utc(2026, 2, 1)),
        (utc(2025, 12, 31, 23), utc(2026, 1, 1)),
        (utc(2025, 12, 31, 23, 30), utc(2026, 1, 1, 0, 30)),
        (utc(2026, 1, 1), utc(2026, 1, 2)),
    ],
)
@pytest.mark.parametrize("zone", ["GB", "GB-C"])
def test_history_has_every_slot_once_also_the_last_of_the_year(start, end, zone):
    fetched = fetch(Api(utc(2025, 1, 1), utc(2026, 12, 1), utc(2026, 12, 1)), zone, start, end)
    series = fetched.series["carbon"]
    assert (series.start, series.end) == (start, end)
    assert not np.isnan(series.values).any()
    assert flags(fetched) == []


def test_rows_that_end_at_the_start_asked_for_are_dropped():
    api = Api()
    api.faults["/2026-11-20T13:30Z"] = {"data": [row(START - SLOT, 5, 5), *map(api.row, [START, START + SLOT])]}
    assert carbon(api).start == START


# -- honest figures ------------------------------------------------------------------------------------------------


def test_a_null_actual_never_becomes_zero():
    series = carbon(Api(metered=START + SLOT))
    assert series.values[:4].tolist() == [146, 247, 248, 249]
    assert series.kinds[:4].tolist() == [Kind.ESTIMATE, Kind.FORECAST, Kind.FORECAST, Kind.FORECAST]


def test_a_zero_actual_beside_a_forecast_above_20_is_suspect_and_not_used():
    api = Api()
    api.changed = {START: [row(START, 150, 0)], START + SLOT: [row(START + SLOT, 12, 0)]}
    fetched = fetch(api)
    series = fetched.series["carbon"]
    assert series.values[:2].tolist() == [150, 0]
    assert series.kinds[:2].tolist() == [Kind.FORECAST, Kind.ESTIMATE]
    (noted,) = fetched.findings
    assert (noted.flag, noted.quantity, noted.start, noted.end) == (Flag.SPURIOUS_ZERO, "carbon", START, START + SLOT)


def test_great_britain_as_a_whole_is_never_free_of_carbon():
    api = Api()
    api.changed = {at: [row(at, 0, actual)] for at, actual in ((START, 0), (START + SLOT, 55), (PRESENT, None))}
    fetched = fetch(api)
    series = fetched.series["carbon"]
    assert series.kinds[[0, 1, 4]].tolist() == [Kind.ESTIMATE, Kind.ESTIMATE, Kind.FORECAST]
    assert series.start == START + SLOT
    zeros = [finding for finding in fetched.findings if finding.flag is Flag.SPURIOUS_ZERO]
    assert [(each.start, each.end) for each in zeros] == [(START, START + 2 * SLOT), (PRESENT, PRESENT + SLOT)]


@pytest.mark.parametrize(
    ("mix", "believed"),
    [
        (dict.fromkeys(FUELS, 0.0) | {"wind": 80.0, "hydro": 17.0, "biomass": 3.0}, True),
        (MIX, False),
        (dict.fromkeys(FUELS, 0.0) | {"wind": 90.0, "gas": 10.0}, False),
        ({"wind": 100.0}, False),
        (None, False),
    ],
    ids=["free of carbon", "mostly gas", "some gas", "unknown fuels", "no mix"],
)
def test_a_region_is_free_of_carbon_where_its_mix_says_so_and_nowhere_else(mix, believed):
    api = Api()
    api.changed = {PRESENT + SLOT: [row(PRESENT + SLOT, 0, None, mix)]}
    fetched = fetch(api, "GB-P")
    expected = Kind.FORECAST if believed else Kind.MISSING
    assert fetched.series["carbon"].window(PRESENT + SLOT, 1).kinds[0] == expected
    assert (Flag.SPURIOUS_ZERO in flags(fetched)) is not believed


@pytest.mark.parametrize("zone", ["GB", "GB-C"])
def test_an_outage_that_looks_like_clean_power_is_no_answer(zone):
    api = Api()
    slots = slots_between(api.since, api.until)
    api.changed = {at: [row(at, 0, 0, MIX)] for at in (api.since + i * SLOT for i in range(slots))}
    with pytest.raises(FeedInvalid, match="zeros that cannot be true"):
        fetch(api, zone)


def test_a_row_given_twice_with_different_figures_is_noted_and_the_last_one_used():
    api = Api()
    api.changed = {START: [row(START, 100, 55), row(START, 100, 66)], START + SLOT: [api.row(START + SLOT)] * 2}
    fetched = fetch(api)
    assert fetched.series["carbon"].values[0] == 66
    assert [(each.flag, each.start) for each in fetched.findings] == [(Flag.DUPLICATE, START)]


def test_an_actual_is_never_displaced_by_a_later_row_without_one():
    api = Api()
    api.changed = {START: [row(START, 100, 55), row(START, 101, None)]}
    fetched = fetch(api)
    assert fetched.series["carbon"].values[0] == 55
    assert flags(fetched) == []


def test_a_later_answer_revises_an_earlier_one_and_each_carries_its_fetch_time():
    api = Api()
    first = carbon(api)
    api.changed = {START: [row(START, 100, 91)]}
    second = carbon(api, now=NOW + SLOT)
    assert (first.values[0], second.values[0]) == (146, 91)
    assert second.issued_at - first.issued_at == SLOT


def test_a_gap_inside_stays_a_gap_and_is_noted():
    api = Api()
    api.changed = {PRESENT + SLOT: [], PRESENT + 2 * SLOT: [row(PRESENT + 2 * SLOT, None, None)]}
    fetched = fetch(api)
    assert fetched.series["carbon"].window(PRESENT, 4).kinds.tolist() == [2, Kind.MISSING, Kind.MISSING, 2]
    (noted,) = fetched.findings
    assert (noted.flag, noted.start, noted.end) == (Flag.GAP, PRESENT + SLOT, PRESENT + 3 * SLOT)


def test_a_day_without_rows_in_the_past_is_a_gap_also_at_either_end():
    api = Api()
    api.changed = {at: [] for at in (START, PRESENT - SLOT)}
    fetched = fetch(api, end=PRESENT)
    assert [(each.flag, each.start) for each in fetched.findings] == [(Flag.GAP, START), (Flag.GAP, PRESENT - SLOT)]
    assert len(fetched.series["carbon"]) == 2


def test_a_short_forecast_ends_where_it_ends_and_is_noted():
    fetched = fetch(Api(until=PRESENT + 30 * SLOT))
    assert fetched.series["carbon"].end == PRESENT + 30 * SLOT
    (noted,) = fetched.findings
    assert (noted.flag, noted.start, noted.end) == (Flag.SHORT_HORIZON, PRESENT + 30 * SLOT, PRESENT + 96 * SLOT)
    assert noted.detail.startswith("66 of the 96 slots")


@pytest.mark.parametrize("zone", ["GB", "GB-C"])
@pytest.mark.parametrize("nothing", [{}, {"data": []}])
def test_an_answer_without_rows_is_no_data_and_not_a_success(nothing, zone):
    api = Api()
    api.faults[BASE] = nothing
    with pytest.raises(FeedInvalid, match="no figures for the time asked"):
        fetch(api, zone)


def test_figures_of_the_past_alone_are_no_answer_about_what_is_ahead():
    api = Api()
    api.faults["fw48h"] = {}
    with pytest.raises(FeedInvalid, match="no figures after 2026-11-20 13:30 UTC"):
        fetch(api)


def test_a_missing_past_does_not_spoil_the_forecast():
    api = Api()
    api.faults["/2026-11-20T11:30Z/"] = {}
    fetched = fetch(api)
    assert fetched.series["carbon"].start == PRESENT
    assert flags(fetched) == [Flag.GAP]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": [', b'{"data": NaN}', b'{"data": 3}', b"[]", b'"text"'])
def test_an_answer_of_another_shape_is_refused(body):
    api = Api()
    api.faults["fw48h"] = body
    with pytest.raises(FeedInvalid):
        fetch(api)


def test_a_web_page_instead_of_json_is_refused():
    page = RawAnswer.of(BASE, "text/html", b"{}")
    with pytest.raises(FeedInvalid, match="text/html"):
        fetch(lambda *_, **__: page)


def test_a_server_error_is_an_outage():
    api = Api()
    api.faults["fw48h"] = FeedUnreachable("500 Requested resource not found.")
    with pytest.raises(FeedUnreachable):
        fetch(api)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (row(PRESENT, "high"), "'high', a number was expected"),
        (row(PRESENT, True), "True, a number was expected"),
        (row(PRESENT, -5), "-5, outside 0 to 1500"),
        (row(PRESENT, 9000), "9000, outside 0 to 1500"),
        ({**row(PRESENT, 5), "to": "2026-11-20T14:30Z"}, "not one half-hour"),
        ({**row(PRESENT, 5), "from": "2026-11-20T13:30"}, "a time with its UTC offset was expected"),
        ({**row(PRESENT, 5), "from": None}, "a time with its UTC offset was expected"),
        ({**row(PRESENT, 5), "from": "2026-11-20T13:31Z"}, "not on a half-hour"),
        ({**row(PRESENT, 5), "intensity": [5]}, "an object was expected"),
        ("row", "an object was expected"),
    ],
)
def test_a_row_that_is_not_what_is_documented_spoils_the_answer(wrong, said):
    api = Api()
    api.changed = {PRESENT: [wrong]}
    with pytest.raises(FeedInvalid, match=said):
        fetch(api)


# -- regions -------------------------------------------------------------------------------------------------------


def test_a_region_has_no_actual_so_its_passed_slots_are_estimates():
    api = Api()
    series = carbon(api, zone="GB-C")
    assert series.kinds.tolist() == [Kind.ESTIMATE] * 4 + [Kind.FORECAST] * 96
    assert all(url.endswith("/regionid/13") for url in api.asked)
    assert api.asked[1] == f"{BASE}/regional/intensity/2026-11-20T13:31Z/fw48h/regionid/13"


def test_all_18_regions_are_reached_and_great_britain_is_asked_for_nationally():
    assert sorted(REGION_IDS.values()) == list(range(1, 19))
    feed = CarbonIntensityFeed(BASE)
    for zone, region_id in REGION_IDS.items():
        api = Api()
        assert feed.serves(zone)
        assert fetch(api, zone).series["carbon"].source == f"Carbon Intensity API {zone}"
        assert api.asked[0].endswith("/2026-11-20T13:30Z" if zone == "GB" else f"/regionid/{region_id}")
    assert not feed.serves("DE-LU")


def test_a_region_comes_with_its_generation_mix_and_great_britain_without():
    series = fetch(Api(), "GB-C").series
    assert set(series) == {"carbon", *SHARES}
    assert set(series["share_wind"].values) == {40.0}
    assert series["share_wind"].unit is Unit.PERCENT
    assert series["share_wind"].kinds.tolist() == series["carbon"].kinds.tolist()
    assert set(fetch(Api()).series) == {"carbon"}


def test_an_answer_about_another_region_is_refused():
    api = Api()
    api.faults["fw48h"] = {"data": {"regionid": 12, "data": []}}
    with pytest.raises(FeedInvalid, match="about region 12, 13 was asked for"):
        fetch(api, "GB-C")


# -- generation mix ------------------------------------------------------------------------------------------------


def mix_of(api, **asked):
    return fetch(api, feed=CarbonMixFeed(BASE), **asked)


def test_the_national_mix_is_metered_in_the_past_and_region_18s_ahead():
    api = Api(metered=PRESENT - SLOT)
    series = mix_of(api).series
    assert set(series) == set(SHARES)
    gas = series["share_gas"]
    assert (gas.start, gas.end) == (START, PRESENT + 95 * SLOT - SLOT)
    assert gas.kinds.tolist() == [Kind.ESTIMATE] * 3 + [Kind.FORECAST] * 95
    assert "region 18" in gas.source
    assert api.asked == [
        f"{BASE}/generation/2026-11-20T11:30Z/2026-11-20T13:30Z",
        f"{BASE}/regional/intensity/2026-11-20T12:31Z/fw48h/regionid/18",
    ]


def test_the_metered_mix_alone_is_good_for_three_hours():
    api = Api()
    api.faults["regional"] = {}
    assert mix_of(api).series["share_gas"].end == PRESENT
    with pytest.raises(FeedInvalid, match="no figures after"):
        mix_of(api, now=NOW + timedelta(hours=4), end=END)
    assert mix_of(api, now=NOW + timedelta(hours=4), end=PRESENT + 8 * SLOT).series["share_gas"].end == PRESENT


@pytest.mark.parametrize(
    "mix", [dict.fromkeys(FUELS, 0.0), MIX | {"wind": 80.0}, {"gas": 30.0}], ids=["zeros", "too much", "too little"]
)
def test_a_mix_that_does_not_add_up_to_the_whole_is_noted_and_not_used(mix):
    api = Api()
    api.changed = {START + SLOT: [row(START + SLOT, 1, 1, mix)]}
    fetched = mix_of(api)
    assert fetched.series["share_coal"].kinds[1] == Kind.MISSING
    assert {finding.flag for finding in fetched.findings} == {Flag.OUTLIER}
    assert {finding.quantity for finding in fetched.findings} == set(SHARES)


def test_a_fuel_that_is_not_named_is_missing_and_not_zero():
    api = Api()
    api.changed = {START + SLOT: [row(START + SLOT, 1, 1, {"gas": 60.0, "wind": 40.0})]}
    series = mix_of(api).series
    assert (series["share_gas"].values[1], series["share_coal"].kinds[1]) == (60, Kind.MISSING)


def test_where_no_mix_adds_up_there_is_none_and_a_region_keeps_its_intensity():
    api = Api()
    slots = slots_between(api.since, api.until)
    api.changed = {at: [row(at, 90, None, {"gas": 30.0})] for at in (api.since + i * SLOT for i in range(slots))}
    with pytest.raises(FeedInvalid, match="no mix adds up"):
        mix_of(api)
    assert set(fetch(api, "GB-C").series) == {"carbon"}


def test_no_mix_at_all_is_no_answer():
    api = Api()
    api.faults[BASE] = {"data": []}
    with pytest.raises(FeedInvalid, match="no figures"):
        mix_of(api)


@pytest.mark.parametrize("mix", [[["gas", 5]], [{"fuel": "gas"}], 7, [{"fuel": "gas", "perc": "5"}]])
def test_a_mix_of_another_shape_is_refused(mix):
    api = Api()
    api.changed = {START: [{**row(START, 1), "generationmix": mix}]}
    with pytest.raises(FeedInvalid):
        mix_of(api)


def test_an_answer_that_is_one_row_and_not_a_list_of_rows_is_read_as_one_row():
    api = Api()
    api.faults["/generation/"] = {"data": api.row(START, kind="generation")}
    assert mix_of(api, end=START + SLOT).series["share_gas"].values.tolist() == [60]


# -- contract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feed", "zone"),
    [(CarbonIntensityFeed(BASE), "GB"), (CarbonIntensityFeed(BASE), "GB-J"), (CarbonMixFeed(BASE), "GB")],
)
def test_the_stored_answers_give_the_same_series_again(feed, zone):
    api = Api()
    api.changed = {START: [row(START, 150, 0, MIX)]}
    live = fetch(api, zone, feed=feed)
    again = fetch(StoredAnswers(api.answers), zone, feed=feed)
    assert live.findings == again.findings
    for quantity, series in live.series.items():
        np.testing.assert_array_equal(series.values, again.series[quantity].values)
        np.testing.assert_array_equal(series.kinds, again.series[quantity].kinds)


def test_the_feeds_say_what_they_are():
    settings = Settings(_env_file=None, carbon_intensity_url=BASE)
    declared = [feed.declaration for feed in carbon_intensity.feeds(settings)]
    assert [each.name for each in declared] == ["carbon-intensity", "carbon-mix"]
    assert {each.host for each in declared} == {"carbon.test"}
    assert all(each.licence == "CC BY 4.0" and each.exempt and each.ready for each in declared)
    assert not CarbonMixFeed(BASE).serves("GB-C")
