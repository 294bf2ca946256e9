from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from core.errors import Conflict, NotFound
from core.job import TRANSITIONS, FlexibilityType, JobStatus
from store.database import Database
from store.jobs import JobRepository, Submission
from store.tables import jobs
from tests.unit.store.samples import T0, a_job

LATER = T0 + timedelta(hours=1)


def test_a_job_comes_back_as_it_was_with_times_in_utc(database: Database) -> None:
    jobs, job = JobRepository(database), a_job("j1", gpu_count=3, pause_cost_gbp=0.5)
    jobs.add(job)
    assert jobs.get("j1") == job
    assert jobs.get("j1").submitted_at.utcoffset() == timedelta(0)


def test_an_unknown_job_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="j404"):
        JobRepository(database).get("j404")


def test_a_job_id_is_given_once(database: Database) -> None:
    jobs = JobRepository(database)
    jobs.add(a_job("j1"))
    with pytest.raises(Conflict):
        jobs.add(a_job("j1", job_name="another"))
    assert jobs.get("j1").job_name == "Training j1"


def test_jobs_are_found_newest_first_page_by_page(database: Database) -> None:
    jobs = JobRepository(database)
    for number in range(5):
        jobs.add(a_job(f"j{number}"))
    found, total = jobs.find(limit=2, offset=1)
    assert ([job.job_id for job in found], total) == (["j3", "j2"], 5)


def test_filters_are_met_all_together(database: Database) -> None:
    jobs = JobRepository(database)
    jobs.add(a_job("j1", job_name="100 % sure", tenant="a", site_id="iceland"))
    jobs.add(a_job("j2", job_name="1000 sure", tenant="a", flexibility_type=FlexibilityType.FIXED, levels=()))
    jobs.add(a_job("j3", tenant="b", status=JobStatus.FAILED))

    def ids(**wanted: object) -> list[str]:
        return [job.job_id for job in jobs.find(**wanted)[0]]  # type: ignore[arg-type]

    assert ids(tenant="a") == ["j2", "j1"]
    assert ids(text="SURE") == ["j2", "j1"]
    assert ids(text="0 %") == ["j1"]
    assert ids(text="j3") == ["j3"]
    assert ids(site_id="iceland", tenant="a") == ["j1"]
    assert ids(flexibility_type=FlexibilityType.FIXED) == ["j2"]
    assert ids(statuses=[JobStatus.FAILED]) == ["j3"]


def test_open_jobs_come_in_order_of_submission_even_at_one_instant(database: Database) -> None:
    jobs = JobRepository(database)
    for job_id in ("z", "a", "m"):
        jobs.add(a_job(job_id))
    jobs.transition("a", JobStatus.CANCELLED, at=LATER, reason="not needed")
    assert [job.job_id for job in jobs.open_jobs()] == ["z", "m"]
    assert {state: n for state, n in jobs.counts().items() if n} == {JobStatus.PENDING: 2, JobStatus.CANCELLED: 1}


def test_submissions_since_an_instant_say_what_was_asked_for_whatever_became_of_it(database: Database) -> None:
    jobs = JobRepository(database)
    jobs.add(a_job("old", submitted_at=T0 - timedelta(microseconds=1)))
    jobs.add(a_job("failed", submitted_at=T0, status=JobStatus.FAILED, allowed_regions=()))
    jobs.add(a_job("new", submitted_at=LATER, tenant="b", power_kw=7, duration_hours=1.25))
    asked = {"earliest_start": T0, "latest_finish": T0 + timedelta(days=1)}
    assert jobs.submissions(T0) == [
        Submission("physics", T0, **asked, power_kw=10.5, duration_hours=2.0, allowed_regions=()),
        Submission("b", LATER, **asked, power_kw=7.0, duration_hours=1.25, allowed_regions=("GB-C", "IS")),
    ]
    assert jobs.submissions(T0)[0].earliest_start.utcoffset() == timedelta(0)
    assert jobs.submissions(LATER + timedelta(seconds=1)) == []


@pytest.mark.parametrize("present", list(JobStatus))
def test_the_lifecycle_allows_its_steps_and_no_others(database: Database, present: JobStatus) -> None:
    jobs = JobRepository(database)
    for to in JobStatus:
        jobs.add(a_job(f"{present}-{to}", status=present))
        if to in TRANSITIONS[present] or to is present:
            assert jobs.transition(f"{present}-{to}", to, at=LATER).status is to
        else:
            with pytest.raises(Conflict, match=str(present)):
                jobs.transition(f"{present}-{to}", to, at=LATER)
            assert jobs.get(f"{present}-{to}").status is present


def test_a_transition_notes_reason_site_time_and_exit_status(database: Database) -> None:
    jobs = JobRepository(database)
    jobs.add(a_job("j1", status=JobStatus.SCHEDULED))
    jobs.transition("j1", JobStatus.RUNNING, at=T0, site_id="iceland")
    ended = jobs.transition("j1", JobStatus.FAILED, at=LATER, reason="exit 3", exit_status=3)
    assert (ended.reason, ended.site_id, ended.updated_at, ended.exit_status) == ("exit 3", "iceland", LATER, 3)
    assert jobs.get("j1") == ended


def test_a_job_that_is_pending_again_has_no_site(database: Database) -> None:
    jobs = JobRepository(database)
    jobs.add(a_job("j1", status=JobStatus.SCHEDULED, site_id="iceland"))
    assert jobs.transition("j1", JobStatus.PENDING, at=LATER, reason="missed its slot").site_id is None


def test_a_job_stored_before_there_were_levels_has_that_of_its_tier(database: Database):
    repository = JobRepository(database)
    repository.add(a_job("old", tier="flexible", priority_level=7))
    assert repository.get("old").priority_level == 7
    with database.writing() as connection:
        document = connection.execute(sa.select(jobs.c.document)).scalar_one()
        del document["priority_level"]
        connection.execute(sa.update(jobs).values(document=document))
    assert repository.get("old").priority_level == 2
    assert repository.open_jobs()[0].priority_level == 2
