"""Cases are generated, planned by everyone in processes of their own, and judged; what goes wrong becomes a row."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as bench_command
from benchmarks.comparison import running
from benchmarks.comparison.cases import PLANNER, Case
from benchmarks.comparison.results import ABSENT, FAILED, LATE, PLAN, UNSUITED, VALUE, Row
from benchmarks.comparison.running import Bench
from benchmarks.comparison.tables import certified_gap

CASE = Case("b3-20", "twenty blocks", 2.0, ("run-now", "exact-lp"), patience_s=20.0)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, None, repeats=1)


def python(code: str) -> list[str | Path]:
    """A stand-in for a method: it gets the instance and the rest as arguments."""
    return [sys.executable, "-c", code]


@pytest.mark.slow  # starts the planner and more
def test_a_case_gives_a_row_for_the_planner_and_for_every_method_and_leaves_no_files(bench: Bench) -> None:
    planner, rule, relaxed = bench.run(CASE, CASE.methods)
    assert [(row.method, row.outcome) for row in (planner, rule, relaxed)] == [
        (PLANNER, PLAN), ("run-now", PLAN), ("exact-lp", VALUE),
    ]  # fmt: skip
    assert planner.valid
    assert relaxed.proven_gbp <= planner.proven_gbp + 1e-6 <= planner.figures["objective_gbp"] + 2e-6
    assert planner.figures["objective_gbp"] <= rule.figures["objective_gbp"]
    assert 0 < planner.wall_s < planner.command_s
    assert planner.peak_mb > 50
    assert list(bench.folder.iterdir()) == []


def test_a_refusal_to_be_expected_is_a_row_and_not_an_error(bench: Bench) -> None:
    row = bench.row("b4-full-300", "run-now", bench.generate("b4-full-300"), 5.0)
    assert row.outcome == UNSUITED
    assert row.said.startswith("its form has no carbon_cap_kg, frozen")


@pytest.mark.parametrize(
    ("code", "outcome", "said"),
    [
        ("raise SystemExit(3)", UNSUITED, ""),
        ("raise KeyError('cost')", FAILED, "KeyError: 'cost'"),
        ("import time; time.sleep(60)", LATE, "nothing 1 s after it was started with a limit of 0.1 s"),
    ],
)
def test_a_method_that_fails_says_how(
    code: str, outcome: str, said: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "command_of", lambda method: python(code))
    monkeypatch.setattr(running, "MORE_S", 0.7)
    row = bench.row("b3-20", "run-now", bench.generate("b3-20"), 0.1)
    assert (row.outcome, row.said) == (outcome, said)


def test_a_peer_that_is_not_installed_says_how_to(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PEERS", bench.folder)
    row = bench.row("b3-20", "cats", bench.folder / "any", 1.0)
    assert (row.outcome, row.said) == (ABSENT, "not installed: make bench-peers")


@pytest.mark.slow  # starts the planner and more
def test_a_fault_is_refused_with_the_field_or_planned(bench: Bench) -> None:
    refused, planned = bench.fault("nan"), bench.fault("one-slot")
    assert refused.outcome == UNSUITED
    assert refused.said.startswith("sites.0.price_gbp_per_kwh.46: ")
    assert planned.outcome == PLAN
    assert planned.valid


def test_a_backtest_without_recorded_figures_says_so(bench: Bench) -> None:
    row = bench.backtested()
    assert (row.outcome, row.said) == (ABSENT, "no recorded figures: name their folder with --data")


def test_a_backtest_becomes_a_row_with_its_median_gap(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = '{"wall_s": 5.0, "median_gap": 0.002, "objective_gbp": 9.0, "unserved": 1, "violations": 0}'

    def measured(command: list[object], limit_s: float) -> running.Measured:
        Path(str(command[-1])).write_text(summary)
        return running.Measured(0, 7.0, 300.0, False, ())

    monkeypatch.setattr(running, "measure", measured)
    row = Bench(bench.folder, bench.folder, repeats=1).backtested()
    assert (row.instance, row.outcome, row.wall_s, row.valid) == ("backtest-2023", PLAN, 5.0, True)
    assert certified_gap(row) == 0.002
    assert list(bench.folder.iterdir()) == []


def test_a_backtest_that_breaks_down_says_how(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = running.Measured(1, 7.0, 300.0, False, ("KeyError: 'price'",))
    monkeypatch.setattr(running, "measure", lambda command, limit_s: failed)
    row = Bench(bench.folder, bench.folder, repeats=1).backtested()
    assert (row.outcome, row.said) == (FAILED, "KeyError: 'price'")


def test_a_generator_that_fails_is_an_error(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="invalid choice: 'b7'"):
        bench.generate("b7")


class Scripted(Bench):
    """Answers at once."""

    def prepare(self) -> None:
        pass

    def run(self, case: Case, methods: object) -> Iterator[Row]:
        yield Row(case.name, PLANNER, LATE, "scripted")

    def fault(self, name: str) -> Row:
        return Row(f"b6-{name}", PLANNER, UNSUITED, "scripted")

    def replanned(self, name: str) -> Row:
        return Row("b4-10k-replan", PLANNER, LATE, "scripted")


def asked(patterns: list[str], quick: bool) -> list[str]:
    bench = Scripted(Path(), None, 1)
    return [row.instance for row in bench_command.rows(bench, patterns, quick, ours=False)]


def test_the_quick_run_is_a_part_and_patterns_choose() -> None:
    everything, quick = asked([], quick=False), asked([], quick=True)
    assert set(quick) < set(everything)
    assert {"b4-10k-replan", "backtest-2023"} < set(everything)
    assert asked(["b3-*", "b6-n*"], quick=False) == [name for name in everything if name.startswith(("b3-", "b6-n"))]


def test_a_plan_of_ours_that_is_not_valid_makes_the_run_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_command, "Bench", Scripted)
    monkeypatch.setattr(bench_command, "FOLDER", tmp_path)
    assert bench_command.main(["--quick", "--only", "b6-nan", "--synthetic"]) == 0
    assert bench_command.main(["--quick", "--only", "b3-20", "--synthetic"]) == 1
    assert "scripted" in (tmp_path / "quick" / "benchmarks.md").read_text()
