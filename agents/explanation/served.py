"""Served jobs: why here, why then, and what each condition costs, at the final prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from agents.explanation.choice import Best, by_row, cheapest_of, floors, rank, span, told
from agents.explanation.conditions import Condition, conditions, deadlines
from agents.explanation.courses import Courses, Pricing
from agents.explanation.grid import Grid, Room, Scarcity
from agents.explanation.wants import NONE, Wants
from core.explanation import Contested, Explanation, Lift, PricedCourse, Reject, SiteOption
from core.series import BoolArray, FloatArray, IntArray

APART = 4
"""slots by which another window differs at least"""
MOST_CONTESTED = 6
LEAST_GBP = 1e-9


class Chosen(NamedTuple):
    """What n jobs do: site (n,) and IT power (n, T); and their planned courses, site NONE where they have none."""

    site: IntArray
    power_kw: FloatArray
    planned_site: IntArray
    planned_kw: FloatArray


@dataclass(frozen=True, slots=True)
class Served:
    """Explains the jobs ``wants`` (n rows) that run as ``chosen``.

    :param room: what the plan leaves.
    :param own_first: (J,) when each job of the instance may start, those before it aside.
    """

    grid: Grid
    prices: Scarcity
    room: Room
    own_first: IntArray
    wants: Wants
    chosen: Chosen
    _priced: Pricing = field(init=False)
    _left: Pricing = field(init=False)
    _taken: Courses = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_priced", Pricing(self.grid, self.prices, Room.empty(self.grid)))
        object.__setattr__(self, "_left", Pricing(self.grid, self.prices, self.room))
        object.__setattr__(self, "_taken", self._chosen_courses())

    def explained(self, job_ids: Sequence[str]) -> list[Explanation]:
        """One explanation for each row."""
        row, site = np.nonzero(self.wants.sites)
        here, apart = self._answers(row, site)
        sites, next_here = self._listed(row, site, here), self._other_windows(apart)
        now, now_fits = self._run_now()
        lifts = self._lifts(cheapest_of(row, here, here.priced_gbp))
        columns = (told(self.grid, self._taken), sites, next_here, now, now_fits, lifts, self._contested())
        return [
            Explanation(
                job=job_id,
                chosen=course,
                sites=options,
                next_here=window,
                next_best=_next_best(options, window),
                run_now=at_once,
                run_now_fits=fits,
                lifts=tuple(costs),
                contested=contested,
            )
            for job_id, course, options, window, at_once, fits, costs, contested in zip(job_ids, *columns, strict=True)
        ]

    def kept(self, job_ids: Sequence[str]) -> list[Explanation]:
        """One explanation for each row that has begun and may not move."""
        courses = zip(job_ids, told(self.grid, self._taken), self._contested(), strict=True)
        return [Explanation(job, course, frozen=True, contested=contested) for job, course, contested in courses]

    def _chosen_courses(self) -> Courses:
        """What the jobs do; where that is the planned course it is no move."""
        taken = self._priced.worth(self.wants, self.chosen.site, self.chosen.power_kw)
        same = np.isclose(self.chosen.power_kw, self.chosen.planned_kw).all(axis=1)
        stays = same & (self.chosen.site == self.chosen.planned_site)
        taken.fees_gbp[stays] -= self.wants.move_gbp[stays]
        return taken

    def _answers(self, row: IntArray, site: IntArray) -> tuple[Courses, Best]:
        """The best course of each ``row`` at its ``site``, and of every row in another window at the chosen site.

        Another window starts a while later, or ends a while earlier. Asked for together, because that is quicker.
        """
        count = len(self.wants)
        start, end = span(self._taken.power_kw > 0)
        apart = Wants.join([self.wants.with_(first=start + APART), self.wants.with_(last=end - APART)])
        roomy = np.flatnonzero(apart.last - apart.first >= apart.least_slots)
        asked = Wants.join([self.wants.take(row), apart.take(roomy)])
        answers = self._priced.best(asked, np.concatenate([site, np.tile(self.chosen.site, 2)[roomy]]))
        others = answers.take(np.arange(len(row), len(answers)))
        here = self._with_standing(row, site, answers.take(np.arange(len(row))))
        return here, cheapest_of(roomy % count, others, others.priced_gbp)

    def _with_standing(self, row: IntArray, site: IntArray, here: Courses) -> Courses:
        """``here`` with planned and chosen courses where they are better: they may cost no move."""
        planned = np.flatnonzero((self.chosen.planned_site[row] == site) & (self.wants.move_gbp[row] > 0))
        stay = self._priced.worth(self.wants.take(row[planned]), site[planned], self.chosen.planned_kw[row[planned]])
        stay.fees_gbp[:] -= self.wants.move_gbp[row[planned]]
        own = np.flatnonzero(self.chosen.site[row] == site)
        for rows, courses in ((planned, stay), (own, self._taken.take(row[own]))):
            better = courses.priced_gbp < here.priced_gbp[rows]
            here.put(rows[better], courses.take(better))
        return here

    def _rejected(self, row: IntArray, courses: Courses) -> list[Reject]:
        """Why each of ``courses``, of ``row``, was not taken."""
        reasons = np.array([Reject.DEARER] * len(row), dtype=object)
        reasons[~courses.found] = Reject.LIMITS
        cheaper = np.flatnonzero(courses.found & (courses.priced_gbp < self._taken.priced_gbp[row] - LEAST_GBP))
        rows, tempting = row[cheaper], courses.take(cheaper)
        own_kw = self._own_kw(rows, tempting.site)
        fits = self._left.fits(self.wants.take(rows), tempting.site, tempting.power_kw, own_kw)
        reasons[cheaper[~fits]] = Reject.NO_WHOLE_HEADROOM
        overlooked = fits & (tempting.counted_gbp < self._taken.counted_gbp[rows] - LEAST_GBP)
        reasons[cheaper[overlooked]] = Reject.OVERLOOKED
        return list(reasons)

    def _own_kw(self, row: IntArray, site: IntArray) -> FloatArray:
        """(n, T) IT power that each row gives back where it runs at ``site``."""
        return np.where((self.chosen.site[row] == site)[:, None], self.chosen.power_kw[row], 0.0)

    def _listed(self, row: IntArray, site: IntArray, here: Courses) -> list[tuple[SiteOption, ...]]:
        """The options of every row at its sites, the chosen course in the place of the best one there."""
        shown = here.take(np.arange(len(here)))
        own = self.chosen.site[row] == site
        shown.put(own, self._taken.take(row[own]))
        names = [self.grid.site_ids[number] for number in site.tolist()]
        rejects = [None if taken else why for taken, why in zip(own.tolist(), self._rejected(row, shown), strict=True)]
        options = list(map(SiteOption, names, told(self.grid, shown), rejects))
        return by_row(row, options, len(self.wants))

    def _other_windows(self, best: Best) -> list[SiteOption | None]:
        """Another window at the chosen site for each row, and why it was not taken."""
        found: list[SiteOption | None] = [None] * len(self.wants)
        rejects = self._rejected(best.group, best.courses)
        for number, course, reject in zip(best.group.tolist(), told(self.grid, best.courses), rejects, strict=True):
            if course is not None:
                found[number] = SiteOption(course.site, course, reject)
        return found

    def _run_now(self) -> tuple[list[PricedCourse | None], list[bool]]:
        """Straight through from the earliest start at the cheapest site with room, or else at the cheapest."""
        at_once = self.wants.straight()
        slot = np.arange(self.grid.slots)
        used = (slot >= at_once.first[:, None]) & (slot < at_once.last[:, None])
        power = at_once.power_kw[:, None] * used
        counted = power @ (self.grid.cost_gbp + self.grid.carbon_gbp).T
        counted[~(at_once.sites & (at_once.last <= self.grid.slots)[:, None])] = np.inf
        order = np.argsort(counted, axis=1, kind="stable")
        possible = np.isfinite(np.take_along_axis(counted, order, axis=1))
        site, fits = np.where(possible[:, 0], order[:, 0], NONE), np.zeros(len(at_once), dtype=np.bool_)
        rows = np.flatnonzero(possible[:, 0])
        for choice in range(order.shape[1]):
            rows = rows[possible[rows, choice] & ~fits[rows]]
            there = order[rows, choice]
            fits[rows] = self._left.fits(at_once.take(rows), there, power[rows], self._own_kw(rows, there))
            site[rows[fits[rows]]] = there[fits[rows]]
        return told(self.grid, self._priced.worth(at_once, site, power)), fits.tolist()

    def _lifts(self, base: Best) -> list[list[Lift]]:
        """What each condition costs each row, against its best course ``base`` with all of them."""
        costs = _Costs(self.grid, self.wants.take(base.group), base.courses)
        lifts: list[list[Lift]] = [[] for _ in range(len(self.wants))]
        tried = costs.of(self.prices, [*conditions(self.own_first)])
        deadline, *narrower = deadlines(self.grid)
        tried += costs.of(self.prices, [deadline])
        for condition in narrower:
            tried += costs.of(self.prices, [condition], among=tried[-1])
        if self.prices.site_kg.any() or self.prices.tenant_kg.any():
            capped = Condition("shared_caps", "were outside the shared carbon caps", self._capped, lambda w: w)
            tried += costs.of(self.prices.uncapped(self.grid), [capped])
        for condition, row, saved in tried:
            for number, savings in zip(base.group[row].tolist(), saved.tolist(), strict=True):
                lifts[number].append(Lift(condition.name, condition.words, *savings))
        return lifts

    def _capped(self, wants: Wants) -> BoolArray:
        somewhere = (wants.sites & (self.prices.site_kg > 0)).any(axis=1)
        return np.asarray(somewhere | (self.prices.tenant_kg[wants.tenant] > 0))

    def _contested(self) -> list[tuple[Contested, ...]]:
        """The scarcest of the slots that each row holds, by what its power is worth in them."""
        site = self.chosen.site
        price = self.prices.figures[site, :, -1] + self.prices.hardware[self.wants.hardware, site]
        worth = price * self.chosen.power_kw
        order = np.argsort(-worth, axis=1, kind="stable")[:, :MOST_CONTESTED]
        columns = (order, np.take_along_axis(price, order, axis=1), np.take_along_axis(worth, order, axis=1))
        return [
            tuple(Contested(*slot) for slot in zip(*row, strict=True) if slot[2] > LEAST_GBP)
            for row in zip(*(column.tolist() for column in columns), strict=True)
        ]


class _Tried(NamedTuple):
    """What rows that have a condition would save without it: (m, 3) GBP counted, GBP in money, kg."""

    condition: Condition
    row: IntArray
    saved: FloatArray


@dataclass(frozen=True, slots=True)
class _Costs:
    """What conditions cost ``wants`` (n rows) whose best courses are ``present``."""

    grid: Grid
    wants: Wants
    present: Courses

    def of(self, prices: Scarcity, asked: Sequence[Condition], among: _Tried | None = None) -> list[_Tried]:
        """Savings at ``prices`` without each condition; nought for rows that save nothing in ``among``."""
        held = [np.flatnonzero(condition.holds(self.wants)) for condition in asked]
        useful = np.ones(len(self.wants), dtype=np.bool_)
        if among is not None:
            useful[among.row[among.saved[:, 0] <= 0]] = False
        tried = [rows[useful[rows]] for rows in held]
        saved = np.split(self._saved(prices, asked, tried), np.cumsum([len(rows) for rows in tried])[:-1])
        found = []
        for condition, rows, some, savings in zip(asked, held, tried, saved, strict=True):
            whole = np.zeros((len(rows), 3))
            whole[np.searchsorted(rows, some)] = savings
            found.append(_Tried(condition, rows, whole))
        return found

    def _saved(self, prices: Scarcity, asked: Sequence[Condition], tried: Sequence[IntArray]) -> FloatArray:
        """(m, 3) savings of all conditions' rows, one condition after another."""
        row = np.concatenate(tried)
        if not row.size:
            return np.zeros((0, 3))
        free = Wants.join([c.lifted(self.wants.take(rows)) for c, rows in zip(asked, tried, strict=True)])
        elsewhere = np.repeat([condition.elsewhere for condition in asked], [len(rows) for rows in tried])
        other = free.sites & ~(self.wants.sites[row] & elsewhere[:, None])
        present = self.present.take(row)
        number, site = np.nonzero(other & (floors(free, prices) < present.priced_gbp[:, None] - LEAST_GBP))
        courses = Pricing(self.grid, prices, Room.empty(self.grid)).best(free.take(number), site)
        best = cheapest_of(number, courses, courses.priced_gbp)
        had = present.take(best.group)
        saved = np.stack(
            [
                had.priced_gbp - best.courses.priced_gbp,
                had.cost_gbp - best.courses.cost_gbp,
                had.carbon_kg - best.courses.carbon_kg,
            ],
            axis=1,
        )
        all_saved = np.zeros((len(row), 3))
        all_saved[best.group] = np.where(saved[:, :1] > LEAST_GBP, saved, 0.0)
        return all_saved


def _next_best(listed: tuple[SiteOption, ...], next_here: SiteOption | None) -> SiteOption | None:
    """The cheapest other window at any site."""
    others = [option for option in listed if option.reject is not None and option.course is not None]
    return min([*others, *([next_here] if next_here else [])], key=rank, default=None)
