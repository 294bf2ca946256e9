"""Jobs: the list with its filters, and one job's story from window to delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from accounting.savings import JobSavings, savings_by_job
from core.errors import Conflict, NotFound
from core.job import FlexibilityType, Job, JobStatus
from web.actions import cancel_job
from web.api.job_facts import latest_decision
from web.pages.formatting import sentence
from web.pages.frame import live
from web.pages.job_story import story
from web.pages.paging import Paging, page_number, query_url
from web.pages.places import site_names
from web.services import Services, services_of_request

PAGE_SIZE = 25
FILTERS = ("status", "tenant", "site", "kind", "text")
blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Jobs that match the filters, newest first; only the table where htmx asks."""
    services = services_of_request()
    filters = {name: request.args.get(name, "").strip() for name in FILTERS}
    number = page_number()
    jobs, total = services.jobs.find(**_criteria(filters), limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    return live(
        "jobs.html",
        "_jobs.html",
        jobs=jobs,
        savings=_savings(services, jobs),
        paging=Paging(number, PAGE_SIZE, total),
        filters=filters,
        filtered=any(filters.values()),
        site_names=site_names(services),
        statuses=list(JobStatus),
        kinds=list(FlexibilityType),
        here=query_url(),
        query_url=query_url,
    )


def _criteria(filters: dict[str, str]) -> dict[str, Any]:
    """The filters as the job agent takes them; a word that is no status or kind is :class:`NotFound`."""
    try:
        status = [JobStatus(filters["status"])] if filters["status"] else None
        kind = FlexibilityType(filters["kind"]) if filters["kind"] else None
    except ValueError as error:
        raise NotFound(str(error), remedy="Choose a status and a kind from the lists.") from error
    return {
        "statuses": status,
        "flexibility_type": kind,
        "tenant": filters["tenant"] or None,
        "site_id": filters["site"] or None,
        "text": filters["text"] or None,
    }


def _savings(services: Services, jobs: Sequence[Job]) -> dict[str, JobSavings]:
    totals = services.ledger.totals_by_job([job.job_id for job in jobs]) if jobs else {}
    return {entry.job_id: entry for entry in savings_by_job(totals)}


@blueprint.get("/<job_id>")
def show(job_id: str) -> ResponseReturnValue:
    """One job; only its live part where htmx asks, for the last time once the job has ended."""
    services = services_of_request()
    job = services.jobs.get(job_id)
    response = live("job.html", "_job.html", **story(services, job))
    if job.status.terminal:
        response.headers["HX-Retarget"] = "#job"
        response.headers["HX-Reswap"] = "outerHTML"
    return response


@blueprint.get("/<job_id>/explanation")
def explanation(job_id: str) -> ResponseReturnValue:
    """The part of a job's page that explains its latest decision, in the advisor's best words."""
    services = services_of_request()
    found = services.advisor.explain(latest_decision(services, job_id).body)
    names = site_names(services)
    response = make_response(render_template("_explanation.html", explanation=found, site_names=names))
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/<job_id>/cancel")
def cancel(job_id: str) -> ResponseReturnValue:
    """Cancel a job that has not ended."""
    services = services_of_request()
    try:
        job = cancel_job(services, job_id, "cancelled on the job's page")
        flash(f"Cancelled: {job.job_name}.")
    except Conflict as error:
        flash(f"{sentence(error)} {error.remedy}", "error")
    return redirect(url_for("jobs.show", job_id=job_id), code=303)
