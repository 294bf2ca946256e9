"""Rows of Elexon and NESO answers, read column by column into half-hourly figures of Great Britain.

An answer of 24 h of frequency has 5,760 rows, so a column is checked and converted as a whole. Rows name their
half-hour by a UTC time, by local date and settlement period, or by both; where both are given they must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from agents.energy.feed import Ask, Declaration, Fetched, Finding, Flag
from agents.energy.reading import json_of, mapping, rows
from agents.energy.zones import GB
from core.errors import FeedInvalid
from core.halfhours import instant_of, slot_index
from core.series import FloatArray, IntArray, Kind, Series
from core.slots import LONDON, SLOT, require_aware, slot_ceil, slot_floor
from core.vintage import UNITS, Quantity, RawAnswer

Row = Mapping[str, Any]
Rows = Sequence[Row]
SLOT_SECONDS = int(SLOT.total_seconds())
UTC_MINUTE = len("2026-01-01T00:00Z")
UTC_SECOND = len("2026-01-01T00:00:00Z")
NUMBERS = frozenset({int, float, type(None)})
OUTTURN_MAY_TAKE = timedelta(hours=3)
LATEST_S = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
FAR_BEYOND_A_DAY = 1000
"""Settlement periods; a day has 50 at most."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one kind by slot.

    :param index: (n,) slot indexes in any order, each at most once.
    :param values: (n,) in the unit of the quantity; NaN where the source gives none.
    """

    index: IntArray
    values: FloatArray
    kind: Kind


Read = tuple[Figures, tuple[Finding, ...]]
"""Figures, and what was noticed while reading them."""


@dataclass(frozen=True, slots=True)
class Plausible:
    """What a figure may be, in the unit of the quantity; ``zero`` tells whether 0 may be one."""

    low: float
    high: float
    zero: bool = True


@dataclass(frozen=True, slots=True)
class GbFeed:
    """A feed for the zone ``GB`` whose datasets ``read`` asks for under ``base`` and reads."""

    declaration: Declaration
    base: str
    read: Callable[[Ask, str], Fetched]

    def serves(self, zone: str) -> bool:
        return zone == GB

    def fetch(self, ask: Ask) -> Fetched:
        return self.read(ask, self.base)


def rows_of(answer: RawAnswer, where: str) -> Rows:
    """Elexon's rows: those in ``data``, beside ``metadata`` or alone, or a bare array as its streams give."""
    body = json_of(answer, where)
    if isinstance(body, list):
        return rows(body, where)
    data = mapping(body, where).get("data", ...)
    if data is ...:
        raise FeedInvalid(f"{where} answered without data.")
    return rows(data or [], where)


def _is_utc(at: Any) -> bool:
    """Whether ``at`` looks like a time with Z; numpy would take an offset, or the word "today", for one too."""
    shaped = isinstance(at, str) and (len(at) in {UTC_MINUTE, UTC_SECOND} or at[UTC_SECOND - 1 : UTC_SECOND] == ".")
    return shaped and at[4] == "-" and at[-1] == "Z"


def utc_seconds(times: Sequence[Any], where: str) -> IntArray:
    """Seconds since 1970 of times like ``2026-01-01T00:00:00Z``; shape as ``times``."""
    if odd := [at for at in times if not _is_utc(at)]:
        raise FeedInvalid(f"{where} is {odd[0]!r}, a UTC time that ends in Z was expected.")
    return _seconds([at[:-1] for at in times], where)


def naive_seconds(times: Sequence[Any], where: str) -> IntArray:
    """Seconds since 1970 of times like ``2026-01-01T00:00:00`` that carry no offset and are meant as UTC."""
    if odd := [at for at in times if not (isinstance(at, str) and _is_utc(f"{at}Z"))]:
        raise FeedInvalid(f"{where} is {odd[0]!r}, a time without offset was expected.")
    return _seconds(times, where)


def _seconds(times: Sequence[str], where: str) -> IntArray:
    try:
        return np.array(times, dtype="datetime64[s]").astype(np.int64)
    except ValueError as error:
        raise FeedInvalid(f"{where} holds a time that cannot be read: {error}.") from error


def half_hours(seconds: IntArray, where: str) -> IntArray:
    """Slot indexes of instants that must lie on half-hours, and in a year that dates can be reckoned with."""
    if np.any((seconds < 0) | (seconds > LATEST_S)):
        raise FeedInvalid(f"{where} holds a time before 1970 or after 2200.")
    index, over = np.divmod(seconds, SLOT_SECONDS)
    if np.any(over):
        at = datetime.fromtimestamp(int(seconds[np.flatnonzero(over)[0]]), UTC)
        raise FeedInvalid(f"{where} is {at:%Y-%m-%d %H:%M:%S} UTC, which is not on a half-hour.")
    return index


def first_slot(day: date) -> int:
    """Index of settlement period 1: midnight in Europe/London."""
    return slot_index(datetime(day.year, day.month, day.day, tzinfo=LONDON))


def settlement_slots(days: Sequence[Any], periods: Sequence[Any], where: str) -> IntArray:
    """Slot indexes of settlement periods, 1 to 46, 48 or 50 of their local day.

    :param days: local dates as ``yyyy-mm-dd``, whatever follows them.
    """
    if odd := [day for day in days if not isinstance(day, str)]:
        raise FeedInvalid(f"{where} settlement date is {repr(odd[0])[:80]}, a date was expected.")
    bounds = {day: _bounds(day, where) for day in set(days)}
    if odd := [period for period in periods if type(period) is not int or abs(period) > FAR_BEYOND_A_DAY]:
        raise FeedInvalid(f"{where} settlement period is {repr(odd[0])[:80]}, a whole number was expected.")
    first, last = np.array([bounds[day] for day in days], dtype=np.int64).reshape(-1, 2).T
    number = np.array(periods, dtype=np.int64)
    index = first + number - 1
    beyond = np.flatnonzero((number < 1) | (index >= last))
    if beyond.size:
        day, count = days[beyond[0]], int((last - first)[beyond[0]])
        raise FeedInvalid(f"{where} has settlement period {number[beyond[0]]} on {day}, which has {count}.")
    return index


def _bounds(day: Any, where: str) -> tuple[int, int]:
    try:
        read = date.fromisoformat(day[: len("2026-01-01")])
        return first_slot(read), first_slot(read + timedelta(days=1))
    except (TypeError, ValueError, OverflowError) as error:
        raise FeedInvalid(f"{where} settlement date is {day!r}, a date was expected.") from error


def slots_of(found: Rows, where: str) -> IntArray:
    """Slot index of each row by ``startTime``, and by ``settlementDate`` and ``settlementPeriod``.

    Raises :class:`FeedInvalid` where a row says two different half-hours or none.
    """
    starts = [row.get("startTime") for row in found]
    days, periods = ([row.get(name) for row in found] for name in ("settlementDate", "settlementPeriod"))
    timed = np.array([start is not None for start in starts], dtype=np.bool_)
    by_time = half_hours(utc_seconds([at for at in starts if at is not None], f"{where} startTime"), where)
    if None in days or None in periods:
        if not timed.all():
            raise FeedInvalid(f"{where} has a row with neither startTime nor settlement period.")
        return by_time
    index = settlement_slots(days, periods, where)
    apart = np.flatnonzero(index[timed] != by_time)
    if apart.size:
        row = found[int(np.flatnonzero(timed)[apart[0]])]
        raise FeedInvalid(
            f"{where} gives {row['startTime']} for settlement period {row['settlementPeriod']} of "
            f"{row['settlementDate']}, which starts at {instant_of(int(index[timed][apart[0]])):%H:%M} UTC."
        )
    return index


def numbers(found: Rows, name: str, where: str) -> FloatArray:
    """The column ``name``, NaN for null; :class:`FeedInvalid` where it holds anything else than numbers."""
    column = [row.get(name) for row in found]
    if odd := [value for value in column if type(value) not in NUMBERS]:
        raise FeedInvalid(f"{where} {name} is {odd[0]!r}, a number was expected.")
    try:
        return np.array([np.nan if value is None else value for value in column], dtype=np.float64)
    except OverflowError as error:
        raise FeedInvalid(f"{where} {name} holds a number that is too large.") from error


def latest(found: Rows, published: str, where: str) -> tuple[Rows, IntArray]:
    """The rows by time of publication, ascending and else as they came, and those times; a row without one is first."""
    times = [row.get(published) for row in found]
    seconds = np.full(len(times), np.iinfo(np.int64).min)
    seconds[[at is not None for at in times]] = utc_seconds(
        [at for at in times if at is not None], f"{where} {published}"
    )
    order = np.argsort(seconds, kind="stable")
    return [found[at] for at in order], seconds[order]


def newest_figures(index: IntArray, values: FloatArray, kind: Kind) -> Figures:
    """Of several figures of a slot the last; a null never replaces a figure."""
    given = ~np.isnan(values)
    slots, from_end = np.unique(index[given][::-1], return_index=True)
    return Figures(slots, values[given][::-1][from_end], kind)


def screened(
    ask: Ask, quantity: Quantity, index: IntArray, values: FloatArray, plausible: Plausible
) -> tuple[FloatArray, tuple[Finding, ...]]:
    """The values, NaN where they cannot be figures, and what is to be said of that within the slots asked for."""
    outlying = (values < plausible.low) | (values > plausible.high)
    zero = (values == 0) & (not plausible.zero)
    beyond = f"had a figure outside {plausible.low:g} to {plausible.high:g} {UNITS[quantity]}, which is left out."
    findings = finding(Flag.OUTLIER, quantity, asked_for(ask, index[outlying]), beyond) + finding(
        Flag.SPURIOUS_ZERO, quantity, asked_for(ask, index[zero]), f"had 0 {UNITS[quantity]}, which is no figure."
    )
    return np.where(outlying | zero, np.nan, values), findings


def contradictions(
    ask: Ask, quantity: Quantity, index: IntArray, published: IntArray, values: FloatArray
) -> tuple[Finding, ...]:
    """Slots of which one publication gives two figures: the later row is used, and it is said."""
    order = np.lexsort((published, index))
    slot, at, value = index[order], published[order], values[order]
    twice = (slot[1:] == slot[:-1]) & (at[1:] == at[:-1]) & (np.abs(value[1:] - value[:-1]) > 0)
    return finding(Flag.DUPLICATE, quantity, asked_for(ask, slot[1:][twice]), "had two figures; the later row is used.")


def asked_for(ask: Ask, index: IntArray) -> IntArray:
    """Those of the slots that were asked for."""
    return index[(index >= slot_index(ask.start)) & (index < slot_index(slot_ceil(ask.end)))]


def past_end(ask: Ask) -> datetime:
    """End of the slots asked for that are over."""
    return min(slot_ceil(ask.end), slot_floor(ask.now))


def require_some(start: datetime, end: datetime, where: str, which: str) -> None:
    """:class:`FeedInvalid` where ``[start, end)`` is empty: the feed gives ``which`` slots only."""
    if start >= end:
        raise FeedInvalid(f"{where} gives figures of {which} slots only, and none was asked for.")


def forecast_range(ask: Ask, ahead: timedelta, where: str) -> tuple[datetime, datetime]:
    """What to ask a forecast for: from a little before the present, where an outturn may be late, to ``ahead``."""
    present = slot_floor(ask.now)
    start, end = max(slot_floor(ask.start), present - OUTTURN_MAY_TAKE), min(slot_ceil(ask.end), present + ahead)
    require_some(start, end, where, "near")
    return start, end


def chunks(start: datetime, end: datetime, longest: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """``[start, end)`` in pieces of at most ``longest``."""
    while start < end:
        stop = min(start + longest, end)
        yield start, stop
        start = stop


def day_chunks(start: datetime, end: datetime, longest: int) -> Iterator[tuple[date, date]]:
    """The local dates of ``[start, end)`` in pieces of at most ``longest`` days, first and last included."""
    day, last = start.astimezone(LONDON).date(), (end - SLOT).astimezone(LONDON).date()
    while day <= last:
        stop = min(day + timedelta(days=longest - 1), last)
        yield day, stop
        day = stop + timedelta(days=1)


def minute(moment: datetime) -> str:
    """A time as both APIs take it: UTC to the minute."""
    return require_aware(moment).strftime("%Y-%m-%dT%H:%MZ")


def require_recent(figures: Figures, ask: Ask, oldest: timedelta, where: str) -> None:
    """:class:`FeedInvalid` where an answer about the present ends more than ``oldest`` before it."""
    due = ask.now - oldest
    if ask.end <= ask.now or ask.start > due:
        return
    known = figures.index[~np.isnan(figures.values)]
    if not known.size:
        raise FeedInvalid(f"{where} has no figures for the time asked.")
    end = instant_of(int(known.max()) + 1)
    if end < due:
        raise FeedInvalid(f"{where} has no figures after {end:%Y-%m-%d %H:%M} UTC, {ask.now - end} before now.")


def series(ask: Ask, quantity: Quantity, source: str, *parts: Figures) -> Series:
    """The figures within the slots asked for, from the first to the last; of two for a slot that of the later part."""
    first, end = slot_index(ask.start), slot_index(slot_ceil(ask.end))
    values = np.full(end - first, np.nan)
    kinds = np.full(end - first, Kind.MISSING, dtype=np.int8)
    for part in parts:
        inside = (part.index >= first) & (part.index < end) & ~np.isnan(part.values)
        at = part.index[inside] - first
        values[at], kinds[at] = part.values[inside], part.kind
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        raise FeedInvalid(f"{source} has no figures for the time asked.{_newest(parts)}")
    kept = slice(int(known[0]), int(known[-1]) + 1)
    start = instant_of(first + kept.start)
    return Series(start, values[kept], kinds[kept], UNITS[quantity], source, require_aware(ask.now))


def outturn_and_forecast(
    ask: Ask,
    base: str,
    quantity: Quantity,
    source: str,
    outturn: Callable[[Ask, str, datetime, datetime], Read],
    forecast: Callable[[Ask, str], Read],
) -> Fetched:
    """The outturn of the slots that are over, and the forecast of those for which there is none yet."""
    parts: list[Read] = []
    if ask.end > ask.now:
        parts.append(forecast(ask, base))
    start, end = slot_floor(ask.start), past_end(ask)
    if start < end:
        parts.append(outturn(ask, base, start, end))
    findings = tuple(noticed for _, findings in parts for noticed in findings)
    return Fetched({quantity: series(ask, quantity, source, *(figures for figures, _ in parts))}, findings)


def _newest(parts: Sequence[Figures]) -> str:
    newest = max((int(part.index.max()) for part in parts if part.index.size), default=None)
    return "" if newest is None else f" Its newest is of {instant_of(newest):%Y-%m-%d %H:%M} UTC."


def finding(flag: Flag, quantity: Quantity, index: IntArray, detail: str) -> tuple[Finding, ...]:
    """One finding from the first to the last of the slots ``index``; none where there are none.

    :param detail: begins with a verb, after "n half-hours ".
    """
    if not index.size:
        return ()
    start, end = instant_of(int(index.min())), instant_of(int(index.max()) + 1)
    count = np.unique(index).size
    return (Finding(flag, quantity, start, end, f"{count} half-hour{'s' if count > 1 else ''} {detail}"),)
