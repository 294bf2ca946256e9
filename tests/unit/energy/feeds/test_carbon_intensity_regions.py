from __future__ import annotations

import json

import pytest

from agents.energy.client import Refused
from agents.energy.feeds.carbon_regions import REGION_IDS, outward_code, region_of_postcode
from agents.energy.zones import REGIONS
from core.errors import FeedInvalid, FeedUnreachable, InputError, NotFound
from core.vintage import RawAnswer

BASE = "https://carbon.test"
WELL = {"data": [{"regionid": 13, "dnoregion": "UKPN London", "shortname": "London", "data": []}]}


def api(about_postcode, about_others=WELL):
    """Answers of the postcode and of another region; an exception is raised."""
    asked = []

    def get(url, parameters=None, *, authorise=None):
        asked.append(url)
        told = about_postcode if "/postcode/" in url else about_others
        if isinstance(told, Exception):
            raise told
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        return RawAnswer.of(url, "application/json", body)

    get.asked = asked
    return get


def region(number, operator, short="?"):
    return {"data": [{"regionid": number, "dnoregion": operator, "shortname": short, "postcode": "EN2", "data": []}]}


@pytest.mark.parametrize(
    ("postcode", "outward"),
    [
        ("SW1A 1AA", "SW1A"),
        ("sw1a1aa", "SW1A"),
        ("EN2", "EN2"),
        (" m1 1ae ", "M1"),
        ("B33 8TH", "B33"),
        ("EC1A", "EC1A"),
    ],
)
def test_the_inward_half_of_a_postcode_is_never_sent(postcode, outward):
    assert outward_code(postcode) == outward
    get = api(region(10, "UKPN East"))
    region_of_postcode(get, BASE + "/", postcode)
    assert get.asked == [f"{BASE}/regional/postcode/{outward}"]


@pytest.mark.parametrize("text", ["", "London", "12345", "SW1A/../1", "EN2?x=1", "EN2 99"])
def test_what_is_no_postcode_is_not_asked_for(text):
    get = api(WELL)
    with pytest.raises(InputError, match="not a postcode"):
        region_of_postcode(get, BASE, text)
    assert get.asked == []


def test_the_operators_name_is_trusted_and_the_region_number_beside_it_is_not():
    assert region_of_postcode(api(region(9, "UKPN East", "East England")), BASE, "EN2") is REGIONS["GB-A"]
    assert region_of_postcode(api(region(11, "WPD South West")), BASE, "BS16") is REGIONS["GB-L"]


@pytest.mark.parametrize("name", ["North Wales & Merseyside", "North Wales and Merseyside", "north wales  &merseyside"])
def test_an_operator_with_another_name_is_told_by_its_region(name):
    assert region_of_postcode(api({"data": region(6, "Newco", name)["data"][0]}), BASE, "CH1") is REGIONS["GB-D"]


def test_a_region_that_is_none_of_the_14_is_refused():
    with pytest.raises(FeedInvalid, match="'England' is none of the 14"):
        region_of_postcode(api(region(15, "England", "England")), BASE, "EN2")


@pytest.mark.parametrize("nothing", [{}, {"data": []}, b"", b" "])
def test_an_empty_answer_is_an_unknown_postcode_only_where_other_regions_are_answered(nothing):
    with pytest.raises(NotFound, match="knows no postcode ZZ99"):
        region_of_postcode(api(nothing), BASE, "ZZ99")
    with pytest.raises(FeedInvalid, match="as for every other region"):
        region_of_postcode(api(nothing, nothing), BASE, "ZZ99")
    with pytest.raises(FeedUnreachable):
        region_of_postcode(api(nothing, FeedUnreachable("down")), BASE, "ZZ99")


def test_a_refused_postcode_is_unknown_and_an_outage_is_an_outage():
    with pytest.raises(NotFound, match="knows no postcode ZZ99"):
        region_of_postcode(api(Refused("400 Bad Request", 400)), BASE, "ZZ99")
    with pytest.raises(FeedUnreachable):
        region_of_postcode(api(FeedUnreachable("500")), BASE, "ZZ99")
    with pytest.raises(Refused):
        region_of_postcode(api(Refused("403 Forbidden", 403)), BASE, "ZZ99")


@pytest.mark.shared
def test_every_recorded_region_is_known_by_both_its_names(shared_data):
    body = (shared_data / "responses" / "carbonintensity" / "nat_no_dates.json").read_bytes()
    recorded = json.loads(body)["data"][0]["regions"]
    assert {row["regionid"] for row in recorded} == set(REGION_IDS.values())
    for row in recorded[:14]:
        by_operator = region_of_postcode(api({"data": [{"dnoregion": row["dnoregion"]}]}), BASE, "AB1")
        by_name = region_of_postcode(api({"data": [{"shortname": row["shortname"]}]}), BASE, "AB1")
        assert by_operator is by_name
        assert by_name.carbon_region_id == row["regionid"]


@pytest.mark.shared
def test_the_recorded_answer_about_enfield_with_its_wrong_number_is_eastern_england(shared_data):
    body = (shared_data / "responses" / "carbonintensity" / "pc_no_dates.json").read_bytes()
    assert region_of_postcode(api(body), BASE, "EN2 6DS") is REGIONS["GB-A"]
