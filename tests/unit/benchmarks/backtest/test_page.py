"""The page says what the results say; the command refuses what it cannot use."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from benchmarks.backtest import __main__ as command
from benchmarks.backtest.days import lost, spread
from benchmarks.backtest.running import METHODS, PLANNER, WITHOUT_ERROR, wrong
from benchmarks.backtest.world import recorded
from core.errors import InputError

DAYS = 4


def method(**changes: Any) -> dict[str, Any]:
    by_day = {name: [10.0] * DAYS for name in ("energy_gbp", "carbon_kg", "total_gbp")}
    nought = {name: [0] * DAYS for name in ("pauses_gbp", "penalty_gbp", "missed")}
    replans = {
        "gap": [0.001, 0.002, 0.02], "solve_s": [0.01] * 3, "solve_cpu_s": [0.01] * 3, "open_jobs": [5] * 3,
        "contended": 1, "judged": 1, "disagreements": [], "moves_a_job": 0.5, "job_slots_moved": 1,
        "job_slots_planned": 9,
    }  # fmt: skip
    figures = {"pauses": 0, "it_kwh": 5.0, "peak_share": 0.9, "faults": [], "wall_s": 60.0, "cpu_s": 30.0}
    return by_day | nought | replans | figures | changes


def made(**changes: Any) -> dict[str, Any]:
    """Results in which the planner takes 9, 8, 12 and nothing at all against the others' 10."""
    methods = {name: method() for name in METHODS}
    methods[PLANNER] = method(total_gbp=[9.0, 8.0, 12.0, 10.0])
    methods[WITHOUT_ERROR] = method(total_gbp=[9.0, 8.0, 9.5, 10.0])
    return {
        "days": DAYS, "seed": 1, "jobs_a_day": 100.0, "jobs": 300, "kinds": {"block": 300},
        "jobs_by_day": [100, 100, 100, 0], "first_day": "2023-01-01", "zones": ["GB"], "utilisation": 0.3,
        "carbon_price_gbp_per_tonne": 100.0, "load": 1.0, "machine": "2 cores", "wall_s": 100.0,
        "errors": {"price": {"phi": 0.98, "spread": 0.03}, "carbon": {"phi": 0.96, "spread": 30.0}},
        "met_errors": {"price_p": [2.0, 3.0], "carbon_g": [20.0, 25.0]}, "methods": methods,
    } | changes  # fmt: skip


def test_savings_are_of_days_with_jobs_and_of_all_together() -> None:
    found = spread(made(), "greedy", "total_gbp")
    assert found.whole == pytest.approx(1 / 30)
    assert found.median == pytest.approx(0.1)
    assert found.low == pytest.approx(-0.17)
    assert found.high == pytest.approx(0.19)


def test_penalties_are_told_apart() -> None:
    results = made()
    results["methods"]["greedy"]["penalty_gbp"] = [6.0, 0.0, 0.0, 0.0]
    assert spread(results, "greedy", "served_gbp").whole == pytest.approx((24 - 29) / 24)


def test_a_day_lost_is_named_with_its_reason() -> None:
    (day,) = lost(made(), "greedy")
    assert (day.day, day.gbp, day.share) == (date(2023, 1, 3), pytest.approx(2.0), pytest.approx(0.2))
    assert day.why == "forecast errors: without them it is 0.50 GBP cheaper"
    crowded = made()
    crowded["methods"][WITHOUT_ERROR]["total_gbp"][2] = 11.5
    assert lost(crowded, "greedy")[0].why.startswith("room, taken by jobs of other days")
    crowded["methods"][WITHOUT_ERROR]["total_gbp"][2] = 10.5
    assert lost(crowded, "greedy")[0].why.startswith("mostly forecast errors")
    crowded["methods"][PLANNER]["missed"] = [0, 0, 2, 0]
    assert lost(crowded, "greedy")[0].why == "2 more deadlines missed"


def test_the_page_holds_every_table_and_picture(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(made()))
    assert command.main(["--page-only", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "backtest.md").read_text()
    assert "| median certified gap | under 1 % | 0.20 % | yes |" in page
    assert "| greedy by price and carbon | total cost | 3.3 % | 10.0 % | -17.0 % | 19.0 % | 1 of 3 |" in page
    assert "| 3 January 2023 | run now, first fit | 2.00 | 20.0 % |" in page
    assert "| Slackwater, rolling, with forecast errors | 29 | 0.83 | 2.50 | 2.50 | 1 of 3 |" in page
    assert "| Slackwater, rolling, averse to risk | 30 | 1.17 | 2.00 | 2.00 | 3 of 3 |" in page
    assert "$" not in page
    for name in ("savings", "days", "gaps"):
        assert f"backtest/{name}.svg" in page
        assert (tmp_path / "backtest" / f"{name}.svg").read_text().count("<svg") == 1


def test_a_fault_or_a_disagreement_makes_the_run_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = made()
    broken["methods"]["greedy"]["faults"] = ["too much"]
    broken["methods"][PLANNER]["disagreements"] = ["refused"]
    assert wrong(broken) == [f"{PLANNER}: refused", "greedy: too much"]
    (tmp_path / "results.json").write_text(json.dumps(broken))
    few = tmp_path / "few.json"
    assert command.main(["--page-only", "--out", str(tmp_path), "--summary", str(few)]) == 1
    assert "wrong: greedy: too much" in capsys.readouterr().out
    summary = json.loads(few.read_text())
    assert (summary["violations"], summary["median_gap"], summary["wall_s"]) == (2, 0.002, 100.0)


def test_without_recorded_figures_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--data", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "no recorded figures in" in said
    assert "--data" in said
    assert command.main(["--data", str(tmp_path), "--days", "274", "--out", str(tmp_path)]) == 2
    assert "from 1 to 273" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--jobs-a-day", "0"], "give a number above 0"),
        (["--jobs-a-day", "nan"], "give a number above 0"),
        (["--seed", "-1"], "a whole number from 0 on"),
        (["--page-only", "--out", "/nowhere"], "run without it first"),
    ],
)
def test_figures_that_cannot_be_used_are_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert said in capsys.readouterr().err


@pytest.mark.shared
def test_the_recorded_world_has_one_level_of_price_and_the_headroom_asked_for(shared_data: Path) -> None:
    world = recorded(shared_data, 273, 1e6, 0.3)
    assert world.price.shape == (10, 13_104)
    means = world.price.mean(axis=1)
    assert means.tolist() == pytest.approx([means[0]] * 10)
    assert means[0] == pytest.approx(0.2354, abs=1e-4)
    assert 1e6 * world.pue.mean() / world.headroom_kw.sum() == pytest.approx(0.3)
    with pytest.raises(InputError, match="0 days"):
        recorded(shared_data, 0, 1e6, 0.3)


@pytest.mark.shared
@pytest.mark.slow  # starts two processes
def test_a_day_is_run_and_told(shared_data: Path, tmp_path: Path) -> None:
    arguments = ["--days", "3", "--jobs-a-day", "20", "--data", str(shared_data), "--out", str(tmp_path)]
    assert command.main(arguments) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["methods"]) == set(METHODS)
    assert len(results["methods"][PLANNER]["total_gbp"]) == 3
    assert (tmp_path / "backtest.md").exists()
