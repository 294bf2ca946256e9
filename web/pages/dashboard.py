"""Dashboard: the plan as a heat map, what it saves, how the last negotiations went, how the feeds stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from accounting.savings import portfolio, savings_by_job
from agents.energy.feed import FeedStatus
from agents.job.arrivals import ExpectedLoad
from core.errors import NotFound
from core.ledger import TickRecord
from core.slots import SLOT, SLOT_HOURS
from core.vintage import Quantity
from web.pages import heatmap
from web.pages.feeds import STATES, TITLES, tally
from web.pages.frame import live
from web.pages.places import site_names
from web.pages.quantities import list_of
from web.services import Services, services_of_request

MOST_TICKS = 12
MOST_SPIKES = 8
blueprint = Blueprint("dashboard", __name__, url_prefix="/dashboard")


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One feed in one state: its oldest figures, the earliest end of them, and its next try."""

    title: str
    state: str
    zones: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    error: str | None
    last_good: datetime | None
    age_s: float | None
    known_until: datetime | None
    next_try: datetime | None


@blueprint.get("")
def show() -> ResponseReturnValue:
    """The dashboard, or only its live part."""
    services = services_of_request()
    names = site_names(services)
    plan = services.loop.standing()
    shown = min(plan.slots, heatmap.MOST_SLOTS)
    ticks = services.ticks.latest(MOST_TICKS)
    statuses, declarations = services.energy.status(), services.energy.declarations()
    titles = TITLES | {declared.name: declared.title for declared in declarations}
    return live(
        "dashboard.html",
        "_dashboard.html",
        plan=plan,
        shown_slots=shown,
        plan_end=plan.start + SLOT * shown,
        chart=heatmap.chart_data(plan, names),
        rows=heatmap.rows(plan, names),
        savings=portfolio(savings_by_job(services.ledger.totals_by_job())),
        negotiation=services.loop.status(),
        ticks=ticks,
        last_round=last_round(services, ticks),
        feeds=feed_rows((status for status in statuses if status.state != "live"), titles),
        feed_tally=tally(statuses, declarations),
        list_of=list_of,
        tick_seconds=services.settings.tick_seconds,
        spikes=spikes(services),
        reserved_kwh=float(plan.reserved_kw.sum()) * SLOT_HOURS,
        site_names=names,
    )


def spikes(services: Services) -> list[ExpectedLoad]:
    """Load far above the usual that may be submitted, the likeliest first; none where no room is kept for it."""
    if not services.settings.reserve_for_spikes:
        return []
    found = [load for load in services.loop.expected() if load.spike]
    return sorted(found, key=lambda load: -load.probability)[:MOST_SPIKES]


def last_round(services: Services, ticks: list[TickRecord]) -> dict[str, Any] | None:
    """The audit body of the newest negotiation that has one, with its sequence number."""
    seq = next((tick.log_seq for tick in ticks if tick.log_seq is not None), None)
    if seq is None:
        return None
    try:
        record = services.log.get(seq)
    except NotFound:
        return None
    return {"seq": seq, **record.body} if record.kind == "negotiation_round" else None


def feed_rows(statuses: Iterable[FeedStatus], titles: Mapping[str, str]) -> list[FeedRow]:
    """Statuses that differ in zone or quantity alone as one row; the worst state first."""
    found: dict[tuple[str, str, str | None], list[FeedStatus]] = {}
    for status in statuses:
        found.setdefault((status.feed, status.state, status.error), []).append(status)
    rows = [_feed_row(group, titles.get(group[0].feed, group[0].feed)) for group in found.values()]
    return sorted(rows, key=lambda row: (STATES.index(row.state), row.title))


def _feed_row(group: list[FeedStatus], title: str) -> FeedRow:
    first = group[0]
    return FeedRow(
        title=title,
        state=first.state,
        zones=tuple(dict.fromkeys(status.zone for status in group)),
        quantities=tuple(dict.fromkeys(status.quantity for status in group)),
        error=first.error,
        last_good=min((s.last_good for s in group if s.last_good), default=None),
        age_s=max((s.age_s for s in group if s.age_s is not None), default=None),
        known_until=min((s.known_until for s in group if s.known_until), default=None),
        next_try=min((s.next_try for s in group if s.next_try), default=None),
    )
