"""Submit: the form for a job, and what the job would cost before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agents.advisor.drafts import MOST_CHARACTERS
from core.errors import InputError, Unavailable
from core.job import AVAILABILITY_OF_TIER, FlexibilityType, JobRequest
from core.site import Site
from core.slots import slot_ceil
from web.actions import submit_job
from web.drafting import draft_job
from web.pages.formatting import KIND_OF_JOB, TIER_WORDS
from web.pages.frame import is_fragment_request
from web.pages.job_form import LABELS, FormError, JobForm
from web.pages.patience import drawing
from web.pages.patience_words import sentences
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
    return page(services, blank(services))


def blank(services: Services) -> JobForm:
    """An empty form; its deadline is a day ahead."""
    deadline = slot_ceil(services.clock.now() + DEFAULT_WINDOW)
    return JobForm.blank(f"{deadline:%Y-%m-%dT%H:%M}")


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


@blueprint.post("/describe")
def describe() -> ResponseReturnValue:
    """Fill the form in from a sentence: what was understood, what was assumed, and what it would cost."""
    services = services_of_request()
    text = request.form.get("text", "")
    try:
        draft = draft_job(services, text)
    except InputError as error:
        return page(services, blank(services), text=text, unread=error), 422
    filled = JobForm.drafted(draft.request)
    return page(services, filled, text=text, draft=draft, **quoted(services, filled))


@blueprint.post("/quote")
def quote() -> ResponseReturnValue:
    """What the job would cost by each of several deadlines: the panel alone for htmx, the whole page otherwise."""
    services = services_of_request()
    sent = JobForm.sent(request.form)
    outcome = quoted(services, sent)
    if is_fragment_request():
        return render_template("_quote.html", labels=LABELS, form=sent, site_names=site_names(services), **outcome)
    return page(services, sent, **outcome)


def quoted(services: Services, sent: JobForm) -> dict[str, Any]:
    """The quote of a complete form with its curve; its errors alone where it is not complete."""
    wanted = sent.request(unnamed="quote")
    if wanted is None:
        return {}
    try:
        found = services.loop.quote(wanted)
    except InputError as error:
        sent.refuse_input(error)
        return {}
    except Unavailable as error:
        return {"unavailable": FormError(str(error), error.remedy)}
    sites = {site.site_id: site for site in services.sites.sites()}
    waits = wanted.flexibility_type is not FlexibilityType.FIXED
    return {
        "quote": found,
        "sentences": sentences(found, site_names(services), waits=waits),
        "drawing": drawing(found) if waits else None,
        "sites_by_id": sites,
        "asked": described(wanted),
    }


def described(wanted: JobRequest) -> str:
    """The job in a few words, so that a quote says what it is of."""
    size = f"{wanted.power_kw:g} kW" if wanted.power_kw else f"{wanted.gpu_count} GPUs" if wanted.gpu_count else "asset"
    return f"{size} for {wanted.duration_hours:g} h"


def tier_hint() -> str:
    """What the tiers promise: who comes first, and how often their sites are there."""
    promised = [f"{TIER_WORDS[tier]} {100 * least:.4g} %" for tier, least in AVAILABILITY_OF_TIER.items() if least]
    return f"Premium comes first, spot last. Sites are there at least so often: {', '.join(promised)} of the time."


def page(services: Services, form: JobForm, **outcome: Any) -> str:
    """The submit page around ``form``."""
    sites = services.sites.sites()
    countries = by_country(sites)
    return render_template(
        "submit.html",
        form=form,
        labels=LABELS,
        job_types=JOB_TYPES,
        kinds=KIND_OF_JOB,
        tiers=TIER_WORDS,
        tier_hint=tier_hint(),
        countries=countries,
        offered={site.site_id for site in sites} | {code for code, _, group in countries if len(group) > 1},
        assets=services.sites.assets(),
        commands_enabled=services.settings.commands_enabled and is_local_request(),
        site_names=site_names(services),
        most_characters=MOST_CHARACTERS,
        **outcome,
    )


def by_country(sites: Sequence[Site]) -> list[tuple[str, str, list[Site]]]:
    """Sites under their country as ``(code, name, sites)``, by name."""
    found: dict[str, list[Site]] = {}
    for site in sites:
        found.setdefault(site.country, []).append(site)
    return sorted(((code, country_name(code), group) for code, group in found.items()), key=lambda entry: entry[1])
