"""Whatever is wrong with a request is said field by field as a problem, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.unit.web.fakes import House
from web.problems import MAX_BODY_BYTES, PROBLEM_TYPE


def problem_of(response: TestResponse, status: int) -> dict[str, Any]:
    """The problem in ``response``, which must have ``status``."""
    assert response.status_code == status, response.text
    assert response.content_type == PROBLEM_TYPE
    body: dict[str, Any] = response.get_json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance", "remedy"} <= body.keys()
    return body


WRONG = [
    ({"latest_finish": "2026-11-21T12:00"}, "latest_finish", "2026-11-21T12:00"),
    ({"latest_finish": "soon"}, "latest_finish", "soon"),
    ({"latest_finish": 1789000000}, "latest_finish", 1789000000),
    ({"latest_finish": "2026-11-20T14:00Z"}, "latest_finish", "2026-11-20T14:00:00Z"),
    ({"latest_finish": "2026-11-20T15:00Z"}, "latest_finish", "2026-11-20T15:00:00Z"),
    (
        {"earliest_start": "2026-11-21T13:00Z"},
        "latest_finish",
        "2026-11-21T12:00Z",
    ),
    ({"latest_finish": "2026-12-24T15:00Z"}, "latest_finish", "2026-12-24T15:00:00Z"),
    ({"asset_id": "nowhere"}, "asset_id", "nowhere"),
    ({"power_kw": 5000}, "power_kw", 5000),
    ({"power_kw": -5}, "power_kw", -5),
    ({"power_kw": 0}, "power_kw", 0),
    ({"power_kw": 1e12}, "power_kw", 1e12),
    ({"power_kw": 10**400}, "power_kw", None),
    ({"power_kw": "lots"}, "power_kw", "lots"),
    ({"power_kw": [1]}, "power_kw", "[1]"),
    ({"duration_hours": 0}, "duration_hours", 0),
    ({"duration_hours": 1000}, "duration_hours", 1000),
    ({"tier": "platinum"}, "tier", "platinum"),
    ({"priority": "urgent"}, "priority", "urgent"),
    ({"flexibility_type": "elastic"}, "flexibility_type", "elastic"),
    ({"allowed_regions": ["GB-Z"]}, "allowed_regions", "GB-Z"),
    ({"colour": "green"}, "colour", "green"),
    ({"job_name": ""}, "job_name", ""),
    ({"tenant": "../etc"}, "tenant", "../etc"),
    ({"gpu_count": 8}, "power_kw", 50),
    ({"power_kw": None}, "power_kw", None),
    ({"levels": [{"power_kw": 5, "work_per_slot": 1}]}, "levels", None),
    ({"command": []}, "command", "[]"),
    ({"carbon_cap_g_per_kwh": -1}, "carbon_cap_g_per_kwh", -1),
]


@pytest.mark.parametrize(("wrong", "field", "value"), WRONG)
def test_a_wrong_field_is_named_with_its_value_and_remedy(
    client: FlaskClient,
    house: House,
    request_body: dict[str, Any],
    wrong: dict[str, Any],
    field: str,
    value: Any,
) -> None:
    problem = problem_of(client.post("/api/jobs", json=request_body | wrong), 422)

    error = next(e for e in problem["errors"] if e["field"] == field)
    assert error["message"]
    assert error["remedy"].endswith(".")
    if value is not None:
        assert error["value"] == value
    assert house.jobs.stored == {}
    assert house.loop.requested == []


@pytest.mark.parametrize(("wrong", "field", "value"), WRONG)
def test_a_quote_refuses_what_a_submission_would_and_stores_nothing(
    client: FlaskClient, house: House, request_body: dict[str, Any], wrong: dict[str, Any], field: str, value: Any
) -> None:
    house.loop.quote = lambda request, _: house.services.jobs.drafted(request)  # type: ignore[method-assign]
    problem = problem_of(client.post("/api/quote", json=request_body | wrong), 422)
    assert field in [error["field"] for error in problem["errors"]]
    assert house.jobs.stored == {}


@pytest.mark.parametrize(
    ("deadlines", "field"),
    [
        ([], "deadlines"),
        (["2026-11-21T12:00Z"] * 17, "deadlines"),
        (["2026-11-21T12:00"], "deadlines.0"),
        (["2026-11-21T12:00Z", "tomorrow"], "deadlines.1"),
        ("2026-11-21T12:00Z", "deadlines"),
        ([12], "deadlines.0"),
    ],
)
def test_deadlines_that_are_no_list_of_times_are_named(
    client: FlaskClient, request_body: dict[str, Any], deadlines: Any, field: str
) -> None:
    problem = problem_of(client.post("/api/quote", json=request_body | {"deadlines": deadlines}), 422)
    assert problem["errors"][0]["field"] == field


def test_a_missing_field_is_named(client: FlaskClient) -> None:
    problem = problem_of(client.post("/api/jobs", json={"job_name": "x"}), 422)

    assert {e["field"] for e in problem["errors"]} == {"latest_finish", "duration_hours"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"job_name=x",
        b"",
        b'{"power_kw": NaN}',
        b'{"power_kw": Infinity}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"job_name": "\\ud800"}',
        b'{"job_name": "a\\u0000b"}',
        b"1" * 5000,
    ],
)
def test_a_body_that_is_not_json_is_400(client: FlaskClient, house: House, body: bytes) -> None:
    problem_of(client.post("/api/jobs", data=body, content_type="application/json"), 400)
    assert house.jobs.stored == {}


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null", "true"])
def test_json_that_is_no_object_is_422(client: FlaskClient, body: str) -> None:
    problem = problem_of(client.post("/api/jobs", data=body, content_type="application/json"), 422)
    assert problem["errors"]


@pytest.mark.parametrize("sent_as", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_a_body_sent_as_something_else_is_415(client: FlaskClient, house: House, sent_as: str | None) -> None:
    problem_of(client.post("/api/jobs", data=b"{}", content_type=sent_as), 415)
    assert house.jobs.stored == {}


def test_a_huge_body_is_413(client: FlaskClient, house: House, request_body: dict[str, Any]) -> None:
    request_body["job_name"] = "x" * (MAX_BODY_BYTES + 1)
    problem_of(client.post("/api/jobs", json=request_body), 413)
    assert house.jobs.stored == {}


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ("/api/jobs?colour=green", "colour"),
        ("/api/jobs?limit=0", "limit"),
        ("/api/jobs?limit=many", "limit"),
        ("/api/jobs?offset=-1", "offset"),
        (f"/api/jobs?offset={10**30}", "offset"),
        ("/api/jobs?status=asleep", "status.0"),
        ("/api/jobs?q=a%00b", "q"),
        ("/api/plan?since=monday", "since"),
        ("/api/energy/forecast/GB-C?hours=0", "hours"),
        ("/api/energy/forecast/GB-C?hours=9999", "hours"),
        ("/api/logs?kind=rumour", "kind"),
        ("/api/logs?start=2026-11-20T14:00", "start"),
        ("/health?verbose=1", "verbose"),
        ("/api/jobs/a%20b", "job_id"),
    ],
)
def test_a_wrong_parameter_is_named(client: FlaskClient, address: str, field: str) -> None:
    problem = problem_of(client.get(address), 422)
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "address",
    [
        "/api/jobs/none",
        "/api/jobs/none/output",
        "/api/logs/none",
        "/api/sites/none",
        "/api/assets/none",
        "/api/audit/records/7",
        "/api/energy/current/GB-Z",
        "/api/energy/forecast/GB-Z",
        "/api/nowhere",
    ],
)
def test_what_is_not_there_is_404_with_a_remedy(client: FlaskClient, address: str) -> None:
    assert problem_of(client.get(address), 404)["remedy"]


def test_an_unknown_region_lists_the_known_ones(client: FlaskClient) -> None:
    remedy = problem_of(client.get("/api/energy/current/GB-Z"), 404)["remedy"]
    assert "GB-C" in remedy
    assert "NO-NO2" in remedy


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    response = client.delete("/api/jobs")
    problem_of(response, 405)
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"zone": "XX-1"}, "zone"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"own_load_kw": 5000}, "own_load_kw"),
        ({"capacity_kw": 0}, "capacity_kw"),
        ({"country": "England"}, "country"),
        ({"site_id": "../x"}, "site_id"),
    ],
)
def test_a_wrong_site_is_refused(client: FlaskClient, house: House, wrong: dict[str, Any], field: str) -> None:
    body = client.get("/api/sites/london").get_json() | {"site_id": "leeds"} | wrong
    problem = problem_of(client.post("/api/sites", json=body), 422)
    assert field in [e["field"] for e in problem["errors"]]
    assert set(house.repository.known) == {"london", "norway"}


def test_a_site_cannot_change_its_name_in_the_path(client: FlaskClient) -> None:
    body = client.get("/api/sites/london").get_json()
    assert problem_of(client.put("/api/sites/norway", json=body), 422)["errors"][0]["field"] == "site_id"


def test_a_wrong_asset_is_refused(client: FlaskClient, house: House) -> None:
    body = {"asset_id": "cluster", "asset_type": "gpu_cluster", "region": "GB-Z", "max_power_kw": 10}
    problem = problem_of(client.post("/api/assets", json=body), 422)
    assert problem["errors"][0] | {"remedy": ""} == {
        "field": "region",
        "value": "GB-Z",
        "message": "region 'GB-Z' is no site, grid zone or country of a known site",
        "remedy": "",
    }
    assert house.repository.known_assets == {}


def test_an_unexpected_error_is_500_and_tells_nothing(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.jobs, "find", lambda **_: 1 / 0)
    problem = problem_of(client.get("/api/jobs"), 500)
    assert "division" not in str(problem)
