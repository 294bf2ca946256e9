"""``plan``: a file in, a file out, and a wrong file is told apart by the path of the wrong field."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import app
from core.plan import Plan


def write(path: Path, **changes: Any) -> Path:
    document = {
        "name": "small",
        "start": "2023-03-01T00:00Z",
        "slots": 4,
        "carbon_price_gbp_per_tonne": 100,
        "sites": [
            {
                "id": "s",
                "region": "GB-C",
                "headroom_kw": [12, 12, 12, 0],
                "price_gbp_per_kwh": [0.3, 0.1, 0.2, 0.0],
                "carbon_g_per_kwh": [0, 0, 0, 0],
                "pue": 1.2,
            }
        ],
        "jobs": [
            {
                "id": name,
                "kind": "block",
                "earliest_slot": 0,
                "latest_slot": 4,
                "sites": ["s"],
                "unserved_penalty_gbp": 10,
                "power_kw": power,
                "duration_slots": 2,
            }
            for name, power in (("fits", 10), ("large", 11))
        ],
        **changes,
    }
    text = json.dumps(document).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_a_plan_is_written_beside_what_it_says_of_itself(
    tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / f"plan{suffix}"
    assert app.main(["plan", str(write(tmp_path / f"i{suffix}")), "--out", str(out), "--seed", "4"]) == 0
    raw = out.read_bytes()
    made = Plan.model_validate_json(gzip.decompress(raw) if suffix.endswith("gz") else raw)
    assert [(a.job, a.site, a.runs) for a in made.assignments] == [("fits", "s", ((1, 3, 10.0),))]
    assert [u.job for u in made.unserved] == ["large"]
    assert made.objective_gbp == pytest.approx(10 * 1.2 * 0.5 * 0.3 + 10)
    assert made.bound_gbp <= made.objective_gbp
    assert made.seed == 4
    told = capsys.readouterr()
    assert told.out == ""
    assert "1 jobs placed, 1 unserved" in told.err


def test_without_a_file_to_write_the_plan_goes_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert app.main(["plan", str(write(tmp_path / "i.json"))]) == 0
    assert Plan.model_validate_json(capsys.readouterr().out).instance == "small"


def test_an_instance_without_jobs_has_an_empty_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert app.main(["plan", str(write(tmp_path / "i.json", jobs=[]))]) == 0
    made = Plan.model_validate_json(capsys.readouterr().out)
    assert (made.assignments, made.unserved, made.objective_gbp) == ((), (), 0)


def test_a_wrong_field_is_named_by_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write(tmp_path / "i.json")
    document = json.loads(path.read_text())
    document["jobs"][1]["colour"] = "red"
    path.write_text(json.dumps(document))
    assert app.main(["plan", str(path)]) == 2
    told = capsys.readouterr()
    assert "jobs.1.colour" in told.err
    assert told.out == ""


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_a_file_that_cannot_be_read_is_an_error_of_one_line(name: str, capsys: pytest.CaptureFixture[str]):
    assert app.main(["plan", name]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_plan_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert app.main(["plan", str(write(tmp_path / "i.json")), "--out", str(tmp_path / "no" / "p.json")]) == 2
    told = capsys.readouterr().err
    assert "cannot be written: No such file or directory" in told


@pytest.mark.parametrize("option", [("--seed", "-1"), ("--time-limit", "0"), ("--time-limit", "nan")])
def test_a_seed_or_limit_that_means_nothing_is_refused(
    tmp_path: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        app.main(["plan", str(write(tmp_path / "i.json")), *option])
    assert ended.value.code == 2
    assert option[0] in capsys.readouterr().err
