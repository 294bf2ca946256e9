"""Submit: the form for a job, and what the job would cost before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import InputError
from core.job import JobRequest
from core.site import Site
from core.slots import slot_ceil
from web.actions import submit_job
from web.pages.formatting import KIND_OF_JOB, TIER_WORDS
from web.pages.frame import is_fragment_request
from web.pages.job_form import LABELS, JobForm
from web.pages.places import country_name, site_names
from web.security import is_local_request
from web.services import Services, services_of_request

DEFAULT_WINDOW = timedelta(hours=24)
JOB_TYPES = ("batch", "training", "hpc", "inference", "mining", "other")
blueprint = Blueprint("submit", __name__, url_prefix="/submit")


@blueprint.get("")
def form() -> ResponseReturnValue:
    """An empty form with sensible defaults."""
    services = services_of_request()
    deadline = slot_ceil(services.clock.now() + DEFAULT_WINDOW)
    return page(services, JobForm.blank(f"{deadline:%Y-%m-%dT%H:%M}"))


@blueprint.post("")
def send() -> ResponseReturnValue:
    """Accept the job, or show the form again with its values and errors."""
    services = services_of_request()
    sent = JobForm.sent(request.form)
    wanted = sent.request()
    if wanted is not None:
        try:
            job = submit_job(services, wanted)
        except InputError as error:
            sent.refuse_input(error)
        else:
            flash(f"Accepted: {job.job_name}. Slackwater is now finding its best half-hours.")
            return redirect(url_for("jobs.show", job_id=job.job_id), code=303)
    return page(services, sent), 422


@blueprint.post("/preview")
def preview() -> ResponseReturnValue:
    """What the job would cost now and at best: the panel alone for htmx, the whole page otherwise."""
    services = services_of_request()
    sent = JobForm.sent(request.form)
    outcome = previewed(services, sent)
    if is_fragment_request():
        return render_template("_preview.html", labels=LABELS, form=sent, **outcome)
    return page(services, sent, **outcome)


def previewed(services: Services, sent: JobForm) -> dict[str, Any]:
    """The preview of a complete form; nothing but its errors where it is not complete."""
    wanted = sent.request(unnamed="preview")
    if wanted is None:
        return {"preview": None}
    try:
        found = services.loop.preview(wanted)
    except InputError as error:
        sent.refuse_input(error)
        return {"preview": None}
    sites = {site.site_id: site for site in services.sites.sites()}
    return {"preview": found, "sites_by_id": sites, "asked": described(wanted)}


def described(wanted: JobRequest) -> str:
    """The job in a few words, so that a preview says what it is of."""
    size = f"{wanted.power_kw:g} kW" if wanted.power_kw else f"{wanted.gpu_count} GPUs" if wanted.gpu_count else "asset"
    return f"{size} for {wanted.duration_hours:g} h"


def page(services: Services, form: JobForm, **outcome: Any) -> str:
    """The submit page around ``form``."""
    sites = services.sites.sites()
    return render_template(
        "submit.html",
        form=form,
        labels=LABELS,
        job_types=JOB_TYPES,
        kinds=KIND_OF_JOB,
        tiers=TIER_WORDS,
        countries=by_country(sites),
        assets=services.sites.assets(),
        commands_enabled=services.settings.commands_enabled and is_local_request(),
        site_names=site_names(services),
        preview=outcome.get("preview"),
        sites_by_id=outcome.get("sites_by_id"),
        asked=outcome.get("asked"),
    )


def by_country(sites: Sequence[Site]) -> list[tuple[str, str, list[Site]]]:
    """Sites under their country as ``(code, name, sites)``, by name."""
    found: dict[str, list[Site]] = {}
    for site in sites:
        found.setdefault(site.country, []).append(site)
    return sorted(((code, country_name(code), group) for code, group in found.items()), key=lambda entry: entry[1])
