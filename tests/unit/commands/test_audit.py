"""``audit verify``: 0 for a log that verifies, 1 with the first bad line, 2 where there is no log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import app
from tests.house import Bench
from tests.unit.audit.samples import delivery, open_log, write_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    bench = Bench.build(tmp_path / "var")
    for _ in range(3):
        bench.submit()
    bench.tick()
    bench.house.close()
    return tmp_path / "var" / "decisions.jsonl"


def test_a_good_log_verifies_with_its_head(log: Path, capsys: pytest.CaptureFixture[str]):
    assert app.main(["audit", "verify", str(log)]) == 0
    said = capsys.readouterr().out
    own = "no auditor's key given, the keys were taken from beside the log"
    assert f"4 records verify; 1 signed checkpoint agrees; {own}; head " in said
    given = log.with_name(log.name + ".vkey").read_text(encoding="utf-8").strip()
    assert app.main(["audit", "verify", str(log), "--key", given]) == 0
    assert "4 records verify; 1 signed checkpoint agrees; head " in capsys.readouterr().out


def test_the_log_of_the_settings_is_the_default(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DATA_DIR", str(log.parent))
    assert app.main(["audit", "verify", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["records"], told["first_bad_line"]) == (True, 4, None)


def test_a_changed_line_is_named(log: Path, capsys: pytest.CaptureFixture[str]):
    lines = log.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b'"award"', b'"awarb"')
    log.write_bytes(b"\n".join(lines))
    assert app.main(["audit", "verify", str(log)]) == 1
    assert "line " in capsys.readouterr().out
    assert app.main(["audit", "verify", str(log), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["first_bad_line"] in (3, 4)


def test_a_line_taken_out_is_noticed(log: Path, capsys: pytest.CaptureFixture[str]):
    lines = log.read_bytes().split(b"\n")
    log.write_bytes(b"\n".join([*lines[:1], *lines[2:]]))
    assert app.main(["audit", "verify", str(log)]) == 1
    assert "line 2 (seq 1) is bad" in capsys.readouterr().out


def test_where_there_is_no_log_the_remedy_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert app.main(["audit", "verify", str(tmp_path / "none.jsonl")]) == 2
    assert "DATA_DIR" in capsys.readouterr().err


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of three records that took no planner, as the log of the settings."""
    path = tmp_path / "decisions.jsonl"
    write_log(path, 3)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LOG_SEGMENT_DAYS", "3660")
    return path


def test_the_keys_are_shown_and_changed(small: Path, capsys: pytest.CaptureFixture[str]):
    assert app.main(["audit", "keys"]) == 0
    (first,) = capsys.readouterr().out.split()
    assert app.main(["audit", "keys", "--rotate"]) == 0
    before, after = capsys.readouterr().out.split()
    assert (before, after != first) == (first, True)
    assert app.main(["audit", "verify"]) == 0
    assert app.main(["audit", "verify", "--key", first]) == 0
    assert "4 records verify; 2 signed checkpoints agree; head" in capsys.readouterr().out
    assert app.main(["audit", "verify", "--key", after]) == 1
    assert "is signed by no key given" in capsys.readouterr().out


def test_a_proof_is_written_and_checked(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    proof = tmp_path / "1.tlog-proof"
    assert app.main(["audit", "prove", "1", "--out", str(proof)]) == 0
    assert app.main(["audit", "prove", "--consistency", "3"]) == 0
    assert "slackwater.consistency-proof@v1" in capsys.readouterr().out
    assert app.main(["audit", "verify", "--proof", str(proof)]) == 0
    told = capsys.readouterr().out
    assert "no auditor's key given" in told
    assert "record 1 is in the log of 3 records" in told
    assert app.main(["audit", "prove"]) == 2


def test_a_value_is_erased_with_a_record_of_it(small: Path, capsys: pytest.CaptureFixture[str]):
    log = open_log(small)
    log.commit("tenant", "acme")
    log.close()
    assert app.main(["audit", "erase", "tenant", "acme", "--why", "asked to"]) == 0
    assert "record 3: commitment" in capsys.readouterr().out
    assert app.main(["audit", "erase", "tenant", "acme", "--why", "asked to"]) == 2


def test_a_scan_finds_a_meter_identifier_in_clear(small: Path, capsys: pytest.CaptureFixture[str]):
    assert app.main(["audit", "scan"]) == 0
    log = open_log(small)
    log.append("delivery", delivery(method="meter 1012345678901"))
    log.close()
    assert app.main(["audit", "scan"]) == 1
    assert "record 3 says a MSID in clear at /body/method" in capsys.readouterr().out
