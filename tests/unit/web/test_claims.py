"""The claim in force about what a job did to carbon: on its page, in its records and statements, as of any instant."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from audit.bodies.carbon import CarbonClaimBody, IntensityBody, ShareBody
from audit.bodies.log import ChangeBody, CorrectionBody
from audit.bodies.settlement import SettlementPeriodBody
from audit.record import Record
from core.job import JobRequest, JobStatus
from tests.unit.audit.samples import carbon_claim, decision, delivery, one_of_each_kind
from tests.unit.web.fakes import House
from web.api.claim_shapes import CarbonShareOut
from web.application import create_app

PAGE = {"Accept": "text/html"}
DAY = "2026-10-20"
ENDED = datetime(2026, 11, 20, 16, tzinfo=UTC)
METERED, SETTLED = ENDED + timedelta(hours=1), ENDED + timedelta(days=2)


@pytest.fixture
def client(house: House) -> FlaskClient:
    return create_app(house.services).test_client()


@pytest.fixture
def job_id(house: House) -> str:
    request = {"job_name": "train", "flexibility_type": "deferrable", "duration_hours": 2, "power_kw": 20}
    latest = house.clock.now() + timedelta(hours=24)
    job = house.services.jobs.submit(JobRequest.model_validate({**request, "latest_finish": latest}))
    house.jobs.move(job.job_id, JobStatus.SCHEDULED)
    house.jobs.move(job.job_id, JobStatus.RUNNING)
    house.jobs.move(job.job_id, JobStatus.COMPLETED)
    return job.job_id


def restated(house: House, first: Record, before: Record, at: datetime, claim: CarbonClaimBody) -> Record:
    house.clock.set(at)
    body = CorrectionBody(
        corrected_seq=first.seq,
        corrected_leaf=first.leaf,
        changes=[ChangeBody(path="carbon/claim_level", was="x", now=claim.claim_level)],
        reason="the ledger has firmer figures",
        job_id=first.body["job_id"],
        site_id=first.body["site_id"],
        carbon=claim,
        revision=1 if before is first else 2,
        supersedes_seq=before.seq,
    )
    return house.log.append("correction", body, agent="settlement", refs=[first.ref])


@pytest.fixture
def told(house: House, job_id: str) -> list[Record]:
    """A delivery of London, and its claim restated twice."""
    runs = [{"start": "2026-10-20T16:30:00Z", "end": "2026-10-20T17:00:00Z", "power_kw": "400"}]
    taken = decision(job_id).model_dump(warnings=False) | {"site_id": "london", "runs": runs}
    seq = house.log.append("decision", type(decision()).model_validate(taken)).seq
    period = one_of_each_kind()["settlement_period"].model_dump() | {"site_id": "london", "settlement_date": DAY}
    house.log.append("settlement_period", SettlementPeriodBody.model_validate(period))
    house.clock.set(ENDED)
    made = {"decision_seq": seq, "carbon": carbon_claim("forecast", None)}
    first = house.log.append("delivery", delivery(job_id, "london").model_copy(update=made), agent="site")
    metered = restated(house, first, first, METERED, carbon_claim("metered"))
    return [first, metered, restated(house, first, metered, SETTLED, carbon_claim("settled", "18.50"))]


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address, headers=PAGE)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def test_a_job_has_the_claim_in_force_and_earlier_ones_as_of_their_time(
    client: FlaskClient, job_id: str, told: list[Record]
) -> None:
    first, metered, settled = told

    def claim(query: str = "") -> dict[str, object]:
        return client.get(f"/api/jobs/{job_id}{query}").get_json()["claim"]

    now = claim()
    assert (now["seq"], now["stated_by_seq"], now["revision"]) == (first.seq, settled.seq, 2)
    assert now["carbon"] == settled.body["carbon"]
    assert now["stated_at"] == "2026-11-22T16:00:00Z"
    then = claim("?as_of=2026-11-21T00:00:00Z")
    assert (then["stated_by_seq"], then["revision"]) == (metered.seq, 1)
    assert then["carbon"]["claim_level"] == "metered"
    assert claim("?as_of=2026-11-20T16:00:00Z")["carbon"]["claim_level"] == "forecast"
    assert claim("?as_of=2026-11-20T15:59:59Z") is None


def test_the_page_of_a_job_has_every_version_the_one_in_force_first(
    client: FlaskClient, job_id: str, told: list[Record]
) -> None:
    text = text_of(client, f"/jobs/{job_id}")
    first, metered, settled = (record.seq for record in told)
    claims = f"Correction {settled} Sun", f"Correction {metered} Fri", f"Delivery {first} Fri", "forecast – –"
    places = [text.index(claim) for claim in claims]
    assert places == sorted(places)
    assert "the first line is in force" in text
    assert "18.50 95 %: 13.29 to 26.29" in text


def test_a_job_that_claims_nothing_says_nothing(client: FlaskClient, house: House, job_id: str) -> None:
    house.log.append("delivery", delivery(job_id))
    assert client.get(f"/api/jobs/{job_id}").get_json()["claim"] is None
    assert "did to carbon" not in text_of(client, f"/jobs/{job_id}")


def test_records_of_a_job_name_the_one_that_restates_them(client: FlaskClient, job_id: str, told: list[Record]) -> None:
    first, metered, settled = (record.seq for record in told)

    def by(address: str) -> dict[int, int | None]:
        logs = client.get(address).get_json()["logs"]
        return {each["seq"]: each["restated_by"] for each in logs if each["kind"] in {"delivery", "correction"}}

    for address in (f"/api/logs/{job_id}", f"/api/logs?job_id={job_id}", "/api/logs"):
        assert by(address) == {first: settled, metered: settled, settled: None}
    assert by(f"/api/logs/{job_id}?as_of=2026-11-21T00:00:00Z") == {first: metered, metered: None}
    assert by(f"/api/logs/{job_id}?as_of=2026-11-20T16:00:00Z") == {first: None}


def test_the_statement_of_the_day_has_the_claim_in_force_once(client: FlaskClient, told: list[Record]) -> None:
    address = f"statements/london/{DAY}"
    (now,) = client.get(f"/api/{address}").get_json()["claims"]
    assert (now["seq"], now["stated_by_seq"]) == (told[0].seq, told[2].seq)
    assert now["carbon"]["attributional"]["saved_kg"] == "18.50"
    (then,) = client.get(f"/api/{address}?as_of=2026-11-21T00:00:00Z").get_json()["claims"]
    assert (then["stated_by_seq"], then["carbon"]["attributional"]["saved_kg"]) == (told[1].seq, "19.79")
    text = text_of(client, f"/audit/{address}")
    assert "settled restated Sun 22 Nov 16:00 UTC, revision 2" in text
    assert "restated" not in text_of(client, f"/audit/{address}?as_of=2026-11-20T16:30")


def test_the_story_of_each_record_leads_to_what_changes_it(client: FlaskClient, told: list[Record]) -> None:
    first, metered, settled = (record.seq for record in told)
    pages = [text_of(client, f"/audit/{seq}") for seq in (first, metered, settled)]
    changed = "changes how this record is to be read"
    assert [page.count(changed) for page in pages] == [2, 1, 0]
    claim = f"The carbon claim of delivery {first} is restated as settled with 18.50 kg saved (95 % 13.29 to 26.29 kg)"
    assert f"{claim}, revision 2" in pages[0]
    assert f"Correction {settled} {changed}" in pages[1]


def test_point_23_the_share_of_carbon_saved_has_its_interval_baseline_and_level(
    client: FlaskClient, job_id: str, told: list[Record]
) -> None:
    now = client.get(f"/api/jobs/{job_id}").get_json()["carbon_reduction"]
    assert now == {
        "percent": pytest.approx(100 * 18.50 / 144.42),
        "low_percent": pytest.approx(100 * 13.29 / 144.42),
        "high_percent": pytest.approx(100 * 26.29 / 144.42),
        "baseline_policy": "run_at_submission",
        "claim_level": "settled",
    }
    then = client.get(f"/api/jobs/{job_id}?as_of=2026-11-21T00:00:00Z").get_json()["carbon_reduction"]
    assert then["claim_level"] == "metered"
    assert client.get(f"/api/jobs/{job_id}?as_of=2026-11-20T16:00:00Z").get_json()["carbon_reduction"] is None


def test_before_a_delivery_the_share_is_the_forecast_of_the_decision(
    client: FlaskClient, house: House, job_id: str
) -> None:
    forecast = ShareBody(baseline_kg="-10", saved_kg="5", low_kg="4", high_kg="6", saved_percent="50")
    claim = carbon_claim("forecast", None).model_copy(update={"attributional_forecast": forecast})
    house.log.append("decision", decision(job_id).model_copy(update={"carbon": claim}))
    share = client.get(f"/api/jobs/{job_id}").get_json()["carbon_reduction"]
    assert (share["percent"], share["low_percent"], share["high_percent"]) == (50, 40, 60)
    assert share["claim_level"] == "forecast"


@pytest.mark.parametrize("changes", [{"low_kg": "5", "high_kg": "5"}, {"baseline_kg": "0.000000"}])
def test_point_23_where_no_interval_is_known_there_is_no_percentage(changes: dict[str, str]) -> None:
    share = {"baseline_kg": "10", "saved_kg": "5", "low_kg": "4", "high_kg": "6", "saved_percent": "50"}
    claim = carbon_claim("forecast", None).model_dump()
    assert CarbonShareOut.of(claim | {"attributional_forecast": share}) is not None
    assert CarbonShareOut.of(claim | {"attributional_forecast": share | changes}) is None
    assert CarbonShareOut.of(claim) is None
    assert CarbonShareOut.of(None) is None


def test_a_claim_on_simulated_carbon_says_so_wherever_it_stands(
    client: FlaskClient, house: House, job_id: str, told: list[Record]
) -> None:
    address = f"/audit/statements/london/{DAY}"
    shown = [text_of(client, page) for page in (f"/jobs/{job_id}", address)]
    assert not any("settled simulated" in text for text in shown)
    made_up = [IntensityBody(mean_g_per_kwh="200", kind="simulated", provider="world", method_version=None)]
    claim = carbon_claim("forecast").model_copy(update={"average_outturn": made_up})
    last = restated(house, told[0], told[2], SETTLED + timedelta(hours=1), claim)
    for page in (f"/jobs/{job_id}", address):
        assert "forecast simulated" in text_of(client, page)
    assert "restated as forecast on simulated carbon" in text_of(client, f"/audit/{last.seq}")
