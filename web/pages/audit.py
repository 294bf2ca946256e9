"""Audit: the decision log, filtered; one record as a story and as its canonical bytes; the verifier."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from audit.keys import read_vkeys
from audit.log import AuditLog
from audit.record import FORMER_KINDS, Record
from audit.verifier.notes import note_of
from core.errors import InputError
from web.pages.differences import compare
from web.pages.fields import fields_of
from web.pages.formatting import words
from web.pages.frame import is_fragment_request
from web.pages.paging import Paging, page_number, query_url
from web.pages.places import site_names
from web.pages.reasoning import reasoning
from web.pages.record_story import record_story
from web.pages.timeline import counts, criteria, days, filters_of_request
from web.pages.verification import verification_of_request
from web.services import services_of_request

PAGE_SIZE = 25
blueprint = Blueprint("audit", __name__, url_prefix="/audit")


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Records that match the filters, newest first, by day."""
    services = services_of_request()
    filters = filters_of_request()
    number = page_number()
    chosen = criteria(filters, services.log)
    records, total = services.log.records(**chosen, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    count, head_hash = services.log.head()
    checkpoints = services.log.checkpoints()
    return render_template(
        "audit.html",
        days=days(records),
        paging=Paging(number, PAGE_SIZE, total),
        filters=filters,
        filtered=any(filters.values()),
        counts=counts(services.log, chosen),
        former=FORMER_KINDS,
        site_names=site_names(services),
        count=count,
        first_seq=services.log.first_seq,
        head_hash=head_hash,
        checkpoint=note_of(checkpoints[-1]) if checkpoints else None,
        keys=read_vkeys(services.log.path),
        healthy=services.log.healthy(),
        verification=verification_of_request().state(),
        query_url=query_url,
    )


@blueprint.get("/<int:seq>")
def show(seq: int) -> ResponseReturnValue:
    """One record as a story."""
    services = services_of_request()
    record, names = services.log.get(seq), site_names(services)
    size, _ = services.log.head()
    return render_template(
        "record.html",
        record=record,
        line=record.line.decode(),
        names=names,
        story=record_story(services.log, record),
        fields=fields_of(record.body, names),
        carbon=fields_of(record.body.get("carbon") or {}, names),
        following=services.log.get(seq + 1) if seq + 1 < size else None,
        size=size,
        root=services.log.root(size),
        path=[step.hex() for step in services.log.inclusion(seq, size)],
        why=reasoning(record.body) if record.kind == "decision" else None,
    )


@blueprint.get("/diff")
def diff() -> ResponseReturnValue:
    """Two decisions beside one another."""
    services = services_of_request()
    names = site_names(services)
    a, b = (_decision(services.log, name) for name in ("a", "b"))
    return render_template("diff.html", a=a, b=b, names=names, comparison=compare(a, b, names))


def _decision(log: AuditLog, name: str) -> Record:
    """The decision whose number the query gives under ``name``."""
    text = request.args.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InputError(
            f"{text[:40]!r} is not the number of a record",
            field=name,
            value=text,
            remedy="Give the numbers of two decisions, such as /audit/diff?a=3&b=8.",
        )
    record = log.get(int(text))
    if record.kind != "decision":
        raise InputError(
            f"record {record.seq} is a {words(record.kind)}, not a decision",
            field=name,
            value=text,
            remedy="Only decisions are compared; the timeline lists them under their kind.",
        )
    return record


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
