"""What the API says of a job: as accepted, as planned slot by slot, as compared with its baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, computed_field

from accounting.baselines import POLICY
from core.job import PRIORITY_TIERS, Job
from core.ledger import SlotEntry, Totals
from core.slots import SLOT, slots_between
from web.api.claim_shapes import CarbonShareOut, ClaimOut
from web.api.explanation_shapes import ReasonsOut, WaitingOut

if TYPE_CHECKING:
    from accounting.savings import JobSavings, PortfolioSavings
    from audit.record import Record

REDUCTION = "as the decision, or once there is one the delivery, claims it; null where no interval is known"
_PRIORITY_OF_TIER = {tier: priority for priority, tier in PRIORITY_TIERS.items()}


class JobLinks(BaseModel):
    """Where to go from a job."""

    job: str
    page: str
    logs: str
    schedule: str
    cancel: str
    output: str


class JobOut(Job):
    """An accepted job and its state, under both names where clients know a field by two."""

    @classmethod
    def of(cls, job: Job) -> JobOut:
        """The wire form of ``job``."""
        return cls(**job.model_dump())

    @computed_field
    def estimated_power_kw(self) -> float:
        """The same as ``power_kw``."""
        return self.power_kw

    @computed_field
    def max_price_per_kwh(self) -> float | None:
        """The same as ``max_price_gbp_per_kwh``."""
        return self.max_price_gbp_per_kwh

    @computed_field
    def priority(self) -> str:
        """The tier by its other name: critical, high, normal, low = premium to spot."""
        return _PRIORITY_OF_TIER[self.tier]

    @computed_field
    def links(self) -> JobLinks:
        """Where to go from here."""
        base = f"/api/jobs/{self.job_id}"
        return JobLinks(
            job=base,
            page=f"/jobs/{self.job_id}",
            logs=f"/api/logs/{self.job_id}",
            schedule=f"{base}/schedule",
            cancel=f"{base}/cancel",
            output=f"{base}/output",
        )


class JobList(BaseModel):
    """Jobs, newest first; ``total`` counts those beyond the limit too."""

    jobs: list[JobOut]
    total: int


class SlotOut(BaseModel):
    """One half-hour of a job, with its worth and the kinds of figure that worth rests on."""

    slot_start: datetime
    site_id: str
    power_kw: float = Field(description="IT power")
    pue: float
    energy_kwh: float = Field(description="at the meter, cooling included")
    price_gbp_per_kwh: float
    price_kind: str
    carbon_g_per_kwh: float
    carbon_kind: str
    cost_gbp: float
    carbon_kg: float
    delivered_kwh: float | None = Field(description="IT energy measured; null until the half-hour has passed")
    settled: bool

    @classmethod
    def of(cls, entry: SlotEntry) -> SlotOut:
        """The wire form of ``entry``."""
        kinds = {"price_kind": entry.price_kind.label, "carbon_kind": entry.carbon_kind.label}
        same = {name: getattr(entry, name) for name in cls.model_fields if name not in {*kinds, "energy_kwh"}}
        return cls(**same, **kinds, energy_kwh=entry.site_kwh)


class TotalsOut(BaseModel):
    """Sums over half-hours, at the meter."""

    energy_kwh: float
    cost_gbp: float
    carbon_kg: float
    slots: int
    settled_slots: int
    state: str = Field(description="none, forecast, part settled or settled")

    @classmethod
    def of(cls, totals: Totals) -> TotalsOut:
        """The wire form of ``totals``."""
        return cls(
            energy_kwh=totals.energy_kwh,
            cost_gbp=totals.cost_gbp,
            carbon_kg=totals.carbon_kg,
            slots=totals.rows,
            settled_slots=totals.settled_rows,
            state=totals.state,
        )


class SavingsOut(BaseModel):
    """Sums against those of a baseline; ``state`` says how firm they are. The share is null when the baseline is 0."""

    plan: TotalsOut
    baseline: TotalsOut
    cost_saved_gbp: float
    carbon_saved_kg: float
    cost_saved_percent: float | None
    state: str
    baseline_policy: str
    comparable: bool = Field(description="False when one leg is missing, so that nothing may be concluded")

    @classmethod
    def of(cls, savings: JobSavings | PortfolioSavings) -> SavingsOut:
        """The wire form of ``savings``."""
        legs = {"plan": TotalsOut.of(savings.plan), "baseline": TotalsOut.of(savings.baseline)}
        given = legs | {"baseline_policy": POLICY}
        return cls(**given, **{name: getattr(savings, name) for name in cls.model_fields if name not in given})


class JobDetail(JobOut):
    """A job with all that is known of it."""

    allocations: list[SlotOut]
    baseline: list[SlotOut]
    savings: SavingsOut | None = Field(description="null until it has been planned")
    carbon_reduction: CarbonShareOut | None = Field(description=REDUCTION)
    claim: ClaimOut | None = Field(description="about carbon, as last stated; null where there is none (yet)")
    decision_seq: int | None = Field(description="record of the latest decision in the log")
    explanation: ReasonsOut | None = Field(description="of the latest decision; null before the first")
    waiting: WaitingOut | None = Field(description="when there is room for it; null unless it waits")


class Schedule(BaseModel):
    """Where and when a job runs, what that costs and emits, and what its baseline would have."""

    schedule_id: str | None = Field(description="id of the decision on the log")
    job_id: str
    status: str
    site_id: str
    region: str = Field(description="grid zone of the site")
    start_time: datetime
    end_time: datetime
    throttling_profile: list[float] = Field(description="share of full power, each half-hour from start to end")
    estimated_energy_kwh: float = Field(description="at the meter")
    estimated_carbon_kg: float
    baseline_carbon_kg: float | None
    estimated_cost_gbp: float
    baseline_cost_gbp: float | None
    carbon_saved_kg: float | None
    cost_saved_gbp: float | None
    carbon_reduction: CarbonShareOut | None = Field(description=REDUCTION)
    cost_reduction_percent: float | None
    baseline_policy: str
    flexibility_value_gbp: float | None = Field(
        description="deviation from the baseline, half-hour by half-hour, at the price of each"
    )
    state: str = Field(description='forecast, part settled or settled; with ", simulated" where figures are')
    data_kinds: list[str]
    data_sources: list[str]

    @classmethod
    def of(
        cls,
        job: Job,
        region: str,
        entries: Sequence[SlotEntry],
        savings: JobSavings,
        decision: Record | None,
        reduction: CarbonShareOut | None,
    ) -> Schedule:
        """The schedule that the plan leg ``entries`` (not empty, in order of slots) of ``job`` amounts to."""
        known = decision.body if decision is not None else {}
        return cls(
            schedule_id=known.get("decision_id"),
            job_id=job.job_id,
            status=job.status,
            site_id=entries[-1].site_id,
            region=region,
            start_time=entries[0].slot_start,
            end_time=entries[-1].slot_start + SLOT,
            throttling_profile=_profile(job, entries),
            state=savings.plan.state,
            data_kinds=_kinds(entries),
            data_sources=known.get("sources", []),
            carbon_reduction=reduction,
            baseline_policy=POLICY,
            **_worth(savings),
        )


def _worth(savings: JobSavings) -> dict[str, Any]:
    """Money and carbon of both legs; the comparison is left out where a leg is missing."""
    plan, baseline, fair = savings.plan, savings.baseline, savings.comparable
    return {
        "estimated_energy_kwh": plan.energy_kwh,
        "estimated_carbon_kg": plan.carbon_kg,
        "estimated_cost_gbp": plan.cost_gbp,
        "baseline_carbon_kg": baseline.carbon_kg if fair else None,
        "baseline_cost_gbp": baseline.cost_gbp if fair else None,
        "carbon_saved_kg": savings.carbon_saved_kg if fair else None,
        "cost_saved_gbp": savings.cost_saved_gbp if fair else None,
        "cost_reduction_percent": savings.cost_saved_percent if fair else None,
        "flexibility_value_gbp": savings.cost_saved_gbp if fair else None,
    }


def _profile(job: Job, entries: Sequence[SlotEntry]) -> list[float]:
    start = entries[0].slot_start
    profile = [0.0] * (slots_between(start, entries[-1].slot_start) + 1)
    for entry in entries:
        profile[slots_between(start, entry.slot_start)] = entry.power_kw / job.power_kw
    return profile


def _kinds(entries: Iterable[SlotEntry]) -> list[str]:
    return [kind.label for kind in sorted({kind for e in entries for kind in (e.price_kind, e.carbon_kind)})]
