"""``audit verify``: 0 for a log that verifies, 1 with the first bad line, 2 where there is no log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import app
from tests.house import Bench


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
    assert "4 records verify; head " in capsys.readouterr().out


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
    assert "line 2 is bad" in capsys.readouterr().out


def test_where_there_is_no_log_the_remedy_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert app.main(["audit", "verify", str(tmp_path / "none.jsonl")]) == 2
    assert "DATA_DIR" in capsys.readouterr().err
