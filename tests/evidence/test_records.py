"""Points 1 and 28: every line is its own canonical spelling, and every schema that was ever written is read."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from audit.bodies.decision import RunBody
from audit.canonical import canonical
from audit.verify import verify
from tests.unit.audit.samples import NOON, decision, delivery, one_of_each_kind, open_log

SCHEMA_1 = Path(__file__).parent / "data" / "schema-1.jsonl"
"""a log as it was written before there were agents, references and commitments in the envelope"""


def test_point_01_every_line_equals_its_own_canonical_bytes(tmp_path):
    log = open_log(tmp_path / "decisions.jsonl")
    for kind, body in one_of_each_kind().items():
        log.append(kind, body)
    log.close()
    for line in log.path.read_bytes().splitlines():
        assert line == canonical(json.loads(line))


def test_point_01_floats_and_naive_times_are_refused():
    with pytest.raises(ValueError, match="is a float"):
        canonical(decision().model_copy(update={"cost_gbp": 0.5}).model_dump(warnings=False))
    with pytest.raises(ValidationError, match="start"):
        RunBody(start=NOON.replace(tzinfo=None), end=NOON, power_kw="1")


def test_point_01_the_published_vector_comes_out():
    record = {
        "baseline_mwh": "-0.5000",
        "bmu": "V__CTEST001",
        "deviation_mwh": "0.2000",
        "kind": "settlement_period",
        "metered_mwh": "-0.3000",
        "seq": 7,
        "settlement_date": "2026-10-20",
        "settlement_period": 36,
    }
    leaf = hashlib.sha256(b"\x00" + canonical(record)).hexdigest()
    assert leaf == "e80c35d18d725979482f65a938587ead88911d05dd9ecdc10bda2a1572a75a09"


@pytest.fixture
def old_log(tmp_path):
    path = tmp_path / "decisions.jsonl"
    for suffix in ("", ".head"):
        shutil.copy(f"{SCHEMA_1}{suffix}", f"{path}{suffix}")
    return path


def test_point_28_lines_of_the_first_schema_verify_and_are_read_under_todays_names(old_log):
    assert verify(old_log).records == 6
    log = open_log(old_log)
    found, total = log.records(kind="negotiation_round")
    assert (total, found[0].kind, found[0].schema) == (1, "negotiation_round", "slackwater.audit/1")
    assert log.records(kind="round")[1] == 1
    assert json.loads(found[0].line)["kind"] == "round"
    assert found[0].actor == {"agent": "slackwater/test"}
    log.close()


def test_point_28_a_log_of_the_first_schema_goes_on_in_the_second(old_log):
    log = open_log(old_log)
    log.append("delivery", delivery())
    assert [log.get(seq).schema[-2:] for seq in (5, 6)] == ["/1", "/2"]
    log.close()
    assert verify(old_log).records == 7


@pytest.mark.parametrize("version", ["slackwater.audit/3", "slackwater.audit/0", "slackwater.audit", ""])
def test_point_28_an_unknown_version_is_an_explicit_error(old_log, version):
    lines = old_log.read_bytes().splitlines(keepends=True)
    envelope = json.loads(lines[5]) | {"schema": version}
    old_log.write_bytes(b"".join(lines[:5]) + canonical(envelope) + b"\n")
    outcome = verify(old_log)
    assert (outcome.ok, outcome.first_bad_line) == (False, 6)
    assert f"unknown schema {version!r}" in outcome.reason
