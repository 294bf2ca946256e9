from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.settings import FEEDS_WITH_A_URL, Settings


@pytest.mark.parametrize("origin", ["https://example.org", "http://localhost:3000", "https://example.org:8443"])
def test_an_origin_is_a_scheme_and_a_host(origin):
    assert Settings(_env_file=None, allowed_origins=origin).allowed_origins == (origin,)


@pytest.mark.parametrize("origin", ["example.org", "*", "https://example.org/", "ftp://example.org", "https://"])
def test_what_no_browser_sends_as_an_origin_is_refused_with_an_example(origin):
    with pytest.raises(ValidationError, match=r"write it like https://example\.org"):
        Settings(_env_file=None, allowed_origins=f"https://fine.example,{origin}")


@pytest.mark.parametrize("url", ["ftp://feed.example", "feed.example", "https://", "https://bob:secret@feed.example"])
def test_a_base_url_that_is_none_or_carries_a_password_is_refused_without_repeating_it(url):
    with pytest.raises(ValidationError, match="without a user or a password") as raised:
        Settings(_env_file=None, elexon_url=url)
    assert "secret" not in raised.value.errors()[0]["msg"]


def test_every_base_url_is_checked():
    others = {"database_url", "witness_url", "timestamp_url"}
    urls = {name for name in Settings.model_fields if name.endswith("_url")} - others
    trade = {"beckn_url", "beckn_registry_url", "beckn_discovery_url"}
    assert urls == {f"{name}_url" for name in FEEDS_WITH_A_URL} | trade


def test_weights_of_tenants_are_read_part_by_part(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TENANT_WEIGHTS", "acme=3, acme/research=0.5,beta = 2,")
    assert Settings(_env_file=None).tenant_weights == (("acme", 3.0), ("acme/research", 0.5), ("beta", 2.0))


@pytest.mark.parametrize(
    "text", ["acme", "acme=", "acme=0", "acme=-1", "acme=nan", "acme=inf", "=2", "a b=2", "a=1,a=2"]
)
def test_a_weight_that_cannot_be_used_is_named(text: str):
    with pytest.raises(ValidationError, match=r"TENANT=WEIGHT|two weights"):
        Settings(_env_file=None, tenant_weights=text)


def test_an_epoch_of_the_clock_needs_the_instant_it_stood_at():
    with pytest.raises(ValidationError, match="CLOCK_EPOCH needs CLOCK_START"):
        Settings(_env_file=None, signals="simulated", clock_epoch="2026-01-01T00:00:00Z")
