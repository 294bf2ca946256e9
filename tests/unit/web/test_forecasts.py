"""Load that is to come: in the API, on the sites page and on the dashboard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flask.testing import FlaskClient

from agents.job.arrivals import ExpectedLoad
from core.slots import SLOT, slot_floor
from tests.unit.web.fakes import LONDON, NOW, House, build_house
from web.application import create_app

SPIKE = ExpectedLoad(
    tenant="physics",
    site_ids=("london", "norway"),
    slot_start=slot_floor(NOW) + 6 * SLOT,
    power_kw=120.0,
    duration_slots=3,
    deadline_slots=8,
    probability=0.7,
    usual_kw=10.0,
    spike=True,
)
USUAL = replace(SPIKE, tenant="film", spike=False, power_kw=12.0)


@pytest.fixture
def serving(house: House) -> House:
    """London serves inference."""
    hardware = LONDON.hardware.model_copy(update={"asic_inference": 40})
    house.repository.known["london"] = LONDON.model_copy(update={"hardware": hardware, "own_load_swing": 0.3})
    return house


def test_own_load_is_forecast_with_an_interval_that_headroom_keeps_free(client: FlaskClient) -> None:
    body = client.get("/api/forecasts/load?hours=6").get_json()
    (london, norway) = body["sites"]
    assert (london["site_id"], norway["site_id"]) == ("london", "norway")
    assert len(london["values"]) == 12
    for value in london["values"][1:]:
        assert value["low_kw"] <= value["power_kw"] <= value["high_kw"]
        assert value["kind"] == "simulated", "made from simulated readings"
    assert body["inference"] == []


def test_the_demand_for_inference_is_told_by_time_zone(serving: House, client: FlaskClient) -> None:
    (demand,) = client.get("/api/forecasts/load?hours=2").get_json()["inference"]
    assert demand["timezone"] == "Europe/London"
    assert len(demand["values"]) == 4
    page = client.get("/sites").get_data(as_text=True)
    assert "Demand for inference" in page
    assert "Europe/London" in page


def test_without_inference_hardware_the_page_does_not_speak_of_it(client: FlaskClient) -> None:
    assert "Demand for inference" not in client.get("/sites").get_data(as_text=True)


@pytest.mark.parametrize("hours", ["0", "169", "x"])
def test_hours_that_cannot_be_forecast_are_refused(client: FlaskClient, hours: str) -> None:
    assert client.get(f"/api/forecasts/load?hours={hours}").status_code == 422


def test_expected_load_is_told_with_what_is_usual(house: House, client: FlaskClient) -> None:
    house.loop.arrivals = (USUAL, SPIKE)
    body = client.get("/api/forecasts/arrivals").get_json()
    assert (body["total"], body["reserving"]) == (2, True)
    told = body["arrivals"][1]
    assert (told["tenant"], told["site_ids"], told["spike"]) == ("physics", ["london", "norway"], True)
    assert (told["power_kw"], told["usual_kw"], told["probability"]) == (120.0, 10.0, 0.7)


def test_the_dashboard_shows_the_room_that_is_kept_and_for_whom(house: House, client: FlaskClient) -> None:
    house.loop.arrivals = (USUAL, SPIKE)
    house.loop.plan = replace(house.loop.plan, reserved_kw=np.full_like(house.loop.plan.headroom_kw, 5.0))
    page = client.get("/dashboard").get_data(as_text=True)
    assert "Room kept for expected load" in page
    assert "40.0 kWh of the plan" in page
    assert "physics" in page
    assert "film" not in page
    assert "London, Kristiansand" in page


def test_where_nothing_unusual_is_expected_the_dashboard_says_nothing_of_it(house: House, client: FlaskClient) -> None:
    house.loop.arrivals = (USUAL,)
    assert "Room kept" not in client.get("/dashboard").get_data(as_text=True)


def test_an_operator_who_wants_no_room_kept_sees_none(tmp_path) -> None:
    house = build_house(tmp_path, reserve_for_spikes=False)
    house.loop.arrivals = (SPIKE,)
    client = create_app(house.services).test_client()
    assert "Room kept" not in client.get("/dashboard").get_data(as_text=True)
    assert client.get("/api/forecasts/arrivals").get_json()["reserving"] is False
    house.log.close()
