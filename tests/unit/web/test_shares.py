"""Shares over the API and on their page, and priority levels in the form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from agents.sharing import TenantShare
from tests.unit.web.fakes import NOW, House

ACME = TenantShare("acme/research", 2.0, 2 / 3, 0.621, "london", 0.5, 4 / 3, 2, 9, 3, NOW - timedelta(hours=5))
BETA = TenantShare("beta", 1.0, 1 / 3, 0.0, None, 0.0, None, 1, 1, 0, None)


@pytest.fixture
def shared(house: House) -> None:
    house.services.loop.tenants = [ACME, BETA]


@pytest.mark.usefixtures("shared")
def test_the_api_says_what_each_tenant_is_due_and_uses(client: FlaskClient):
    told = client.get("/api/shares").get_json()
    acme, beta = told["tenants"]
    assert told["half_life_hours"] == 24.0
    assert (acme["tenant"], acme["weight"], acme["resource"]) == ("acme/research", 2.0, "london")
    assert (acme["fair_share"], acme["used_share"], acme["usage"]) == (pytest.approx(2 / 3), 0.621, 0.5)
    assert (acme["waiting"], acme["open_jobs"], acme["oldest_since"]) == (3, 9, "2026-11-20T09:10:00Z")
    assert (beta["level"], beta["resource"], beta["rank"], beta["oldest_since"]) == (None, None, 1, None)


@pytest.mark.usefixtures("shared")
def test_the_page_shows_tenants_the_one_whose_turn_it_is_first(client: FlaskClient):
    page = client.get("/shares").get_data(as_text=True)
    assert page.index("beta</a>") < page.index("acme/research</a>")
    assert "of London" in page
    assert "62.1\u202f%" in page
    assert "5 h" in page
    assert "/jobs?tenant=acme/research" in page
    assert "2 tenants share the sites; 3 of their jobs wait" in page


def test_without_tenants_the_page_says_how_one_gets_there(client: FlaskClient):
    page = client.get("/shares").get_data(as_text=True)
    assert "Nobody has open jobs" in page
    assert "<table" not in page


def test_shares_take_no_parameters(client: FlaskClient):
    assert client.get("/api/shares?tenant=a").status_code == 422


def test_a_job_has_the_level_it_asks_for_or_that_of_its_tier(client: FlaskClient, request_body: dict[str, Any]):
    levels = [
        client.post("/api/jobs", json={**request_body, **asked}).get_json()["priority_level"]
        for asked in ({}, {"tier": "premium"}, {"priority": "low"}, {"tier": "spot", "priority_level": 9})
    ]
    assert levels == [1, 0, 3, 9]


@pytest.mark.parametrize("level", [-1, 10, 1.5, "first"])
def test_a_level_that_is_none_is_refused_and_nothing_stored(client: FlaskClient, request_body: dict[str, Any], level):
    answer = client.post("/api/jobs", json={**request_body, "priority_level": level})
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "priority_level")
    assert client.get("/api/jobs").get_json()["total"] == 0


@pytest.mark.parametrize("tenant", ["acme/", "/acme", "a//b", "a/b/c/d/e", "a/.b", "a" * 64])
def test_a_tenant_that_is_no_path_is_refused(client: FlaskClient, request_body: dict[str, Any], tenant: str):
    assert client.post("/api/jobs", json={**request_body, "tenant": tenant}).status_code == 422


def test_the_form_sends_a_level_and_a_part_of_a_tenant(client: FlaskClient, house: House):
    assert 'name="priority_level"' in client.get("/submit").get_data(as_text=True)
    form = {
        "job_name": "night", "job_type": "batch", "flexibility_type": "deferrable", "tier": "standard",
        "tenant": "acme/research", "latest_finish": "2026-11-21T12:00", "duration_hours": "2", "power_kw": "10",
        "priority_level": "4",
    }  # fmt: skip
    page = client.get("/submit").get_data(as_text=True)
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    assert client.post("/submit", data={**form, "csrf_token": token}).status_code in (302, 303)
    (job,), _ = house.services.jobs.find()
    assert (job.tenant, job.priority_level) == ("acme/research", 4)
