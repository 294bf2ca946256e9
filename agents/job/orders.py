"""The order book's arrays: every open job as one row, and the terms that the sites announce.

Both are plain tuples of arrays, so that the compiled answers (agents.job.kernels.py) can read them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core.bid import Market, Prices
from core.instance import Instance, JobInstance
from core.series import BoolArray, FloatArray, IntArray

BLOCK, PAUSABLE, ELASTIC = range(3)
BEND = {"block": 1.0, "pausable": 0.3, "elastic": 0.0}
KIND = {"block": BLOCK, "pausable": PAUSABLE, "elastic": ELASTIC}


class Orders(NamedTuple):
    """What J jobs want. Powers are IT kW; windows are slots ``[first, last)``; L is the longest ladder, at least 1.

    ``level_kw`` and ``level_work`` (J, L) are the ladders of elastic jobs, filled up with infinite power where they
    end; a block or pausable job has one level. ``bulk`` says how hard
    a job is to fit in. ``at_site`` (J, S) says where a job may run at all.
    """

    kind: IntArray
    power_kw: FloatArray
    duration: IntArray
    pause_gbp: FloatArray
    first: IntArray
    last: IntArray
    max_price: FloatArray
    max_carbon: FloatArray
    work: FloatArray
    depth: IntArray
    bulk: FloatArray
    level_kw: FloatArray
    level_work: FloatArray
    at_site: BoolArray

    @classmethod
    def of(cls, instance: Instance) -> Orders:
        """The jobs of an instance, in its order."""
        jobs = instance.jobs
        ladders = [_ladder(job) for job in jobs]
        depth = max((len(ladder) for ladder in ladders), default=1)
        level_kw, level_work = np.full((len(jobs), depth), np.inf), np.zeros((len(jobs), depth))
        for row, ladder in enumerate(ladders):
            level_kw[row, : len(ladder)], level_work[row, : len(ladder)] = zip(*ladder, strict=True)
        return cls(
            kind=_whole([KIND[job.kind] for job in jobs]),
            power_kw=_real([job.power_kw or 0.0 for job in jobs]),
            duration=_whole([job.duration_slots or 0 for job in jobs]),
            pause_gbp=_real([job.pause_cost_gbp or 0.0 for job in jobs]),
            first=_whole([job.earliest_slot for job in jobs]),
            last=_whole([job.latest_slot for job in jobs]),
            max_price=_limits([job.max_price_gbp_per_kwh for job in jobs]),
            max_carbon=_limits([job.max_carbon_g_per_kwh for job in jobs]),
            work=_real([job.work or 0.0 for job in jobs]),
            depth=_whole([len(ladder) for ladder in ladders]),
            bulk=_real([_bulk(job) for job in jobs]),
            level_kw=level_kw,
            level_work=level_work,
            at_site=_at_site(instance),
        )


class Terms(NamedTuple):
    """What S sites announce for T slots; all (S, T) but ``site_open`` (S,).

    ``cost`` and ``charge`` are GBP per IT kW and slot, without and with scarcity; ``order`` lists each site's slots by
    rising charge; ``carbon_kg`` is kg per IT kW and slot.
    """

    pue: FloatArray
    price: FloatArray
    carbon: FloatArray
    carbon_kg: FloatArray
    cost: FloatArray
    charge: FloatArray
    order: IntArray
    site_open: BoolArray

    @classmethod
    def of(cls, market: Market, prices: Prices, sites: BoolArray | None = None) -> Terms:
        """The terms at ``prices``, at all sites or only at ``sites`` (S,)."""
        charge = np.ascontiguousarray(prices.per_kw(market))
        return cls(
            pue=market.pue,
            price=market.price_gbp_per_kwh,
            carbon=market.carbon_g_per_kwh,
            carbon_kg=market.carbon_kg_per_kw,
            cost=market.cost_gbp_per_kw,
            charge=charge,
            order=np.argsort(charge, axis=1, kind="stable"),
            site_open=np.ones(len(charge), dtype=np.bool_) if sites is None else sites,
        )


class Guides(NamedTuple):
    """G sets of prices at which jobs are asked again; the first has no price of headroom.

    ``charge`` and ``order`` (G, S, T) as in :class:`Terms`; ``floors`` (G, J, S): what a job's course at a site is
    charged at least; ``sites`` (G, J, S): each job's sites by rising floor.
    """

    charge: FloatArray
    order: IntArray
    floors: FloatArray
    sites: IntArray


class Standing(NamedTuple):
    """What J jobs do at present.

    ``site`` (J,) index or ``NOWHERE``; ``power_kw`` (J, T); ``cost_gbp`` and ``carbon_kg`` (J,); ``residual_kw`` (S, T)
    left at the meters and ``carbon_left_kg`` (1,) under the cap.
    """

    site: IntArray
    power_kw: FloatArray
    cost_gbp: FloatArray
    carbon_kg: FloatArray
    residual_kw: FloatArray
    carbon_left_kg: FloatArray

    def copied(self) -> Standing:
        """An independent copy."""
        whole = (self.site.copy(), self.power_kw.copy(), self.cost_gbp.copy(), self.carbon_kg.copy())
        return Standing(*whole, self.residual_kw.copy(), self.carbon_left_kg.copy())


def _ladder(job: JobInstance) -> list[tuple[float, float]]:
    if job.levels:
        return [(level.power_kw, level.work_per_slot) for level in job.levels]
    return [(job.power_kw or 0.0, 1.0)]


def _bulk(job: JobInstance) -> float:
    """kW held for one slot, less where the job can bend: levels fit in almost anywhere, pauses help."""
    return BEND[job.kind] * (job.power_kw or 0.0) * (job.duration_slots or 0)


def _whole(values: list[int]) -> IntArray:
    return np.array(values, dtype=np.int64)


def _real(values: list[float]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _limits(values: list[float | None]) -> FloatArray:
    return np.array([np.inf if value is None else value for value in values], dtype=np.float64)


def _at_site(instance: Instance) -> BoolArray:
    place = {site.id: number for number, site in enumerate(instance.sites)}
    allowed = np.zeros((len(instance.jobs), len(place)), dtype=np.bool_)
    pairs = [(row, place[site]) for row, job in enumerate(instance.jobs) for site in job.sites]
    if pairs:
        allowed[tuple(np.array(pairs).T)] = True
    return allowed
