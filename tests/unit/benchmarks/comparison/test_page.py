"""The page says what the rows say: who is ranked, what is reached, what went wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparison import plots, tables
from benchmarks.comparison.cases import CASES, EXTERNAL, PLANNER, QUICK, REPLANNED, TITLES
from benchmarks.comparison.page import PICTURES, page
from benchmarks.comparison.results import ABSENT, FAILED, LATE, PLAN, UNSUITED, VALUE, Results, Row, load, save
from benchmarks.instances import NAMES

PLACED: dict[str, Any] = {
    "placed": 200, "unserved": 0, "objective_gbp": 101.0, "bound_gbp": None, "carbon_kg": 60.0, "energy_gbp": 95.0,
    "violations": 0, "first_violation": "", "over_slots": 0, "over_kw_slots": 0.0, "pauses": 0, "unserved_kwh": 0.0,
    "least_share": 1.0, "jain": 1.0,
}  # fmt: skip


def row(method: str = PLANNER, instance: str = "b3-200", outcome: str = PLAN, said: str = "", **figures: Any) -> Row:
    found = (PLACED if outcome == PLAN else {}) | figures
    return Row(instance, method, outcome, said, wall_s=0.9, command_s=2.0, peak_mb=250.0, figures=found)


def results(*rows: Row) -> Results:
    return Results("2 cores", "synthetic", rows)


def cells(table: str, start: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def reached(*rows: Row) -> str:
    return cells(tables.targets(results(*rows)), "200 blocks")[-1]


def test_a_target_is_reached_in_time_gap_and_memory_together() -> None:
    assert reached(row(bound_gbp=100.5)) == "yes"
    assert reached(row(bound_gbp=99.0)) == "no: gap"
    late = Row("b3-200", PLANNER, PLAN, wall_s=1.5, command_s=2.0, peak_mb=400.0, figures=PLACED | {"bound_gbp": 100.5})
    assert reached(late) == "no: time, memory"


def test_a_plan_that_leaves_jobs_out_misses_its_target_only_where_a_plan_is_known_that_does_not() -> None:
    short = row(bound_gbp=100.5, unserved=2)
    assert reached(short) == "yes"
    assert "there is a plan that serves all" in reached(short, row("run-now"))


def test_a_plan_that_breaks_a_limit_reaches_nothing() -> None:
    assert reached(row(bound_gbp=100.5, violations=1, first_violation="slot 3 is full")) == "no: slot 3 is full"


def test_what_was_not_run_or_not_planned_is_said() -> None:
    assert reached() == "not run"
    assert reached(row(outcome=LATE, said="nothing 60 s after")) == "no: late, nothing 60 s after"


def test_the_best_bound_is_the_highest_that_was_proved() -> None:
    lp = row("exact-lp", outcome=VALUE, fractional_gbp=98.0)
    milp = row("exact-milp", solver_bound_gbp=99.0)
    pop = row("pop-8", outcome=VALUE, fractional_gbp=100.0)
    assert results(lp, pop).bound_gbp("b3-200") == 98.0
    assert results(lp, pop, milp).bound_gbp("b3-200") == 99.0
    assert results(lp, milp, row(bound_gbp=99.5)).bound_gbp("b3-200") == 99.5


def test_plans_are_ranked_by_cost_and_those_that_break_limits_are_not_ranked() -> None:
    table = tables.comparison(
        results(
            row("cats", objective_gbp=90.0, violations=3, over_slots=3, over_kw_slots=7.5),
            row("run-now", objective_gbp=120.0),
            row("exact-lp", outcome=VALUE, fractional_gbp=100.0),
            row(objective_gbp=105.0),
            row("emhass", outcome=LATE, said="nothing"),
        )
    )
    methods = [line.split("|")[1].strip() for line in table.splitlines()[3:]]
    assert [name.partition(":")[0] for name in methods] == [
        "**Slackwater**", TITLES["run-now"], TITLES["cats"], TITLES["exact-lp"], TITLES["emhass"],
    ]  # fmt: skip
    assert cells(table, "**Slackwater**")[2] == "5.00 %"
    assert cells(table, "CATS")[:3] == ["CATS 1.2.1: not valid", "90.00", "–"]
    assert cells(table, "CATS")[6] == "3 slots, 8 kW-slots"
    assert cells(table, "exact LP")[0] == "exact LP: fractional, no plan"
    assert cells(table, "EMHASS")[0] == "EMHASS 0.18.7: out of time (nothing)"


@pytest.mark.parametrize(("outcome", "words"), [(UNSUITED, "cannot express it"), (ABSENT, "not installed")])
def test_a_peer_without_an_answer_has_a_row_with_the_reason(outcome: str, words: str) -> None:
    found = cells(tables.comparison(results(row("emhass", outcome=outcome, said="why"))), "EMHASS")
    assert found[0] == f"EMHASS 0.18.7: {words} (why)"


def test_a_fault_is_right_when_it_is_refused_or_planned_as_it_has_to_be() -> None:
    refused = row(instance="b6-nan", outcome=UNSUITED, said="not finite | nor a number")
    planned = row(instance="b6-overload", unserved=36)
    wrong = [
        row(instance="b6-nan"),
        row(instance="b6-spring", outcome=UNSUITED, said="no"),
        row(instance="b6-autumn", violations=1, first_violation="slot 3"),
        row(instance="b6-stale", outcome=FAILED, said="KeyError"),
    ]
    assert all(tables.fault_holds(one) for one in (refused, planned))
    assert not any(tables.fault_holds(one) for one in wrong)
    table = tables.faults(results(refused, planned, *wrong[1:]))
    assert "| refused | refused: not finite / nor a number |" in table
    assert "a valid plan of 236 jobs, 36 of them left out" in table
    assert "**wrongly** refused: no" in table
    assert "**not valid**: slot 3" in table
    assert "**broke down**: KeyError" in table


def test_every_case_is_an_instance_and_every_method_has_a_title() -> None:
    assert {case.name for case in CASES} <= set(NAMES)
    assert set(QUICK) <= {case.name for case in CASES}
    assert {method for case in CASES for method in case.methods} | {PLANNER} == set(TITLES)
    assert set(EXTERNAL) <= set(TITLES)


def test_results_are_kept_by_instance_and_method_and_only_for_the_same_machine(tmp_path: Path) -> None:
    kept = results(row(), row("run-now")).with_rows([row(objective_gbp=99.0)])
    save(kept, tmp_path / "results.json")
    assert load(tmp_path / "results.json", "2 cores", "synthetic") == kept
    assert [one.figures["objective_gbp"] for one in kept.rows] == [99.0, 101.0]
    assert load(tmp_path / "results.json", "64 cores", "synthetic").rows == ()
    assert load(tmp_path / "absent.json", "2 cores", "synthetic").rows == ()


def test_the_page_shows_every_table_and_picture(tmp_path: Path) -> None:
    names = [f"b2-{kind}-{factor}" for kind in plots.CAP_KINDS for factor in plots.CAP_FACTORS]
    methods = ("run-now-no-capacity", "cheapest-window-no-capacity", "run-now")
    rows = [row(method, name) for name in (*names, *plots.SIZES) for method in methods]
    rows += [row(instance=name, bound_gbp=99.0) for name in (*names, *plots.SIZES, REPLANNED)]
    drawn = plots.draw(results(*rows), tmp_path)
    assert drawn == list(PICTURES)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.svg" for name in drawn)
    text = page(results(*rows), drawn)
    assert "$" not in text
    assert re.findall(r"\]\((.+?)\)", text) == [f"benchmarks/{name}.svg" for name in drawn]
    assert "2 cores, with synthetic figures" in text


def test_pictures_are_the_same_when_the_figures_are(tmp_path: Path) -> None:
    rows = results(row(bound_gbp=99.0), row("run-now"))
    for folder in ("one", "other"):
        assert plots.draw(rows, tmp_path / folder) == ["gaps"]
    assert (tmp_path / "one" / "gaps.svg").read_bytes() == (tmp_path / "other" / "gaps.svg").read_bytes()


def test_without_rows_nothing_is_drawn(tmp_path: Path) -> None:
    assert plots.draw(results(), tmp_path) == []
