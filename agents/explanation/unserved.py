"""Jobs without a place: why, the least change that would give them one, and when there is room for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from agents.explanation.changes import Later, all_changes
from agents.explanation.choice import by_row, span, told
from agents.explanation.courses import Courses, Pricing
from agents.explanation.grid import Grid, Room, Scarcity
from agents.explanation.reasons import Reasons
from agents.explanation.search import Offer, Search, placed, works
from agents.explanation.wants import Wants
from core.explanation import Eta, Explanation, Reject, SiteOption
from core.plan import CounterOffer
from core.series import BoolArray, IntArray
from core.slots import SLOTS_PER_DAY

MOST_OFFERS = 4
MOST_PAIRED = 50
"""of the jobs asked about at once, pairs of changes are sought for so many, those dearest to leave out first"""
MISSED = "there is room for it, but the negotiation ended before it was placed"
NEVER = "no site that it may use has room for it within its limits, not even a day beyond the plan"
TOO_DEAR = "there is room for it in its window, but it costs more than its tier pays"


class Refusal(NamedTuple):
    """Why a job has no place, and what would give it one."""

    reason: str
    offers: tuple[CounterOffer, ...]


class Gang(NamedTuple):
    """A gang as one of its members sees it: the ids and wants of the others."""

    name: str
    mates: Sequence[str]
    wants: Wants


class Bonds(NamedTuple):
    """What ties rows to other jobs: a job without a place that a row comes after, and its gang."""

    waits_for: Mapping[int, str]
    gang: Mapping[int, Gang]


@dataclass(frozen=True, slots=True)
class Unserved:
    """Explains the jobs ``wants`` (n rows) that a plan leaves out.

    :param room: what the plan leaves.
    :param not_before: (J,) when those that each job of the instance comes after have ended.
    """

    grid: Grid
    prices: Scarcity
    room: Room
    not_before: IntArray
    wants: Wants
    bonds: Bonds
    _left: Pricing = field(init=False)
    _empty: Pricing = field(init=False)
    _alone: Courses = field(init=False)
    _fitting: Courses = field(init=False)

    def __post_init__(self) -> None:
        plain = Scarcity.none(self.grid)
        object.__setattr__(self, "_left", Pricing(self.grid, plain, self.room))
        object.__setattr__(self, "_empty", Pricing(self.grid, plain, Room.empty(self.grid)))
        fitting, alone = placed(self._left, self.wants), placed(self._empty, self.wants)
        more_room = np.flatnonzero(fitting.counted_gbp < alone.counted_gbp)
        alone.put(more_room, fitting.take(more_room))  # a battery's discharge can make more room than a site has
        object.__setattr__(self, "_alone", alone)
        object.__setattr__(self, "_fitting", fitting)

    def refused(self, most_sought: int | None = None) -> list[Refusal]:
        """Reason and counter-offers of each row; changes are sought for ``most_sought``, dearest to leave out first."""
        reasons, offers = self._reasons(), self._offers(most_sought)
        shown = [tuple(self._told(row, offer) for offer in offers.get(row, ())) for row in range(len(reasons))]
        return [Refusal(reason, some[:MOST_OFFERS]) for reason, some in zip(reasons, shown, strict=True)]

    def explained(self, job_ids: Sequence[str]) -> list[Explanation]:
        """One explanation for each row."""
        rows = zip(job_ids, self.refused(), self._sites(), self.etas(), strict=True)
        return [
            Explanation(
                job=job_id,
                chosen=None,
                sites=options,
                reason=why.reason,
                offers=why.offers,
                eta=eta if isinstance(eta, Eta) else None,
                eta_reason="" if isinstance(eta, Eta) else eta,
            )
            for job_id, why, options, eta in rows
        ]

    def etas(self) -> list[Eta | str]:
        """When there is room for each row, its deadline aside; or why there is none."""
        etas: list[Eta | str] = [NEVER] * len(self.wants)
        here = self._eta(self.grid, self._fitting, beyond=False)
        for row in range(len(etas)):
            if tied := self._tied(row):
                etas[row] = tied
            elif self._fitting.found[row]:
                etas[row] = here[row] if self._works[row] else TOO_DEAR
        waiting = np.array([row for row, eta in enumerate(etas) if eta == NEVER], dtype=np.int64)
        etas = self._with_later(etas, waiting, self._left, beyond=False)
        waiting = np.array([row for row, eta in enumerate(etas) if eta == NEVER], dtype=np.int64)
        grid = self.grid.extended(SLOTS_PER_DAY + int(self.wants.least_slots.max(initial=0)))
        return self._with_later(
            etas, waiting, Pricing(grid, Scarcity.none(grid), self.room.extended(grid)), beyond=True
        )

    @property
    def _works(self) -> BoolArray:
        """(n,) there is room that is worth it, but for what ties the job to others."""
        return works(self.wants, self._fitting)

    def _reasons(self) -> list[str]:
        alone = Reasons(self.wants, self._left, self._fitting, self._empty, self._alone).told()
        return [self._tied(row) or reason or MISSED for row, reason in enumerate(alone)]

    def _tied(self, row: int) -> str:
        """What keeps out a job that other jobs keep out; empty for all others."""
        if row in self.bonds.waits_for:
            return f"it comes after {self.bonds.waits_for[row]}, which has no place in the plan"
        if row not in self.bonds.gang or not self._works[row]:
            return ""
        name, mates, wants = self.bonds.gang[row]
        lacking = np.flatnonzero(~works(wants, placed(self._left, wants)))
        why = f"{mates[lacking[0]]} has no place" if lacking.size else "there is no room for all of it at once"
        return f"its gang {name} is served whole or not at all, and {why}"

    def _offers(self, most_sought: int | None) -> dict[int, list[Offer]]:
        """Changes by row, cheapest first: single ones, or pairs where none of those suffices."""
        asked = np.setdiff1d(np.flatnonzero(~self._works), list(self.bonds.waits_for))
        asked = asked[np.argsort(-self.wants.penalty_gbp[asked], kind="stable")][:most_sought]
        changes = all_changes(self.grid, self.not_before)
        found = self._holding(asked, Search(self._left, changes, self.wants.take(asked)).singles())
        without = np.array([row for row in asked.tolist() if row not in found], dtype=np.int64)[:MOST_PAIRED]
        return found | self._holding(without, Search(self._left, changes, self.wants.take(without)).pairs())

    def _holding(self, rows: IntArray, offers: Sequence[Offer]) -> dict[int, list[Offer]]:
        """Offers by row of this batch, cheapest first; those of a gang only where the rest of it has a place too."""
        found: dict[int, list[Offer]] = {}
        for offer in sorted(offers, key=lambda offer: offer.counted_gbp):
            row = int(rows[offer.row])
            if row not in self.bonds.gang or self._gang_holds(self.bonds.gang[row], offer):
                found.setdefault(row, []).append(offer)
        return found

    def _gang_holds(self, gang: Gang, offer: Offer) -> bool:
        """Whether the gang's other members fit beside the changed job, placed one after another."""
        room = self._less(self.room, offer.made.after, offer.made.course)
        for number in range(len(gang.mates)):
            mate = gang.wants.take(np.array([number]))
            course = placed(Pricing(self.grid, self._left.prices, room), mate)
            if not works(mate, course)[0]:
                return False
            room = self._less(room, mate, course)
        return True

    def _less(self, room: Room, wants: Wants, course: Courses) -> Room:
        """The room that the one course leaves."""
        where = int(course.site[0]), course.power_kw[0], int(wants.hardware[0]), int(wants.tenant[0])
        return room.less(self.grid, *where)

    def _told(self, row: int, offer: Offer) -> CounterOffer:
        course, own = offer.made.course, self._alone.take(np.array([row]))
        first, last = span(course.power_kw > 0)
        extra = [
            float(getattr(course, name)[0] - (getattr(own, name)[0] if own.found[0] else 0.0))
            for name in ("counted_gbp", "cost_gbp", "carbon_kg")
        ]
        return CounterOffer(
            change=offer.words,
            extra_gbp=max(0.0, extra[0]),
            extra_cost_gbp=extra[1],
            extra_carbon_kg=extra[2],
            site=self.grid.site_ids[course.site[0]],
            start_slot=int(first[0]),
            end_slot=int(last[0]),
        )

    def _sites(self) -> list[tuple[SiteOption, ...]]:
        """Each allowed site's best course at the final prices, and why it was not to be had."""
        row, site = np.nonzero(self.wants.sites)
        asked = self.wants.take(row)
        ideal = Pricing(self.grid, self.prices, Room.empty(self.grid)).best(asked, site)
        there = self._left.best(asked, site)
        why = np.array([Reject.NO_HEADROOM] * len(row), dtype=object)
        why[there.found] = Reject.NOT_WORTH
        why[works(asked, there)] = Reject.OVERLOOKED
        why[~ideal.found] = Reject.LIMITS
        names = [self.grid.site_ids[number] for number in site.tolist()]
        return by_row(row, list(map(SiteOption, names, told(self.grid, ideal), why)), len(self.wants))

    def _with_later(self, etas: list[Eta | str], rows: IntArray, pricing: Pricing, *, beyond: bool) -> list[Eta | str]:
        """``etas`` with the times at which a later deadline lets ``rows`` in."""
        found = list(etas)
        for offer in Search(pricing, [Later(pricing.grid.slots)], self.wants.take(rows)).singles():
            found[rows[offer.row]] = self._eta(pricing.grid, offer.made.course, beyond=beyond)[0]
        return found

    def _eta(self, grid: Grid, courses: Courses, *, beyond: bool) -> list[Eta]:
        first, last = span(courses.power_kw > 0)
        columns = (courses.site.tolist(), first.tolist(), last.tolist())
        return [Eta(grid.site_ids[site], start, end, beyond) for site, start, end in zip(*columns, strict=True)]
