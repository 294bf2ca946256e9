"""``replay``: a trace read as it is written, and the whole system run over a recorded day."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

import app
from audit.verify import verify
from commands.replay import read_trace
from core.errors import InputError
from core.slots import SLOT
from tests.house import START


def arguments(**changes: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"seed": 1, "days": 1, "slack_hours": 24.0, "kw_per_cpu": 20.0, **changes})


def trace(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text)
    return path


def test_a_trace_becomes_jobs_in_order_of_arrival_within_the_days(tmp_path: Path):
    path = trace(tmp_path, "arrival_time,length,cpus\n3600,7200,2\n60,10,1\n90000,10,1\n")
    found = read_trace(path, START, arguments())
    assert [(a.at - START).total_seconds() for a in found] == [60, 3600]
    assert [(a.request.duration_hours, a.request.power_kw) for a in found] == [(0.5, 20), (2, 40)]
    assert found[1].request.latest_finish == START + SLOT * 2 * (1 + 2 + 24)


def test_the_same_seed_draws_the_same_kinds_and_tiers(tmp_path: Path):
    path = trace(tmp_path, "arrival_time,length,cpus\n" + "60,10,1\n" * 50)
    one, same, other = (read_trace(path, START, arguments(seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    assert {a.request.flexibility_type.value for a in one} == {"deferrable", "pausable", "throttlable", "fixed"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column"),
        ("arrival_time,length\n1,2\n", "no column cpus"),
        ("arrival_time,length,cpus\n1,2,few\n", "line 2"),
        ("arrival_time,length,cpus\n1,2,1\n1,2,0\n", "line 3"),
        ("arrival_time,length,cpus\n1,2\n", "line 2"),
    ],
)
def test_a_trace_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, text: str, words: str):
    with pytest.raises(InputError, match=words):
        read_trace(trace(tmp_path, text), START, arguments())


def test_a_job_longer_than_a_window_may_be_is_left_out_of_no_count(tmp_path: Path):
    path = trace(tmp_path, f"arrival_time,length,cpus\n60,{169 * 3600},1\n60,10,1\n")
    with pytest.raises(InputError, match="line 2"):
        read_trace(path, START, arguments())


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--from", "soon"], "no date"),
        (["--jobs", "absent.csv"], "no trace absent.csv"),
        (["--keep", "."], "is not empty"),
    ],
)
def test_a_wrong_argument_is_named(tmp_path: Path, argv: list[str], words: str, capsys: pytest.CaptureFixture[str]):
    trace(tmp_path, "arrival_time,length,cpus\n60,10,1\n")
    good = ["--data", str(tmp_path), "--from", "2023-03-01", "--jobs", "trace.csv"]
    assert app.main(["replay", *good, *argv]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.shared
def test_a_recorded_day_misses_no_deadline_and_costs_less_than_running_at_once(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    lines = (shared_data / "jobs_pai_1k.csv").read_text().splitlines()[:41]
    path = trace(tmp_path, "\n".join(lines) + "\n")
    kept = tmp_path / "kept"
    argv = ["replay", "--data", str(shared_data), "--from", "2023-03-01", "--days", "1", "--jobs", str(path)]
    assert app.main([*argv, "--keep", str(kept), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["jobs"], told["completed"], told["refused"], told["failed"]) == (40, 40, 0, 0)
    assert told["slackwater"]["deadline_misses"] == 0
    assert told["ticks_failed"] == 0
    assert told["log_verifies"]
    assert verify(kept / "decisions.jsonl").records == told["records"]
    now, own = told["run_now"], told["slackwater"]
    assert own["cost_gbp"] < now["cost_gbp"]
    assert own["carbon_settled_kg"] < now["carbon_settled_kg"]
    assert own["settled_share"] == now["settled_share"] == 1
    assert now["energy_kwh"] > 0


@pytest.mark.shared
def test_the_table_says_what_it_rests_on(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = trace(tmp_path, "arrival_time,length,cpus\n60,3600,1\n4000,1800,2\n")
    argv = ["replay", "--data", str(shared_data), "--from", "2023-03-01", "--days", "1", "--jobs", str(path)]
    assert app.main([*argv, "--slack-hours", "6"]) == 0
    told = capsys.readouterr().out
    for words in ("run now | Slackwater", "deadlines missed | 0 | 0", "2 completed", "log verifies", "gap per tick"):
        assert words in told
