"""Statements of a site's settlement day: as recorded, as of an instant, and nothing shown as more than it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from audit.bodies.settlement import SettlementPeriodBody
from audit.record import Record
from tests.unit.audit.samples import carbon_claim, decision, delivery, one_of_each_kind
from tests.unit.web.fakes import House
from web.application import create_app

PAGE = {"Accept": "text/html"}
DAY = "2026-10-20"
COMPENSATION = {
    "payer": "suppliers_by_final_demand",
    "payee": "host_supplier",
    "mode": "mutualised",
    "gbp": "19.71",
    "indicative": True,
}
SENT = {"flow": "WMAN", "state": "sent", "deadline": "2026-10-20T15:30:00Z", "sent_at": "2026-10-20T15:00:00Z"}


@pytest.fixture
def client(house: House) -> FlaskClient:
    return create_app(house.services).test_client()


def stated(house: House, at: datetime | None = None, **changes: Any) -> Record:
    """Settlement period 36 of the worked example at London, or one like it; recorded at ``at``."""
    if at is not None:
        house.clock.set(at)
    worked = {
        "site_id": "london",
        "settlement_date": DAY,
        "settlement_period": 36,
        "sp_start_utc": "2026-10-20T16:30:00Z",
        "ub_mwh": "-0.5000",
        "ida_mwh": "-0.0100",
        "baseline_mwh": "-0.5000",
        "metered_mwh": "-0.3000",
        "deviation_mwh": "0.2000",
        "expected_mwh": "-0.5000",
        "run": "II",
        "trigger": "WMAN",
        "scrp_gbp_mwh": "98.53",
        "comp": COMPENSATION,
        "flows": [SENT],
    }
    body = one_of_each_kind()["settlement_period"].model_dump()
    return house.log.append(
        "settlement_period", SettlementPeriodBody.model_validate({**body, **worked, **changes}), agent="settlement"
    )


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address, headers=PAGE)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_the_worked_example_is_stated_to_its_figures(client: FlaskClient, house: House) -> None:
    stated(house)
    text = text_of(client, f"/audit/statements/london/{DAY}")
    for told in ("48 settlement periods", "−0.5000", "−0.3000", "0.2000", "£19.71", "indicative"):
        assert told in text
    assert "from suppliers by final demand to host supplier" in text
    assert "16:30 17:30 BST" in text
    assert 'href="/audit" aria-current="page"' in client.get(f"/audit/statements/london/{DAY}", headers=PAGE).text
    assert ", binding" not in text
    assert "Nothing was stated of periods 1, 2," in text
    assert "By location – kg CO₂" in text
    assert "No certificate is claimed for this day." in text


def test_point_20_what_was_sent_is_not_shown_as_accepted(client: FlaskClient, house: House) -> None:
    stated(house)
    page = client.get(f"/audit/statements/london/{DAY}", headers=PAGE).text
    assert re.findall(r'status status-(\w+)">(\w+)<', page) == [("sent", "sent")]


def test_point_19_an_earlier_view_is_shown_as_of_its_instant(client: FlaskClient, house: House) -> None:
    first = stated(house, datetime(2026, 11, 21, 9, tzinfo=UTC))
    stated(
        house,
        datetime(2026, 11, 30, 9, tzinfo=UTC),
        run="SF",
        revision=1,
        supersedes_seq=first.seq,
        deviation_mwh="0.1900",
    )
    address = f"/api/statements/london/{DAY}"
    now = client.get(address).get_json()
    then = client.get(f"{address}?as_of=2026-11-25T00:00:00Z").get_json()
    assert [(p["run"], p["binding"], p["figures"]["deviation_mwh"]) for p in now["periods"]] == [("SF", True, "0.1900")]
    assert [(p["run"], p["binding"], p["figures"]["deviation_mwh"]) for p in then["periods"]] == [
        ("II", False, "0.2000")
    ]
    assert (now["totals"]["deviation_mwh"]["mwh"], then["totals"]["deviation_mwh"]["mwh"]) == ("0.1900", "0.2000")
    assert (now["sp_count"], now["compensation_gbp"], len(now["missing"])) == (48, "19.71", 47)
    assert "0.2000" in text_of(client, f"/audit/statements/london/{DAY}?as_of=2026-11-25T00:00")
    assert "changes how this record is to be read" in text_of(client, f"/audit/{first.seq}")


def claimed_by(house: House, job_id: str) -> int:
    """The number of a delivery at London on the day of the example, which claims what the example saved."""
    taken = decision(job_id).model_copy(
        update={
            "site_id": "london",
            "runs": [{"start": "2026-10-20T16:30:00Z", "end": "2026-10-20T17:00:00Z", "power_kw": "400"}],
        }
    )
    seq = house.log.append("decision", type(taken).model_validate(taken.model_dump(warnings=False))).seq
    body = delivery(job_id, "london").model_copy(update={"decision_seq": seq, "carbon": carbon_claim("metered")})
    return house.log.append("delivery", body, agent="site").seq


def test_carbon_stands_in_columns_of_its_own_with_intervals_and_claim_level(client: FlaskClient, house: House) -> None:
    stated(house)
    claimed_by(house, "job-1")
    text = text_of(client, f"/audit/statements/london/{DAY}")
    for told in ("metered", "run at submission", "19.79 95&nbsp;%: 13.29 to 26.29", "−3.15 95&nbsp;%: −4.00 to −2.30"):
        assert told in text
    assert "16.64" not in text
    for record in house.log.records(job_id="job-1")[0]:
        settled = f'Settled with the half-hours of <a href="/audit/statements/london/{DAY}">London on {DAY}</a>'
        assert settled in client.get(f"/audit/{record.seq}", headers=PAGE).text
    claims = client.get(f"/api/statements/london/{DAY}").get_json()["claims"]
    assert [each["carbon"]["consequential"]["saved_kg"] for each in claims] == ["-3.15"]


def test_the_claims_of_a_day_are_summed_each_account_alone(client: FlaskClient, house: House) -> None:
    stated(house)
    claimed_by(house, "job-1")
    claimed_by(house, "job-2")
    told = client.get(f"/api/statements/london/{DAY}").get_json()["claimed"]
    assert told["attributional"] == {
        "saved_kg": "39.580000",
        "low_kg": "30.387612",
        "high_kg": "48.772388",
        "claim_level": "metered",
        "parts": 2,
        "unknown": 0,
    }
    assert (told["consequential"]["saved_kg"], told["baseline_policies"]) == ("-6.300000", ["run_at_submission"])
    assert (told["attributional_forecast"]["saved_kg"], told["attributional_forecast"]["unknown"]) == (None, 2)
    text = text_of(client, f"/audit/statements/london/{DAY}")
    assert "39.580000 95&nbsp;%: 30.387612 to 48.772388 metered, 2 of 2 known" in text
    assert "33.28" not in text


def test_a_delivery_that_claims_a_half_hour_again_is_left_out_and_named(client: FlaskClient, house: House) -> None:
    stated(house)
    claimed_by(house, "job-1")
    again = claimed_by(house, "job-1")
    told = client.get(f"/api/statements/london/{DAY}").get_json()["claimed"]
    assert (told["attributional"]["saved_kg"], list(told["refused"])) == ("19.790000", [str(again)])
    text = text_of(client, f"/audit/statements/london/{DAY}")
    assert f"Record {again} is not in the sums: job-1 has claimed its kWh of 2026-10-20 16:30Z at london" in text


def test_scope_2_stands_by_both_methods_with_the_certificates_used(client: FlaskClient, house: House) -> None:
    used = {"gc_id": "gc-1", "issuer": "TEST-ISSUER", "storage": False}
    scope2 = {
        "import_kwh": "300.000",
        "g_per_kwh": "204.000",
        "kind": "estimate",
        "provider": "NESO",
        "residual_g_per_kwh": None,
        "location_kg": "61.200000",
        "market_kg": "40.800000",
        "certificates": [{**used, "matched_wh": 100_000}],
        "matched_wh": 100_000,
        "without_residual_mix": True,
    }
    stated(house, scope2=scope2)
    later = {**scope2, "certificates": [{**used, "matched_wh": 50_000}], "matched_wh": 50_000, "market_kg": "51"}
    stated(house, settlement_period=37, sp_start_utc="2026-10-20T17:00:00Z", scope2={**later, "kind": "simulated"})
    stated(house, settlement_period=38, sp_start_utc="2026-10-20T17:30:00Z")
    told = client.get(f"/api/statements/london/{DAY}").get_json()["scope2"]
    assert told == {
        "import_kwh": "600.000",
        "location_kg": "122.400000",
        "market_kg": "91.800000",
        "matched_wh": 150_000,
        "certificates": [{**used, "matched_wh": 150_000}],
        "parts": 3,
        "unknown": 1,
        "without_residual_mix": 2,
        "sources": [["estimate", "NESO"], ["simulated", "NESO"]],
    }
    text = text_of(client, f"/audit/statements/london/{DAY}")
    for shown in ("By location 122.400000 kg CO₂", "By market 91.800000 kg CO₂", "gc-1 TEST-ISSUER no", "simulated"):
        assert shown in text
    assert "2 of 3 half-hours known" in text


def test_the_list_has_every_site_and_day_and_nothing_else(client: FlaskClient, house: House) -> None:
    assert "No settlement period has been stated yet." in text_of(client, "/audit/statements")
    stated(house)
    stated(house, settlement_period=37, sp_start_utc="2026-10-20T17:00:00Z")
    stated(house, settlement_date="2026-10-21", site_id="norway")
    house.log.append("decision", decision())
    page = client.get("/audit/statements", headers=PAGE).text
    rows = re.findall(r'href="/audit/statements/(\w+)/([\d-]+)".*?class="number">(\d+)<', page)
    assert rows == [("norway", "2026-10-21", "1"), ("london", DAY, "2")]


def test_the_csv_is_an_export_and_so_recorded(client: FlaskClient, house: House) -> None:
    stated(house)
    page = client.get(f"/audit/statements/london/{DAY}", headers=PAGE).text
    action = re.search(r'method="post" action="(/audit/export[^"]*)"', page)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert action
    assert token
    answer = client.post(action[1].replace("&amp;", "&"), data={"csrf_token": token[1], "format": "csv"})
    assert answer.text.count("2026-10-20T16:30:00Z") >= 1
    assert house.log.records(kind="export")[1] == 1


@pytest.mark.parametrize(
    "address", ["london/2026-10-19", "nowhere/2026-10-20", "london/yesterday", "london/2026-10-20?as_of=noon"]
)
def test_what_was_never_stated_is_not_found(client: FlaskClient, house: House, address: str) -> None:
    stated(house)
    assert client.get(f"/audit/statements/{address}", headers=PAGE).status_code == 404
