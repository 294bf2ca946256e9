"""A decision explained: by the API, and on the job's page with the model's words fetched afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from agents.advisor.agent import Advisor
from core.job import JobStatus
from tests.browser.fakes import full_house
from tests.unit.web.fakes import House
from web.application import create_app

PAGE = {"Accept": "text/html"}


class Friendly:
    """Says the text again with a word before it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def reword(self, text: str) -> str:
        self.asked.append(text)
        return f"Gladly. {text}"


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[House]:
    house = full_house(tmp_path)
    yield house
    house.log.close()


@pytest.fixture
def placed(busy: House) -> str:
    return next(job.job_id for job in busy.jobs.stored.values() if job.status is JobStatus.SCHEDULED)


def served(house: House, advisor: Advisor) -> FlaskClient:
    return create_app(replace(house.services, advisor=advisor)).test_client()


def test_the_api_explains_the_latest_decision_by_rules(busy: House, placed: str) -> None:
    client = create_app(busy.services).test_client()
    told = client.get(f"/api/jobs/{placed}/explanation")
    assert told.status_code == 200
    assert told.get_json().keys() == {"text", "source", "decision_seq"}
    assert told.get_json()["source"] == "rules"
    assert "the baseline “run at submission” at london" in told.get_json()["text"]
    assert told.get_json()["decision_seq"] == client.get(f"/api/jobs/{placed}").get_json()["decision_seq"]


def test_the_api_says_what_would_make_a_refused_job_possible(busy: House) -> None:
    waiting = next(job.job_id for job in busy.jobs.stored.values() if job.status is JobStatus.PENDING)
    told = create_app(busy.services).test_client().get(f"/api/jobs/{waiting}/explanation").get_json()
    assert "What would make it possible: finish up to 4 h later (at no extra cost)" in told["text"]


@pytest.mark.parametrize("path", ["/api/jobs/nobody/explanation", "/jobs/nobody/explanation"])
def test_a_job_that_is_not_there_cannot_be_explained(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_before_the_first_decision_the_answer_is_a_problem_with_a_remedy(
    client: FlaskClient, request_body: dict[str, object]
) -> None:
    job_id = client.post("/api/jobs", json=request_body).get_json()["job_id"]
    told = client.get(f"/api/jobs/{job_id}/explanation")
    assert (told.status_code, told.mimetype) == (404, "application/problem+json")
    assert told.get_json()["detail"] == f"nothing has been decided about job {job_id} yet"
    assert client.get(f"/jobs/{job_id}", headers=PAGE).status_code == 200


def test_without_a_key_the_page_holds_the_text_and_asks_for_no_other(busy: House, placed: str) -> None:
    page = create_app(busy.services).test_client().get(f"/jobs/{placed}", headers=PAGE).text
    assert "the baseline “run at submission” at London" in page
    assert f"/jobs/{placed}/explanation" not in page


def test_with_a_model_the_page_comes_at_once_and_asks_for_its_words_once(busy: House, placed: str) -> None:
    wording = Friendly()
    client = served(busy, Advisor(wording))
    page = client.get(f"/jobs/{placed}", headers=PAGE).text
    assert f'hx-get="/jobs/{placed}/explanation" hx-trigger="load"' in page
    assert "Gladly" not in page
    assert wording.asked == []
    part = client.get(f"/jobs/{placed}/explanation", headers={**PAGE, "HX-Request": "true"})
    assert part.headers["Cache-Control"] == "no-store"
    for text in (part.text, client.get(f"/jobs/{placed}", headers=PAGE).text):
        assert "Gladly. It runs at" in text
        assert "Worded by a language model" in text
        assert "hx-get" not in text.partition('id="explanation"')[2].partition(">")[0]
    assert len(wording.asked) == 1


def test_nothing_that_names_the_job_or_its_tenant_is_given_to_the_model(busy: House) -> None:
    wording = Friendly()
    client = served(busy, Advisor(wording))
    for job in busy.jobs.stored.values():
        client.get(f"/api/jobs/{job.job_id}/explanation")
    told = " ".join(wording.asked)
    assert told
    for job in busy.jobs.stored.values():
        secrets = {job.job_name, job.job_id, job.tenant, " ".join(job.command or ())} - {""}
        assert [secret for secret in secrets if secret in told] == []
