"""The site agent: its quotes, and what it lets be registered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from agents.messages import WeatherQuote
from agents.site.agent import SiteAgent
from agents.site.own_load import simulated_load_kw
from agents.site.profiles import load_sites
from core.clock import ManualClock
from core.errors import Conflict, InputError, NotFound
from core.series import Kind, Series, Unit
from core.site import Asset
from core.slots import SLOT
from tests.pace import paced_s
from tests.unit.site.fakes import FakeSites

NOW = datetime(2023, 7, 10, 9, 17, tzinfo=UTC)
START = datetime(2023, 7, 10, 9, 30, tzinfo=UTC)
SITES = {site.site_id: site for site in load_sites()}


def make_agent(zones: frozenset[str] | None = None, site_ids: Sequence[str] = tuple(SITES)) -> SiteAgent:
    repository: Any = FakeSites({site_id: SITES[site_id] for site_id in site_ids})
    return SiteAgent(ManualClock(NOW), repository, 1, zones)


@pytest.fixture(scope="module")
def agent() -> SiteAgent:
    """Speaks for the 13 built-in sites, their models fitted once for the tests that only ask."""
    return make_agent()


def test_a_quote_covers_all_sites_and_slots(agent: SiteAgent) -> None:
    quote = agent.quote(START, 96)
    assert quote.site_ids == tuple(SITES)
    assert quote.zones[0] == "IS"
    assert (quote.start, quote.issued_at) == (START, NOW)
    figures = (quote.headroom_kw, quote.own_load_kw, quote.own_load_low_kw, quote.own_load_high_kw)
    for each in (*figures, quote.pue, quote.temperature_c, quote.own_load_kind, quote.temperature_kind):
        assert each.shape == (13, 96)
        assert np.isfinite(each).all()
    assert quote.headroom_kw.min() >= 0
    assert quote.pue.min() >= 1


def test_headroom_leaves_room_for_the_upper_end_of_the_own_load(agent: SiteAgent) -> None:
    quote = agent.quote(START - SLOT, 96)
    capacity = np.broadcast_to([[site.capacity_kw] for site in SITES.values()], (13, 96))
    assert quote.headroom_kw + quote.own_load_high_kw == pytest.approx(capacity)
    assert np.array_equal(quote.own_load_high_kw[:, 0], quote.own_load_kw[:, 0])
    assert (quote.own_load_high_kw[:, 1:] > quote.own_load_kw[:, 1:]).all()
    assert (quote.own_load_low_kw[:, 1:] < quote.own_load_kw[:, 1:]).all()


def test_promised_headroom_is_there_nineteen_times_in_twenty(agent: SiteAgent) -> None:
    quote = agent.quote(START, 336)
    capacity = np.array([[site.capacity_kw] for site in SITES.values()])
    free_kw = capacity - simulated_load_kw(tuple(SITES.values()), 1, START, 336)
    assert 0.9 < np.mean(free_kw >= quote.headroom_kw) < 0.99


def test_a_quote_is_fast(agent: SiteAgent) -> None:
    for start, slots, most_s in ((START, 336, 0.02), (START - SLOT, 1, 0.01)):
        agent.quote(start, slots)
        assert paced_s(lambda start=start, slots=slots: agent.quote(start, slots)) < most_s


def test_known_weather_is_used_and_the_rest_says_that_it_is_simulated(agent: SiteAgent) -> None:
    hot = Series.of(START, [44.0, 45.0], Kind.FORECAST, Unit.CELSIUS, "a feed", NOW)
    weather = WeatherQuote(temperature={"london": hot}, humidity={})
    row = list(SITES).index("london")
    plain, quote = agent.quote(START, 3), agent.quote(START, 3, weather)
    assert quote.temperature_c[row].tolist() == [44.0, 45.0, plain.temperature_c[row, 2]]
    assert quote.temperature_kind[row].tolist() == [Kind.FORECAST, Kind.FORECAST, Kind.SIMULATED]
    assert (quote.pue[row, :2] > plain.pue[row, :2] + 0.05).all()
    assert quote.pue[row, 2] == plain.pue[row, 2]
    assert (np.delete(quote.temperature_kind, row, axis=0) == Kind.SIMULATED).all()


def test_demand_for_inference_and_the_scores_of_its_forecast_are_told(agent: SiteAgent) -> None:
    demand = agent.inference_demand(START, 48)
    assert set(demand) == {site.timezone for site in SITES.values()}
    assert all(len(series) == 48 and series.values.min() > 0 for series in demand.values())
    assert {score.zone for score in agent.load_scores()} == set(SITES)
    with pytest.raises(InputError):
        agent.inference_demand(NOW, 48)


def test_a_changed_site_shows_in_the_next_quote() -> None:
    agent = make_agent(site_ids=["iceland"])
    before = agent.quote(START, 1).headroom_kw[0, 0]
    agent.change(SITES["iceland"].model_copy(update={"capacity_kw": 1600.0}))
    assert agent.quote(START, 1).headroom_kw[0, 0] == pytest.approx(before + 100)


def test_no_sites_give_an_empty_quote() -> None:
    repository: Any = FakeSites()
    quote = SiteAgent(ManualClock(NOW), repository, 1).quote(START, 4)
    assert quote.headroom_kw.shape == quote.pue.shape == (0, 4)


@pytest.mark.parametrize(("start", "slots", "field"), [(NOW, 4, "start"), (START, 0, "slots")])
def test_a_quote_needs_a_slot_start_and_slots(start: datetime, slots: int, field: str) -> None:
    with pytest.raises(InputError) as caught:
        make_agent().quote(start, slots)
    assert caught.value.field == field


def test_a_start_in_another_offset_is_the_same_instant(agent: SiteAgent) -> None:
    from datetime import timezone

    local = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert agent.quote(local, 2).start == START


def test_a_site_is_registered_once() -> None:
    agent = make_agent()
    fresh = SITES["london"].model_copy(update={"site_id": "leeds", "zone": "GB-M"})
    assert agent.register(fresh) == agent.get("leeds") == fresh
    with pytest.raises(Conflict):
        agent.register(fresh)


def test_an_unknown_site_cannot_be_changed() -> None:
    with pytest.raises(NotFound):
        make_agent().change(SITES["london"].model_copy(update={"site_id": "leeds"}))


def test_a_site_in_a_zone_without_figures_is_refused() -> None:
    agent = make_agent(zones=frozenset({"GB-C", "IS"}))
    with pytest.raises(InputError, match="'MARS'") as caught:
        agent.register(SITES["london"].model_copy(update={"site_id": "mars", "zone": "MARS"}))
    assert (caught.value.field, caught.value.remedy) == ("zone", "Use one of GB-C, IS.")
    with pytest.raises(InputError, match="'MARS'"):
        agent.change(SITES["london"].model_copy(update={"zone": "MARS"}))


@pytest.mark.parametrize("region", ["london", "GB-C", "GB"])
def test_an_asset_stands_at_a_site_in_a_zone_or_in_a_country(region: str) -> None:
    agent = make_agent()
    asset = Asset(asset_id="cluster", asset_type="gpu_cluster", region=region, max_power_kw=50)
    assert agent.register_asset(asset) == agent.asset("cluster")
    assert agent.assets() == (asset,)
    with pytest.raises(Conflict):
        agent.register_asset(asset)


def test_an_asset_elsewhere_is_refused_with_the_places_there_are() -> None:
    agent = make_agent()
    asset = Asset(asset_id="cluster", asset_type="gpu_cluster", region="london", max_power_kw=50)
    agent.register_asset(asset)
    lost = asset.model_copy(update={"region": "atlantis"})
    for act in (agent.register_asset, agent.change_asset):
        with pytest.raises(InputError, match="'atlantis'") as caught:
            act(lost)
        assert caught.value.field == "region"
        assert "GB-C" in caught.value.remedy
    assert agent.change_asset(asset.model_copy(update={"region": "IS"})).region == "IS"
    with pytest.raises(NotFound):
        agent.change_asset(asset.model_copy(update={"asset_id": "other"}))


def test_a_stored_site_in_a_zone_that_is_not_enabled_takes_no_part() -> None:
    agent = make_agent(frozenset({"GB-C", "IS"}))
    assert {site.zone for site in agent.sites()} == {"GB-C", "IS"}
    assert set(agent.quote(START, 4).zones) == {"GB-C", "IS"}
