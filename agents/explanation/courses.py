"""The best course of each of many rows at one site each: what it is, and what it costs part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from agents.explanation.cheapest import Shape, cheapest_block, cheapest_levels, cheapest_runs
from agents.explanation.grid import FIGURES, Grid, Room, Scarcity
from agents.explanation.wants import BLOCK, ELASTIC, NONE, PAUSABLE, Wants
from core.market import TOLERANCE_KW
from core.series import BoolArray, FloatArray, IntArray

CELLS = 120_000
"""rows times slots worked on at once: what fits a core's cache"""
TOLERANCE_KG = 1e-9
MOST_GBP_PER_KG = 1e6
"""at this price of carbon nothing else counts"""
HALVINGS = 8


@dataclass(frozen=True, slots=True)
class Courses:
    """One course for each of n rows; ``site`` is :data:`NONE` where there is none, and the figures are infinite.

    :param power_kw: (n, T).
    :param figures: (n, 5) as :data:`agents.explanation.grid.FIGURES`.
    :param displaced_gbp: what mining and inference lose by giving way; it is part of the fees.
    :param fees_gbp: pauses, migration, a move.
    :param caps_gbp: room under carbon caps, at its price.
    """

    site: IntArray
    power_kw: FloatArray
    figures: FloatArray
    displaced_gbp: FloatArray
    fees_gbp: FloatArray
    hardware_gbp: FloatArray
    caps_gbp: FloatArray

    def __len__(self) -> int:
        return len(self.site)

    @property
    def found(self) -> BoolArray:
        """(n,) True where there is a course."""
        return np.asarray(self.site != NONE)

    @property
    def cost_gbp(self) -> FloatArray:
        """(n,) money."""
        return self.figures[:, FIGURES.index("cost_gbp")] + self.fees_gbp + self.displaced_gbp

    @property
    def carbon_kg(self) -> FloatArray:
        """(n,)."""
        return self.figures[:, FIGURES.index("carbon_kg")]

    @property
    def counted_gbp(self) -> FloatArray:
        """(n,) money, and carbon at the carbon price."""
        return self.cost_gbp + self.figures[:, FIGURES.index("carbon_gbp")]

    @property
    def priced_gbp(self) -> FloatArray:
        """(n,) that and scarcity."""
        scarce = self.figures[:, FIGURES.index("headroom_gbp")] + self.hardware_gbp + self.caps_gbp
        return self.counted_gbp + scarce

    def take(self, rows: IntArray | BoolArray) -> Courses:
        """The courses asked for, in that order."""
        return Courses(*[getattr(self, name)[rows] for name in _FIELDS])

    def put(self, rows: IntArray | BoolArray, others: Courses) -> None:
        """Replace the courses at ``rows``."""
        for name in _FIELDS:
            getattr(self, name)[rows] = getattr(others, name)

    @classmethod
    def none(cls, count: int, slots: int) -> Courses:
        """No course for any of ``count`` rows."""
        endless = np.full(count, np.inf)
        return cls(
            np.full(count, NONE),
            np.zeros((count, slots)),
            np.full((count, len(FIGURES)), np.inf),
            *(endless.copy() for _ in range(4)),
        )


_FIELDS = tuple(field.name for field in fields(Courses))


def starts(used: BoolArray) -> IntArray:
    """(n,) how often each row of slots used (n, T) begins anew."""
    return np.asarray((used[:, 1:] & ~used[:, :-1]).sum(axis=1) + used[:, 0])


@dataclass(frozen=True, slots=True)
class Pricing:
    """What courses are held against: the grid, prices of what is scarce, and the room that there is."""

    grid: Grid
    prices: Scarcity
    room: Room

    def best(self, wants: Wants, site: IntArray) -> Courses:
        """The best course of each row of ``wants`` at its ``site`` (n,), by cost and scarcity.

        Within the row's window, limits and carbon cap, within the room, and within what is left under shared caps.
        """
        found = self._least(wants, site)
        limit_kg = np.minimum(wants.cap_kg, np.minimum(self.room.site_kg[site], self.room.tenant_kg[wants.tenant]))
        over = np.flatnonzero(found.found & (found.carbon_kg > limit_kg + TOLERANCE_KG))
        if over.size:
            found.put(over, self._within(wants.take(over), site[over], limit_kg[over]))
        return found

    def worth(self, wants: Wants, site: IntArray, power_kw: FloatArray) -> Courses:
        """What given courses (n, T) cost; :data:`NONE` among the sites is no course."""
        made = Courses.none(len(wants), self.grid.slots)
        there = np.flatnonzero(site != NONE)
        for rows in np.array_split(there, _parts(len(there), self.grid.slots)):
            nothing = np.zeros((len(rows), 1))
            made.put(rows, self._priced(wants.take(rows), site[rows], power_kw[rows], 0, nothing))
        return made

    def fits(self, wants: Wants, site: IntArray, power_kw: FloatArray, own_kw: FloatArray) -> BoolArray:
        """(n,) True where ``power_kw`` (n, T) fits the room at ``site``, ``own_kw`` (n, T) of it given back."""
        left = (self.room.kw + self.room.yielding_kw)[site] + own_kw * self.grid.pue[site]
        hardware = self.room.hardware_kw[wants.hardware, site] + own_kw
        within = (power_kw * self.grid.pue[site] <= left + TOLERANCE_KW) & (power_kw <= hardware + TOLERANCE_KW)
        return np.asarray((within | (power_kw == 0)).all(axis=1))

    def _within(self, wants: Wants, site: IntArray, limit_kg: FloatArray) -> Courses:
        """Courses that emit no more than ``limit_kg``, cheap ones where it is easy: by raising a price of carbon."""
        kept = self._least(wants.with_(kg_gbp=np.full(len(wants), MOST_GBP_PER_KG)), site)
        hopeless = np.flatnonzero(kept.carbon_kg > limit_kg + TOLERANCE_KG)
        kept.put(hopeless, Courses.none(len(hopeless), self.grid.slots))
        low, high = np.full(len(wants), -3.0), np.full(len(wants), 4.0)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            trial = self._least(wants.with_(kg_gbp=10**middle), site)
            fits = kept.found & (trial.carbon_kg <= limit_kg + TOLERANCE_KG)
            better = np.flatnonzero(fits & (trial.priced_gbp < kept.priced_gbp))
            kept.put(better, trial.take(better))
            low, high = np.where(fits, low, middle), np.where(fits, middle, high)
        return kept

    def _least(self, wants: Wants, site: IntArray) -> Courses:
        """The best course of each row, its carbon cap aside."""
        made = Courses.none(len(wants), self.grid.slots)
        for rows in _alike(wants):
            made.put(rows, self._answered(wants.take(rows), site[rows]))
        return made

    def _answered(self, wants: Wants, site: IntArray) -> Courses:
        """The best course of rows of one kind, and of one length or shape of runs."""
        first, last = int(wants.first.min()), int(max(wants.last.max(), wants.first.min()))
        per_kw = self._per_kw(wants, site, first, last)
        if not per_kw.shape[1]:
            return Courses.none(len(wants), self.grid.slots)
        levels = wants.level_kw if wants.kind[0] == ELASTIC else wants.power_kw[:, None]
        given_way = self._giving_way(wants, site, first, levels, per_kw)
        held = np.where(np.isfinite(levels), levels, 1.0)[:, None, :] * per_kw[:, :, None] + given_way
        taken = _taken(wants, held)
        power = np.take_along_axis(_with_off(levels), taken, axis=1)
        lost = np.take_along_axis(_with_off(given_way), taken[:, :, None], axis=2)[:, :, 0]
        found = np.flatnonzero(taken.any(axis=1))
        made = Courses.none(len(wants), self.grid.slots)
        made.put(found, self._priced(wants.take(found), site[found], power[found], first, lost[found]))
        return made

    def _per_kw(self, wants: Wants, site: IntArray, first: int, last: int) -> FloatArray:
        """(n, W) what an IT kW in each slot from ``first`` to ``last`` is charged, infinite where it may not run."""
        per_kw = self.prices.charge[site, first:last].copy()
        extra_kg = wants.kg_gbp + self.prices.tenant_kg[wants.tenant]
        if extra_kg.any():
            per_kw += extra_kg[:, None] * self.grid.carbon_kg[site, first:last]
        if wants.hardware.any():
            per_kw += self.prices.hardware[wants.hardware, site, first:last]
        slot = np.arange(first, last)
        per_kw[(slot < wants.first[:, None]) | (slot >= wants.last[:, None])] = np.inf
        for limit, figures in ((wants.max_price, self.grid.price), (wants.max_carbon, self.grid.carbon)):
            bound = np.flatnonzero(np.isfinite(limit))
            per_kw[bound] = np.where(figures[site[bound], first:last] > limit[bound, None], np.inf, per_kw[bound])
        return per_kw

    def _giving_way(
        self, wants: Wants, site: IntArray, first: int, levels: FloatArray, per_kw: FloatArray
    ) -> FloatArray:
        """(n, W, L) what site terms lose by giving way to each level; infinite where there is no room for it."""
        slots = slice(first, first + per_kw.shape[1])
        draw = levels[:, None, :] * self.grid.pue[site, slots][:, :, None]
        over = draw - self.room.kw[site, slots][:, :, None]
        lost = np.where(over <= TOLERANCE_KW, 0.0, np.inf)
        if self.room.yielding_kw.any():
            gives = over <= self.room.yielding_kw[site, slots][:, :, None] + TOLERANCE_KW
            lost = np.where(gives, over, 0.0).clip(0.0) * self.room.yielding_gbp[site, slots][:, :, None]
            lost[~gives] = np.inf
        if wants.hardware.any():
            hardware_kw = self.room.hardware_kw[wants.hardware, site, slots]
            lost[levels[:, None, :] > hardware_kw[:, :, None] + TOLERANCE_KW] = np.inf
        return lost

    def _priced(self, wants: Wants, site: IntArray, power_kw: FloatArray, first: int, lost: FloatArray) -> Courses:
        """Courses with their figures; ``power_kw`` (n, W) from slot ``first``, ``lost`` (n, W) by giving way."""
        slots = slice(first, first + power_kw.shape[1])
        figures = np.matmul(power_kw[:, None, :], self.prices.figures[site, slots])[:, 0]
        whole = np.zeros((len(wants), self.grid.slots))
        whole[:, slots] = power_kw
        away = (wants.home != NONE) & (wants.home != site)
        pauses = starts(power_kw > 0) - 1
        hardware = np.zeros(len(wants))
        if wants.hardware.any():
            hardware = np.einsum("nt,nt->n", power_kw, self.prices.hardware[wants.hardware, site, slots])
        under_caps = self.prices.site_kg[site] + self.prices.tenant_kg[wants.tenant]
        return Courses(
            site=site,
            power_kw=whole,
            figures=figures,
            displaced_gbp=lost.sum(axis=1),
            fees_gbp=pauses * wants.pause_gbp + away * wants.migration_gbp + wants.move_gbp,
            hardware_gbp=hardware,
            caps_gbp=figures[:, FIGURES.index("carbon_kg")] * under_caps,
        )


def _parts(rows: int, cells: int) -> int:
    """In how many batches to work on ``rows`` of so many cells each."""
    return max(1, min(rows, rows * cells // CELLS))


def _with_off(values: FloatArray) -> FloatArray:
    """Values of levels with a nought for off before the first."""
    return np.concatenate([np.zeros((*values.shape[:-1], 1)), values], axis=-1)


def _taken(wants: Wants, held: FloatArray) -> IntArray:
    """(n, W) the level held in each slot, 0 for off, by the cheapest course; nowhere where there is none."""
    if wants.kind[0] == ELASTIC:
        return cheapest_levels(held, wants.level_work, wants.work)[1]
    if wants.kind[0] == BLOCK:
        least, used = cheapest_block(held[:, :, 0], int(wants.duration[0]))
    else:
        shape = Shape(int(wants.min_run[0]), int(wants.restart[0]), int(wants.max_pauses[0]))
        least, used = cheapest_runs(held[:, :, 0], wants.duration, wants.pause_gbp, shape)
    return np.where(np.isfinite(least)[:, None], used, False).astype(np.int64)


def _alike(wants: Wants) -> Iterator[IntArray]:
    """Rows that can be answered together, in batches of at most :data:`CELLS` slots."""
    pausable = wants.kind == PAUSABLE
    keys = np.stack(
        [
            wants.kind,
            np.where(wants.kind == BLOCK, wants.duration, 0),
            np.where(pausable, wants.min_run, 0),
            np.where(pausable, wants.restart, 0),
            np.where(pausable, wants.max_pauses, 0),
        ]
    )
    order = np.lexsort((wants.first, np.where(pausable, wants.duration, 0), *keys))
    edges = np.flatnonzero((np.diff(keys[:, order], axis=1) != 0).any(axis=0)) + 1
    for group in np.split(order, edges):
        if not group.size:
            continue
        span = int(wants.last[group].max() - wants.first[group].min())
        depth = wants.level_kw.shape[1] if wants.kind[group[0]] == ELASTIC else 1
        yield from np.array_split(group, _parts(len(group), span * depth))
