"""What is expected beyond the published horizon: last week's profile at the level of the last published day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

import numpy as np

from core.halfhours import is_weekend, slot_index
from core.series import LEVEL, FloatArray, IntArray, Kind, Series, Unit
from core.slots import SLOTS_PER_DAY

PROFILE_SOURCE = "slackwater 7-day profile"
PROFILE_SLOTS = 7 * SLOTS_PER_DAY
BINS = 2 * SLOTS_PER_DAY
"""Half-hours of a weekday, then of a day at the weekend."""
HalfHour = Callable[[IntArray], IntArray]


@lru_cache(maxsize=32)
def _bins(first: int, count: int, half_hour: HalfHour) -> IntArray:
    """The bin of each of ``count`` slots from index ``first``; the same for every zone of a quote, hence kept."""
    index = np.arange(first, first + count, dtype=np.int64)
    bins = half_hour(index) + SLOTS_PER_DAY * is_weekend(index)
    bins.setflags(write=False)
    return bins


def _profile(values: FloatArray, bins: IntArray) -> FloatArray:
    """Mean of the values in each bin; (BINS,). An empty bin takes the other kind of day's, else the mean of all."""
    counts = np.bincount(bins, minlength=BINS)
    means = np.bincount(bins, weights=values, minlength=BINS) / np.maximum(counts, 1)
    other = np.roll(means, SLOTS_PER_DAY)
    fallback = np.where(np.roll(counts, SLOTS_PER_DAY) > 0, other, np.mean(values))
    return np.where(counts > 0, means, fallback)


def _half_width(values: FloatArray, lead: IntArray) -> FloatArray:
    """Half of the interval's width at each lead (slots after the last known): what nine of ten known figures differed
    by from those as many days before; of the furthest day back there is for leads beyond."""
    days = range(1, values.size // SLOTS_PER_DAY) or range(1, 2)
    apart = [np.abs(values[day * SLOTS_PER_DAY :] - values[: -day * SLOTS_PER_DAY]) for day in days]
    widths = np.maximum.accumulate([np.quantile(each, LEVEL) if each.size else np.ptp(values) for each in apart])
    return np.asarray(widths[np.clip(lead // SLOTS_PER_DAY, 0, len(widths) - 1)])


def profile_forecast(
    known: Series, start: datetime, count: int, half_hour: HalfHour, issued_at: datetime
) -> Series | None:
    """The ``count`` slots from ``start`` as the mean by half-hour and kind of day of the last 7 known days.

    :param known: what is published and observed, up to its true horizon; the profile uses its last 7 days.
    :param half_hour: half-hour of the day that the zone lives by (local for GB, UTC elsewhere).
    :return: FORECAST, or None when less than a day is known: no profile can be made of that.

    The whole profile is shifted so that it agrees in the mean with the last known day. Intensities stay above zero. The
    interval is as wide as the known figures differed over as many days.
    """
    found = np.flatnonzero(known.kinds != np.int8(Kind.MISSING))
    if found.size < SLOTS_PER_DAY:
        return None
    recent = found[found > found[-1] - PROFILE_SLOTS]
    values = known.values[recent]
    bins = _bins(slot_index(known.start), len(known), half_hour)[recent]
    profile = _profile(values, bins)
    level = float(np.mean(values[-SLOTS_PER_DAY:] - profile[bins[-SLOTS_PER_DAY:]]))
    ahead = profile[_bins(slot_index(start), count, half_hour)] + level
    last = slot_index(known.start) + int(found[-1])
    half = _half_width(values, np.arange(count) + slot_index(start) - last - 1)
    low, high = ahead - half, ahead + half
    if known.unit is Unit.G_PER_KWH:
        ahead, low, high = (np.maximum(each, 0.0) for each in (ahead, low, high))
    series = Series.of(start, ahead, Kind.FORECAST, known.unit, PROFILE_SOURCE, issued_at)
    return series.with_interval(low, high)
