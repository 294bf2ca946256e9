"""``replay``: a trace read as it is written, and the whole system run over a recorded day."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import app
from accounting.savings import JobSavings
from audit.verify import verify
from commands.replay import carbon_saved, read_trace, saved_words, table
from core.errors import InputError
from core.job import Job
from core.ledger import Totals
from core.slots import SLOT, SLOTS_PER_DAY
from tests.house import START
from tests.unit.site.fakes import make_job


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


def arrived(day: int, saved_kg: float) -> tuple[Job, JobSavings]:
    """A job of day ``day`` whose baseline emits 100 kg."""
    job = make_job(f"job-{day}-{saved_kg}", submitted_at=START + day * SLOTS_PER_DAY * SLOT)
    plan, baseline = Totals(10, 1.0, 100 - saved_kg, 2, 2), Totals(10, 1.0, 100.0, 2, 2)
    return job, JobSavings(job.job_id, plan, baseline)


def test_carbon_saved_has_an_interval_from_the_spread_between_days_of_arrival():
    jobs, savings = zip(*(arrived(0, 4.0), arrived(0, 6.0), arrived(2, 14.0)), strict=True)
    saved = carbon_saved(jobs, savings)
    half = 12.7062 * 2**0.5 * 2.0 * 2**0.5
    assert saved["kg"] == 24.0
    assert (saved["low_kg"], saved["high_kg"]) == (round(24 - half, 1), round(24 + half, 1))
    assert (saved["days"], saved["jobs"]) == (2, 3)
    assert (saved["baseline_policy"], saved["state"]) == ("run-at-submission", "settled")


def test_one_day_says_nothing_of_the_spread_and_a_job_that_lacks_a_leg_nothing_at_all():
    job, saving = arrived(0, 4.0)
    lonely, _ = arrived(1, 9.0)
    saved = carbon_saved([job, lonely], [saving, JobSavings(lonely.job_id, saving.plan, Totals())])
    assert (saved["kg"], saved["low_kg"], saved["high_kg"], saved["days"]) == (4.0, None, None, 1)
    assert carbon_saved([], [])["kg"] == 0


def test_point_23_the_table_has_no_percentage_of_carbon():
    leg = {
        "energy_kwh": 100.0,
        "cost_gbp": 10.0,
        "carbon_forecast_kg": 50.0,
        "carbon_settled_kg": 40.0,
        "peak_kw": 5.0,
        "deadline_misses": 0,
        "settled_share": 1.0,
    }
    spread = {"p5": 0.0, "median": 0.0, "p95": 0.0}
    counts = dict.fromkeys(
        ("jobs", "completed", "failed", "refused", "ticks", "ticks_planned", "ticks_failed", "records", "wall_s"), 0
    )
    saved = {
        "kg": 10.0,
        "low_kg": 4.0,
        "high_kg": 16.0,
        "days": 3,
        "jobs": 9,
        "baseline_policy": "b",
        "state": "settled",
    }
    own = leg | {"carbon_forecast_kg": 48.0, "carbon_settled_kg": 30.0, "cost_gbp": 9.0}
    told = table(
        {
            **counts,
            "log_verifies": True,
            "gap_percent": spread,
            "solve_s": spread,
            "churn_percent": 0.0,
            "run_now": leg,
            "slackwater": own,
            "carbon_saved": saved,
        }
    )
    assert "| carbon, settled on actuals, kg | 40.0 | 30.0 | -10.0 kg |" in told
    assert "| cost, GBP | 10.0 | 9.0 | -10.0 % |" in told
    assert "Carbon saved: 10.0 kg against b, settled; 95 % 4.0 to 16.0 kg, by Student's t" in told
    carbon = [line for line in told.splitlines() if line.startswith("| carbon")]
    assert len(carbon) == 2
    assert not any("%" in line for line in carbon)
    assert "without an interval" in saved_words(saved | {"low_kg": None, "high_kg": None})


def claim_levels(log: Path) -> Counter[str]:
    """How many jobs have a claim of each level in force at the end of a log."""
    bodies = [json.loads(line)["body"] for line in log.read_text().splitlines()]
    claims = [body for body in bodies if body.get("carbon") and "decision_id" not in body]
    return Counter({body["job_id"]: body["carbon"]["claim_level"] for body in claims}.values())


@pytest.mark.shared
@pytest.mark.slow
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
    assert claim_levels(kept / "decisions.jsonl") == {"settled": 40}
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
    saved = "Carbon saved: ", "against run-at-submission, settled; on fewer than two days, so without an interval"
    counted = "run now | Slackwater", "deadlines missed | 0 | 0", "2 completed", "log verifies", "gap per tick"
    for words in (*saved, *counted):
        assert words in told
