"""Explanations: why a job runs where and when it does, what its conditions cost it, what else it could have had.

Read off a plan and its prices (docs/planner.md). Slots are those of the instance; ``end_slot`` is exclusive. Money is
what is paid: energy, pauses, migration and moves. Carbon at the carbon price and scarcity are counted when courses
are compared, and nobody is charged them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from core.plan import CounterOffer


class Reject(StrEnum):
    """Why a site's best course was not taken."""

    DEARER = "dearer"
    """its cost, with scarcity counted or without, is higher"""
    NO_WHOLE_HEADROOM = "no_whole_headroom"
    """it is cheaper at the final prices, but the plan has no whole course of headroom left for it"""
    NO_HEADROOM = "no_headroom"
    """of a job that is not served: what is left at the site does not hold it in its window"""
    LIMITS = "limits"
    """no course there keeps the job's own limits and those of the site, even without other jobs"""
    NOT_WORTH = "not_worth"
    """of a job that is not served: there is room, but it costs more than leaving the job out"""
    OVERLOOKED = "overlooked"
    """it fits and is cheaper: the search ended before it found it; the plan's gap says how much that can matter"""


class PricedCourse(NamedTuple):
    """One way to run a job, with what it costs, each part apart.

    :param cost_gbp: money for energy and fees (pauses, migration, a move).
    :param carbon_gbp: carbon at the carbon price.
    :param headroom_gbp: headroom used, at its price; ``hardware_gbp`` and ``caps_gbp`` likewise for hardware and for
        room under carbon caps.
    """

    site: str
    start_slot: int
    end_slot: int
    pauses: int
    energy_kwh: float
    cost_gbp: float
    carbon_kg: float
    carbon_gbp: float
    headroom_gbp: float
    hardware_gbp: float
    caps_gbp: float

    @property
    def scarcity_gbp(self) -> float:
        """What the course takes from others, at the final prices."""
        return self.headroom_gbp + self.hardware_gbp + self.caps_gbp

    @property
    def counted_gbp(self) -> float:
        """What the plan's objective counts: money and carbon."""
        return self.cost_gbp + self.carbon_gbp

    @property
    def priced_gbp(self) -> float:
        """What the job compared: money, carbon and scarcity."""
        return self.counted_gbp + self.scarcity_gbp


class SiteOption(NamedTuple):
    """A course at a site that might have been taken, None where no course there keeps the job's limits.

    ``reject`` says why it was not; None for the chosen one.
    """

    site: str
    course: PricedCourse | None
    reject: Reject | None


class Lift(NamedTuple):
    """What one condition costs the job: its best course at the final prices without it, against that with it.

    :param constraint: the condition's name; ``change`` says in words how it was lifted.
    :param saving_gbp: everything counted, never negative; ``saving_cost_gbp`` is its part in money and
        ``saving_kg`` the carbon, either of which may be negative.
    """

    constraint: str
    change: str
    saving_gbp: float
    saving_cost_gbp: float
    saving_kg: float


class Contested(NamedTuple):
    """A slot that the job holds and others want: the price of an IT kW there for the slot, and what its kW are worth.

    Headroom and hardware together.
    """

    slot: int
    price_gbp_per_kw_slot: float
    worth_gbp: float


class Eta(NamedTuple):
    """When a waiting job could run in what the plan leaves, its deadline aside.

    :param beyond_horizon: no room within the plan; this rests on headroom as it is on the plan's last day.
    """

    site: str
    start_slot: int
    end_slot: int
    beyond_horizon: bool


class Share(NamedTuple):
    """How a job's tenant stands where more is asked for than there is, in the resource where it is furthest beyond.

    :param asked: share of the resource that all of its jobs ask for, which may be above 1; ``due`` what it is due.
    :param site: whose room that is, for some slots from ``slot`` on.
    :param factor: what leaving the job out counted for, above its energy, of what its tier says.
    """

    asked: float
    due: float
    site: str
    slot: int
    factor: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """All there is to say about one job's place in a plan.

    :param chosen: what it does; None when it is not served.
    :param frozen: it has begun and may not move, so nothing was chosen.
    :param sites: best course at every allowed site at the final prices, the chosen one first, then the cheapest.
    :param next_here: the next best window at the chosen site, a few slots away; ``next_best`` that at any site.
    :param run_now: straight through from its earliest start, at the cheapest allowed site that has room or, where none
        has (``run_now_fits`` is False), at the cheapest.
    :param lifts: what each of its conditions costs it.
    :param contested: the scarce slots that it holds.
    :param reason: why it is not served, empty when it is; ``offers`` what would make it possible, cheapest first.
    :param share: why others came first: its tenant is beyond its share; None where it is not.
    :param eta: when what the plan leaves could hold it; None when it is served, and where ``eta_reason`` says why.
    """

    job: str
    chosen: PricedCourse | None
    frozen: bool = False
    sites: tuple[SiteOption, ...] = ()
    next_here: SiteOption | None = None
    next_best: SiteOption | None = None
    run_now: PricedCourse | None = None
    run_now_fits: bool = False
    lifts: tuple[Lift, ...] = ()
    contested: tuple[Contested, ...] = ()
    reason: str = ""
    offers: tuple[CounterOffer, ...] = ()
    eta: Eta | None = None
    eta_reason: str = ""
    share: Share | None = None
