"""From the steps in which sources speak to half-hours, without making up what is not there.

Two rules. A *held* figure is the mean over its own step: a half-hour gets the mean of what covers it, weighted by time,
and is MISSING where less than half of it is covered. An *instantaneous* figure is a point of a line: a half-hour gets
the mean of the straight line between its neighbours, and is MISSING where they are further apart than the source's
step. Both keep the mean over time. Times are seconds since 1970 UTC, int64; figures are float64, NaN where not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from agents.energy.feed import Ask, Finding, Flag
from agents.energy.reading import number
from core.errors import FeedInvalid
from core.halfhours import instant_of, slot_index
from core.series import BoolArray, FloatArray, IntArray, Kind, KindArray, Series
from core.slots import SLOT, require_aware, slot_ceil, slot_floor, slots_between
from core.vintage import UNITS, Quantity

SLOT_S = 1800
LEAST_COVER = 0.5
"""Share of a half-hour that figures must cover for it to have a mean."""
STEPS_S = (300, 900, 1800, 3600)
"""The steps that sources use."""


def slots_asked(ask: Ask) -> tuple[datetime, int]:
    """First slot of an ask and how many slots it has, both ends widened to whole slots."""
    start = slot_floor(ask.start)
    return start, slots_between(start, slot_ceil(ask.end))


def seconds(instant: datetime) -> int:
    """Whole seconds since 1970."""
    return int(instant.timestamp())


def time_s(value: Any, where: str) -> int:
    """Seconds since 1970 of a time that names its UTC offset; :class:`FeedInvalid` for a naive one."""
    try:
        return seconds(require_aware(datetime.fromisoformat(value)))
    except (TypeError, ValueError) as error:
        raise FeedInvalid(f"{where} is {value!r}, a time with its UTC offset was expected.") from error


def column(values: Any, count: int, low: float, high: float, where: str) -> FloatArray:
    """A JSON array of ``count`` numbers within ``[low, high]``, shape (count,); null becomes NaN.

    Raises :class:`FeedInvalid`.
    """
    if not isinstance(values, list) or len(values) != count:
        length = len(values) if isinstance(values, list) else type(values).__name__
        raise FeedInvalid(f"{where} is an array of {count} numbers by its times, but has {length}.")
    return np.array([np.nan if v is None else number(v, low, high, where) for v in values], dtype=np.float64)


def distinct(times_s: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray, IntArray]:
    """Times ascending, each once, their values, and the times that came more than once; of those the last counts."""
    kept, at, counts = np.unique(times_s[::-1], return_index=True, return_counts=True)
    return kept, values[::-1][at], kept[counts > 1]


def steps_of(times_s: IntArray, where: str) -> IntArray:
    """For how many seconds each of the ascending ``times_s`` speaks; shape as ``times_s``.

    The step may change within an answer. A gap is no longer step: only two equal ones in a row are. Raises
    :class:`FeedInvalid` where a step is not one of ``STEPS_S``, or a single time tells none.
    """
    if times_s.size < 2:
        raise FeedInvalid(f"{where} has {times_s.size} times, which tell no step.")
    gaps = np.diff(times_s)
    before = np.concatenate([gaps[:1], gaps])
    after = np.concatenate([gaps, gaps[-1:]])
    again = np.concatenate([gaps[1:], np.zeros(2, dtype=np.int64)])
    steps = np.where(after == again, after, np.minimum(before, after))
    odd = steps[~np.isin(steps, STEPS_S)]
    if odd.size:
        raise FeedInvalid(f"{where} has figures {int(odd[0])} s apart, one of {STEPS_S} s was expected.")
    return steps


def held(times_s: IntArray, values: FloatArray, steps_s: IntArray, start: datetime, count: int) -> FloatArray:
    """Half-hour means of figures that hold from each time for its step; shape (count,) from ``start``.

    Raises :class:`FeedInvalid` where a time is not on a multiple of its step within the half-hour, or two overlap.
    """
    known = ~np.isnan(values)
    times_s, values, steps_s = times_s[known], values[known], steps_s[known]
    within_s = np.minimum(steps_s, SLOT_S)
    if np.any(times_s % within_s):
        raise FeedInvalid(f"a figure at {int(times_s[times_s % within_s != 0][0])} s is not on its step.")
    pieces = steps_s // within_s
    part = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    slot = np.repeat(times_s // SLOT_S, pieces) + part - slot_index(start)
    inside = (slot >= 0) & (slot < count)
    weight = np.repeat(within_s / SLOT_S, pieces)[inside]
    cover = np.bincount(slot[inside], weights=weight, minlength=count)
    if np.any(cover > 1 + 1e-9):
        raise FeedInvalid(
            f"two figures speak for {instant_of(slot_index(start) + int(cover.argmax())):%Y-%m-%d %H:%M}."
        )
    total = np.bincount(slot[inside], weights=weight * np.repeat(values, pieces)[inside], minlength=count)
    means: FloatArray = np.full(count, np.nan)
    np.divide(total, cover, out=means, where=cover >= LEAST_COVER)
    return means


def interpolated(times_s: IntArray, values: FloatArray, step_s: int, start: datetime, count: int) -> FloatArray:
    """Half-hour means of the straight lines between instantaneous figures; shape (count,) from ``start``.

    The mean over a half-hour that holds no figure inside is the line's value at its middle. A half-hour between two
    figures further apart than ``step_s``, before the first or after the last one is NaN.
    """
    known = ~np.isnan(values)
    times_s, values = times_s[known], values[known]
    middle = (slot_index(start) + np.arange(count)) * SLOT_S + SLOT_S // 2
    if times_s.size < 2:
        return np.full(count, np.nan)
    right = np.clip(np.searchsorted(times_s, middle), 1, times_s.size - 1)
    apart = times_s[right] - times_s[right - 1]
    outside = (middle < times_s[0]) | (middle > times_s[-1])
    line = np.interp(middle, times_s, values)
    return np.where(outside | (apart > step_s), np.nan, line)


def kinds_by_time(start: datetime, values: FloatArray, now: datetime) -> KindArray:
    """ESTIMATE for slots that are over at ``now``, FORECAST for the others, MISSING where there is no value."""
    coming = slot_index(start) + np.arange(values.size) >= slot_index(now)
    return _with_missing(np.where(coming, Kind.FORECAST, Kind.ESTIMATE), values)


def kinds_where(forecast: BoolArray, values: FloatArray) -> KindArray:
    """FORECAST where ``forecast``, ESTIMATE elsewhere, MISSING where there is no value."""
    return _with_missing(np.where(forecast, Kind.FORECAST, Kind.ESTIMATE), values)


def _with_missing(kinds: IntArray, values: FloatArray) -> KindArray:
    return np.where(np.isnan(values), Kind.MISSING, kinds).astype(np.int8)


def known_part(
    quantity: Quantity, start: datetime, values: FloatArray, kinds: KindArray, source: str, issued_at: datetime
) -> dict[Quantity, Series]:
    """The series from the first to the last known figure under its quantity; empty where nothing is known."""
    known = np.flatnonzero(~np.isnan(values))
    if known.size == 0:
        return {}
    part = slice(int(known[0]), int(known[-1]) + 1)
    first = start + SLOT * part.start
    return {quantity: Series(first, values[part], kinds[part], UNITS[quantity], source, issued_at)}


def at_times(flag: Flag, quantity: Quantity, times_s: IntArray, detail: str) -> tuple[Finding, ...]:
    """One finding over the slots that hold ``times_s``; none where there are none."""
    if times_s.size == 0:
        return ()
    start, end = instant_of(int(times_s.min()) // SLOT_S), instant_of(int(times_s.max()) // SLOT_S) + SLOT
    return (Finding(flag, quantity, start, end, f"{times_s.size} figures: {detail}"),)


def require_figures(series: Mapping[Quantity, Series], ask: Ask, oldest: timedelta, where: str) -> None:
    """Refuse an answer without figures, or, where the ask reaches beyond the present, one of another week.

    :param oldest: by how much the source's newest figure may lie before ``ask.now``.
    """
    if not series:
        raise FeedInvalid(f"{where} has no figures for {ask.start:%Y-%m-%d %H:%M} to {ask.end:%Y-%m-%d %H:%M} UTC.")
    newest = max(one.end for one in series.values())
    if ask.end > ask.now and newest < ask.now - oldest:
        raise FeedInvalid(f"{where} has no figures after {newest:%Y-%m-%d %H:%M} UTC, at {ask.now:%Y-%m-%d %H:%M} UTC.")
