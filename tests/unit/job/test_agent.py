"""The job agent: what it takes in, what it refuses, and that a refusal stores nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.job.agent import GPU_KW, JobAgent
from core.clock import ManualClock
from core.errors import Conflict, Forbidden, InputError, NotFound
from core.job import JobRequest, JobStatus, Tier
from core.site import Asset, CoolingType, Site
from store.database import Database
from store.jobs import JobRepository
from store.sites import SiteRepository

NOW = datetime(2023, 3, 1, 10, 7, tzinfo=UTC)


def site(site_id: str, country: str, zone: str, capacity_kw: float) -> Site:
    return Site(
        site_id=site_id,
        name=site_id,
        country=country,
        latitude=50,
        longitude=0,
        timezone="UTC",
        zone=zone,
        capacity_kw=capacity_kw,
        own_load_kw=0,
        cooling=CoolingType.FREE_AIR,
    )


@dataclass
class Desk:
    agent: JobAgent
    jobs: JobRepository
    sites: SiteRepository
    clock: ManualClock

    def submit(self, *, local: bool = False, **changes: Any):
        fields: dict[str, Any] = {
            "job_name": "train",
            "duration_hours": 2,
            "power_kw": 10,
            "latest_finish": NOW + timedelta(hours=10),
        }
        wanted = {name: value for name, value in {**fields, **changes}.items() if value is not ...}
        return self.agent.submit(JobRequest.model_validate(wanted), local=local)

    def refusal(self, *, local: bool = False, **changes: Any) -> InputError:
        """The refusal, with nothing stored by it."""
        before = self.jobs.find(limit=1)[1]
        with pytest.raises(InputError) as caught:
            self.submit(local=local, **changes)
        assert self.jobs.find(limit=1)[1] == before
        assert caught.value.remedy
        return caught.value


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    database.migrate()
    sites = SiteRepository(database)
    sites.seed((site("leeds", "GB", "GB-M", 100), site("oslo", "NO", "NO-NO2", 500)))
    sites.add_asset(Asset(asset_id="rack", asset_type="gpu_cluster", region="leeds", max_power_kw=40, min_power_kw=5))
    clock = ManualClock(NOW)
    jobs = JobRepository(database)
    yield Desk(JobAgent(clock=clock, jobs=jobs, sites=sites, commands_enabled=True), jobs, sites, clock)
    database.close()


def test_an_accepted_job_is_in_the_store_with_its_window_starting_no_earlier_than_now(desk: Desk):
    job = desk.submit(earliest_start=NOW - timedelta(days=2))
    stored = desk.jobs.get(job.job_id)
    assert stored == job
    assert (stored.status, stored.earliest_start, stored.submitted_at) == (JobStatus.PENDING, NOW, NOW)


def test_a_window_too_short_names_the_deadline_that_would_do(desk: Desk):
    error = desk.refusal(latest_finish=NOW + timedelta(hours=2))
    assert (error.field, error.value) == ("latest_finish", "2023-03-01T12:07:00Z")
    assert "2023-03-01T12:30:00Z" in error.remedy
    desk.submit(latest_finish=datetime(2023, 3, 1, 12, 30, tzinfo=UTC))


def test_the_last_part_of_a_half_hour_before_the_deadline_does_not_count(desk: Desk):
    assert desk.refusal(latest_finish=datetime(2023, 3, 1, 12, 29, 59, tzinfo=UTC)).field == "latest_finish"


def test_a_deadline_in_the_past_is_refused(desk: Desk):
    assert desk.refusal(latest_finish=NOW - timedelta(hours=1)).field == "latest_finish"


def test_a_deadline_beyond_a_week_is_refused_with_the_last_possible_one(desk: Desk):
    error = desk.refusal(latest_finish=NOW + timedelta(days=7, minutes=1))
    assert error.field == "latest_finish"
    assert "2023-03-08T10:00:00Z" in error.remedy


def test_a_faster_level_shortens_the_window_that_is_needed(desk: Desk):
    levels = [{"power_kw": 10, "work_per_slot": 1.0}, {"power_kw": 20, "work_per_slot": 2.0}]
    short: dict[str, Any] = {"flexibility_type": "throttlable", "power_kw": None, "gpu_count": None}
    job = desk.submit(**(short | {"levels": levels, "power_kw": 20, "latest_finish": NOW + timedelta(hours=1.5)}))
    assert job.power_kw == 20
    assert desk.refusal(latest_finish=NOW + timedelta(hours=1.5)).field == "latest_finish"


def test_an_unknown_region_is_refused_with_the_regions_there_are(desk: Desk):
    error = desk.refusal(allowed_regions=["GB-M", "MARS"])
    assert (error.field, error.value) == ("allowed_regions", "MARS")
    assert "GB-M" in error.remedy
    assert "oslo" in error.remedy


@pytest.mark.parametrize("region", ["leeds", "GB", "GB-M"])
def test_a_region_may_be_a_site_a_country_or_a_grid_zone(desk: Desk, region: str):
    job = desk.submit(allowed_regions=[region])
    assert desk.agent.allowed_sites(job, desk.sites.all()) == ("leeds",)


def test_power_that_no_allowed_site_has_is_refused(desk: Desk):
    assert desk.refusal(power_kw=501).field == "power_kw"
    assert desk.refusal(power_kw=101, allowed_regions=["GB"]).value == 101
    assert desk.agent.allowed_sites(desk.submit(power_kw=101), desk.sites.all()) == ("oslo",)


def test_a_tier_runs_only_where_a_site_is_there_as_often_as_it_promises(desk: Desk):
    oslo = desk.sites.get("oslo")
    desk.sites.replace(oslo.model_copy(update={"availability": 0.97}))
    where = {tier: desk.agent.allowed_sites(desk.submit(tier=tier), desk.sites.all()) for tier in Tier}
    assert where[Tier.PREMIUM] == ("leeds",)
    assert where[Tier.STANDARD] == where[Tier.FLEXIBLE] == where[Tier.SPOT] == ("leeds", "oslo")


def test_a_promise_that_no_allowed_site_can_keep_is_refused_with_the_best_there_is(desk: Desk):
    oslo = desk.sites.get("oslo")
    desk.sites.replace(oslo.model_copy(update={"availability": 0.94}))
    error = desk.refusal(tier="standard", allowed_regions=["NO"])
    assert (error.field, error.value) == ("tier", "standard")
    assert "0.95" in str(error)
    assert "oslo, 0.94" in str(error)
    assert desk.submit(tier="flexible", allowed_regions=["NO"]).tier is Tier.FLEXIBLE


def test_gpus_become_power(desk: Desk):
    assert desk.submit(power_kw=..., gpu_count=8).power_kw == pytest.approx(8 * GPU_KW)


def test_an_asset_gives_place_and_power(desk: Desk):
    job = desk.submit(power_kw=..., asset_id="rack")
    assert (job.power_kw, job.allowed_regions) == (40, ("leeds",))
    assert desk.submit(asset_id="rack", power_kw=7).power_kw == 7


@pytest.mark.parametrize("power_kw", [4.9, 40.1])
def test_power_outside_the_assets_range_is_refused(desk: Desk, power_kw: float):
    error = desk.refusal(asset_id="rack", power_kw=power_kw)
    assert (error.field, error.value) == ("power_kw", power_kw)


def test_levels_above_the_assets_power_are_refused(desk: Desk):
    levels = [{"power_kw": 20, "work_per_slot": 0.7}, {"power_kw": 80, "work_per_slot": 1.0}]
    assert desk.refusal(asset_id="rack", flexibility_type="throttlable", levels=levels).value == 80


def test_an_unknown_asset_is_refused(desk: Desk):
    error = desk.refusal(asset_id="ghost")
    assert (error.field, error.value) == ("asset_id", "ghost")


def test_a_throttlable_job_gets_the_default_ladder(desk: Desk):
    levels = desk.submit(flexibility_type="throttlable").levels
    assert [level.power_kw for level in levels] == [5, 7.5, 10]


def test_a_command_is_taken_only_from_this_machine(desk: Desk):
    assert isinstance(desk.refusal(command=["true"]), Forbidden)
    assert desk.submit(command=["true"], local=True).command == ("true",)


def test_a_command_is_refused_even_from_this_machine_where_commands_are_off(desk: Desk):
    desk.agent = JobAgent(clock=desk.clock, jobs=desk.jobs, sites=desk.sites)
    assert desk.refusal(command=["true"], local=True).field == "command"


def test_a_draft_is_checked_but_not_stored(desk: Desk):
    drafted = desk.agent.drafted(
        JobRequest(job_name="a", duration_hours=1, power_kw=1, latest_finish=NOW + timedelta(hours=3))
    )
    assert drafted.status is JobStatus.PENDING
    with pytest.raises(NotFound):
        desk.agent.get(drafted.job_id)


def test_a_job_is_cancelled_once(desk: Desk):
    job = desk.submit()
    assert desk.agent.cancel(job.job_id, "not needed").status is JobStatus.CANCELLED
    with pytest.raises(Conflict, match="cancelled already"):
        desk.agent.cancel(job.job_id, "again")
    assert desk.agent.open_jobs() == []
    with pytest.raises(NotFound):
        desk.agent.cancel("job-none", "why")


def test_without_any_site_a_job_is_refused_not_a_crash(desk: Desk, tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    database.migrate()
    desk.agent = JobAgent(clock=desk.clock, jobs=desk.jobs, sites=SiteRepository(database))
    try:
        assert desk.refusal().field == "power_kw"
    finally:
        database.close()
