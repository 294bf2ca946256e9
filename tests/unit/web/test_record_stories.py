"""A record in its place, the fields of any kind, and two decisions beside one another."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from flask.testing import FlaskClient

from audit.bodies.log import ChangeBody, CorrectionBody, RedactionBody
from audit.record import BODIES, Entry, Record, Ref
from tests.unit.audit.samples import decision, delivery, one_of_each_kind
from tests.unit.web.fakes import House
from web.application import create_app
from web.pages.differences import change, compare
from web.pages.fields import exact, fields_of, label_of, unit_of, with_unit
from web.pages.headlines import headline
from web.pages.record_story import record_story

PAGE = {"Accept": "text/html"}


@pytest.fixture
def client(house: House) -> FlaskClient:
    return create_app(house.services).test_client()


def shown(client: FlaskClient, seq: int) -> str:
    """The page's text without its tags."""
    answer = client.get(f"/audit/{seq}", headers=PAGE)
    assert answer.status_code == 200
    return plain(re.sub(r"<[^>]+>", " ", answer.text))


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", unescape(text))


def tick(house: House) -> list[Record]:
    """A feed's answer, the round that used it, two decisions taken in it, and what came of the first."""
    kinds = one_of_each_kind()
    taken = house.log.append_all(
        [
            Entry("feed_snapshot", kinds["feed_snapshot"], "energy"),
            Entry("negotiation_round", kinds["negotiation_round"], "policy", [0]),
            Entry("decision", decision("job-1"), "policy", [1]),
            Entry("decision", decision("job-2"), "policy", [1]),
        ]
    )
    return [*taken, house.log.append("delivery", delivery("job-1"))]


def test_a_decision_leads_to_its_round_its_feeds_and_what_came_of_it(client: FlaskClient, house: House) -> None:
    snapshot, round_, first, other, delivered = tick(house)
    story = record_story(house.log, first)
    assert story.round == round_
    assert list(story.inputs) == [snapshot]
    assert [record.seq for record in story.trail] == [round_.seq, first.seq, delivered.seq]
    assert [(each.seq, each.holds) for each in story.references] == [(round_.seq, True)]
    assert other.seq in [record.seq for record in record_story(house.log, round_).trail]
    text = shown(client, first.seq)
    for told in (
        round_.body["instance_sha256"],
        snapshot.body["answers"][0]["sha256"],
        first.leaf,
        "links to this hash",
    ):
        assert told in text


def test_a_reference_whose_leaf_differs_or_that_is_not_there_does_not_hold(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = house.log.append("delivery", delivery())
    true, real = house.log.append("delivery", delivery()), house.log.get
    false = replace(true, refs=(Ref(record.seq, "a" * 64), Ref(99, "b" * 64)))
    monkeypatch.setattr(house.log, "get", lambda seq: false if seq == true.seq else real(seq))
    assert [each.holds for each in record_story(house.log, false).references] == [False, False]
    text = shown(client, false.seq)
    assert text.count("does not hold") == 2
    assert "No record 99 in the decision log" in text


def test_a_record_that_was_corrected_or_redacted_says_so(client: FlaskClient, house: House) -> None:
    wrong = house.log.append("decision", decision("job-1", tenant_commit="c" * 64))
    others = house.log.append("decision", decision("job-2"))
    correction = CorrectionBody(
        corrected_seq=wrong.seq,
        corrected_leaf=wrong.leaf,
        changes=[ChangeBody(path="cost_gbp", was="0.1", now="0.2")],
        reason="a price was misread",
    )
    corrected = house.log.append("correction", correction)
    redacted = house.log.append(
        "redaction", RedactionBody(field="tenant_commit", commitments=["c" * 64], reason="asked for")
    )
    assert [each.seq for each in record_story(house.log, wrong).later] == [corrected.seq, redacted.seq]
    assert record_story(house.log, others).later == []
    assert "a price was misread" in shown(client, wrong.seq)


def test_a_broken_link_to_the_record_after_is_shown(client: FlaskClient, house: House) -> None:
    tick(house)
    real = house.log.get

    class Relinked:
        def __getattr__(self, name: str) -> object:
            return getattr(house.log, name)

        def get(self, seq: int) -> Record:
            return replace(real(seq), prev="d" * 64) if seq == 3 else real(seq)

    broken = create_app(replace(house.services, log=Relinked())).test_client()  # type: ignore[arg-type]
    assert "not to this hash" in shown(broken, 2)


@pytest.mark.parametrize("kind", BODIES)
def test_every_kind_of_record_has_a_page_with_all_its_fields(client: FlaskClient, house: House, kind: str) -> None:
    record = house.log.append(kind, one_of_each_kind()[kind])
    text = shown(client, record.seq)
    assert plain(headline(record, {})) in text
    if kind not in {"decision", "negotiation_round"}:
        for name in record.body:
            assert label_of(name) in text, name


def test_figures_stand_as_recorded_with_the_unit_of_their_name() -> None:
    assert exact("-12345.6000") == "−12\N{NARROW NO-BREAK SPACE}345.6000"
    assert with_unit(exact("-0.42"), "£") == "−£0.42"
    assert with_unit(exact("98.53"), unit_of("scrp_gbp_mwh")) == "£98.53/MWh"
    assert with_unit(exact("0.2000"), unit_of("deviation_mwh")) == "0.2000 MWh"
    assert (label_of("ub_mwh"), label_of("delivered_kwh")) == ("Unadjusted baseline", "Delivered")
    assert [unit_of(name) for name in ("sources", "data_kinds", "status", "site_id")] == [None] * 4


def test_fields_are_read_whatever_their_shape(client: FlaskClient) -> None:
    body = {
        "exit_status": None,
        "ida_applied": False,
        "sp_start_utc": "2026-10-20T16:30:00Z",
        "comp": {"payer": "suppliers_by_final_demand", "gbp": "19.71"},
        "flows": [{"flow": "WMAN", "state": "sent"}, {"flow": "SEV", "state": "due", "sent_mwh": "0.1"}],
        "gc_ids": [],
        "supersedes_seq": 3,
    }
    with client.application.test_request_context():
        found = {field.label: field for field in fields_of(json.loads(json.dumps(body)), {})}
    assert found["Exit status"].text == "–"
    assert found["In-day adjustment applied"].text == "no"
    assert found["Starts"].text == "2026-10-20 16:30:00 UTC"
    assert [inner.text for inner in found["Compensation"].fields] == ["suppliers by final demand", "£19.71"]
    assert found["Flows"].table is not None
    assert found["Flows"].table.heads == ("Flow", "State", "Sent, MWh")
    assert found["Certificates"].text == "none"
    assert found["Supersedes record"].href == "/audit/3"


def test_two_decisions_are_compared_field_by_field_and_option_by_option(client: FlaskClient, house: House) -> None:
    first = house.log.append("decision", decision("job-1"))
    option = decision("job-1").options[0]
    dearer = option.model_copy(update={"cost_gbp": "0.35", "reject_code": "dearer"})
    elsewhere = option.model_copy(update={"option_id": "o2", "site_id": "site-2"})
    changed = decision("job-1").model_copy(
        update={"cost_gbp": "0.35", "site_id": "site-2", "options": [dearer, elsewhere], "chosen_id": "o2"}
    )
    second = house.log.append("decision", changed)
    with client.application.test_request_context():
        found = compare(first, second, {"site-2": "Kristiansand"})
    told = {each.label: (each.a, each.b, each.change) for each in found.differences}
    assert told["Cost"] == ("£0.1", "£0.35", "+£0.25")
    assert told["Site"] == ("site-1", "Kristiansand", "")
    assert "Verdict" in found.same
    assert [(pair.site_id, pair.a is None, len(pair.differences)) for pair in found.options] == [
        ("site-1", False, 2),
        ("site-2", True, 0),
    ]
    assert ("chosen", "dearer, all things counted") in [(each.a, each.b) for each in found.options[0].differences]
    page = client.get(f"/audit/diff?a={first.seq}&b={second.seq}", headers=PAGE)
    assert (page.status_code, "+£0.25" in page.text) == (200, True)
    assert f"/audit/diff?a={first.seq}&amp;b={second.seq}" in client.get(f"/audit/{second.seq}", headers=PAGE).text


def test_a_difference_has_a_sign_and_a_unit() -> None:
    assert change("carbon_kg", "2.0", "0.5") == "−1.5 kg"
    assert change("cost_gbp", "1.00", "1.00") == "£0.00"
    assert change("cost_gbp", None, "1.00") == change("reason", "1", "2") == ""


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("a=0&b=1", 422, "record 1 is a delivery, not a decision"),
        ("a=0", 422, "is not the number of a record"),
        ("a=0&b=x", 422, "is not the number of a record"),
        ("a=0&b=77", 404, "no record 77"),
    ],
)
def test_what_cannot_be_compared_is_said(client: FlaskClient, house: House, query: str, status: int, told: str) -> None:
    house.log.append("decision", decision())
    house.log.append("delivery", delivery())
    answer = client.get(f"/audit/diff?{query}", headers=PAGE)
    assert answer.status_code == status
    assert told in answer.text.replace("Record", "record").replace("No record", "no record")
