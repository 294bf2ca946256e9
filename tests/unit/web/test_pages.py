"""Every page over a busy day and over an empty one: it renders, it is whole, and it says what is so."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from audit.record import BODIES, Record
from core.job import JobStatus
from core.series import Kind, Series, Unit
from tests.browser.fakes import addresses, empty_house, full_house
from tests.unit.web.fakes import NOW, BrokenLog, House
from web.application import create_app
from web.pages.bundle import Bundle
from web.pages.curves import Curves, chart_data, price_and_carbon, published_end, scale, windows
from web.pages.drawing import drawing
from web.pages.formatting import adaptive, duration, gbp, kg, local, number, pence, percent, span, utc
from web.pages.headlines import _OF_KIND, headline
from web.pages.job_form import JobForm
from web.pages.verification import VerificationRun

VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})
PAGE = {"Accept": "text/html"}
FRAGMENT = {**PAGE, "HX-Request": "true"}


class Checker(HTMLParser):
    """Collects what makes a page wrong: unclosed tags, repeated ids, code or style that the CSP would block."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.faults: list[str] = []
        self.fors: set[str] = set()
        self.labels = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"] or "")
        if tag == "label" and given.get("for"):
            self.fors.add(given["for"] or "")
        self.faults += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        if tag == "script" and "src" not in given:
            self.faults.append("inline script")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> out of place")


def check(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    return checker


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[House]:
    house = full_house(tmp_path)
    yield house
    house.log.close()


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[House]:
    house = empty_house(tmp_path)
    yield house
    house.log.close()


@pytest.fixture
def client(busy: House) -> FlaskClient:
    return create_app(busy.services).test_client()


def token(client: FlaskClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/submit", headers=PAGE).text)
    assert found
    return found[1]


def fields(client: FlaskClient, **changes: str) -> dict[str, str]:
    return {
        "csrf_token": token(client),
        "job_name": "night training",
        "job_type": "batch",
        "flexibility_type": "deferrable",
        "tier": "standard",
        "tenant": "default",
        "latest_finish": "2026-11-21T12:00",
        "duration_hours": "2",
        "power_kw": "50",
        **changes,
    }


@pytest.mark.parametrize("day", ["busy", "quiet"])
def test_every_page_renders_whole_and_within_the_content_security_policy(
    day: str, request: pytest.FixtureRequest
) -> None:
    house: House = request.getfixturevalue(day)
    client = create_app(house.services).test_client()
    for address in addresses(house):
        answer = client.get(address, headers=PAGE)
        page = check(answer.text)
        assert answer.status_code == 200, address
        assert page.faults == [], address
        assert page.open == [], address
        assert len(page.ids) == len(set(page.ids)), address
        assert page.fors <= set(page.ids), address


def test_live_parts_come_without_the_frame_and_are_not_cached(client: FlaskClient) -> None:
    for address in ("/", "/jobs", "/jobs/job-0000", "/dashboard"):
        answer = client.get(address, headers=FRAGMENT)
        assert answer.status_code == 200
        assert "<html" not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "HX-Request" in answer.headers["Vary"]


def test_polling_ends_when_the_job_has_ended(client: FlaskClient, busy: House) -> None:
    by_status = {job.status: job.job_id for job in busy.jobs.stored.values()}
    running = client.get(f"/jobs/{by_status[JobStatus.RUNNING]}", headers=FRAGMENT)
    done = client.get(f"/jobs/{by_status[JobStatus.COMPLETED]}", headers=FRAGMENT)
    assert "hx-trigger" in running.text
    assert "HX-Reswap" not in running.headers
    assert "hx-trigger" not in done.text
    assert done.headers["HX-Reswap"] == "outerHTML"


def test_every_page_says_that_figures_are_simulated(client: FlaskClient) -> None:
    for address in ("/", "/submit", "/nowhere"):
        page = client.get(address, headers=PAGE).text
        assert "Simulated figures" in page
        assert "since Fri 20 Nov 14:10 UTC" in page


def test_an_accepted_job_leads_to_its_page(client: FlaskClient, busy: House) -> None:
    before = len(busy.jobs.stored)
    answer = client.post("/submit", data=fields(client, command="python -c 'print(1)'"), headers=PAGE)
    job = list(busy.jobs.stored.values())[-1]
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/jobs/{job.job_id}"
    assert len(busy.jobs.stored) == before + 1
    assert job.command == ("python", "-c", "print(1)")
    assert "Accepted: night training" in client.get(answer.headers["Location"], headers=PAGE).text


def test_a_refused_form_keeps_its_values_and_puts_errors_beside_fields(client: FlaskClient, busy: House) -> None:
    before = len(busy.jobs.stored)
    answer = client.post("/submit", data=fields(client, power_kw="-3", job_name="kept"), headers=PAGE)
    assert answer.status_code == 422
    assert len(busy.jobs.stored) == before
    assert 'value="kept"' in answer.text
    assert 'id="power_kw-error"' in answer.text
    assert 'aria-describedby="power_kw-error power_kw-hint" aria-invalid="true"' in answer.text
    assert "Send a value greater than 0" in answer.text
    assert check(answer.text).faults == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"latest_finish": ""}, "latest_finish"),
        ({"latest_finish": "2026-11-21T12:00", "earliest_start": "2026-11-22T12:00"}, "latest_finish"),
        ({"duration_hours": "many"}, "duration_hours"),
        ({"max_price_pence_per_kwh": "cheap"}, "max_price_gbp_per_kwh"),
        ({"command": "echo 'open"}, "command"),
        ({"flexibility_type": "throttlable", "levels": "50"}, "levels"),
        ({"latest_finish": "2026-11-20T14:30"}, "latest_finish"),
        ({"allowed_regions": "atlantis"}, "allowed_regions"),
        ({"tier": "gold"}, "tier"),
    ],
)
def test_each_bad_field_is_named(client: FlaskClient, changes: dict[str, str], field: str) -> None:
    answer = client.post("/submit", data=fields(client, **changes), headers=PAGE)
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert f'id="{field}-error"' in answer.text


def test_a_form_without_its_token_is_refused(client: FlaskClient, busy: House) -> None:
    before = len(busy.jobs.stored)
    data = {name: value for name, value in fields(client).items() if name != "csrf_token"}
    assert client.post("/submit", data=data, headers=PAGE).status_code == 400
    assert len(busy.jobs.stored) == before


def test_the_quote_is_a_panel_for_htmx_and_a_page_for_everyone_else(client: FlaskClient, busy: House) -> None:
    before = len(busy.jobs.stored)
    data = fields(client, job_name="")
    panel = client.post("/submit/quote", data=data, headers=FRAGMENT)
    page = client.post("/submit/quote", data=data, headers=PAGE)
    assert "<html" not in panel.text
    assert "<html" in page.text
    for text in (panel.text, page.text):
        assert "Without waiting" in text
        assert "£1.80 to £2.50" in text
        assert "£1.00 to" not in text
        assert 'Waiting until <time datetime="2026-11-21T03:30:00+00:00" data-local>Sat 03:30 UTC</time> saves' in text
        assert '<figure class="chart patience">' in text
    assert check(page.text).faults == []
    assert len(busy.jobs.stored) == before


def test_a_quote_has_a_table_with_every_deadline(client: FlaskClient) -> None:
    table = client.post("/submit/quote", data=fields(client), headers=FRAGMENT).text.split("<tbody>")[1]
    assert table.count("<tr") == 3
    assert table.count("your deadline") == 1
    assert [word in table for word in ("Fri 15:30", "Sat 03:30", "Sat 12:00", "£2.00", "£1.00")] == [True] * 5


def test_an_incomplete_quote_says_what_is_missing(client: FlaskClient) -> None:
    panel = client.post("/submit/quote", data=fields(client, latest_finish=""), headers=FRAGMENT)
    assert panel.status_code == 200
    assert "It cannot be submitted like this" in panel.text
    assert "Latest finish" in panel.text


def test_before_the_first_plan_the_panel_says_so_and_asks_again(client: FlaskClient, busy: House) -> None:
    busy.loop.unplanned = True
    panel = client.post("/submit/quote", data=fields(client), headers=FRAGMENT)
    assert panel.status_code == 200
    assert "Nothing can be priced yet." in panel.text
    assert 'hx-trigger="load delay:3s"' in panel.text


def test_a_fixed_job_gains_nothing_by_patience_and_has_no_curve(client: FlaskClient) -> None:
    panel = client.post("/submit/quote", data=fields(client, flexibility_type="fixed"), headers=FRAGMENT)
    assert "A fixed job does not wait" in panel.text
    assert "<figure" not in panel.text


def test_a_throttlable_job_takes_levels_and_a_price_cap_in_pence() -> None:
    form = JobForm(
        {
            "job_name": "x",
            "flexibility_type": "throttlable",
            "duration_hours": "1",
            "power_kw": "100",
            "latest_finish": "2026-11-21T12:00",
            "levels": "50 0.82\n100, 1",
            "max_price_pence_per_kwh": "18.5",
            "pause_cost_gbp": "3",
        }
    )
    request = form.request()
    assert form.errors == {}
    assert request is not None
    assert [level.power_kw for level in request.levels or ()] == [50, 100]
    assert request.max_price_gbp_per_kwh == pytest.approx(0.185)
    assert request.pause_cost_gbp == 0


def test_fields_of_another_kind_of_job_are_left_out_and_all_errors_are_told_at_once() -> None:
    typed = {
        "job_name": "x",
        "flexibility_type": "deferrable",
        "duration_hours": "1",
        "power_kw": "100",
        "latest_finish": "2026-11-21T12:00",
        "levels": "nonsense",
    }
    assert JobForm(typed).request() is not None
    wrong = JobForm({**typed, "power_kw": "-1", "command": "echo 'open", "max_price_pence_per_kwh": "cheap"})
    assert wrong.request() is None
    assert set(wrong.errors) == {"power_kw", "command", "max_price_gbp_per_kwh"}


def test_cancelling_ends_a_job_and_says_so(client: FlaskClient, busy: House) -> None:
    answer = client.post("/jobs/job-0000/cancel", data={"csrf_token": token(client)}, headers=PAGE)
    assert answer.status_code == 303
    assert busy.jobs.stored["job-0000"].status is JobStatus.CANCELLED
    assert "Cancelled: protein folding 0" in client.get("/jobs/job-0000", headers=PAGE).text


def test_cancelling_a_job_that_has_ended_explains_itself(client: FlaskClient) -> None:
    client.post("/jobs/job-0009/cancel", data={"csrf_token": token(client)}, headers=PAGE)
    page = client.get("/jobs/job-0009", headers=PAGE).text
    assert re.search(r'class="flash error" role="status">Job job-0009 .*\. ', page)


def test_filters_narrow_the_jobs_and_bad_ones_are_not_found(client: FlaskClient) -> None:
    failed = client.get("/jobs?status=failed", headers=PAGE).text
    assert "nightly ETL 25" in failed
    assert "protein folding 0" not in failed
    assert "No job matches" in client.get("/jobs?text=nothing", headers=PAGE).text
    for query in ("status=lost", "kind=odd", "page=0", "page=x"):
        assert client.get(f"/jobs?{query}", headers=PAGE).status_code == 404


def test_pages_of_jobs_keep_the_filters(client: FlaskClient) -> None:
    first = client.get("/jobs?tenant=", headers=PAGE).text
    assert "1–25 of 28 jobs" in first
    assert "/jobs?page=2" in first
    second = client.get("/jobs?page=2", headers=PAGE).text
    assert "26–28 of 28 jobs" in second
    assert "protein folding 0" in second


def test_a_job_says_where_when_why_and_what_else_was_considered(client: FlaskClient) -> None:
    page = client.get("/jobs/job-0000", headers=PAGE).text
    for text in ("Why here, why then", "chosen", "dearer, all things counted", "run at submission", "/audit/0"):
        assert text in page
    assert 'class="shade-plan"' in page
    assert 'class="shade-baseline"' in page
    assert '£3.20 <span class="small soft">(90&nbsp;%: £2.90 to £3.90)</span>' in page


def test_a_job_that_cannot_be_placed_shows_what_would_help(client: FlaskClient, busy: House) -> None:
    pending = next(job for job in busy.jobs.stored.values() if job.status is JobStatus.PENDING)
    page = client.get(f"/jobs/{pending.job_id}", headers=PAGE).text
    assert "What would make it possible" in page
    assert "Run at Kristiansand too" in page
    assert "+£1.40" in page
    assert "−1.50 kg" in page


def test_a_loss_is_shown_with_its_sign(client: FlaskClient) -> None:
    assert "−£" in client.get("/jobs", headers=PAGE).text


def test_an_unknown_zone_job_record_or_page_is_a_404_with_a_way_on(client: FlaskClient) -> None:
    for address in ("/?zone=XX", "/jobs/none", "/audit/99999", "/nowhere", "/audit?start=yesterday"):
        answer = client.get(address, headers=PAGE)
        assert answer.status_code == 404, address
        assert "This page is not here" in answer.text


def test_free_slots_answer_filters_and_name_bad_ones(client: FlaskClient) -> None:
    assert "norway.2026" in client.get("/beckn?region=NO", headers=PAGE).text
    assert "No free slot matches" in client.get("/beckn?min_power_kw=99999", headers=PAGE).text
    for query in ("min_power_kw=-1", "max_price_pence=cheap", "region=atlantis", "start=tomorrow"):
        answer = client.get(f"/beckn?{query}", headers=PAGE)
        assert answer.status_code == 422, query
        assert "field-error" in answer.text, query


def test_verifying_counts_every_record(client: FlaskClient, busy: House) -> None:
    records, _ = busy.log.head()
    answer = client.post("/audit/verify", data={"csrf_token": token(client)}, headers=FRAGMENT)
    assert f"All {records} records" in answer.text
    assert "<html" not in answer.text
    assert "Verified." in client.get("/audit", headers=PAGE).text


def test_verifying_says_that_the_keys_are_the_servers_own(client: FlaskClient, busy: House) -> None:
    busy.log.checkpoint()
    answer = client.post("/audit/verify", data={"csrf_token": token(client)}, headers=FRAGMENT)
    told = "1 checkpoint agrees with them, 1 of them signed by the keys beside the log: no auditor's key given."
    assert told in unescape(answer.text)


def test_verifying_names_the_first_bad_line(client: FlaskClient, busy: House) -> None:
    lines = busy.log.path.read_bytes().split(b"\n")
    lines[4] = lines[4].replace(b"award", b"bward")
    busy.log.path.write_bytes(b"\n".join(lines))
    answer = client.post("/audit/verify", data={"csrf_token": token(client)}, headers=PAGE, follow_redirects=True)
    assert "Not intact" in answer.text
    assert "First bad line: <strong>" in answer.text


def test_a_second_verification_joins_the_one_under_way() -> None:
    runs: list[int] = []

    def failing(_: object) -> None:
        runs.append(1)
        raise OSError("unreadable")

    run = VerificationRun(failing)  # type: ignore[arg-type]
    assert run.start().error == "unreadable"
    assert run.start().running is False
    assert len(runs) == 2


def test_the_state_of_a_verification_is_a_panel_for_htmx_and_the_audit_page_otherwise(client: FlaskClient) -> None:
    assert "<html" not in client.get("/audit/verify", headers=FRAGMENT).text
    assert client.get("/audit/verify", headers=PAGE).headers["Location"] == "/audit#verify"


def record(kind: str, **body: object) -> Record:
    return Record(7, "0" * 64, "0" * 64, kind, NOW, dict(body), b"{}")


def test_every_kind_of_record_has_a_headline_in_words() -> None:
    names = {"norway": "Kristiansand"}
    counter = record("decision", verdict="counter", reason="norway is full and GBP -1.50 too dear")
    withdrawn = record("decision", verdict="withdraw", reason="its deadline has passed")
    moved = record(
        "decision",
        verdict="move",
        site_id="norway",
        runs=[{"start": "2026-11-20T16:00:00Z", "end": "2026-11-20T17:00:00Z"}],
        cost_gbp="3.00",
        baseline_cost_gbp="2.50",
    )
    snapshot = record(
        "feed_snapshot",
        feed="octopus-agile",
        zone="GB-C",
        answers=[{"raw_bytes": 2048}],
        series=[
            {"quantity": "price", "valid_from": "2026-11-20T16:00:00Z", "valid_to": "2026-11-21T16:00:00Z"},
        ],
    )
    recovery = record("recovery", torn_bytes=12, acknowledged=False, quarantine_path="decisions.jsonl.torn-1")
    assert headline(counter, names) == "Could not be placed: Kristiansand is full and −£1.50 too dear."
    assert headline(withdrawn, names) == "Withdrawn: Its deadline has passed."
    assert headline(moved, names) == "Moved to Kristiansand, Fri 20 Nov 16:00–17:00 UTC, £0.50 above its baseline."
    assert headline(snapshot, names).startswith("Octopus-agile gave price for GB-C, Fri 20 Nov 16:00 – Sat 21 Nov")
    assert headline(recovery, names) == "12 bytes of an unfinished line were moved to decisions.jsonl.torn-1."
    period = {"site_id": "london", "settlement_date": "2026-10-20", "settlement_period": 36, "supersedes_seq": 7}
    restated = record("settlement_period", **period, deviation_mwh="-0.2080")
    assert headline(restated, {"london": "London"}) == (
        "Period 36 of 2026-10-20 at London: a deviation of −0.2080 MWh, in place of record 7."
    )
    assert set(_OF_KIND) == set(BODIES)


def test_a_new_build_of_the_assets_is_picked_up(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path)
    assert bundle.names() == {}
    manifest = tmp_path / "manifest.json"
    for built in ("app-A.js", "app-B.js"):
        manifest.write_text(f'{{"app.js": "{built}"}}')
        os.utime(manifest, ns=(0, len(built) + ord(built[4])))
        assert bundle.names() == {"app.js": built}


def test_a_log_that_cannot_be_written_is_said_on_the_audit_page(busy: House) -> None:
    from dataclasses import replace

    services = replace(busy.services, log=BrokenLog(busy.log))  # type: ignore[arg-type]
    page = create_app(services).test_client().get("/audit", headers=PAGE).text
    assert "No space left on device" in page


def test_pages_are_complete_without_built_assets(busy: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("web.pages.bundle.STATIC", tmp_path)
    monkeypatch.setattr("web.pages.bundle.Bundle.__init__.__defaults__", (tmp_path,))
    page = create_app(busy.services).test_client().get("/", headers=PAGE)
    assert page.status_code == 200
    assert "<script" not in page.text


def series(values: list[float], kinds: list[Kind], unit: Unit = Unit.GBP_PER_KWH) -> Series:
    return Series(
        NOW.replace(minute=0), np.array(values), np.array([int(k) for k in kinds], dtype=np.int8), unit, "test", NOW
    )


def test_curves_break_where_nothing_is_known_and_change_style_with_the_kind() -> None:
    nan = float("nan")
    price = series([0.1, 0.2, nan, 0.3], [Kind.SETTLED, Kind.SETTLED, Kind.MISSING, Kind.FORECAST])
    carbon = series([10, 20, 30, 40], [Kind.FORECAST] * 4, Unit.G_PER_KWH)
    curves = Curves("test", price_and_carbon(price, carbon))
    runs = chart_data(curves)["panels"][0]["runs"]
    assert runs == [
        {"kind": "published", "colour": "price", "from": 0, "values": [10.0, 20.0, 20.0]},
        {"kind": "forecast", "colour": "price", "from": 3, "values": [30.0, 30.0]},
    ]
    assert [kind for kind, _, _ in drawing(curves).panels[0].paths] == ["published", "forecast"]
    assert "nan" not in str(drawing(curves))


def test_published_prices_end_where_the_forecast_begins() -> None:
    price = series([0.1, 0.2, 0.3], [Kind.SETTLED, Kind.SETTLED, Kind.FORECAST])
    assert published_end(price) == price.start.replace(hour=15)
    assert published_end(series([0.1], [Kind.SETTLED])) is None
    assert published_end(series([0.1], [Kind.SIMULATED])) is None


def test_scales_are_round_and_show_zero_and_negative_prices() -> None:
    assert scale(np.array([-3.0, 28.0])) == (-10.0, 30.0, 10.0)
    assert scale(np.array([float("nan")])) == (0.0, 1.0, 0.5)
    assert scale(np.array([0.0]))[1] > 0


def test_slots_that_touch_are_one_window(busy: House) -> None:
    entries = [row for row in busy.ledger.rows if row.job_id == "job-0000"]
    assert len(windows(entries)) <= 2


def test_figures_read_with_units_sense_and_a_true_minus() -> None:
    assert number(-1234.4) == "−1\N{NARROW NO-BREAK SPACE}234"
    assert number(-0.2) == "0"
    assert number("12.5", 1) == "12.5"
    assert number(None) == number(float("nan")) == number("x") == "–"
    assert gbp(-0.034) == "−£0.034"
    assert gbp(0.0001) == gbp(-0.0001) == "£0.00"
    assert gbp(12.3) == "£12.30"
    assert gbp("12345.6") == "£12\N{NARROW NO-BREAK SPACE}346"
    assert pence(-0.0123) == "−1.2"
    assert percent(0.00342, 2) == "0.34\N{NARROW NO-BREAK SPACE}%"
    assert kg(0.1234) == "123 g"
    assert kg(12345) == "12.3 t"
    assert adaptive(4.5) == "4.50"
    assert duration(5400) == "1 h 30 min"


def test_times_are_utc_first_and_local_with_the_zones_own_name() -> None:
    assert utc(NOW) == "Fri 20 Nov 14:10 UTC"
    assert utc("2026-11-20T14:10:00Z") == utc(NOW)
    assert local(NOW, "Europe/Oslo") == "15:10 CET"
    assert local(NOW, "America/Santiago") == "11:10 UTC−3"
    assert local(NOW, "Australia/Sydney") == "Sat 01:10 AEDT"
    assert span(NOW, NOW.replace(hour=16)) == "Fri 20 Nov 14:10–16:10 UTC"
    assert span(NOW, NOW.replace(day=21)) == "Fri 20 Nov 14:10 – Sat 21 Nov 14:10 UTC"


def test_point_23_a_share_saved_stands_only_beside_its_interval_baseline_and_level():
    shown = [path for path in Path("web/templates").glob("*.html") if "saved_percent" in path.read_text()]
    for path in shown:
        text = path.read_text()
        assert all(word in text for word in ("low_kg", "high_kg", "baseline_policy", "claim_level")), path.name
