"""Points 24 and 25: what is personal stands on the log as a commitment only, and can be erased."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from audit.canonical import canonical
from audit.log import AuditLog
from audit.proofs import inclusion_proof
from audit.record import Entry
from audit.scanner import Finding, scan_records
from audit.storage import beside
from audit.verifier.notes import Key
from audit.verifier.proof_file import check_proof
from audit.verify import records_in, verify
from core.errors import InputError, NotFound
from tests.house import Bench
from tests.unit.audit.samples import decision, delivery, open_log

MSID = "1012345678901"


@pytest.fixture
def log(tmp_path):
    log = open_log(tmp_path / "decisions.jsonl")
    yield log
    log.close()


def committed(log: AuditLog) -> int:
    """The number of a record that commits to a meter identifier and a tenant."""
    tenant = log.commit("tenant", "acme")
    entry = Entry("decision", decision(tenant_commit=tenant), commit={"msid": log.commit("msid", MSID)})
    return log.append_all([Entry("delivery", delivery()), entry])[1].seq


def test_point_24_after_erasure_the_log_and_its_proofs_still_verify(log):
    seq = committed(log)
    proof, keys = inclusion_proof(log, seq), [Key.parse(log.vkey())]
    before = log.get(seq)
    record = log.erase("msid", MSID, "asked by the customer")
    assert (record.kind, record.body["commitments"]) == ("redaction", [before.commit["msid"]])
    assert log.get(seq) == before
    assert f"record {seq} is in the log" in check_proof(proof, keys)
    assert f"record {seq} is in the log" in check_proof(inclusion_proof(log, seq), keys)
    assert log.verify().ok


def test_point_24_after_erasure_neither_value_nor_salt_is_anywhere_beside_the_log(log):
    seq = committed(log)
    (salt,) = log._vault._rows.execute("SELECT salt FROM kept WHERE field = 'msid'").fetchone()
    assert hmac.new(salt, canonical(MSID), "sha256").hexdigest() == log.get(seq).commit["msid"]
    log.erase("msid", MSID, "asked by the customer")
    for file in log.path.parent.iterdir():
        assert MSID.encode() not in file.read_bytes(), file
        assert salt not in file.read_bytes(), file
    assert log.known_as("msid", MSID) == []
    with pytest.raises(NotFound, match="holds no such value"):
        log.erase("msid", MSID, "again")


def test_point_24_trying_meter_identifiers_finds_no_match_without_the_salt(log):
    seen = log.get(committed(log)).commit["msid"]
    near = [str(int(MSID) + step) for step in range(-500, 500)]
    guesses = {hashlib.sha256(canonical(value)).hexdigest() for value in near}
    guesses |= {hmac.new(b"\0" * 32, canonical(value), "sha256").hexdigest() for value in near}
    guesses |= {hmac.new(log.log_id.encode(), canonical(value), "sha256").hexdigest() for value in near}
    assert seen not in guesses


def test_point_24_an_erasure_cut_short_after_its_record_is_finished_at_the_next_start(log, monkeypatch):
    committed(log)
    monkeypatch.setattr(log._vault, "erase", lambda commitments: 0)
    log.erase("msid", MSID, "asked by the customer")
    assert ("msid", MSID) in log._vault.values()
    path = log.path
    log.close()
    again = open_log(path)
    assert again._vault.values() == [("tenant", "acme")]
    again.close()


def test_point_25_the_scanner_finds_what_stands_in_clear(log):
    log.append("delivery", delivery(method=f"meter {MSID}"))
    log.append("delivery", delivery(method="for Acme Research"))
    log.append("delivery", delivery(method=f"digest {hashlib.sha256(b'1').hexdigest()}"))
    names = [("tenant", "acme"), ("job name", "research")]
    found = list(scan_records(records_in(log.path), names))
    assert found == [
        Finding(0, "/body/method", "MSID"),
        Finding(1, "/body/method", "tenant"),
    ]


def test_point_25_no_line_of_a_whole_story_says_a_name_a_tenant_or_a_meter(tmp_path):
    bench = Bench.build(tmp_path)
    for number, name in enumerate(("whale-training", "minnow-rendering")):
        bench.submit(job_name=name, tenant=f"tenant-{name}", duration_hours=1 + number)
    bench.tick()
    for slot in range(1, 50):
        bench.at(slot)
        bench.house.dispatcher.dispatch()
    names = [("job name", name) for name in ("whale-training", "minnow-rendering")]
    names += [("tenant", f"tenant-{name}") for _, name in names]
    path = bench.house.log.path
    assert set(bench.house.log._vault.values()) == {("tenant", name) for what, name in names if what == "tenant"}
    bench.house.close()
    records = list(records_in(path))
    assert {"negotiation_round", "decision", "delivery"} <= {record.kind for record in records}
    assert list(scan_records(records, names)) == []
    assert beside(path, ".vault").exists()
    assert verify(path).ok


def test_point_24_a_reason_that_names_what_is_erased_is_refused(tmp_path):
    log = open_log(tmp_path / "decisions.jsonl")
    log.append("decision", decision(tenant_commit=log.commit("tenant", "Acme Hospital")))
    with pytest.raises(InputError, match="names what is to be erased"):
        log.erase("tenant", "Acme Hospital", "acme hospital asked to")
    assert log.head()[0] == 1
    log.erase("tenant", "Acme Hospital", "its owner asked to")
    log.close()
