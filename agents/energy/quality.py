"""What may be wrong with figures: checks that look at a whole series and say what they noticed.

A finding never changes a figure. What is physically impossible was refused when it was read; what is merely strange
(a price at ten times its usual level may be real) is shown, and its reader decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np

from agents.energy.feed import Finding, Flag
from core.halfhours import indexes
from core.series import BoolArray, FloatArray, Kind, Series
from core.slots import SLOT, SLOTS_PER_DAY, slot_floor, slots_between
from core.vintage import Quantity

LOOKED_BACK = timedelta(days=2)
"""Older slots were looked at when they were new."""
OUTLIER_Z = 6.0
"""Robust z of a slot against the same half-hour of the day. Prices have heavy tails: at the customary 3.5 every tight
evening would be flagged."""
OUTLIER_DAYS = 5
MAD_TO_SIGMA = 0.6745
LEAST_SPREAD = 0.05
"""Share of the median that the spread is taken to be at least: steady figures are not outliers at the first change."""
FROZEN_SLOTS = {"price": 8, "carbon": 16, "demand": 4, "wind": 8, "frequency": 4, "wholesale_price": 8}
"""Equal figures in a row, by quantity, after which a source is likely to repeat itself."""
MAY_STAY_ZERO: frozenset[Quantity] = frozenset({"carbon", "wind"})
"""A region without any emission stays at 0 g/kWh for hours."""
SKEW_TOLERATED = timedelta(minutes=5)
DISAGREEMENT = 0.25
"""Median difference of two sources over their median, above which they do not speak of the same thing."""


def findings(quantity: Quantity, series: Series, now: datetime) -> tuple[Finding, ...]:
    """Outliers, frozen values and gaps from two days before ``now`` on."""
    return (*_outliers(quantity, series, now), *_frozen(quantity, series, now), *_gaps(quantity, series, now))


def revisions(quantity: Quantity, before: Series, after: Series) -> tuple[Finding, ...]:
    """Settled figures that a later answer gives another value: two vintages that disagree about a fact."""
    start, end = max(before.start, after.start), min(before.end, after.end)
    count = slots_between(start, end)
    if count <= 0:
        return ()
    old, new = before.window(start, count), after.window(start, count)
    changed = (old.kinds == Kind.SETTLED) & (new.kinds == Kind.SETTLED) & (np.abs(old.values - new.values) > 1e-9)
    if not changed.any():
        return ()
    worst = int(np.argmax(np.where(changed, np.abs(old.values - new.values), -1)))
    detail = (
        f"{int(changed.sum())} settled figures were changed by a later answer, the most from {old.values[worst]:g} to "
        f"{new.values[worst]:g} {new.unit.value}; the later one is used and both are kept."
    )
    return (_finding(Flag.REVISED, quantity, new, np.flatnonzero(changed), detail),)


def disagreement(quantity: Quantity, chosen: Series, other: Series, now: datetime) -> tuple[Finding, ...]:
    """Whether two sources of the same quantity tell different stories about the slots from ``now`` on."""
    start = max(chosen.start, other.start, slot_floor(now))
    count = slots_between(start, min(chosen.end, other.end))
    if count <= 0:
        return ()
    mine, theirs = chosen.window(start, count), other.window(start, count)
    apart = float(np.nanmedian(np.abs(mine.values - theirs.values))) if _both(mine, theirs).any() else 0.0
    level = float(np.nanmedian(np.abs(mine.values))) if _both(mine, theirs).any() else 0.0
    if apart <= DISAGREEMENT * max(level, 1e-9):
        return ()
    amount = f"{apart:g} {mine.unit.value}"
    detail = f"{other.source} differs from {chosen.source} by {amount} in the median of {count} slots."
    return (Finding(Flag.DISAGREES, quantity, start, start + SLOT * count, detail),)


def lateness(quantity: Quantity, series: Series, due: datetime, now: datetime) -> tuple[Finding, ...]:
    """Whether figures that ought to be published are still missing."""
    if series.end >= due:
        return ()
    detail = f"published until {series.end:%d %b %H:%M}Z; {due:%d %b %H:%M}Z was due. It is asked again and again."
    return (Finding(Flag.SHORT_HORIZON, quantity, max(series.end, slot_floor(now)), due, detail),)


def skew(quantity: Quantity, skew_s: float | None, now: datetime) -> tuple[Finding, ...]:
    """Whether the source's clock and ours are too far apart to agree on which slot is the present one."""
    if skew_s is None or abs(skew_s) <= SKEW_TOLERATED.total_seconds():
        return ()
    way = "ahead of" if skew_s > 0 else "behind"
    detail = f"the source's clock is {abs(skew_s) / 60:.0f} minutes {way} this machine's; one of them is wrong."
    slot = slot_floor(now)
    return (Finding(Flag.CLOCK_SKEW, quantity, slot, slot + SLOT, detail),)


def joined(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, in order of time."""
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: (finding.start, finding.flag.value)))


def _both(one: Series, other: Series) -> BoolArray:
    return np.asarray((one.kinds != Kind.MISSING) & (other.kinds != Kind.MISSING))


def _finding(flag: Flag, quantity: Quantity, series: Series, slots: Sequence[int] | np.ndarray, detail: str) -> Finding:
    first, last = int(slots[0]), int(slots[-1]) + 1
    return Finding(flag, quantity, series.start + SLOT * first, series.start + SLOT * last, detail)


def _first_looked_at(series: Series, now: datetime) -> int:
    return max(0, slots_between(series.start, slot_floor(now - LOOKED_BACK)))


def _outliers(quantity: Quantity, series: Series, now: datetime) -> tuple[Finding, ...]:
    """Slots far from the median of the same half-hour, measured by the spread of all such distances."""
    known = series.kinds != Kind.MISSING
    if known.sum() < OUTLIER_DAYS * SLOTS_PER_DAY:
        return ()
    away = series.values - _half_hour_medians(series)
    level = float(np.nanmedian(np.abs(series.values)))
    spread = max(float(np.nanmedian(np.abs(away))), LEAST_SPREAD * level)
    if spread == 0:
        return ()
    far = np.abs(MAD_TO_SIGMA * away / spread) > OUTLIER_Z
    far[: _first_looked_at(series, now)] = False
    slots = np.flatnonzero(far & known)
    if not slots.size:
        return ()
    worst = int(slots[np.argmax(np.abs(away[slots]))])
    at = series.start + SLOT * worst
    detail = (
        f"{slots.size} figures are far from the usual of their half-hour; {series.values[worst]:g} {series.unit.value} "
        f"at {at:%d %b %H:%M}Z is the furthest ({series.values[worst] - away[worst]:g} is usual)."
    )
    return (_finding(Flag.OUTLIER, quantity, series, slots, detail),)


def _half_hour_medians(series: Series) -> FloatArray:
    """The median of each slot's half-hour of the UTC day, (n,)."""
    half_hour = indexes(series.start, len(series)) % SLOTS_PER_DAY
    days = -(-len(series) // SLOTS_PER_DAY)
    table = np.full((SLOTS_PER_DAY, days), np.nan)
    table[half_hour, np.arange(len(series)) // SLOTS_PER_DAY] = series.values
    whole = ~np.isnan(table).all(axis=1)
    medians = np.full(SLOTS_PER_DAY, np.nan)
    medians[whole] = np.nanmedian(table[whole], axis=1)
    return np.asarray(medians[half_hour])


def _frozen(quantity: Quantity, series: Series, now: datetime) -> tuple[Finding, ...]:
    """A stretch of one repeated figure."""
    least = FROZEN_SLOTS.get(quantity)
    first = _first_looked_at(series, now)
    values = series.values[first:]
    if least is None or values.size < least:
        return ()
    breaks = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1], [True])))
    lengths = np.diff(breaks)
    told = values[breaks[:-1]]
    stuck = np.flatnonzero((lengths >= least) & ~np.isnan(told) & ((told != 0) | (quantity not in MAY_STAY_ZERO)))
    if not stuck.size:
        return ()
    at, length = int(breaks[stuck[0]]), int(lengths[stuck[0]])
    detail = f"{values[at]:g} {series.unit.value} is repeated over {length} slots."
    return (_finding(Flag.FROZEN, quantity, series, [first + at, first + at + length - 1], detail),)


def _gaps(quantity: Quantity, series: Series, now: datetime) -> tuple[Finding, ...]:
    """Missing slots between known ones."""
    known = np.flatnonzero(series.kinds != Kind.MISSING)
    if not known.size:
        return ()
    inner = np.arange(max(int(known[0]), _first_looked_at(series, now)), int(known[-1]) + 1)
    slots = inner[series.kinds[inner] == Kind.MISSING]
    if not slots.size:
        return ()
    detail = f"{slots.size} slots between published ones have no figure; they are left open and forecast."
    return (_finding(Flag.GAP, quantity, series, slots, detail),)
