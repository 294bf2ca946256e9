"""The decisions of a round derived again from its instance and the plan that came out anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from agents.evidence import award_follows, refusal_follows
from agents.explanation.explainer import Explainer
from agents.messages import Award
from agents.negotiation import Outcome
from agents.replaying.fields import plain, told
from agents.replaying.findings import Finding, differs
from agents.replaying.optimal import chosen_is_best
from agents.sharing import told as told_of_shares
from audit.record import Record
from core.explanation import Explanation
from core.instance import Instance, SiteInstance
from core.series import FloatArray
from core.slots import SLOT, SLOT_HOURS, format_utc

SERVED, LEFT_OUT = ("award", "move"), ("counter", "withdraw")
PER_KWH = 2e-9
"""GBP or kg a kWh: an instance keeps nine decimals of price, carbon and PUE, which a decision's totals rest on."""
LAST_PLACE = 1e-6
TOTALS = {
    "cost_gbp": ("price_gbp_per_kwh", 1.0),
    "cost_low_gbp": ("price_low_gbp_per_kwh", 1.0),
    "cost_high_gbp": ("price_high_gbp_per_kwh", 1.0),
    "carbon_kg": ("carbon_g_per_kwh", 1000.0),
    "carbon_low_kg": ("carbon_low_g_per_kwh", 1000.0),
    "carbon_high_kg": ("carbon_high_g_per_kwh", 1000.0),
}
"""By total of a decision: the site's figure that it sums over energy, and by what that is divided."""


class Decided:
    """What a round came to decide, to compare its decisions with.

    :param decisions: all that the round recorded, in order: they were explained together.
    """

    def __init__(self, instance: Instance, outcome: Outcome, decisions: Sequence[Record]) -> None:
        self._instance, self._plan = instance, outcome.plan
        self._jobs = {job.id: job for job in instance.jobs}
        self._awards = {award.job_id: award for award in outcome.awards}
        bodies = {record.body["job_id"]: record.body for record in decisions}
        beyond = {job for job, body in bodies.items() if _share_of(body)}
        counters = told_of_shares(outcome.counters, outcome.awards, self._jobs, beyond)
        self._counters = {counter.job_id: counter for counter in counters}
        self._explained = Explainer(instance, outcome.plan).explain(bodies)
        self._sites = {site.id: site for site in instance.sites}

    def compared(self, body: Mapping[str, Any], round_body: Mapping[str, Any]) -> Iterator[Finding]:
        """Each field of a decision that does not follow from the round."""
        job_id = body["job_id"]
        if job_id not in self._jobs:
            yield differs("job_id", f"the round did not plan {job_id}")
            return
        award = self._awards.get(job_id)
        expected = LEFT_OUT if award is None else SERVED
        if body["verdict"] not in expected:
            yield differs("verdict", f"recorded {body['verdict']}, derived {' or '.join(expected)}")
            return
        for name, value in self._follows(job_id, award, self._explained[job_id]).items():
            recorded, derived = plain(body.get(name)), _with_share(name, plain(value), body)
            if recorded != derived:
                yield differs(name, told(recorded, derived))
        yield from _share(body, round_body)
        if award is not None:
            yield from self._totals(body, award)
            yield from chosen_is_best(body, self._plan.objective_gbp - self._plan.bound_gbp, self._carbon_price)

    @property
    def _carbon_price(self) -> float | None:
        """GBP per kg; None where the plan weighed scenarios, and a course's carbon has a price in each."""
        return None if self._instance.scenarios else self._instance.carbon_price_gbp_per_tonne / 1000

    def _follows(self, job_id: str, award: Award | None, explanation: Explanation) -> dict[str, Any]:
        if award is not None:
            return award_follows(award, explanation, self._at)
        return refusal_follows(self._counters[job_id], explanation, self._at)

    def _at(self, slot: int) -> str:
        return format_utc(self._instance.start + SLOT * slot)

    def _totals(self, body: Mapping[str, Any], award: Award) -> Iterator[Finding]:
        """Cost and carbon with the ends of their intervals: energy times the instance's figures, slot by slot."""
        site = self._sites[award.site_id]
        energy_kwh = _energy_kwh(award, site, self._instance.slots)
        within = LAST_PLACE + PER_KWH * float(energy_kwh.sum())
        for name, (field, divisor) in TOTALS.items():
            figures = getattr(site, field)
            if body.get(name) is None or figures is None:
                continue
            derived = float(energy_kwh @ np.asarray(figures)) / divisor
            if abs(derived - float(body[name])) > within:
                yield differs(name, f"recorded {body[name]}, derived {derived:.6f}")


def given_up(body: Mapping[str, Any], instance: Instance | None) -> Iterator[Finding]:
    """What is odd about a decision that ends a job whose window had closed before any plan was made."""
    if body["verdict"] != "withdraw" or body["runs"] or body["options"]:
        yield differs("verdict", "it stands before its round, and yet does not give up a job")
    if instance is not None and any(job.id == body["job_id"] for job in instance.jobs):
        yield differs("job_id", f"{body['job_id']} was given up and planned at the same tick")


def _energy_kwh(award: Award, site: SiteInstance, slots: int) -> FloatArray:
    """(T,) at the meter."""
    power_kw = np.zeros(slots)
    for first, last, level_kw in award.runs:
        power_kw[first:last] += level_kw
    return np.asarray(power_kw * np.asarray(site.pue) * SLOT_HOURS)


def _with_share(name: str, derived: Any, body: Mapping[str, Any]) -> Any:
    """An explanation with the share that was recorded: it comes from the ledger, and is compared with the round's."""
    share = _share_of(body)
    return derived | {"share": share} if name == "explanation" and derived is not None and share else derived


def _share_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the tenant of a job stood, as recorded; empty where that was no reason."""
    return (body.get("explanation") or {}).get("share") or {}


def _share(body: Mapping[str, Any], round_body: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether a job's tenant stands as the round says it does."""
    share = _share_of(body)
    if not share:
        return
    tenants = {tenant["tenant_commit"]: tenant for tenant in round_body["tenants"]}
    tenant = tenants.get(body["tenant_commit"])
    if tenant is None:
        yield differs("explanation.share", "the round does not name its tenant")
        return
    for name in ("asked_share", "due_share"):
        if share[name] != tenant[name]:
            yield differs(f"explanation.share.{name}", f"recorded {share[name]}, the round says {tenant[name]}")
