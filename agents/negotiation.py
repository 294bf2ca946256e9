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
from itertools import groupby

import numpy as np

from agents.explanation import explain_options, explain_unserved
from agents.job.book import JobBook
from agents.messages import Option, RoundSummary
from agents.policy.certificate import excess, gap, lower_bound_gbp
from agents.policy.fill import WholePlan, fill, fitting, improve
from agents.policy.master import Cleared, Master
from agents.policy.prices import PriceRounds
from core.bid import NOWHERE, BidBatch, Market, Prices, carbon_kg, draw_kw
from core.instance import Assignment, Instance, Plan, Run, SitePrices
from core.series import FloatArray, IntArray

PRICE_ROUNDS = 40
MASTER_ROUNDS = 12
IMPROVEMENTS = 400
MASTER_AGREES = 5e-4
WHOLE_MASTER_BIDS = 6000


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
    improvements: int = IMPROVEMENTS


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan and how it came about.

    :param plan: with reasons and counter-offers for the unserved.
    :param options: for each job that is not frozen, what it would have cost at its allowed sites.
    """

    plan: Plan
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
        penalty = self.book.penalty_gbp
        announced = PriceRounds.start(self.market, Prices.zero(self.market))
        plan = WholePlan.empty(self.book.count, self.market)
        if not self.jobs.size:
            announced.observe(0.0)
            return plan, announced
        plan = self._price_rounds(announced)
        if self._gap(plan, announced) > self.effort.target_gap:
            plan = self._master_rounds(announced, plan)
        generous = self.effort.improvements
        count = 0

        def carry_on(objective_gbp: float) -> bool:
            nonlocal count
            count += 1
            good = gap(objective_gbp + self.frozen_gbp, announced.best_bound_gbp + self.frozen_gbp)
            return count <= generous and good > self.effort.target_gap and self._deadline.left() > 0

        plan = improve(plan, self.jobs, announced.best, penalty, self._ask, self.market, self._rng, carry_on)
        return plan, announced

    def elapsed_s(self) -> float:
        """Real seconds since the negotiation began."""
        return self._deadline.elapsed()

    def _ask(self, prices: Prices, jobs: IntArray, residual_kw: FloatArray) -> BidBatch:
        return self.book.bids(prices, jobs, residual_kw)

    def _gap(self, plan: WholePlan, announced: PriceRounds) -> float:
        objective = plan.objective_gbp(self.jobs, self.book.penalty_gbp)
        return gap(objective + self.frozen_gbp, announced.best_bound_gbp + self.frozen_gbp)

    def _announce(self, announced: PriceRounds, master_gbp: float) -> BidBatch:
        """One round: announce the prices, hear the bids, prove a bound, keep the bids."""
        bids = self.book.bids(announced.prices, self.jobs)
        bound = lower_bound_gbp(bids, self.book.penalty_gbp[self.jobs], announced.prices, self.market)
        announced.observe(bound)
        self._pool.append(bids.take(np.flatnonzero(bids.found)))
        number, frozen = len(self.rounds) + 1, self.frozen_gbp
        self.rounds.append(RoundSummary(number, bound + frozen, master_gbp + frozen, int(bids.found.sum())))
        return bids

    def _filled(self, prices: Prices) -> WholePlan:
        """A whole plan made by filling at ``prices``, dearest-to-lose first, and once more without prices."""
        plan = WholePlan.empty(self.book.count, self.market)
        bids = self.book.bids(prices, self.jobs)
        slack = np.where(bids.found, self.book.penalty_gbp[self.jobs] - bids.value_gbp, -np.inf)
        order = self.jobs[np.argsort(-slack, kind="stable")]
        for guide in (prices, Prices.zero(self.market)):
            waiting = order[plan.site[order] == NOWHERE]
            fill(plan, waiting, guide, self.book.penalty_gbp, self._ask, self.market)
        return plan

    def _price_rounds(self, announced: PriceRounds) -> WholePlan:
        """Subgradient rounds; returns the best whole plan seen on the way."""
        penalty = self.book.penalty_gbp
        best = self._filled(announced.prices)
        best_gbp = best.objective_gbp(self.jobs, penalty)
        for number in range(self.effort.price_rounds):
            bids = self._announce(announced, best_gbp)
            if number % 10 == 9:
                trial = self._filled(announced.best)
                if (trial_gbp := trial.objective_gbp(self.jobs, penalty)) < best_gbp:
                    best, best_gbp = trial, trial_gbp
            if self._gap(best, announced) <= self.effort.target_gap or self._deadline.spent(0.4):
                break
            over_kw, over_kg = excess(bids, penalty[self.jobs], self.market)
            announced.move(over_kw, over_kg, self.rounds[-1].bound_gbp - self.frozen_gbp, best_gbp)
        return best

    def _master_rounds(self, announced: PriceRounds, plan: WholePlan) -> WholePlan:
        """Column generation: the master's duals are the next prices, until it agrees with the bound."""
        penalty = self.book.penalty_gbp
        self._pool.append(_as_bids(plan, self.jobs))
        cleared: Cleared | None = None
        for _ in range(self.effort.master_rounds):
            if self._deadline.spent(0.6):
                break
            master = self._master()
            cleared = master.relaxed()
            agreed = gap(cleared.objective_gbp + self.frozen_gbp, announced.best_bound_gbp + self.frozen_gbp)
            if agreed <= MASTER_AGREES:
                break
            for weight in (1.0, 0.4):
                announced.prices = _between(announced.best, cleared.prices, weight)
                self._announce(announced, cleared.objective_gbp)
        candidates = [plan, self._filled(announced.best)]
        if cleared is not None:
            candidates.append(self._rounded(cleared, announced.best))
            candidates += self._whole_master(announced)
        return min(candidates, key=lambda trial: trial.objective_gbp(self.jobs, penalty))

    def _master(self) -> Master:
        self._pool = [_distinct(BidBatch.join(self._pool))]
        return Master(self._pool[0], self.jobs, self.book.penalty_gbp[self.jobs], self.market)

    def _rounded(self, cleared: Cleared, prices: Prices) -> WholePlan:
        """Each job's largest share first, as far as they fit; the rest is filled."""
        pool = self._pool[0]
        share = cleared.share[: len(pool.job)]
        order = np.argsort(-share, kind="stable")
        _, first = np.unique(pool.job[order], return_index=True)
        rows = np.sort(first)
        rows = order[rows][share[order[rows]] > 0.3]
        plan = WholePlan.empty(self.book.count, self.market)
        _place_fitting(plan, pool.take(rows), self.market)
        self._complete(plan, prices)
        return plan

    def _complete(self, plan: WholePlan, prices: Prices) -> None:
        """Fill in the jobs that are not placed yet, at prices and then at none."""
        for guide in (prices, Prices.zero(self.market)):
            waiting = self.jobs[plan.site[self.jobs] == NOWHERE]
            fill(plan, waiting, guide, self.book.penalty_gbp, self._ask, self.market)

    def _whole_master(self, announced: PriceRounds) -> list[WholePlan]:
        """The master over whole bids, where the pool is small enough for it to end soon."""
        master = self._master()
        pool = self._pool[0]
        if len(pool.job) > WHOLE_MASTER_BIDS or self._deadline.left() <= 0:
            return []
        share = master.whole(0.5 * self._deadline.left(), self.effort.target_gap / 2)
        if share is None:
            return []
        plan = WholePlan.empty(self.book.count, self.market)
        _place_fitting(plan, pool.take(np.flatnonzero(share > 0.5)), self.market)
        self._complete(plan, announced.best)
        return [plan]


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


def _place_fitting(plan: WholePlan, bids: BidBatch, market: Market) -> None:
    """Place bids in the order given, leaving out those that no longer fit."""
    kept = fitting(bids, plan, market)
    plan.place(bids.take(np.flatnonzero(kept)), market)


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


def negotiate(instance: Instance, seed: int = 0, effort: Effort | None = None) -> Outcome:
    """Negotiate a plan for ``instance``: whole jobs, a proven bound, and a reason for every job left out."""
    negotiation = Negotiation(instance, seed, effort)
    whole, announced = negotiation.run()
    objective = whole.objective_gbp(negotiation.jobs, negotiation.book.penalty_gbp) + negotiation.frozen_gbp
    bound = min(announced.best_bound_gbp + negotiation.frozen_gbp, objective)
    options = explain_options(instance, negotiation.book, whole, negotiation.jobs, announced.best)
    plan = Plan(
        instance=instance.name,
        objective_gbp=objective,
        bound_gbp=bound,
        gap=gap(objective, bound),
        wall_s=negotiation.elapsed_s(),
        seed=seed,
        assignments=_assignments(instance, whole) + tuple(Assignment(**f.model_dump()) for f in instance.frozen),
        unserved=explain_unserved(instance, negotiation.book, whole, negotiation.jobs),
        prices=tuple(
            SitePrices(site=site.id, headroom_gbp_per_kw_slot=tuple(announced.best.headroom[row].tolist()))
            for row, site in enumerate(instance.sites)
        ),
        carbon_cap_price_gbp_per_kg=announced.best.carbon,
    )
    return Outcome(plan, tuple(negotiation.rounds), options)


def _assignments(instance: Instance, whole: WholePlan) -> tuple[Assignment, ...]:
    """The served jobs' runs, in the order of the instance."""
    return tuple(
        Assignment(
            job=instance.jobs[row].id, site=instance.sites[whole.site[row]].id, runs=runs_of(whole.power_kw[row])
        )
        for row in np.flatnonzero(whole.site != NOWHERE).tolist()
    )
