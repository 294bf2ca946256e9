"""The clearing problem of one tick, made of the agents' quotes and the jobs' demand.

A site without price or carbon for the whole horizon (a live feed that gives nothing, in mode ``live``) is left out;
jobs that have begun there keep their standing rows untouched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agents.job.demand import Demand, committed_rows, demand
from agents.messages import CapacityQuote, EnergyQuote, Scenarios
from core.instance import Course, Instance, Risk, Scenario, SiteInstance, SitePrices
from core.job import Job
from core.ledger import Booking, Leg, SlotEntry
from core.series import BoolArray, FloatArray, Kind, KindArray
from core.slots import SLOT, SLOT_HOURS, format_utc, slots_between
from core.trade import Reduction

DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Figures:
    """Quotes as arrays over all sites (S) and slots (T); NaN where a feed has nothing.

    ``headroom_kw`` is capacity less own load at the meter; ``sold_kw`` of it is booked over Beckn, and jobs may draw at
    most ``cap_kw``, infinite where no contract reduces load. ``*_low_*`` and ``*_high_*`` are the ends of the 90 %
    intervals of price and carbon.
    """

    start: datetime
    site_ids: tuple[str, ...]
    zones: tuple[str, ...]
    availability: tuple[float, ...]
    headroom_kw: FloatArray
    sold_kw: FloatArray
    pue: FloatArray
    price_gbp_per_kwh: FloatArray
    carbon_g_per_kwh: FloatArray
    price_kind: KindArray
    carbon_kind: KindArray
    price_low_gbp_per_kwh: FloatArray
    price_high_gbp_per_kwh: FloatArray
    carbon_low_g_per_kwh: FloatArray
    carbon_high_g_per_kwh: FloatArray
    cap_kw: FloatArray

    @property
    def slots(self) -> int:
        """T."""
        return int(self.headroom_kw.shape[1])

    @property
    def unsold_kw(self) -> FloatArray:
        """(S, T): headroom that may be planned: neither booked nor above a cap."""
        return np.asarray(np.minimum(np.maximum(0.0, self.headroom_kw - self.sold_kw), self.cap_kw))

    @property
    def priced(self) -> BoolArray:
        """(S,) sites whose every slot has a price and a carbon figure."""
        return np.asarray(np.isfinite(self.price_gbp_per_kwh + self.carbon_g_per_kwh).all(axis=1))


def figures(
    energy: EnergyQuote, capacity: CapacityQuote, bookings: Sequence[Booking], reductions: Sequence[Reduction] = ()
) -> Figures:
    """Join the quotes, what is booked and the load that is moved away."""
    price = [energy.price[zone] for zone in capacity.zones]
    carbon = [energy.carbon[zone] for zone in capacity.zones]
    shape = capacity.headroom_kw.shape
    return Figures(
        start=energy.start,
        site_ids=capacity.site_ids,
        availability=capacity.availability,
        zones=capacity.zones,
        headroom_kw=capacity.headroom_kw,
        sold_kw=booked_kw(bookings, capacity),
        pue=capacity.pue,
        price_gbp_per_kwh=np.array([series.values for series in price]).reshape(shape),
        carbon_g_per_kwh=np.array([series.values for series in carbon]).reshape(shape),
        price_kind=np.array([series.kinds for series in price], dtype=np.int8).reshape(shape),
        carbon_kind=np.array([series.kinds for series in carbon], dtype=np.int8).reshape(shape),
        price_low_gbp_per_kwh=np.array([series.interval[0] for series in price]).reshape(shape),
        price_high_gbp_per_kwh=np.array([series.interval[1] for series in price]).reshape(shape),
        carbon_low_g_per_kwh=np.array([series.interval[0] for series in carbon]).reshape(shape),
        carbon_high_g_per_kwh=np.array([series.interval[1] for series in carbon]).reshape(shape),
        cap_kw=capped_kw(reductions, capacity),
    )


def booked_kw(bookings: Sequence[Booking], capacity: CapacityQuote | Figures) -> FloatArray:
    """(S, T): power at the meter that is sold."""
    total = np.zeros_like(capacity.headroom_kw)
    row = {site_id: number for number, site_id in enumerate(capacity.site_ids)}
    for booking in bookings:
        first = max(0, slots_between(capacity.start, booking.start))
        last = max(0, slots_between(capacity.start, booking.end))
        if booking.site_id in row:
            total[row[booking.site_id], first:last] += booking.power_kw
    return total


def capped_kw(reductions: Sequence[Reduction], capacity: CapacityQuote | Figures) -> FloatArray:
    """(S, T): what jobs may draw at the meter at most: the least of the caps, infinite where there is none."""
    caps = np.full_like(capacity.headroom_kw, np.inf)
    row = {site_id: number for number, site_id in enumerate(capacity.site_ids)}
    for reduction in reductions:
        slot = slots_between(capacity.start, reduction.starts)
        if reduction.site_id in row and 0 <= slot < int(caps.shape[1]):
            cell = row[reduction.site_id], slot
            caps[cell] = min(caps[cell], reduction.cap_kw)
    return caps


def planned_kw(rows: Sequence[SlotEntry], figures: Figures) -> FloatArray:
    """(S, T): what planned rows draw at the meters; rows at other sites or in other slots are left out."""
    slots = [slots_between(figures.start, row.slot_start) for row in rows]
    runs = [(row.site_id, slot, slot + 1, row.power_kw) for row, slot in zip(rows, slots, strict=True)]
    known = frozenset(figures.site_ids)
    return _drawn_kw([run for run in runs if run[0] in known and 0 <= run[1] < figures.slots], figures)


def drawn_kw(courses: Sequence[Course], figures: Figures) -> FloatArray:
    """(S, T): what courses draw at the meters."""
    return _drawn_kw([(course.site, *run) for course in courses for run in course.runs], figures)


def _drawn_kw(runs: Sequence[tuple[str, int, int, float]], figures: Figures) -> FloatArray:
    """(S, T) at the meters: what runs ``(site, first slot, last slot, IT kW)`` draw."""
    drawn = np.zeros_like(figures.headroom_kw)
    if not runs:
        return drawn
    place = {site_id: number for number, site_id in enumerate(figures.site_ids)}
    sites, firsts, lasts, powers = zip(*runs, strict=True)
    lengths = np.subtract(lasts, firsts)
    before = np.cumsum(lengths) - lengths
    site = np.repeat([place[name] for name in sites], lengths)
    slot = np.arange(lengths.sum()) + np.repeat(firsts - before, lengths)
    np.add.at(drawn, (site, slot), np.repeat(powers, lengths) * figures.pue[site, slot])
    return drawn


def demands(
    jobs: Sequence[Job],
    rows: Sequence[SlotEntry],
    sites_of: Mapping[str, tuple[str, ...]],
    figures: Figures,
    move_cost_gbp: float = 0.0,
) -> dict[str, Demand]:
    """The demand of every open job, by job id.

    A site whose headroom is below the job's least power in every slot is none of its sites: no plan could use it, and
    a bid there would make the bound weaker for nothing.
    """
    by_job: dict[str, list[SlotEntry]] = defaultdict(list)
    for row in rows:
        by_job[row.job_id].append(row)
    priced = {site for site, ok in zip(figures.site_ids, figures.priced, strict=True) if ok}
    roomy = dict(zip(figures.site_ids, (figures.unsold_kw / figures.pue).max(axis=1).tolist(), strict=True))
    found = {}
    for job in jobs:
        begun = committed_rows(by_job[job.job_id], figures.start)
        if begun and begun[0].site_id not in priced:
            continue
        sites = tuple(site for site in sites_of[job.job_id] if site in priced and roomy[site] >= _least_kw(job))
        own = by_job[job.job_id]
        found[job.job_id] = demand(job, own, sites, figures.start, figures.slots, move_cost_gbp)
    return found


def _least_kw(job: Job) -> float:
    """The least IT power at which the job can run at all."""
    return job.levels[0].power_kw if job.levels else job.power_kw


def rows_of(
    job_id: str,
    leg: Leg,
    figures: Figures,
    site: int,
    runs: Sequence[tuple[int, int, float]],
    room_kw: FloatArray | None = None,
) -> list[SlotEntry]:
    """Ledger rows of runs at site row ``site``, with the figures quoted for their slots.

    :param room_kw: (S, T) power at the meters that was free for the job; None where that is not to be kept.
    """
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
            carbon_forecast_g_per_kwh=float(figures.carbon_g_per_kwh[site, slot]),
            room_kw=None if room_kw is None else float(room_kw[site, slot]),
        )
        for first, last, power_kw in runs
        for slot in range(first, last)
    ]


@dataclass(frozen=True, slots=True)
class Expected:
    """Between which ends the cost (GBP) and carbon (kg) of a course lie if every slot errs the same way."""

    cost_low_gbp: float
    cost_high_gbp: float
    carbon_low_kg: float
    carbon_high_kg: float


def worth_between(figures: Figures, site: int, runs: Sequence[tuple[int, int, float]]) -> Expected:
    """The interval of a course at site row ``site``: the sum of its slots' ends, which is the widest it can be."""
    energy_kwh = np.zeros(figures.slots)
    for first, last, power_kw in runs:
        energy_kwh[first:last] += power_kw * figures.pue[site, first:last] * SLOT_HOURS
    return Expected(
        cost_low_gbp=float(energy_kwh @ np.nan_to_num(figures.price_low_gbp_per_kwh[site])),
        cost_high_gbp=float(energy_kwh @ np.nan_to_num(figures.price_high_gbp_per_kwh[site])),
        carbon_low_kg=float(energy_kwh @ np.nan_to_num(figures.carbon_low_g_per_kwh[site]) / 1000),
        carbon_high_kg=float(energy_kwh @ np.nan_to_num(figures.carbon_high_g_per_kwh[site]) / 1000),
    )


@dataclass(frozen=True, slots=True)
class Stakes:
    """What a plan is judged by besides the quotes.

    :param risk: how much bad outcomes count, over ``scenarios``; None: the plan is made for what is quoted.
    :param opening: prices of scarcity to begin at.
    """

    carbon_price_gbp_per_tonne: float
    risk: Risk | None = None
    scenarios: Scenarios | None = None
    opening: tuple[SitePrices, ...] = ()


def instance_of(figures: Figures, wanted: Mapping[str, Demand], stakes: Stakes) -> Instance:
    """The instance file of one tick. Headroom always covers what is frozen: the site has promised it."""
    frozen = [demand.frozen for demand in wanted.values() if demand.frozen is not None]
    headroom = np.maximum(figures.unsold_kw, drawn_kw(frozen, figures))
    rows = np.flatnonzero(figures.priced).tolist()
    known = {figures.site_ids[row] for row in rows}
    return Instance(
        name=f"tick {format_utc(figures.start)}",
        start=figures.start,
        slots=figures.slots,
        carbon_price_gbp_per_tonne=stakes.carbon_price_gbp_per_tonne,
        sites=tuple(_site(figures, headroom, row) for row in rows),
        jobs=tuple(demand.instance for demand in wanted.values() if demand.instance is not None),
        frozen=tuple(frozen),
        scenarios=_scenarios(figures, rows, stakes.scenarios) if stakes.scenarios is not None else (),
        risk=stakes.risk,
        opening=tuple(prices for prices in stakes.opening if prices.site in known),
    )


def _scenarios(figures: Figures, rows: Sequence[int], drawn: Scenarios) -> tuple[Scenario, ...]:
    """Each scenario by site, for the sites in the instance."""
    zones = {figures.site_ids[row]: figures.zones[row] for row in rows}
    count = max((len(drawn.price[zone]) for zone in zones.values()), default=0)
    return tuple(
        Scenario(
            probability=1 / count,
            price_gbp_per_kwh={site: _rounded(drawn.price[zone][number]) for site, zone in zones.items()},
            carbon_g_per_kwh={site: _rounded(drawn.carbon[zone][number]) for site, zone in zones.items()},
        )
        for number in range(count)
    )


def _site(figures: Figures, headroom: FloatArray, row: int) -> SiteInstance:
    return SiteInstance(
        id=figures.site_ids[row],
        region=figures.zones[row],
        availability=figures.availability[row],
        headroom_kw=_rounded(headroom[row]),
        price_gbp_per_kwh=_rounded(figures.price_gbp_per_kwh[row]),
        carbon_g_per_kwh=_rounded(figures.carbon_g_per_kwh[row]),
        pue=_rounded(figures.pue[row]),
        price_low_gbp_per_kwh=_rounded(figures.price_low_gbp_per_kwh[row]),
        price_high_gbp_per_kwh=_rounded(figures.price_high_gbp_per_kwh[row]),
        carbon_low_g_per_kwh=_rounded(figures.carbon_low_g_per_kwh[row]),
        carbon_high_g_per_kwh=_rounded(figures.carbon_high_g_per_kwh[row]),
    )


def _rounded(values: FloatArray) -> tuple[float, ...]:
    """Figures with the digits that matter, so that files stay small."""
    return tuple(np.round(values, DECIMALS).tolist())
