from __future__ import annotations

import pytest
import responses

from agents.energy.build import build_energy, enabled_zones
from core.clock import ManualClock
from core.errors import InputError
from core.series import Kind
from core.settings import Settings
from core.slots import SLOT
from tests.unit.energy.fakes import MemoryVintages, carbon_row, rate, utc
from tests.unit.energy.recordings import write_folder

NOW = utc(2025, 11, 20, 12, 10)
PRESENT = utc(2025, 11, 20, 12)
AGILE = "https://octopus.test/v1/products/AGILE-24-10-01/electricity-tariffs/E-1R-AGILE-24-10-01-C/standard-unit-rates/"


def settings_of(**changes):
    return Settings(
        _env_file=None, carbon_intensity_url="https://carbon.test", octopus_url="https://octopus.test/v1", **changes
    )


def built(zones=("GB-C",), **changes):
    return build_energy(settings_of(**changes), ManualClock(NOW), MemoryVintages(), zones)


@responses.activate
def test_auto_asks_both_feeds_of_a_region_and_quotes_their_figures():
    ahead = [carbon_row(PRESENT + SLOT * i, 80) for i in range(96)]
    shaped = {"data": {"regionid": 13, "data": ahead}}
    regional = "https://carbon.test/regional/intensity"
    responses.get(f"{regional}/2025-11-13T12:00Z/2025-11-20T12:00Z/regionid/13", json={})
    responses.get(f"{regional}/2025-11-20T12:00Z/fw48h/regionid/13", json=shaped)
    rates = [rate(PRESENT + SLOT * i, 20) for i in range(22)][::-1]
    responses.get(AGILE, json={"count": 22, "next": None, "results": rates})
    agent = built()
    assert {status.state for status in agent.refresh()} == {"live"}
    quote = agent.quote(("GB-C",), NOW, 20)
    assert set(quote.price["GB-C"].values) == {0.21}
    assert set(quote.carbon["GB-C"].values) == {80}
    assert quote.notices == ()
    assert len(agent.attributions()) == 2


@responses.activate
def test_auto_without_a_network_is_simulated_and_says_why():
    agent = built(("GB-C", "GB-J", "IS"))
    agent.refresh()
    quote = agent.quote(agent.zones(), NOW, 336)
    assert quote.carbon["GB-C"].kinds_used() == (Kind.SIMULATED,)
    assert {(notice.feed, notice.state) for notice in quote.notices} == {
        ("octopus-agile", "simulated"),
        ("carbon-intensity", "simulated"),
        ("simulated", "simulated"),
    }


@responses.activate
def test_live_without_a_network_has_no_figures_for_gb():
    agent = built(("GB-C",), signals="live")
    agent.refresh()
    assert agent.quote(("GB-C",), NOW, 4).carbon["GB-C"].kinds_used() == (Kind.MISSING,)


def test_simulated_signals_build_without_feeds():
    assert {status.state for status in built(signals="simulated").refresh()} == {"simulated"}


def test_replay_builds_from_its_folder_and_names_a_folder_that_is_not_one(tmp_path):
    folder = write_folder(tmp_path, utc(2023, 3, 1), 3)
    agent = built(("GB-C", "IS"), signals=f"replay:{folder}")
    assert {status.state for status in agent.refresh()} == {"replayed", "simulated"}
    with pytest.raises(InputError, match="nowhere"):
        built(signals=f"replay:{tmp_path / 'nowhere'}")


def test_enabled_regions_restrict_the_zones():
    assert enabled_zones(settings_of(), ("IS", "GB-C", "IS")) == ("IS", "GB-C")
    assert enabled_zones(settings_of(enabled_regions="GB-C,GB-J"), ("IS", "GB-C")) == ("GB-C",)


def test_an_unknown_enabled_region_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="ENABLED_REGIONS names unknown grid zone 'FR'") as raised:
        built(enabled_regions="GB-C,FR")
    assert "NO-NO2" in raised.value.diagnostics()
