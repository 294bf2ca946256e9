"""The protocol between the agents: rounds of prices and turns, proofs, clearing, filling (docs/planner.md).

::

    quotes -> instance -> [board -> turns -> prices]* -> proof -> fill -> [clear -> proof]* -> trades -> plan

The bound is proved by the jobs' best answers alone (agents/policy/certificate.py); rounds, master and fill only have to
be good, not trusted. The same instance, seed and effort give the same plan, whoever works on it: effort is counted in
rounds and trials, and the time limit is a safety that ends them early with an honest gap. Where it did, :class:`Work`
says where, and gives the same plan again on a machine of any speed.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np

from agents.allowance import Allowance, Deadline, Retraced, Work
from agents.clearing import MOST_CLEARINGS, cleared
from agents.explanation.explainer import Explainer
from agents.filling import fill, make_room, recount, stand, trade
from agents.job.book import JobBook
from agents.job.courses import told
from agents.job.crew import Crew
from agents.job.orders import Courses
from agents.messages import Award, Counter, RoundSummary
from agents.policy.certificate import gap
from agents.policy.risk import RiskWeights
from agents.policy.terms import Schedule, terms_of
from agents.rounds import Rounds, Settled
from agents.standstill import settled_courses
from core.instance import Instance, JobInstance, SiteInstance, SitePrices
from core.job import Level
from core.market import NOWHERE, Market, Prices
from core.plan import Assignment, Plan, SitePower, Unserved
from core.threads import one_thread

JOB_ROUNDS = 240_000
FEWEST_AND_MOST = (28, 120)
"""rounds: as many as make ``JOB_ROUNDS`` turns in all, within these"""
PROVE_EVERY = 4
PROOFS_FROM = 0.4
ROUNDS_SHARE = 0.6
CLEARING_JOBS = 500
TRIALS_A_JOB = 200
MOST_TRIALS = 150_000
TRADING_JOBS = 20_000


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try.

    :param target_gap: stop improving when the certified gap is at most this.
    :param rounds: of prices at most; None: as many as make ``JOB_ROUNDS`` turns, within ``FEWEST_AND_MOST``. From the
        prices of a similar instance fewer will do.
    :param clearings: of the master at most, where few enough jobs are left to clear.
    :param trials_a_job: in which jobs trade places.
    :param shards: into how many parts the jobs are divided; None: one for each 40,000, at most eight.
    :param time_limit_s: stop wherever the negotiation is, with the best plan and an honest gap.
    """

    time_limit_s: float = 10.0
    target_gap: float = 0.001
    trials_a_job: int = TRIALS_A_JOB
    shards: int | None = None
    rounds: int | None = None
    clearings: int = MOST_CLEARINGS


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan and how it came about.

    :param plan: with reasons and counter-offers for the unserved.
    :param work: how far it came with ``effort``.
    """

    plan: Plan
    awards: tuple[Award, ...]
    counters: tuple[Counter, ...]
    rounds: tuple[RoundSummary, ...]
    effort: Effort
    work: Work


class Negotiation:
    """One negotiation over one instance, as far as ``allowance`` lets it go."""

    def __init__(self, instance: Instance, seed: int, effort: Effort, crew: Crew, allowance: Allowance) -> None:
        self.instance = instance
        self.seed = seed
        self.effort = effort
        self._allowance = allowance
        self._rng = np.random.default_rng(seed)
        whole = Market.of(instance)
        self.frozen = settled_courses(instance, whole)
        market = whole.less(*self.frozen.drawn)
        held = {frozen.job for frozen in instance.frozen}
        free = [row for row, job in enumerate(instance.jobs) if job.id not in held]
        risk = RiskWeights(whole.probability, instance.risk)
        book = JobBook(instance, market, free, crew, effort.shards)
        settled = Settled(self.frozen.energy_gbp, self.frozen.other_gbp)
        opening = market.opening_prices(instance)
        self.rounds = Rounds(market, book, terms_of(instance, market), risk, settled, self._rng, opening)
        if not risk.moves:
            book.know_places(self.rounds.cost)
        self._kept: tuple[float, list[Courses], list[Schedule]] | None = None

    def run(self) -> None:
        """Negotiate; the courses and schedules of ``rounds`` are the plan then."""
        if self.instance.opening:
            self._stand()
        if self._kept is None or not self._enough():
            self._price_rounds()
            fill(self.rounds, self.rounds.announced.best, self._rng)
            self._keep_best()
        if len(self.rounds.book.rows) and not self._enough():
            if len(self.rounds.book.rows) <= CLEARING_JOBS:
                cleared(self.rounds, self._allowance, self.effort.clearings)
            self._trade()
        self._restore()

    def _stand(self) -> None:
        """The standing plan at its own prices, with what is new seated: mostly that is as good as a new one."""
        self.rounds.prove()
        stand(self.rounds, self.rounds.announced.best)
        fill(self.rounds, self.rounds.announced.best, self._rng, sweeps=1)
        self._keep_best()
        self.rounds.note(self.rounds.objective_gbp())

    @property
    def gap(self) -> float:
        """Of the best plan kept, to the best bound proved."""
        objective = self._kept[0] if self._kept else np.inf
        return gap(objective, self.rounds.bound_gbp)

    def _enough(self, saved_gbp: float = 0.0) -> bool:
        objective = (self._kept[0] if self._kept else np.inf) - saved_gbp
        return gap(objective, self.rounds.bound_gbp) <= self.effort.target_gap or self._allowance.spent()

    def _price_rounds(self) -> None:
        """Rounds, the last ones with proofs; a deadline ends them early."""
        rounds, jobs = self.rounds, len(self.rounds.book.rows)
        usual = int(np.clip(JOB_ROUNDS // max(1, jobs), *FEWEST_AND_MOST))
        count = (self.effort.rounds or usual) if jobs or rounds.terms else 0
        rounds.prove()
        for number in range(count):
            rounds.round(number / max(1, count - 1))
            last = number + 1 == count or self._allowance.spent(ROUNDS_SHARE)
            if last or number == 0 or (number >= PROOFS_FROM * count and number % PROVE_EVERY == 0):
                self._prove()
            if last or self._settled():
                break

    def _prove(self) -> None:
        """Prove the bound at the prices that the last round came to."""
        self.rounds.prove()
        recount(self.rounds)
        self.rounds.note(self.rounds.objective_gbp())

    def _settled(self) -> bool:
        """Whether courses that fit are as good as asked for already, as where nothing is contested."""
        objective = self.rounds.summaries[-1].master_gbp if self.rounds.summaries else np.inf
        return gap(objective, self.rounds.bound_gbp) <= self.effort.target_gap and self.rounds.fits()

    def _trade(self) -> None:
        jobs = len(self.rounds.book.rows)
        trials = min(self.effort.trials_a_job * jobs, MOST_TRIALS)
        if jobs <= TRADING_JOBS and not self._enough():
            trade(self.rounds, self.rounds.announced.best, trials, self._rng, self._enough)
            self._keep_best()

    def _keep_best(self) -> None:
        objective = self.rounds.objective_gbp()
        if self._kept is None or objective < self._kept[0] - 1e-12:
            courses = [shard.courses.copied() for shard in self.rounds.book.shards]
            self._kept = (objective, courses, list(self.rounds.schedules))

    def _restore(self) -> None:
        assert self._kept is not None  # noqa: S101  # kept after the first fill
        _, courses, self.rounds.schedules = self._kept
        for shard, own in zip(self.rounds.book.shards, courses, strict=True):
            shard.courses = own
        if self.rounds.risk.moves:
            recount(self.rounds)  # the weights have moved since these courses were kept

    def plan(self) -> Plan:
        """The plan file, without reasons for the unserved."""
        rounds, best = self.rounds, self.rounds.announced.best
        objective = rounds.objective_gbp()
        bound = min(rounds.bound_gbp, objective)
        market, instance = rounds.market, self.instance
        tenants, regions = instance.tenant_carbon_caps_kg, instance.region_carbon_caps_kg
        carbon = best.carbon.tolist()
        first = 1 if market.total_cap != NOWHERE else 0
        return Plan(
            instance=instance.name,
            objective_gbp=objective,
            bound_gbp=bound,
            gap=gap(objective, bound),
            wall_s=self._allowance.elapsed(),
            seed=self.seed,
            assignments=self.assignments(),
            unserved=tuple(Unserved(job=job, reason="") for job in self.unserved()),
            prices=tuple(self._site_prices(best, row) for row in range(len(instance.sites))),
            carbon_cap_price_gbp_per_kg=carbon[0] if first else 0.0,
            tenant_carbon_prices_gbp_per_kg=dict(zip(tenants, carbon[first:], strict=False)),
            region_carbon_prices_gbp_per_kg=dict(zip(regions, carbon[first + len(tenants) :], strict=False)),
            scenario_weights=tuple(best.weights.tolist()) if instance.scenarios else (),
            site_power=self._site_power(),
        )

    def work(self) -> Work:
        """What has been done so far."""
        done = self.rounds.tally
        return Work(done.rounds, done.clearings, done.trials, tuple(self._allowance.stops))

    def assignments(self) -> tuple[Assignment, ...]:
        """The served jobs in the order of the instance, and after them what is frozen."""
        found: dict[int, Assignment] = {}
        sites = [site.id for site in self.instance.sites]
        at = self.rounds.market.place_site
        for shard in self.rounds.book.shards:
            own = np.flatnonzero(shard.courses.place != NOWHERE)
            every = told(shard.courses.level[own], shard.orders.level_kw[own])
            rows, where = self.rounds.book.rows[shard.rows[own]].tolist(), at[shard.courses.place[own]].tolist()
            for row, site, runs in zip(rows, where, every, strict=True):
                found[row] = Assignment.model_construct(job=self.instance.jobs[row].id, site=sites[site], runs=runs)
        held = (Assignment(job=f.job, site=f.site, runs=f.runs) for f in self.instance.frozen)
        return (*(found[row] for row in sorted(found)), *held)

    def unserved(self) -> list[str]:
        """Ids of the jobs that are left out, in the order of the instance."""
        book = self.rounds.book
        rows = [book.rows[shard.rows[shard.courses.place == NOWHERE]] for shard in book.shards]
        return [self.instance.jobs[row].id for row in np.sort(np.concatenate([*rows, []]).astype(np.int64)).tolist()]

    def _site_prices(self, prices: Prices, row: int) -> SitePrices:
        market = self.rounds.market
        own = [place for place in np.flatnonzero(market.place_site == row).tolist() if market.hardware[place]]
        return SitePrices(
            site=self.instance.sites[row].id,
            headroom_gbp_per_kw_slot=tuple(prices.headroom[row].tolist()),
            hardware_gbp_per_kw_slot={str(market.hardware[p]): tuple(prices.hardware[p].tolist()) for p in own},
        )

    def _site_power(self) -> tuple[SitePower, ...]:
        named: dict[int, dict[str, tuple[float, ...]]] = {}
        for term, schedule in zip(self.rounds.terms, self.rounds.schedules, strict=True):
            for name, power in schedule.power_kw.items():
                named.setdefault(term.site, {})[name] = tuple(np.maximum(power, 0.0).tolist())
        return tuple(
            SitePower.model_validate({"site": self.instance.sites[site].id} | powers) for site, powers in named.items()
        )


def tiny_instance() -> Instance:
    """One site, two half-hours, and two jobs of a slot: the least that runs all of the jobs' compiled code."""
    levels = (Level(power_kw=1, work_per_slot=1),)
    site = SiteInstance(
        id="", region="", headroom_kw=(1, 1), price_gbp_per_kwh=(0, 0), carbon_g_per_kwh=(0, 0), pue=1.0
    )
    common = {"earliest_slot": 0, "latest_slot": 2, "sites": ("",), "unserved_penalty_gbp": 1}
    job = JobInstance.model_validate(common | {"id": "", "kind": "elastic", "levels": levels, "work": 1, "gang": ""})
    return Instance(
        name="",
        start=datetime(2000, 1, 1, tzinfo=UTC),
        slots=2,
        carbon_price_gbp_per_tonne=0,
        sites=(site,),
        jobs=(job, job.model_copy(update={"id": "1", "gang": None})),
        opening=(SitePrices(site="", headroom_gbp_per_kw_slot=(0, 0)),),
    )


@cache
def warm_up() -> None:
    """Load the jobs' compiled code; where this machine has none yet, compile it, which takes some tens of seconds.

    :func:`negotiate` does it too, before its time limit starts to run.
    """
    negotiation = Negotiation(tiny_instance(), 0, Effort(target_gap=-1.0), Crew(), Retraced(()))
    negotiation.run()
    rounds, rng = negotiation.rounds, np.random.default_rng(0)
    make_room(rounds, rounds.book.shards[0], rounds.announced.best, rng)
    trade(rounds, rounds.announced.best, 1, rng, lambda _: False)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Garbage is not looked for: a negotiation leaves none in circles, and a million jobs take long to look through."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def negotiate(
    instance: Instance,
    seed: int = 0,
    effort: Effort | None = None,
    crew: Crew | None = None,
    again: Work | None = None,
) -> Outcome:
    """Negotiate a plan for ``instance``: whole jobs, a proven bound, and a reason for every job left out.

    :param crew: who works on it; by default this thread, with others beside it where there are several shards.
    :param again: the work of an earlier negotiation with the same instance, seed and effort, to be done again in place
        of what the time limit allows.
    """
    warm_up()
    effort = effort or Effort()
    allowance = Deadline(effort.time_limit_s) if again is None else Retraced(again.stops)
    with one_thread():  # also because sums would depend on how many there are
        with ThreadPoolExecutor(os.cpu_count()) as threads, _no_collection():
            negotiation = Negotiation(instance, seed, effort, crew or Crew(threads), allowance)
            negotiation.run()
            plan = negotiation.plan()
        left_out = Explainer(instance, plan).refuse() if plan.unserved else ()
    awards = tuple(Award(made.job, made.site, made.runs) for made in plan.assignments)
    counters = tuple(Counter(left.job, left.reason, left.counter_offers) for left in left_out)
    plan = plan.model_copy(update={"unserved": left_out})
    return Outcome(plan, awards, counters, tuple(negotiation.rounds.summaries), effort, negotiation.work())
