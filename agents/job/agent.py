"""The job agent: takes jobs in, follows them through their life, and states their demand to the negotiation."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from core.clock import Clock
from core.errors import Conflict, Forbidden, InputError
from core.job import AVAILABILITY_OF_TIER, MAX_WINDOW, FlexibilityType, Job, JobRequest, JobStatus, capped_levels
from core.site import Asset, Site
from core.slots import SLOT, format_utc, slot_ceil, slot_floor
from store.jobs import JobRepository
from store.sites import SiteRepository

GPU_KW = 1.05
"""IT power of one GPU with its share of the node: 8.4 kW measured maximum of an 8-GPU H100 node (arXiv 2412.08602)."""


class JobAgent:
    """Speaks for all jobs."""

    def __init__(
        self, *, clock: Clock, jobs: JobRepository, sites: SiteRepository, commands_enabled: bool = False
    ) -> None:
        self._clock = clock
        self._jobs = jobs
        self._sites = sites
        self._commands_enabled = commands_enabled

    def submit(self, request: JobRequest, *, local: bool = False) -> Job:
        """Accept a job: it is durable when this returns.

        :param local: the request came from this machine, so it may bring a command.
        :raises InputError: naming the field that cannot be met; nothing is stored.
        """
        job = self.drafted(request)
        if job.command is not None and not (local and self._commands_enabled):
            raise Forbidden(
                "commands run on this server's machine and are taken only from it",
                field="command",
                remedy="Submit from the machine itself with HOST on loopback, or leave the command out.",
            )
        self._jobs.add(job)
        return job

    def drafted(self, request: JobRequest) -> Job:
        """The job that ``request`` would become, checked but not stored."""
        now = self._clock.now()
        asset = self._asset(request)
        power_kw = self._power_kw(request, asset)
        levels = request.levels or (
            capped_levels(power_kw) if request.flexibility_type is FlexibilityType.THROTTLABLE else ()
        )
        regions = request.allowed_regions or ((asset.region,) if asset else ())
        job = Job(
            **request.model_dump(exclude={"priority", "power_kw", "levels", "earliest_start", "allowed_regions"}),
            job_id=f"job-{uuid.uuid4().hex[:12]}",
            power_kw=power_kw,
            levels=levels,
            allowed_regions=regions,
            earliest_start=max(request.earliest_start or now, now),
            submitted_at=now,
            updated_at=now,
        )
        self._check_window(job, now)
        self._check_place(job)
        return job

    def get(self, job_id: str) -> Job:
        """One job; :class:`NotFound`."""
        return self._jobs.get(job_id)

    def find(
        self,
        *,
        statuses: Sequence[JobStatus] | None = None,
        tenant: str | None = None,
        site_id: str | None = None,
        flexibility_type: FlexibilityType | None = None,
        text: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[list[Job], int]:
        """Jobs, newest first, and how many there are in all."""
        return self._jobs.find(
            statuses=statuses,
            tenant=tenant,
            site_id=site_id,
            flexibility_type=flexibility_type,
            text=text,
            limit=limit,
            offset=offset,
        )

    def open_jobs(self) -> list[Job]:
        """Jobs to which something can still happen, in order of submission."""
        return self._jobs.open_jobs()

    def counts(self) -> dict[JobStatus, int]:
        """How many jobs there are in each state."""
        return self._jobs.counts()

    def cancel(self, job_id: str, reason: str) -> Job:
        """End a job on its owner's word; :class:`Conflict` when it has ended already."""
        job = self._jobs.get(job_id)
        if job.status.terminal:
            raise Conflict(f"job {job_id} is {job.status.value} already", remedy="Nothing is left to cancel.")
        return self._jobs.transition(job_id, JobStatus.CANCELLED, at=self._clock.now(), reason=reason)

    def give_up(self, job: Job, reason: str) -> Job:
        """End a job that can no longer be served."""
        return self._jobs.transition(job.job_id, JobStatus.FAILED, at=self._clock.now(), reason=reason)

    def allowed_sites(self, job: Job, sites: Sequence[Site]) -> tuple[str, ...]:
        """Ids of the sites that the job may use: by residency, large enough and as available as its tier promises."""
        least = AVAILABILITY_OF_TIER[job.tier]
        return tuple(site.site_id for site in self._large_enough(job, sites) if site.availability >= least)

    @staticmethod
    def _large_enough(job: Job, sites: Sequence[Site]) -> list[Site]:
        wanted = set(job.allowed_regions)
        least_kw = job.levels[0].power_kw if job.levels else job.power_kw
        return [site for site in sites if (not wanted or wanted & site.regions()) and site.capacity_kw >= least_kw]

    def _asset(self, request: JobRequest) -> Asset | None:
        if request.asset_id is None:
            return None
        known = {asset.asset_id: asset for asset in self._sites.assets()}
        if request.asset_id not in known:
            raise InputError(
                f"no asset {request.asset_id!r} is registered",
                field="asset_id",
                value=request.asset_id,
                remedy="Register it with POST /api/assets, or give allowed_regions and power_kw instead.",
            )
        return known[request.asset_id]

    def _power_kw(self, request: JobRequest, asset: Asset | None) -> float:
        if request.levels:
            power_kw = request.levels[-1].power_kw
        elif request.gpu_count is not None:
            power_kw = request.gpu_count * GPU_KW
        elif request.power_kw is not None:
            power_kw = request.power_kw
        elif asset is not None:
            power_kw = asset.max_power_kw
        else:
            raise InputError("the job has no power", field="power_kw", remedy="Give power_kw or gpu_count.")
        if asset is not None and not asset.min_power_kw <= power_kw <= asset.max_power_kw:
            raise InputError(
                f"{power_kw:g} kW is outside the asset's {asset.min_power_kw:g} to {asset.max_power_kw:g} kW",
                field="power_kw",
                value=power_kw,
                remedy="Give a power within the asset's range, or leave it out.",
            )
        return power_kw

    def _check_window(self, job: Job, now: datetime) -> None:
        if job.latest_finish > now + MAX_WINDOW:
            raise InputError(
                f"the deadline {format_utc(job.latest_finish)} is more than {MAX_WINDOW.days} days from now",
                field="latest_finish",
                value=format_utc(job.latest_finish),
                remedy=f"Choose one before {format_utc(slot_floor(now + MAX_WINDOW))}.",
            )
        first = max(job.first_slot, slot_ceil(now))
        needed = first + SLOT * self._fewest_slots(job)
        if job.window_end < needed:
            raise InputError(
                f"the window from {format_utc(first)} to {format_utc(job.latest_finish)} is too short for "
                f"{job.duration_hours:g} h, which is {job.work_slots} half-hour slots",
                field="latest_finish",
                value=format_utc(job.latest_finish),
                remedy=f"Choose a deadline at or after {format_utc(needed)}, or a shorter duration.",
            )

    @staticmethod
    def _fewest_slots(job: Job) -> int:
        most_work = job.levels[-1].work_per_slot if job.levels else 1.0
        return max(1, -int(-(job.work_slots - 1e-9) // most_work))

    def _check_place(self, job: Job) -> None:
        sites = self._sites.all()
        known = frozenset[str]().union(*(site.regions() for site in sites))
        for region in job.allowed_regions:
            if region not in known:
                raise InputError(
                    f"no site is in region {region!r}",
                    field="allowed_regions",
                    value=region,
                    remedy=f"Use site ids, grid zones or countries out of {', '.join(sorted(known))}.",
                )
        possible = self._large_enough(job, sites)
        if possible and not self.allowed_sites(job, sites):
            best = max(possible, key=lambda site: site.availability)
            raise InputError(
                f"the {job.tier.value} tier promises {AVAILABILITY_OF_TIER[job.tier]:.4g} of the time, and no allowed "
                f"site declares that (the best, {best.site_id}, {best.availability:.4g})",
                field="tier",
                value=job.tier.value,
                remedy="Take a tier that promises less, or allow another site.",
            )
        if not possible:
            most = max((site.capacity_kw for site in sites), default=0.0)
            raise InputError(
                f"{job.power_kw:g} kW is more than any allowed site has (the largest of all has {most:g} kW)",
                field="power_kw",
                value=job.power_kw,
                remedy="Ask for less power, or allow a larger site.",
            )
