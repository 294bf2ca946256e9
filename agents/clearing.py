"""Clearing: the policy agent's master over the bids, column by column, until master and bound meet.

Bids are the best answers to prices. The master (agents/policy/master.py) takes shares of them within all limits; its
duals, kept near the best prices known, are announced next. Its objective is the least that any plan of these bids could
cost, the bound the least that any plan could: where they meet, prices cannot be bettered.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agents.allowance import Allowance
from agents.job.orders import Courses
from agents.policy.master import Bids, Master, joined
from agents.rounds import Rounds
from core.market import NOWHERE, Prices
from core.series import FloatArray

MOST_CLEARINGS = 30
CONVERGED = 1e-4
SHARE = 0.3
"""of the time"""
WAYS = (1.0, 0.4, 0.15)
"""how far from the best prices to the duals"""


def cleared(rounds: Rounds, allowance: Allowance, most: int = MOST_CLEARINGS) -> None:
    """Raise the bound by column generation; the best prices and the bound in ``rounds`` are the outcome."""
    pool = _planned(rounds)
    for _ in range(most):
        pool = joined([pool, _announced(rounds, rounds.announced.best)])
        master = Master(pool, rounds.market, rounds.terms, rounds.risk, rounds.settled.energy_gbp)
        found = allowance.within(SHARE, master.relaxed)
        if found is None:
            return
        rounds.tally.clearings += 1
        objective = found.objective_gbp + rounds.settled.other_gbp
        before = rounds.bound_gbp
        for way in WAYS:
            pool = joined([pool, _announced(rounds, between(rounds.announced.best, found.prices, way))])
        rounds.note(objective)
        if objective - rounds.bound_gbp <= CONVERGED * abs(rounds.bound_gbp) or allowance.spent(SHARE):
            return
        if rounds.bound_gbp <= before:
            pool = joined([pool, _announced(rounds, between(rounds.announced.best, found.prices, 0.05))])


def between(one: Prices, other: Prices, way: float) -> Prices:
    """Prices on the way from one to the other."""

    def mixed(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.asarray((1 - way) * a + way * b)

    return replace(
        one,
        headroom=mixed(one.headroom, other.headroom),
        hardware=mixed(one.hardware, other.hardware),
        carbon=mixed(one.carbon, other.carbon),
        weights=mixed(one.weights, other.weights),
    )


def _announced(rounds: Rounds, prices: Prices) -> Bids:
    """The answers to prices, after the bound that they prove was observed."""
    rounds.at(prices)
    return _bids(rounds, rounds.prove(keep=True), rounds.market.cost_gbp_per_kw(prices.weights))


def _planned(rounds: Rounds) -> Bids:
    """What the jobs do at present, as bids."""
    return _bids(rounds, [shard.courses for shard in rounds.book.shards], rounds.cost)


def _bids(rounds: Rounds, courses: list[Courses], cost_gbp_per_kw: FloatArray) -> Bids:
    """Courses as bids; ``cost_gbp_per_kw`` (S, T) is what their own costs were reckoned with."""
    parts, base, gangs = [], 0, 0
    for shard, own in zip(rounds.book.shards, courses, strict=True):
        rows = np.flatnonzero(own.place != NOWHERE)
        ladder = np.concatenate([np.zeros((len(shard.rows), 1)), shard.orders.level_kw], axis=1)
        power = np.take_along_axis(ladder[rows], own.level[rows].astype(np.int64), axis=1)
        place = own.place[rows]
        energy = np.einsum("nt,nt->n", power, cost_gbp_per_kw[rounds.market.place_site[place]])
        gang = np.where(shard.orders.row["gang"] == NOWHERE, NOWHERE, shard.orders.row["gang"] + gangs)
        parts.append(
            Bids(
                job=rows + base,
                place=place,
                power_kw=power,
                other_gbp=own.gbp[rows] - energy,
                penalty_gbp=shard.orders.row["penalty_gbp"],
                gang=gang,
                tenant_cap=shard.orders.row["tenant_cap"],
            )
        )
        base += len(shard.rows)
        gangs += shard.gangs
    return Bids(*(np.concatenate([getattr(part, name) for part in parts]) for name in Bids.__slots__))
