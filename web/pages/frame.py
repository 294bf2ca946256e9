"""What stands around every page: the notices on the feeds, the present time, the version; and live parts of a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import Response, make_response, render_template, request, url_for

from agents.messages import Notice
from web.access import known_visitor, may_ask
from web.services import Services

NAVIGATION = (
    ("home.show", "Home"),
    ("submit.form", "Submit"),
    ("jobs.index", "Jobs"),
    ("dashboard.show", "Dashboard"),
    ("signals.show", "Signals"),
    ("sites.index", "Sites"),
    ("slots.index", "Free slots"),
    ("trade.index", "Trade"),
    ("shares.index", "Shares"),
    ("audit.index", "Audit"),
)


HEADINGS = {
    "stale": "Stale figures",
    "simulated": "Simulated figures",
    "replayed": "Replayed figures",
    "never": "No figures",
}
MOST_ZONES = 3
"""More of them are counted, not named."""
MOST_FEEDS = 2
"""Of more feeds the notice tells only once it is opened."""
_PLAYED = frozenset({"simulated", "replay"})
"""Names under which no feed is asked."""


@dataclass(frozen=True, slots=True)
class Banner:
    """Feeds in one state, joined for the banner: a heading, what it is about, since when, and every notice."""

    heading: str
    about: str
    since: datetime
    notices: tuple[Notice, ...]


def banners(notices: Iterable[Notice], titles: Mapping[str, str]) -> list[Banner]:
    """Notices by state, the earliest instant of each; ``titles`` are those of the feeds by name."""
    found: dict[str, list[Notice]] = {}
    for notice in notices:
        found.setdefault(notice.state, []).append(notice)
    return [
        Banner(
            heading=HEADINGS[state],
            about=about(group, titles),
            since=min(notice.since for notice in group),
            notices=tuple(replace(each, feed=titles.get(each.feed, each.feed)) for each in group),
        )
        for state, group in sorted(found.items())
    ]


def about(group: Sequence[Notice], titles: Mapping[str, str]) -> str:
    """Which feed for which of its zones, such as ``from Octopus Agile for GB-C and GB-G``; many are counted."""
    zones_of: dict[str, dict[str, None]] = {}
    for notice in group:
        zones_of.setdefault(notice.feed, {}).update(dict.fromkeys(notice.zones))
    state = group[0].state
    if len(zones_of) > MOST_FEEDS:
        asked = sum(feed not in _PLAYED for feed in zones_of)
        zones = tuple(dict.fromkeys(zone for of_feed in zones_of.values() for zone in of_feed))
        return f"for {_zones(zones)}, {'in place of' if state == 'simulated' else 'from'} {asked} feeds,"
    return "; ".join(
        f"for {_zones(tuple(zones))}"
        if feed in _PLAYED
        else f"{'in place of' if state == 'simulated' else 'from'} {titles.get(feed, feed)} for {_zones(tuple(zones))}"
        for feed, zones in zones_of.items()
    )


def _zones(zones: tuple[str, ...]) -> str:
    if len(zones) > MOST_ZONES:
        return f"{len(zones)} grid zones"
    return " and ".join([", ".join(zones[:-1]), zones[-1]] if len(zones) > 1 else zones)


def frame(services: Services) -> dict[str, Any]:
    """Variables of ``base.html``."""
    energy = services.energy
    return {
        "navigation": [(endpoint, label) for endpoint, label in NAVIGATION if _may_see(endpoint)],
        "banners": banners(energy.notices(), {each.name: each.title for each in energy.declarations()}),
        "attributions": energy.attributions(),
        "now": services.clock.now(),
        "version": services.version,
    }


def _may_see(endpoint: str) -> bool:
    """Whether the visitor, where one is known, may open a page."""
    visitor = known_visitor()
    return visitor is None or may_ask(visitor, "GET", url_for(endpoint))


def is_fragment_request() -> bool:
    """True when htmx asks for the live part of a page only."""
    return request.headers.get("HX-Request") == "true"


def live(page: str, part: str, **variables: Any) -> Response:
    """The whole ``page``, or its ``part`` alone where htmx asks; never mixed up by a cache."""
    response = make_response(render_template(part if is_fragment_request() else page, **variables))
    response.headers["Vary"] = "HX-Request"
    response.headers["Cache-Control"] = "no-store"
    return response
