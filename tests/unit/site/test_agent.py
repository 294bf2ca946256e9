"""The site agent: its quotes, and what it lets be registered."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from agents.site.agent import SiteAgent
from agents.site.profiles import load_sites
from core.clock import ManualClock
from core.errors import Conflict, InputError, NotFound
from core.site import Asset
from tests.unit.site.fakes import FakeSites

NOW = datetime(2023, 7, 10, 9, 17, tzinfo=UTC)
START = datetime(2023, 7, 10, 9, 30, tzinfo=UTC)
SITES = {site.site_id: site for site in load_sites()}


def make_agent(zones: frozenset[str] | None = None) -> SiteAgent:
    repository: Any = FakeSites(dict(SITES))
    return SiteAgent(ManualClock(NOW), repository, 1, zones)


def test_a_quote_covers_all_sites_and_slots() -> None:
    quote = make_agent().quote(START, 96)
    assert quote.site_ids == tuple(SITES)
    assert quote.zones[0] == "IS"
    assert (quote.start, quote.issued_at) == (START, NOW)
    for figures in (quote.headroom_kw, quote.own_load_kw, quote.pue, quote.temperature_c):
        assert figures.shape == (13, 96)
        assert np.isfinite(figures).all()
    assert quote.headroom_kw.min() >= 0
    assert quote.pue.min() >= 1


def test_headroom_and_own_load_add_up_to_the_capacity() -> None:
    quote = make_agent().quote(START, 336)
    capacity = np.array([[site.capacity_kw] for site in SITES.values()])
    assert quote.headroom_kw + quote.own_load_kw == pytest.approx(np.broadcast_to(capacity, (13, 336)))


def test_a_quote_is_fast() -> None:
    agent = make_agent()
    agent.quote(START, 336)
    fastest = 1.0
    for _ in range(5):
        began = time.process_time()
        agent.quote(START, 336)
        fastest = min(fastest, time.process_time() - began)
    assert fastest < 0.02


def test_a_changed_site_shows_in_the_next_quote() -> None:
    agent = make_agent()
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


def test_a_start_in_another_offset_is_the_same_instant() -> None:
    from datetime import timezone

    local = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert make_agent().quote(local, 2).start == START


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
