"""The OpenAPI document tells the truth: random requests built from it get only answers that it announces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode, checks
from schemathesis.config import SchemathesisConfig

from tests.unit.web.fakes import build_house
from web.application import create_app

ROUTES = {
    "/api/jobs": {"get", "post"},
    "/api/jobs/draft": {"post"},
    "/api/jobs/{job_id}": {"get"},
    "/api/jobs/{job_id}/cancel": {"post"},
    "/api/jobs/{job_id}/explanation": {"get"},
    "/api/jobs/{job_id}/output": {"get"},
    "/api/jobs/{job_id}/schedule": {"post"},
    "/api/schedule-all": {"post"},
    "/api/quote": {"post"},
    "/api/assets": {"get", "post"},
    "/api/assets/{asset_id}": {"get", "put"},
    "/api/sites": {"get", "post"},
    "/api/sites/{site_id}": {"get", "put"},
    "/api/energy/current/{region}": {"get"},
    "/api/energy/forecast/{region}": {"get"},
    "/api/signals": {"get"},
    "/api/signals/fetches": {"get"},
    "/api/signals/fetches/{fetch_id}": {"get"},
    "/api/signals/fetches/{fetch_id}/answers/{number}": {"get"},
    "/api/forecasts/load": {"get"},
    "/api/forecasts/arrivals": {"get"},
    "/api/plan": {"get"},
    "/api/shares": {"get"},
    "/api/ticks": {"get", "post"},
    "/api/logs": {"get"},
    "/api/logs/{job_id}": {"get"},
    "/api/audit/records/{seq}": {"get"},
    "/api/audit/exports": {"post"},
    "/api/audit/lines": {"get"},
    "/api/audit/verify": {"get"},
    "/api/statements/{site_id}/{date}": {"get"},
    "/api/statistics": {"get"},
    "/api/beckn/search": {"post"},
    "/api/beckn/confirm": {"post"},
    "/api/trade/purchases": {"post", "get"},
    "/api/trade/purchases/{purchase_id}": {"get"},
    "/api/trade/needs": {"post", "get"},
    "/api/trade/needs/{need_id}/answer": {"post"},
    "/api/health": {"get"},
    "/health": {"get"},
    "/health/live": {"get"},
    "/health/ready": {"get"},
    "/metrics": {"get"},
}


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    body: dict[str, Any] = client.get("/openapi/openapi.json").get_json()
    return body


def test_the_document_is_openapi_3_1_with_every_route(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert {path: set(operations) for path, operations in document["paths"].items()} == ROUTES


def test_no_json_route_is_missing_from_the_document(client: FlaskClient, document: dict[str, Any]) -> None:
    app: Flask = client.application
    served = {re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    assert {rule for rule in served if rule.startswith("/api/")} <= set(document["paths"])


def test_problems_are_documented_as_problem_json(document: dict[str, Any]) -> None:
    assert "securitySchemes" not in document["components"]
    submit = document["paths"]["/api/jobs"]["post"]["responses"]
    assert set(submit) >= {"201", "400", "403", "409", "413", "415", "422", "500", "503"}
    for operations in document["paths"].values():
        for operation in operations.values():
            assert list(operation["responses"]["422"]["content"]) == ["application/problem+json"]
            assert operation["summary"]


def test_the_browse_page_is_served(client: FlaskClient) -> None:
    assert client.get("/openapi/swagger").status_code == 200
    assert "swagger" in client.get("/openapi/").text


@pytest.fixture
def api(tmp_path: Path) -> Any:
    app = create_app(build_house(tmp_path).services)
    return schemathesis.openapi.from_wsgi("/openapi/openapi.json", app, config=SchemathesisConfig())


OPERATIONS = [(method, path) for path, methods in ROUTES.items() for method in sorted(methods)]
BEYOND_SCHEMA = [checks.positive_data_acceptance]
"""rules between fields, known zones and the present time are not in the schema: valid by it may still be refused"""


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS])
def test_answers_are_those_announced(api: Any, method: str, path: str) -> None:
    operation = api[path][method]
    takes_input = operation.body or operation.query or operation.path_parameters
    modes = list(GenerationMode) if takes_input else [GenerationMode.POSITIVE]
    for mode in modes:
        _try_random_requests(operation.as_strategy(generation_mode=mode))


def _try_random_requests(cases: SearchStrategy[schemathesis.Case]) -> None:
    @given(case=cases)
    @settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    def random_requests(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Host": "localhost"}, excluded_checks=BEYOND_SCHEMA)

    random_requests()
