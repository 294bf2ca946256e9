"""Problems for people: on page routes a browser is shown the same facts as a page."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError, model_validator

from core.errors import LogUnavailable
from tests.unit.web.fakes import House
from web.problems import field_errors, safe

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_browser_gets_a_page(client: FlaskClient) -> None:
    response = client.get("/jobs/job-nowhere", headers=BROWSER)
    assert (response.status_code, response.mimetype) == (404, "text/html")
    assert "job-nowhere" in response.text
    assert "<h1>" in response.text


def test_a_program_gets_a_problem_on_the_same_route(client: FlaskClient) -> None:
    for accept in ({"Accept": "application/json"}, {"Accept": "*/*"}, {}):
        response = client.get("/jobs/job-nowhere", headers=accept)
        assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_a_browser_gets_a_problem_from_the_api(client: FlaskClient) -> None:
    assert client.get("/api/jobs/none", headers=BROWSER).mimetype == "application/problem+json"


def test_a_page_that_cannot_promise_says_when_to_come_back(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: Any) -> Any:
        raise LogUnavailable("No space left on device")

    monkeypatch.setattr(house.jobs, "find", full)
    response = client.get("/jobs", headers=BROWSER)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "No space left on device" in response.text


def test_a_page_that_fails_tells_nothing_of_the_cause(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.jobs, "find", lambda **_: 1 / 0)
    response = client.get("/jobs", headers=BROWSER)
    assert (response.status_code, response.mimetype) == (500, "text/html")
    assert "division" not in response.text


def test_a_page_even_stands_when_what_frames_it_fails(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.services.energy, "notices", lambda: 1 / 0)
    response = client.get("/jobs", headers=BROWSER)
    assert response.status_code == 500
    assert "division" not in response.text


def test_a_form_without_its_token_is_refused(client: FlaskClient, house: House) -> None:
    response = client.post("/submit", data={"job_name": "x"}, headers=BROWSER)
    assert response.status_code == 400
    assert house.jobs.stored == {}


class Nested(BaseModel):
    kw: float = Field(gt=0)


class Sent(BaseModel):
    power_kw: float = Field(1, le=10)
    parts: list[Nested] = []
    start: str = ""
    end: str = ""

    @model_validator(mode="after")
    def _window(self) -> Sent:
        if self.end < self.start:
            raise ValueError("end must be after start")
        return self


def errors_of(data: Any) -> list[dict[str, Any]]:
    with pytest.raises(ValidationError) as caught:
        Sent.model_validate(data)
    return [error.model_dump() for error in field_errors(caught.value)]


def test_a_field_inside_a_field_is_named_by_its_path() -> None:
    error = errors_of({"parts": [{"kw": 1}, {"kw": -1}]})[0]
    assert (error["field"], error["value"], error["remedy"]) == ("parts.1.kw", -1, "Send a value greater than 0.0.")


def test_a_rule_between_fields_names_the_first_of_them() -> None:
    error = errors_of({"start": "b", "end": "a"})[0]
    assert (error["field"], error["value"]) == ("end", "a")


def test_a_bound_is_part_of_the_remedy() -> None:
    assert errors_of({"power_kw": 11})[0]["remedy"] == "Send a value of at most 10.0."


def test_what_is_no_object_is_said_of_the_body() -> None:
    assert errors_of([1])[0]["field"] == "body"


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_value_can_be_shown_back(value: Any) -> None:
    shown = safe(value)
    assert len(str(shown)) <= 200
    assert "\0" not in str(shown)
    str(shown).encode()
