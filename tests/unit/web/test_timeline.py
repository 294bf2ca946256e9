"""The timeline of the decision log and its filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from tests.unit.audit.samples import decision, delivery
from tests.unit.web.fakes import House
from web.application import create_app
from web.pages.headlines import kinds_words

PAGE = {"Accept": "text/html"}


@pytest.fixture
def client(house: House) -> FlaskClient:
    return create_app(house.services).test_client()


def entries(client: FlaskClient, query: str = "") -> list[int]:
    """Numbers of the records that the timeline shows."""
    page = client.get(f"/audit{query}", headers=PAGE)
    assert page.status_code == 200
    return [int(seq) for seq in re.findall(r'<li class="entry[^>]*>.*?href="/audit/(\d+)"', page.text, re.DOTALL)]


def test_the_timeline_groups_records_by_utc_day_newest_first(client: FlaskClient, house: House) -> None:
    house.clock.set(datetime(2026, 11, 20, 23, 59, tzinfo=UTC))
    house.log.append("delivery", delivery("job-1"))
    house.clock.set(datetime(2026, 11, 21, 0, 1, tzinfo=UTC))
    house.log.append("delivery", delivery("job-2"))
    page = client.get("/audit", headers=PAGE).text
    assert re.findall(r"<h3.*?>(?:<time.*?>)(.*?)</time>", page) == [
        "Saturday 21 November 2026",
        "Friday 20 November 2026",
    ]
    assert entries(client) == [1, 0]
    assert entries(client, "?end=2026-11-20") == [0]
    assert entries(client, "?start=2026-11-21") == [1]


def test_a_tenant_is_found_by_name_although_the_log_never_holds_it(client: FlaskClient, house: House) -> None:
    house.log.append("decision", decision("job-1", tenant_commit=house.log.commit("tenant", "research")))
    house.log.append("decision", decision("job-2", tenant_commit=house.log.commit("tenant", "default")))
    assert "research" not in house.log.path.read_text()
    assert entries(client, "?tenant=research") == [0]
    assert entries(client, "?tenant=other") == []
    assert client.get("/api/logs?tenant=research").get_json()["total"] == 1


def test_records_are_filtered_by_settlement_date_site_job_and_text(client: FlaskClient, house: House) -> None:
    house.log.append("decision", decision("job-1"))
    house.log.append("delivery", delivery("job-1", "london", method="meter A"))
    assert entries(client, "?date=2026-03-01") == [0]
    assert client.get("/api/logs?settlement_date=2026-03-01").get_json()["total"] == 1
    assert entries(client, "?site=london") == [1]
    assert entries(client, "?job=job-1&text=METER") == [1]


def test_records_are_counted_by_kind_and_the_counts_are_links_that_keep_the_other_filters(
    client: FlaskClient, house: House
) -> None:
    for job in ("job-1", "job-1", "job-2"):
        house.log.append("decision", decision(job))
    house.log.append("delivery", delivery("job-1"))
    page = client.get("/audit?job=job-1&kind=delivery", headers=PAGE).text
    assert re.findall(r'<li><a href="([^"]*)"[^>]*><b>(\d)</b> ([a-z ]+)</a>', page) == [
        ("/audit?job=job-1", "3", "of any kind"),
        ("/audit?job=job-1&amp;kind=decision", "2", "decisions"),
        ("/audit?job=job-1&amp;kind=delivery", "1", "delivery"),
    ]
    assert page.count('aria-current="true"') == 1
    assert (kinds_words("delivery", 2), kinds_words("key", 2)) == ("deliveries", "keys")


def test_filters_that_match_nothing_and_an_empty_log_say_so(client: FlaskClient, house: House) -> None:
    assert "Nothing has been decided yet." in client.get("/audit", headers=PAGE).text
    assert "No record matches these filters." in client.get("/audit?kind=delivery", headers=PAGE).text


@pytest.mark.parametrize("query", ["start=yesterday", "date=2026-13-01", "end=9999-12-31", "start=0001-01-01"])
def test_a_day_that_is_none_is_not_found(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/audit?{query}", headers=PAGE)
    assert answer.status_code == (200 if query.startswith("start=0001") else 404)
