"""Whole houses replayed: every way to a decision that a tick knows comes out the same again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from agents.replaying.cases import DECISION, ROUND, Case, cases
from agents.replaying.findings import Replayed, Verdict
from agents.replaying.replayer import Replayer
from agents.sharing import OTHERS_FIRST
from core.slots import SLOT
from store.vintages import VintageRepository
from tests.house import START, Bench, small_site

KINDS = ("fixed", "deferrable", "pausable", "throttlable")


def replayed(bench: Bench) -> list[Replayed]:
    """Every record of a house's log, derived again."""
    vintages = VintageRepository(bench.house.database)
    return [each for case in found(bench) for each in Replayer(bench.folder, vintages, START).replay(case)]


def found(bench: Bench) -> list[Case]:
    return list(cases(bench.folder / "decisions.jsonl"))


def assert_all_same(bench: Bench) -> None:
    results = replayed(bench)
    assert {each.verdict for each in results} == {Verdict.SAME}, [each.findings for each in results]
    records, _ = bench.house.log.records(limit=10_000)
    told = sorted(record.seq for record in records if record.kind in (ROUND, DECISION))
    assert sorted(each.seq for each in results) == told


def test_jobs_that_begin_wait_move_and_end_are_derived_again_across_a_restart(tmp_path: Path):
    bench = Bench.build(tmp_path)
    for slot in range(4):
        bench.at(slot)
        for kind in KINDS:
            bench.submit(kind, power_kw=20 + 15 * slot, duration_hours=1 + slot)
        bench.tick()
        bench.house.dispatcher.dispatch()
        if slot == 1:
            bench = bench.restarted()
    assert_all_same(bench)
    bench.house.close()


def test_plans_over_scenarios_in_which_bad_outcomes_count_are_derived_again(tmp_path: Path):
    bench = Bench.build(tmp_path, risk_weight=0.5, risk_level=0.8, risk_scenarios=6, carbon_price_gbp_per_tonne=250)
    for slot in range(2):
        bench.at(slot)
        for kind in KINDS:
            bench.submit(kind, power_kw=45)
        bench.tick()
    assert_all_same(bench)
    bench.house.close()


def test_refusals_for_fairness_are_derived_again_and_their_shares_are_those_of_the_round(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    for tenant, count in (("whale", 70), ("minnow", 10)):
        for _ in range(count):
            bench.submit(tenant=tenant, latest_finish=START + timedelta(hours=24))
    bench.tick()
    (case,) = found(bench)
    assert OTHERS_FIRST in {record.body["reason"] for record in case.decisions}
    assert_all_same(bench)
    bench.house.close()


def test_a_job_that_is_given_up_stands_before_its_round_or_alone(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    bench.submit("fixed", power_kw=60, tier="premium")
    bench.submit("fixed", power_kw=60, tier="spot", latest_finish=START + 5 * SLOT)
    bench.tick()
    bench.house.dispatcher.dispatch()
    bench.at(2)
    bench.tick()
    first, second = found(bench)
    assert (len(first.ended), len(second.ended)) == (0, 1)
    assert second.round is not None
    assert_all_same(bench)
    bench.house.close()


def test_at_a_tick_that_negotiates_nothing_a_job_given_up_stands_alone(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    bench.submit("fixed", carbon_cap_g_per_kwh=0, latest_finish=START + 5 * SLOT)
    bench.tick()
    bench.at(3)
    bench.tick()
    alone = found(bench)[-1]
    assert (alone.round, len(alone.ended)) == (None, 1)
    assert_all_same(bench)
    bench.house.close()
