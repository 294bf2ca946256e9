"""One job at a time: its best course at given costs, where there is room. What every rule-based peer is made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.peers.forms import Json, full_power
from benchmarks.peers.problem import Array, Course, Mask, Problem, runs_of

ROUNDING_KW = 1e-9
Offer = tuple[float, int, Array]
"""what a course costs in GBP, its row among the job's sites, and its (W,) IT power"""


class Room:
    """Power that is left at each site, (S, T) kW at the meter; without limits, ``None`` stands for no room at all."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.left_kw = problem.headroom_kw.copy()

    def holds(self, rows: list[int], window: slice, kw: float) -> Mask:
        """(sites, W): where ``kw`` of IT power fit in."""
        left, pue = self.left_kw[rows, window], self._problem.pue[rows, window]
        return np.asarray(left + ROUNDING_KW >= kw * pue)

    def take(self, course: Course) -> None:
        """Use the room that a course needs."""
        for start, end, kw in course.runs:
            self.left_kw[course.site, start:end] -= kw * self._problem.pue[course.site, start:end]


def cheapest(problem: Problem, number: int, room: Room | None) -> Course | None:
    """The cheapest course of a job on its own; only where there is room, if ``room`` is given. None: there is none.

    Blocks: the best window. Pausable: the best window or the cheapest slots, pauses paid. Elastic: the cheapest work
    first, until it is done.
    """
    job = problem.jobs[number]
    rows, window = problem.sites_of(job), slice(job["earliest_slot"], job["latest_slot"])
    if not rows or window.start >= window.stop:
        return None
    cost, permitted = problem.cost_gbp[rows, window], problem.permitted(job)

    def usable(kw: float) -> Mask:
        return permitted if room is None else permitted & room.holds(rows, window, kw)

    offers = [offer for form in _FORMS[job["kind"]] if (offer := form(job, cost, usable)) is not None]
    return _course(number, rows, window, min(offers, key=lambda offer: offer[0], default=None))


def earliest(problem: Problem, number: int, room: Room | None) -> Course | None:
    """A job at full power as early as it can be, at the first of its sites that is free then."""
    job = problem.jobs[number]
    rows, window = problem.sites_of(job), slice(job["earliest_slot"], job["latest_slot"])
    if not rows or window.start >= window.stop:
        return None
    kw, slots = full_power(job)
    usable = problem.permitted(job)
    if room is not None:
        usable &= room.holds(rows, window, kw)
    time = np.broadcast_to(np.arange(usable.shape[1], dtype=np.float64), usable.shape)
    form = _window if job["kind"] == "block" else _lowest_slots
    return _course(number, rows, window, form(kw, slots, time, usable, 0.0))


def _course(number: int, rows: list[int], window: slice, offer: Offer | None) -> Course | None:
    if offer is None:
        return None
    _, row, power_kw = offer
    return Course(number, rows[row], runs_of(power_kw, window.start))


def _window(kw: float, slots: int, cost: Array, usable: Mask, _pause_gbp: float) -> Offer | None:
    """The cheapest ``slots`` in a row."""
    if cost.shape[1] < slots:
        return None
    sums = _sums(np.where(usable, cost, 0.0), slots)
    sums = np.where(_sums(usable.astype(float), slots) > slots - 0.5, sums, np.inf)
    row, start = np.unravel_index(int(sums.argmin()), sums.shape)
    if not np.isfinite(sums[row, start]):
        return None
    power = np.zeros(cost.shape[1])
    power[start : start + slots] = kw
    return float(kw * sums[row, start]), int(row), power


def _sums(values: Array, width: int) -> Array:
    total = np.cumsum(values, axis=1)
    return np.asarray(total[:, width - 1 :] - np.pad(total, ((0, 0), (1, 0)))[:, : total.shape[1] - width + 1])


def _lowest_slots(kw: float, slots: int, cost: Array, usable: Mask, pause_gbp: float) -> Offer | None:
    """The cheapest ``slots`` at one site, wherever they lie."""
    if cost.shape[1] < slots:
        return None
    masked = np.where(usable, cost, np.inf)
    order = np.argsort(masked, axis=1, kind="stable")[:, :slots]
    used = np.zeros(usable.shape, dtype=bool)
    np.put_along_axis(used, order, True, axis=1)
    pauses = np.diff(used, axis=1, prepend=False).sum(axis=1) + used[:, -1]
    total = kw * np.take_along_axis(masked, order, axis=1).sum(axis=1) + pause_gbp * (pauses // 2 - 1)
    row = int(total.argmin())
    return (float(total[row]), row, used[row] * kw) if np.isfinite(total[row]) else None


def _lowest_work(job: Json, cost: Array, usable: Callable[[float], Mask]) -> Offer | None:
    """Steps from level to level, cheapest work first, at the site where the work comes cheapest."""
    levels = sorted(job["levels"], key=lambda level: float(level["power_kw"]))
    kw = np.array([0.0, *(level["power_kw"] for level in levels)])
    work = np.array([0.0, *(level["work_per_slot"] for level in levels)])
    step_gbp = np.stack(
        [np.where(usable(top), cost * step, np.inf) for top, step in zip(kw[1:], np.diff(kw), strict=True)], 2
    )
    ratio = np.maximum.accumulate(step_gbp / np.diff(work), axis=2).reshape(cost.shape[0], -1)
    order = np.argsort(ratio, axis=1, kind="stable")
    done = np.cumsum(np.tile(np.diff(work), cost.shape[1])[order], axis=1)
    best: Offer | None = None
    for row in range(cost.shape[0]):
        steps = order[row, : int(np.searchsorted(done[row], job["work"] - 1e-9)) + 1]
        paid = float(step_gbp[row].ravel()[steps].sum())
        if done[row, -1] >= job["work"] - 1e-9 and np.isfinite(paid) and (best is None or paid < best[0]):
            best = paid, row, kw[np.bincount(steps // (kw.size - 1), minlength=cost.shape[1])]
    return best


def _at_full_power(
    form: Callable[[float, int, Array, Mask, float], Offer | None],
) -> Callable[[Json, Array, Callable[[float], Mask]], Offer | None]:
    def offer(job: Json, cost: Array, usable: Callable[[float], Mask]) -> Offer | None:
        kw, slots = full_power(job)
        return form(kw, slots, cost, usable(kw), float(job.get("pause_cost_gbp") or 0.0))

    return offer


_FORMS = {
    "block": (_at_full_power(_window),),
    "pausable": (_at_full_power(_window), _at_full_power(_lowest_slots)),
    "elastic": (_lowest_work,),
}
