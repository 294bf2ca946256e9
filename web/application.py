"""Puts the web together: routes, guards, problems and metrics around the services it is given."""

from __future__ import annotations

from flask_openapi3.blueprint import APIBlueprint

from beckn.consumer.routes import trade_api
from beckn.consumer.service import Consumer
from beckn.message_routes import dialect_routes, message_routes
from beckn.routes import beckn_api
from web import access, pages, problems, security
from web.api import (
    assets,
    drafts,
    energy,
    forecasts,
    health,
    jobs,
    logs,
    plan,
    quotes,
    shares,
    signals,
    sites,
    statements,
    statistics,
)
from web.api.documented import DocumentedAPI
from web.metrics import Metrics
from web.services import Services, install


def create_app(services: Services) -> DocumentedAPI:
    """The Flask application over ``services``: JSON API, Beckn, pages, health and metrics."""
    app = DocumentedAPI("web", services.version)
    install(app, services)
    metrics = Metrics(services)
    app.extensions["slackwater.metrics"] = metrics
    metrics.watch(app)
    csrf = security.register(app, services.settings)
    access.register(app, services.settings)
    app.before_request(app.check_request)
    problems.register(app)
    for blueprint in _blueprints(services):
        app.register_api(blueprint)
        csrf.exempt(blueprint)
    if services.trade is not None:
        messages = message_routes(services.trade.reception, services.trade.documents)
        app.register_blueprint(messages)
        csrf.exempt(messages)
        old = dialect_routes(services.trade.reception_2025)
        app.register_blueprint(old)
        csrf.exempt(old)
    pages.register(app, services)
    return app


def _blueprints(services: Services) -> list[APIBlueprint]:
    modules = (
        jobs,
        drafts,
        quotes,
        shares,
        assets,
        sites,
        energy,
        signals,
        forecasts,
        plan,
        logs,
        statements,
        statistics,
        health,
    )
    return [
        *(module.api for module in modules),
        beckn_api(services.desk, services.clock),
        trade_api(_consumer(services)),
    ]


def _consumer(services: Services) -> Consumer | None:
    """Who buys; None where this server is in no network."""
    return None if services.trade is None else services.trade.consumer
