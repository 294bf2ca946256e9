"""One tick: quotes, demand, negotiation, evidence, and only then the store.

``quotes -> demand -> instance -> solver -> records appended (durable) -> ledger``. Nothing is kept between ticks but
what the store and the log hold, so a tick after a restart is like any other.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from accounting.baselines import BaselineDemand, run_at_submission
from accounting.settlement import settle
from agents.energy.agent import EnergyAgent
from agents.evidence import Facts, award_body, refusal_body, round_body
from agents.job.agent import JobAgent
from agents.job.demand import Demand
from agents.messages import Counter, EnergyQuote
from agents.negotiation import Effort, Outcome
from agents.proposal import Figures, demands, figures, instance_of, planned_kw
from agents.site.agent import SiteAgent
from agents.solver import Solver
from agents.standing import StandingPlan, standing_of
from audit.log import AuditLog
from audit.record import Body
from core.clock import Clock
from core.errors import PlanTooLate
from core.instance import Instance, Plan
from core.job import Job, JobStatus
from core.ledger import Leg, SlotEntry, TickRecord
from core.series import Kind
from core.slots import SLOT, SLOTS_PER_DAY, slot_ceil, slots_between
from store.bookings import BookingRepository
from store.ledger import LedgerRepository
from store.ticks import TickRepository
from store.vintages import VintageRepository

LEAST_HORIZON = 2 * SLOTS_PER_DAY
"""slots: two days are always quoted, for pages and Beckn"""


@dataclass(frozen=True, slots=True)
class Parties:
    """Those who meet at a tick."""

    clock: Clock
    energy: EnergyAgent
    sites: SiteAgent
    jobs: JobAgent
    ledger: LedgerRepository
    bookings: BookingRepository
    ticks: TickRepository
    vintages: VintageRepository
    log: AuditLog
    solver: Solver


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator has set."""

    carbon_price_gbp_per_tonne: float
    seed: int
    effort: Effort
    instances: Path


@dataclass(slots=True)
class _Table:
    """What lies on the table of one tick."""

    jobs: list[Job]
    rows: list[SlotEntry]
    figures: Figures
    energy: EnergyQuote
    wanted: dict[str, Demand]
    booked: frozenset[str]
    baseline: dict[str, list[SlotEntry]] = field(default_factory=dict)


class Tick:
    """One round of the negotiation from quotes to the ledger.

    :param lock: held while a plan is recorded and applied, so that no booking comes between.
    """

    def __init__(self, parties: Parties, terms: Terms, lock: threading.RLock) -> None:
        self._with = parties
        self._terms = terms
        self._lock = lock
        self.standing: StandingPlan | None = None
        """the plan in force since the last tick; it changes only with the lock held"""

    def run(self, trigger: str, plan_start: datetime) -> TickRecord:
        """Plan from ``plan_start`` on and put the plan in force.

        :raises PlanTooLate: when ``plan_start`` passed before the plan could be recorded.
        """
        started = self._with.clock.now()
        self._settle(started)
        table = self._lay(plan_start)
        tick_id = f"tick-{uuid.uuid4().hex[:12]}"
        self._give_up_on_the_late(tick_id, table)
        self._baselines(table)
        bidders = [demand for demand in table.wanted.values() if demand.instance is not None]
        if not bidders:
            with self._lock:
                record = self._record(tick_id, trigger, started, table, None, None, 0.0)
                self.standing = self._standing(table, {}, record)
            return record
        instance = instance_of(table.figures, table.wanted, self._terms.carbon_price_gbp_per_tonne)
        outcome = self._with.solver.solve(instance, self._terms.seed, self._terms.effort)
        with self._lock:
            return self._commit(tick_id, trigger, started, table, instance, outcome)

    def quoted(self, start: datetime, slots: int) -> StandingPlan:
        """What the agents quote, beside what the ledger has planned; nothing is decided."""
        _, quoted, _ = self._quotes(start, slots)
        coming = self._with.ledger.entries(leg=Leg.PLAN, start=start)
        return standing_of(quoted, planned_kw(coming, quoted), {}, None)

    def _lay(self, start: datetime) -> _Table:
        """Ask everyone: open jobs, standing rows, bookings, quotes, demand."""
        jobs = self._with.jobs.open_jobs()
        last = max((slots_between(start, job.window_end) for job in jobs), default=0)
        slots = max(LEAST_HORIZON, last)
        energy, quoted, booked = self._quotes(start, slots)
        open_ids = {job.job_id for job in jobs}
        earliest = min((job.submitted_at for job in jobs), default=start)
        rows = [row for row in self._with.ledger.entries(leg=Leg.PLAN, start=earliest) if row.job_id in open_ids]
        sites = self._with.sites.sites()
        sites_of = {job.job_id: self._with.jobs.allowed_sites(job, sites) for job in jobs}
        wanted = demands(jobs, rows, sites_of, quoted)
        return _Table(jobs, rows, quoted, energy, wanted, booked)

    def _quotes(self, start: datetime, slots: int) -> tuple[EnergyQuote, Figures, frozenset[str]]:
        capacity = self._with.sites.quote(start, slots)
        energy = self._with.energy.quote(capacity.zones, start, slots)
        bookings = self._with.bookings.active(start, start + SLOT * slots)
        return energy, figures(energy, capacity, bookings), frozenset(b.booking_id for b in bookings)

    def _give_up_on_the_late(self, tick_id: str, table: _Table) -> None:
        """End jobs that have not begun and whose window has closed: nothing could serve them any more."""
        late = [job for job in table.jobs if _too_late(job, table.wanted.get(job.job_id))]
        late = [job for job in late if not self._with.jobs.get(job.job_id).status.terminal]
        if not late:
            return
        facts = self._facts(tick_id, table)
        reasons = {
            job.job_id: f"its window closed before it could be placed: {job.reason or 'no room'}" for job in late
        }
        ended = [Counter(job.job_id, reasons[job.job_id]) for job in late]
        bodies = [refusal_body(facts, job, end, True, (), ()) for job, end in zip(late, ended, strict=True)]
        self._with.log.append_all([("decision", body) for body in bodies])
        for job in late:
            self._with.jobs.give_up(job, reasons[job.job_id])
            del table.wanted[job.job_id]

    def _baselines(self, table: _Table) -> None:
        """Give every job that has none its baseline, in order of submission, beside the earlier ones."""
        start, slots = table.figures.start, table.figures.slots
        known = self._with.ledger.entries(
            leg=Leg.BASELINE, start=min((j.submitted_at for j in table.jobs), default=start)
        )
        for row in known:
            table.baseline.setdefault(row.job_id, []).append(row)
        lacking = [job for job in table.jobs if job.job_id in table.wanted and job.job_id not in table.baseline]
        if not lacking:
            return
        coming = self._with.ledger.entries(leg=Leg.BASELINE, start=start, end=start + SLOT * slots)
        free = np.maximum(0.0, table.figures.headroom_kw - planned_kw(coming, table.figures))
        sites = self._with.sites.sites()
        asked = [_baseline_demand(job, self._with.jobs.allowed_sites(job, sites), table.figures) for job in lacking]
        entries = []
        for job, placed in zip(lacking, run_at_submission(asked, free, table.figures.pue), strict=True):
            if placed.site_index is None or placed.start_slot is None:
                continue
            runs = ((placed.start_slot, placed.start_slot + placed.work_slots, job.power_kw),)
            made = rows_of(job.job_id, Leg.BASELINE, table.figures, placed.site_index, runs)
            table.baseline[job.job_id] = made
            entries += made
        self._with.ledger.add_baseline(entries)

    def _commit(
        self, tick_id: str, trigger: str, started: datetime, table: _Table, instance: Instance, outcome: Outcome
    ) -> TickRecord:
        """Append the evidence, then apply the plan. Called with the lock held."""
        start, clock = table.figures.start, self._with.clock
        if clock.now() > start:
            raise PlanTooLate(f"the plan was ready at {clock.now():%H:%M:%S} for slots from {start:%H:%M} on")
        still = frozenset(b.booking_id for b in self._with.bookings.active(start, start + SLOT * table.figures.slots))
        if still != table.booked:
            raise PlanTooLate("flexibility was booked while the plan was made")
        rows, bodies, churn = self._decide(tick_id, table, outcome)
        path, digest = self._keep(instance)
        facts = self._facts(tick_id, table)
        log_records = self._with.log.append_all(
            [("round", round_body(facts, trigger, instance, outcome, digest, path)), *(("decision", b) for b in bodies)]
        )
        placed = {award.job_id: award.site_id for award in outcome.awards}
        waiting = {counter.job_id: counter.reason for counter in outcome.counters}
        self._with.ledger.apply_plan(start, rows, placed, waiting, at=clock.now())
        record = self._record(tick_id, trigger, started, table, outcome, log_records[0].seq, churn)
        scarcity = {price.site: price.headroom_gbp_per_kw_slot for price in outcome.plan.prices}
        self.standing = self._standing(table, scarcity, record)
        return record

    def _facts(self, tick_id: str, table: _Table) -> Facts:
        zone_of = dict(zip(table.figures.site_ids, table.figures.zones, strict=True))
        return Facts(tick_id, table.figures.start, table.energy, self._with.log.commit, zone_of)

    def _decide(self, tick_id: str, table: _Table, outcome: Outcome) -> tuple[list[SlotEntry], list[Body], float]:
        """The plan's rows, the decisions that differ from the standing ones, and the churn."""
        facts, jobs = self._facts(tick_id, table), {job.job_id: job for job in table.jobs}
        place = {site_id: row for row, site_id in enumerate(table.figures.site_ids)}
        standing = _coming(table)
        rows: list[SlotEntry] = []
        bodies: list[Body] = []
        for award in outcome.awards:
            job = jobs[award.job_id]
            made = rows_of(job.job_id, Leg.PLAN, table.figures, place[award.site_id], award.runs)
            rows += made
            before = standing.get(job.job_id)
            if before != _course(made):
                options = outcome.options.get(job.job_id, ())
                baseline = table.baseline.get(job.job_id, [])
                bodies.append(award_body(facts, job, award, before is not None, options, made, baseline))
        for counter in outcome.counters:
            job, before = jobs[counter.job_id], standing.get(counter.job_id)
            if before is not None or self._told(job) != counter.reason:
                options = outcome.options.get(job.job_id, ())
                baseline = table.baseline.get(job.job_id, [])
                bodies.append(refusal_body(facts, job, counter, before is not None, options, baseline))
        return rows, bodies, churn(standing, rows)

    def _told(self, job: Job) -> str | None:
        """Why the job waits, as its owner was told last; of one under way only the log keeps that."""
        if job.status in (JobStatus.PENDING, JobStatus.SCHEDULED):
            return job.reason
        records, _ = self._with.log.records(kind="decision", job_id=job.job_id, limit=1)
        return str(records[0].body["reason"]) if records else None

    def _keep(self, instance: Instance) -> tuple[str, str]:
        """Store the instance by its digest, so that the plan can be derived again; path (relative) and digest."""
        text = instance.model_dump_json(exclude_none=True).encode()
        digest = hashlib.sha256(text).hexdigest()
        path = self._terms.instances / f"{digest}.json.gz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(gzip.compress(text, compresslevel=5, mtime=0))
            part.replace(path)
        return f"{path.parent.name}/{path.name}", digest

    def _settle(self, now: datetime) -> None:
        """Give rows of passed slots the figures that are known by now."""
        rows = self._with.ledger.unsettled(now)
        rows = [row for row in rows if row.slot_start + SLOT <= now]
        if not rows:
            return
        first = min(row.slot_start for row in rows)
        slots = slots_between(first, slot_ceil(now))
        zone_of = {site.site_id: site.zone for site in self._with.sites.sites()}
        used = {row.site_id for row in rows} & zone_of.keys()
        seen = {zone: self._with.energy.observed(zone, first, slots) for zone in {zone_of[site] for site in used}}
        price = {site: seen[zone_of[site]][0] for site in used}
        carbon = {site: seen[zone_of[site]][1] for site in used}
        changed = [
            after for before, after in zip(rows, settle(rows, price, carbon), strict=True) if after is not before
        ]
        if changed:
            self._with.ledger.settle(changed)

    def _standing(self, table: _Table, scarcity: Mapping[str, Sequence[float]], record: TickRecord) -> StandingPlan:
        coming = self._with.ledger.entries(leg=Leg.PLAN, start=table.figures.start)
        return standing_of(table.figures, planned_kw(coming, table.figures), dict(scarcity), record)

    def _record(
        self,
        tick_id: str,
        trigger: str,
        started: datetime,
        table: _Table,
        outcome: Outcome | None,
        log_seq: int | None,
        churn_share: float,
    ) -> TickRecord:
        plan: Plan | None = outcome.plan if outcome else None
        return TickRecord(
            tick_id=tick_id,
            trigger=trigger,
            started_at=started,
            ended_at=self._with.clock.now(),
            outcome="planned" if plan else "idle",
            detail="" if plan else "no job is waiting to be planned",
            plan_start=table.figures.start,
            slots=table.figures.slots,
            jobs=len(table.wanted),
            placed=len(plan.assignments) if plan else 0,
            unserved=len(plan.unserved) if plan else 0,
            rounds=len(outcome.rounds) if outcome else 0,
            objective_gbp=plan.objective_gbp if plan else None,
            bound_gbp=plan.bound_gbp if plan else None,
            gap=plan.gap if plan else None,
            wall_s=plan.wall_s if plan else 0.0,
            churn=churn_share,
            log_seq=log_seq,
        )


def rows_of(
    job_id: str, leg: Leg, figures: Figures, site: int, runs: Sequence[tuple[int, int, float]]
) -> list[SlotEntry]:
    """Ledger rows of runs at site row ``site``, with the figures quoted for their slots."""
    return [
        SlotEntry(
            job_id=job_id,
            leg=leg,
            slot_start=figures.start + SLOT * slot,
            site_id=figures.site_ids[site],
            power_kw=power_kw,
            pue=float(figures.pue[site, slot]),
            price_gbp_per_kwh=float(figures.price_gbp_per_kwh[site, slot]),
            price_kind=Kind(int(figures.price_kind[site, slot])),
            carbon_g_per_kwh=float(figures.carbon_g_per_kwh[site, slot]),
            carbon_kind=Kind(int(figures.carbon_kind[site, slot])),
        )
        for first, last, power_kw in runs
        for slot in range(first, last)
    ]


Course = frozenset[tuple[str, datetime, float]]


def _course(rows: Sequence[SlotEntry]) -> Course:
    """Where, when and how much: what makes two plans of a job the same."""
    return frozenset((row.site_id, row.slot_start, round(row.power_kw, 6)) for row in rows)


def _coming(table: _Table) -> dict[str, Course]:
    """The standing course of each job from the plan's start on."""
    coming: dict[str, list[SlotEntry]] = {}
    for row in table.rows:
        if row.slot_start >= table.figures.start and row.job_id in table.wanted:
            coming.setdefault(row.job_id, []).append(row)
    return {job_id: _course(rows) for job_id, rows in coming.items()}


def churn(standing: Mapping[str, Course], rows: Sequence[SlotEntry]) -> float:
    """Share of the standing job-slots that the new plan moves or drops."""
    total = sum(len(course) for course in standing.values())
    if not total:
        return 0.0
    planned = {(row.job_id, row.site_id, row.slot_start) for row in rows}
    kept = sum((job_id, site, slot) in planned for job_id, course in standing.items() for site, slot, _ in course)
    return 1 - kept / total


def _too_late(job: Job, wanted: Demand | None) -> bool:
    """Whether a job that has not begun has too short a window left for its work, capacity and limits left aside."""
    if wanted is None or wanted.instance is None or wanted.frozen is not None:
        return False
    if job.status not in (JobStatus.PENDING, JobStatus.SCHEDULED):
        return False
    left = wanted.instance
    window = left.latest_slot - left.earliest_slot
    if left.levels:
        return window * left.levels[-1].work_per_slot < (left.work or 0.0) - 1e-9
    return window < (left.duration_slots or 0)


def _baseline_demand(job: Job, sites: tuple[str, ...], figures: Figures) -> BaselineDemand:
    """The job as it would have run at once; never before the plan's start, where nothing can begin."""
    rows = tuple(row for row, site_id in enumerate(figures.site_ids) if site_id in sites and figures.priced[row])
    return BaselineDemand(
        job_id=job.job_id,
        site_indexes=rows,
        first_slot=max(0, slots_between(figures.start, job.first_slot)),
        work_slots=job.work_slots,
        power_kw=job.power_kw,
        deadline_slot=max(0, slots_between(figures.start, job.window_end)),
    )
