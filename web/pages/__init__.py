"""The pages people see: one module a page, each a Flask blueprint, complete without JavaScript."""

from __future__ import annotations

from flask import Flask

from web.dues import Owing
from web.pages import (
    access,
    audit,
    bundle,
    dashboard,
    exports,
    formatting,
    headlines,
    home,
    job_form,
    jobs,
    reasoning,
    shares,
    signals,
    sites,
    slots,
    statements,
    submit,
    trade,
)
from web.pages.frame import frame
from web.pages.verification import VerificationRun
from web.services import Services

BLUEPRINTS = (
    bundle.blueprint,
    home.blueprint,
    submit.blueprint,
    jobs.blueprint,
    dashboard.blueprint,
    signals.blueprint,
    sites.blueprint,
    slots.blueprint,
    trade.blueprint,
    shares.blueprint,
    audit.blueprint,
    statements.blueprint,
    exports.blueprint,
    access.blueprint,
)


def register(app: Flask, services: Services) -> None:
    """Add every page to ``app``, with the formatters, the built assets and the frame around each page."""
    formatting.install(app.jinja_env)
    app.jinja_env.filters.update(
        headline=headlines.headline,
        kinds_words=headlines.kinds_words,
        reason_words=headlines.reason_words,
        change_words=headlines.change_words,
        reject_words=headlines.reject_words,
        extra_gbp=reasoning.extra_gbp,
        drafted_value=job_form.drafted_value,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals["export_forms"] = exports.NAMES
    app.jinja_env.globals["asset"] = bundle.Bundle().asset
    app.context_processor(lambda: frame(services))
    app.extensions[VerificationRun.KEY] = VerificationRun(services.log.verify)
    app.extensions[trade.OWING] = Owing(services.contracts)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = bundle.YEAR_S
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
