"""History: the firmest figure ever stored of each slot, in one row for each feed and UTC day.

Of two figures of a slot the one of the firmer :class:`core.series.Kind` is firmer (settled, estimate, forecast), and of
one kind the one fetched later. Simulated figures and our own forecasts are no history. Rows outlive the fetches that
they came from.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from core.halfhours import EPOCH, slot_index
from core.series import BoolArray, IntArray, Kind, Series
from core.slots import SLOTS_PER_DAY, require_aware, slot_floor
from core.vintage import OWN_FORECASTS, UNITS, Fetch, Quantity
from store.tables import history

DAY = np.dtype(
    [
        ("values", "<f8", (SLOTS_PER_DAY,)),
        ("fetched", "<i8", (SLOTS_PER_DAY,)),
        ("fetch", "<u8", (SLOTS_PER_DAY,)),
        ("kinds", "i1", (SLOTS_PER_DAY,)),
    ]
)
"""A day of a feed: ``fetched`` in microseconds since 1970, ``fetch`` the number that the fetch's identifier ends in.

A slot without a figure is NaN, 0, 0 and MISSING.
"""
Days = NDArray[np.void]
"""Consecutive UTC days of type :data:`DAY`, shape (days,)."""
FETCH_PREFIX = "fetch-"
_MICROSECOND = timedelta(microseconds=1)
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Firmest:
    """The firmest figures of consecutive slots, all shape (n,).

    :param owners: index into ``feeds`` of who gave each figure; -1 where nobody did.
    """

    values: NDArray[np.float64]
    kinds: NDArray[np.int8]
    fetched: IntArray
    fetch: NDArray[np.uint64]
    owners: IntArray
    feeds: tuple[str, ...]

    def series(self, quantity: Quantity, start: datetime) -> Series:
        """As a series; ``source`` names the feeds used, ``issued_at`` is the latest fetch used (``start`` if none)."""
        used = [self.feeds[owner] for owner in np.unique(self.owners).tolist() if owner != _NOBODY]
        issued_at = EPOCH + int(self.fetched.max()) * _MICROSECOND if used else require_aware(start)
        source = " + ".join(used) or "no feed"
        return Series(slot_floor(start), self.values, self.kinds, UNITS[quantity], source, issued_at)

    def fetch_ids(self) -> tuple[str, ...]:
        """The fetches that the figures are from, also those pruned since, each once and in the order of fetching."""
        known = self.owners != _NOBODY
        numbers, places = np.unique(self.fetch[known], return_index=True)
        in_time = np.argsort(self.fetched[known][places], kind="stable")
        return tuple(f"{FETCH_PREFIX}{number:016x}" for number in numbers[in_time].tolist())


def keep(connection: Connection, fetch: Fetch) -> None:
    """Take in the figures of ``fetch`` wherever they are firmer than what its feed said so far; not our own forecasts.

    The caller sees to it that nobody else writes between the reading and the writing.
    """
    if fetch.feed == OWN_FORECASTS:
        return
    at, number = (fetch.fetched_at - EPOCH) // _MICROSECOND, int(fetch.fetch_id.removeprefix(FETCH_PREFIX), 16)
    fresh = {quantity: _days_of(series, at, number) for quantity, series in fetch.series.items() if len(series)}
    if not fresh:
        return
    span = min(first for first, _ in fresh.values()), max(first + days.size for first, days in fresh.values())
    these = history.c.quantity.in_(fresh) & (history.c.feed == fetch.feed)
    held = _held(connection, history.c.quantity, fetch.zone, these, span)
    rows = [
        {"zone": fetch.zone, "quantity": quantity, "day": day, "feed": fetch.feed, "figures": figures}
        for quantity, (first_day, days) in fresh.items()
        for day, figures in _changed(held.get(quantity, {}), first_day, days)
    ]
    if rows:
        _upsert(connection, rows)


def firmest(
    connection: Connection,
    zone: str,
    quantity: Quantity,
    start: datetime,
    slots: int,
    feeds: Collection[str] | None = None,
) -> Firmest:
    """The firmest figures of ``slots`` slots from the slot of ``start``, MISSING where none of ``feeds`` ever gave one.

    :param feeds: those that count; None for all.
    """
    first_day, end_day, before = _days_around(start, slots)
    by_feed = _held(connection, history.c.feed, zone, history.c.quantity == quantity, (first_day, end_day))
    folded = _no_figures(end_day - first_day)
    owners = np.full((folded.size, SLOTS_PER_DAY), _NOBODY, dtype=np.int64)
    counted = tuple(sorted(feed for feed in by_feed if feeds is None or feed in feeds))
    for number, feed in enumerate(counted):
        days = _placed(by_feed[feed], first_day, folded.size)
        owners[_fold(folded, days, same_feed=False)] = number
    kept = slice(before, before + slots)
    values, kinds, fetched, fetch = (folded[name].reshape(-1)[kept] for name in ("values", "kinds", "fetched", "fetch"))
    return Firmest(values, kinds, fetched, fetch, owners.reshape(-1)[kept], counted)


def _firmer(new: Days, held: Days, *, same_feed: bool) -> BoolArray:
    """True where ``new`` has a figure that takes the place of that in ``held``; shape (days, 48).

    Figures of one kind and one instant: within a feed the greater identifier wins, so that the order of storing does
    not matter; between feeds the one in place stays.
    """
    later = new["fetched"] > held["fetched"]
    if same_feed:
        later |= (new["fetched"] == held["fetched"]) & (new["fetch"] > held["fetch"])
    real = new["kinds"] < Kind.SIMULATED
    return np.asarray(real & ((new["kinds"] < held["kinds"]) | ((new["kinds"] == held["kinds"]) & later)))


def _fold(held: Days, new: Days, *, same_feed: bool) -> BoolArray:
    """Put the firmer figures of ``new`` into ``held``; True where one was put."""
    won = _firmer(new, held, same_feed=same_feed)
    for name in DAY.names or ():
        np.copyto(held[name], new[name], where=won)
    return won


def _no_figures(days: int) -> Days:
    none = np.zeros(days, dtype=DAY)
    none["values"], none["kinds"] = np.nan, Kind.MISSING
    return none


def _days_around(start: datetime, slots: int) -> tuple[int, int, int]:
    """Number of the first day, that after the last, and how many slots of the first come before ``start``."""
    first = slot_index(start)
    first_day, before = divmod(first, SLOTS_PER_DAY)
    return first_day, -(-(first + slots) // SLOTS_PER_DAY), before


def _days_of(series: Series, fetched: int, fetch: int) -> tuple[int, Days]:
    """A series as whole days, with the number of the first."""
    first_day, end_day, before = _days_around(series.start, len(series))
    days = _no_figures(end_day - first_day)
    shape = (days.size, SLOTS_PER_DAY)
    around = (before, days.size * SLOTS_PER_DAY - before - len(series))
    days["values"] = np.pad(series.values, around, constant_values=np.nan).reshape(shape)
    days["kinds"] = np.pad(series.kinds, around, constant_values=Kind.MISSING).reshape(shape)
    days["fetched"], days["fetch"] = fetched, fetch
    return first_day, days


def _changed(held: Mapping[int, bytes], first_day: int, new: Days) -> Iterator[tuple[int, bytes]]:
    """The days that ``new`` changes, packed, with their numbers."""
    days = _placed(held, first_day, new.size)
    won = _fold(days, new, same_feed=True).any(axis=1)
    for offset in np.flatnonzero(won).tolist():
        yield first_day + offset, zlib.compress(days[offset].tobytes(), level=1)


def _placed(held: Mapping[int, bytes], first_day: int, count: int) -> Days:
    """Those of the packed days by number that are among the ``count`` days from ``first_day``."""
    days = _no_figures(count)
    places = {day - first_day: figures for day, figures in held.items() if first_day <= day < first_day + count}
    days[list(places)] = np.frombuffer(b"".join(map(zlib.decompress, places.values())), dtype=DAY)
    return days


def _held(
    connection: Connection, by: sa.Column[str], zone: str, these: sa.ColumnElement[bool], span: tuple[int, int]
) -> dict[str, dict[int, bytes]]:
    """Packed days of ``[first, end)`` by the column ``by`` and their number."""
    first_day, end_day = span
    query = sa.select(by, history.c.day, history.c.figures).where(
        history.c.zone == zone, these, history.c.day >= first_day, history.c.day < end_day
    )
    groups: dict[str, dict[int, bytes]] = {}
    for name, day, figures in connection.execute(query):
        groups.setdefault(name, {})[day] = figures
    return groups


def _upsert(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(history)
    key = ("zone", "quantity", "day", "feed")
    statement = insert.on_conflict_do_update(index_elements=key, set_={"figures": insert.excluded.figures})
    connection.execute(statement, rows)
