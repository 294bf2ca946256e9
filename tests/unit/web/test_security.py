"""Who may ask, from where, and what a browser may do with the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.unit.web.fakes import House, build_house
from web.application import create_app

COMMAND = {"command": ["python", "train.py"]}


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1", "127.0.0.1:5000", "[::1]:5000", "LOCALHOST"])
def test_loopback_names_are_served(client: FlaskClient, host: str) -> None:
    assert client.get("/health/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[", "0.0.0.0"])
def test_a_foreign_host_name_is_refused(client: FlaskClient, host: str) -> None:
    response = client.get("/api/jobs", headers={"Host": host})
    assert response.status_code == 403
    assert response.get_json()["errors"][0]["field"] == "Host"


def test_a_host_name_that_was_allowed_is_served(tmp_path: Path) -> None:
    client = create_app(build_house(tmp_path, allowed_hosts=("plan.example",)).services).test_client()
    assert client.get("/health/live", headers={"Host": "plan.example:443"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:8080"])
def test_a_foreign_page_cannot_change_anything(
    client: FlaskClient, house: House, request_body: dict[str, Any], origin: str
) -> None:
    response = client.post("/api/jobs", json=request_body, headers={"Origin": origin})
    assert response.status_code == 403
    assert "Access-Control-Allow-Origin" not in response.headers
    assert client.post("/api/ticks", headers={"Origin": origin}).status_code == 403
    assert house.jobs.stored == {}
    assert house.ticks.kept == []


def test_our_own_page_can(client: FlaskClient, request_body: dict[str, Any]) -> None:
    response = client.post("/api/jobs", json=request_body, headers={"Origin": "http://localhost"})
    assert response.status_code == 201


def test_an_allowed_origin_may_read_and_change(tmp_path: Path, request_body: dict[str, Any]) -> None:
    origin = "https://ops.example"
    client = create_app(build_house(tmp_path, allowed_origins=(origin,)).services).test_client()

    preflight = client.options("/api/jobs", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    created = client.post("/api/jobs", json=request_body, headers={"Origin": origin})

    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]
    assert created.status_code == 201
    assert created.headers["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Origin" not in client.get("/api/jobs", headers={"Origin": "https://x.example"}).headers


def test_answers_carry_the_headers_that_guard_a_browser(client: FlaskClient) -> None:
    headers = client.get("/api/jobs").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_browse_page_runs_its_own_inline_code_only(client: FlaskClient) -> None:
    first, second = client.get("/openapi/swagger"), client.get("/openapi/swagger")
    nonce = first.headers["Content-Security-Policy"].split("'nonce-")[1].split("'")[0]
    assert f'<script nonce="{nonce}">' in first.text
    assert nonce not in second.text


def test_a_command_from_this_machine_is_accepted(
    client: FlaskClient, house: House, request_body: dict[str, Any]
) -> None:
    assert client.post("/api/jobs", json=request_body | COMMAND).status_code == 201
    assert [job.command for job in house.jobs.stored.values()] == [("python", "train.py")]


@pytest.mark.parametrize("route", ["/api/jobs", "/api/quote"])
@pytest.mark.parametrize(
    "origin",
    [
        {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}},
        {"headers": {"X-Forwarded-For": "192.0.2.7"}},
        {"headers": {"Forwarded": "for=192.0.2.7"}},
    ],
)
def test_a_command_from_elsewhere_is_forbidden(
    client: FlaskClient, house: House, request_body: dict[str, Any], route: str, origin: dict[str, Any]
) -> None:
    response = client.post(route, json=request_body | COMMAND, **origin)
    assert response.status_code == 403
    assert response.get_json()["errors"][0]["field"] == "command"
    assert house.jobs.stored == {}


def test_no_command_is_accepted_where_they_are_off(tmp_path: Path, request_body: dict[str, Any]) -> None:
    house = build_house(tmp_path, allow_commands=False)
    client = create_app(house.services).test_client()
    response = client.post("/api/jobs", json=request_body | COMMAND)
    assert response.status_code == 403
    assert "ALLOW_COMMANDS" in response.get_json()["errors"][0]["remedy"]
    assert client.post("/api/jobs", json=request_body).status_code == 201
