"""System frequency of Great Britain from Elexon Insights (FREQ): one sample every 15 s, at most 24 h a request.

Measured by NESO and never revised, so a half-hour's figures are settled once it is over. One that is not over, or has
lost more than a tenth of its samples, has no figures: its largest deviation would read too small. An excursion between
two samples is not seen.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from agents.energy.feed import Ask, Fetched, Finding, Flag
from agents.energy.feeds.elexon_rows import (
    SLOT_SECONDS,
    Figures,
    Rows,
    chunks,
    finding,
    minute,
    numbers,
    past_end,
    require_recent,
    require_some,
    rows_of,
    series,
    utc_seconds,
)
from core.halfhours import slot_index
from core.series import FloatArray, IntArray, Kind
from core.slots import slot_floor

NOMINAL_HZ = 50.0
LOWEST_HZ, HIGHEST_HZ = 47.0, 52.0
"""Generators may disconnect beyond these: a sample outside is a fault of telemetry, not of the grid."""
SAMPLES = 120
"""Samples in a half-hour."""
ENOUGH_SAMPLES = 108
LONGEST_RANGE = timedelta(hours=24)
OLDEST = timedelta(hours=3)
"""Age that the newest half-hour never has while the source works."""
SOURCE = "Elexon system frequency GB"


def frequency(ask: Ask, base: str) -> Fetched:
    """Mean frequency and largest deviation of each half-hour that is over, from samples every 15 s."""
    where = "Elexon FREQ:"
    start, end = slot_floor(ask.start), past_end(ask)
    require_some(start, end, where, "past")
    found = [
        row
        for first, last in chunks(start, end, LONGEST_RANGE)
        for row in rows_of(
            ask.get(
                f"{base}/datasets/FREQ",
                {"measurementDateTimeFrom": minute(first), "measurementDateTimeTo": minute(last)},
            ),
            where,
        )
    ]
    window = slot_index(start), slot_index(end)
    mean, deviation, findings = _half_hourly(found, window, where)
    require_recent(mean, ask, OLDEST, where)
    return Fetched(
        {
            "frequency": series(ask, "frequency", SOURCE, mean),
            "frequency_deviation": series(ask, "frequency_deviation", SOURCE, deviation),
        },
        findings,
    )


def _half_hourly(found: Rows, window: tuple[int, int], where: str) -> tuple[Figures, Figures, tuple[Finding, ...]]:
    """Mean Hz and largest distance from 50 Hz of each slot in ``window`` that has samples; NaN with too few."""
    seconds, hertz = _samples(found, window, where)
    plausible = (hertz >= LOWEST_HZ) & (hertz <= HIGHEST_HZ)
    faulty = seconds[~plausible] // SLOT_SECONDS
    seconds, hertz, twice = _once(seconds[plausible], hertz[plausible])
    index, starts, counts = np.unique(seconds // SLOT_SECONDS, return_index=True, return_counts=True)
    few = counts < ENOUGH_SAMPLES
    mean = _reduce(np.add, hertz, starts) / counts
    deviation = _reduce(np.maximum, np.abs(hertz - NOMINAL_HZ), starts)
    outside = f"had samples outside {LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz, which are left out."
    lost = f"had fewer than {ENOUGH_SAMPLES} of {SAMPLES} samples and are left out."
    return (
        Figures(index, np.where(few, np.nan, mean), Kind.SETTLED),
        Figures(index, np.where(few, np.nan, deviation), Kind.SETTLED),
        finding(Flag.OUTLIER, "frequency", faulty, outside)
        + finding(Flag.GAP, "frequency", index[few], lost)
        + finding(Flag.DUPLICATE, "frequency", twice, "had samples with two figures; the later row is used."),
    )


def _samples(found: Rows, window: tuple[int, int], where: str) -> tuple[IntArray, FloatArray]:
    """Seconds and Hz of the samples in the slots of ``window``, as they came; nulls are left out."""
    seconds = utc_seconds([row.get("measurementTime") for row in found], f"{where} measurementTime")
    hertz = numbers(found, "frequency", where)
    first, end = window
    inside = (seconds >= first * SLOT_SECONDS) & (seconds < end * SLOT_SECONDS) & ~np.isnan(hertz)
    return seconds[inside], hertz[inside]


def _once(seconds: IntArray, hertz: FloatArray) -> tuple[IntArray, FloatArray, IntArray]:
    """Each second once, the later row of two, ascending; and the slots in which two rows of a second differ."""
    order = np.argsort(seconds, kind="stable")
    seconds, hertz = seconds[order], hertz[order]
    again = seconds[1:] == seconds[:-1]
    last = np.ones(seconds.size, dtype=np.bool_)
    last[:-1] = ~again
    return seconds[last], hertz[last], seconds[1:][again & (hertz[1:] != hertz[:-1])] // SLOT_SECONDS


def _reduce(ufunc: np.ufunc, values: FloatArray, starts: IntArray) -> FloatArray:
    """``ufunc`` over the stretches of ``values`` that begin at ``starts``."""
    return ufunc.reduceat(values, starts) if starts.size else values
