"""A sentence becomes a draft: by the API, and on the submit form; nothing is ever submitted by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from agents.advisor.agent import Advisor
from agents.advisor.wording import ModelFailed
from core.errors import InputError
from core.job import JobRequest
from tests.unit.web.fakes import House
from web.application import create_app
from web.drafting import region_names

PAGE = {"Accept": "text/html"}
TEXT = "Train for 2 hours on 4 GPUs by tomorrow 18:00 in Norway, below 15 p/kWh"


TOO_SHORT = InputError("the window is too short for 10 h", field="latest_finish", remedy="Choose a later deadline.")


def form_of(client: FlaskClient, text: str) -> Any:
    token = client.get("/submit", headers=PAGE).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    return client.post("/submit/describe", data={"csrf_token": token, "text": text}, headers=PAGE)


def test_the_api_drafts_what_it_also_takes_and_stores_nothing(client: FlaskClient, house: House) -> None:
    told = client.post("/api/jobs/draft", json={"text": TEXT})
    assert told.status_code == 200
    body = told.get_json()
    assert (body["source"], body["note"], body["problem"]) == ("rules", "", None)
    assert (body["draft"]["duration_hours"], body["draft"]["gpu_count"]) == (2, 4)
    assert {field["field"]: field["said"] for field in body["understood"]}["max_price_gbp_per_kwh"] == "15 p/kWh"
    assert {field["field"] for field in body["assumed"]} == {"job_name", "flexibility_type", "tier"}
    assert body["quote"]["own"]["offer"]["cost_gbp"] > 0
    assert house.jobs.stored == {}
    assert client.post("/api/jobs", json=body["draft"]).status_code == 201


def test_a_draft_that_cannot_be_met_says_so_beside_its_fields(client: FlaskClient, house: House) -> None:
    house.loop.refusal = TOO_SHORT
    body = client.post("/api/jobs/draft", json={"text": "10 hours at 5 kW, done in 3 hours"}).get_json()
    assert (body["quote"], body["problem"]["field"]) == (None, "latest_finish")
    assert body["problem"]["remedy"] == "Choose a later deadline."
    assert body["draft"]["duration_hours"] == 10


@pytest.mark.parametrize(
    ("sent", "field"),
    [({"text": "hello"}, "text"), ({"text": ""}, "text"), ({"text": "x" * 601}, "text"), ({"words": "2 h"}, "words")],
)
def test_a_sentence_that_makes_no_job_is_a_problem_with_a_remedy(
    client: FlaskClient, sent: dict[str, str], field: str
) -> None:
    told = client.post("/api/jobs/draft", json=sent)
    assert (told.status_code, told.mimetype) == (422, "application/problem+json")
    assert field in {error["field"] for error in told.get_json()["errors"]}


def test_the_page_fills_the_form_and_says_what_it_understood(client: FlaskClient, house: House) -> None:
    page = form_of(client, TEXT)
    assert page.status_code == 200
    for words in (
        'name="duration_hours" value="2"',
        'name="gpu_count" value="4"',
        'name="latest_finish" value="2026-11-21T18:00"',
        'name="max_price_pence_per_kwh" value="15"',
        "“2 hours”",
        "assumed",
        "Read by rules",
        "At its best",
    ):
        assert words in page.text
    assert (
        'value="NO" checked' in page.text.replace('name="allowed_regions" ', "")
        or 'value="norway" checked' in page.text
    )
    assert house.jobs.stored == {}


def test_what_cannot_be_read_is_said_beside_the_sentence_and_the_form_stays_blank(client: FlaskClient) -> None:
    page = form_of(client, "make it <b>so</b>")
    assert page.status_code == 422
    assert 'value="make it &lt;b&gt;so&lt;/b&gt;"' in page.text
    assert "names no duration" in page.text
    assert 'name="job_name" value=""' in page.text


def test_a_draft_that_cannot_be_met_is_shown_with_the_error_at_its_field(client: FlaskClient, house: House) -> None:
    house.loop.refusal = TOO_SHORT
    page = form_of(client, "10 hours at 5 kW, done in 3 hours")
    assert 'id="latest_finish-error"' in page.text


def test_with_a_model_the_page_says_who_read_it_or_why_it_was_not_the_model(house: House) -> None:
    class Reader:
        """A model that reads two hours out of anything, once."""

        def __init__(self) -> None:
            self.left = 1

        def propose(self, _sentence: object) -> dict[str, Any]:
            self.left -= 1
            if self.left < 0:
                raise ModelFailed("the advisor's model did not answer: APITimeoutError")
            return {"duration_hours": 2.0, "tier": "spot"}

    advisor = Advisor(None, drafting=Reader())
    client = create_app(replace(house.services, advisor=advisor)).test_client()
    first = form_of(client, "2 hours at 5 kW whenever").text
    assert "Read by a language model; every number was checked against your sentence." in first
    assert "read from the sentence as a whole" in first
    again = form_of(client, "2 hours at 5 kW whenever").text
    assert "Read by rules: the advisor&#39;s model did not answer: APITimeoutError." in again


def test_regions_are_known_by_site_town_zone_country_and_code(house: House) -> None:
    london, norway = house.services.sites.sites()
    leeds = london.model_copy(update={"site_id": "leeds", "name": "Leeds", "zone": "GB-M"})
    names = region_names((london, norway, leeds))
    assert {names[name] for name in ("GB", "UK", "Great Britain")} == {"GB"}
    assert {names[name] for name in ("NO", "Norway", "Kristiansand")} == {"norway"}, "it is the only one there"
    assert "norway" not in names, "one name, one region"
    assert (names["GB-C"], names["Leeds"]) == ("london", "leeds")


def test_a_region_that_the_form_does_not_offer_is_kept_when_it_is_sent(house: House) -> None:
    class Reader:
        """Reads a zone out of anything."""

        def propose(self, _sentence: object) -> dict[str, Any]:
            return {"power_kw": 5.0, "allowed_regions": ("NO-NO2",)}

    client = create_app(replace(house.services, advisor=Advisor(None, drafting=Reader()))).test_client()
    assert 'name="allowed_regions" value="NO-NO2" checked' in form_of(client, "2 hours at 5 kW").text


def test_a_drafted_request_survives_the_form(client: FlaskClient) -> None:
    body = client.post("/api/jobs/draft", json={"text": f"{TEXT}, can be paused at £2 a pause"}).get_json()
    request = JobRequest.model_validate(body["draft"])
    assert (request.flexibility_type, request.pause_cost_gbp) == ("pausable", 2)
    page = form_of(client, f"{TEXT}, can be paused at £2 a pause").text
    assert 'name="pause_cost_gbp" value="2"' in page
