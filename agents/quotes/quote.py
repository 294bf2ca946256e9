"""A quote: what a job costs at best for each of several deadlines, and what patience saves against running now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from accounting.baselines import BaselineDemand, run_at_submission
from agents.quotes.book import Openings, QuoteBook
from agents.quotes.courses import Block, Course, Courses, Pausable, runs_of
from agents.quotes.throttling import Throttlable
from core.errors import InputError
from core.job import MAX_WINDOW, FlexibilityType, Job
from core.ledger import TickRecord
from core.series import FloatArray, Kind
from core.slots import SLOT, SLOT_HOURS, format_utc, slot_floor, slots_between

LADDER_H = (0, 1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 36, 48)
"""hours after the earliest finish for which a quote is given when no deadlines are named"""
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to run a job: where, when, and what it would cost.

    :param runs: ``(start, end, power_kw)``, IT power.
    :param energy_kwh: at the meter.
    :param cost_gbp: of that energy.
    :param pause_gbp: what its pauses cost its owner.
    :param carbon_gbp: its carbon at the operator's price, which the planner counts and nobody pays.
    :param scarcity_gbp: what the headroom it takes is worth to other jobs, likewise.
    :param kinds: of the figures that cost and carbon rest on, firmest first.
    :param stress: of the grid, 0 to 1, the highest while it runs; None where that is not known.

    The ends of the 90 % intervals hold if every slot errs the same way.
    """

    site_id: str
    start: datetime
    end: datetime
    runs: tuple[tuple[datetime, datetime, float], ...]
    energy_kwh: float
    cost_gbp: float
    pause_gbp: float
    carbon_kg: float
    carbon_gbp: float
    scarcity_gbp: float
    cost_low_gbp: float
    cost_high_gbp: float
    carbon_low_kg: float
    carbon_high_kg: float
    kinds: tuple[str, ...]
    stress: float | None

    @property
    def spent_gbp(self) -> float:
        """Power and pauses: what its owner pays."""
        return self.cost_gbp + self.pause_gbp

    @property
    def charge_gbp(self) -> float:
        """All four."""
        return self.spent_gbp + self.carbon_gbp + self.scarcity_gbp


@dataclass(frozen=True, slots=True)
class Point:
    """The best offer by one deadline; where there is none, ``reason`` and ``remedy`` say why and what to do.

    :param patience_h: hours from the finish of running now to the deadline, at least 0.
    :param saved_gbp: against running now, negative where that would be cheaper; None where either is not possible.
    """

    latest_finish: datetime
    patience_h: float
    offer: Offer | None
    saved_gbp: float | None
    saved_kg: float | None
    reason: str | None = None
    remedy: str | None = None

    @property
    def saved_gbp_per_h(self) -> float | None:
        """What an hour of patience saves on average; None where there is no patience."""
        return _per_hour(self.saved_gbp, self.patience_h)

    @property
    def saved_kg_per_h(self) -> float | None:
        """The same of carbon."""
        return _per_hour(self.saved_kg, self.patience_h)


@dataclass(frozen=True, slots=True)
class Quote:
    """What a job would cost at the figures of the plan in force; nothing is stored or promised.

    :param tick: that made the plan.
    :param now: running at once: at full power in the first slots in which the job fits as a block.
    :param points: one for each deadline, by rising deadline; an offer is never charged more than an earlier one.
    :param own: the point of the job's own deadline.
    """

    issued_at: datetime
    tick: TickRecord
    carbon_price_gbp_per_tonne: float
    now: Offer | None
    points: tuple[Point, ...]
    own: Point


def quote(
    job: Job,
    sites: Sequence[str],
    book: QuoteBook,
    issued_at: datetime,
    first_start: datetime,
    deadlines: Sequence[datetime] | None = None,
) -> Quote:
    """Price ``job`` at ``sites`` against ``book``.

    :param first_start: the first slot that can still be decided.
    :param deadlines: default: a ladder of hours from the earliest finish on, and the job's own deadline.
    :raises InputError: a deadline is further off than any job's may be.
    """
    for number, deadline in enumerate(deadlines or ()):
        if deadline > issued_at + MAX_WINDOW:
            raise InputError(
                f"the deadline {format_utc(deadline)} is more than {MAX_WINDOW.days} days from now",
                field=f"deadlines.{number}",
                value=format_utc(deadline),
                remedy=f"Choose one before {format_utc(slot_floor(issued_at + MAX_WINDOW))}.",
            )
    return _Quoting(job, sites, book, max(job.first_slot, first_start)).quote(issued_at, deadlines)


class _Quoting:
    """One job against one book."""

    def __init__(self, job: Job, sites: Sequence[str], book: QuoteBook, first_slot: datetime) -> None:
        self.job = job
        self.book = book
        self.sites = sites
        self.first = max(0, slots_between(book.start, first_slot))
        self.is_fixed = job.flexibility_type is FlexibilityType.FIXED
        self.courses = self._courses(job)
        self.now = self._at_once()
        earliest = self.courses.earliest_end
        self._soonest = self.now.end if self.now is not None else None if earliest is None else self._at(earliest)
        self._offers: dict[Course, Offer] = {}

    def quote(self, issued_at: datetime, deadlines: Sequence[datetime] | None) -> Quote:
        own = self.job.latest_finish
        asked = {*(self._ladder(issued_at) if deadlines is None else deadlines), own}
        points = {point.latest_finish: point for point in self._points(sorted(asked))}
        wanted = points if deadlines is None else sorted(set(deadlines))
        return Quote(
            issued_at=issued_at,
            tick=self.book.tick,
            carbon_price_gbp_per_tonne=self.book.carbon_price_gbp_per_tonne,
            now=self.now,
            points=tuple(points[deadline] for deadline in wanted),
            own=points[own],
        )

    def _points(self, deadlines: Sequence[datetime]) -> list[Point]:
        courses = self.courses.best([self._slot(deadline) for deadline in deadlines])
        return [self._point(deadline, course) for deadline, course in zip(deadlines, courses, strict=True)]

    def _ladder(self, issued_at: datetime) -> list[datetime]:
        """Deadlines that show what patience is worth: none where the job cannot run, one where it cannot wait."""
        earliest = self.courses.earliest_end
        if earliest is None:
            return []
        end = min(self._at(self.book.slots), slot_floor(issued_at + MAX_WINDOW))
        ladder = (self._at(earliest) + HOUR * hours for hours in (LADDER_H[:1] if self.is_fixed else LADDER_H))
        return [each for each in ladder if each <= end and each != self.job.window_end]

    def _courses(self, job: Job) -> Courses:
        last = min(self.book.slots, self.first + job.work_slots) if self.is_fixed else self.book.slots
        openings = Openings.of(self.book, job, self.sites, self.first, last)
        if job.levels:
            return Throttlable(openings, job.levels, job.work_slots)
        if job.flexibility_type is FlexibilityType.PAUSABLE:
            return Pausable(openings, job.power_kw, job.work_slots, job.pause_cost_gbp)
        return Block(openings, job.power_kw, job.work_slots)

    def _at_once(self) -> Offer | None:
        rows = tuple(self.book.rows(self.sites).tolist())
        asked = BaselineDemand(self.job.job_id, rows, self.first, self.job.work_slots, self.job.power_kw)
        placed = run_at_submission([asked], self.book.open_kw * self.book.pue, self.book.pue)[0]
        if placed.site_index is None or placed.start_slot is None:
            return None
        power = np.zeros(placed.start_slot + self.job.work_slots)
        power[placed.start_slot :] = self.job.power_kw
        return self._offer(placed.site_index, power)

    def _point(self, deadline: datetime, course: Course | None) -> Point:
        if course is None:
            return Point(deadline, self._patience_h(deadline), None, None, None, *self._refusal(deadline))
        if course not in self._offers:
            self._offers[course] = self._offer(course.row, course.power_kw)
        offer, now = self._offers[course], self.now
        saved = (None, None) if now is None else (now.spent_gbp - offer.spent_gbp, now.carbon_kg - offer.carbon_kg)
        return Point(deadline, self._patience_h(deadline), offer, *saved)

    def _patience_h(self, deadline: datetime) -> float:
        return 0.0 if self._soonest is None else max(0.0, (deadline - self._soonest) / HOUR)

    def _refusal(self, deadline: datetime) -> tuple[str, str]:
        """Why the job cannot end by ``deadline``, and what to do."""
        job, first, earliest = self.job, self._at(self.first), self.courses.earliest_end
        needed = first + SLOT * fewest_slots(job)
        if not self.book.rows(self.sites).size:
            return (
                "none of its sites has a price and a carbon figure",
                "Allow other regions, or wait for the feeds: /health says which are missing.",
            )
        if deadline < needed:
            return (
                f"{job.duration_hours:g} h from {format_utc(first)} on end after {format_utc(deadline)}",
                f"Choose a deadline at or after {format_utc(needed)}, or a shorter duration.",
            )
        if earliest is not None:
            caps = (job.max_price_gbp_per_kwh, job.carbon_cap_g_per_kwh)
            within = "" if caps == (None, None) else " within its price and carbon caps"
            return (
                f"no site has room enough{within} by then",
                f"Choose a deadline at or after {format_utc(self._at(earliest))}.",
            )
        free = job.model_copy(update={"max_price_gbp_per_kwh": None, "carbon_cap_g_per_kwh": None})
        if self._courses(free).earliest_end is not None:
            return (
                "no site has enough half-hours within its price and carbon caps",
                "Raise max_price_gbp_per_kwh or carbon_cap_g_per_kwh, or leave them out.",
            )
        if self.is_fixed:
            return f"no site has room for it from {format_utc(first)} on", "Make it deferrable, so that it can wait."
        return (
            "no site has enough headroom left",
            "Ask for less power or less time, allow more regions, or let it pause or throttle.",
        )

    def _offer(self, row: int, power_kw: FloatArray) -> Offer:
        """A profile (T or shorter) at a site, with its worth."""
        book, used, runs = self.book, np.flatnonzero(power_kw), runs_of(power_kw)
        pauses = len(runs) - 1 if self.job.flexibility_type is FlexibilityType.PAUSABLE else 0
        cut = (row, used)
        energy = power_kw[used] * book.pue[cut] * SLOT_HOURS
        carbon_kg = float(energy @ book.carbon[cut]) / 1000
        codes = {*book.price_kind[cut].tolist(), *book.carbon_kind[cut].tolist()}
        stress = book.stress[cut][np.isfinite(book.stress[cut])]
        return Offer(
            site_id=book.site_ids[row],
            start=self._at(int(used[0])),
            end=self._at(int(used[-1]) + 1),
            runs=tuple((self._at(a), self._at(b), power) for a, b, power in runs),
            energy_kwh=float(energy.sum()),
            cost_gbp=float(energy @ book.price[cut]),
            pause_gbp=self.job.pause_cost_gbp * pauses,
            carbon_kg=carbon_kg,
            carbon_gbp=carbon_kg * book.carbon_price_gbp_per_tonne / 1000,
            scarcity_gbp=float(power_kw[used] @ book.scarcity_gbp_per_kw[cut]),
            cost_low_gbp=float(energy @ book.price_ends[0][cut]),
            cost_high_gbp=float(energy @ book.price_ends[1][cut]),
            carbon_low_kg=float(energy @ book.carbon_ends[0][cut]) / 1000,
            carbon_high_kg=float(energy @ book.carbon_ends[1][cut]) / 1000,
            kinds=tuple(Kind(code).label for code in sorted(codes)),
            stress=float(stress.max()) if stress.size else None,
        )

    def _slot(self, deadline: datetime) -> int:
        return slots_between(self.book.start, slot_floor(deadline))

    def _at(self, slot: int) -> datetime:
        return self.book.start + SLOT * slot


def fewest_slots(job: Job) -> int:
    """Slots that the job takes at least."""
    most_work = job.levels[-1].work_per_slot if job.levels else 1.0
    return max(1, math.ceil(job.work_slots / most_work - 1e-9))


def _per_hour(saved: float | None, hours: float) -> float | None:
    return None if saved is None or hours <= 0 else saved / hours
