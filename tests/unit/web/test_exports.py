"""Exports over HTTP: recorded first with the digest of what is handed out, and nothing where that fails."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, get_args

import pytest
from flask.testing import FlaskClient

from audit.exports import FORMATS, Format, read
from audit.record import BODIES, FORMER_KINDS
from tests.unit.audit.samples import decision, delivery
from tests.unit.web.fakes import House
from web.api.logs import ExportRequest, LogsQuery, RecordFilters, RecordKind


@pytest.fixture
def full(house: House) -> House:
    for number in range(3):
        house.log.append("decision", decision(f"job-{number}"))
        house.log.append("delivery", delivery(f"job-{number}"))
    return house


@pytest.mark.parametrize("form", FORMATS)
def test_point_30_every_export_is_recorded_with_the_digest_of_the_file(
    full: House, client: FlaskClient, form: Format
) -> None:
    answer = client.post("/api/audit/exports", json={"format": form, "kind": "delivery"})
    assert answer.status_code == 200
    lines = list(read(form, io.BytesIO(answer.data)))
    assert lines == [full.log.get(seq).line for seq in (1, 3, 5)]
    recorded = full.log.get(int(answer.headers["X-Export-Record"]))
    body = recorded.body
    assert recorded.kind == "export"
    assert body["sha256"] == hashlib.sha256(answer.data).hexdigest()
    assert (body["records"], body["first_seq"], body["last_seq"], body["tree_size"]) == (3, 1, 5, 6)
    assert body["filters"] == {"kind": "delivery"}
    assert body["recipient_commit"] == full.log.commit("recipient", "local")
    assert answer.headers["Content-Disposition"].endswith(f'records-6.{form}"')


def test_a_proof_bundle_is_checked_with_nothing_but_itself(full: House, client: FlaskClient, tmp_path: Path) -> None:
    answer = client.post("/api/audit/exports", json={"format": "proof", "job_id": "job-1"})
    with zipfile.ZipFile(io.BytesIO(answer.data)) as bundle:
        bundle.extractall(tmp_path)
    assert (tmp_path / "records.jsonl").read_bytes() == full.log.get(2).line + b"\n" + full.log.get(3).line + b"\n"
    key = (tmp_path / "key").read_text().strip()
    verifier = [sys.executable, "-I", "-S", str(tmp_path / "verifier.py"), "--key", key, "--proof"]
    for seq in (2, 3):
        subprocess.run([*verifier, str(tmp_path / "proofs" / str(seq))], check=True, capture_output=True)
    forged = (tmp_path / "proofs" / "2").read_text().replace("index 2", "index 1")
    (tmp_path / "forged").write_text(forged)
    assert subprocess.run([*verifier, str(tmp_path / "forged")], capture_output=True, check=False).returncode == 1
    assert full.log.get(int(answer.headers["X-Export-Record"])).body["format"] == "proof"


def test_a_proof_bundle_says_that_its_records_are_a_selection(full: House, client: FlaskClient) -> None:
    answer = client.post("/api/audit/exports", json={"format": "proof", "job_id": "job-1"})
    with zipfile.ZipFile(io.BytesIO(answer.data)) as bundle:
        told = bundle.read("README.txt").decode()
    assert "records.jsonl is a selection" in told
    assert "do not check it as a" in told


def test_records_are_exported_by_the_same_filters_as_they_are_listed(full: House, client: FlaskClient) -> None:
    assert set(RecordFilters.model_fields) < set(ExportRequest.model_fields)
    assert set(RecordFilters.model_fields) < set(LogsQuery.model_fields)
    commit = full.log.commit("tenant", "acme")
    mine = full.log.append("decision", decision("job-7", tenant_commit=commit))
    for filters in ({"tenant": "acme"}, {"tenant": "acme", "settlement_date": "2026-03-01"}):
        answer = client.post("/api/audit/exports", json={"format": "jsonl", **filters})
        assert list(read("jsonl", io.BytesIO(answer.data))) == [mine.line]
        recorded = full.log.get(int(answer.headers["X-Export-Record"]))
        assert recorded.body["filters"]["tenant_commits"] == commit
        assert b"acme" not in recorded.line
    other_day = client.post("/api/audit/exports", json={"tenant": "acme", "settlement_date": "2026-03-02"})
    assert other_day.data == b""
    assert client.post("/api/audit/exports", json={"settlement_date": "yesterday"}).status_code == 422


def test_the_kinds_that_can_be_asked_for_are_those_that_there_are() -> None:
    kinds = get_args(RecordKind)
    assert sorted(kinds) == sorted({*BODIES, *FORMER_KINDS})


def test_a_verification_says_how_many_records_stand_as_hashes_alone(full: House, client: FlaskClient) -> None:
    told = client.get("/api/audit/verify").get_json()
    assert (told["ok"], told["records"], told["hashed_only"]) == (True, 6, 0)


def test_what_an_auditor_searched_for_is_not_in_clear_on_the_log(full: House, client: FlaskClient) -> None:
    answer = client.post("/api/audit/exports", json={"q": "Ada Lovelace"})
    recorded = full.log.get(int(answer.headers["X-Export-Record"]))
    assert b"Lovelace" not in recorded.line
    assert recorded.body["filters"] == {"text": full.log.commit("export_filter", "Ada Lovelace")}


def test_an_identifier_that_finds_nothing_is_not_in_clear_on_the_log(full: House, client: FlaskClient) -> None:
    answer = client.post("/api/audit/exports", json={"job_id": "Ada Lovelace 07700900123"})
    assert b"Lovelace" not in full.log.get(int(answer.headers["X-Export-Record"])).line


@pytest.mark.parametrize("form", FORMATS)
def test_the_former_name_of_a_kind_is_known_and_an_unknown_one_refused(
    full: House, client: FlaskClient, form: Format
) -> None:
    assert client.post("/api/audit/exports", json={"format": form, "kind": "round"}).status_code == 200
    page = client.get("/audit").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    refused = client.post("/audit/export?kind=nonsense", data={"format": form, "csrf_token": token[1]})
    assert refused.status_code == 422


def test_nothing_is_handed_out_that_cannot_be_recorded(
    full: House, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    answer = client.post("/api/audit/exports", json={})
    assert answer.status_code == 503
    assert b"job-1" not in answer.data


@pytest.mark.parametrize("wrong", [{"format": "xml"}, {"kind": "rumour"}, {"limit": 1}, {"start": "yesterday"}])
def test_a_wrong_request_is_refused_and_nothing_recorded(
    full: House, client: FlaskClient, wrong: dict[str, Any]
) -> None:
    assert client.post("/api/audit/exports", json=wrong).status_code == 422
    assert full.log.head()[0] == 6


def test_the_page_exports_what_its_filters_show(full: House, client: FlaskClient) -> None:
    page = client.get("/audit?kind=decision&job=job-1", headers={"Accept": "text/html"}).text
    action = re.search(r'action="(/audit/export\?[^"]+)"', page)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert action is not None
    assert token is not None
    address = action[1].replace("&amp;", "&")
    answer = client.post(address, data={"format": "jsonl", "csrf_token": token[1]})
    assert list(read("jsonl", io.BytesIO(answer.data))) == [full.log.get(2).line]
    assert client.post(address, data={"format": "exe", "csrf_token": token[1]}).status_code == 422
