"""Flexible load that nobody has submitted yet: how much of it to expect, so that room is kept where a spike is likely.

Past submissions are summed by tenant, by the sites they may use, and by blocks of two hours. What may arrive in a
coming block is a weighted quantile of past blocks. Four weightings compete for each tenant: all blocks alike, recent
days, the same time of day, the same hour of the week. A weighting is used only where it would have foretold that
tenant's own past better than all blocks alike, so noise is not taken for a habit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import numpy as np

from core.halfhours import EPOCH, instant_of
from core.series import FloatArray, IntArray
from core.site import Site
from core.slots import SLOT, SLOT_HOURS, SLOTS_PER_DAY
from store.jobs import Submission

BLOCK_SLOTS = 4
BLOCKS_PER_DAY = SLOTS_PER_DAY // BLOCK_SLOTS
LEAST_DAYS = 7
"""Days since a tenant's first submission below which nothing is expected of it."""
HISTORY_DAYS = 56
MOST_GROUPS = 100
MOST_LOADS = 50
QUANTILE = 0.9
SPIKE_RATIO = 2.0
"""A spike is at least this many times what is usual at that time of day."""
BETTER_BY = 0.02
"""Share of the loss by which a weighting must beat all blocks alike."""
PART_SHARE = 0.25
"""Largest part of an expected load, as a share of the largest site that may take it."""


@dataclass(frozen=True, slots=True)
class ExpectedLoad:
    """Load that may arrive, as a job that would stand for it.

    :param site_ids: where it may run.
    :param slot_start: first slot in which it could run.
    :param power_kw: IT power.
    :param duration_slots: slots for which it draws that power.
    :param deadline_slots: slots from ``slot_start`` by which it must be done; at least ``duration_slots``.
    :param probability: expected share of the block's load that really arrives, above 0 and at most 1.
    :param usual_kw: the IT power that the median of past blocks at this time of day would need, over the same slots.
    :param spike: far more may arrive than is usual at this time of day.
    """

    tenant: str
    site_ids: tuple[str, ...]
    slot_start: datetime
    power_kw: float
    duration_slots: int
    deadline_slots: int
    probability: float
    usual_kw: float
    spike: bool


@dataclass(frozen=True, slots=True)
class ArrivalScore:
    """How well the load of coming blocks was foretold, a day ahead and out of sample. Losses in kWh of IT energy.

    :param blocks: number of blocks compared.
    :param pinball: mean pinball loss of the expected quantile.
    :param constant_pinball: that of the plain quantile of all blocks of the same past.
    :param coverage: share of the blocks in which no more arrived than expected; ``quantile`` is the aim.
    """

    tenant: str
    site_ids: tuple[str, ...]
    blocks: int
    quantile: float
    pinball: float
    constant_pinball: float
    coverage: float


class Submissions(Protocol):
    """Where past submissions are read."""

    def submissions(self, since: datetime) -> list[Submission]:
        """All since an instant, in order of submission."""
        ...


class _Weighting(NamedTuple):
    """How past blocks count for a coming one.

    :param by_time_of_day: only the same block of the day counts, and with ``neighbours`` those beside it.
    :param days: days after which the weight of a block has fallen to 1/e; infinite: never.
    :param by_weekday: only the same day of the week counts.
    """

    by_time_of_day: bool
    days: float
    neighbours: float = 0.0
    by_weekday: bool = False


_WEIGHTINGS = (
    _Weighting(by_time_of_day=False, days=np.inf),
    _Weighting(by_time_of_day=False, days=7.0),
    _Weighting(by_time_of_day=True, days=28.0, neighbours=0.5),
    _Weighting(by_time_of_day=True, days=56.0, by_weekday=True),
)


@dataclass(frozen=True, slots=True)
class _Group:
    """Past submissions of one tenant for one set of sites.

    :param daily_kwh: (D, BLOCKS_PER_DAY) IT energy submitted; the last row ends when the forecast is made.
    :param duration_slots: typical duration, each kWh counting alike.
    :param window_slots: typical slots from earliest start to deadline.
    :param delay_slots: typical slots from submission to earliest start.
    """

    tenant: str
    site_ids: tuple[str, ...]
    daily_kwh: FloatArray
    duration_slots: int
    window_slots: int
    delay_slots: int


class ArrivalForecaster:
    """Expected arrivals, worked out once in a block. Safe to ask from many threads.

    :param jobs: the repository of past submissions.
    :param quantile: probability with which no more arrives in a block than is expected.
    """

    def __init__(self, jobs: Submissions, quantile: float = QUANTILE) -> None:
        self._jobs = jobs
        self._quantile = quantile
        self._making = threading.Lock()
        self._kept: tuple[int, int, tuple[Site, ...], tuple[ExpectedLoad, ...]] | None = None

    def expected(self, sites: Sequence[Site], now: datetime, slots: int) -> tuple[ExpectedLoad, ...]:
        """As :func:`expected_arrivals`, from the submissions in the store."""
        asked = (_block(now), slots, tuple(sites))
        with self._making:
            if self._kept is None or self._kept[:3] != asked:
                history = self._jobs.submissions(now - timedelta(days=HISTORY_DAYS))
                self._kept = (*asked, expected_arrivals(history, sites, now, slots, self._quantile))
            return self._kept[3]

    def scores(self, sites: Sequence[Site], now: datetime) -> tuple[ArrivalScore, ...]:
        """As :func:`arrival_scores`, from the submissions in the store."""
        history = self._jobs.submissions(now - timedelta(days=HISTORY_DAYS))
        return arrival_scores(history, sites, now, self._quantile)


def expected_arrivals(
    history: Iterable[Submission], sites: Sequence[Site], now: datetime, slots: int, quantile: float = QUANTILE
) -> tuple[ExpectedLoad, ...]:
    """Load that may arrive, in order of time: more than that arrives in a block with probability ``1 - quantile``.

    One load stands for all that one tenant may submit in one block; it is split into equal parts where it would fill
    more than ``PART_SHARE`` of the largest site. No more than ``MOST_LOADS`` are given: spikes first, then by the
    energy expected to be used. A tenant known for less than ``LEAST_DAYS`` has none.

    :param history: past submissions; those after ``now`` and those that no site of ``sites`` may take are left out.
    :param slots: how far to look from ``now``. The block under way is left out.
    """
    largest_kw = {site.site_id: site.capacity_kw for site in sites}
    loads = [
        load
        for group in _groups(history, sites, now)
        for block in _coming(group, now, slots, quantile)
        for load in _parts(block, PART_SHARE * max(largest_kw[site_id] for site_id in group.site_ids))
    ]
    loads.sort(key=lambda load: (not load.spike, -load.probability * load.power_kw * load.duration_slots))
    return tuple(sorted(loads[:MOST_LOADS], key=lambda load: (load.slot_start, load.tenant, load.site_ids)))


def arrival_scores(
    history: Iterable[Submission], sites: Sequence[Site], now: datetime, quantile: float = QUANTILE
) -> tuple[ArrivalScore, ...]:
    """How well :func:`expected_arrivals` would have done on each day of the past that follows ``2 * LEAST_DAYS`` days.

    Nothing of a day or after it is used for its forecast: neither in the quantiles nor in the choice of weighting.
    """
    return tuple(
        score_daily(group.daily_kwh, quantile, group.tenant, group.site_ids)
        for group in _groups(history, sites, now)
        if group.daily_kwh.shape[0] > 2 * LEAST_DAYS
    )


def score_daily(
    daily_kwh: FloatArray, quantile: float, tenant: str = "", site_ids: tuple[str, ...] = ()
) -> ArrivalScore:
    """The score on (D, blocks) sums, walking forward day by day from day ``2 * LEAST_DAYS``."""
    first, days = 2 * LEAST_DAYS, daily_kwh.shape[0]
    pasts = [daily_kwh[max(0, day - HISTORY_DAYS) : day] for day in range(first, days)]
    expected = np.vstack([_upper(past, _best(past, quantile), np.array([past.shape[0]]), quantile) for past in pasts])
    constant = np.array([[np.quantile(past, quantile)] for past in pasts])
    arrived = daily_kwh[first:]
    return ArrivalScore(
        tenant=tenant,
        site_ids=site_ids,
        blocks=arrived.size,
        quantile=quantile,
        pinball=_pinball(arrived, expected, quantile),
        constant_pinball=_pinball(arrived, constant, quantile),
        coverage=float(np.mean(arrived <= expected)),
    )


def _block(instant: datetime) -> int:
    """Index of the block that contains ``instant``."""
    return int((instant - EPOCH) // (BLOCK_SLOTS * SLOT))


def _groups(history: Iterable[Submission], sites: Sequence[Site], now: datetime) -> list[_Group]:
    """The groups known for long enough, those with the most energy first, ``MOST_GROUPS`` at most."""
    members: dict[tuple[str, tuple[str, ...]], list[Submission]] = {}
    places: dict[tuple[str, ...], tuple[str, ...]] = {}
    for one in history:
        if one.submitted_at <= now:
            if one.allowed_regions not in places:
                places[one.allowed_regions] = _allowed(one.allowed_regions, sites)
            members.setdefault((one.tenant, places[one.allowed_regions]), []).append(one)
    found = [_group(tenant, place, these, now) for (tenant, place), these in members.items() if place]
    known = [group for group in found if group.daily_kwh.shape[0] >= LEAST_DAYS and group.daily_kwh.any()]
    known.sort(key=lambda group: (-group.daily_kwh.sum(), group.tenant, group.site_ids))
    return known[:MOST_GROUPS]


def _allowed(regions: tuple[str, ...], sites: Sequence[Site]) -> tuple[str, ...]:
    wanted = set(regions)
    return tuple(site.site_id for site in sites if not wanted or wanted & site.regions())


def _group(tenant: str, site_ids: tuple[str, ...], members: Sequence[Submission], now: datetime) -> _Group:
    submitted, start, finish = (
        np.array([(getattr(one, name) - EPOCH) / SLOT for one in members])
        for name in ("submitted_at", "earliest_start", "latest_finish")
    )
    duration = np.maximum(1.0, np.ceil(np.array([one.duration_hours for one in members]) / SLOT_HOURS - 1e-9))
    energy = duration * SLOT_HOURS * np.array([one.power_kw for one in members])
    return _Group(
        tenant=tenant,
        site_ids=site_ids,
        daily_kwh=_daily(submitted, energy, _block(now)),
        duration_slots=round(float(energy @ duration / energy.sum())),
        window_slots=int(_typical(finish - start, energy)),
        delay_slots=int(_typical(start - submitted, energy)),
    )


def _daily(submitted: FloatArray, energy: FloatArray, end: int) -> FloatArray:
    """Energy by whole days before block ``end`` and by block, (D, BLOCKS_PER_DAY); ``submitted`` in slots."""
    block = (submitted // BLOCK_SLOTS).astype(np.int64)
    days = min(HISTORY_DAYS, int(end - block.min()) // BLOCKS_PER_DAY)
    since = block - (end - days * BLOCKS_PER_DAY)
    counted = (since >= 0) & (block < end)
    sums = np.bincount(since[counted], weights=energy[counted], minlength=days * BLOCKS_PER_DAY)
    return np.asarray(sums, dtype=np.float64).reshape(days, BLOCKS_PER_DAY)


def _typical(values: FloatArray, weights: FloatArray) -> float:
    """Weighted median, not below zero."""
    return max(0.0, float(_quantiles(values[:, np.newaxis], weights[np.newaxis], 0.5)[0, 0]))


def _quantiles(
    values: FloatArray, weights: FloatArray, quantile: float, unseen: FloatArray | float = 0.0
) -> FloatArray:
    """Weighted quantiles of each column, (t, c); NaN where nothing has weight.

    :param values: (n, c).
    :param weights: (t, n), one row for each quantile to be taken.
    :param unseen: (t, 1), weight of a value that has not been seen, taken to be above all others.
    """
    order = np.argsort(values, axis=0, kind="stable")
    ranked = np.take_along_axis(values, order, axis=0)
    reached = np.cumsum(weights[:, order], axis=1)
    total = reached[:, -1, :]
    wanted = np.minimum(quantile * (total + unseen), total)
    rank = np.sum(reached < wanted[:, np.newaxis, :] * (1 - 1e-12), axis=1)
    found = np.take_along_axis(ranked, np.minimum(rank, values.shape[0] - 1), axis=0)
    return np.where(total > 0, found, np.nan)


def _sample(daily: FloatArray, weighting: _Weighting, days: IntArray) -> tuple[FloatArray, FloatArray]:
    """Past blocks that count for the blocks of ``days``, and how much; only earlier days count.

    :param days: rows of ``daily``; those beyond its last are coming.
    :return: values (n, c) with c = BLOCKS_PER_DAY, or 1 where the time of day does not count; weights (t, n).
    """
    lag = days[:, np.newaxis] - np.arange(daily.shape[0])
    counts = (lag >= 1) & (lag % 7 == 0) if weighting.by_weekday else lag >= 1
    weights = np.where(counts, np.exp(-np.maximum(lag, 0) / weighting.days), 0.0)
    if not weighting.by_time_of_day:
        return daily.reshape(-1, 1), np.repeat(weights, daily.shape[1], axis=1)
    if not weighting.neighbours:
        return daily, weights
    beside = weighting.neighbours * weights
    shifted = (daily, np.roll(daily, 1, axis=1), np.roll(daily, -1, axis=1))
    return np.concatenate(shifted), np.concatenate((weights, beside, beside), axis=1)


def _upper(daily: FloatArray, weighting: _Weighting, days: IntArray, quantile: float) -> FloatArray:
    """Upper quantile of the energy in each block of ``days``, (t, BLOCKS_PER_DAY).

    As in conformal prediction the coming block counts as one more past block, above all the others: a high quantile of
    few blocks is their largest.
    """
    values, weights = _sample(daily, weighting, days)
    one_more = (weights**2).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)
    upper = _quantiles(values, weights, quantile, unseen=one_more)
    return np.broadcast_to(upper, (days.size, daily.shape[1]))


def _share(daily: FloatArray, weighting: _Weighting, days: IntArray, upper: FloatArray) -> FloatArray:
    """Expected share of ``upper`` that arrives in each block of ``days``, shaped like it; 0 where that is 0."""
    values, weights = _sample(daily, weighting, days)
    within = np.minimum(values, upper[:, np.newaxis, :])
    used = np.einsum("tn,tnc->tc", weights, within) / weights.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(used, upper, out=np.zeros_like(upper), where=upper > 0))


def _pinball(arrived: FloatArray, expected: FloatArray, quantile: float) -> float:
    """Mean pinball loss, in the unit of the figures."""
    short = arrived - expected
    return float(np.mean(np.maximum(quantile * short, (quantile - 1.0) * short)))


def _best(daily: FloatArray, quantile: float) -> _Weighting:
    """The weighting that foretold the later days of ``daily`` best, each day from those before it."""
    first = min(LEAST_DAYS, daily.shape[0] // 2)
    days = np.arange(first, daily.shape[0])
    able = [one for one in _WEIGHTINGS if first >= 7 or not one.by_weekday]
    losses = [_pinball(daily[days], _upper(daily, one, days, quantile), quantile) for one in able]
    losses[0] *= 1 - BETTER_BY
    return able[int(np.argmin(losses))]


def _ahead(daily: FloatArray, days: int, quantile: float) -> tuple[FloatArray, FloatArray]:
    """Upper quantiles of the blocks of the ``days`` days after ``daily``, and the shares of them expected."""
    weighting, coming = _best(daily, quantile), np.arange(daily.shape[0], daily.shape[0] + days)
    upper = _upper(daily, weighting, coming, quantile)
    return upper, _share(daily, weighting._replace(neighbours=0.0), coming, upper)


def _coming(group: _Group, now: datetime, slots: int, quantile: float) -> list[ExpectedLoad]:
    """What ``group`` may submit in each block after the present one, if it could begin within ``slots`` slots."""
    present, end = _block(now), now + (slots - group.delay_slots) * SLOT
    blocks = np.arange(1, _block(end - timedelta.resolution) - present + 1)
    if not blocks.size:
        return []
    figures = _ahead(group.daily_kwh, int(blocks[-1]) // BLOCKS_PER_DAY + 1, quantile)
    upper, share = (each.ravel()[blocks] for each in figures)
    usual = np.median(group.daily_kwh, axis=0)[blocks % BLOCKS_PER_DAY]
    hours = group.duration_slots * SLOT_HOURS
    return [
        ExpectedLoad(
            tenant=group.tenant,
            site_ids=group.site_ids,
            slot_start=instant_of((present + int(blocks[i])) * BLOCK_SLOTS + group.delay_slots),
            power_kw=float(upper[i]) / hours,
            duration_slots=group.duration_slots,
            deadline_slots=max(group.window_slots, group.duration_slots),
            probability=float(share[i]),
            usual_kw=float(usual[i]) / hours,
            spike=bool(upper[i] >= SPIKE_RATIO * usual[i]),
        )
        for i in np.flatnonzero(upper > 0)
    ]


def _parts(load: ExpectedLoad, most_kw: float) -> list[ExpectedLoad]:
    """``load`` in equal parts of ``most_kw`` or less, so that sites can share it; ``MOST_LOADS`` of them at most."""
    parts = -int(-load.power_kw // most_kw)
    if parts <= 1:
        return [load]
    part = replace(load, power_kw=load.power_kw / parts, usual_kw=load.usual_kw / parts)
    return [part] * min(parts, MOST_LOADS)
