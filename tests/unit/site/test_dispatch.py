"""The dispatcher with jobs that draw power in the simulator."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.canonical import canonical
from audit.fields import dec
from core.errors import LogUnavailable, NotFound
from core.job import FlexibilityType, JobStatus
from core.ledger import Leg
from core.slots import SLOT, format_utc
from tests.pace import paced_s
from tests.unit.site.conftest import Yard
from tests.unit.site.fakes import LEVELS, START, make_row


def test_a_job_starts_at_its_row_and_completes_when_its_rows_have_passed(yard: Yard) -> None:
    yard.plan([1, 2])
    assert yard.at(0).started == ()
    assert yard.at(1).started == ("job1",)
    assert yard.status() is JobStatus.RUNNING
    assert yard.at(2).completed == ()
    assert yard.at(3).completed == ("job1",)
    assert yard.status() is JobStatus.COMPLETED
    assert yard.delivered() == pytest.approx([5.0, 5.0], rel=0.03)


def test_the_delivery_record_is_on_the_log_before_the_job_is_terminal(yard: Yard) -> None:
    yard.plan([0, 1])
    for slot in range(3):
        yard.at(slot)
    (body,) = yard.log.deliveries("job1")
    assert yard.log.status_when_appended["job1"] is JobStatus.RUNNING
    assert (body["status"], body["committed_kwh"], body["claim_level"]) == ("completed", "10.000000", "forecast")
    delivered = sum(kwh or 0 for kwh in yard.delivered())
    assert float(body["delivered_kwh"]) == pytest.approx(delivered)
    assert float(body["cost_gbp"]) == pytest.approx(delivered * 1.2 * 0.2, abs=1e-6)
    assert "simulated" in body["method"]


def test_the_delivery_record_says_what_was_read_and_how_well(yard: Yard) -> None:
    yard.plan([0, 1])
    for slot in range(3):
        yard.at(slot)
    (body,) = yard.log.deliveries("job1")
    assert (body["reading_type"], body["interval_s"], body["meter_class"]) == ("SIMULATED", 1800, None)
    assert body["it_kwh"] == body["delivered_kwh"]
    assert (body["pue"], body["missing_pct"], body["checkpoint_kwh"]) == ("1.2000", "0.00", "0.000000")
    site_kwh = [row.site_kwh for row in yard.ledger.entries(job_id="job1")]
    assert float(body["site_kwh"]) == pytest.approx(sum(site_kwh), abs=1e-6)
    assert float(body["u95_kwh"]) == pytest.approx(1.959964 * 0.005 * sum(kwh**2 for kwh in site_kwh) ** 0.5, abs=1e-6)
    pairs = [[format_utc(row.slot_start), dec(row.it_kwh, 6)] for row in yard.ledger.entries(job_id="job1")]
    assert body["sha256_raw"] == hashlib.sha256(canonical(pairs)).hexdigest()


def test_a_job_without_a_baseline_or_a_decision_claims_no_carbon(yard: Yard) -> None:
    yard.plan([0])
    for slot in range(2):
        yard.at(slot)
    (body,) = yard.log.deliveries("job1")
    assert (body["carbon"], body["rebound"], body["decision_seq"]) == (None, [], None)


def test_of_a_job_that_paused_nobody_knows_what_pausing_cost(yard: Yard) -> None:
    yard.plan([0, 2], flexibility_type=FlexibilityType.PAUSABLE)
    for slot in range(4):
        yard.at(slot)
    assert yard.log.deliveries("job1")[0]["checkpoint_kwh"] is None


def test_a_job_that_never_began_has_no_kind_of_reading(yard: Yard) -> None:
    yard.plan([2])
    yard.dispatcher.cancel("job1")
    (body,) = yard.log.deliveries("job1")
    assert (body["reading_type"], body["missing_pct"], body["u95_kwh"]) == (None, "100.00", None)


def test_a_pausable_job_pauses_where_it_has_no_row_and_resumes_at_the_next(yard: Yard) -> None:
    yard.plan([0, 2], flexibility_type=FlexibilityType.PAUSABLE)
    yard.at(0)
    assert yard.at(1).paused == ("job1",)
    assert yard.status() is JobStatus.PAUSED
    assert yard.at(2).resumed == ("job1",)
    assert yard.at(3).completed == ("job1",)
    assert yard.delivered() == pytest.approx([5.0, 5.0], rel=0.03)


def test_a_throttled_job_draws_the_power_of_each_row(yard: Yard) -> None:
    yard.plan(
        [0, 1, 2], powers=[10, 5, 5], flexibility_type=FlexibilityType.THROTTLABLE, levels=LEVELS, duration_hours=1.0
    )
    for slot in range(4):
        yard.at(slot)
    assert yard.delivered() == pytest.approx([5.0, 2.5, 2.5], rel=0.03)
    assert yard.status() is JobStatus.COMPLETED


def test_a_throttled_job_whose_rows_do_too_little_work_fails_and_says_so(yard: Yard) -> None:
    short = {"levels": LEVELS, "duration_hours": 1.0, "latest_finish": START + 3 * SLOT}
    yard.plan([0, 1], powers=[5, 5], flexibility_type=FlexibilityType.THROTTLABLE, **short)
    for slot in range(3):
        yard.at(slot)
    assert yard.jobs.get("job1").reason == "its awarded slots ended with 1.64 of 2 slots of work done"


def test_calling_again_within_a_slot_changes_nothing(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.at(0)
    moves = list(yard.jobs.moves)
    for _ in range(3):
        report = yard.at(0.5)
    assert report.started == report.completed == ()
    assert yard.jobs.moves == moves


def test_every_passed_slot_is_metered_exactly_once(yard: Yard) -> None:
    yard.plan([0, 1, 2], duration_hours=1.5)
    for slot in (0, 0.3, 1, 1, 2.9, 3, 3.5, 4):
        yard.at(slot)
    assert set(yard.ledger.readings.values()) == {1}
    assert len(yard.ledger.readings) == 3


def test_slots_are_metered_from_the_first_call_on_even_when_known_jobs_lie_far_ahead(yard: Yard) -> None:
    yard.plan([20, 21], job_id="far", earliest_start=START + SLOT * 20, latest_finish=START + SLOT * 40)
    yard.at(0)
    yard.plan([1, 2])
    for slot in range(1, 4):
        yard.at(slot)
    assert yard.delivered() == pytest.approx([5.0, 5.0], rel=0.03)
    assert yard.status() is JobStatus.COMPLETED


def test_the_simulated_meter_reads_the_same_after_a_restart(yard: Yard, tmp_path: Path) -> None:
    other = Yard(tmp_path / "other")
    for one in (yard, other):
        one.plan([0, 1])
        one.at(0)
    other.dispatcher = other.another()
    for one in (yard, other):
        one.at(1)
        one.at(2)
    assert yard.delivered() == other.delivered()


def test_started_simulated_jobs_go_on_while_the_server_sleeps(yard: Yard) -> None:
    yard.plan([0, 1, 2, 3], duration_hours=2.0)
    yard.at(0)
    yard.dispatcher = yard.another()
    assert yard.at(6).completed == ("job1",)
    assert yard.delivered() == pytest.approx([5.0] * 4, rel=0.03)


def test_a_job_whose_rows_passed_during_the_downtime_completes_at_once_after_recovery(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.at(0)
    yard.dispatcher = yard.another()
    yard.clock.set(START + SLOT * 5)
    assert yard.dispatcher.recover().completed == ()
    assert yard.dispatcher.dispatch().completed == ("job1",)


def test_a_job_that_missed_its_start_waits_again_when_its_window_has_room(yard: Yard) -> None:
    yard.plan([0, 1])
    assert yard.at(1).returned == ("job1",)
    job = yard.jobs.get("job1")
    assert job.status is JobStatus.PENDING
    assert job.reason == "missed 1 of 2 awarded slots while the server was down or late; waits again"
    assert yard.delivered() == [0.0]


def test_a_job_with_a_newer_plan_for_all_its_work_is_left_to_it(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.ledger.add(make_row("job1", 3), make_row("job1", 4))
    del yard.ledger.rows["job1", Leg.PLAN, START + SLOT]
    assert yard.at(2).returned == ()
    assert yard.at(3).started == ("job1",)
    yard.at(4)
    assert yard.at(5).completed == ("job1",)


def test_a_paused_job_whose_next_row_was_moved_earlier_or_dropped_follows(yard: Yard) -> None:
    pausable = FlexibilityType.PAUSABLE
    yard.plan([0, 5], flexibility_type=pausable)
    yard.plan([0, 3], job_id="dropped", flexibility_type=pausable, latest_finish=START + 4 * SLOT)
    yard.at(0)
    yard.at(1)
    yard.ledger.add(make_row("job1", 2))
    for job_id, slot in (("job1", 5), ("dropped", 3)):
        del yard.ledger.rows[job_id, Leg.PLAN, START + SLOT * slot]
    assert yard.at(2).resumed == ("job1",)
    report = yard.at(3)
    assert (report.completed, report.failed) == (("job1",), ("dropped",))


def test_a_job_that_waited_again_completes_by_its_new_rows(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.at(1)
    yard.jobs.transition("job1", JobStatus.SCHEDULED, at=yard.clock.now())
    yard.ledger.add(make_row("job1", 3), make_row("job1", 4))
    for slot in range(2, 6):
        yard.at(slot)
    assert yard.status() is JobStatus.COMPLETED
    assert yard.delivered() == pytest.approx([0.0, 5.0, 5.0], rel=0.03)


def test_a_job_that_missed_its_start_fails_when_its_window_has_no_room_left(yard: Yard) -> None:
    yard.plan([0, 1], latest_finish=START + timedelta(hours=1.5))
    assert yard.at(1).failed == ("job1",)
    job = yard.jobs.get("job1")
    assert (job.status, job.reason) == (
        JobStatus.FAILED,
        "missed 1 of 2 awarded slots while the server was down or late",
    )
    assert yard.delivered() == [0.0]
    (body,) = yard.log.deliveries("job1")
    assert (body["delivered_kwh"], body["committed_kwh"]) == ("0.000000", "10.000000")


def test_a_fixed_job_that_missed_its_start_fails(yard: Yard) -> None:
    yard.plan([0, 1], flexibility_type=FlexibilityType.FIXED)
    assert yard.at(1).failed == ("job1",)


def test_nothing_starts_while_the_log_is_down_and_ended_jobs_wait_for_it(yard: Yard) -> None:
    yard.plan([0, 1], job_id="old")
    yard.plan([2, 3], job_id="new")
    yard.at(0)
    yard.at(1)
    yard.log.up = False
    report = yard.at(2)
    assert (report.started, report.completed) == ((), ())
    assert len(report.errors) == 2
    assert "no space left" in report.errors[0]
    assert yard.status("old") is JobStatus.RUNNING
    assert yard.status("new") is JobStatus.SCHEDULED
    yard.log.up = True
    report = yard.at(2.5)
    assert (report.started, report.completed) == (("new",), ("old",))
    assert len(yard.log.deliveries("old")) == 1


def test_a_start_missed_for_the_log_names_the_log(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.log.up = False
    yard.at(0)
    yard.log.up = True
    yard.at(1)
    assert "while the decision log could not be written" in str(yard.jobs.get("job1").reason)


@pytest.mark.parametrize("down_at", [0, 1, 2, 3])
def test_what_a_store_that_is_down_held_up_is_done_when_it_is_back(yard: Yard, down_at: int) -> None:
    yard.plan([0, 2], flexibility_type=FlexibilityType.PAUSABLE)
    for slot in range(4):
        yard.jobs.up = slot != down_at
        report = yard.at(slot)
        assert bool(report.errors) == (slot == down_at)
        yard.jobs.up = True
        yard.at(slot + 0.5)
    assert [to for _, to in yard.jobs.moves] == [
        JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.RUNNING, JobStatus.COMPLETED,
    ]  # fmt: skip
    assert yard.delivered() == pytest.approx([5.0, 5.0], rel=0.03)
    assert len(yard.log.deliveries("job1")) == 1


def test_a_missed_start_is_dealt_with_once_the_store_is_back(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.jobs.up = False
    assert yard.at(1).errors == ("the database does not answer",)
    yard.jobs.up = True
    assert yard.at(1.1).returned == ("job1",)


def test_a_job_at_an_unknown_site_is_not_started_and_does_not_keep_others_back(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.plan([0, 1], job_id="lost")
    yard.ledger.add(make_row("lost", 0, site_id="atlantis"))
    report = yard.at(0)
    assert report.started == ("job1",)
    assert report.errors == ("no site 'atlantis'",)


def test_rows_of_jobs_that_ended_elsewhere_are_dropped_not_counted(yard: Yard) -> None:
    yard.plan([0, 1], status=JobStatus.CANCELLED)
    yard.plan([0, 9], job_id="open")
    yard.at(1)
    assert yard.ledger.entries(job_id="job1") == []


def test_cancelling_a_running_job_meters_it_up_to_now_and_drops_the_rest(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.at(0)
    yard.clock.set(START + SLOT / 2)
    yard.dispatcher.cancel("job1")
    assert yard.status() is JobStatus.CANCELLED
    assert yard.delivered() == pytest.approx([2.5], rel=0.03)
    assert [body["status"] for body in yard.log.deliveries("job1")] == ["cancelled"]
    yard.dispatcher.cancel("job1")
    assert len(yard.log.deliveries("job1")) == 1


def test_the_cancellers_own_reason_is_kept_when_it_moved_the_job_first(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.at(0)
    yard.jobs.transition("job1", JobStatus.CANCELLED, at=yard.clock.now(), reason="no longer wanted")
    yard.dispatcher.cancel("job1")
    assert yard.jobs.get("job1").reason == "no longer wanted"
    assert yard.dispatcher.dispatch().errors == ()


def test_a_cancelled_job_never_starts_even_when_a_plan_gives_it_rows_again(yard: Yard) -> None:
    yard.plan([1, 2])
    yard.dispatcher.cancel("job1")
    assert yard.ledger.entries(job_id="job1") == []
    yard.ledger.add(make_row("job1", 1))
    assert yard.at(1).started == ()


def test_a_cancellation_that_cannot_be_recorded_is_refused_and_recorded_later(yard: Yard) -> None:
    yard.plan([0, 1])
    yard.at(0)
    yard.log.up = False
    with pytest.raises(LogUnavailable):
        yard.dispatcher.cancel("job1")
    assert yard.status() is JobStatus.RUNNING
    yard.log.up = True
    yard.at(0.5)
    assert yard.status() is JobStatus.CANCELLED


def test_a_cancelled_job_draws_nothing_while_its_record_waits_for_the_log(yard: Yard) -> None:
    yard.plan([0, 1, 2], duration_hours=1.5)
    yard.at(0)
    yard.clock.set(START + SLOT / 2)
    yard.log.up = False
    with pytest.raises(LogUnavailable):
        yard.dispatcher.cancel("job1")
    yard.at(2)
    yard.log.up = True
    yard.at(2.5)
    assert yard.delivered() == pytest.approx([2.5, 0.0], rel=0.03)
    assert yard.status() is JobStatus.CANCELLED


def test_an_end_recorded_before_the_server_died_is_not_recorded_twice(yard: Yard) -> None:
    yard.plan([0, 1])
    for slot in range(3):
        yard.at(slot)
    yard.jobs.known["job1"] = yard.jobs.get("job1").model_copy(update={"status": JobStatus.RUNNING})
    yard.dispatcher = yard.another()
    yard.dispatcher.recover()
    assert yard.status() is JobStatus.COMPLETED
    assert len(yard.log.deliveries("job1")) == 1


def test_output_of_an_unknown_job_is_not_found_and_of_a_silent_one_empty(yard: Yard) -> None:
    yard.plan([0, 1])
    assert yard.dispatcher.output("job1") == ""
    with pytest.raises(NotFound):
        yard.dispatcher.output("../secret")


def test_an_idle_call_is_one_query_and_fast(yard: Yard) -> None:
    yard.at(0)
    yard.ledger.queries = 0
    assert paced_s(lambda: yard.at(0), tries=20) < 0.005
    assert yard.ledger.queries == 20


def test_calls_from_many_threads_start_a_job_once(yard: Yard) -> None:
    for number in range(20):
        yard.plan([0, 1], job_id=f"job{number:02d}")
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(yard.dispatcher.dispatch())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    started = [job_id for report in reports for job_id in report.started]
    assert sorted(started) == [f"job{number:02d}" for number in range(20)]


@settings(max_examples=25, deadline=None)
@given(
    slots=st.sets(st.integers(0, 11), min_size=1, max_size=6),
    calls=st.sets(st.integers(0, 12), min_size=1),
    restarts=st.sets(st.integers(0, 12)),
)
def test_no_job_is_lost_and_no_slot_metered_twice_whenever_the_server_sleeps(
    slots: set[int], calls: set[int], restarts: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    yard = Yard(tmp_path_factory.mktemp("yard"))
    yard.plan(sorted(slots), flexibility_type=FlexibilityType.PAUSABLE, duration_hours=len(slots) / 2)
    for slot in [*sorted(calls), 13]:
        if slot in restarts:
            yard.dispatcher = yard.another()
        yard.at(slot)
    job = yard.jobs.get("job1")
    assert job.status in {JobStatus.COMPLETED, JobStatus.PENDING, JobStatus.FAILED}
    assert (job.reason is None) == (job.status is JobStatus.COMPLETED)
    assert all(count == 1 for count in yard.ledger.readings.values())
    assert None not in yard.delivered()
    ends = yard.log.deliveries("job1")
    assert len(ends) == (0 if job.status is JobStatus.PENDING else 1)
    if job.status is JobStatus.COMPLETED:
        total = sum(kwh or 0.0 for kwh in yard.delivered())
        assert total == pytest.approx(job.it_energy_kwh, rel=0.03)
        assert float(ends[0]["delivered_kwh"]) == pytest.approx(total, abs=1e-5)


def test_cancelling_a_job_that_has_not_begun_is_recorded_before_anything_changes(yard: Yard) -> None:
    yard.plan([1])
    yard.dispatcher.cancel("job1")
    (body,) = yard.log.deliveries("job1")
    assert (body["status"], float(body["delivered_kwh"])) == ("cancelled", 0.0)
    assert yard.log.status_when_appended["job1"] is JobStatus.SCHEDULED
    assert yard.ledger.entries(job_id="job1") == []
