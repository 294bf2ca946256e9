"""The lower bound that prices prove: what every job, gang and site would do at them, less what the limits earn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.referee import cheapest, cheapest_terms
from benchmarks.referee.courses import Courses
from benchmarks.referee.figures import SLOT_HOURS, Figures, by_slot
from benchmarks.referee.jobs import BLOCK, PAUSABLE, Jobs
from benchmarks.referee.limits import keeps_limits
from benchmarks.referee.prices import Charges, Prices
from benchmarks.referee.shared import Limits
from benchmarks.referee.verdict import Array, Ints, Json, Mask, at_most

FIGURES_AT_ONCE = 1 << 19
MOST_CUTS = 100
CUT_TOLERANCE = 1e-10
Answer = Callable[[Array, Ints, Array], Array]
"""of charges per kW (C, R, W), rows of the jobs (R,), and whether a channel (C,) counts what pauses cost"""


def bound_gbp(prices: Prices, instance: Json, figures: Figures, jobs: Jobs, limits: Limits) -> float:
    """What no valid plan can cost less than."""
    charges = Charges.at(prices, figures, limits, jobs)
    least = Offers(charges, figures, jobs, limits).least_gbp()
    single = jobs.free & (jobs.gang < 0)
    total = np.minimum(least, jobs.penalty_gbp)[single].sum() + least[~jobs.free].sum()
    members = jobs.free & (jobs.gang >= 0)
    served, left_out = (np.bincount(jobs.gang[members], weights=gbp[members]) for gbp in (least, jobs.penalty_gbp))
    total += np.minimum(served, left_out).sum()
    return float(total) + terms_gbp(instance, figures, charges) - prices.paid_for(limits)


def terms_gbp(instance: Json, figures: Figures, charges: Charges) -> float:
    """The least charges of mining, inference and batteries."""
    total = 0.0
    for row, site in enumerate(instance["sites"]):
        meter, pue = charges.meter[row], figures.pue[row]
        if mining := site.get("mining"):
            earned = by_slot(mining["value_gbp_per_kwh"], figures.slots) * SLOT_HOURS
            total += cheapest_terms.mining(mining, pue * meter - earned)
        if inference := site.get("inference"):
            earned = by_slot(inference["value_gbp_per_kwh"], figures.slots) * SLOT_HOURS
            total += cheapest_terms.inference(by_slot(inference["demand_kw"], figures.slots), pue * meter - earned)
        if battery := site.get("battery"):
            total += cheapest_terms.battery(battery, meter)
    return total


@dataclass(frozen=True)
class Offers:
    """Each job's least charge, found for many pairs of job and site at a time."""

    charges: Charges
    figures: Figures
    jobs: Jobs
    limits: Limits

    def least_gbp(self) -> Array:
        """(n,) least charge of each job; that of a frozen one is what it takes; infinity where it has no course."""
        jobs, first = self.jobs, self.jobs.first_slots()
        windows = _Windows(self.charges, self.figures, jobs, first, self.limits.alone_kw)
        least = np.full(len(jobs.ids), np.inf)
        for job, site in self._batches(np.maximum(0, jobs.latest - first)):
            away = (jobs.home[job] >= 0) & (jobs.home[job] != site)
            np.minimum.at(least, job, self._least(windows, job, site) + away * jobs.migration_gbp[job])
        least += jobs.move_gbp
        planned, frozen = jobs.planned, jobs.frozen
        kept = keeps_limits(planned, jobs, self.figures, first) & windows.ever_free(planned)
        np.minimum.at(least, planned.job[kept], self.charges.of(planned, jobs)[kept])
        moved = (jobs.planned_row[frozen.job] >= 0) & ~frozen.same_as(planned, jobs.planned_row[frozen.job])
        least[frozen.job] = self.charges.of(frozen, jobs) + moved * jobs.move_gbp[frozen.job]
        return least

    def _least(self, windows: _Windows, job: Ints, site: Ints) -> Array:
        """(R,) least charge of each pair, migrations and moves left out."""
        jobs = self.jobs
        charge, capped = windows.charge(job, site), np.isfinite(jobs.cap_kg[job])
        if jobs.kind[job[0]] == BLOCK:
            return self._block(charge, windows.kg(job, site) if capped.any() else None, job)
        answer = self._pausable if jobs.kind[job[0]] == PAUSABLE else self._elastic
        least = np.empty(len(job))
        if not capped.all():
            least[~capped] = answer(charge[None, ~capped], job[~capped], np.ones(1))[0]
        if capped.any():
            kg, cap = windows.kg(job, site)[capped], jobs.cap_kg[job[capped]]
            least[capped] = under_cap(answer, charge[capped], kg, job[capped], cap)
        return least

    def _block(self, charge: Array, kg: Array | None, job: Ints) -> Array:
        length, power = int(self.jobs.duration[job[0]]), self.jobs.power_kw[job][:, None]
        total = power * cheapest.block(charge[None], length)[0]
        if kg is not None:
            emitted = power * cheapest.block(kg[None], length)[0]
            total = np.where(at_most(emitted, self.jobs.cap_kg[job][:, None]), total, np.inf)
        return np.asarray(total.min(axis=1))

    def _pausable(self, charge: Array, job: Ints, money: Array) -> Array:
        power, pause = self.jobs.power_kw[job], self.jobs.pause_gbp[job]
        return cheapest.pausable(charge * power[:, None], self.jobs, job, money[:, None] * pause)

    def _elastic(self, charge: Array, job: Ints, _: Array) -> Array:
        return cheapest.elastic(charge, self.jobs, job)

    def _batches(self, width: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Pairs (R,) of jobs and sites where they may run, alike enough to be answered together, all pairs of a job.

        :param width: (n,) slots in each job's window.
        """
        jobs = self.jobs
        block, pausable = jobs.kind == BLOCK, jobs.kind == PAUSABLE
        levels = (~np.isnan(jobs.ladder_kw)).sum(axis=1)
        alike = [pausable * column for column in (jobs.first_run, jobs.later_run, jobs.restart, jobs.max_pauses)]
        alike += [levels, block, block * jobs.duration]
        size = jobs.least_slots()
        rows = np.flatnonzero(jobs.free & (size <= width))
        order = rows[np.lexsort((width[rows], size[rows], *(column[rows] for column in alike)))]
        pauses = np.minimum(jobs.max_pauses, size * (jobs.max_pauses < size))
        states = np.maximum(width, pausable * (size + 1) * (pauses + 1))
        change = np.zeros(len(order), dtype=bool)
        for column in alike:
            change[1:] |= column[order[1:]] != column[order[:-1]]
        for group in np.split(order, np.flatnonzero(change)):
            yield from self._pairs(group, int(states[group].max(initial=1)))

    def _pairs(self, group: Ints, states: int) -> Iterator[tuple[Ints, Ints]]:
        """:param states: figures that one pair takes."""
        step = max(16, FIGURES_AT_ONCE // (states * max(1, self.jobs.allowed.shape[1])))
        for begin in range(0, len(group), step):
            rows = group[begin : begin + step]
            job, site = np.nonzero(self.jobs.allowed[rows])
            if len(job):
                yield rows[job], site


class _Windows:
    """Charges and carbon in the slots of each job's window."""

    def __init__(self, charges: Charges, figures: Figures, jobs: Jobs, first: Ints, alone_kw: Array) -> None:
        self.jobs, self.first, self.sites = jobs, first, len(figures.sites)
        self.slots = figures.slots
        self.table, self.tenant_gbp_per_kg = charges.row(jobs), charges.tenant_gbp_per_kg
        self.padded = {name: _padded(table) for name, table in (("kg", figures.kg), ("price", figures.price))}
        self.padded |= {"charge": _padded(charges.tables), "carbon": _padded(figures.carbon)}
        self.alone_kw, self.padded["alone"] = alone_kw, _padded(alone_kw)
        self.least_kw = np.fmin(jobs.power_kw, np.fmin.reduce(jobs.ladder_kw, axis=1, initial=np.inf))

    def ever_free(self, courses: Courses) -> Mask:
        """(c,) whether every slot of a course could ever offer its job some power."""
        course, slot = courses.slots_of(np.ones(len(courses), dtype=bool))
        job, site = courses.job[course], courses.site[course]
        shut = self.least_kw[job] > self.alone_kw[self.jobs.hardware[job] + 1, site, slot]
        return np.asarray(np.bincount(course, shut, len(courses)) == 0)

    def _look(self, name: str, job: Ints, row: Ints) -> Array:
        """(R, W) from a table with rows of sites."""
        width = int((self.jobs.latest[job] - self.first[job]).max())
        place = row * 2 * self.slots + self.first[job]
        return np.asarray(self.padded[name].take(place[:, None] + np.arange(width)))

    def kg(self, job: Ints, site: Ints) -> Array:
        """(R, W) carbon of one IT kW."""
        return self._look("kg", job, site)

    def charge(self, job: Ints, site: Ints) -> Array:
        """(R, W) charge of one IT kW, infinity where the job may not run."""
        jobs = self.jobs
        charge = self._look("charge", job, self.table[job] * self.sites + site)
        if self.tenant_gbp_per_kg[job].any():
            charge += self.tenant_gbp_per_kg[job][:, None] * self.kg(job, site)
        charge[np.arange(charge.shape[1]) >= (jobs.latest[job] - self.first[job])[:, None]] = np.inf
        alone = self._look("alone", job, (jobs.hardware[job] + 1) * self.sites + site)
        charge[self.least_kw[job][:, None] > alone] = np.inf
        for name, limit in (("price", jobs.max_price), ("carbon", jobs.max_carbon)):
            some = np.flatnonzero(np.isfinite(limit[job]))
            if some.size:
                above = self._look(name, job, site)[some] > limit[job[some], None]
                charge[some] = np.where(above, np.inf, charge[some])
        return charge


def _padded(table: Array) -> Array:
    """A table (..., T) as one row, with as many noughts after each of its rows: windows may be read beyond the end."""
    rows = table.reshape(-1, table.shape[-1])
    return np.concatenate([rows, np.zeros_like(rows)], axis=1).ravel()


def under_cap(answer: Answer, charge: Array, kg: Array, job: Ints, cap: Array) -> Array:
    """(R,) the best lower bound on courses that emit at most ``cap`` (R,) that a price of carbon can prove.

    The least charge less ``price * cap`` is concave in the price and made of lines, one for each course; its top is
    found by going to where the lines of a course above and one below the cap meet, as long as there is a lower line.
    """
    closed: Mask = np.isinf(charge)
    per_kg = np.where(closed, np.inf, kg)
    cheap_gbp, cheap_kg = answer(np.stack([charge, per_kg]), job, np.array([1.0, 0.0]))
    lean_kg, lean_gbp = answer(np.stack([per_kg, charge]), job, np.array([0.0, 1.0]))
    best = np.where(at_most(cheap_kg, cap), cheap_gbp, -np.inf)
    best[~at_most(lean_kg, cap)] = np.inf
    cap = np.maximum(cap, np.where(np.isfinite(lean_kg), lean_kg, cap))
    todo = np.flatnonzero(np.isneginf(best))
    over, under = np.stack([cheap_gbp, cheap_kg]), np.stack([lean_gbp, lean_kg])
    for _ in range(MOST_CUTS):
        if not todo.size:
            break
        (dear, little), (low, much) = under[:, todo], over[:, todo]
        price = (dear - low) / (much - little)
        met = low + price * (much - cap[todo])
        priced = np.where(closed[todo], np.inf, charge[todo] + price[:, None] * kg[todo])
        value, emitted = answer(np.stack([priced, per_kg[todo]]), job[todo], np.array([1.0, 0.0]))
        best[todo] = np.maximum(best[todo], value - price * cap[todo])
        line, above = np.stack([value - price * emitted, emitted]), emitted > cap[todo]
        over[:, todo] = np.where(above, line, over[:, todo])
        under[:, todo] = np.where(above, under[:, todo], line)
        todo = todo[best[todo] < met - CUT_TOLERANCE * np.maximum(1.0, np.abs(met))]
    return best
