"""Claims: which jobs are within what their tenants are due, and what leaving each out counts for.

The resources are the rooms of sites in periods of a few slots. A job asks for a part of each: its work spread over all
the room that it may use. Only where jobs ask for more than there is does anything here matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.job.fairness.levels import dequeued
from agents.job.fairness.tree import Node, entitlements
from core.series import BoolArray, FloatArray, IntArray

MOST_PERIODS = 24
LENT = 0.005
"""what a job counts for, of what it is worth, in room that is due to others and that they leave: premium is worth 20
times spot, so that any job within a share comes before any beyond one"""
BEYOND = 0.0005
"""and beyond that, where nothing is left if all others take what they want"""
LEAST_SIZE = 0.1
"""a job beyond its share that is larger than the middle one within counts for less still, down to this part"""
LATE = 0.8
"""of two jobs alike, what the last in the queue counts for, of what the first does: less than tells two tiers apart"""
ENERGY_AT_MOST = 0.8
"""of what the least job within shares is worth: what energy counts for at most, or it would lift others above that"""
SLACK = 1e-9
NOBODY_ELSE = 1e6
"""a share above any that is asked for: all that is there"""


@dataclass(frozen=True, slots=True)
class Asks:
    """What n jobs ask for, numbered by arrival.

    :param tenant: (n,) numbers in the tree of tenants.
    :param level: (n,) priority levels after ageing.
    :param sites: (n, S) where each may run.
    :param first: (n,) first slot of its window; ``last`` the one after it.
    :param kw_slots: (n,) IT kW times slots still to do.
    :param penalty_gbp: (n,) what leaving it out costs.
    :param begun: (n,) it is under way or frozen: nothing of it is weighed anew.
    :param planned: (n,) it has a course in the standing plan.
    """

    tenant: IntArray
    level: IntArray
    sites: BoolArray
    first: IntArray
    last: IntArray
    kw_slots: FloatArray
    penalty_gbp: FloatArray
    begun: BoolArray
    planned: BoolArray


@dataclass(frozen=True, slots=True)
class World:
    """What there is: (S, T) room in IT kW, and GBP for an IT kW held for a slot, energy and carbon."""

    room_kw: FloatArray
    cost_gbp: FloatArray


@dataclass(frozen=True, slots=True)
class Dues:
    """Who is due what: the tree of tenants, (tenants,) decayed use, and what a new request counts of that (A)."""

    tree: Node
    usage: FloatArray
    fresh: float


@dataclass(frozen=True, slots=True)
class Claims:
    """What came out.

    :param penalty_gbp: (n,) what leaving each job out counts for in the plan.
    :param factor: (n,) of what it is worth above its energy, 1 where nothing was taken off.
    :param beyond: (n,) beyond its tenant's fair share.
    :param asked: (tenants,) share that each asks for of the resource in which it is furthest beyond its fair share, of
        those for which more is asked than there is; ``due`` its fair share of that, 1 where nobody else asks for it,
        ``site`` and ``period`` which it is.
    """

    penalty_gbp: FloatArray
    factor: FloatArray
    beyond: BoolArray
    asked: FloatArray
    due: FloatArray
    site: IntArray
    period: IntArray


class Spread:
    """Requests spread over the room that they may use, as shares of the (R,) rooms of sites in periods, R = S Q."""

    def __init__(self, asks: Asks, room_kw: FloatArray) -> None:
        self._asks = asks
        sites, slots = room_kw.shape
        self._sum = np.concatenate([np.zeros((sites, 1)), np.cumsum(room_kw, axis=1)], axis=1)
        self.period_slots = -(-slots // MOST_PERIODS)
        self._edges = np.append(np.arange(0, slots, self.period_slots), slots)
        self.periods = len(self._edges) - 1
        self._rooms = np.diff(self._sum[:, self._edges], axis=1)
        self.total_kw_slots = float(self._sum[:, -1].sum())

    def shares(self, rows: IntArray) -> FloatArray:
        """(k, R) what each of the jobs ``rows`` asks for; at most the whole of what it may use."""
        asks = self._asks
        first, last, sites = asks.first[rows], np.maximum(asks.last[rows], asks.first[rows]), asks.sites[rows]
        reach = ((self._sum[:, last] - self._sum[:, first]).T * sites).sum(axis=1)
        density = np.divide(asks.kw_slots[rows], reach, out=np.zeros(len(rows)), where=reach > 0)
        edges = np.clip(self._edges, first[:, np.newaxis], last[:, np.newaxis])
        part = np.diff(self._sum[:, edges], axis=2)
        part = np.divide(
            part, self._rooms[:, np.newaxis], out=np.zeros_like(part), where=self._rooms[:, np.newaxis] > 0
        )
        spread = np.moveaxis(part, 0, 1) * sites[:, :, np.newaxis]
        return np.asarray((np.minimum(density, 1.0)[:, np.newaxis, np.newaxis] * spread).reshape(len(rows), -1))


def weighed(asks: Asks, world: World, dues: Dues) -> Claims:
    """Weigh the jobs against what their tenants are due.

    A job within its tenant's fair share counts for what it is worth, one beyond it for :data:`LENT` of that, and for
    :data:`BEYOND` past what the others leave, so that room goes to jobs within shares first and to others as far as it
    is left. Where nobody else asks for a resource, nobody is beyond a share of it. Of jobs alike those first in the
    queue come first.
    """
    spread = Spread(asks, world.room_kw)
    rows_of = [np.flatnonzero(asks.tenant == number) for number in range(len(dues.tree.members))]
    asked = np.array([spread.shares(rows).sum(axis=0) for rows in rows_of])
    scarce = asked.sum(axis=0) > 1 + SLACK
    free = ~scarce | ((asked.sum(axis=0) - asked) <= SLACK)
    everything = np.where(asked > 0, NOBODY_ELSE, 0.0)
    due = np.where(free, NOBODY_ELSE, entitlements(dues.tree, everything, dues.usage))
    lent = np.where(free, NOBODY_ELSE, entitlements(dues.tree, asked, dues.usage))
    place = _places(asks, dues, spread) if scarce.any() else np.zeros(len(asks.tenant), dtype=np.int64)
    band, contested = np.ones(len(asks.tenant)), np.zeros(len(asks.tenant), dtype=bool)
    if scarce.any():
        for number, rows in enumerate(rows_of):
            in_order = rows[np.lexsort((place[rows], ~asks.begun[rows]))]
            wanted = spread.shares(in_order)
            contested[in_order] = (wanted[:, scarce] > 0).any(axis=1)
            middle = np.cumsum(wanted, axis=0) - wanted / 2
            for most, counts in ((due[number], LENT), (np.maximum(due[number], lent[number]), BEYOND)):
                past = ((middle > most + SLACK) & (wanted > 0)).any(axis=1) & ~asks.begun[in_order]
                band[in_order[past]] = counts
    beyond = band < 1
    within = contested & ~beyond & ~asks.begun
    size = _sizes(asks, band, within)
    factor = _queued(asks, place, contested) * band * size
    worst = (asked - due).argmax(axis=1)
    at = np.arange(len(worst))
    return Claims(
        penalty_gbp=_counted(asks, world, factor, size, within),
        factor=factor,
        beyond=beyond,
        asked=asked[at, worst],
        due=np.minimum(due[at, worst], 1.0),
        site=worst // spread.periods,
        period=worst % spread.periods * spread.period_slots,
    )


def _places(asks: Asks, dues: Dues, spread: Spread) -> IntArray:
    """(n,) the place of each job in the queue; those under way are first, because their requests were admitted."""
    request = dues.fresh * asks.kw_slots / max(spread.total_kw_slots, SLACK)
    used = dues.usage + np.bincount(asks.tenant[asks.begun], request[asks.begun], len(dues.usage))
    waiting = np.flatnonzero(~asks.begun)
    place = np.zeros(len(asks.tenant), dtype=np.int64)
    order = dequeued(dues.tree, asks.level[waiting], asks.tenant[waiting], request[waiting], used)
    place[waiting[order]] = np.arange(len(waiting))
    return place


def _queued(asks: Asks, place: IntArray, contested: BoolArray) -> FloatArray:
    """(n,) 1 for the first in the queue to :data:`LATE` for the last; 1 for jobs that nothing is taken off."""
    queue = 1.0 - (1.0 - LATE) * place / max(1, len(place))
    return np.asarray(np.where(contested & ~asks.begun & ~asks.planned, queue, 1.0))


def _sizes(asks: Asks, band: FloatArray, within: BoolArray) -> FloatArray:
    """(n,) the size of the middle job within a share over that of each job beyond, :data:`LEAST_SIZE` to 1.

    Of the tenants, that whose middle job is smallest tells, so that nobody's large jobs make large ones usual.
    """
    tenants = np.unique(asks.tenant[within]).tolist()
    middle = min((float(np.median(asks.kw_slots[within & (asks.tenant == t)])) for t in tenants), default=np.inf)
    size = np.clip(middle / np.maximum(asks.kw_slots, SLACK), LEAST_SIZE, 1.0)
    return np.asarray(np.where(band < 1, size, 1.0))


def _counted(asks: Asks, world: World, factor: FloatArray, size: FloatArray, within: BoolArray) -> FloatArray:
    """(n,) penalties: the factor is taken of what a job is worth above its energy at the dearest of where it may run.

    So a job that is worth its energy still is, and room that nobody else wants is not left empty. Larger ones are
    counted nearer to the mean of where they may run, and none above :data:`ENERGY_AT_MOST` of what the least job within
    shares is worth.
    """
    sites = asks.sites
    dearest = np.where(sites, world.cost_gbp.max(axis=1), -np.inf).max(axis=1, initial=0.0)
    mean = np.divide(
        sites @ world.cost_gbp.mean(axis=1), sites.sum(axis=1), out=np.zeros(len(size)), where=sites.any(1)
    )
    worth_gbp = np.divide(asks.penalty_gbp, asks.kw_slots, out=np.zeros(len(size)), where=asks.kw_slots > 0)
    most = ENERGY_AT_MOST * worth_gbp[within].min(initial=np.inf)
    energy_gbp = np.clip(mean + (dearest - mean) * size, 0.0, most) * asks.kw_slots
    worth = asks.penalty_gbp - energy_gbp
    return np.asarray(np.where((worth > 0) & (factor < 1), energy_gbp + worth * factor, asks.penalty_gbp))
