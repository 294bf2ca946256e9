"""Evidence: an outcome as the records that go to the decision log before anything is done about it."""

from __future__ import annotations

import hashlib
import json
import platform
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import Any

from accounting.baselines import POLICY
from accounting.carbon import Intensity
from agents.carbon import Course, Known, claim_body, claim_of, known_of
from agents.messages import Award, Counter, EnergyQuote
from agents.negotiation import Effort, Outcome
from agents.proposal import Expected
from agents.reasoning import At, award_reason, explanation_body, offer_bodies, option_bodies
from agents.sharing import TenantClaim
from audit.bodies.decision import DecisionBody, RunBody
from audit.bodies.rounds import (
    EffortBody,
    FeedUse,
    PriceRoundBody,
    RoundBody,
    SitePriceBody,
    SolverBody,
    TenantBody,
    WorkBody,
)
from audit.fields import dec
from core.explanation import Explanation
from core.instance import Instance, SitePrices
from core.job import Job
from core.ledger import SlotEntry, Totals
from core.plan import Plan
from core.series import LEVEL, Kind, Series
from core.slots import SLOT, format_utc, slots_between
from core.vintage import Quantity

COMPUTED_BY = ("numpy", "scipy", "numba", "llvmlite", "cvxpy", "highspy")
"""Libraries that another version of might compute another plan with."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What every decision of one tick refers to."""

    round_id: str
    start: datetime
    energy: EnergyQuote
    tenant_commit: Callable[[str], str]
    zone_of: Mapping[str, str]
    _quoted: dict[tuple[str, datetime], Known] = field(default_factory=dict, repr=False, compare=False)
    """what was read of the quoted series: the jobs of a tick share their half-hours"""

    def known(self, row: SlotEntry) -> Known:
        """The intensities of a row: what is quoted with its interval, and for slots that passed what the row knows."""
        zone = self.zone_of.get(row.site_id, "")
        carbon = self.energy.carbon.get(zone)
        if carbon is None:
            return Known(None, None)
        key = zone, row.slot_start
        if key not in self._quoted:
            marginal = self.energy.marginal.get(zone)
            estimate = None if marginal is None else _intensity(marginal, row.slot_start)
            self._quoted[key] = Known(_intensity(carbon, row.slot_start), None, estimate)
        quoted, own = self._quoted[key], known_of(row, carbon.source)
        return Known(quoted.forecast or own.forecast, own.outturn, quoted.marginal)

    def at(self, slot: int) -> str:
        """The start of a slot of the plan as text."""
        return format_utc(self.start + SLOT * slot)


def _intensity(series: Series, slot_start: datetime) -> Intensity | None:
    """What a series says of a slot, with its interval; None outside of it and where it has nothing."""
    position = slots_between(series.start, slot_start)
    if not 0 <= position < len(series) or series.kinds[position] == Kind.MISSING:
        return None
    value, (low, high) = float(series.values[position]), (float(end[position]) for end in series.interval)
    return Intensity.within(value, low, high, Kind(int(series.kinds[position])), series.source)


def plan_digest(plan: Plan) -> str:
    """SHA-256 over what the plan decides: assignments and unserved, without times of the machine."""
    decided = plan.model_dump(mode="json", include={"assignments", "unserved", "instance", "seed"})
    return hashlib.sha256(json.dumps(decided, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def round_body(
    facts: Facts,
    trigger: str,
    instance: Instance,
    outcome: Outcome,
    instance_sha256: str,
    instance_path: str,
    tenants: Sequence[TenantClaim] = (),
) -> RoundBody:
    """The record of the negotiation itself; ``tenants`` where jobs were weighed against what tenants are due."""
    plan = outcome.plan
    return RoundBody(
        round_id=facts.round_id,
        trigger=trigger,
        plan_start=format_utc(facts.start),
        slots=instance.slots,
        jobs=len(instance.jobs),
        seed=plan.seed,
        solver=SolverBody(name="cvxpy HIGHS", version=f"{version('cvxpy')} {version('highspy')}"),
        instance_sha256=instance_sha256,
        instance_path=instance_path,
        feeds=_feeds(facts),
        tenants=[
            TenantBody(
                tenant_commit=facts.tenant_commit(claim.tenant),
                weight=dec(claim.weight, 6),
                usage=dec(claim.usage, 6),
                asked_share=dec(claim.asked, 6),
                due_share=dec(claim.due, 6),
                jobs=claim.jobs,
                beyond=claim.beyond,
            )
            for claim in tenants
        ],
        effort=_effort(outcome.effort),
        made_with=made_with(),
        **came_out(outcome),
    )


def came_out(outcome: Outcome) -> dict[str, Any]:
    """The fields of a round's record that follow from its instance, seed, effort and work."""
    plan, work = outcome.plan, outcome.work
    return {
        "placed": len(plan.assignments),
        "unserved": len(plan.unserved),
        "rounds": [
            PriceRoundBody(number=r.number, bound_gbp=dec(r.bound_gbp, 6), master_gbp=dec(r.master_gbp, 6), bids=r.bids)
            for r in outcome.rounds
        ],
        "objective_gbp": dec(plan.objective_gbp, 6),
        "bound_gbp": dec(plan.bound_gbp, 6),
        "gap": dec(min(plan.gap, 1e6), 6),
        "output_sha256": plan_digest(plan),
        "carbon_cap_price_gbp_per_kg": dec(plan.carbon_cap_price_gbp_per_kg, 6),
        "prices": [_site_price(price) for price in plan.prices],
        "work": WorkBody(rounds=work.rounds, clearings=work.clearings, trials=work.trials, stops=list(work.stops)),
    }


def _site_price(price: SitePrices) -> SitePriceBody:
    values = price.headroom_gbp_per_kw_slot
    return SitePriceBody(
        site_id=price.site,
        mean_gbp_per_kw_slot=dec(sum(values) / len(values), 6),
        max_gbp_per_kw_slot=dec(max(values), 6),
    )


def _effort(effort: Effort) -> EffortBody:
    return EffortBody.model_validate(
        asdict(effort) | {"time_limit_s": dec(effort.time_limit_s, 6), "target_gap": dec(effort.target_gap, 9)}
    )


def made_with() -> dict[str, str]:
    """What computes here: the processor's architecture, Python and the libraries, with their versions."""
    versions = {name: version(name) for name in COMPUTED_BY}
    return {"machine": platform.machine(), "python": platform.python_version(), **versions}


def _feeds(facts: Facts) -> list[FeedUse]:
    """Price and carbon of every zone, and the weather of every site that has some."""
    energy = facts.energy
    quoted: list[tuple[str, Quantity, Series]] = []
    for zone in sorted(set(facts.zone_of.values())):
        quoted += [(zone, "price", energy.price[zone]), (zone, "carbon", energy.carbon[zone])]
    quoted += [(site, "temperature", energy.weather[site]) for site in sorted(energy.weather)]
    return [_feed_use(facts, *use) for use in quoted]


def _feed_use(facts: Facts, place: str, quantity: Quantity, series: Series) -> FeedUse:
    return FeedUse.model_validate(
        {
            "zone": place,
            "quantity": quantity,
            "source": series.source,
            "issued_at": format_utc(series.issued_at),
            "kinds": [kind.label for kind in series.kinds_used()],
            "stale": series.stale,
            "origins": [
                {"first": o.first, "last": o.last, "source": o.source, "fetch_id": o.fetch_id}
                for o in facts.energy.origins.get((place, quantity), ())
            ],
        }
    )


def award_body(
    facts: Facts,
    job: Job,
    award: Award,
    moved: bool,
    explanation: Explanation,
    rows: Sequence[SlotEntry],
    baseline: Sequence[SlotEntry],
    expected: Expected,
) -> DecisionBody:
    """The record of a job's place in the plan: a first award, or a move."""
    totals = Totals.of(rows)
    return DecisionBody(
        **_common(facts, job, baseline),
        **award_follows(award, explanation, facts.at),
        verdict="move" if moved else "award",
        cost_gbp=dec(totals.cost_gbp, 6),
        carbon_kg=dec(totals.carbon_kg, 6),
        interval_level=dec(LEVEL, 2),
        cost_low_gbp=dec(expected.cost_low_gbp, 6),
        cost_high_gbp=dec(expected.cost_high_gbp, 6),
        carbon_low_kg=dec(expected.carbon_low_kg, 6),
        carbon_high_kg=dec(expected.carbon_high_kg, 6),
        data_kinds=_kinds([*rows, *baseline]),
        sources=_sources(facts, {award.site_id, *(row.site_id for row in baseline)}),
    )


def award_follows(award: Award, explanation: Explanation, at: At) -> dict[str, Any]:
    """The fields of an award's record that follow from its plan and instance."""
    shown = option_bodies(explanation, at)
    return {
        "site_id": award.site_id,
        "runs": [RunBody(start=at(a), end=at(b), power_kw=dec(power, 6)) for a, b, power in award.runs],
        "reason": award_reason(explanation),
        "options": shown,
        "chosen_id": next((body.option_id for body in shown if body.reject_code is None), None),
        "counter_offers": [],
        "explanation": explanation_body(explanation, at),
    }


def with_carbon(
    body: DecisionBody, facts: Facts, rows: Sequence[SlotEntry], baseline: Sequence[SlotEntry]
) -> DecisionBody:
    """The record with what the course is expected to do to carbon, at rated power.

    :param rows: all of the job's rows, those of slots that have passed as well.
    """
    plan, against = Course(rows), Course(baseline)
    claim = claim_of(POLICY, plan, against, facts.known, {})
    if claim is None:
        return body
    return body.model_copy(update={"carbon": claim_body(claim, plan, against, facts.zone_of)})


def refusal_body(
    facts: Facts,
    job: Job,
    counter: Counter,
    withdrawn: bool,
    explanation: Explanation | None,
    baseline: Sequence[SlotEntry],
) -> DecisionBody:
    """The record of a job that the plan does not serve: a counter-offer, or a place withdrawn.

    :param explanation: None for a job that is not in the plan's instance any more.
    """
    follows = refusal_follows(counter, explanation, facts.at)
    sites = {option.site_id for option in follows["options"]} or set(facts.zone_of)
    return DecisionBody(
        **_common(facts, job, baseline),
        **follows,
        verdict="withdraw" if withdrawn else "counter",
        data_kinds=_quoted_kinds(facts, sites),
        sources=_sources(facts, sites),
    )


def refusal_follows(counter: Counter, explanation: Explanation | None, at: At) -> dict[str, Any]:
    """The fields of a refusal's record that follow from its plan and instance."""
    return {
        "site_id": None,
        "runs": [],
        "reason": counter.reason,
        "options": option_bodies(explanation, at) if explanation else [],
        "chosen_id": None,
        "counter_offers": offer_bodies(explanation.offers if explanation else counter.offers, at),
        "explanation": explanation_body(explanation, at) if explanation else None,
    }


def _common(facts: Facts, job: Job, baseline: Sequence[SlotEntry]) -> dict[str, object]:
    totals = Totals.of(baseline)
    known = bool(baseline)
    return {
        "decision_id": f"dec-{uuid.uuid4().hex[:12]}",
        "job_id": job.job_id,
        "tenant_commit": facts.tenant_commit(job.tenant),
        "baseline_policy": POLICY,
        "baseline_site_id": baseline[0].site_id if known else None,
        "baseline_start": format_utc(baseline[0].slot_start) if known else None,
        "baseline_cost_gbp": dec(totals.cost_gbp, 6) if known else None,
        "baseline_carbon_kg": dec(totals.carbon_kg, 6) if known else None,
        "round_seq_id": facts.round_id,
    }


def _kinds(rows: Sequence[SlotEntry]) -> list[str]:
    kinds = {row.price_kind for row in rows} | {row.carbon_kind for row in rows}
    return [kind.label for kind in sorted(kinds)]


def _quoted_kinds(facts: Facts, sites: set[str]) -> list[str]:
    """The kinds of the figures quoted for sites, on which a refusal and its offers rest."""
    zones = {facts.zone_of[site] for site in sites if site in facts.zone_of}
    quoted = [series for zone in zones for series in (facts.energy.price[zone], facts.energy.carbon[zone])]
    return [kind.label for kind in sorted({kind for series in quoted for kind in series.kinds_used()})]


def _sources(facts: Facts, sites: set[str]) -> list[str]:
    zones = {facts.zone_of[site] for site in sites if site in facts.zone_of}
    return sorted({facts.energy.price[z].source for z in zones} | {facts.energy.carbon[z].source for z in zones})
