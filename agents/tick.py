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
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from agents.changes import churn, coming, course_of, made_of, too_late
from agents.energy.agent import EnergyAgent
from agents.energy.scenarios import drawn
from agents.evidence import Facts, award_body, refusal_body, round_body, with_carbon
from agents.explanation.explainer import Explainer
from agents.job.agent import JobAgent
from agents.job.arrivals import ArrivalForecaster, ExpectedLoad
from agents.job.demand import Demand
from agents.messages import Counter, EnergyQuote, with_weather
from agents.negotiation import Effort, Outcome
from agents.proposal import Figures, Stakes, demands, figures, instance_of, planned_kw, worth_between
from agents.quotes.book import WEEK, QuoteBook, Week
from agents.reckoning import Reckoning
from agents.reserve import reserved_kw
from agents.settlement.agent import Settlement
from agents.settlement.claims import Restatements
from agents.sharing import Sharing, Weighed
from agents.site.agent import SiteAgent
from agents.snapshots import Snapshots
from agents.sold import Sold, overdrawn
from agents.solver import Solver
from agents.standing import Kept, Negotiated, StandingPlan, opening_of, scarcity_of, standing_of
from audit.fields import Body
from audit.log import AuditLog
from audit.record import Entry
from core.clock import Clock
from core.errors import PlanTooLate
from core.explanation import Explanation
from core.instance import Instance, Risk
from core.job import Job, JobStatus
from core.ledger import Leg, SlotEntry, TickRecord
from core.plan import Assignment, Plan
from core.series import FloatArray
from core.site import Site
from core.slots import SLOTS_PER_DAY, slots_between
from store.bookings import BookingRepository
from store.ledger import LedgerRepository
from store.reductions import ReductionRepository
from store.scores import ScoreRepository
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
    arrivals: ArrivalForecaster
    ledger: LedgerRepository
    bookings: BookingRepository
    reductions: ReductionRepository
    ticks: TickRepository
    vintages: VintageRepository
    scores: ScoreRepository
    settlement: Settlement
    log: AuditLog
    solver: Solver


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator has set.

    :param risk: how much bad outcomes count, over ``scenarios`` drawn at each tick; None: plans are made for what is
        quoted, which is the mean of all scenarios.
    """

    carbon_price_gbp_per_tonne: float
    seed: int
    effort: Effort
    instances: Path
    keep_answers_days: float = 60.0
    reserve_for_spikes: bool = True
    move_cost_gbp: float = 0.05
    risk: Risk | None = None
    scenarios: int = 16
    tenant_weights: Mapping[str, float] = field(default_factory=dict)
    usage_half_life_h: float = 24.0


@dataclass(slots=True)
class _Table:
    """What lies on the table of one tick."""

    sites: tuple[Site, ...]
    jobs: list[Job]
    rows: list[SlotEntry]
    figures: Figures
    energy: EnergyQuote
    wanted: dict[str, Demand]
    week: Week
    weighed: Weighed
    baseline: dict[str, list[SlotEntry]] = field(default_factory=dict)
    made: dict[str, list[SlotEntry]] = field(default_factory=dict)
    explained: Mapping[str, Explanation] = field(default_factory=dict)
    decisions: list[Body] = field(default_factory=list)
    churn: float = 0.0

    @property
    def planned(self) -> list[SlotEntry]:
        """The rows of all courses made, in one list."""
        return [row for rows in self.made.values() for row in rows]


class Tick:
    """One round of the negotiation from quotes to the ledger.

    :param lock: held while a plan is recorded and applied, so that no booking comes between.
    """

    def __init__(self, parties: Parties, terms: Terms, lock: threading.RLock) -> None:
        self._with = parties
        self._terms = terms
        self._lock = lock
        self._reckoning = Reckoning(parties.energy, parties.sites, parties.jobs, parties.ledger)
        self._restatements = Restatements(parties.ledger, parties.log, parties.sites)
        self._snapshots = Snapshots(parties.vintages)
        self._sold = Sold(parties.bookings, parties.reductions)
        self.sharing = Sharing(
            parties.jobs, parties.sites, parties.ledger, terms.tenant_weights, terms.usage_half_life_h
        )
        """divides among tenants what is scarce"""
        self.standing: StandingPlan | None = None
        """the plan in force since the last tick; it changes only with the lock held"""
        self.book: QuoteBook | None = None
        """what new jobs are quoted against; it changes with the plan"""
        self.explainer: Explainer | None = None
        """explains that plan; None where nothing was negotiated"""
        self.negotiated: Negotiated | None = None
        """that plan and what it was made of; it changes with the lock held"""

    def run(self, trigger: str, plan_start: datetime) -> TickRecord:
        """Plan from ``plan_start`` on and put the plan in force.

        :raises PlanTooLate: when ``plan_start`` passed before the plan could be recorded.
        """
        started = self._with.clock.now()
        changed = self._reckoning.settle(started)
        self._restatements.restate(started, changed)
        self._with.settlement.state(started)
        table = self._lay(plan_start)
        tick_id = f"tick-{uuid.uuid4().hex[:12]}"
        self._give_up_on_the_late(tick_id, table)
        table.baseline = self._reckoning.baselines(table.jobs, table.wanted, table.figures)
        carbon_price = self._terms.carbon_price_gbp_per_tonne
        table.weighed = self.sharing.weigh(table.jobs, table.wanted, table.figures, carbon_price, started)
        table.wanted = table.weighed.wanted
        bidders = [demand for demand in table.wanted.values() if demand.instance is not None]
        if not bidders:
            kept = self._reserved(table, started, ())
            with self._lock:
                record = self._record(tick_id, trigger, started, table, None, None, 0.0)
                self._put_in_force(table, Kept({}, kept), record)
                self.explainer = self.negotiated = None
            return record
        instance = instance_of(table.figures, table.wanted, self._stakes(table))
        outcome = self._with.solver.solve(instance, self._terms.seed, self._terms.effort)
        outcome = replace(outcome, counters=table.weighed.told(outcome.counters, outcome.awards))
        kept = self._reserved(table, started, outcome.plan.assignments)
        explainer = Explainer(instance, outcome.plan)
        table.made = made_of(table.figures, outcome.awards)
        table.explained = table.weighed.explained(explainer.explain(self._changed(table, outcome)))
        table.decisions, table.churn = self._decide(tick_id, table, outcome)
        with self._lock:
            record = self._commit(tick_id, trigger, started, table, instance, outcome, kept)
            self.explainer = explainer
            begun = frozenset(job_id for job_id, demand in table.wanted.items() if demand.begun)
            self.negotiated = Negotiated(
                tick_id, table.figures, instance, outcome.plan, begun, self._terms.move_cost_gbp
            )
            return record

    def _stakes(self, table: _Table) -> Stakes:
        """What this tick's plan is judged by, and where its prices begin."""
        terms = self._terms
        scenarios = drawn(table.energy, terms.scenarios, terms.seed) if terms.risk is not None else None
        opening = opening_of(self.standing, table.figures)
        return Stakes(terms.carbon_price_gbp_per_tonne, terms.risk, scenarios, opening)

    def _reserved(self, table: _Table, now: datetime, planned: Sequence[Assignment]) -> FloatArray:
        """(S, T): room kept for expected load beside what is planned, where the operator wants that."""
        expected = self._expected(table.sites, now) if self._terms.reserve_for_spikes else ()
        carbon_price = self._terms.carbon_price_gbp_per_tonne
        return reserved_kw(expected, table.figures, planned, self._with.solver, carbon_price)

    def expected(self, now: datetime) -> tuple[ExpectedLoad, ...]:
        """Load that may be submitted within two days."""
        return self._expected(self._with.sites.sites(), now)

    def _expected(self, sites: tuple[Site, ...], now: datetime) -> tuple[ExpectedLoad, ...]:
        return self._with.arrivals.expected(sites, now, LEAST_HORIZON)

    def quoted(self, start: datetime, slots: int) -> StandingPlan:
        """What the agents quote, beside what the ledger has planned; nothing is decided."""
        _, quoted = self._quotes(self._with.sites.sites(), start, slots)
        coming = self._with.ledger.entries(leg=Leg.PLAN, start=start)
        return standing_of(quoted, planned_kw(coming, quoted), None)

    def _lay(self, start: datetime) -> _Table:
        """Ask everyone: open jobs, standing rows, bookings, quotes, demand."""
        jobs = self._with.jobs.open_jobs()
        last = max((slots_between(start, job.window_end) for job in jobs), default=0)
        slots = max(LEAST_HORIZON, last)
        sites = self._with.sites.sites()
        energy, quoted = self._quotes(sites, start, slots)
        open_ids = {job.job_id for job in jobs}
        earliest = min((job.submitted_at for job in jobs), default=start)
        rows = [row for row in self._with.ledger.entries(leg=Leg.PLAN, start=earliest) if row.job_id in open_ids]
        sites_of = {job.job_id: self._with.jobs.allowed_sites(job, sites) for job in jobs}
        wanted = demands(jobs, rows, sites_of, quoted, self._terms.move_cost_gbp)
        ahead, week = self._quotes(sites, start, max(WEEK, slots))
        return _Table(sites, jobs, rows, quoted, energy, wanted, Week(sites, week, ahead.stress), Weighed(wanted))

    def _quotes(self, sites: tuple[Site, ...], start: datetime, slots: int) -> tuple[EnergyQuote, Figures]:
        weather = self._with.energy.weather({s.site_id: (s.latitude, s.longitude) for s in sites}, start, slots)
        capacity = self._with.sites.quote(start, slots, weather)
        energy = with_weather(self._with.energy.quote(capacity.zones, start, slots), weather)
        return energy, figures(energy, capacity, *self._sold.within(start, slots))

    def _give_up_on_the_late(self, tick_id: str, table: _Table) -> None:
        """End jobs that have not begun and whose window has closed: nothing could serve them any more."""
        late = [job for job in table.jobs if too_late(job, table.wanted.get(job.job_id))]
        late = [job for job in late if not self._with.jobs.get(job.job_id).status.terminal]
        if not late:
            return
        facts = self._facts(tick_id, table)
        reasons = {
            job.job_id: f"its window closed before it could be placed: {job.reason or 'no room'}" for job in late
        }
        ended = [Counter(job.job_id, reasons[job.job_id]) for job in late]
        bodies = [refusal_body(facts, job, end, True, None, ()) for job, end in zip(late, ended, strict=True)]
        self._with.log.append_all([Entry("decision", body, "policy") for body in bodies])
        for job in late:
            self._with.jobs.give_up(job, reasons[job.job_id])
            del table.wanted[job.job_id]

    def _commit(
        self,
        tick_id: str,
        trigger: str,
        started: datetime,
        table: _Table,
        instance: Instance,
        outcome: Outcome,
        reserved: FloatArray,
    ) -> TickRecord:
        """Append the evidence, then apply the plan. Called with the lock held."""
        start, clock = table.figures.start, self._with.clock
        if clock.now() > start:
            raise PlanTooLate(f"the plan was ready at {clock.now():%H:%M:%S} for slots from {start:%H:%M} on")
        if over := overdrawn(self._sold.beside(table.figures), instance, outcome.plan):
            raise PlanTooLate(f"flexibility was booked while the plan was made: {over}")
        path, digest = self._keep(instance)
        facts = self._facts(tick_id, table)
        seen = self._snapshots.of(table.energy)
        new = range(len(seen))
        record_of_round = round_body(facts, trigger, instance, outcome, digest, path, table.weighed.tenants)
        log_records = self._with.log.append_all(
            [
                *(Entry("feed_snapshot", body, "energy") for body in seen),
                Entry("negotiation_round", record_of_round, "policy", [*self._snapshots.refs(table.energy), *new]),
                *(Entry("decision", body, "policy", [len(seen)]) for body in table.decisions),
            ]
        )
        self._snapshots.recorded(seen, log_records)
        placed = {award.job_id: award.site_id for award in outcome.awards}
        waiting = {counter.job_id: counter.reason for counter in outcome.counters}
        self._with.ledger.apply_plan(start, table.planned, placed, waiting, at=clock.now())
        record = self._record(tick_id, trigger, started, table, outcome, log_records[len(seen)].seq, table.churn)
        self._put_in_force(table, Kept(scarcity_of(outcome.plan), reserved), record)
        return record

    def _facts(self, tick_id: str, table: _Table) -> Facts:
        zone_of = dict(zip(table.figures.site_ids, table.figures.zones, strict=True))
        return Facts(tick_id, table.figures.start, table.energy, partial(self._with.log.commit, "tenant"), zone_of)

    def _changed(self, table: _Table, outcome: Outcome) -> list[str]:
        """Jobs whose course, or the reason why they have none, is not the standing one: those are recorded."""
        jobs, standing = {job.job_id: job for job in table.jobs}, coming(table.rows, table.figures.start, table.wanted)
        moved = [job_id for job_id, rows in table.made.items() if standing.get(job_id) != course_of(rows)]
        refused = [
            counter.job_id
            for counter in outcome.counters
            if counter.job_id in standing or self._told(jobs[counter.job_id]) != counter.reason
        ]
        return moved + refused

    def _decide(self, tick_id: str, table: _Table, outcome: Outcome) -> tuple[list[Body], float]:
        """The decisions that differ from the standing ones, and the churn."""
        facts, jobs = self._facts(tick_id, table), {job.job_id: job for job in table.jobs}
        place = {site_id: row for row, site_id in enumerate(table.figures.site_ids)}
        standing = coming(table.rows, table.figures.start, table.wanted)
        passed: dict[str, list[SlotEntry]] = {}
        for row in table.rows:
            if row.slot_start < table.figures.start:
                passed.setdefault(row.job_id, []).append(row)
        bodies: list[Body] = []
        for award in outcome.awards:
            if why := table.explained.get(award.job_id):
                rows, baseline = table.made[award.job_id], table.baseline.get(award.job_id, [])
                moved, expected = (
                    award.job_id in standing,
                    worth_between(table.figures, place[award.site_id], award.runs),
                )
                body = award_body(facts, jobs[award.job_id], award, moved, why, rows, baseline, expected)
                bodies.append(with_carbon(body, facts, [*passed.get(award.job_id, ()), *rows], baseline))
        for counter in outcome.counters:
            if why := table.explained.get(counter.job_id):
                withdrawn, baseline = counter.job_id in standing, table.baseline.get(counter.job_id, [])
                bodies.append(refusal_body(facts, jobs[counter.job_id], counter, withdrawn, why, baseline))
        return bodies, churn(standing, table.planned)

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

    def _put_in_force(self, table: _Table, kept: Kept, record: TickRecord) -> None:
        """Make the plan just recorded the standing one, and the one that is quoted against."""
        coming = self._with.ledger.entries(leg=Leg.PLAN, start=table.figures.start)
        table.figures = self._sold.beside(table.figures)
        table.week = table.week._replace(figures=self._sold.beside(table.week.figures))
        self.standing = standing_of(table.figures, planned_kw(coming, table.figures), record, kept)
        self.book = QuoteBook.of(self.standing, record, table.week, self._terms.carbon_price_gbp_per_tonne)

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
