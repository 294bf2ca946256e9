"""Signals: how every feed stands, what is known and expected in a zone, and how right its forecasts were."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from agents.energy.calibration import LEAD_EDGES
from agents.energy.zones import GB, ZONES, is_gb
from core.errors import NotFound
from core.score import Score
from core.series import Kind, Series
from core.slots import SLOT_HOURS, SLOTS_PER_DAY, slot_floor, slot_starts, slots_between
from core.vintage import OWN_FORECASTS, Quantity
from web import grid
from web.pages import feeds
from web.pages.curves import Curves, Mark, Panel, chart_data
from web.pages.drawing import drawing
from web.pages.frame import live
from web.pages.home import default_zone
from web.pages.outturn import comparisons
from web.pages.paging import page_number, query_url
from web.pages.quantities import list_of, style, title
from web.services import Services, services_of_request

PLANNED: tuple[Quantity, ...] = ("price", "carbon")
SPANS = (2, 4, 7)
"""Days ahead that may be shown; one day back is always."""
FETCHES_PER_PAGE = 50
_FETCH_ID = re.compile(r"fetch-[0-9a-f]{16}")
blueprint = Blueprint("signals", __name__, url_prefix="/signals")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the page is asked to show; ``quantity`` None is price and carbon."""

    zone: str
    quantity: Quantity | None
    days: int

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The quantities whose forecasts are judged."""
        return PLANNED if self.quantity is None else (self.quantity,)


@dataclass(frozen=True, slots=True)
class LeadError:
    """How far published forecasts were off at some leads, in the unit of the quantity."""

    quantity: Quantity
    zone: str
    lead: str
    count: int
    mae: float
    half_width: float


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The signals page, or only its live part."""
    services = services_of_request()
    now = services.clock.now()
    statuses, declarations = services.energy.status(), services.energy.declarations()
    zones = tuple(dict.fromkeys((*services.energy.zones(), *(s.zone for s in statuses if s.zone in ZONES))))
    offered = {zone: feeds.used_quantities(declarations, _asked(statuses, zone)) for zone in zones}
    choice = _choice(services, offered)
    state, feed_zone = _filter("state", (*feeds.STATES, feeds.NOTED)), request.args.get("feeds", "")
    shown = feeds.matching(statuses, feed_zone, state)
    locked = declarations if state in {"", feeds.NO_KEY} and not feed_zone else ()
    names = feeds.zone_names(services.sites.sites())
    return live(
        "signals.html",
        "_signals.html",
        choice=choice,
        zones=zones,
        offered=tuple(quantity for quantity in offered[choice.zone] if quantity not in PLANNED),
        spans=SPANS,
        mode=services.settings.signals.partition(":")[0],
        state=state,
        feed_zone=feed_zone,
        feed_zones={zone: names.get(zone, zone) for zone in dict.fromkeys(status.zone for status in statuses)},
        tally=feeds.tally(statuses, declarations),
        asked=len(statuses),
        sources=feeds.sources(
            shown, [each for each in declarations if each in locked or _has(shown, each.name)], names
        ),
        hosts=services.energy.hosts(),
        names=names,
        style=style,
        title=title,
        query_url=query_url,
        **_outlook(services, choice, statuses, now),
        **_judged(services, choice, now),
    )


def _has(statuses: list[Any], feed: str) -> bool:
    return any(status.feed == feed for status in statuses)


def _asked(statuses: list[Any], zone: str) -> frozenset[str]:
    return frozenset(status.feed for status in statuses if status.zone == zone)


def _filter(name: str, allowed: tuple[str, ...]) -> str:
    """A word of the query, empty where it is not given; :class:`NotFound` for any other than those ``allowed``."""
    word = request.args.get(name, "")
    if word and word not in allowed:
        raise NotFound(f"no {name} {word[:40]!r}", remedy=f"Use one of {', '.join(allowed)}.")
    return word


def _choice(services: Services, offered: dict[str, tuple[Quantity, ...]]) -> Choice:
    """What the query asks for; :class:`NotFound` where there is no such zone or span.

    A quantity that the zone does not have counts as not chosen, so that another zone may be picked in the same form.
    """
    zone = _filter("zone", tuple(offered)) or default_zone(services)
    quantities = dict.fromkeys((*PLANNED, *offered[zone]))
    word = request.args.get("quantity", "")
    days = _filter("days", tuple(str(span) for span in SPANS)) or str(SPANS[1])
    return Choice(zone, next((each for each in quantities if each == word), None), int(days))


def _outlook(services: Services, choice: Choice, statuses: list[Any], now: datetime) -> dict[str, Any]:
    """The curves of the zone from a day ago on, the present figures, and what is known of its grid."""
    start = slot_floor(now) - timedelta(days=1)
    slots = SLOTS_PER_DAY * (1 + choice.days)
    panels = tuple(
        Panel(each, (_series(services, choice.zone, each, start, slots, now),)) for each in choice.quantities
    )
    ends = [_published_until(statuses, choice.zone, panel.quantity) for panel in panels]
    marks = [Mark(now, "now")]
    marks += [
        Mark(end, "published until", number)
        for number, end in enumerate(ends)
        if end is not None and now < end < panels[0].series[0].end
    ]
    what = " and ".join(style(panel.quantity).title.lower() for panel in panels)
    description = f"{what.capitalize()} in {choice.zone}, a day back and {choice.days} days ahead."
    curves = Curves(description, panels, marks=tuple(marks))
    return {
        "panels": panels,
        "present": slots_between(start, now),
        "published_until": [(panel.quantity, end) for panel, end in zip(panels, ends, strict=True) if end],
        "chart": chart_data(curves),
        "drawing": drawing(curves),
        "starts": slot_starts(start, slots),
        "told_by": "; ".join(dict.fromkeys(_sources(panel.series[0]) for panel in panels)),
        "timezone": ZONES[choice.zone].timezone,
        "mix": grid.mix(services.energy, choice.zone, now),
        "stress": grid.stress(services.energy, choice.zone, now),
        "marginal": grid.marginal_carbon(services.energy, choice.zone, now),
        "findings": [
            finding for each in choice.quantities for finding in grid.findings_of(statuses, choice.zone, each)
        ],
    }


def _series(services: Services, zone: str, quantity: Quantity, start: datetime, slots: int, now: datetime) -> Series:
    """What is known of a quantity and, where plans are made of it, what is expected beyond."""
    if quantity not in PLANNED or zone not in services.energy.zones():
        return services.energy.known(zone, quantity, start, slots)
    past = slots_between(start, slot_floor(now))
    quote = services.energy.quote((zone,), slot_floor(now), slots - past)
    observed = dict(zip(PLANNED, services.energy.observed(zone, start, past), strict=True))[quantity]
    expected = {"price": quote.price, "carbon": quote.carbon}[quantity][zone]
    return observed.window(start, slots).overlay(expected)


def _sources(series: Series) -> str:
    """Who said so, each named once."""
    return " + ".join(dict.fromkeys(series.source.split(" + ")))


def _published_until(statuses: list[Any], zone: str, quantity: Quantity) -> datetime | None:
    """End of what the feeds of a quantity have published; None where none has."""
    ends = [s.known_until for s in statuses if (s.zone, s.quantity) == (zone, quantity) and s.known_until is not None]
    return max(ends, default=None)


def _judged(services: Services, choice: Choice, now: datetime) -> dict[str, Any]:
    """Forecasts beside their outturn, the scores of our models, and the errors of what is published."""
    wanted = {(choice.zone, quantity) for quantity in choice.quantities}
    scores = [score for score in services.scores.latest() if (score.zone, score.quantity) in wanted]
    return {
        "comparisons": [
            each for quantity in choice.quantities for each in comparisons(services, choice.zone, quantity, now)
        ],
        "scores": scores,
        "score_gain": score_gain,
        "lead_errors": [
            each for quantity in choice.quantities for each in _lead_errors(services, choice.zone, quantity)
        ],
    }


def score_gain(score: Score) -> float:
    """By which share the model errs less than the better simple forecast; NaN where that never errs."""
    simple = min(score.naive_mae, score.slot_mean_mae)
    return 1.0 - score.mae / simple if simple > 0 else float("nan")


def _lead_errors(services: Services, zone: str, quantity: Quantity) -> list[LeadError]:
    """Errors of published forecasts; carbon of the GB regions is judged by the nation's."""
    judged = GB if quantity == "carbon" and is_gb(zone) else zone
    errors = services.energy.errors().get((judged, quantity))
    if errors is None:
        return []
    hours = [f"{edge * SLOT_HOURS:g}" for edge in LEAD_EDGES]
    leads = [f"{first} to {last} h" for first, last in pairwise(hours)] + [f"from {hours[-1]} h"]
    return [
        LeadError(quantity, judged, lead, int(count), float(mae), float(half_width))
        for lead, count, mae, half_width in zip(leads, errors.counts, errors.mae, errors.half_width, strict=True)
        if count
    ]


@blueprint.get("/fetches")
def fetches() -> ResponseReturnValue:
    """Stored fetches of a zone, of a feed, or all, newest first."""
    services = services_of_request()
    zone, feed, page = request.args.get("zone", ""), request.args.get("feed", ""), page_number()
    rows = services.vintages.fetches(
        zone or None, feed or None, FETCHES_PER_PAGE + 1, offset=(page - 1) * FETCHES_PER_PAGE
    )
    return render_template(
        "fetches.html",
        rows=rows[:FETCHES_PER_PAGE],
        more=len(rows) > FETCHES_PER_PAGE,
        page=page,
        zone=zone,
        feed=feed,
        feed_names=_feed_names(services),
        names=feeds.zone_names(services.sites.sites()),
        kept_days=services.settings.keep_answers_days,
        list_of=list_of,
        query_url=query_url,
    )


@blueprint.get("/fetches/<fetch_id>")
def fetch(fetch_id: str) -> ResponseReturnValue:
    """One fetch: what was asked, every body by its digest to be saved, and what was read from them."""
    services = services_of_request()
    if not _FETCH_ID.fullmatch(fetch_id):
        raise NotFound(f"no fetch {fetch_id[:60]!r}", remedy="The signals page links to the fetch behind each feed.")
    found = services.vintages.get(fetch_id)
    return render_template(
        "fetch.html",
        fetch=found,
        fetch_id=fetch_id,
        known={name: int((series.kinds != Kind.MISSING).sum()) for name, series in found.series.items()},
        feed_names=_feed_names(services),
        names=feeds.zone_names(services.sites.sites()),
        title=title,
    )


def _feed_names(services: Services) -> dict[str, str]:
    """Titles of feeds by name, our own forecast among them."""
    return {
        OWN_FORECASTS: "Slackwater's forecast",
        **{each.name: each.title for each in services.energy.declarations()},
    }
