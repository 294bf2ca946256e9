from __future__ import annotations

import gzip
from datetime import UTC, datetime

import numpy as np
import pytest

from agents.energy.feed import Ask, Flag
from agents.energy.feeds.carbon_intensity import CarbonIntensityFeed, CarbonMixFeed
from core.errors import FeedInvalid
from core.series import Kind
from core.slots import SLOT, SLOTS_PER_DAY
from core.vintage import FUELS, RawAnswer

BASE = "https://carbon.test"
pytestmark = pytest.mark.shared


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.fixture
def recorded(shared_data):
    """A ``get`` that answers every address with one recorded body."""

    def get(name):
        path = shared_data / "responses" / "carbonintensity" / name
        body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return lambda url, parameters=None, *, authorise=None: RawAnswer.of(url, "application/json", body)

    return get


def test_a_recorded_range_gives_each_slot_once_and_drops_the_row_before(recorded):
    start, end = utc(2020, 1, 1), utc(2020, 1, 2, 23, 30)
    fetched = CarbonIntensityFeed(BASE).fetch(Ask("GB", start, end, utc(2020, 1, 5), recorded("gb_with_dates.json")))
    series = fetched.series["carbon"]
    assert (series.start, series.end, len(series)) == (start, end, 95)
    assert series.kinds_used() == (Kind.ESTIMATE,)
    assert fetched.findings == ()


def test_recorded_zeros_beside_nothing_but_gas_or_biomass_are_no_figures(recorded):
    start, end = utc(2020, 1, 1), utc(2020, 1, 2, 23, 30)
    fetched = CarbonIntensityFeed(BASE).fetch(Ask("GB-C", start, end, utc(2020, 1, 5), recorded("reg_with_dates.json")))
    zeros = [(each.start, each.end) for each in fetched.findings if each.flag is Flag.SPURIOUS_ZERO]
    assert zeros == [
        (utc(2020, 1, 1, 19, 30), utc(2020, 1, 1, 20)),
        (utc(2020, 1, 1, 22), utc(2020, 1, 2, 0, 30)),
        (utc(2020, 1, 2, 20, 30), end),
    ]
    series = fetched.series["carbon"]
    assert (series.kinds_used(), series.end) == ((Kind.ESTIMATE, Kind.MISSING), utc(2020, 1, 2, 20, 30))
    assert np.nanmin(series.values) > 0
    assert len(fetched.series["share_gas"]) == 95


def test_the_recorded_regional_mix_adds_up_to_the_whole_in_every_slot(recorded):
    ask = Ask("GB-C", utc(2020, 1, 1), utc(2020, 1, 2, 23, 30), utc(2020, 1, 5), recorded("reg_with_dates.json"))
    series = CarbonIntensityFeed(BASE).fetch(ask).series
    total = sum(series[f"share_{fuel}"].values for fuel in FUELS)
    np.testing.assert_allclose(total, 100, atol=0.5)


def test_the_recorded_present_answer_with_a_null_actual_is_a_forecast(recorded):
    start = utc(2021, 4, 30, 22, 30)
    ask = Ask("GB", start, start + SLOT, utc(2021, 4, 30, 22, 45), recorded("gb_no_dates.json"))
    series = CarbonIntensityFeed(BASE).fetch(ask).series["carbon"]
    assert (series.values.tolist(), series.kinds.tolist()) == ([255], [Kind.FORECAST])


@pytest.mark.parametrize(
    ("name", "zone", "intensity"),
    [("reg_no_dates.json", "GB-C", 210), ("nat_en.json", "GB-ENG", 243), ("nat_sct.json", "GB-SCT", 230)],
)
def test_the_recorded_regional_answer_in_a_list_is_read_like_the_object(recorded, name, zone, intensity):
    start = utc(2021, 4, 30, 22, 30)
    ask = Ask(zone, start, start + SLOT, start, recorded(name))
    assert CarbonIntensityFeed(BASE).fetch(ask).series["carbon"].values.tolist() == [intensity]


def test_the_recorded_week_of_the_national_mix_has_every_slot(recorded):
    start, end = utc(2019, 4, 1), utc(2019, 4, 7, 23, 30)
    fetched = CarbonMixFeed(BASE).fetch(Ask("GB", start, end, utc(2019, 5, 1), recorded("raw_with_dates.json.gz")))
    assert fetched.findings == ()
    assert len(fetched.series["share_wind"]) == 7 * SLOTS_PER_DAY - 1
    assert fetched.series["share_wind"].values[:2].tolist() == [23.5, 22.6]


def test_the_recorded_present_mix_is_one_object_and_read_as_one_row(recorded):
    start = utc(2021, 4, 30, 21, 30)
    ask = Ask("GB", start, start + SLOT, utc(2021, 4, 30, 22, 17), recorded("get_mix.json"))
    series = CarbonMixFeed(BASE).fetch(ask).series
    assert (series["share_gas"].values[0], series["share_solar"].values[0]) == (58.6, 0)


@pytest.mark.parametrize("name", ["get_mix.json", "get_factors.json", "get_stats_block.json", "raw_with_dates.json.gz"])
def test_recorded_answers_of_other_endpoints_never_become_intensities(recorded, name):
    start = utc(2021, 4, 30, 21, 30)
    with pytest.raises(FeedInvalid):
        CarbonIntensityFeed(BASE).fetch(Ask("GB", start, start + SLOT, start, recorded(name)))


def test_a_recorded_answer_of_years_ago_is_no_answer_about_now(recorded):
    now = utc(2026, 11, 20, 12)
    with pytest.raises(FeedInvalid, match="no figures"):
        CarbonIntensityFeed(BASE).fetch(Ask("GB", now, now + SLOT, now, recorded("gb_with_dates.json")))


def test_half_of_a_recorded_range_leaves_a_gap_that_is_noted(recorded):
    ask = Ask("GB", utc(2020, 1, 1), utc(2020, 1, 4), utc(2020, 1, 5), recorded("gb_with_dates.json"))
    fetched = CarbonIntensityFeed(BASE).fetch(ask)
    assert [(each.flag, each.end) for each in fetched.findings] == [(Flag.GAP, utc(2020, 1, 4))]
    assert fetched.series["carbon"].end == utc(2020, 1, 2, 23, 30)
