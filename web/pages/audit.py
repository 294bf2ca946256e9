"""Audit: the decision log, filtered; one record as a story and as its canonical bytes; the verifier."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from audit.record import BODIES
from core.errors import NotFound
from web.pages.frame import is_fragment_request
from web.pages.paging import Paging, page_number, query_url
from web.pages.places import site_names
from web.pages.reasoning import reasoning
from web.pages.verification import verification_of_request
from web.services import services_of_request

PAGE_SIZE = 25
FILTERS = ("kind", "job", "site", "start", "end", "text")
blueprint = Blueprint("audit", __name__, url_prefix="/audit")


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Records that match the filters, newest first."""
    services = services_of_request()
    filters = {name: request.args.get(name, "").strip() for name in FILTERS}
    number = page_number()
    records, total = services.log.records(**_criteria(filters), limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    count, head_hash = services.log.head()
    return render_template(
        "audit.html",
        records=records,
        paging=Paging(number, PAGE_SIZE, total),
        filters=filters,
        filtered=any(filters.values()),
        kinds=list(BODIES),
        site_names=site_names(services),
        count=count,
        head_hash=head_hash,
        healthy=services.log.healthy(),
        verification=verification_of_request().state(),
        query_url=query_url,
    )


def _criteria(filters: dict[str, str]) -> dict[str, Any]:
    """The filters as the log takes them; the last day is included whole."""
    end = _day(filters["end"])
    return {
        "kind": filters["kind"] or None,
        "job_id": filters["job"] or None,
        "site_id": filters["site"] or None,
        "start": _day(filters["start"]),
        "end": end + timedelta(days=1) if end else None,
        "text": filters["text"] or None,
    }


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise NotFound(f"{text[:40]!r} is not a date", remedy="Write dates like 2026-11-20.") from error


@blueprint.get("/<int:seq>")
def show(seq: int) -> ResponseReturnValue:
    """One record."""
    services = services_of_request()
    record = services.log.get(seq)
    count, _ = services.log.head()
    return render_template(
        "record.html",
        record=record,
        line=record.line.decode(),
        names=site_names(services),
        newest=count - 1,
        why=reasoning(record.body) if record.kind == "decision" else None,
    )


@blueprint.post("/verify")
def verify() -> ResponseReturnValue:
    """Check the whole log; a long check goes on in the background."""
    state = verification_of_request().start()
    if is_fragment_request():
        return render_template("_verification.html", verification=state)
    return redirect(url_for("audit.index", _anchor="verify"), code=303)


@blueprint.get("/verify")
def progress() -> ResponseReturnValue:
    """How the check stands: the panel for htmx, the audit page otherwise."""
    if is_fragment_request():
        return render_template("_verification.html", verification=verification_of_request().state())
    return redirect(url_for("audit.index", _anchor="verify"), code=303)
