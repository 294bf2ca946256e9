"""Gathers what is known of a job from the ledger and the decision log; pages and API show the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounting.savings import JobSavings, savings_by_job
from agents.settlement.claims import ClaimInForce
from audit.record import Record
from core.errors import NotFound
from core.job import Job, JobStatus
from core.ledger import Leg, SlotEntry
from web.api.claim_shapes import CarbonShareOut, ClaimOut
from web.api.explanation_shapes import ReasonsOut, WaitingOut
from web.api.job_shapes import JobDetail, SavingsOut, Schedule, SlotOut
from web.services import Services
from web.statements import claim_of_job


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job, its two legs in order of slots, their comparison, its latest decision, and what its delivery claims."""

    job: Job
    plan: list[SlotEntry]
    baseline: list[SlotEntry]
    savings: JobSavings | None
    decision: Record | None
    claim: ClaimInForce | None

    @classmethod
    def gather(cls, services: Services, job_id: str, claimed_at: datetime | None = None) -> JobFacts:
        """All that is known of one job, its claim as it was stated at an instant or is now; :class:`NotFound`."""
        job = services.jobs.get(job_id)
        entries = services.ledger.entries(job_id=job_id)
        return cls(
            job=job,
            plan=[entry for entry in entries if entry.leg is Leg.PLAN],
            baseline=[entry for entry in entries if entry.leg is Leg.BASELINE],
            savings=savings_of(services, [job_id]).get(job_id),
            decision=_newest_decision(services, job_id),
            claim=claim_of_job(services.log, job_id, claimed_at or services.clock.now()),
        )

    def detail(self, services: Services) -> JobDetail:
        """As the API shows it, with when there is room for it if it waits."""
        waiting = services.loop.waiting(self.job.job_id) if self.job.status is JobStatus.PENDING else None
        return JobDetail(
            **self.job.model_dump(),
            allocations=[SlotOut.of(entry) for entry in self.plan],
            baseline=[SlotOut.of(entry) for entry in self.baseline],
            savings=SavingsOut.of(self.savings) if self.savings is not None else None,
            carbon_reduction=self.reduction,
            claim=ClaimOut.of(self.claim) if self.claim is not None else None,
            decision_seq=self.decision.seq if self.decision is not None else None,
            explanation=ReasonsOut.of(self.decision.body) if self.decision is not None else None,
            waiting=WaitingOut.of(waiting) if waiting is not None else None,
        )

    def schedule(self, services: Services) -> Schedule | None:
        """Where and when it runs; None while it has no place in the plan."""
        if not self.plan or self.savings is None:
            return None
        region = services.sites.get(self.plan[-1].site_id).zone
        return Schedule.of(self.job, region, self.plan, self.savings, self.decision, self.reduction)

    @property
    def reduction(self) -> CarbonShareOut | None:
        """The share of carbon saved, as claimed by the delivery or, while there is none, by the latest decision."""
        if self.claim is not None:
            return CarbonShareOut.of(self.claim.carbon)
        return CarbonShareOut.of(self.decision.body.get("carbon")) if self.decision is not None else None


def latest_decision(services: Services, job_id: str) -> Record:
    """The record of the latest decision on a job; :class:`NotFound` for no such job and before its first decision."""
    services.jobs.get(job_id)
    decision = _newest_decision(services, job_id)
    if decision is None:
        raise NotFound(
            f"nothing has been decided about job {job_id} yet", remedy="The next negotiation decides; ask again then."
        )
    return decision


def _newest_decision(services: Services, job_id: str) -> Record | None:
    decisions, _ = services.log.records(kind="decision", job_id=job_id, limit=1)
    return decisions[0] if decisions else None


def savings_of(services: Services, job_ids: list[str] | None = None) -> dict[str, JobSavings]:
    """Comparison of each job (default: all) that has rows in the ledger, by job id."""
    return {savings.job_id: savings for savings in savings_by_job(services.ledger.totals_by_job(job_ids))}
