"""Jobs: what people ask for, the states a job goes through, and the words for both."""

from __future__ import annotations

import itertools
import math
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from core.slots import SLOT_HOURS, require_aware, slot_ceil, slot_floor, slots_between

MAX_WINDOW = timedelta(days=7)
MAX_POWER_KW = 100_000.0


class FlexibilityType(StrEnum):
    """What may be done to a job."""

    FIXED = "fixed"
    """starts at its earliest start, or as soon after as there is room, and runs through"""
    DEFERRABLE = "deferrable"
    """one contiguous block anywhere in its window"""
    PAUSABLE = "pausable"
    """whole slots anywhere in its window; each pause has a cost"""
    THROTTLABLE = "throttlable"
    """a power level per slot, until its work is done"""


class Tier(StrEnum):
    """Service tier: how dear it is not to serve the job, and how available the sites are that may."""

    PREMIUM = "premium"
    STANDARD = "standard"
    FLEXIBLE = "flexible"
    SPOT = "spot"


class JobStatus(StrEnum):
    """Lifecycle of a job; the last three are terminal."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """True when nothing can happen to the job any more."""
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})
OPEN = frozenset(JobStatus) - TERMINAL
TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.PENDING: frozenset({JobStatus.SCHEDULED, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.SCHEDULED: frozenset({JobStatus.PENDING, JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.RUNNING: frozenset({JobStatus.PAUSED, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.PAUSED: frozenset({JobStatus.RUNNING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}

PRIORITY_TIERS = {"critical": Tier.PREMIUM, "high": Tier.STANDARD, "normal": Tier.FLEXIBLE, "low": Tier.SPOT}
AVAILABILITY_OF_TIER = {Tier.PREMIUM: 0.999, Tier.STANDARD: 0.95, Tier.FLEXIBLE: 0.9, Tier.SPOT: 0.0}
"""the least availability of a site that may run a tier's jobs, as a share of time"""
LEVEL_OF_TIER = {tier: level for level, tier in enumerate(Tier)}
"""the priority level of a job for which none was given: 0 for premium to 3 for spot"""
LEAST_LEVEL = 9
_TENANT_PART = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
TENANT = rf"^{_TENANT_PART}(/{_TENANT_PART}){{0,3}}$"
"""a tenant, or a part of one: ``acme/research``"""


def _aware(value: Any) -> Any:
    """Refuse a time without an offset before anything is stored."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise ValueError(f"{value!r} is not an ISO 8601 time; write it like 2023-03-01T00:00Z") from error
    if isinstance(value, datetime):
        return require_aware(value)
    raise ValueError("a time must be ISO 8601 text with a UTC offset, like 2023-03-01T00:00Z")


Instant = Annotated[datetime, BeforeValidator(_aware)]


class Level(BaseModel):
    """One power level of a throttlable job.

    ``work_per_slot`` is counted in slots at full power: 1.0 is what the highest level does in half an hour.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    power_kw: float = Field(gt=0, le=MAX_POWER_KW)
    work_per_slot: float = Field(gt=0, le=1000)


def require_concave(levels: tuple[Level, ...]) -> None:
    """Raise :class:`ValueError` unless power and work rise, and each further kW does no more work than the last."""
    ladder = [(0.0, 0.0), *((level.power_kw, level.work_per_slot) for level in levels)]
    steps = [(p1 - p0, w1 - w0) for (p0, w0), (p1, w1) in itertools.pairwise(ladder)]
    if any(power <= 0 or work <= 0 for power, work in steps):
        raise ValueError("levels must rise in power_kw and in work_per_slot")
    slopes = [work / power for power, work in steps]
    if any(later > earlier * (1 + 1e-9) for earlier, later in itertools.pairwise(slopes)):
        raise ValueError("levels must be concave: each further kW does no more work than the one before")


def capped_levels(power_kw: float) -> tuple[Level, ...]:
    """Power caps at 50, 75 and 100 % with throughput ``1 - 0.72 (1 - cap)^2`` (arXiv 2310.03003, one A100 fit)."""
    return tuple(Level(power_kw=power_kw * cap, work_per_slot=1 - 0.72 * (1 - cap) ** 2) for cap in (0.5, 0.75, 1.0))


class JobRequest(BaseModel):
    """What a person or program submits. Times carry a UTC offset; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    job_name: str = Field(min_length=1, max_length=120)
    job_type: Literal["training", "batch", "hpc", "inference", "mining", "other"] = "batch"
    flexibility_type: FlexibilityType = FlexibilityType.DEFERRABLE
    tenant: str = Field(
        "default", pattern=TENANT, max_length=63, description="whose job it is; acme/research is a part of acme"
    )
    tier: Tier = Tier.STANDARD
    priority: Literal["critical", "high", "normal", "low"] | None = Field(
        None, description="names the tier when tier is not given: critical, high, normal, low = premium to spot"
    )
    priority_level: int | None = Field(
        None,
        ge=0,
        le=LEAST_LEVEL,
        description="order among waiting jobs, 0 first; default: 0 for premium to 3 for spot",
    )
    asset_id: str | None = Field(None, max_length=63, description="registered asset: gives place and power")
    earliest_start: Instant | None = Field(None, description="default: now")
    latest_finish: Instant = Field(
        validation_alias=AliasChoices("latest_finish", "deadline"), description="deadline, with UTC offset"
    )
    duration_hours: float = Field(gt=0, le=168, description="at full power; rounded up to whole half-hours")
    power_kw: float | None = Field(
        None,
        gt=0,
        le=MAX_POWER_KW,
        validation_alias=AliasChoices("power_kw", "estimated_power_kw"),
        description="IT power at full speed, in kW, before cooling",
    )
    gpu_count: int | None = Field(None, ge=1, le=100_000, description="instead of power_kw")
    levels: tuple[Level, ...] | None = Field(
        None, max_length=10, description="throttlable only; default 50, 75 and 100 % power caps"
    )
    allowed_regions: tuple[str, ...] = Field(
        (), max_length=50, description="site ids, grid zones or ISO countries; empty means anywhere"
    )
    carbon_cap_g_per_kwh: float | None = Field(None, ge=0, le=5000)
    max_price_gbp_per_kwh: float | None = Field(
        None, ge=-10, le=100, validation_alias=AliasChoices("max_price_gbp_per_kwh", "max_price_per_kwh")
    )
    pause_cost_gbp: float = Field(0.0, ge=0, le=10_000, description="pausable only: charged for each pause")
    command: tuple[str, ...] | None = Field(
        None, min_length=1, max_length=200, description="argument vector to run at the slot; none: power is simulated"
    )
    timeout_minutes: float | None = Field(None, gt=0, le=7 * 24 * 60, description="of run time; default: the duration")

    @model_validator(mode="before")
    @classmethod
    def _tier_from_priority(cls, data: Any) -> Any:
        priority = data.get("priority") if isinstance(data, dict) and "tier" not in data else None
        if isinstance(priority, str) and priority in PRIORITY_TIERS:
            return {**data, "tier": PRIORITY_TIERS[priority]}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.power_kw is not None and self.gpu_count is not None:
            raise ValueError("give power_kw or gpu_count, not both")
        if self.power_kw is None and self.gpu_count is None and self.asset_id is None:
            raise ValueError("give power_kw, gpu_count or an asset_id that has a power")
        if self.earliest_start is not None and self.latest_finish <= self.earliest_start:
            raise ValueError(
                f"latest_finish {self.latest_finish.isoformat()} is not after "
                f"earliest_start {self.earliest_start.isoformat()}"
            )
        if self.levels is not None:
            self._check_levels(self.levels)
        return self

    def _check_levels(self, levels: tuple[Level, ...]) -> None:
        if self.flexibility_type is not FlexibilityType.THROTTLABLE:
            raise ValueError("levels are for throttlable jobs; leave them out or set flexibility_type to throttlable")
        require_concave(levels)


class Job(BaseModel):
    """An accepted job: the request made definite, with its state.

    ``work_slots`` is the duration in whole slots at full power.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    job_name: str
    job_type: str
    flexibility_type: FlexibilityType
    tenant: str
    tier: Tier
    priority_level: int = Field(
        LEAST_LEVEL, description="order among waiting jobs, 0 first; by tier where none is given"
    )
    asset_id: str | None = None
    earliest_start: Instant
    latest_finish: Instant
    duration_hours: float
    power_kw: float
    gpu_count: int | None = None
    levels: tuple[Level, ...] = ()
    allowed_regions: tuple[str, ...] = ()
    carbon_cap_g_per_kwh: float | None = None
    max_price_gbp_per_kwh: float | None = None
    pause_cost_gbp: float = 0.0
    command: tuple[str, ...] | None = None
    timeout_minutes: float | None = None
    status: JobStatus = JobStatus.PENDING
    reason: str | None = Field(None, description="why the job waits, failed or was cancelled")
    submitted_at: Instant
    updated_at: Instant
    site_id: str | None = Field(None, description="where it runs or is planned")
    exit_status: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _level_from_tier(cls, data: Any) -> Any:
        """Jobs that were stored before there were levels, and requests that name none, have that of their tier."""
        if isinstance(data, dict) and data.get("priority_level") is None and "tier" in data:
            return {**data, "priority_level": LEVEL_OF_TIER[Tier(data["tier"])]}
        return data

    @property
    def work_slots(self) -> int:
        """Duration in whole slots at full power."""
        return max(1, math.ceil(self.duration_hours / SLOT_HOURS - 1e-9))

    @property
    def first_slot(self) -> datetime:
        """First slot start inside the window."""
        return slot_ceil(self.earliest_start)

    @property
    def window_end(self) -> datetime:
        """End of the last whole slot inside the window."""
        return slot_floor(self.latest_finish)

    @property
    def window_slots(self) -> int:
        """Whole slots in the window."""
        return slots_between(self.first_slot, self.window_end)

    @property
    def it_energy_kwh(self) -> float:
        """IT energy at full power for the whole duration."""
        return self.power_kw * self.work_slots * SLOT_HOURS
