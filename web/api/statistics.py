"""Statistics: sums of the ledger's own rows, and nothing else."""

from __future__ import annotations

from datetime import datetime

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from accounting.baselines import POLICY
from accounting.savings import portfolio
from core.job import JobStatus
from web.api.documented import answer
from web.api.job_facts import savings_of
from web.api.job_shapes import SavingsOut
from web.services import services_of_request

api = APIBlueprint("api_statistics", __name__, abp_tags=[Tag(name="statistics", description="Totals of the ledger")])


class Statistics(BaseModel):
    """Totals over jobs that have both a plan and a baseline; sums of the rows that the jobs themselves show."""

    generated_at: datetime
    jobs: dict[str, int] = Field(description="number of jobs by status")
    total_jobs: int
    compared_jobs: int = Field(description="jobs in the totals")
    baseline_policy: str = Field(description="what each job is compared with")
    totals: SavingsOut


@api.get("/api/statistics", responses={200: Statistics})
def statistics() -> Response:
    """Energy, cost and carbon of the plan and of the baseline, and what was saved."""
    services = services_of_request()
    found = services.jobs.counts()
    counts = {status.value: found.get(status, 0) for status in JobStatus}
    sums = portfolio(savings_of(services).values())
    return answer(
        Statistics(
            generated_at=services.clock.now(),
            jobs=counts,
            total_jobs=sum(counts.values()),
            compared_jobs=sums.compared,
            baseline_policy=POLICY,
            totals=SavingsOut.of(sums),
        )
    )
