"""The load that may be moved away from each half-hour of the plan in force, and at what price it would be offered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np

from agents.flexibility.moves import Seats, price_of
from agents.flexibility.present import Present
from agents.standing import StandingPlan
from core.series import BoolArray, FloatArray, IntArray, Kind
from core.slots import SLOT, SLOT_HOURS, slots_between


class Step(NamedTuple):
    """So many more kW at the meter leave the half-hour at this price or a higher one."""

    price_gbp_per_kwh: float
    kw: float


@dataclass(frozen=True, slots=True)
class MovableLoad:
    """(S, T) over the standing plan's sites and slots; powers in kW at the meter, what jobs draw.

    Each cell is for itself: what it says holds where load leaves that half-hour alone. A block that runs for hours
    moves as a whole and is charged as a whole to the half-hour that it leaves, so a longer event costs less for each
    kWh than its half-hours say; :meth:`bid_curve` counts an event together, and a firm price is had from two plans.

    :param fixed_kw: what has begun and cannot pause.
    :param movable_kw: what of the rest has another course within its window and its limits, beside all the others, all
        of it together: never more than is planned, nor than there is room for elsewhere.
    :param price_gbp_per_kwh: mean extra cost for each kWh moved away, at the prices of the plan: energy, carbon at its
        price, scarcity, pauses and the move, less what is saved. Each move counts nought at least. NaN: nothing moves.
    :param carbon_kg_per_kwh: what is emitted more for each kWh moved away, negative where less; NaN likewise.
    :param confidence: share of ``movable_kw`` whose other course also leaves alone the room kept for load that is
        expected, so that it is still there when that load arrives; 0 where nothing moves. Headroom is counted at the
        upper end of the own load's 90 % interval in either case. No discount is made for simulated figures.
    :param simulated: whether price or carbon of the cell is simulated.
    """

    tick_id: str
    start: datetime
    slots: int
    site_ids: tuple[str, ...]
    planned_kw: FloatArray
    fixed_kw: FloatArray
    movable_kw: FloatArray
    price_gbp_per_kwh: FloatArray
    carbon_kg_per_kwh: FloatArray
    confidence: FloatArray
    simulated: BoolArray
    present: Present = field(repr=False)
    seats: Seats = field(repr=False)

    @classmethod
    def of(cls, present: Present, standing: StandingPlan) -> MovableLoad:
        """What may be moved in the plan in force."""
        sites = [site.id for site in present.instance.sites]
        row = np.array([standing.site_ids.index(site) for site in sites], dtype=np.int64)
        seats = Seats.of(present, standing.reserved_kw[row])
        every = seats.from_each()
        moves = every.where(every.possible)
        cell = row[moves.site] * standing.slots + moves.slot

        def total(worth: FloatArray) -> FloatArray:
            sums = np.bincount(cell, worth, minlength=standing.planned_kw.size)
            return np.asarray(sums.reshape(standing.planned_kw.shape), dtype=np.float64)

        movable = total(moves.kw)
        planned, fixed = present.drawn_kw, present.frozen_kw
        some = movable > 0
        kwh = np.where(some, movable * SLOT_HOURS, np.nan)
        return cls(
            tick_id=present.tick_id,
            start=standing.start,
            slots=standing.slots,
            site_ids=standing.site_ids,
            planned_kw=planned,
            fixed_kw=fixed,
            movable_kw=np.minimum(movable, np.maximum(0.0, planned - fixed)),
            price_gbp_per_kwh=total(np.maximum(0.0, moves.extra_gbp)) / kwh,
            carbon_kg_per_kwh=total(moves.extra_kg) / kwh,
            confidence=np.divide(total(moves.kw * moves.beside), movable, out=np.zeros_like(movable), where=some),
            simulated=(standing.price_kind == Kind.SIMULATED) | (standing.carbon_kind == Kind.SIMULATED),
            present=present,
            seats=seats,
        )

    def shut(self, site_ids: Collection[str], starts: Collection[datetime]) -> BoolArray:
        """(S', T) over the instance's sites: the cells of an event; those that the plan does not have are left out."""
        sites = [site.id in site_ids for site in self.present.instance.sites]
        slots = np.zeros(self.slots, dtype=np.bool_)
        for start in starts:
            slot = slots_between(self.start, start)
            if self.present.first <= slot < self.slots and self.start + SLOT * slot == start:
                slots[slot] = True
        return np.asarray(np.array(sites, dtype=np.bool_)[:, None] & slots)

    def bid_curve(
        self, site_ids: Collection[str], starts: Collection[datetime], max_kw: float
    ) -> dict[datetime, list[Step]]:
        """For each half-hour of an event the steps at which load would leave it, the cheapest first, prices rising.

        Load leaves all cells of the event together: none of it goes from one half-hour or site of it to another. The
        steps of one half-hour add up to ``max_kw`` at most; an empty list says that nothing can leave it.
        """
        every = self.seats.from_all(self.shut(site_ids, starts))
        moves = every.where(every.possible)
        price, kw = price_of(moves), moves.kw
        found: dict[datetime, list[Step]] = {}
        for start in sorted(starts):
            (here,) = np.nonzero(moves.slot == slots_between(self.start, start))
            found[start] = _steps(price[here], kw[here], max_kw)
        return found


def _steps(price: FloatArray, kw: FloatArray, max_kw: float) -> list[Step]:
    """Steps in order of price, those of one price together, ``max_kw`` at most in all."""
    order: IntArray = np.argsort(price, kind="stable")
    steps: list[Step] = []
    left = max_kw
    for at, power in zip(np.round(price[order], 6).tolist(), kw[order].tolist(), strict=True):
        taken = min(power, left)
        if taken <= 0:
            break
        left -= taken
        if steps and steps[-1].price_gbp_per_kwh == at:
            taken += steps.pop().kw
        steps.append(Step(at, taken))
    return steps
