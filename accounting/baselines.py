"""Baselines: what would have happened without Slackwater, under the same limits of capacity.

The policy *run at submission* starts each job, in the order of submission, in the earliest slot in which it fits as one
block at full power at a site it may use; of the sites that can start it then, the one with the most room. What one
baseline takes, the next does not have.

Axes: ``S`` sites, ``T`` slots. ``free_kw`` is at the meter; a job draws ``power_kw * pue[s, t]`` there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.series import BoolArray, FloatArray, IntArray

POLICY = "run-at-submission"
"""name of the policy in records and on screens"""
TOLERANCE_KW = 1e-9


@dataclass(frozen=True, slots=True)
class BaselineDemand:
    """A job as it was submitted.

    :param site_indexes: rows of ``free_kw`` that the job may use.
    :param first_slot: first slot at or after submission and earliest start.
    :param power_kw: IT power at full speed, held for ``work_slots`` slots.
    :param deadline_slot: slot by whose start the job must have ended; None when it has no deadline.
    """

    job_id: str
    site_indexes: tuple[int, ...]
    first_slot: int
    work_slots: int
    power_kw: float
    deadline_slot: int | None = None

    def __post_init__(self) -> None:
        if self.first_slot < 0 or self.work_slots < 1 or not self.power_kw > 0:
            raise ValueError(
                f"baseline of job {self.job_id}: first_slot {self.first_slot} must be at least 0, work_slots "
                f"{self.work_slots} at least 1 and power_kw {self.power_kw} above 0"
            )


@dataclass(frozen=True, slots=True)
class BaselinePlacement:
    """Where and when the baseline runs a job; both None when no block fits before the last slot known.

    :param late: the block ends after the job's deadline.
    """

    job_id: str
    site_index: int | None
    start_slot: int | None
    work_slots: int
    late: bool


def _block_starts(fits: BoolArray, work_slots: int) -> BoolArray:
    """Whether ``work_slots`` consecutive slots fit from each start: (n, T) to (n, T - work_slots + 1)."""
    blocked = np.zeros((fits.shape[0], fits.shape[1] + 1), dtype=np.int64)
    np.cumsum(~fits, axis=1, out=blocked[:, 1:])
    return np.equal(blocked[:, work_slots:], blocked[:, :-work_slots])


def _roomiest(free_kw: FloatArray, sites: IntArray, start: int, work_slots: int) -> int:
    """Of ``sites``, the one whose least free capacity over the block is greatest; the first of equals."""
    room_kw = free_kw[sites, start : start + work_slots].min(axis=1)
    return int(sites[np.argmax(room_kw)])


def _earliest(demand: BaselineDemand, free_kw: FloatArray, pue: FloatArray) -> tuple[int, int] | None:
    """Site and start slot of the earliest block that fits, or None."""
    rows = np.array(demand.site_indexes, dtype=np.int64)
    first, work_slots = demand.first_slot, demand.work_slots
    if not rows.size or first + work_slots > free_kw.shape[1]:
        return None
    fits = demand.power_kw * pue[rows, first:] <= free_kw[rows, first:] + TOLERANCE_KW
    starts = _block_starts(fits, work_slots)
    possible = starts.any(axis=0)
    if not possible.any():
        return None
    offset = int(np.argmax(possible))
    start = first + offset
    return _roomiest(free_kw, rows[starts[:, offset]], start, work_slots), start


def _take(free_kw: FloatArray, placement: BaselinePlacement, power_kw: float, pue: FloatArray) -> None:
    """Reduce ``free_kw`` in place."""
    if placement.site_index is None or placement.start_slot is None:
        return
    block = (placement.site_index, slice(placement.start_slot, placement.start_slot + placement.work_slots))
    free_kw[block] -= power_kw * pue[block]


def _place(demand: BaselineDemand, free_kw: FloatArray, pue: FloatArray) -> BaselinePlacement:
    found = _earliest(demand, free_kw, pue)
    if found is None:
        return BaselinePlacement(demand.job_id, None, None, demand.work_slots, False)
    site, start = found
    late = demand.deadline_slot is not None and start + demand.work_slots > demand.deadline_slot
    return BaselinePlacement(demand.job_id, site, start, demand.work_slots, late)


def run_at_submission(
    demands: Sequence[BaselineDemand], free_kw: FloatArray, pue: FloatArray
) -> list[BaselinePlacement]:
    """Place demands, given in order of submission, one after the other.

    :param free_kw: (S, T) at the meter, less what earlier baselines hold; not changed.
    :param pue: (S, T), at least 1.
    :returns: one placement a demand, in the same order.
    :raises ValueError: when the shapes differ.
    """
    if free_kw.ndim != 2 or free_kw.shape != pue.shape:
        raise ValueError(f"free_kw has shape {free_kw.shape} and pue {pue.shape}; both must be (S, T)")
    left_kw = free_kw.astype(np.float64, copy=True)
    placements = []
    for demand in demands:
        placement = _place(demand, left_kw, pue)
        _take(left_kw, placement, demand.power_kw, pue)
        placements.append(placement)
    return placements
