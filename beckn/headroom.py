"""Free headroom: what of the standing plan may still be sold, whoever sells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agents.standing import StandingPlan
from core.ledger import Booking
from core.series import BoolArray, FloatArray
from core.slots import SLOT, slots_between
from core.trade import Reduction


@dataclass(frozen=True, slots=True)
class Headroom:
    """(S, T) arrays over the standing plan's sites and slots.

    :param free_kw: what may be sold in whole kW: headroom less plan, room kept and bookings. 0 in slots that have
        begun, where price or carbon is not known, and where a contract moves load away: a buyer's load there would undo
        what was sold.
    :param booked: cells that a booking holds something of.
    """

    free_kw: FloatArray
    booked: BoolArray

    @classmethod
    def of(
        cls, plan: StandingPlan, bookings: Sequence[Booking], reductions: Sequence[Reduction], now: datetime
    ) -> Headroom:
        """What is free at ``now`` beside active bookings and reductions, those of other sites and slots left aside."""
        power, booked = _booked(plan, bookings)
        free = np.floor(plan.headroom_kw - plan.planned_kw - plan.reserved_kw - power + 1e-9)
        begun = np.arange(plan.slots) <= (now - plan.start) / SLOT
        closed = _reduced(plan, reductions) | begun[np.newaxis, :] | ~np.isfinite(plan.price + plan.carbon)
        return cls(np.where(closed, 0.0, np.maximum(free, 0.0)), booked)


def owed_kw(plan: StandingPlan, reductions: Iterable[Reduction]) -> list[tuple[int, int, float]]:
    """Row, slot and kW of what is planned above the least cap there."""
    caps: dict[tuple[int, int], float] = {}
    for reduction in reductions:
        column = slots_between(plan.start, reduction.starts)
        if reduction.site_id in plan.site_ids and 0 <= column < plan.slots:
            cell = plan.site_ids.index(reduction.site_id), column
            caps[cell] = min(caps.get(cell, np.inf), reduction.cap_kw)
    return [(*cell, max(0.0, float(plan.planned_kw[cell]) - cap)) for cell, cap in caps.items()]


def _booked(plan: StandingPlan, bookings: Sequence[Booking]) -> tuple[FloatArray, BoolArray]:
    """Power (S, T) held by bookings, and the cells (S, T) that are booked."""
    shape = len(plan.site_ids), plan.slots
    power, taken = np.zeros(shape), np.zeros(shape, np.bool_)
    row_of = {site_id: row for row, site_id in enumerate(plan.site_ids)}
    for booking in bookings:
        first, last = (max(0, slots_between(plan.start, at)) for at in (booking.start, booking.end))
        if booking.site_id in row_of:
            cells = row_of[booking.site_id], slice(first, last)
            power[cells] += booking.power_kw
            taken[cells] = True
    return power, taken


def _reduced(plan: StandingPlan, reductions: Sequence[Reduction]) -> BoolArray:
    """(S, T): the cells that load is moved away from."""
    reduced = np.zeros((len(plan.site_ids), plan.slots), np.bool_)
    row_of = {site_id: row for row, site_id in enumerate(plan.site_ids)}
    for reduction in reductions:
        slot = slots_between(plan.start, reduction.starts)
        if reduction.site_id in row_of and 0 <= slot < plan.slots:
            reduced[row_of[reduction.site_id], slot] = True
    return reduced
