"""Ticks over a real store and a real log: append before act, frozen commitments, and no job forgotten."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from agents.evidence import plan_digest
from agents.negotiation import Effort, negotiate
from audit.storage import LogFile
from core.errors import SolverFailed
from core.instance import Instance, Risk
from core.job import JobStatus
from core.ledger import Booking, Leg, TickRecord
from core.series import Kind
from core.slots import SLOT
from core.trade import Hold, Reduction
from store.trading import Trading
from tests.house import START, Bench, ScriptedSolver, small_site

KINDS = ("deferrable", "pausable", "throttlable", "fixed")


def test_a_tick_places_jobs_of_every_kind_and_records_each(bench: Bench):
    jobs = [bench.submit(kind) for kind in KINDS]
    record = bench.tick()
    assert (record.outcome, record.placed, record.unserved) == ("planned", 4, 0)
    for job in jobs:
        assert bench.status(job) is JobStatus.SCHEDULED
        assert bench.job(job).site_id == bench.rows(job)[0].site_id
        assert [body["verdict"] for body in bench.decisions(job)] == ["award"]
    assert bench.house.log.verify().ok
    assert bench.house.log.get(record.log_seq or 0).kind == "negotiation_round"


def test_the_plan_stays_within_the_headroom_that_was_quoted(bench: Bench):
    for _ in range(8):
        bench.submit(power_kw=45, duration_hours=6)
    record = bench.tick()
    standing = bench.house.loop.standing()
    assert record.placed == 8
    assert (standing.planned_kw + standing.sold_kw <= standing.headroom_kw + 1e-6).all()
    drawn = defaultdict(float)
    for row in bench.house.ledger.entries(leg=Leg.PLAN):
        drawn[row.site_id, row.slot_start] += row.power_kw * row.pue
    assert sum(drawn.values()) == pytest.approx(float(standing.planned_kw.sum()))


def test_a_log_that_fails_leaves_the_job_waiting_and_the_tick_failed(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    job = bench.submit()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LogFile, "append", full)
    record = bench.tick()
    assert record.outcome == "failed"
    assert "No space left on device" in record.detail
    assert (bench.status(job), bench.rows(job)) == (JobStatus.PENDING, [])
    assert bench.house.ticks.latest()[0].outcome == "failed"
    assert bench.house.loop.status().last_error == record.detail
    monkeypatch.undo()
    assert bench.tick().outcome == "failed", "a log that once failed stays shut until it is opened again"
    again = bench.restarted()
    assert again.tick().placed == 1
    assert again.status(job) is JobStatus.SCHEDULED
    again.house.close()


def test_a_second_tick_changes_nothing_where_nothing_has_changed(bench: Bench):
    jobs = [bench.submit(kind) for kind in KINDS]
    bench.tick()
    before = [bench.course(job) for job in jobs]
    records = bench.house.log.head()[0]
    record = bench.tick()
    assert (record.outcome, record.churn) == ("planned", 0.0)
    assert [bench.course(job) for job in jobs] == before
    assert bench.house.log.head()[0] == records + 1, "only the round is new"


def test_what_has_begun_stays_where_it_is_committed(bench: Bench):
    jobs = [bench.submit(kind, earliest_start=START, latest_finish=START + 10 * SLOT) for kind in KINDS]
    bench.tick()
    last = max(row.slot_start for job in jobs for row in bench.rows(job))
    planned = {job.job_id: bench.course(job) for job in jobs}
    for slot in range(1, (last - START) // SLOT + 1):
        bench.house.dispatcher.dispatch()
        bench.at(slot)
        bench.submit("fixed", power_kw=60, duration_hours=0.5)
        assert bench.tick().outcome == "planned"
        for job in jobs:
            committed = [entry for entry in planned[job.job_id] if entry[1] < bench.clock.now()]
            assert [entry for entry in bench.course(job) if entry[1] < bench.clock.now()] == committed
            if job.flexibility_type in ("fixed", "deferrable") and committed:
                assert bench.course(job) == planned[job.job_id]
            planned[job.job_id] = bench.course(job)


def test_a_plan_whose_first_slot_has_begun_meanwhile_is_not_applied(bench: Bench):
    job = bench.submit()
    assert isinstance(bench.solver, ScriptedSolver)
    bench.solver.meanwhile.append(lambda: bench.clock.advance(timedelta(seconds=1)))
    record = bench.tick()
    assert (record.outcome, bench.status(job), bench.rows(job)) == ("late", JobStatus.PENDING, [])
    assert bench.house.log.head()[0] == 0
    assert bench.tick().outcome == "planned"


def booking(site_id: str, slot: int, power_kw: float) -> Booking:
    return Booking(
        f"book-{slot}", f"slot-{slot}", "theirs", site_id, START + SLOT * slot, START + SLOT * (slot + 1),
        power_kw, 0.1, 100.0, "reserved", START,
    )  # fmt: skip


def held_meanwhile(bench: Bench, change: Callable[[], object]) -> TickRecord:
    """A tick during whose negotiation ``change`` happens."""
    assert isinstance(bench.solver, ScriptedSolver)
    bench.solver.meanwhile.append(change)
    return bench.tick()


def hold_reduction(bench: Bench, site_id: str, slot: int, baseline_kw: float, reduction_kw: float) -> None:
    held = Reduction(f"c-{slot}", site_id, START + SLOT * slot, baseline_kw, reduction_kw, Hold.HELD, None)
    with Trading(bench.house.database).work() as work:
        work.hold_reductions([held])


def test_a_booking_that_does_not_fit_beside_the_new_plan_sends_it_back(bench: Bench):
    job = bench.submit("fixed", allowed_regions=["london"], earliest_start=START + 2 * SLOT)
    sold = booking("london", 3, 90.0)
    record = held_meanwhile(bench, lambda: bench.house.bookings.reserve(sold, {sold.start: 100.0}))
    assert (record.outcome, bench.rows(job)) == ("late", [])
    assert "booked" in record.detail
    assert "london may draw 10.0 kW" in record.detail


def test_a_booking_that_fits_beside_the_new_plan_does_not_send_it_back(bench: Bench):
    job = bench.submit("fixed", allowed_regions=["london"], earliest_start=START + 2 * SLOT)
    sold = booking("london", 3, 50.0)
    record = held_meanwhile(bench, lambda: bench.house.bookings.reserve(sold, {sold.start: 100.0}))
    assert (record.outcome, len(bench.rows(job))) == ("planned", 4)
    standing = bench.house.loop.standing()
    assert standing.sold_kw[0, 3] == 50.0, "the plan in force knows what was sold while it was made"
    assert (standing.planned_kw + standing.sold_kw <= standing.headroom_kw + 1e-6).all()


@pytest.mark.parametrize(("reduction_kw", "outcome"), [(5.0, "late"), (0.0, "planned")])
def test_a_reduction_made_meanwhile_sends_a_plan_back_that_draws_more_than_its_cap(
    bench: Bench, reduction_kw: float, outcome: str
):
    job = bench.submit("fixed", allowed_regions=["london"], earliest_start=START + 2 * SLOT)
    pue = float(bench.house.loop.standing().pue[0, 3])
    record = held_meanwhile(bench, lambda: hold_reduction(bench, "london", 3, 20.0 * pue, reduction_kw))
    assert (record.outcome, len(bench.rows(job))) == (outcome, 4 if outcome == "planned" else 0)


def test_where_load_is_moved_away_jobs_draw_at_most_the_cap_and_nothing_is_free(bench: Bench):
    hold_reduction(bench, "london", 3, 50.0, 30.0)
    hold_reduction(bench, "oslo", 4, 50.0, 45.0)
    for _ in range(8):
        bench.submit(power_kw=45, duration_hours=6)
    assert bench.tick().placed == 8
    standing = bench.house.loop.standing()
    place = {site: row for row, site in enumerate(standing.site_ids)}
    for site, slot, cap in (("london", 3, 20.0), ("oslo", 4, 5.0)):
        cell = place[site], slot
        assert standing.cap_kw[cell] == cap
        assert standing.planned_kw[cell] <= cap + 1e-6
        assert standing.room_kw[cell] == pytest.approx(cap - standing.planned_kw[cell])
        assert standing.free_kw[cell] == 0.0
    assert np.isinf(standing.cap_kw).sum() == standing.cap_kw.size - 2


def test_what_has_begun_runs_on_below_a_cap_that_came_too_late(bench: Bench):
    job = bench.submit("fixed", allowed_regions=["london"])
    bench.tick()
    bench.house.dispatcher.dispatch()
    bench.at(1)
    hold_reduction(bench, "london", 2, 20.0, 20.0)
    assert bench.tick().outcome == "planned"
    assert len(bench.rows(job)) == 4


def test_what_is_sold_is_not_planned(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    for slot in range(8):
        bench.house.bookings.reserve(booking("london", slot, 90.0), {START + SLOT * slot: 100.0})
    bench.submit(latest_finish=START + 9 * SLOT)
    record = bench.tick()
    assert (record.placed, record.unserved) == (0, 1)
    bench.house.close()


def test_a_job_whose_window_closed_ends_with_a_reason_on_the_log(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    hog = bench.submit("fixed", power_kw=60, tier="premium")
    starved = bench.submit("fixed", power_kw=60, tier="spot", latest_finish=START + 5 * SLOT)
    bench.tick()
    waiting = bench.job(starved)
    assert (waiting.status, bench.status(hog)) == (JobStatus.PENDING, JobStatus.SCHEDULED)
    assert waiting.reason
    counter = bench.decisions(starved)[-1]
    assert (counter["verdict"], counter["reason"]) == ("counter", waiting.reason)
    bench.house.dispatcher.dispatch()
    bench.at(2)
    bench.tick()
    ended = bench.job(starved)
    assert ended.status is JobStatus.FAILED
    assert "window closed" in (ended.reason or "")
    assert bench.decisions(starved)[-1]["reason"] == ended.reason
    assert bench.house.jobs.open_jobs() == [bench.job(hog)]
    bench.house.close()


def test_an_unserved_job_is_told_why_and_what_would_help(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"), small_site("oslo", "NO", "NO-NO2")))
    job = bench.submit(power_kw=90, allowed_regions=["london"], carbon_cap_g_per_kwh=0)
    record = bench.tick()
    told = bench.decisions(job)
    assert (record.unserved, len(told)) == (1, 1)
    assert told[0]["verdict"] == "counter"
    assert told[0]["counter_offers"]
    assert bench.job(job).reason == told[0]["reason"]
    bench.tick()
    assert len(bench.decisions(job)) == 1, "the same refusal is recorded once"
    bench.house.close()


def test_every_decision_carries_the_figures_behind_it(bench: Bench):
    jobs = [bench.submit(kind) for kind in KINDS]
    bench.tick()
    for job in jobs:
        (body,) = bench.decisions(job)
        why = body["explanation"]
        assert why["version"] == 1
        assert why["run_now"]["site_id"]
        assert {condition["constraint"] for condition in why["conditions"]} >= {"deadline"}
        chosen = next(option for option in body["options"] if option["option_id"] == body["chosen_id"])
        assert chosen["priced_gbp"] is not None
        assert (chosen["start"], chosen["end"]) == (body["runs"][0]["start"], body["runs"][-1]["end"])


def test_a_waiting_job_is_told_when_there_is_room_for_it(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    hog = bench.submit("fixed", power_kw=60, tier="premium")
    starved = bench.submit("fixed", power_kw=60, tier="spot", latest_finish=START + 5 * SLOT)
    assert bench.house.loop.waiting(starved.job_id) is None, "nothing has been negotiated"
    record = bench.tick()
    assert record.plan_start is not None
    found = bench.house.loop.waiting(starved.job_id)
    assert found is not None
    assert (found.site_id, found.plan_start, found.beyond_horizon) == ("london", record.plan_start, False)
    assert found.start == bench.rows(hog)[-1].slot_start + SLOT
    (body,) = bench.decisions(starved)
    assert body["explanation"]["eta"]["site_id"] == "london"
    assert bench.house.loop.waiting(hog.job_id) is None
    bench.house.close()


def test_a_job_for_which_there_is_never_room_is_told_so(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    job = bench.submit(power_kw=20, carbon_cap_g_per_kwh=0)
    bench.tick()
    found = bench.house.loop.waiting(job.job_id)
    assert found is not None
    assert (found.start, found.site_id) == (None, None)
    assert "within its limits" in found.reason
    bench.house.close()


def test_each_job_gets_one_baseline_and_baselines_fit_beside_each_other(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    jobs = [bench.submit(power_kw=40) for _ in range(3)]
    bench.tick()
    first = {job.job_id: bench.rows(job, Leg.BASELINE) for job in jobs}
    late = bench.submit(power_kw=40)
    bench.tick()
    assert {job.job_id: bench.rows(job, Leg.BASELINE) for job in jobs} == first
    drawn = defaultdict(float)
    for row in bench.house.ledger.entries(leg=Leg.BASELINE):
        drawn[row.slot_start] += row.power_kw * row.pue
    assert max(drawn.values()) <= 100
    assert all(len(bench.rows(job, Leg.BASELINE)) == 4 for job in [*jobs, late])
    assert bench.rows(jobs[0], Leg.BASELINE)[0].slot_start == START, "run at submission runs at once"
    bench.house.close()


def test_passed_slots_are_settled_and_the_others_stay_forecast(bench: Bench):
    job = bench.submit("fixed")
    bench.tick()
    assert not any(row.settled for row in bench.rows(job))
    bench.house.dispatcher.dispatch()
    bench.at(2)
    bench.tick()
    for leg in Leg:
        assert [row.settled for row in bench.rows(job, leg)] == [True, True, False, False]
    assert all(row.price_kind is Kind.SIMULATED for row in bench.rows(job)), "simulated figures never lose their label"


def test_decision_and_delivery_claim_carbon_against_a_baseline_that_had_room(bench: Bench):
    job = bench.submit(latest_finish=START + 40 * SLOT)
    bench.tick()
    claimed = bench.decisions(job)[-1]["carbon"]
    assert (claimed["claim_level"], claimed["baseline_policy"]) == ("forecast", "run-at-submission")
    assert all(float(draw["kw"]) <= float(draw["room_kw"]) for draw in claimed["baseline_schedule"])
    saved = claimed["attributional_forecast"]
    ledger = [sum(row.carbon_kg for row in bench.rows(job, leg)) for leg in (Leg.BASELINE, Leg.PLAN)]
    assert float(saved["saved_kg"]) == pytest.approx(ledger[0] - ledger[1], abs=1e-5)
    assert float(saved["low_kg"]) <= float(saved["saved_kg"]) <= float(saved["high_kg"])
    for slot in range(42):
        bench.at(slot)
        bench.house.dispatcher.dispatch()
    (record,), _ = bench.house.log.records(kind="delivery", job_id=job.job_id)
    assert record.body["decision_seq"] == bench.house.log.records(kind="decision", job_id=job.job_id)[0][0].seq
    assert record.body["carbon"]["baseline_schedule"] == claimed["baseline_schedule"]
    moved = record.body["carbon"]["displaced"], record.body["carbon"]["rebound"]
    assert [{"date": r["date"], "sp": r["sp"], "mwh": r["mwh"]} for r in moved[1]] == record.body["rebound"]


def test_a_job_is_followed_from_submission_to_completion(bench: Bench):
    jobs = [bench.submit(kind, latest_finish=START + 12 * SLOT) for kind in KINDS]
    for slot in range(14):
        bench.at(slot)
        bench.tick()
        bench.house.dispatcher.dispatch()
    assert [bench.status(job) for job in jobs] == [JobStatus.COMPLETED] * 4
    assert all(row.delivered_kwh for job in jobs for row in bench.rows(job))
    assert bench.house.log.verify().ok


def test_nothing_is_lost_when_the_server_restarts_between_two_ticks(bench: Bench):
    jobs = [bench.submit(kind) for kind in KINDS]
    bench.tick()
    before = [bench.course(job) for job in jobs]
    waiting = bench.submit()
    again = bench.restarted()
    record = again.tick()
    assert (record.placed, record.churn) == (5, 0.0)
    assert [again.course(job) for job in jobs] == before
    assert again.status(waiting) is JobStatus.SCHEDULED
    assert again.house.log.verify().ok
    again.house.close()


@pytest.mark.parametrize("kind", ["deferrable", "pausable", "throttlable"])
def test_a_job_that_the_server_slept_through_is_planned_again_and_completes(bench: Bench, kind: str):
    job = bench.submit(kind, latest_finish=START + 40 * SLOT)
    bench.tick()
    last = bench.rows(job)[-1].slot_start
    assert last < START + 30 * SLOT, "else there is no room left for a second attempt"
    bench.clock.set(last + SLOT)
    bench.house.dispatcher.dispatch()
    assert bench.status(job) is JobStatus.PENDING
    while not bench.status(job).terminal and bench.clock.now() < START + 45 * SLOT:
        bench.tick()
        bench.house.dispatcher.dispatch()
        bench.clock.advance(SLOT)
    assert bench.status(job) is JobStatus.COMPLETED, bench.job(job).reason


def test_a_cancelled_job_leaves_the_plan_at_the_next_tick(bench: Bench):
    job, other = bench.submit(), bench.submit()
    bench.tick()
    bench.house.jobs.cancel(job.job_id, "not needed")
    bench.house.dispatcher.cancel(job.job_id)
    assert bench.tick().placed == 1
    assert bench.rows(job) == []
    assert bench.rows(other)


def test_a_job_cancelled_while_the_plan_was_made_is_not_placed(bench: Bench):
    job, other = bench.submit(), bench.submit()
    assert isinstance(bench.solver, ScriptedSolver)
    bench.solver.meanwhile.append(lambda: bench.house.jobs.cancel(job.job_id, "not needed"))
    assert bench.tick().outcome == "planned"
    assert (bench.status(job), bench.rows(job)) == (JobStatus.CANCELLED, [])
    assert bench.status(other) is JobStatus.SCHEDULED


def test_a_solver_that_fails_leaves_the_standing_plan_in_force(bench: Bench):
    job = bench.submit()
    bench.tick()
    before, standing = bench.course(job), bench.house.loop.standing()
    assert isinstance(bench.solver, ScriptedSolver)
    bench.solver.fault = SolverFailed("no usable solution")
    waiting = bench.submit()
    record = bench.tick()
    assert (record.outcome, bench.course(job), bench.status(waiting)) == ("failed", before, JobStatus.PENDING)
    assert bench.house.loop.standing() is standing
    assert bench.house.ticks.latest()[0].detail == record.detail


def test_without_jobs_a_tick_is_idle_and_quotes_two_days(bench: Bench):
    record = bench.tick()
    standing = bench.house.loop.standing()
    assert (record.outcome, record.log_seq, standing.slots) == ("idle", None, 96)
    assert np.isfinite(standing.price).all()
    assert bench.house.log.head()[0] == 0


def test_the_instance_of_a_round_is_kept_and_gives_the_recorded_plan_again(bench: Bench):
    for kind in KINDS:
        bench.submit(kind)
    record = bench.tick()
    body = bench.house.log.get(record.log_seq or 0).body
    kept = gzip.decompress((bench.folder / body["instance_path"]).read_bytes())
    assert hashlib.sha256(kept).hexdigest() == body["instance_sha256"]
    effort = Effort(time_limit_s=20.0)
    again = negotiate(Instance.model_validate_json(kept), int(body["seed"]), effort).plan
    assert plan_digest(again) == body["output_sha256"]


def test_where_bad_outcomes_count_the_plan_is_made_over_scenarios_and_derived_again(tmp_path: Path):
    risky = Bench.build(tmp_path, risk_weight=0.5, risk_level=0.8, risk_scenarios=6)
    for kind in KINDS:
        risky.submit(kind)
    body = risky.house.log.get(risky.tick().log_seq or 0).body
    kept = Instance.model_validate_json(gzip.decompress((risky.folder / body["instance_path"]).read_bytes()))
    assert len(kept.scenarios) == 6
    assert kept.risk == Risk(level=0.8, weight=0.5)
    plan = negotiate(kept, int(body["seed"]), Effort(time_limit_s=20.0)).plan
    assert plan_digest(plan) == body["output_sha256"]
    assert len(plan.scenario_weights) == 6
    mean = np.mean([scenario.price_gbp_per_kwh[kept.sites[0].id] for scenario in kept.scenarios], axis=0)
    assert mean == pytest.approx(np.array(kept.sites[0].price_gbp_per_kwh), abs=1e-8)
    risky.house.close()


def test_the_next_negotiation_opens_at_the_prices_of_the_standing_plan(bench: Bench):
    jobs = [bench.submit(power_kw=60, allowed_regions=["london"], latest_finish=START + 8 * SLOT) for _ in range(6)]
    record = bench.tick()
    assert instance_of_round(bench, record.log_seq)["opening"] == []
    scarce = bench.house.loop.standing().prices_gbp_per_kw_slot
    assert scarce.max() > 0, [bench.status(job) for job in jobs]
    bench.at(1)
    opened = {row["site"]: row for row in instance_of_round(bench, bench.tick().log_seq)["opening"]}
    for number, site in enumerate(bench.house.loop.standing().site_ids):
        expected = [*scarce[number, 1:].tolist(), 0.0][: len(opened[site]["headroom_gbp_per_kw_slot"])]
        assert opened[site]["headroom_gbp_per_kw_slot"] == expected


def instance_of_round(bench: Bench, seq: int | None) -> dict:
    body = bench.house.log.get(seq or 0).body
    return json.loads(gzip.decompress((bench.folder / body["instance_path"]).read_bytes()))


def test_moving_a_planned_job_is_recorded_as_a_move(bench: Bench):
    job = bench.submit(power_kw=90, allowed_regions=["london"], tier="spot", latest_finish=START + 8 * SLOT)
    bench.tick()
    taken = bench.course(job)
    rival = bench.submit(
        "fixed", power_kw=90, tier="premium", allowed_regions=["london"],
        earliest_start=taken[0][1], latest_finish=taken[-1][1] + SLOT,
    )  # fmt: skip
    record = bench.tick()
    assert bench.status(rival) is JobStatus.SCHEDULED
    verdicts = [body["verdict"] for body in bench.decisions(job)]
    assert verdicts == ["award", "move" if bench.rows(job) else "withdraw"]
    assert record.churn > 0


def test_a_withdrawn_job_waits_again_with_its_reason(tmp_path: Path):
    bench = Bench.build(tmp_path, sites=(small_site("london"),))
    window = {"power_kw": 60, "latest_finish": START + 4 * SLOT}
    weak = bench.submit(tier="spot", **window)
    bench.tick()
    bench.submit("fixed", tier="premium", **window)
    bench.tick()
    found = bench.job(weak)
    assert (found.status, found.site_id, bench.rows(weak)) == (JobStatus.PENDING, None, [])
    assert bench.decisions(weak)[-1]["verdict"] == "withdraw"
    assert found.reason == bench.decisions(weak)[-1]["reason"]
    bench.house.close()


def test_a_site_without_figures_is_left_out_and_its_begun_jobs_keep_their_rows(bench: Bench):
    job = bench.submit("pausable", allowed_regions=["oslo"], latest_finish=START + 8 * SLOT)
    bench.tick()
    course = bench.course(job)
    bench.house.dispatcher.dispatch()
    bench.clock.set(course[0][1] + SLOT)
    tick = bench.house.loop._tick
    energy = tick._with.energy

    class Silent:
        """Norway's price feed gives nothing."""

        def quote(self, zones, start, slots):
            quote = energy.quote(zones, start, slots)
            silent = quote.price["NO-NO2"].window(start - timedelta(days=400), slots)
            price = {**quote.price, "NO-NO2": replace(silent, start=start)}
            return replace(quote, price=price)

        def __getattr__(self, name):
            return getattr(energy, name)

    tick._with = replace(tick._with, energy=Silent())
    other = bench.submit()
    assert bench.tick().placed == 1
    assert bench.course(job) == course
    assert bench.job(other).site_id != "oslo"


@pytest.mark.parametrize("kind", ["pausable", "throttlable"])
def test_a_job_under_way_whose_rest_has_no_place_just_now_pauses_and_completes_later(bench: Bench, kind: str):
    job = bench.submit(kind, max_price_gbp_per_kwh=5, latest_finish=START + 24 * SLOT)
    bench.tick()
    bench.clock.set(bench.rows(job)[0].slot_start)
    bench.house.dispatcher.dispatch()
    tick = bench.house.loop._tick
    energy, dear = tick._with.energy, [10.0]

    class Dear:
        """A forecast that rises beyond the job's limit, for a while."""

        def quote(self, zones, start, slots):
            quote = energy.quote(zones, start, slots)
            price = {z: replace(s, values=s.values + dear[0], low=None, high=None) for z, s in quote.price.items()}
            return replace(quote, price=price)

        def __getattr__(self, name):
            return getattr(energy, name)

    tick._with = replace(tick._with, energy=Dear())
    bench.clock.advance(SLOT / 2)
    for _ in range(3):
        assert bench.tick().unserved == 1
    assert [body["verdict"] for body in bench.decisions(job)] == ["award", "withdraw"], "said once"
    bench.clock.advance(SLOT / 2)
    bench.house.dispatcher.dispatch()
    assert bench.status(job) is JobStatus.PAUSED
    dear[0] = 0.0
    while not bench.status(job).terminal and bench.clock.now() < START + 30 * SLOT:
        bench.tick()
        bench.clock.advance(SLOT)
        bench.house.dispatcher.dispatch()
    assert bench.status(job) is JobStatus.COMPLETED, bench.job(job).reason


def test_a_job_under_way_that_never_gets_its_rest_fails_with_a_reason_when_its_window_has_no_room(bench: Bench):
    job = bench.submit("pausable", latest_finish=START + 24 * SLOT)
    bench.tick()
    bench.clock.set(bench.rows(job)[0].slot_start)
    bench.house.dispatcher.dispatch()
    bench.house.ledger.drop_plan(job.job_id, bench.clock.now() + SLOT)
    states = []
    while not bench.status(job).terminal and bench.clock.now() < START + 26 * SLOT:
        bench.clock.advance(SLOT)
        bench.house.dispatcher.dispatch()
        states.append(bench.status(job))
    assert len(states) > 5
    assert set(states[:-1]) == {JobStatus.PAUSED}
    assert states[-1] is JobStatus.FAILED
    assert bench.job(job).reason
