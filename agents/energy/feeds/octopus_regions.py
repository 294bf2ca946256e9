"""The electricity region of a postcode, as Octopus knows it.

The first digits of a meter's number name a region too, but not on independent networks, so they are not used.
"""

from __future__ import annotations

from agents.energy.client import Refused
from agents.energy.feed import Get
from agents.energy.feeds.carbon_regions import outward_code
from agents.energy.feeds.octopus_api import paged
from agents.energy.zones import GB, REGIONS, GbRegion
from core.errors import FeedInvalid, NotFound

_BAD_REQUEST = 400


def region_of_postcode(get: Get, base_url: str, postcode: str) -> tuple[GbRegion, ...]:
    """The regions that a postcode lies in, as a rule one; some lie across a border and have several.

    :raises InputError: it is not a postcode.
    :raises NotFound: Octopus knows no such postcode.
    :raises FeedUnreachable: Octopus does not answer.
    :raises FeedInvalid: its answer is not what it documents.
    """
    outward_code(postcode)
    text = "".join(postcode.upper().split())
    where = f"Octopus, postcode {text}:"
    try:
        pages = paged(get, f"{base_url.rstrip('/')}/industry/grid-supply-points/", {"postcode": text}, 1, where)
        groups = [row.get("group_id") for page in pages for row in page]
    except Refused as error:
        if error.status != _BAD_REQUEST:
            raise
        groups = []
    if not groups:
        raise NotFound(f"Octopus knows no postcode {text}", remedy="Check it, or choose the region by its name.")
    return tuple(dict.fromkeys(_region(group, where) for group in groups))


def _region(group: object, where: str) -> GbRegion:
    zone = f"{GB}-{group[1:]}" if isinstance(group, str) and group.startswith("_") else ""
    if zone not in REGIONS:
        raise FeedInvalid(f"{where} grid supply point group {group!r} is none of the 14.")
    return REGIONS[zone]
