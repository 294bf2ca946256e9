from __future__ import annotations

import socket

import pytest

from agents.energy.build import FEEDS, build_energy, enabled_zones, live_feeds, subjects
from agents.energy.zones import ZONES
from core.clock import ManualClock
from core.errors import InputError
from core.series import Kind
from core.settings import FEEDS_WITH_A_URL, Settings
from core.vintage import UNITS
from tests.unit.energy.fakes import MemoryStore, utc
from tests.unit.energy.recordings import write_folder

NOW = utc(2025, 11, 20, 12, 10)


def unused_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def settings_of(**changes):
    """Settings of which every base URL leads to a port where nobody listens."""
    nowhere = f"http://127.0.0.1:{unused_port()}"
    urls = {f"{name}_url": nowhere for name in FEEDS_WITH_A_URL}
    return Settings(_env_file=None, **urls, **changes)


class Scores:
    def add(self, scores):
        pass


def built(zones=("GB-C",), **changes):
    return build_energy(settings_of(**changes), ManualClock(NOW), MemoryStore(), Scores(), zones)


def test_every_feed_declares_itself_whole_and_under_a_name_of_its_own():
    declarations = [feed.declaration for feed in live_feeds(settings_of())]
    assert len({declaration.name for declaration in declarations}) == len(declarations) >= len(FEEDS)
    for declaration in declarations:
        for told in ("title", "licence", "attribution", "units", "host", "done"):
            assert getattr(declaration, told), f"{declaration.name} does not tell its {told}"
        assert declaration.home.startswith("https://"), declaration.name
        assert declaration.quantities, declaration.name
        assert set(declaration.quantities) <= set(UNITS), declaration.name
        assert declaration.limits.requests > 0, declaration.name


def test_feeds_that_want_a_key_are_not_ready_without_it():
    locked = {feed.declaration.key_setting for feed in live_feeds(settings_of()) if not feed.declaration.ready}
    assert locked == {"ELECTRICITY_MAPS_KEY", "ENTSOE_KEY", "WATTTIME_USERNAME"}
    keys = {"electricity_maps_key": "k", "entsoe_key": "k", "watttime_username": "u", "watttime_password": "p"}
    assert all(feed.declaration.ready for feed in live_feeds(settings_of(**keys)))


def test_every_base_url_is_a_setting():
    hosts = {feed.declaration.host for feed in live_feeds(settings_of())}
    assert all(host.startswith("127.0.0.1:") for host in hosts)


def test_every_zone_is_forecast_in_its_own_clock():
    for zone in ZONES:
        assert {subject.quantity for subject in subjects(zone)} == {"price", "carbon"}
    assert {subject.timezone for subject in subjects("GB-C")} == {"Europe/London"}
    assert subjects("SG")[0].timezone == "Asia/Singapore"


def test_auto_without_a_network_is_simulated_and_says_why():
    agent = built(("GB-C", "GB-J", "IS"))
    agent.refresh()
    quote = agent.quote(agent.zones(), NOW, 336)
    assert quote.carbon["GB-C"].kinds_used() == (Kind.SIMULATED,)
    found = {(notice.feed, notice.state): notice for notice in quote.notices}
    assert ("octopus-agile", "simulated") in found
    assert ("simulated", "simulated") in found
    assert "cannot be reached" in found["octopus-agile", "simulated"].detail


def test_live_without_a_network_has_no_figures_for_gb():
    agent = built(("GB-C",), signals="live")
    agent.refresh()
    assert agent.quote(("GB-C",), NOW, 4).carbon["GB-C"].kinds_used() == (Kind.MISSING,)


def test_simulated_signals_build_without_feeds():
    agent = built(signals="simulated")
    assert {status.state for status in agent.refresh()} == {"simulated"}
    assert agent.declarations() == ()


def test_replay_builds_from_its_folder_and_names_a_folder_that_is_not_one(tmp_path):
    folder = write_folder(tmp_path, utc(2023, 3, 1), 3)
    agent = built(("GB-C", "IS"), signals=f"replay:{folder}")
    assert {status.state for status in agent.refresh()} == {"replayed", "simulated"}
    with pytest.raises(InputError, match="nowhere"):
        built(signals=f"replay:{tmp_path / 'nowhere'}")


def test_enabled_regions_restrict_the_zones():
    assert enabled_zones(settings_of(), ("IS", "GB-C", "IS")) == ("IS", "GB-C")
    assert enabled_zones(settings_of(enabled_regions="GB-C,GB-J"), ("IS", "GB-C")) == ("GB-C",)


@pytest.mark.parametrize("field", ["enabled_regions", "default_region"])
def test_an_unknown_region_in_a_setting_is_refused_with_those_there_are(field):
    with pytest.raises(InputError, match=f"{field.upper()} names unknown grid zone 'XX'") as raised:
        built(**{field: "XX"})
    assert "NO-NO2" in raised.value.diagnostics()


def test_a_file_without_authorities_is_refused_at_the_start(tmp_path):
    empty = tmp_path / "none.pem"
    empty.write_text("no certificate\n")
    with pytest.raises(InputError, match="holds no certificate authorities") as raised:
        built(ca_bundle=empty)
    assert "CA_BUNDLE" in raised.value.diagnostics()
