"""Site profiles: the built-in file, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.site.profiles import load_sites
from core.errors import InputError
from core.site import CoolingType, Hardware

GOOD = """
[[site]]
site_id = "here"
name = "Here"
country = "GB"
latitude = 51.5
longitude = 0.0
timezone = "Europe/London"
zone = "GB-C"
capacity_kw = 1000
own_load_kw = 300
cooling = "chiller"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sites.toml"
    path.write_text(text)
    return path


def test_thirteen_sites_are_built_in_three_of_them_in_different_gb_regions() -> None:
    sites = load_sites()
    assert len({site.site_id for site in sites}) == 13
    assert sorted(site.zone for site in sites if site.country == "GB") == ["GB-C", "GB-G", "GB-N"]
    assert {site.zone for site in sites if site.country != "GB"} == {
        "IS", "NO-NO2", "CA-ON", "IE", "DE-LU", "CL-SIC", "JP-TK", "AU-NSW", "US-TEX-ERCO", "SG",
    }  # fmt: skip


def test_the_built_in_fleet_adds_up_and_uses_every_cooling_type() -> None:
    sites = load_sites()
    totals = {unit: sum(getattr(site.hardware, unit) for site in sites) for unit in Hardware.model_fields}
    assert totals == {
        "gpu": 590, "asic_inference": 193, "miner_air": 500, "miner_hydro": 200, "miner_immersion": 100,
    }  # fmt: skip
    assert {site.cooling for site in sites} == set(CoolingType)
    assert all(500 <= site.capacity_kw <= 2000 for site in sites)


def test_water_and_bath_cooled_miners_stand_where_the_cooling_suits_them() -> None:
    for site in load_sites():
        assert not site.hardware.miner_hydro or site.cooling is CoolingType.HYDRO
        assert not site.hardware.miner_immersion or site.cooling is CoolingType.IMMERSION


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    assert [site.site_id for site in load_sites(write(tmp_path, GOOD))] == ["here"]


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        (GOOD.replace("1000", "-5"), "capacity_kw", "site here: capacity_kw: Input should be greater than 0"),
        (GOOD.replace("Europe/London", "Europe/Atlantis"), "timezone", "unknown time zone 'Europe/Atlantis'"),
        (GOOD.replace("300", "3000"), "site", "own load peaks at 3600.0 kW"),
        (GOOD.replace('"chiller"', '"fridge"'), "cooling", "site here: cooling"),
        (GOOD.replace('site_id = "here"\n', ""), "site_id", "site number 1: site_id: Field required"),
        (GOOD + "colour = 'red'\n", "colour", "Extra inputs are not permitted"),
        (GOOD + GOOD, "site_id", "'here' is used twice"),
        (GOOD.replace("[[site]]", "[site]"), "site", "no [[site]] table found"),
        ("", "site", "no [[site]] table found"),
        ("title = 'x'" + GOOD, "title", "title: is not known here"),
        ("[[site", "SITES_FILE", "is not TOML"),
    ],
)
def test_a_wrong_file_names_itself_the_field_and_the_remedy(
    tmp_path: Path, text: str, field: str, message: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_sites(path)
    assert caught.value.field == field
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.remedy != InputError.remedy


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SITES_FILE: cannot be read") as caught:
        load_sites(tmp_path / "none.toml")
    assert "none.toml" in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sites.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not TOML"):
        load_sites(tmp_path / "sites.toml")
