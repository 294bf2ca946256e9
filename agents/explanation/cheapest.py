"""The cheapest course of each kind, for many rows at once, given what each slot costs.

``held`` is GBP for holding a row's power, or one of its levels, in each of W slots; infinite where it may not run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.explanation.wants import NONE
from core.series import BoolArray, FloatArray, IntArray

SAME_GBP = 1e-9


def window_sums(values: FloatArray | BoolArray, length: int) -> FloatArray:
    """(n, W - length + 1) sums of ``length`` neighbouring slots."""
    total = np.cumsum(values, axis=1, dtype=np.float64)
    sums = total[:, length - 1 :].copy()
    sums[:, 1:] -= total[:, :-length]
    return sums


def _windows(held: FloatArray, length: int) -> FloatArray:
    """(n, W - length + 1) what windows of ``length`` slots cost; infinite where one of their slots is."""
    shut = ~np.isfinite(held)
    if not shut.any():
        return window_sums(held, length)
    sums = window_sums(np.where(shut, 0.0, held), length)
    sums[window_sums(shut, length) > 0.5] = np.inf
    return sums


def cheapest_block(held: FloatArray, duration: int) -> tuple[FloatArray, BoolArray]:
    """Least cost (n,) of ``duration`` slots in a row, infinite where there is none, and the slots used (n, W).

    Of places that cost the same the first is taken.
    """
    count, slots = held.shape
    if slots < duration:
        return np.full(count, np.inf), np.zeros(held.shape, dtype=np.bool_)
    sums = _windows(held, duration)
    start = np.argmax(sums <= sums.min(axis=1, keepdims=True) + SAME_GBP, axis=1)
    after = np.arange(slots) - start[:, None]
    return sums[np.arange(count), start], (after >= 0) & (after < duration)


class Shape(NamedTuple):
    """What runs must look like: least length, slots that each restart takes, most pauses (:data:`NONE`: any)."""

    min_run: int
    restart: int
    max_pauses: int

    @property
    def again(self) -> int:
        """Least length of every run but the first."""
        return max(self.min_run, self.restart + 1)


def cheapest_runs(
    held: FloatArray, duration: IntArray, pause: FloatArray, shape: Shape
) -> tuple[FloatArray, BoolArray]:
    """Least cost (n,) of ``duration`` slots of work in runs of ``shape``, each pause charged, and the slots used.

    A dynamic programme over (pauses so far, work done), running and idle, for all rows at once.
    """
    slots = held.shape[1]
    programme = _Programme(held, duration, pause, shape)
    for slot in range(1, slots + 1):
        programme.step(slot)
    return programme.traced()


class _Programme:
    """States (M, D, n) after each slot: ``busy`` has just run, ``idle`` has begun and has just not run."""

    def __init__(self, held: FloatArray, duration: IntArray, pause: FloatArray, shape: Shape) -> None:
        self._shape, self._duration, self._pause = shape, duration, pause
        self._slots = held.shape[1]
        self._held = np.ascontiguousarray(held.T)
        layers = 1 if shape.max_pauses == NONE else shape.max_pauses + 1
        self._size = (layers, int(duration.max()) + 1, len(duration))
        self._busy = np.full(self._size, np.inf)
        self._idle = [np.full(self._size, np.inf)]
        self._first = _windows(held, shape.min_run).T if shape.min_run <= self._slots else None
        self._again = _windows(held, shape.again).T if shape.again <= self._slots else None
        self._began = np.zeros((self._slots, len(duration)), dtype=np.bool_)
        self._resumed = np.zeros((self._slots, *self._size), dtype=np.bool_)
        self._stopped = np.zeros((self._slots, *self._size), dtype=np.bool_)

    def step(self, slot: int) -> None:
        """Go from ``slot - 1`` to ``slot`` slots passed."""
        busy = np.full(self._size, np.inf)
        np.add(self._busy[:, :-1], self._held[slot - 1], out=busy[:, 1:])
        self._resume(busy, slot)
        self._begin(busy, slot)
        idle = self._idle[-1]
        np.less(self._busy, idle, out=self._stopped[slot - 1])
        self._idle.append(np.minimum(idle, self._busy))
        if len(self._idle) > self._shape.again + 1:
            self._idle.pop(0)
        self._busy = busy

    def _begin(self, busy: FloatArray, slot: int) -> None:
        """A first run of the least length may end here."""
        length = self._shape.min_run
        if self._first is None or slot < length or length >= self._size[1]:
            return
        cost, target = self._first[slot - length], busy[0, length]
        np.less_equal(cost, target, out=self._began[slot - 1])
        np.minimum(target, cost, out=target)

    def _resume(self, busy: FloatArray, slot: int) -> None:
        """A further run of the least length may end here."""
        length, gain = self._shape.again, self._shape.again - self._shape.restart
        if self._again is None or slot <= length or gain >= self._size[1] or self._shape.max_pauses == 0:
            return
        counted = int(self._shape.max_pauses != NONE)
        before = self._idle[-length][: self._size[0] - counted, :-gain]
        cost, target = before + (self._pause + self._again[slot - length]), busy[counted:, gain:]
        np.less(cost, target, out=self._resumed[slot - 1, counted:, gain:])
        np.minimum(target, cost, out=target)

    def traced(self) -> tuple[FloatArray, BoolArray]:
        """Least costs, and the slots used, by going back through the choices."""
        rows = np.arange(self._size[2])
        ends = np.minimum(self._idle[-1], self._busy)[:, self._duration, rows]
        layer = np.argmin(ends, axis=0)
        least = ends[layer, rows]
        running = np.isfinite(least) & (self._busy[layer, self._duration, rows] <= least)
        return least, self._used(running, layer, self._duration.copy())

    def _used(self, running: BoolArray, layer: IntArray, work: IntArray) -> BoolArray:
        """Slots used (n, W). ``owed`` is how many slots a run of the least length still goes back."""
        rows, owed, first = np.arange(len(work)), np.zeros_like(work), np.zeros_like(running)
        used = np.zeros((len(work), self._slots), dtype=np.bool_)
        gain = self._shape.again - self._shape.restart
        for slot in range(self._slots - 1, -1, -1):
            used[:, slot] = running
            free = running & (owed == 0)
            began = free & self._began[slot] & (work == self._shape.min_run) & (layer == 0)
            resumed = free & self._resumed[slot, layer, work, rows] & ~began
            waited = self._stopped[slot, layer, work, rows] & ~running
            work = work - np.where(resumed, gain, np.where(began, work, free))
            owed = np.where(began, self._shape.min_run, np.where(resumed, self._shape.again, owed))
            layer = layer - resumed if self._shape.max_pauses != NONE else layer
            owed = np.maximum(owed - running, 0)
            first |= began
            over = (first | began | resumed | (running & ~free)) & (owed == 0)
            running = np.where(running, ~over, waited)
        return used


def cheapest_levels(held: FloatArray, level_work: FloatArray, work: FloatArray) -> tuple[FloatArray, IntArray]:
    """Low cost (n,) of doing ``work`` at the levels of a ladder, and the level taken in each slot (n, W), 0 for off.

    Steps up the ladder are taken by rising cost of work until it is done; then the last one is exchanged for the
    cheapest climb in one slot that suffices. Within that climb of the least cost there is.

    :param held: (n, W, L).
    :param level_work: (n, L) rising, 0 where a ladder has ended.
    """
    usable = np.isfinite(held) & (level_work > 0)[:, None, :]
    slots = _slots_in_question(held, usable, level_work, work)
    if slots is None:
        return _climbed(held, usable, level_work, work)
    least, taken = _climbed(held[_rows(slots), slots], usable[_rows(slots), slots], level_work, work)
    level = np.zeros(held.shape[:2], dtype=np.int64)
    np.put_along_axis(level, slots, taken, axis=1)
    return least, level


def _rows(columns: IntArray) -> IntArray:
    return np.arange(len(columns))[:, None]


def _slots_in_question(
    held: FloatArray, usable: BoolArray, level_work: FloatArray, work: FloatArray
) -> IntArray | None:
    """(n, K) the cheapest slots, as many as any row might use; None where that is all, or levels differ by slot."""
    ladder_ended = level_work <= 0
    if not ((usable == usable[:, :, :1]) | ladder_ended[:, None, :]).all():
        return None
    most = max(np.ceil(work / level_work[:, 0]).max() + 1, (held[:, :, 0] < 0).sum(axis=1).max())
    if 2 * most >= held.shape[1]:
        return None
    return np.argpartition(held[:, :, 0], int(most), axis=1)[:, : int(most)]


def _climbed(
    held: FloatArray, usable: BoolArray, level_work: FloatArray, work: FloatArray
) -> tuple[FloatArray, IntArray]:
    """As :func:`cheapest_levels`, over the slots given."""
    count, slots, depth = held.shape
    gained = np.diff(level_work, axis=1, prepend=0.0)
    costs = np.diff(np.where(usable, held, 0.0), axis=2, prepend=0.0)
    rate = np.where(usable, costs / np.where(gained > 0, gained, 1.0)[:, None, :], np.inf)
    rate = np.maximum.accumulate(rate, axis=2).reshape(count, -1)
    order = np.argsort(rate, axis=1, kind="stable")
    steps = np.where(usable, gained[:, None, :], 0.0).reshape(count, -1)
    done = np.cumsum(np.take_along_axis(steps, order, axis=1), axis=1)
    needed = (done < work[:, None] - 1e-9).sum(axis=1)
    found = needed < slots * depth
    paid = (rate < 0).sum(axis=1)
    taken = np.zeros(order.shape, dtype=np.bool_)
    np.put_along_axis(taken, order, np.arange(slots * depth) < np.maximum(needed, paid)[:, None], axis=1)
    level = (taken.reshape(held.shape) & usable).sum(axis=2)
    _finish(np.where(usable, held, np.inf), level_work, work, level, found & (paid <= needed))
    spent = np.take_along_axis(np.concatenate([np.zeros((count, slots, 1)), held], axis=2), level[:, :, None], axis=2)
    return np.where(found, spent[:, :, 0].sum(axis=1), np.inf), np.where(found[:, None], level, 0)


def _finish(held: FloatArray, level_work: FloatArray, work: FloatArray, level: IntArray, short: BoolArray) -> None:
    """In each ``short`` row climb in one slot, as cheaply as possible, to do what is left; changes ``level``."""
    rows = np.flatnonzero(short)
    count, (_, slots, depth) = len(rows), held.shape
    if not count:
        return
    ladder = np.concatenate([np.zeros((count, 1)), level_work[rows]], axis=1)
    now_work = np.take_along_axis(ladder, level[rows], axis=1)
    left = work[rows] - now_work.sum(axis=1)
    before = np.concatenate([np.zeros((count, slots, 1)), held[rows]], axis=2)
    now_gbp = np.take_along_axis(before, level[rows][:, :, None], axis=2)
    climbs = level_work[rows][:, None, :] - now_work[:, :, None] >= left[:, None, None] - 1e-9
    extra = np.where(climbs & np.isfinite(held[rows]), held[rows] - now_gbp, np.inf).reshape(count, -1)
    best = np.argmin(extra, axis=1)
    level[rows, best // depth] = best % depth + 1
