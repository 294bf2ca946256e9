"""A decision explained: by the API, and on the job's page with the model's words fetched afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from agents.advisor.agent import Advisor
from agents.standing import Waiting
from core.job import Job, JobStatus
from core.slots import SLOT
from tests.browser.fakes import full_house, number_of
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


@pytest.fixture
def pending(busy: House) -> Job:
    return next(job for job in busy.jobs.stored.values() if job.status is JobStatus.PENDING and number_of(job) % 3)


def of_status(house: House, status: JobStatus, *, explained: bool) -> str:
    """A job whose decision's record holds figures, or is older than they are."""
    jobs = house.jobs.stored.values()
    return next(job.job_id for job in jobs if job.status is status and bool(number_of(job) % 3) == explained)


def served(house: House, advisor: Advisor) -> FlaskClient:
    return create_app(replace(house.services, advisor=advisor)).test_client()


def test_the_api_explains_the_latest_decision_by_rules(busy: House, placed: str) -> None:
    client = create_app(busy.services).test_client()
    told = client.get(f"/api/jobs/{placed}/explanation")
    assert told.status_code == 200
    assert told.get_json().keys() == {"text", "source", "note", "decision_seq"}
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


def test_the_page_tells_the_figures_of_sites_times_and_conditions(busy: House) -> None:
    job_id = of_status(busy, JobStatus.SCHEDULED, explained=True)
    page = create_app(busy.services).test_client().get(f"/jobs/{job_id}", headers=PAGE).text
    for words in (
        "Why here: the best course at each site",
        "Compared at",
        "£1.00 more",
        "Next best there",
        "there was no room for it",
        "Finished up to 4 h later",
        "−£0.90",
        "+400 g",
        "These cost it nothing: the sites it may use.",
        "It holds £0.42 worth of what others want",
        "1.25 p for a kW held for the half-hour",
    ):
        assert words in page


def test_a_record_of_before_is_shown_with_what_it_has(busy: House) -> None:
    job_id = of_status(busy, JobStatus.SCHEDULED, explained=False)
    client = create_app(busy.services).test_client()
    page = client.get(f"/jobs/{job_id}", headers=PAGE).text
    assert "Why here: the best course at each site" in page
    assert "Compared at" not in page
    told = client.get(f"/api/jobs/{job_id}").get_json()["explanation"]
    assert (told["next_here"], told["conditions"]) == (None, [])
    assert told["options"][0]["reject_code"] is None


def test_the_record_itself_shows_the_same_figures(busy: House) -> None:
    client = create_app(busy.services).test_client()
    job_id = of_status(busy, JobStatus.SCHEDULED, explained=True)
    seq = client.get(f"/api/jobs/{job_id}").get_json()["decision_seq"]
    assert "What its conditions cost" in client.get(f"/audit/{seq}", headers=PAGE).text


def test_the_api_tells_the_figures_behind_the_latest_decision(busy: House) -> None:
    job_id = of_status(busy, JobStatus.SCHEDULED, explained=True)
    body = create_app(busy.services).test_client().get(f"/api/jobs/{job_id}").get_json()
    told = body["explanation"]
    assert (told["verdict"], told["run_now_fits"], body["waiting"]) == ("award", False, None)
    assert told["next_here"]["priced_gbp"] == 4.8
    assert told["conditions"][0] == {
        "constraint": "deadline",
        "change": "finished up to 4 h later",
        "saving_gbp": 1.21,
        "saving_cost_gbp": 0.9,
        "saving_kg": -0.4,
    }
    assert told["contested"][0]["worth_gbp"] == 0.21
    assert told["options"][0]["scarcity_gbp"] == 0.42


def test_a_waiting_job_is_told_when_the_plan_in_force_has_room_for_it(busy: House, pending: Job) -> None:
    plan_start = busy.clock.now()
    room = Waiting(plan_start, "norway", pending.latest_finish + SLOT, pending.latest_finish + 3 * SLOT)
    busy.loop.room[pending.job_id] = room
    client = create_app(busy.services).test_client()
    page = client.get(f"/jobs/{pending.job_id}", headers=PAGE).text
    assert "As the plan stands there is room for it from" in page
    assert "which is after its deadline" in page
    body = client.get(f"/api/jobs/{pending.job_id}").get_json()
    assert (body["waiting"]["site_id"], body["waiting"]["beyond_horizon"]) == ("norway", False)
    assert body["explanation"]["counter_offers"][1]["extra_carbon_kg"] == -1.5


def test_room_beyond_the_plan_and_no_room_at_all_are_told_as_such(busy: House, pending: Job) -> None:
    client = create_app(busy.services).test_client()
    start = busy.clock.now()
    busy.loop.room[pending.job_id] = Waiting(start, "norway", start, start + SLOT, beyond_horizon=True)
    assert "if headroom stays as on its last day" in client.get(f"/jobs/{pending.job_id}", headers=PAGE).text
    busy.loop.room[pending.job_id] = Waiting(start, reason="it costs more than its tier pays")
    page = client.get(f"/jobs/{pending.job_id}", headers=PAGE).text
    assert "When there will be room cannot be said. It costs more than its tier pays." in page
    del busy.loop.room[pending.job_id]
    assert client.get(f"/api/jobs/{pending.job_id}").get_json()["waiting"] is None


def test_before_the_first_decision_there_is_no_explanation(
    client: FlaskClient, request_body: dict[str, object]
) -> None:
    job_id = client.post("/api/jobs", json=request_body).get_json()["job_id"]
    assert client.get(f"/api/jobs/{job_id}").get_json()["explanation"] is None
