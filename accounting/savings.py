"""Savings: a job's plan against its baseline, and the portfolio as the sum of the very same records.

A saving is the baseline less the plan. It may be negative and is never clipped. Of carbon there is no percentage here,
since the sums of the ledger have no interval: see :class:`accounting.claims.Saving`. A job that lacks a leg cannot be
compared: it claims no saving and does not count in the portfolio.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.ledger import Leg, Totals


class _Comparison:
    """What follows from the sums of two legs."""

    __slots__ = ()
    plan: Totals
    baseline: Totals

    @property
    def comparable(self) -> bool:
        """Whether both legs are there."""
        return self.plan.rows > 0 and self.baseline.rows > 0

    @property
    def cost_saved_gbp(self) -> float:
        """Baseline cost less plan cost; 0 when the legs cannot be compared."""
        return self.baseline.cost_gbp - self.plan.cost_gbp if self.comparable else 0.0

    @property
    def carbon_saved_kg(self) -> float:
        """Baseline carbon less plan carbon; 0 when the legs cannot be compared."""
        return self.baseline.carbon_kg - self.plan.carbon_kg if self.comparable else 0.0

    @property
    def cost_saved_percent(self) -> float | None:
        """Of the baseline's cost, taken without its sign; None when that is 0 or there is no comparison."""
        of = self.baseline.cost_gbp
        return 100 * self.cost_saved_gbp / abs(of) if self.comparable and of else None

    @property
    def state(self) -> str:
        """``settled`` when every row of both legs is, ``forecast`` when none is, ``part settled`` between.

        ``, simulated`` follows when a figure of either leg is simulated: it is no claim about a real grid.
        """
        settled = self.plan.settled_rows + self.baseline.settled_rows
        whole = settled == self.plan.rows + self.baseline.rows
        state = "forecast" if not settled else "settled" if whole else "part settled"
        return f"{state}, simulated" if self.plan.simulated_rows + self.baseline.simulated_rows else state


@dataclass(frozen=True, slots=True)
class JobSavings(_Comparison):
    """One job: the sums of its planned rows and of its baseline's."""

    job_id: str
    plan: Totals
    baseline: Totals


@dataclass(frozen=True, slots=True)
class PortfolioSavings(_Comparison):
    """Sums over the jobs that can be compared: ``compared`` of the ``jobs`` given."""

    jobs: int
    compared: int
    plan: Totals
    baseline: Totals


def savings_by_job(totals_by_job: Mapping[tuple[str, Leg], Totals]) -> list[JobSavings]:
    """One record a job that has rows, in the order in which jobs first occur; an absent leg has no rows."""
    job_ids = dict.fromkeys(job_id for job_id, _ in totals_by_job)
    return [
        JobSavings(
            job_id,
            totals_by_job.get((job_id, Leg.PLAN), Totals()),
            totals_by_job.get((job_id, Leg.BASELINE), Totals()),
        )
        for job_id in job_ids
    ]


def _sum(totals: Iterable[Totals]) -> Totals:
    energy = cost = carbon = 0.0
    rows = settled = simulated = 0
    for one in totals:
        energy += one.energy_kwh
        cost += one.cost_gbp
        carbon += one.carbon_kg
        rows += one.rows
        settled += one.settled_rows
        simulated += one.simulated_rows
    return Totals(energy, cost, carbon, rows, settled, simulated)


def portfolio(records: Iterable[JobSavings]) -> PortfolioSavings:
    """The sum of the records that can be compared."""
    given = list(records)
    compared = [record for record in given if record.comparable]
    return PortfolioSavings(
        jobs=len(given),
        compared=len(compared),
        plan=_sum(record.plan for record in compared),
        baseline=_sum(record.baseline for record in compared),
    )
