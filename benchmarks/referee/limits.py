"""What each job asks of its own course: place, window, hours, shape, work, carbon."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.referee.courses import Courses
from benchmarks.referee.figures import Figures
from benchmarks.referee.jobs import BLOCK, ELASTIC, PAUSABLE, WORK_TOLERANCE, Jobs
from benchmarks.referee.verdict import TOLERANCE, Array, Ints, Mask, at_most

Finding = tuple[Mask, Callable[[int], str]]
"""(c,) which courses are wrong, and what to say of one of them"""


def findings(courses: Courses, jobs: Jobs, figures: Figures, earliest: Ints) -> Iterator[Finding]:
    """Everything that is asked of courses one by one.

    :param earliest: (n,) first slot in which each job may start.
    """
    yield from _place_and_window(courses, jobs, figures, earliest)
    yield from _hours(courses, jobs, figures)
    yield from _emission(courses, jobs, figures)
    yield from _block_and_pausable(courses, jobs)
    yield from _pausable(courses, jobs)
    if (jobs.kind[courses.job] == ELASTIC).any():
        yield from _elastic(courses, jobs)


def keeps_limits(courses: Courses, jobs: Jobs, figures: Figures, earliest: Ints) -> Mask:
    """(c,) whether a course is one that its job may run."""
    wrong = np.zeros(len(courses), dtype=bool)
    for found, _ in findings(courses, jobs, figures, earliest):
        wrong |= found
    return ~wrong


def _place_and_window(courses: Courses, jobs: Jobs, figures: Figures, earliest: Ints) -> Iterator[Finding]:
    job, sites = courses.job, list(figures.sites)

    def place(row: int) -> str:
        equipped = "" if jobs.hardware[job[row]] == -1 else " with its hardware"
        return f"site {sites[courses.site[row]]!r} is not among its sites{equipped}"

    def window(row: int) -> str:
        inside = f"[{earliest[job[row]]}, {jobs.latest[job[row]]})"
        return f"runs in [{courses.first[row]}, {courses.last[row]}), outside {inside}"

    yield ~jobs.allowed[job, courses.site], place
    outside = (courses.first < earliest[job]) | (courses.last > jobs.latest[job])
    yield outside & (courses.used > 0), window


def _hours(courses: Courses, jobs: Jobs, figures: Figures) -> Iterator[Finding]:
    for name, most, table, unit in (
        ("max_price_gbp_per_kwh", jobs.max_price, figures.price, "GBP/kWh"),
        ("max_carbon_g_per_kwh", jobs.max_carbon, figures.carbon, "g/kWh"),
    ):
        limit = most[courses.job]
        course, slot = courses.slots_of(np.isfinite(limit))
        worst = np.full(len(courses), -np.inf)
        np.maximum.at(worst, course, table[courses.site[course], slot])

        def text(row: int, worst: Array = worst, limit: Array = limit, name: str = name, unit: str = unit) -> str:
            return f"runs at {worst[row]:g} {unit}, above its {name} of {limit[row]:g}"

        yield worst > limit, text


def _emission(courses: Courses, jobs: Jobs, figures: Figures) -> Iterator[Finding]:
    kg, cap = courses.add_up(figures.kg), jobs.cap_kg[courses.job]
    yield ~at_most(kg, cap), lambda row: f"emits {kg[row]:.3f} kg, above its carbon_cap_kg of {cap[row]:.3f}"


def _block_and_pausable(courses: Courses, jobs: Jobs) -> Iterator[Finding]:
    job, kind = courses.job, jobs.kind[courses.job]
    power = jobs.power_kw[job]
    other_power = courses.total(~np.isclose(courses.power_kw, power[courses.course], rtol=TOLERANCE, atol=0)) > 0
    yield other_power & (kind != ELASTIC), lambda row: f"does not run at its {power[row]} kW"
    wanted = jobs.duration[job] + np.where(kind == PAUSABLE, jobs.restart[job] * courses.pauses, 0)
    yield (courses.used != wanted) & (kind != ELASTIC), lambda row: f"runs {courses.used[row]} of {wanted[row]} slots"
    yield (courses.pauses > 0) & (kind == BLOCK), lambda row: f"a block in {courses.pauses[row] + 1} runs"


def _pausable(courses: Courses, jobs: Jobs) -> Iterator[Finding]:
    job, pausable = courses.job, jobs.kind[courses.job] == PAUSABLE
    most = jobs.max_pauses[job]
    yield (courses.pauses > most) & pausable, lambda row: f"pauses {courses.pauses[row]} times, at most {most[row]}"
    whole = courses.joined(of_one_power=False)
    again = np.append(False, whole.course[1:] == whole.course[:-1])[: len(whole.course)]
    least = np.where(again, jobs.later_run[job[whole.course]], jobs.first_run[job[whole.course]])
    short = whole.total(whole.end - whole.start < least) > 0

    def text(row: int) -> str:
        first, later = jobs.first_run[job[row]], jobs.later_run[job[row]]
        return f"has a run shorter than {first} slots at first, {later} after a pause"

    yield short & pausable, text


def _elastic(courses: Courses, jobs: Jobs) -> Iterator[Finding]:
    elastic = jobs.kind[courses.job] == ELASTIC
    job = courses.job[courses.course]
    rung = np.nan_to_num(np.abs(courses.power_kw[:, None] - jobs.ladder_kw[job]), nan=np.inf).argmin(axis=1)
    off = courses.total(~np.isclose(courses.power_kw, jobs.ladder_kw[job, rung], rtol=TOLERANCE, atol=0)) > 0

    def text(row: int) -> str:
        levels = jobs.ladder_kw[courses.job[row]]
        return f"runs at a power that is none of its levels {levels[~np.isnan(levels)].tolist()}"

    yield off & elastic, text
    work = jobs.work[courses.job]
    done = courses.total(np.nan_to_num(jobs.ladder_work[job, rung]) * (courses.end - courses.start))
    lazy = ~(work <= done + WORK_TOLERANCE * np.maximum(1.0, work))
    yield lazy & elastic, lambda row: f"does {done[row]:g} of {work[row]:g} units of work"
