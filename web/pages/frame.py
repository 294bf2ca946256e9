"""What stands around every page: the notices on the feeds, the present time, the version; and live parts of a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, make_response, render_template, request

from agents.messages import Notice
from web.services import Services

NAVIGATION = (
    ("home.show", "Home"),
    ("submit.form", "Submit"),
    ("jobs.index", "Jobs"),
    ("dashboard.show", "Dashboard"),
    ("sites.index", "Sites"),
    ("slots.index", "Free slots"),
    ("audit.index", "Audit"),
)


@dataclass(frozen=True, slots=True)
class Banner:
    """Feeds in one state, joined for the banner; ``feeds`` leaves out one that is named like the state."""

    state: str
    since: datetime
    feeds: tuple[str, ...]
    zones: tuple[str, ...]
    notices: tuple[Notice, ...]


def banners(notices: Iterable[Notice]) -> list[Banner]:
    """Notices by state, the earliest instant of each."""
    found: dict[str, list[Notice]] = {}
    for notice in notices:
        found.setdefault(notice.state, []).append(notice)
    return [
        Banner(
            state=state,
            since=min(notice.since for notice in group),
            feeds=tuple(dict.fromkeys(notice.feed for notice in group if notice.feed != state)),
            zones=tuple(dict.fromkeys(zone for notice in group for zone in notice.zones)),
            notices=tuple(group),
        )
        for state, group in sorted(found.items())
    ]


def frame(services: Services) -> dict[str, Any]:
    """Variables of ``base.html``."""
    return {
        "navigation": NAVIGATION,
        "banners": banners(services.energy.notices()),
        "now": services.clock.now(),
        "version": services.version,
    }


def is_fragment_request() -> bool:
    """True when htmx asks for the live part of a page only."""
    return request.headers.get("HX-Request") == "true"


def live(page: str, part: str, **variables: Any) -> Response:
    """The whole ``page``, or its ``part`` alone where htmx asks; never mixed up by a cache."""
    response = make_response(render_template(part if is_fragment_request() else page, **variables))
    response.headers["Vary"] = "HX-Request"
    response.headers["Cache-Control"] = "no-store"
    return response
