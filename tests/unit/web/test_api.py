"""What the JSON API answers when all is well, and when a part of the house is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from audit.bodies.booking import BookingBody
from core.job import JobStatus
from core.ledger import Leg
from tests.unit.web.fakes import BrokenLog, House
from web.application import create_app


@pytest.fixture
def job_id(client: FlaskClient, request_body: dict[str, Any]) -> str:
    return str(client.post("/api/jobs", json=request_body).get_json()["job_id"])


def test_a_job_is_accepted_and_a_tick_asked_for_but_not_waited_for(
    client: FlaskClient, house: House, request_body: dict[str, Any]
) -> None:
    response = client.post("/api/jobs", json=request_body)

    job = response.get_json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/jobs/{job['job_id']}" == job["links"]["job"]
    assert (job["status"], job["latest_finish"]) == ("pending", "2026-11-21T12:00:00Z")
    assert house.loop.requested == ["job"]
    assert house.ticks.kept == []


def test_the_names_of_older_clients_are_understood(client: FlaskClient) -> None:
    body = {
        "job_name": "old client",
        "job_type": "training",
        "duration_hours": 1,
        "earliest_start": "2026-11-20T15:00Z",
        "latest_finish": "2026-11-21T15:00+01:00",
        "allowed_regions": ["GB-C"],
        "priority": "critical",
        "max_price_per_kwh": 0.4,
        "estimated_power_kw": 20,
    }
    job = client.post("/api/jobs", json=body).get_json()
    assert (job["tier"], job["priority"]) == ("premium", "critical")
    assert job["power_kw"] == job["estimated_power_kw"] == 20
    assert job["max_price_gbp_per_kwh"] == job["max_price_per_kwh"] == 0.4
    assert job["latest_finish"] == "2026-11-21T14:00:00Z"


def test_jobs_are_found_by_what_they_are(client: FlaskClient, house: House, request_body: dict[str, Any]) -> None:
    for name, tenant in (("render", "film"), ("train", "lab"), ("train again", "lab")):
        client.post("/api/jobs", json=request_body | {"job_name": name, "tenant": tenant})
    first = next(iter(house.jobs.stored))
    house.jobs.move(first, JobStatus.SCHEDULED)

    def found(query: str) -> tuple[list[str], int]:
        answer = client.get(f"/api/jobs?{query}").get_json()
        return [job["job_name"] for job in answer["jobs"]], answer["total"]

    assert found("tenant=lab&limit=1") == (["train again"], 2)
    assert found("tenant=lab&limit=1&offset=1") == (["train"], 2)
    assert found("q=render") == (["render"], 1)
    assert found("status=scheduled&status=running") == (["render"], 1)
    assert found("flexibility_type=fixed") == ([], 0)


def test_scheduling_a_job_answers_where_when_and_what_it_saves(client: FlaskClient, job_id: str) -> None:
    schedule = client.post(f"/api/jobs/{job_id}/schedule").get_json()

    assert schedule["region"] == "NO-NO2"
    assert (schedule["start_time"], schedule["end_time"]) == ("2026-11-20T15:30:00Z", "2026-11-20T17:30:00Z")
    assert schedule["throttling_profile"] == [1.0] * 4
    assert schedule["estimated_energy_kwh"] == pytest.approx(50 * 2 * 1.1)
    assert schedule["estimated_cost_gbp"] == pytest.approx(5.5)
    assert schedule["baseline_cost_gbp"] == pytest.approx(11.0)
    assert schedule["cost_saved_gbp"] == schedule["flexibility_value_gbp"] == pytest.approx(5.5)
    assert schedule["cost_reduction_percent"] == pytest.approx(50)
    assert (schedule["baseline_policy"], schedule["carbon_reduction"]) == ("run-at-submission", None)
    assert schedule["state"] == "forecast"
    assert schedule["data_kinds"] == ["forecast", "simulated"]


def test_a_schedule_shows_pauses_and_part_power(client: FlaskClient, house: House, job_id: str) -> None:
    client.post(f"/api/jobs/{job_id}/schedule")
    plan = [row for row in house.ledger.rows if row.leg is Leg.PLAN]
    house.ledger.rows = [plan[0], replace(plan[3], power_kw=25)]

    schedule = client.post(f"/api/jobs/{job_id}/schedule").get_json()

    assert schedule["throttling_profile"] == [1.0, 0.0, 0.0, 0.5]
    assert schedule["cost_saved_gbp"] is None
    assert schedule["baseline_cost_gbp"] is None


def test_a_job_without_a_place_says_why(client: FlaskClient, house: House, job_id: str) -> None:
    house.loop.full = True
    response = client.post(f"/api/jobs/{job_id}/schedule")
    assert response.status_code == 409
    assert "no site has headroom" in response.get_json()["detail"]

    everything = client.post("/api/schedule-all").get_json()
    assert everything["waiting"] == [
        {"job_id": job_id, "status": "pending", "reason": "no site has headroom in its window"}
    ]


def test_a_failed_tick_is_said(client: FlaskClient, house: House, job_id: str) -> None:
    house.loop.outcome = "failed"
    response = client.post(f"/api/jobs/{job_id}/schedule")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert client.post("/api/ticks").get_json()["outcome"] == "failed"


def test_a_job_shows_its_half_hours_and_they_add_up(client: FlaskClient, job_id: str) -> None:
    client.post("/api/schedule-all")

    job = client.get(f"/api/jobs/{job_id}").get_json()

    assert job["status"] == "scheduled"
    assert len(job["allocations"]) == len(job["baseline"]) == 4
    savings = job["savings"]
    assert sum(slot["cost_gbp"] for slot in job["allocations"]) == pytest.approx(savings["plan"]["cost_gbp"])
    assert sum(slot["carbon_kg"] for slot in job["baseline"]) == pytest.approx(savings["baseline"]["carbon_kg"])
    assert job["decision_seq"] is None


def test_a_job_that_was_never_planned_claims_nothing(client: FlaskClient, job_id: str) -> None:
    job = client.get(f"/api/jobs/{job_id}").get_json()
    assert (job["allocations"], job["savings"]) == ([], None)


def test_a_job_is_cancelled_once(client: FlaskClient, house: House, job_id: str) -> None:
    first = client.post(f"/api/jobs/{job_id}/cancel", json={"reason": "not needed"})
    again = client.post(f"/api/jobs/{job_id}/cancel", json={"reason": "really"})

    assert (first.status_code, first.get_json()["reason"]) == (200, "not needed")
    assert house.dispatcher.cancelled == [job_id]
    assert again.status_code == 409
    assert house.loop.requested == ["job", "job"]


def test_a_job_is_cancelled_without_a_body(client: FlaskClient, job_id: str) -> None:
    assert client.post(f"/api/jobs/{job_id}/cancel").get_json()["status"] == "cancelled"


def test_a_terminal_job_is_not_cancelled(client: FlaskClient, house: House, job_id: str) -> None:
    house.jobs.move(job_id, JobStatus.FAILED)
    assert client.post(f"/api/jobs/{job_id}/cancel").status_code == 409
    assert house.dispatcher.cancelled == []


def test_output_is_shown(client: FlaskClient, job_id: str) -> None:
    assert client.get(f"/api/jobs/{job_id}/output").get_json()["output"] == "epoch 1\n"


def test_a_quote_stores_nothing(client: FlaskClient, house: House, request_body: dict[str, Any]) -> None:
    quote = client.post("/api/quote", json=request_body).get_json()
    assert (quote["now"]["cost_gbp"], quote["own"]["offer"]["cost_gbp"]) == (2.0, 1.0)
    assert (quote["now"]["cost_low_gbp"], quote["now"]["cost_high_gbp"]) == (1.8, 2.5)
    assert (quote["now"]["carbon_low_kg"], quote["now"]["carbon_high_kg"]) == (0.9, 1.2)
    assert quote["own"]["offer"]["runs"][0]["power_kw"] == 10.0
    assert [point["saved_gbp"] for point in quote["points"]] == [0.0, 1.0, 1.0]
    assert (quote["points"][0]["saved_gbp_per_h"], quote["points"][1]["saved_gbp_per_h"]) == (None, 1 / 12)
    assert quote["own"] == quote["points"][-1]
    assert (quote["tick_id"], quote["carbon_price_gbp_per_tonne"]) == ("t-1", 100.0)
    assert house.jobs.stored == {}
    assert house.loop.requested == []


def test_a_quote_is_for_the_deadlines_asked(client: FlaskClient, request_body: dict[str, Any]) -> None:
    asked = ["2026-11-20T18:00:00Z", "2026-11-21T06:00:00Z"]
    points = client.post("/api/quote", json=request_body | {"deadlines": asked}).get_json()["points"]
    assert [point["latest_finish"] for point in points] == asked


def test_before_the_first_plan_there_is_no_quote(
    client: FlaskClient, house: House, request_body: dict[str, Any]
) -> None:
    house.loop.unplanned = True
    answer = client.post("/api/quote", json=request_body)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.headers["Retry-After"]


def test_statistics_are_the_sums_of_the_jobs(client: FlaskClient, house: House, request_body: dict[str, Any]) -> None:
    ids = [client.post("/api/jobs", json=request_body).get_json()["job_id"] for _ in range(3)]
    client.post("/api/schedule-all")
    house.ledger.rows = [replace(row, settled=row.leg is Leg.PLAN) for row in house.ledger.rows]

    statistics = client.get("/api/statistics").get_json()
    jobs = [client.get(f"/api/jobs/{job_id}").get_json()["savings"] for job_id in ids]

    for figure in ("cost_saved_gbp", "carbon_saved_kg"):
        assert statistics["totals"][figure] == pytest.approx(sum(job[figure] for job in jobs))
    assert statistics["totals"]["state"] == "part settled, simulated"
    assert statistics["baseline_policy"] == "run-at-submission"
    assert statistics["jobs"]["scheduled"] == statistics["compared_jobs"] == 3


def test_energy_says_what_each_figure_is(client: FlaskClient) -> None:
    current = client.get("/api/energy/current/GB-C").get_json()
    assert current["slot_start"] == "2026-11-20T14:00:00Z"
    assert (current["price"]["unit"], current["carbon"]["unit"]) == ("GBP/kWh", "gCO2/kWh")
    assert current["price"]["kind"] == "simulated"

    forecast = client.get("/api/energy/forecast/GB-C?hours=6").get_json()
    elsewhere = client.get("/api/energy/forecast/NO-NO2?hours=6").get_json()
    assert len(forecast["values"]) == 12
    assert all(slot["carbon"]["source"] for slot in forecast["values"])
    assert [s["carbon"]["value"] for s in forecast["values"]] != [s["carbon"]["value"] for s in elsewhere["values"]]


def test_sites_are_registered_and_changed(client: FlaskClient, house: House) -> None:
    body = client.get("/api/sites/london").get_json() | {"site_id": "leeds", "zone": "GB-M"}
    created = client.post("/api/sites", json=body)
    assert (created.status_code, created.headers["Location"]) == (201, "/api/sites/leeds")
    assert client.post("/api/sites", json=body).status_code == 409

    changed = client.put("/api/sites/leeds", json=body | {"capacity_kw": 500})
    assert changed.get_json()["capacity_kw"] == client.get("/api/sites/leeds").get_json()["capacity_kw"] == 500
    assert client.get("/api/sites").get_json()["total"] == 3
    assert house.loop.requested == ["operator", "operator"]


def test_assets_are_registered_and_changed(client: FlaskClient) -> None:
    body = {"asset_id": "cluster-1", "asset_type": "gpu_cluster", "region": "GB-C", "max_power_kw": 80}
    created = client.post("/api/assets", json=body)
    assert (created.status_code, created.headers["Location"]) == (201, "/api/assets/cluster-1")
    assert client.post("/api/assets", json=body).status_code == 409
    assert client.put("/api/assets/cluster-1", json=body | {"min_power_kw": 5}).get_json()["min_power_kw"] == 5
    assert client.put("/api/assets/cluster-2", json=body).status_code == 422
    assert client.get("/api/assets").get_json()["assets"] == [
        body | {"min_power_kw": 5, "flexibility_type": "deferrable"}
    ]


def test_the_plan_is_sites_by_slots(client: FlaskClient, house: House) -> None:
    house.loop.plan.price[0, 0] = float("nan")
    plan = client.get("/api/plan").get_json()
    assert [site["site_id"] for site in plan["sites"]] == ["london", "norway"]
    assert all(len(site["planned_kw"]) == plan["slots"] for site in plan["sites"])
    assert plan["sites"][0]["price_gbp_per_kwh"][0] is None
    assert plan["tick"] is None


def test_ticks_are_listed_newest_first(client: FlaskClient) -> None:
    made = [client.post("/api/ticks").get_json()["tick_id"] for _ in range(3)]
    assert [tick["tick_id"] for tick in client.get("/api/ticks?limit=2").get_json()["ticks"]] == made[:0:-1]


@pytest.fixture
def booked(house: House) -> str:
    """A booking's record on the log; returns the buyer's reference."""
    body = BookingBody(
        booking_id="b1",
        slot_id="london.20261120T1430Z",
        job_id="buyer-7",
        site_id="london",
        start="2026-11-20T14:30:00Z",
        end="2026-11-20T15:00:00Z",
        power_kw="60.000",
        price_gbp_per_kwh="0.11",
        carbon_g_per_kwh="110",
        state="confirmed",
        data_kinds=["forecast"],
    )
    house.log.append("booking", body)
    return "buyer-7"


def test_records_are_shown_filtered_and_proved(client: FlaskClient, booked: str) -> None:
    logs = client.get("/api/logs?kind=booking&site_id=london&q=BUYER").get_json()
    assert logs["total"] == 1
    entry = logs["logs"][0]
    assert (entry["log_id"], entry["job_id"], entry["decision_type"]) == ("b1", booked, "booking")
    assert client.get("/api/logs?kind=round").get_json()["total"] == 0
    assert client.get(f"/api/logs/{booked}").get_json()["total"] == 1

    record = client.get(f"/api/audit/records/{entry['seq']}").get_json()
    assert record["body"]["power_kw"] == "60.000"
    assert record["line"].startswith("{")
    assert client.get("/api/audit/verify").get_json()["ok"] is True


def test_a_changed_record_is_found_out(client: FlaskClient, house: House, booked: str) -> None:
    path = house.log.path
    path.write_bytes(path.read_bytes().replace(b"60.000", b"61.000"))
    outcome = client.get("/api/audit/verify").get_json()
    assert (outcome["ok"], outcome["first_bad_line"]) == (False, 1)
    assert client.get("/api/audit/records/0").status_code == 503


def test_health_tells_of_each_part(client: FlaskClient, house: House) -> None:
    health = client.get("/health").get_json()
    assert health["status"] == "healthy"
    assert health["initialized"] is False
    assert {feed["state"] for feed in health["feeds"]} == {"simulated"}
    assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200

    client.post("/api/ticks")
    house.loop.state.last_error = "solver"
    health = client.get("/api/health").get_json()
    assert (health["status"], health["initialized"]) == ("degraded", True)
    house.loop.state.last_error = None
    house.loop.state.next_at = house.clock.now() + timedelta(minutes=5)
    assert "14:15:00Z" in client.get("/health").get_json()["checks"]["loop"]["detail"]
    house.loop.state.running = False
    assert client.get("/health").get_json()["checks"]["loop"]["ok"] is False


def test_without_its_database_it_is_not_ready(client: FlaskClient, house: House) -> None:
    house.database.fault = "connection refused"
    assert client.get("/health").get_json()["status"] == "unhealthy"
    response = client.get("/health/ready")
    assert (response.status_code, "connection refused" in response.get_json()["detail"]) == (503, True)
    assert client.get("/health/live").status_code == 200


def test_without_its_log_it_is_not_ready_and_books_nothing(house: House) -> None:
    services = house.services
    broken = BrokenLog(house.log)
    desk = type(services.desk)(
        house.clock, house.loop, services.sites, house.bookings, house.reductions, broken, lambda: None
    )
    client = create_app(replace(services, log=broken, desk=desk)).test_client()

    assert client.get("/health").get_json()["checks"]["decision_log"]["ok"] is False
    assert client.get("/health/ready").status_code == 503
    response = client.post("/api/beckn/confirm", json={"slot_id": "london.20261120T1430Z", "job_id": "buyer-1"})
    assert response.status_code == 503
    assert "No space left" in response.get_json()["detail"]
    assert [b.state for b in house.bookings.kept.values()] == ["released"]


def test_slots_are_searched_and_booked_over_http(client: FlaskClient, house: House) -> None:
    found = client.post("/api/beckn/search", json={"site_id": "norway", "limit": 1}).get_json()
    slot = found["slots"][0]
    assert found["total"] == 7

    order = {"slot_id": slot["slot_id"], "job_id": "buyer-1", "power_kw": 10}
    booking = client.post("/api/beckn/confirm", json=order).get_json()
    assert (booking["state"], booking["power_kw"], booking["log_seq"]) == ("confirmed", 10, 0)
    assert client.post("/api/beckn/confirm", json=order).get_json() == booking
    assert client.post("/api/beckn/confirm", json=order | {"job_id": "buyer-2"}).status_code == 409
    assert house.loop.requested == ["booking"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"slot_id": "nonsense", "job_id": "b"}, 422, "slot_id"),
        ({"slot_id": "london.20261399T9999Z", "job_id": "b"}, 422, "slot_id"),
        ({"slot_id": "london.20261120T1430Z", "job_id": "a b"}, 422, "job_id"),
        ({"slot_id": "london.20261120T1430Z", "job_id": "b", "power_kw": -1}, 422, "power_kw"),
        ({"slot_id": "paris.20261120T1430Z", "job_id": "b"}, 404, None),
        ({"slot_id": "london.20261120T1430Z", "job_id": "b", "power_kw": 61}, 409, None),
        ({"slot_id": "london.20261120T1400Z", "job_id": "b"}, 409, None),
    ],
)
def test_a_wrong_order_books_nothing(
    client: FlaskClient, house: House, body: dict[str, Any], status: int, field: str | None
) -> None:
    response = client.post("/api/beckn/confirm", json=body)
    assert response.status_code == status, response.text
    if field:
        assert response.get_json()["errors"][0]["field"] == field
    assert house.bookings.kept == {}


def test_metrics_count_requests_and_read_the_house(client: FlaskClient, job_id: str) -> None:
    client.post("/api/ticks")
    client.get("/metrics")
    text = client.get("/metrics").text
    for line in (
        'slackwater_http_requests_total{method="POST",route="/api/jobs",status="201"} 1.0',
        'slackwater_jobs{status="scheduled"} 1.0',
        'slackwater_ticks_total{outcome="planned"} 1.0',
        "slackwater_plan_gap_ratio 0.005",
        "slackwater_solve_seconds 0.1",
        "slackwater_log_records 0.0",
        'slackwater_feed_up{feed="simulated",quantity="price",zone="GB-C"} 0.0',
        'slackwater_build_info{version="0.1.0"} 1.0',
    ):
        assert line in text


def test_metrics_leave_out_a_part_that_fails(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.errors import StoreUnavailable

    def down(**_: Any) -> Any:
        raise StoreUnavailable("connection refused")

    monkeypatch.setattr(house.jobs, "counts", down)
    text = client.get("/metrics").text
    assert "slackwater_jobs{" not in text
    assert "slackwater_log_healthy 1.0" in text
