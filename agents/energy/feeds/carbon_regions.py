"""The 18 regions of the Carbon Intensity API, and finding one by postcode.

The region number in answers about a postcode was one too low for a year and more, so a region is told by the network
operator's name beside it. No answer is no proof of a bad postcode: in an outage every postcode gets one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from agents.energy.client import Refused
from agents.energy.feed import Get
from agents.energy.reading import json_of, mapping
from agents.energy.zones import GB, REGIONS, GbRegion
from core.errors import FeedInvalid, InputError, NotFound
from core.vintage import RawAnswer

REGION_IDS: Mapping[str, int] = MappingProxyType(
    {zone: region.carbon_region_id for zone, region in REGIONS.items()}
    | {"GB-ENG": 15, "GB-SCT": 16, "GB-WLS": 17, GB: 18}
)
"""Region number by zone: the 14 network regions, the three nations, and all of Great Britain."""

_NAMES = {
    1: ("scottish hydro electric power distribution", "north scotland"),
    2: ("sp distribution", "south scotland"),
    3: ("electricity north west", "north west england"),
    4: ("npg north east", "north east england"),
    5: ("npg yorkshire", "yorkshire"),
    6: ("sp manweb", "north wales and merseyside"),
    7: ("wpd south wales", "south wales"),
    8: ("wpd west midlands", "west midlands"),
    9: ("wpd east midlands", "east midlands"),
    10: ("ukpn east", "east england"),
    11: ("wpd south west", "south west england"),
    12: ("sse south", "south england"),
    13: ("ukpn london", "london"),
    14: ("ukpn south east", "south east england"),
}
"""The network operator and the short name of each region, in lower case with "and" for "&"."""
_BY_ID = {region.carbon_region_id: region for region in REGIONS.values()}
_BY_NAME = {name: _BY_ID[number] for number, names in _NAMES.items() for name in names}
_OUTWARD = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?")
_INWARD = re.compile(r"[0-9][A-Z]{2}")
_PROBE = "/regional/regionid/13"
_BAD_REQUEST = 400


def outward_code(postcode: str) -> str:
    """The part of a postcode that the API knows: ``SW1A`` of "sw1a 1aa"; :class:`InputError` for anything else."""
    text = "".join(postcode.upper().split())
    outward = text[:-3] if len(text) > 4 and _INWARD.fullmatch(text[-3:]) else text
    if not _OUTWARD.fullmatch(outward):
        raise InputError(
            f"{postcode!r} is not a postcode",
            field="postcode",
            value=postcode,
            remedy="Give a postcode such as SW1A 1AA, or its first half.",
        )
    return outward


def region_of_postcode(get: Get, base_url: str, postcode: str) -> GbRegion:
    """The region of a postcode, of which only the outward code is sent.

    :raises InputError: it is not a postcode.
    :raises NotFound: the API knows no such postcode, and answers about others.
    :raises FeedUnreachable: the API does not answer.
    :raises FeedInvalid: the API has no data at all, or names a region that is none of the 14.
    """
    base, outward = base_url.rstrip("/"), outward_code(postcode)
    where = f"Carbon Intensity API, postcode {outward}:"
    try:
        answer = get(f"{base}/regional/postcode/{outward}")
    except Refused as error:
        if error.status != _BAD_REQUEST:
            raise
        raise _unknown(outward) from error
    found = _told(answer, where)
    if found is not None:
        return _named(found, where)
    if _told(get(f"{base}{_PROBE}"), f"Carbon Intensity API, {_PROBE}:") is None:
        raise FeedInvalid(f"{where} no data, as for every other region just now.", remedy="Try again later.")
    raise _unknown(outward)


def _unknown(outward: str) -> NotFound:
    return NotFound(
        f"the Carbon Intensity API knows no postcode {outward}", remedy="Check it, or choose the region by its name."
    )


def _told(answer: RawAnswer, where: str) -> Mapping[str, Any] | None:
    """What an answer says of its one region; None where it is empty, ``{}`` or without rows."""
    if not answer.body.strip():
        return None
    data = mapping(json_of(answer, where), where).get("data")
    found = data[0] if isinstance(data, list) and data else data
    return mapping(found, where) if found else None


def _named(found: Mapping[str, Any], where: str) -> GbRegion:
    for key in ("dnoregion", "shortname"):
        name = " ".join(str(found.get(key)).lower().replace("&", " and ").split())
        if name in _BY_NAME:
            return _BY_NAME[name]
    raise FeedInvalid(f"{where} region {found.get('dnoregion')!r} is none of the 14.")
