from __future__ import annotations

import json

import pytest

from agents.energy.client import Refused
from agents.energy.feeds.octopus_regions import region_of_postcode
from agents.energy.zones import REGIONS
from core.errors import FeedInvalid, FeedUnreachable, InputError, NotFound
from core.vintage import RawAnswer

BASE = "https://octopus.test/v1/"


def api(told):
    def get(url, parameters=None, *, authorise=None):
        get.asked.append((url, parameters))
        if isinstance(told, Exception):
            raise told
        return RawAnswer.of(url, "application/json", json.dumps(told).encode())

    get.asked = []
    return get


def groups(*names):
    return {"count": len(names), "next": None, "results": [{"group_id": name} for name in names]}


def test_a_postcode_is_asked_for_whole_and_gives_its_region():
    get = api(groups("_C"))
    assert region_of_postcode(get, BASE, "sw1a 1aa") == (REGIONS["GB-C"],)
    assert get.asked == [("https://octopus.test/v1/industry/grid-supply-points/", {"postcode": "SW1A1AA"})]


def test_each_of_the_14_groups_is_known():
    found = [region_of_postcode(api(groups(f"_{region.letter}")), BASE, "AB1")[0] for region in REGIONS.values()]
    assert found == list(REGIONS.values())


def test_a_postcode_across_a_border_has_each_of_its_regions_once():
    assert region_of_postcode(api(groups("_B", "_E", "_B")), BASE, "DE12") == (REGIONS["GB-B"], REGIONS["GB-E"])


@pytest.mark.parametrize("told", [groups(), Refused("400", 400)])
def test_an_unknown_postcode_is_not_found(told):
    with pytest.raises(NotFound, match="knows no postcode ZZ99"):
        region_of_postcode(api(told), BASE, "ZZ99")


def test_an_outage_is_never_a_bad_postcode():
    with pytest.raises(FeedUnreachable):
        region_of_postcode(api(FeedUnreachable("503")), BASE, "SW1A 1AA")
    with pytest.raises(FeedInvalid):
        region_of_postcode(api({}), BASE, "SW1A 1AA")
    with pytest.raises(Refused):
        region_of_postcode(api(Refused("403", 403)), BASE, "SW1A 1AA")


@pytest.mark.parametrize("group", ["_I", "C", "", None, 7, "_AB"])
def test_a_group_that_is_none_of_the_14_is_refused(group):
    with pytest.raises(FeedInvalid, match="none of the 14"):
        region_of_postcode(api(groups(group)), BASE, "SW1A 1AA")


def test_what_is_no_postcode_is_not_asked_for():
    get = api(groups("_C"))
    with pytest.raises(InputError):
        region_of_postcode(get, BASE, "London")
    assert get.asked == []


@pytest.mark.shared
def test_the_sample_answer_is_read(shared_data):
    told = json.loads((shared_data / "responses" / "octopus_synthetic" / "grid_supply_points.json").read_bytes())
    assert region_of_postcode(api(told), BASE, "NG1") == (REGIONS["GB-B"],)
