"""The protocol between the agents: rounds of prices and bids, clearing, filling, counter-offers.

::

    quotes -> instance -> [announce prices -> bids -> bound]* -> [master -> prices -> bids]* -> fill -> plan, counters

The bound is proved by the bids alone (agents/policy/certificate.py); the master and the fill only have to be good,
not trusted. The same instance, seed and effort give the same plan: effort is counted in rounds, and the time limit is
a safety that ends the rounds early with an honest gap.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from itertools import groupby

import numpy as np

from agents.explanation import explain_options, explain_unserved
from agents.job.book import JobBook
from agents.job.orders import Standing
from agents.job.trading import Trading
from agents.messages import Award, Counter, Option, RoundSummary
from agents.policy.certificate import excess, gap, lower_bound_gbp
from agents.policy.fill import WholePlan, fill, fitting, guides, improve, scarcity
from agents.policy.master import Cleared, Master, promising
from agents.policy.prices import PriceRounds
from core.bid import NOWHERE, BidBatch, Market, Prices, carbon_kg, draw_kw
from core.instance import Assignment, Instance, JobInstance, Plan, Run, SiteInstance, SitePrices, Unserved
from core.job import Level
from core.series import FloatArray, IntArray

PRICE_ROUNDS = 300
MASTER_ROUNDS = 1
TRIALS_A_JOB = 75
MOST_TRIALS = 120_000
MASTER_AGREES = 5e-4
FILL_EVERY = 20
BIDS_A_JOB = 8
POOLED_BIDS = 40_000
LEAST_SHARE = 0.3
PRICES_SHARE = 0.4
MASTER_STARTS_BEFORE = 0.5


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to try.

    :param target_gap: stop improving when the certified gap is at most this.
    :param time_limit_s: stop wherever the negotiation is, with the best plan and an honest gap.
    """

    time_limit_s: float = 10.0
    target_gap: float = 0.002
    price_rounds: int = PRICE_ROUNDS
    master_rounds: int = MASTER_ROUNDS
    trials_a_job: int = TRIALS_A_JOB


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan and how it came about.

    :param plan: with reasons and counter-offers for the unserved.
    :param options: for each job that is not frozen, what it would have cost at its allowed sites.
    """

    plan: Plan
    awards: tuple[Award, ...]
    counters: tuple[Counter, ...]
    rounds: tuple[RoundSummary, ...]
    options: Mapping[str, tuple[Option, ...]]


@dataclass(slots=True)
class _Deadline:
    limit_s: float
    started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def left(self) -> float:
        return self.limit_s - self.elapsed()

    def spent(self, share: float) -> bool:
        return self.elapsed() > share * self.limit_s


class Negotiation:
    """One negotiation over one instance."""

    def __init__(self, instance: Instance, seed: int, effort: Effort | None = None) -> None:
        self.instance = instance
        self.seed = seed
        self.effort = effort or Effort()
        whole = Market.of(instance)
        self.frozen = _frozen_bids(instance, whole)
        self.market = _less_frozen(whole, self.frozen)
        self.book = JobBook(instance, self.market)
        self.jobs: IntArray = np.setdiff1d(np.arange(len(instance.jobs)), self.frozen.job)
        self.rounds: list[RoundSummary] = []
        self._pool: list[BidBatch] = []
        self._deadline = _Deadline(self.effort.time_limit_s)
        self._rng = np.random.default_rng(seed)

    @property
    def frozen_gbp(self) -> float:
        """Cost of what may not change."""
        return float(self.frozen.cost_gbp.sum())

    def run(self) -> tuple[WholePlan, PriceRounds]:
        """Negotiate: the whole plan of the jobs that were free, and the prices with the best bound."""
        announced = PriceRounds.start(self.market, Prices.zero(self.market))
        if not self.jobs.size:
            announced.observe(0.0)
            return WholePlan.empty(self.book.count, self.market), announced
        plan = self._price_rounds(announced)
        if self._gap(plan, announced) > MASTER_AGREES and not self._deadline.spent(MASTER_STARTS_BEFORE):
            plan = self._cleared(announced, plan)
        return self._improved(announced, plan), announced

    def rehearse(self) -> None:
        """Go through every step once, whether it is needed or not."""
        announced = PriceRounds.start(self.market, Prices.zero(self.market))
        self._trading(self._price_rounds(announced), announced.best).trade(np.zeros(1), 0)

    def elapsed_s(self) -> float:
        """Real seconds since the negotiation began."""
        return self._deadline.elapsed()

    def _gap(self, plan: WholePlan, announced: PriceRounds) -> float:
        objective = plan.objective_gbp(self.jobs, self.book.penalty_gbp)
        return gap(objective + self.frozen_gbp, announced.best_bound_gbp + self.frozen_gbp)

    def _announce(self, announced: PriceRounds, master_gbp: float) -> BidBatch:
        """One round: announce the prices, hear the bids, prove a bound, keep the bids."""
        bids = self.book.bids(announced.prices, self.jobs)
        bound = lower_bound_gbp(bids, self.book.penalty_gbp[self.jobs], announced.prices, self.market)
        announced.observe(bound)
        self._pool.append(bids.take(np.flatnonzero(bids.found)))
        if len(self._pool) * len(self.jobs) > POOLED_BIDS:
            self._pool.pop(0)
        number, frozen = len(self.rounds) + 1, self.frozen_gbp
        self.rounds.append(RoundSummary(number, bound + frozen, master_gbp + frozen, int(bids.found.sum())))
        return bids

    def _filled(self, prices: Prices) -> WholePlan:
        """A whole plan filled at ``prices``: those dearest to leave out come first, or those that cannot bend.

        The one is better where carbon is scarce, the other where headroom is: the better plan is taken.
        """
        bids = self.book.bids(prices, self.jobs)
        worth = np.where(bids.found, self.book.penalty_gbp[self.jobs] - bids.value_gbp, -np.inf)
        plans = []
        for order in (np.argsort(-worth, kind="stable"), np.lexsort((-worth, self.book.bend[self.jobs]))):
            plans.append(WholePlan.empty(self.book.count, self.market))
            self._complete(plans[-1], self.jobs[order], prices)
        return min(plans, key=lambda plan: plan.objective_gbp(self.jobs, self.book.penalty_gbp))

    def _complete(self, plan: WholePlan, order: IntArray, prices: Prices) -> None:
        """Fill in the jobs that are not placed yet, at prices and then at none."""
        for guide in (prices, Prices(np.zeros_like(prices.headroom), prices.carbon), Prices.zero(self.market)):
            waiting = order[plan.site[order] == NOWHERE]
            if waiting.size:
                fill(plan, waiting, guide, self.book.penalty_gbp, self.book.bids_in_turn, self.market)

    def _price_rounds(self, announced: PriceRounds) -> WholePlan:
        """Rounds of prices and bids; returns the best whole plan seen on the way."""
        penalty = self.book.penalty_gbp
        best = self._filled(announced.prices)
        best_gbp = best.objective_gbp(self.jobs, penalty)
        for number in range(self.effort.price_rounds):
            bids = self._announce(announced, best_gbp)
            if number % FILL_EVERY == FILL_EVERY - 1:
                trial = self._filled(announced.best)
                if (trial_gbp := trial.objective_gbp(self.jobs, penalty)) < best_gbp:
                    best, best_gbp = trial, trial_gbp
            if self._gap(best, announced) <= MASTER_AGREES or announced.settled or self._deadline.spent(PRICES_SHARE):
                break
            over_kw, over_kg = excess(bids, penalty[self.jobs], self.market)
            announced.move(over_kw, over_kg, self.rounds[-1].bound_gbp - self.frozen_gbp, best_gbp)
        return min((best, self._filled(announced.best)), key=lambda trial: trial.objective_gbp(self.jobs, penalty))

    def _cleared(self, announced: PriceRounds, plan: WholePlan) -> WholePlan:
        """The policy agent clears the best bids; its duals are announced, its shares are rounded and filled."""
        penalty = self.book.penalty_gbp
        best = plan
        for _ in range(self.effort.master_rounds):
            if self._deadline.spent(MASTER_STARTS_BEFORE):
                break
            master = self._master(announced.best, best)
            cleared = master.relaxed(0.5 * self._deadline.left())
            if cleared is None:
                break
            for weight in (1.0, 0.4):
                announced.prices = _between(announced.best, cleared.prices, weight)
                self._announce(announced, cleared.objective_gbp)
            rounded = self._rounded(master, cleared, announced.best)
            best = min((best, rounded), key=lambda trial: trial.objective_gbp(self.jobs, penalty))
            if gap(cleared.objective_gbp, announced.best_bound_gbp) <= MASTER_AGREES:
                break
        return best

    def _master(self, prices: Prices, plan: WholePlan) -> Master:
        """The master over each job's few bids that are best at ``prices``, and those of the plan."""
        bids = _distinct(BidBatch.join([*self._pool, _as_bids(plan, self.jobs)]))
        bids = bids.take(promising(bids, prices, self.market, BIDS_A_JOB))
        self._pool = [bids]
        return Master(bids, self.jobs, self.book.penalty_gbp[self.jobs], self.market, prices)

    def _rounded(self, master: Master, cleared: Cleared, prices: Prices) -> WholePlan:
        """Each job's largest share first, as far as they fit; the rest is filled."""
        bids = master.bids
        order = np.argsort(-cleared.share, kind="stable")
        _, first = np.unique(bids.job[order], return_index=True)
        rows = order[np.sort(first)]
        rows = rows[cleared.share[rows] > LEAST_SHARE]
        plan = WholePlan.empty(self.book.count, self.market)
        chosen = bids.take(rows)
        plan.place(chosen.take(np.flatnonzero(fitting(chosen, plan, self.market))), self.market)
        self._complete(plan, self.jobs[np.argsort(self.book.bend[self.jobs], kind="stable")], prices)
        return plan

    def _improved(self, announced: PriceRounds, plan: WholePlan) -> WholePlan:
        """Ruin and recreate until the gap is small enough or the effort is spent."""

        def enough(objective_gbp: float) -> bool:
            apart = gap(objective_gbp + self.frozen_gbp, announced.best_bound_gbp + self.frozen_gbp)
            return apart <= self.effort.target_gap or self._deadline.left() <= 0

        if enough(plan.objective_gbp(self.jobs, self.book.penalty_gbp)):
            return plan
        trading = self._trading(plan, announced.best)
        trials = min(self.effort.trials_a_job * len(self.jobs), MOST_TRIALS)
        improve(trading, trials, self._rng, enough)
        return WholePlan.of(self.market, trading.best.site, trading.best.power_kw, trading.best.cost_gbp)

    def _trading(self, plan: WholePlan, prices: Prices) -> Trading:
        """The free jobs, ready to trade places in ``plan`` at ``prices`` and others like them."""
        left = np.array([plan.carbon_left_kg])
        standing = Standing(plan.site, plan.power_kw, plan.cost_gbp, plan.carbon_kg, plan.residual_kw, left)
        return self.book.trading(self.jobs, standing, guides(prices, self._rng), scarcity(prices))


def _between(one: Prices, other: Prices, weight: float) -> Prices:
    """Prices on the way from one to the other."""
    return Prices(
        (1 - weight) * one.headroom + weight * other.headroom, (1 - weight) * one.carbon + weight * other.carbon
    )


def _distinct(bids: BidBatch) -> BidBatch:
    """Each profile of each job once, ordered by job; profiles are told apart by a random projection."""
    if not len(bids.job):
        return bids
    mark = bids.power_kw @ np.random.default_rng(0).random(bids.power_kw.shape[1])
    keys = np.rec.fromarrays([bids.job, bids.site, np.round(mark, 9)])
    _, first = np.unique(keys, return_index=True)
    return bids.take(first)


def _as_bids(plan: WholePlan, jobs: IntArray) -> BidBatch:
    """The served jobs of a plan, as bids at no scarcity."""
    served = jobs[plan.site[jobs] != NOWHERE]
    cost = plan.cost_gbp[served]
    return BidBatch(served, plan.site[served], plan.power_kw[served], cost, cost, cost)


def _frozen_bids(instance: Instance, market: Market) -> BidBatch:
    """The frozen assignments as bids."""
    if not instance.frozen:
        return BidBatch.empty(np.zeros(0, dtype=np.int64), instance.slots)
    place = {site.id: number for number, site in enumerate(instance.sites)}
    jobs = {job.id: number for number, job in enumerate(instance.jobs)}
    rows = np.array([jobs[frozen.job] for frozen in instance.frozen], dtype=np.int64)
    sites = np.array([place[frozen.site] for frozen in instance.frozen], dtype=np.int64)
    power = np.array([profile(frozen.runs, instance.slots) for frozen in instance.frozen])
    pause_gbp = np.array([instance.jobs[row].pause_cost_gbp or 0.0 for row in rows.tolist()])
    pauses = np.array([len(frozen.runs) - 1 for frozen in instance.frozen])
    cost = np.einsum("nt,nt->n", power, market.cost_gbp_per_kw[sites]) + pause_gbp * pauses
    return BidBatch(rows, sites, power, cost, cost, cost)


def _less_frozen(market: Market, frozen: BidBatch) -> Market:
    """The market that is left beside the frozen assignments."""
    cap = market.carbon_cap_kg
    return replace(
        market,
        headroom_kw=np.maximum(0.0, market.headroom_kw - draw_kw(frozen, market)),
        carbon_cap_kg=None if cap is None else max(0.0, cap - float(carbon_kg(frozen, market).sum())),
    )


def profile(runs: tuple[Run, ...], slots: int) -> FloatArray:
    """(T,) power of runs."""
    power = np.zeros(slots)
    for start, end, power_kw in runs:
        power[start:end] = power_kw
    return power


def runs_of(power_kw: FloatArray) -> tuple[Run, ...]:
    """Maximal runs of constant power in a profile (T,)."""
    runs, slot = [], 0
    for power, group in groupby(power_kw.tolist()):
        length = len(list(group))
        if power > 0:
            runs.append((slot, slot + length, power))
        slot += length
    return tuple(runs)


@cache
def warm_up() -> None:
    """Load the jobs' compiled code; where this machine has none yet, compile it, which takes some tens of seconds.

    :func:`negotiate` does it too, before its time limit starts to run.
    """
    levels = (Level(power_kw=1, work_per_slot=1),)
    site = SiteInstance(
        id="", region="", headroom_kw=(1, 1), price_gbp_per_kwh=(0, 0), carbon_g_per_kwh=(0, 0), pue=1.0
    )
    common = {"earliest_slot": 0, "latest_slot": 2, "sites": ("",), "unserved_penalty_gbp": 1}
    job = JobInstance.model_validate(common | {"id": "", "kind": "elastic", "levels": levels, "work": 1})
    start = datetime(2000, 1, 1, tzinfo=UTC)
    tiny = Instance(name="", start=start, slots=2, carbon_price_gbp_per_tonne=0, sites=(site,), jobs=(job,))
    Negotiation(tiny, 0).rehearse()


def negotiate(instance: Instance, seed: int = 0, effort: Effort | None = None) -> Outcome:
    """Negotiate a plan for ``instance``: whole jobs, a proven bound, and a reason for every job left out."""
    warm_up()
    negotiation = Negotiation(instance, seed, effort)
    whole, announced = negotiation.run()
    objective = whole.objective_gbp(negotiation.jobs, negotiation.book.penalty_gbp) + negotiation.frozen_gbp
    bound = min(announced.best_bound_gbp + negotiation.frozen_gbp, objective)
    options = explain_options(instance, negotiation.book, whole, negotiation.jobs, announced.best)
    awards = _awards(instance, whole)
    counters = explain_unserved(instance, negotiation.book, whole, negotiation.jobs)
    plan = Plan(
        instance=instance.name,
        objective_gbp=objective,
        bound_gbp=bound,
        gap=gap(objective, bound),
        wall_s=negotiation.elapsed_s(),
        seed=seed,
        assignments=tuple(Assignment(job=a.job_id, site=a.site_id, runs=a.runs) for a in awards),
        unserved=tuple(Unserved(job=c.job_id, reason=c.reason, counter_offers=c.offers) for c in counters),
        prices=tuple(
            SitePrices(site=site.id, headroom_gbp_per_kw_slot=tuple(announced.best.headroom[row].tolist()))
            for row, site in enumerate(instance.sites)
        ),
        carbon_cap_price_gbp_per_kg=announced.best.carbon,
    )
    return Outcome(plan, awards, counters, tuple(negotiation.rounds), options)


def _awards(instance: Instance, whole: WholePlan) -> tuple[Award, ...]:
    """The served jobs' runs, in the order of the instance, and after them what is frozen."""
    free = tuple(
        Award(instance.jobs[row].id, instance.sites[whole.site[row]].id, runs_of(whole.power_kw[row]))
        for row in np.flatnonzero(whole.site != NOWHERE).tolist()
    )
    return free + tuple(Award(frozen.job, frozen.site, frozen.runs) for frozen in instance.frozen)
