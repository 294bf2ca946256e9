from __future__ import annotations

import pytest

from agents.energy.climate import CLIMATES
from agents.energy.zones import REGIONS, ZONES, is_gb, price_region, require_known
from core.errors import NotFound


def test_the_14_regions_join_each_letter_to_one_carbon_region():
    assert "".join(region.letter for region in REGIONS.values()) == "ABCDEFGHJKLMNP"
    assert sorted(region.carbon_region_id for region in REGIONS.values()) == list(range(1, 15))
    assert REGIONS["GB-C"].carbon_region_id == 13
    assert REGIONS["GB-P"].carbon_region_id == 1


def test_every_zone_has_a_climate_and_no_climate_is_without_a_zone():
    assert set(CLIMATES) == set(ZONES)


def test_the_national_zone_pays_londons_price():
    assert price_region("GB").letter == "C"
    assert price_region("GB-J").letter == "J"
    assert is_gb("GB")
    assert not is_gb("DE-LU")


def test_an_unknown_zone_is_refused_with_those_there_are():
    with pytest.raises(NotFound, match="'FR'") as raised:
        require_known("FR")
    assert "DE-LU" in raised.value.diagnostics()
