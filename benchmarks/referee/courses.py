"""Courses as columns: what runs where, of a plan, of a standing plan, or frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.referee.verdict import Array, Ints, Json, Mask, near


@dataclass(frozen=True)
class Courses:
    """c courses with m runs at constant IT power; the runs are in order of course and start, none overlap.

    :ivar job: (c,) row of the job; ``site`` (c,) of the site.
    :ivar course: (m,) whose run it is; ``start``, ``end`` (m,) slots, the end exclusive; ``power_kw`` (m,).
    """

    job: Ints
    site: Ints
    slots: int
    course: Ints
    start: Ints
    end: Ints
    power_kw: Array

    @classmethod
    def read(
        cls, rows: list[Json], jobs: Mapping[str, int], sites: Mapping[str, int], slots: int
    ) -> tuple[Courses, list[str]]:
        """Courses of known jobs at known sites, and what is wrong with their runs; those runs are left out.

        :param rows: with ``job``, ``site`` and ``runs``, as in a plan file.
        """
        known = [row for row in rows if row["job"] in jobs and row["site"] in sites]
        course = np.repeat(np.arange(len(known)), [len(row["runs"]) for row in known])
        runs = [run for row in known for run in row["runs"]]
        if any(len(run) != 3 for run in runs):
            raise ValueError("a run is not of the form [start, end, power_kw]")
        whole = np.array([type(a) is int and type(b) is int and -1 < a < b <= slots for a, b, _ in runs], dtype=bool)
        power_kw = np.array([kw for _, _, kw in runs], dtype=float)
        positive = (power_kw > 0) & (power_kw < np.inf)
        start, end = (
            np.array([run[side] if ok else -1 for run, ok in zip(runs, whole.tolist(), strict=True)], dtype=np.int64)
            for side in (0, 1)
        )
        order = np.lexsort((end, start, course))
        overlaps = np.zeros(len(runs), dtype=bool)
        overlaps[order[1:]] = (course[order[1:]] == course[order[:-1]]) & (start[order[1:]] < end[order[:-1]])
        faults = []
        for wrong, text in (
            (~whole, f"is not inside the {slots} slots"),
            (whole & ~positive, "has a power of {} kW"),
            (whole & positive & overlaps, "overlaps another"),
        ):
            faults += [
                f"job {known[course[run]]['job']!r}: run [{runs[run][0]}, {runs[run][1]}) {text.format(runs[run][2])}"
                for run in np.flatnonzero(wrong).tolist()
            ]
        kept = order[(whole & positive & ~overlaps)[order]]
        job, site = (
            np.array([index[row[field]] for row in known], dtype=np.int64)
            for field, index in (("job", jobs), ("site", sites))
        )
        return cls(job, site, slots, course[kept], start[kept], end[kept], power_kw[kept]), faults

    def __len__(self) -> int:
        return len(self.job)

    def total(self, of_run: Array | Ints | Mask) -> Array:
        """(c,) sum of a figure of each run (m,)."""
        return np.asarray(np.bincount(self.course, of_run, len(self)), dtype=float)

    @cached_property
    def used(self) -> Ints:
        """(c,) slots in which the course draws power."""
        return self.total(self.end - self.start).astype(np.int64)

    @cached_property
    def first(self) -> Ints:
        """(c,) first slot; one beyond the horizon where there are no runs."""
        first = np.full(len(self), self.slots, dtype=np.int64)
        np.minimum.at(first, self.course, self.start)
        return first

    @cached_property
    def last(self) -> Ints:
        """(c,) end of the last run, exclusive; 0 where there are none."""
        last = np.zeros(len(self), dtype=np.int64)
        np.maximum.at(last, self.course, self.end)
        return last

    @cached_property
    def _goes_on(self) -> Mask:
        """(m,) whether the run starts where the one before it, of the same course, ends."""
        goes_on: Mask = np.zeros(len(self.course), dtype=bool)
        goes_on[1:] = (self.course[1:] == self.course[:-1]) & (self.start[1:] == self.end[:-1])
        return goes_on

    def joined(self, of_one_power: bool) -> Courses:
        """The same courses with runs that touch made one: those of one power, or all (then at the first's power)."""
        goes_on = self._goes_on
        if of_one_power:
            goes_on = goes_on & near(self.power_kw, np.roll(self.power_kw, 1))
        first = np.flatnonzero(~goes_on)
        last = np.append(first[1:], len(goes_on))[: len(first)] - 1
        return Courses(
            self.job, self.site, self.slots, self.course[first], self.start[first], self.end[last], self.power_kw[first]
        )

    @cached_property
    def pauses(self) -> Ints:
        """(c,) how often the course stops and starts again."""
        return np.maximum(0, self.total(~self._goes_on).astype(np.int64) - 1)

    def add_up(self, table: Array) -> Array:
        """(c,) sum over each course of IT power times a figure of its site and slot, from (S, T)."""
        return self.total(self.power_kw * self._span(table, self.site[self.course]))

    def add_up_rows(self, tables: Array, row: Ints) -> Array:
        """As :meth:`add_up`, each course (c,) from its own of several tables (H, S, T)."""
        sites = tables.shape[1]
        place = (row * sites + self.site)[self.course]
        return self.total(self.power_kw * self._span(tables.reshape(-1, self.slots), place))

    def _span(self, table: Array, row: Ints) -> Array:
        """(m,) sum of a row of a table (R, T) over the slots of each run."""
        before = np.zeros((table.shape[0], self.slots + 1))
        np.cumsum(table, axis=1, out=before[:, 1:])
        return np.asarray(before[row, self.end] - before[row, self.start])

    def load_kw(self, sites: int, among: Mask | None = None) -> Array:
        """(S, T) IT power of all courses, or of those ``among`` (c,)."""
        power = self.power_kw if among is None else self.power_kw * among[self.course]
        row = self.site[self.course] * (self.slots + 1)
        size = sites * (self.slots + 1)
        change = np.bincount(row + self.start, power, size) - np.bincount(row + self.end, power, size)
        return np.asarray(change.reshape(sites, -1).cumsum(axis=1)[:, :-1])

    def slots_of(self, among: Mask) -> tuple[Ints, Ints]:
        """Course and slot of every slot used by the courses ``among`` (c,)."""
        runs = np.flatnonzero(among[self.course])
        length = (self.end - self.start)[runs]
        before = np.cumsum(length) - length
        slot = np.arange(length.sum()) - np.repeat(before - self.start[runs], length)
        return np.repeat(self.course[runs], length), slot

    def same_as(self, other: Courses, match: Ints) -> Mask:
        """(c,) whether each course is the one of ``other`` that ``match`` (c,) names; False for -1."""
        mine, theirs = self.joined(of_one_power=True), other.joined(of_one_power=True)
        runs, their_runs = (np.bincount(c.course, minlength=len(c)) for c in (mine, theirs))
        same = match >= 0
        there = np.flatnonzero(same)
        same[there] = (self.site[there] == other.site[match[there]]) & (runs[there] == their_runs[match[there]])
        begin, their_begin = np.cumsum(runs) - runs, np.cumsum(their_runs) - their_runs
        row = np.flatnonzero(same[mine.course])
        course = mine.course[row]
        twin = their_begin[match[course]] + row - begin[course]
        alike = (mine.start[row] == theirs.start[twin]) & (mine.end[row] == theirs.end[twin])
        alike &= near(mine.power_kw[row], theirs.power_kw[twin])
        same[course[~alike]] = False
        return same
