"""Block jobs: one contiguous run of fixed length at constant power."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from core.bid import TOLERANCE_KW, BidBatch
from core.instance import Instance
from core.series import BoolArray, FloatArray, IntArray


class BlockJobs:
    """All block jobs of an instance, grouped by duration: a start is judged by one window sum."""

    def __init__(self, instance: Instance, allowed: BoolArray) -> None:
        kept = [(row, job) for row, job in enumerate(instance.jobs) if job.kind == "block"]
        self.index: IntArray = np.array([row for row, _ in kept], dtype=np.int64)
        self.power_kw = np.array([job.power_kw for _, job in kept], dtype=np.float64)
        self.duration = np.array([job.duration_slots for _, job in kept], dtype=np.int64)
        self._slots = instance.slots
        self._starts: dict[int, BoolArray] = {}
        self._row_in_group = np.zeros(len(kept), dtype=np.int64)
        for duration in np.unique(self.duration):
            rows = np.flatnonzero(self.duration == duration)
            self._row_in_group[rows] = np.arange(rows.size)
            self._starts[int(duration)] = _whole_windows(allowed[self.index[rows]], int(duration))

    def best(self, per_kw: FloatArray, free_kw: FloatArray | None, rows: IntArray, sites: BoolArray | None) -> BidBatch:
        """The cheapest start of each of ``rows``."""
        batch = BidBatch.empty(self.index[rows], self._slots)
        for duration in np.unique(self.duration[rows]):
            where = np.flatnonzero(self.duration[rows] == duration)
            self._answer(batch, where, rows[where], int(duration), per_kw, free_kw, sites)
        return batch

    def _answer(
        self,
        batch: BidBatch,
        where: IntArray,
        rows: IntArray,
        duration: int,
        per_kw: FloatArray,
        free_kw: FloatArray | None,
        sites: BoolArray | None,
    ) -> None:
        """Fill the bids at ``where`` for jobs ``rows``, all of one duration."""
        if duration > self._slots:
            return
        starts = self._starts[duration][self._row_in_group[rows]]
        if sites is not None:
            starts = starts & sites[None, :, None]
        if free_kw is not None:
            least = sliding_window_view(free_kw, duration, axis=1).min(axis=2)
            starts = starts & (least[None] + TOLERANCE_KW >= self.power_kw[rows, None, None])
        totals = np.cumsum(np.pad(per_kw, ((0, 0), (1, 0))), axis=1)
        sums = totals[:, duration:] - totals[:, :-duration]
        flat = np.where(starts, sums[None], np.inf).reshape(len(rows), -1)
        pick = flat.argmin(axis=1)
        per_kw_run = flat[np.arange(len(rows)), pick]
        found = np.flatnonzero(np.isfinite(per_kw_run))
        site, start = np.divmod(pick[found], sums.shape[1])
        target = where[found]
        batch.site[target] = site
        span = start[:, None] + np.arange(duration)
        batch.power_kw[target[:, None], span] = self.power_kw[rows[found], None]
        value = self.power_kw[rows[found]] * per_kw_run[found]
        batch.value_gbp[target] = batch.floor_gbp[target] = value


def _whole_windows(allowed: BoolArray, duration: int) -> BoolArray:
    """(n, S, T - duration + 1): starts whose every slot is allowed."""
    slots = allowed.shape[2]
    if duration > slots:
        return np.zeros((*allowed.shape[:2], 0), dtype=bool)
    counts = np.cumsum(np.pad(allowed, ((0, 0), (0, 0), (1, 0))), axis=2, dtype=np.int32)
    return np.asarray(counts[:, :, duration:] - counts[:, :, :-duration] == duration)
