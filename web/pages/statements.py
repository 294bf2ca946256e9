"""Settlement statements: the sites and days on the log, and one site's day as it was stated at an instant."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from agents.settlement.day_claims import day_claims
from agents.settlement.statement import DayStatement
from core.errors import NotFound
from web.pages.places import site_names
from web.services import services_of_request
from web.statements import accounts, claims, stated_days, statement

MOST_DAYS = 400
blueprint = Blueprint("statements", __name__, url_prefix="/audit/statements")


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Every site and day that has settlement periods."""
    services = services_of_request()
    days = stated_days(services.log)
    return render_template(
        "statements.html",
        section="audit",
        days=days[:MOST_DAYS],
        more=max(0, len(days) - MOST_DAYS),
        names=site_names(services),
    )


@blueprint.get("/<site_id>/<day>")
def show(site_id: str, day: str) -> ResponseReturnValue:
    """One statement."""
    services = services_of_request()
    settlement_date, instant = _date(day), _instant(request.args.get("as_of", ""), services.clock.now())
    names = site_names(services)
    found = statement(services.log, site_id, settlement_date, instant)
    told = claims(services.log, site_id, settlement_date, instant)
    claimed = day_claims(told)
    return render_template(
        "statement.html",
        section="audit",
        statement=found,
        payments=_payments(found),
        claims=told,
        claimed=claimed,
        accounts=accounts(claimed),
        name=names.get(site_id, site_id),
        site_id=site_id,
        as_of=f"{instant:%Y-%m-%dT%H:%M}" if request.args.get("as_of") else "",
    )


def _payments(found: DayStatement) -> list[tuple[str, str]]:
    """Who would pay whom: each pair once."""
    told = [each.figures["comp"] for each in found.periods]
    return sorted({(comp["payer"], comp["payee"]) for comp in told if isinstance(comp, dict)})


def _date(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise NotFound(f"{text[:40]!r} is not a date", remedy="Write dates like 2026-10-20.") from error


def _instant(text: str, now: datetime) -> datetime:
    """The minute that a form names, in UTC and whole; the present instant where it names none."""
    if not text:
        return now
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(second=59, microsecond=999_999, tzinfo=UTC)
    except ValueError as error:
        raise NotFound(f"{text[:40]!r} is not a time", remedy="Write times like 2026-10-21T09:00, in UTC.") from error
