"""Fair shares at a tick: what tenants used is read off the ledger, and jobs are weighed against what they are due.

Nothing is kept but what the ledger says; that is read anew in each half-hour. Which jobs count for less goes into the
instance as what leaving them out costs, so that whoever has the instance has the plan (docs/adr/0014).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from agents.job.agent import JobAgent
from agents.job.demand import Demand
from agents.job.fairness.claims import Asks, Claims, Dues, World, weighed
from agents.job.fairness.levels import aged
from agents.job.fairness.shares import dominant_shares
from agents.job.fairness.tree import fair_shares, ranked, tree_of
from agents.job.fairness.usage import HALF_LIVES_KEPT, fading, rate
from agents.messages import Award, Counter
from agents.proposal import Figures
from agents.site.agent import SiteAgent
from core.explanation import Explanation, Share
from core.instance import JobInstance
from core.job import Job, JobStatus
from core.series import BoolArray, FloatArray
from core.slots import SLOT, SLOT_HOURS, slot_floor, slots_between
from store.ledger import LedgerRepository

LEAST_USAGE = 1e-6
DECIMALS = 6
OTHERS_FIRST = "its tenant is beyond its fair share of the room, and jobs within theirs go first"
CROWDED = ("no site has enough headroom left", "what is left in its window costs more", "there is room for it")
"""how reasons begin that are no job's own: for a job beyond its tenant's share, that is why"""


@dataclass(frozen=True, slots=True)
class TenantShare:
    """How a tenant stands now. Shares are of the capacity of a site at its meter.

    :param fair_share: what it is due, beside those who have jobs or used something of late.
    :param used_share: greatest share that it uses of any site in this half-hour; ``resource`` is that site, None where
        it uses nothing. ``usage`` is the same, decayed.
    :param level: ``fair_share`` over ``usage``, None where it used nothing; ``rank`` its place down the tree, from 1.
    :param waiting: jobs without a place; ``oldest_since`` when the first of them was submitted.
    """

    tenant: str
    weight: float
    fair_share: float
    used_share: float
    resource: str | None
    usage: float
    level: float | None
    rank: int
    open_jobs: int
    waiting: int
    oldest_since: datetime | None


@dataclass(frozen=True, slots=True)
class TenantClaim:
    """What a tick took into account of one tenant; ``asked`` and ``due`` as in :class:`core.explanation.Share`."""

    tenant: str
    weight: float
    usage: float
    asked: float
    due: float
    jobs: int
    beyond: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """The demand of a tick with what fairness made of it: ``shares`` by job beyond its tenant's share."""

    wanted: dict[str, Demand]
    tenants: tuple[TenantClaim, ...] = ()
    shares: Mapping[str, Share] = field(default_factory=dict)

    def told(self, counters: Sequence[Counter], awards: Sequence[Award]) -> tuple[Counter, ...]:
        """Refusals as :func:`told` says them."""
        jobs = {job_id: demand.instance for job_id, demand in self.wanted.items() if demand.instance is not None}
        return told(counters, awards, jobs, self.shares)

    def explained(self, explanations: Mapping[str, Explanation]) -> dict[str, Explanation]:
        """Explanations of jobs without a place, with how their tenants stand."""
        return {
            job_id: replace(why, share=self.shares[job_id]) if job_id in self.shares and why.chosen is None else why
            for job_id, why in explanations.items()
        }


def told(
    counters: Sequence[Counter], awards: Sequence[Award], jobs: Mapping[str, JobInstance], beyond: Collection[str]
) -> tuple[Counter, ...]:
    """Refusals, those for want of room with fairness as the reason where others have what a job might have had.

    :param jobs: as the planner saw them, by id.
    :param beyond: ids of those that are beyond their tenants' shares.
    """
    if not beyond:
        return tuple(counters)
    runs = _runs(awards, jobs)
    return tuple(
        replace(counter, reason=OTHERS_FIRST)
        if counter.job_id in beyond and counter.reason.startswith(CROWDED) and _others_run(runs, jobs[counter.job_id])
        else counter
        for counter in counters
    )


def _runs(awards: Sequence[Award], jobs: Mapping[str, JobInstance]) -> dict[str, dict[str, BoolArray]]:
    """By site and tenant, in which slots (T,) any job of that tenant runs there."""
    slots = max((last for award in awards for _, last, _ in award.runs), default=0)
    found: dict[str, dict[str, BoolArray]] = {}
    for award in awards:
        own = found.setdefault(award.site_id, {}).setdefault(jobs[award.job_id].tenant, np.zeros(slots, bool))
        for first, last, _ in award.runs:
            own[first:last] = True
    return found


def _others_run(runs: Mapping[str, Mapping[str, BoolArray]], job: JobInstance) -> bool:
    """Whether jobs of other tenants run where and while this one might."""
    return any(
        own[job.earliest_slot : job.latest_slot].any()
        for site in job.sites
        for tenant, own in runs.get(site, {}).items()
        if tenant != job.tenant
    )


@dataclass(frozen=True, slots=True)
class _Usage:
    """Decayed use at the meters, by tenant and site, as a share of each site's capacity."""

    slot: datetime
    capacity_kw: Mapping[str, float]
    by_tenant: Mapping[str, FloatArray]

    def of(self, tenant: str) -> float:
        """The greatest share of any site."""
        return float(self.by_tenant[tenant].max(initial=0.0)) if tenant in self.by_tenant else 0.0


class Sharing:
    """Divides what is scarce among tenants.

    :param weights: of tenants and of parts of tenants; 1 where none is given.
    """

    def __init__(
        self,
        jobs: JobAgent,
        sites: SiteAgent,
        ledger: LedgerRepository,
        weights: Mapping[str, float],
        half_life_h: float,
    ) -> None:
        self._jobs = jobs
        self._sites = sites
        self._ledger = ledger
        self._weights = dict(weights)
        self._half_life_h = half_life_h
        self._fresh = rate(SLOT_HOURS, half_life_h)
        self._known: _Usage | None = None

    def weigh(
        self, jobs: Sequence[Job], wanted: Mapping[str, Demand], quoted: Figures, carbon_price: float, now: datetime
    ) -> Weighed:
        """``wanted`` with what leaving out each job counts for, in the light of what its tenant is due."""
        bidders = [(job, d, d.instance) for job in jobs if (d := wanted.get(job.job_id)) and d.instance is not None]
        if not bidders:
            return Weighed(dict(wanted))
        tenants = sorted({job.tenant for job, _, _ in bidders})
        usage = np.array([self._usage(now).of(tenant) for tenant in tenants])
        dues = Dues(tree_of(tenants, self._weights), usage, self._fresh)
        asks = _asks(bidders, tenants, quoted, now)
        claims = weighed(asks, _world(quoted, carbon_price), dues)
        changed = np.flatnonzero(claims.factor < 1)
        result = dict(wanted)
        for row in changed.tolist():
            job, demand, instance = bidders[row]
            penalty = round(float(claims.penalty_gbp[row]), DECIMALS)
            result[job.job_id] = replace(demand, instance=instance.model_copy(update={"unserved_penalty_gbp": penalty}))
        if not len(changed):
            return Weighed(result)
        return Weighed(result, self._claims(tenants, usage, asks, claims), _shares(bidders, asks, claims, quoted))

    def shares(self, now: datetime) -> list[TenantShare]:
        """How every tenant stands that has open jobs or used something of late, by name."""
        usage = self._usage(now)
        open_jobs: dict[str, list[Job]] = {}
        for job in self._jobs.open_jobs():
            open_jobs.setdefault(job.tenant, []).append(job)
        slot = slot_floor(now)
        now_used = self._by_site(self._ledger.drawn_by_tenant(slot, slot + SLOT), usage.capacity_kw, lambda _: 1.0)
        recent = {tenant for tenant in usage.by_tenant if usage.of(tenant) > LEAST_USAGE}
        tenants = sorted(open_jobs.keys() | now_used.keys() | recent)
        if not tenants:
            return []
        tree, sites = tree_of(tenants, self._weights), tuple(usage.capacity_kw)
        due, decayed = fair_shares(tree), np.array([usage.of(tenant) for tenant in tenants])
        used = np.array([now_used.get(tenant, np.zeros(len(sites))) for tenant in tenants])
        share, which = dominant_shares(used, np.ones(len(sites)))
        place = {number: rank for rank, number in enumerate(ranked(tree, decayed), start=1)}
        found = []
        for number, tenant in enumerate(tenants):
            waiting = [job for job in open_jobs.get(tenant, ()) if job.status is JobStatus.PENDING]
            found.append(
                TenantShare(
                    tenant=tenant,
                    weight=self._weights.get(tenant, 1.0),
                    fair_share=float(due[number]),
                    used_share=float(share[number]),
                    resource=sites[int(which[number])] if share[number] > 0 else None,
                    usage=float(decayed[number]),
                    level=float(due[number] / decayed[number]) if decayed[number] > LEAST_USAGE else None,
                    rank=place[number],
                    open_jobs=len(open_jobs.get(tenant, ())),
                    waiting=len(waiting),
                    oldest_since=min((job.submitted_at for job in waiting), default=None),
                )
            )
        return found

    def _usage(self, now: datetime) -> _Usage:
        """Use up to the half-hour of ``now``, read once in each."""
        slot = slot_floor(now)
        capacity = {site.site_id: site.capacity_kw for site in self._sites.sites()}
        known = self._known
        if known is None or known.slot != slot or known.capacity_kw != capacity:
            rows = self._ledger.drawn_by_tenant(slot - timedelta(hours=HALF_LIVES_KEPT * self._half_life_h), slot)
            weight = lambda at: float(fading(np.array(slots_between(at, slot) - 1), self._fresh))  # noqa: E731
            known = self._known = _Usage(slot, capacity, self._by_site(rows, capacity, weight))
        return known

    @staticmethod
    def _by_site(
        rows: Sequence[tuple[str, str, datetime, float]],
        capacity_kw: Mapping[str, float],
        weight: Callable[[datetime], float],
    ) -> dict[str, FloatArray]:
        """(S,) by tenant: shares of the sites' capacities, each half-hour counted by ``weight``."""
        place = {site_id: number for number, site_id in enumerate(capacity_kw)}
        found: dict[str, FloatArray] = {}
        for tenant, site_id, slot, energy_kwh in rows:
            if site_id in place:
                share = energy_kwh / (capacity_kw[site_id] * SLOT_HOURS)
                found.setdefault(tenant, np.zeros(len(place)))[place[site_id]] += share * weight(slot)
        return found

    def _claims(self, tenants: Sequence[str], usage: FloatArray, asks: Asks, claims: Claims) -> tuple[TenantClaim, ...]:
        jobs = np.bincount(asks.tenant, minlength=len(tenants))
        beyond = np.bincount(asks.tenant, claims.beyond, len(tenants))
        return tuple(
            TenantClaim(
                tenant=tenant,
                weight=self._weights.get(tenant, 1.0),
                usage=float(usage[number]),
                asked=float(claims.asked[number]),
                due=float(claims.due[number]),
                jobs=int(jobs[number]),
                beyond=int(beyond[number]),
            )
            for number, tenant in enumerate(tenants)
        )


Bidder = tuple[Job, Demand, JobInstance]


def _asks(bidders: Sequence[Bidder], tenants: Sequence[str], quoted: Figures, now: datetime) -> Asks:
    """What the bidders ask for; jobs come in order of submission."""
    numbers = {tenant: number for number, tenant in enumerate(tenants)}
    column = {site_id: number for number, site_id in enumerate(quoted.site_ids)}
    sites = np.zeros((len(bidders), len(column)), dtype=bool)
    windows = np.empty((len(bidders), 2), dtype=np.int64)
    for row, (_, demand, instance) in enumerate(bidders):
        sites[row, [column[site_id] for site_id in instance.sites]] = True
        runs = demand.frozen.runs if demand.frozen else ()
        ends = (runs[0][0], min(runs[-1][1], quoted.slots)) if runs else (instance.earliest_slot, instance.latest_slot)
        windows[row] = ends
    level = np.array([job.priority_level for job, _, _ in bidders], dtype=np.int64)
    waited = np.array([(now - job.submitted_at) / timedelta(hours=1) for job, _, _ in bidders])
    return Asks(
        tenant=np.array([numbers[job.tenant] for job, _, _ in bidders], dtype=np.int64),
        level=aged(level, waited),
        sites=sites,
        first=windows[:, 0],
        last=windows[:, 1],
        kw_slots=np.array([_kw_slots(instance) for _, _, instance in bidders]),
        penalty_gbp=np.array([instance.unserved_penalty_gbp for _, _, instance in bidders]),
        begun=np.array([demand.begun for _, demand, _ in bidders]),
        planned=np.array([instance.planned is not None for _, _, instance in bidders]),
    )


def _kw_slots(job: JobInstance) -> float:
    """IT kW times slots at full power."""
    if job.levels:
        return job.levels[-1].power_kw * (job.work or 0.0) / job.levels[-1].work_per_slot
    return (job.power_kw or 0.0) * (job.duration_slots or 0)


def _world(quoted: Figures, carbon_price_gbp_per_tonne: float) -> World:
    rate_gbp_per_kwh = quoted.price_gbp_per_kwh + carbon_price_gbp_per_tonne * quoted.carbon_g_per_kwh / 1e6
    priced = quoted.priced[:, np.newaxis]
    return World(
        room_kw=np.where(priced, quoted.unsold_kw / quoted.pue, 0.0),
        cost_gbp=np.where(priced, quoted.pue * SLOT_HOURS * rate_gbp_per_kwh, 0.0),
    )


def _shares(bidders: Sequence[Bidder], asks: Asks, claims: Claims, quoted: Figures) -> dict[str, Share]:
    """How the tenants stand of the jobs that are beyond their share."""
    found = {}
    for row in np.flatnonzero(claims.beyond).tolist():
        tenant = int(asks.tenant[row])
        found[bidders[row][0].job_id] = Share(
            asked=float(claims.asked[tenant]),
            due=float(claims.due[tenant]),
            site=quoted.site_ids[int(claims.site[tenant])],
            slot=int(claims.period[tenant]),
            factor=float(claims.factor[row]),
        )
    return found
