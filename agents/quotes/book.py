"""The quote book of a standing plan: a week of figures, and what is free at which price, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import numpy as np

from agents.proposal import Figures
from agents.standing import StandingPlan
from core.job import MAX_WINDOW, Job
from core.ledger import TickRecord
from core.market import TOLERANCE_KW
from core.series import BoolArray, FloatArray, IntArray, KindArray, Series
from core.site import Site
from core.slots import SLOT, SLOT_HOURS

Array = TypeVar("Array", bound=np.ndarray[Any, Any])

WEEK = MAX_WINDOW // SLOT
"""slots: as far ahead as a deadline may lie"""


class Week(NamedTuple):
    """What the agents quote as far ahead as a deadline may lie.

    :param stress: of the grid by zone, over the slots of ``figures``.
    """

    sites: tuple[Site, ...]
    figures: Figures
    stress: Mapping[str, Series]


@dataclass(frozen=True, slots=True)
class QuoteBook:
    """(S, T) arrays over ``site_ids`` and ``slots`` half-hours from ``start``; made once a tick, never changed.

    :param sites: all there were at the tick, in any order.
    :param open_kw: IT power neither planned nor sold; 0 where price or carbon is not known.
    :param priced: (S,) sites with a price and a carbon figure for the plan's whole horizon: it leaves the others out.
    :param scarcity_gbp_per_kw: what an IT kW for one slot is worth to other jobs, by the plan's headroom prices.
    :param charge_gbp_per_kw: the same with power, and carbon at its price: what the planner minimises.
    :param price_ends: lower and upper ends of the 90 % intervals of price; ``carbon_ends`` likewise.
    :param stress: of the grid, 0 to 1; NaN where it is not known.
    :param tick: that made the plan.
    """

    start: datetime
    site_ids: tuple[str, ...]
    sites: tuple[Site, ...]
    priced: BoolArray
    open_kw: FloatArray
    pue: FloatArray
    price: FloatArray
    carbon: FloatArray
    scarcity_gbp_per_kw: FloatArray
    charge_gbp_per_kw: FloatArray
    price_kind: KindArray
    carbon_kind: KindArray
    price_ends: tuple[FloatArray, FloatArray]
    carbon_ends: tuple[FloatArray, FloatArray]
    stress: FloatArray
    carbon_price_gbp_per_tonne: float
    tick: TickRecord

    @classmethod
    def of(cls, plan: StandingPlan, tick: TickRecord, week: Week, carbon_price_gbp_per_tonne: float) -> QuoteBook:
        """The book of the ``plan`` that ``tick`` made; beyond its horizon nothing is planned, and nothing is scarce.

        :param week: quoted from the plan's start on, for its horizon or longer.
        """
        sites, figures, stress = week
        rows = [figures.site_ids.index(site) for site in plan.site_ids]
        price, carbon, pue = (each[rows] for each in (figures.price_gbp_per_kwh, figures.carbon_g_per_kwh, figures.pue))
        room = figures.unsold_kw[rows]
        room[:, : plan.slots] = plan.room_kw
        scarcity = np.zeros_like(room)
        scarcity[:, : plan.slots] = plan.pue * plan.prices_gbp_per_kw_slot
        rate = price + carbon_price_gbp_per_tonne * carbon / 1e6
        known = np.isfinite(rate)
        return cls(
            start=plan.start,
            site_ids=plan.site_ids,
            sites=sites,
            priced=_fixed(np.asarray(known[:, : plan.slots].all(axis=1))),
            open_kw=_fixed(np.where(known, (room + TOLERANCE_KW) / pue, 0.0)),
            pue=_fixed(pue),
            price=_fixed(price),
            carbon=_fixed(carbon),
            scarcity_gbp_per_kw=_fixed(scarcity),
            charge_gbp_per_kw=_fixed(np.nan_to_num(pue * SLOT_HOURS * rate) + scarcity),
            price_kind=_fixed(figures.price_kind[rows]),
            carbon_kind=_fixed(figures.carbon_kind[rows]),
            price_ends=(_fixed(figures.price_low_gbp_per_kwh[rows]), _fixed(figures.price_high_gbp_per_kwh[rows])),
            carbon_ends=(_fixed(figures.carbon_low_g_per_kwh[rows]), _fixed(figures.carbon_high_g_per_kwh[rows])),
            stress=_fixed(_by_zone(stress, [figures.zones[row] for row in rows], figures.slots)),
            carbon_price_gbp_per_tonne=carbon_price_gbp_per_tonne,
            tick=tick,
        )

    @property
    def slots(self) -> int:
        """T."""
        return int(self.open_kw.shape[1])

    def rows(self, sites: Sequence[str]) -> IntArray:
        """Rows of those of ``sites`` that are priced."""
        known = zip(self.site_ids, self.priced.tolist(), strict=True)
        return np.array([row for row, (site, priced) in enumerate(known) if priced and site in sites], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Openings:
    """What the sites leave open to one job: (R, W) arrays over its sites and the slots ``[first, first + W)``.

    :param rows: (R,) rows of the book.
    :param kw: IT power that may be drawn; 0 where a limit of the job shuts the slot.
    :param charge: GBP per IT kW and slot.
    """

    rows: IntArray
    first: int
    kw: FloatArray
    charge: FloatArray

    @classmethod
    def of(cls, book: QuoteBook, job: Job, sites: Sequence[str], first: int, last: int) -> Openings:
        """The openings of ``job`` at ``sites`` in slots ``[first, last)`` of the book."""
        rows = book.rows(sites)
        cut = (rows, slice(first, max(first, last)))
        shut = np.zeros(book.price[cut].shape, dtype=np.bool_)
        for limit, figures in (
            (job.max_price_gbp_per_kwh, book.price),
            (job.carbon_cap_g_per_kwh, book.carbon),
        ):
            if limit is not None:
                shut |= ~(figures[cut] <= limit)
        return cls(rows, first, np.where(shut, 0.0, book.open_kw[cut]), book.charge_gbp_per_kw[cut])

    @property
    def slots(self) -> int:
        """W."""
        return int(self.kw.shape[1])


def _by_zone(stress: Mapping[str, Series], zones: Sequence[str], slots: int) -> FloatArray:
    unknown = np.full(slots, np.nan)
    return np.array([stress[zone].values if zone in stress else unknown for zone in zones]).reshape(len(zones), slots)


def _fixed(values: Array) -> Array:
    """``values``, which nobody can change from now on."""
    values.flags.writeable = False
    return values
