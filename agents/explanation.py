"""Why here, why then, and what else: options and counter-offers, read off the prices.

Between the job agent, which knows what a job could do, and the policy agent, which knows what is left: so it lives
beside the negotiation, and its figures are bids like any others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from agents.job.book import JobBook
from agents.job.concessions import Concession, concessions
from agents.messages import Counter, Option
from agents.policy.fill import WholePlan
from core.bid import NOWHERE, BidBatch, Market, Prices, carbon_kg
from core.instance import CounterOffer, Instance
from core.series import FloatArray, IntArray
from core.slots import SLOT_HOURS

MOST_OFFERS = 3


def explain_options(
    instance: Instance, book: JobBook, whole: WholePlan, jobs: IntArray, prices: Prices
) -> Mapping[str, tuple[Option, ...]]:
    """For every job its best bid at each allowed site at the final prices, and why each was not taken."""
    found: dict[str, list[Option]] = {instance.jobs[row].id: [] for row in jobs.tolist()}
    per_kw = prices.per_kw(book.market)
    chosen = np.einsum("nt,nt->n", whole.power_kw[jobs], per_kw[np.maximum(whole.site[jobs], 0)])
    for site in range(len(instance.sites)):
        only = np.arange(len(instance.sites)) == site
        bids = book.bids(prices, jobs, sites=only)
        carbon = carbon_kg(bids, book.market)
        for row in np.flatnonzero(bids.found).tolist():
            here = whole.site[jobs[row]] == site
            reject = None if here else _reject(whole, jobs[row], bids.value_gbp[row], chosen[row])
            option = _chosen(instance, book.market, whole, int(jobs[row]), prices) if here else None
            job_id = instance.jobs[jobs[row]].id
            found[job_id].append(option or _option(instance, book.market, bids, row, carbon[row], reject))
    return {
        job: tuple(sorted(options, key=lambda o: (o.reject is not None, o.priced_gbp)))
        for job, options in found.items()
    }


def _reject(whole: WholePlan, job: int, value_gbp: float, chosen_gbp: float) -> str:
    if whole.site[job] == NOWHERE:
        return "no_headroom"
    return "dearer" if value_gbp >= chosen_gbp - 1e-9 else "no_whole_headroom"


def _span(power_kw: FloatArray) -> tuple[int, int]:
    used = np.flatnonzero(power_kw)
    return int(used[0]), int(used[-1]) + 1


def _carbon_gbp(instance: Instance, carbon_kg: float) -> float:
    """What carbon counts as in the objective; it is not money that anyone pays."""
    return instance.carbon_price_gbp_per_tonne * carbon_kg / 1000


def _option(instance: Instance, market: Market, bids: BidBatch, row: int, carbon: float, reject: str | None) -> Option:
    start, end = _span(bids.power_kw[row])
    site = int(bids.site[row])
    energy = float((bids.power_kw[row] * market.pue[site]).sum() * SLOT_HOURS)
    return Option(
        job=instance.jobs[int(bids.job[row])].id,
        site=instance.sites[site].id,
        start_slot=start,
        end_slot=end,
        energy_kwh=energy,
        cost_gbp=float(bids.cost_gbp[row]) - _carbon_gbp(instance, float(carbon)),
        carbon_kg=float(carbon),
        priced_gbp=float(bids.value_gbp[row]),
        reject=reject,
    )


def _chosen(instance: Instance, market: Market, whole: WholePlan, job: int, prices: Prices) -> Option:
    """The option that the plan took."""
    site, power = int(whole.site[job]), whole.power_kw[job]
    start, end = _span(power)
    scarce = market.pue[site] * prices.headroom[site] + prices.carbon * market.carbon_kg_per_kw[site]
    return Option(
        job=instance.jobs[job].id,
        site=instance.sites[site].id,
        start_slot=start,
        end_slot=end,
        energy_kwh=float((power * market.pue[site]).sum() * SLOT_HOURS),
        cost_gbp=float(whole.cost_gbp[job]) - _carbon_gbp(instance, float(whole.carbon_kg[job])),
        carbon_kg=float(whole.carbon_kg[job]),
        priced_gbp=float(whole.cost_gbp[job] + (power * scarce).sum()),
        reject=None,
    )


def explain_unserved(instance: Instance, book: JobBook, whole: WholePlan, jobs: IntArray) -> tuple[Counter, ...]:
    """A reason and up to three counter-offers for every job that the plan leaves out."""
    left = jobs[whole.site[jobs] == NOWHERE]
    if not left.size:
        return ()
    free = book.bids(Prices.zero(book.market), left)
    fitting = book.bids(Prices.zero(book.market), left, np.maximum(whole.residual_kw, 0.0))
    offers = _counter_offers(instance, book.market, whole, left, free)
    return tuple(
        Counter(
            job_id=instance.jobs[job].id,
            reason=_reason(instance, job, free, fitting, row),
            offers=offers[instance.jobs[job].id],
        )
        for row, job in enumerate(left.tolist())
    )


def _reason(instance: Instance, job: int, free: BidBatch, fitting: BidBatch, row: int) -> str:
    demand = instance.jobs[job]
    window = demand.latest_slot - demand.earliest_slot
    if demand.duration_slots is not None and window < demand.duration_slots:
        return f"its window has {max(window, 0)} slots left and it needs {demand.duration_slots}"
    if not demand.sites:
        return "no site in its allowed regions has room for its power beside the site's own load and what is sold"
    if not free.found[row]:
        return "no slots in its window are within its own price and carbon limits and site capacity"
    if free.cost_gbp[row] >= demand.unserved_penalty_gbp:
        return (
            f"its cheapest course costs GBP {free.cost_gbp[row]:.2f}, "
            f"more than the GBP {demand.unserved_penalty_gbp:.2f} that its tier pays"
        )
    if not fitting.found[row]:
        return "no site has enough headroom left in its window: jobs that are dearer to leave out hold it"
    return "what is left in its window costs more than its tier pays"


def _counter_offers(
    instance: Instance, market: Market, whole: WholePlan, left: IntArray, free: BidBatch
) -> dict[str, tuple[CounterOffer, ...]]:
    """Concessions that fit into what is left, cheapest change first tried, each with what it costs more."""
    offered: list[tuple[int, Concession]] = [
        (row, concession)
        for row, job in enumerate(left.tolist())
        for concession in concessions(instance.jobs[job], instance)
    ]
    variants = [c.job.model_copy(update={"id": f"{number}"}) for number, (_, c) in enumerate(offered)]
    found: dict[str, tuple[CounterOffer, ...]] = {instance.jobs[job].id: () for job in left.tolist()}
    if not variants:
        return found
    trial = instance.model_copy(update={"jobs": tuple(variants), "frozen": ()})
    bids = JobBook(trial, market).bids(Prices.zero(market), residual_kw=np.maximum(whole.residual_kw, 0.0))
    kept: dict[str, int] = {}
    for number, (row, concession) in enumerate(offered):
        job_id = instance.jobs[int(left[row])].id
        if not bids.found[number] or len(found[job_id]) >= MOST_OFFERS:
            continue
        if concession.change.startswith("finish") and kept.get(job_id):
            continue
        kept[job_id] = kept.get(job_id, 0) + concession.change.startswith("finish")
        own = free.cost_gbp[row] if free.found[row] else 0.0
        offer = CounterOffer(change=concession.change, extra_gbp=max(0.0, float(bids.cost_gbp[number] - own)))
        found[job_id] = (*found[job_id], offer)
    return found
