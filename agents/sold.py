"""What is sold of the sites: bookings and reductions, laid over what is quoted for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from agents.proposal import Figures, booked_kw, capped_kw, drawn_kw
from core.instance import Instance
from core.ledger import Booking
from core.market import TOLERANCE_KW
from core.plan import Plan
from core.slots import SLOT, format_utc
from core.trade import Reduction
from store.bookings import BookingRepository
from store.reductions import ReductionRepository


@dataclass(frozen=True, slots=True)
class Sold:
    """Knows what is sold at present; it is read from the store at each question."""

    bookings: BookingRepository
    reductions: ReductionRepository

    def within(self, start: datetime, slots: int) -> tuple[Sequence[Booking], Sequence[Reduction]]:
        """Active bookings and reductions of ``slots`` half-hours from ``start``."""
        end = start + SLOT * slots
        return self.bookings.active(start, end), self.reductions.active(start, end)

    def beside(self, figures: Figures) -> Figures:
        """The same quotes beside what is sold now."""
        bookings, reductions = self.within(figures.start, figures.slots)
        return replace(figures, sold_kw=booked_kw(bookings, figures), cap_kw=capped_kw(reductions, figures))


def overdrawn(figures: Figures, instance: Instance, plan: Plan) -> str | None:
    """Where ``plan`` draws more than may be planned beside what is sold in ``figures``; None where it fits.

    What is frozen in ``instance`` always fits: the site has promised it.
    """
    drawn = drawn_kw(plan.assignments, figures)
    allowed = np.maximum(figures.unsold_kw, drawn_kw(instance.frozen, figures))
    over = drawn - allowed
    if not (over > TOLERANCE_KW).any():
        return None
    site, slot = np.unravel_index(int(np.argmax(over)), over.shape)
    return (
        f"{figures.site_ids[site]} may draw {allowed[site, slot]:.1f} kW for jobs at "
        f"{format_utc(figures.start + SLOT * int(slot))}, the plan draws {drawn[site, slot]:.1f} kW"
    )
