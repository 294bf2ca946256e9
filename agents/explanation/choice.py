"""Choosing among courses: the best for each job, what no course can be cheaper than, and the courses as told."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from agents.explanation.courses import Courses, starts
from agents.explanation.grid import Grid, Scarcity
from agents.explanation.wants import ELASTIC, NONE, Wants
from core.explanation import PricedCourse, SiteOption
from core.series import FloatArray, IntArray


class Best(NamedTuple):
    """The best of several courses for each of the groups that have any; ``group`` rises."""

    group: IntArray
    courses: Courses


def cheapest_of(group: IntArray, courses: Courses, by: FloatArray) -> Best:
    """For each group the course found that is least ``by`` (n,), the first of equals."""
    found = np.flatnonzero(courses.found)
    order = found[np.lexsort((by[found], group[found]))]
    groups, first = np.unique(group[order], return_index=True)
    return Best(groups, courses.take(order[first]))


def told(grid: Grid, courses: Courses) -> list[PricedCourse | None]:
    """Courses as the rest of the house knows them; None where there is none."""
    used = courses.power_kw > 0
    energy, _, carbon_kg, carbon_gbp, headroom = courses.figures.T.tolist()
    first, last = span(used)
    columns = (
        courses.site.tolist(),
        first.tolist(),
        last.tolist(),
        (starts(used) - 1).tolist(),
        energy,
        courses.cost_gbp.tolist(),
        carbon_kg,
        carbon_gbp,
        headroom,
        courses.hardware_gbp.tolist(),
        courses.caps_gbp.tolist(),
    )
    return [
        None if site == NONE else PricedCourse(grid.site_ids[site], *rest) for site, *rest in zip(*columns, strict=True)
    ]


def by_row(row: IntArray, options: list[SiteOption], count: int) -> list[tuple[SiteOption, ...]]:
    """The options of each of ``count`` rows, by :func:`rank`; ``row`` (n,) rises."""
    ends = np.searchsorted(row, np.arange(count + 1)).tolist()
    return [tuple(sorted(options[a:b], key=rank)) for a, b in pairwise(ends)]


def rank(option: SiteOption) -> tuple[bool, bool, float]:
    """The chosen one first, then the cheapest, and last the sites without a course."""
    course = option.course
    return option.reject is not None, course is None, course.priced_gbp if course else 0.0


def span(used: np.ndarray) -> tuple[IntArray, IntArray]:
    """(n,) first slot used and the one after the last, of slots used (n, T)."""
    return used.argmax(axis=1), used.shape[1] - used[:, ::-1].argmax(axis=1)


def floors(wants: Wants, prices: Scarcity) -> FloatArray:
    """(n, S) no course at a site is charged less at ``prices``: what it takes in the cheapest slots of the horizon.

    Minus infinity where a site has charges below nought.
    """
    cheap = np.sort(prices.charge, axis=1)
    slots = cheap.shape[1]
    total = np.concatenate([np.zeros((len(cheap), 1)), np.cumsum(cheap, axis=1)], axis=1)
    elastic = wants.kind == ELASTIC
    most_work = wants.level_work.max(axis=1)
    gentlest = np.where(elastic, wants.level_kw[:, 0] / wants.level_work[:, 0], 0.0)
    per_slot = np.where(elastic, gentlest * most_work, wants.power_kw)
    length = np.where(elastic, wants.work / most_work, wants.duration)
    whole = np.minimum(np.floor(length + 1e-9), slots).astype(np.int64)
    upper = total[:, np.minimum(whole + 1, slots)]
    least = per_slot * (total[:, whole] + np.maximum(0.0, length - whole) * (upper - total[:, whole]))
    return np.where((cheap[:, 0] < 0)[:, None], -np.inf, least).T
