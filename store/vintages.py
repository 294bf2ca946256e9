"""Vintages: what feeds said and when, with the bytes they said it in, and the history that adds up from them.

Each body is kept once, compressed; each series as one compressed row; the history as :mod:`store.history` says.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from core.errors import NotFound, StoreUnavailable
from core.series import Series, Unit
from core.slots import slots_between
from core.vintage import UNITS, Fetch, Quantity, RawAnswer, Vintage
from store.database import Database, hold_lock
from store.history import firmest, keep
from store.tables import answers, bodies, fetches, vintages

QUICK = 1
"""zlib's level: JSON shrinks to a tenth at a fifth of the default level's time."""
_BYTES_A_SLOT = 9
"""A float64 value and its int8 kind."""
_DAMAGED = "Restore the database from a backup: this body is not what the feed answered."


@dataclass(frozen=True, slots=True)
class FetchRow:
    """A stored fetch without figures and bytes, for lists.

    :param quantities: what it gave figures of, in alphabetical order; empty where it failed.
    :param answers: how many bodies it got.
    :param size: bytes of these, as received.
    """

    fetch_id: str
    feed: str
    zone: str
    fetched_at: datetime
    start: datetime
    end: datetime
    error: str | None
    quantities: tuple[Quantity, ...]
    answers: int
    size: int


class VintageRepository:
    """Every fetch of every feed until it is pruned, and the history for good."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, fetch: Fetch) -> str:
        """Keep a fetch, failed ones too, and take its figures into the history; its ``fetch_id``.

        All or nothing, on disk when this returns; the same fetch again changes nothing. :class:`ValueError` for a fetch
        that contradicts itself; :class:`core.errors.StoreUnavailable` when it cannot be kept (a full disk, say).
        """
        _require_sound(fetch)
        fetch_id = fetch.fetch_id
        packed = [_body_row(answer) for answer in {answer.sha256: answer for answer in fetch.answers}.values()]
        with self._database.writing() as connection:
            hold_lock(connection, "vintages")
            known = sa.select(fetches.c.number).where(fetches.c.fetch_id == fetch_id)
            if connection.execute(known).first() is None:
                _insert(connection, fetch, fetch_id, packed)
                keep(connection, fetch)
        return fetch_id

    def get(self, fetch_id: str) -> Fetch:
        """A fetch with its bytes; :class:`core.errors.NotFound`.

        :class:`core.errors.StoreUnavailable` where the bytes are no longer those that were stored.
        """
        query = sa.select(answers, bodies.c.body).join(bodies).where(answers.c.fetch_id == fetch_id)
        with self._database.reading() as connection:
            found = connection.execute(sa.select(fetches).where(fetches.c.fetch_id == fetch_id)).first()
            if found is None:
                raise NotFound(f"there is no fetch {fetch_id!r}")
            rows = connection.execute(query.order_by(answers.c.position)).all()
            return _fetch(found, tuple(_answer(row) for row in rows), _series_of(connection, found))

    def latest(self, feed: str, zone: str) -> Fetch | None:
        """The last fetch with figures, or None. The bodies of its answers are left out (``b""``).

        Of all the one that was asked to reach furthest ahead, and of those the newest: filling in the past asks later,
        but not for what is used now.
        """
        query = sa.select(fetches).where(fetches.c.feed == feed, fetches.c.zone == zone, fetches.c.error.is_(None))
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(*_LAST_FIRST).limit(1)).first()
            if found is None:
                return None
            of_it = sa.select(answers).where(answers.c.fetch_id == found.fetch_id).order_by(answers.c.position)
            return _fetch(found, tuple(map(_named, connection.execute(of_it))), _series_of(connection, found))

    def described(self, fetch_id: str) -> tuple[Fetch, tuple[int, ...]]:
        """A fetch without its bytes (``b""``), and the size of each body; :class:`core.errors.NotFound`."""
        of_it = sa.select(answers, bodies.c.size).join(bodies).where(answers.c.fetch_id == fetch_id)
        with self._database.reading() as connection:
            found = connection.execute(sa.select(fetches).where(fetches.c.fetch_id == fetch_id)).first()
            if found is None:
                raise NotFound(f"there is no fetch {fetch_id!r}")
            rows = connection.execute(of_it.order_by(answers.c.position)).all()
            fetch = _fetch(found, tuple(map(_named, rows)), _series_of(connection, found))
            return fetch, tuple(int(row.size) for row in rows)

    def vintages(self, feed: str, zone: str, quantity: Quantity, since: datetime, until: datetime) -> list[Vintage]:
        """Series fetched in ``[since, until]``, oldest first."""
        query = (
            sa.select(fetches.c.fetched_at, vintages)
            .join(vintages)
            .where(fetches.c.feed == feed, fetches.c.zone == zone, vintages.c.quantity == quantity)
            .where(fetches.c.fetched_at.between(since, until))
            .order_by(fetches.c.fetched_at, fetches.c.number)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return [
            Vintage(row.fetch_id, feed, zone, quantity, row.fetched_at, _series(row, row.fetched_at)) for row in rows
        ]

    def history(
        self,
        zone: str,
        quantity: Quantity,
        start: datetime,
        slots: int,
        feeds: Collection[str] | None = None,
    ) -> Series:
        """The firmest figures ever stored for ``slots`` slots from ``start``, of ``feeds`` or any; MISSING elsewhere.

        ``source`` names the feeds used and ``issued_at`` is the latest fetch used (``start`` where there is none).
        """
        with self._database.reading() as connection:
            return firmest(connection, zone, quantity, start, slots, feeds).series(quantity, start)

    def history_fetches(self, zone: str, quantity: Quantity, start: datetime, slots: int) -> tuple[str, ...]:
        """The fetches that :meth:`history` has these figures from, oldest first; some may have been pruned."""
        with self._database.reading() as connection:
            return firmest(connection, zone, quantity, start, slots).fetch_ids()

    def fetches(
        self,
        zone: str | None = None,
        feed: str | None = None,
        limit: int = 50,
        before: datetime | None = None,
        offset: int = 0,
    ) -> list[FetchRow]:
        """Fetches, newest first, failed ones too: those before the instant ``before``, without the first ``offset``."""
        matches = [
            *([fetches.c.zone == zone] if zone is not None else []),
            *([fetches.c.feed == feed] if feed is not None else []),
            *([fetches.c.fetched_at < before] if before is not None else []),
        ]
        query = sa.select(fetches).where(*matches).order_by(*_NEWEST_FIRST).limit(limit).offset(offset)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            quantities, sizes = _contents(connection, [row.fetch_id for row in rows])
        return [_fetch_row(row, quantities.get(row.fetch_id, []), sizes.get(row.fetch_id, (0, 0))) for row in rows]

    def prune(self, before: datetime) -> int:
        """Forget fetches from before ``before``, and bodies that no other fetch has; how many fetches.

        The last one about each quantity of each feed and zone, as :meth:`latest` means it, stays: it may be in use. So
        does the history.
        """
        each = (fetches.c.feed, fetches.c.zone, vintages.c.quantity)
        place = sa.func.row_number().over(partition_by=each, order_by=_LAST_FIRST)
        placed = sa.select(fetches.c.number, place.label("place")).join(vintages).subquery()
        latest = sa.select(placed.c.number).where(placed.c.place == 1)
        old = sa.delete(fetches).where(fetches.c.fetched_at < before, fetches.c.number.not_in(latest))
        unused = sa.except_(sa.select(bodies.c.sha256), sa.select(answers.c.sha256))
        with self._database.writing() as connection:
            hold_lock(connection, "vintages")
            gone = connection.execute(old).rowcount
            if gone:
                connection.execute(sa.delete(bodies).where(bodies.c.sha256.in_(unused)))
            return gone


_NEWEST_FIRST = (fetches.c.fetched_at.desc(), fetches.c.number.desc())
_LAST_FIRST = (fetches.c.ends.desc(), *_NEWEST_FIRST)


def _require_sound(fetch: Fetch) -> None:
    """:class:`ValueError` where a fetch could not be read again as what it claims to be."""
    who = f"the fetch of {fetch.feed} for {fetch.zone}"
    if fetch.error is not None and fetch.series:
        raise ValueError(f"{who} failed ({fetch.error}) and yet has figures of {', '.join(fetch.series)}")
    for answer in fetch.answers:
        if hashlib.sha256(answer.body).hexdigest() != answer.sha256:
            raise ValueError(f"{who} has a body of {len(answer.body)} bytes that is not {answer.sha256}")
    for quantity, series in fetch.series.items():
        if series.unit is not UNITS[quantity]:
            raise ValueError(f"{who} has {quantity} in {series.unit}, which is held in {UNITS[quantity]}")
        if series.issued_at != fetch.fetched_at:
            raise ValueError(f"{who} has {quantity} issued at {series.issued_at}, not at {fetch.fetched_at}")


def _insert(connection: Connection, fetch: Fetch, fetch_id: str, packed: list[dict[str, Any]]) -> None:
    connection.execute(
        sa.insert(fetches).values(
            fetch_id=fetch_id,
            feed=fetch.feed,
            zone=fetch.zone,
            fetched_at=fetch.fetched_at,
            starts=fetch.start,
            ends=fetch.end,
            error=fetch.error,
        )
    )
    if fetch.answers:
        stored = sa.select(bodies.c.sha256).where(bodies.c.sha256.in_([row["sha256"] for row in packed]))
        known = set(connection.execute(stored).scalars())
        new = [row for row in packed if row["sha256"] not in known]
        if new:
            connection.execute(sa.insert(bodies), new)
        connection.execute(sa.insert(answers), _answer_rows(fetch, fetch_id))
    if fetch.series:
        connection.execute(sa.insert(vintages), [_vintage_row(fetch_id, *item) for item in fetch.series.items()])


def _body_row(answer: RawAnswer) -> dict[str, Any]:
    return {"sha256": answer.sha256, "size": len(answer.body), "body": zlib.compress(answer.body, level=QUICK)}


def _answer_rows(fetch: Fetch, fetch_id: str) -> list[dict[str, Any]]:
    return [
        {
            "fetch_id": fetch_id,
            "position": position,
            "url": answer.url,
            "content_type": answer.content_type,
            "sha256": answer.sha256,
        }
        for position, answer in enumerate(fetch.answers)
    ]


def _vintage_row(fetch_id: str, quantity: Quantity, series: Series) -> dict[str, Any]:
    return {
        "fetch_id": fetch_id,
        "quantity": quantity,
        "starts": series.start,
        "ends": series.end,
        "unit": series.unit.value,
        "source": series.source,
        "stale": series.stale,
        "figures": _packed(series),
    }


def _packed(series: Series) -> bytes:
    """Values, kinds and, where there is one, both ends of the interval."""
    ends = () if series.low is None or series.high is None else (series.low, series.high)
    parts = [series.values.astype("<f8"), series.kinds.astype("i1"), *(end.astype("<f8") for end in ends)]
    return zlib.compress(b"".join(part.tobytes() for part in parts), level=QUICK)


def _series(row: Row[Any], fetched_at: datetime) -> Series:
    """The series of a row of ``vintages``."""
    count = slots_between(row.starts, row.ends)
    raw = zlib.decompress(row.figures)
    kinds = np.frombuffer(raw, dtype="i1", count=count, offset=8 * count)
    low, high = None, None
    if len(raw) > _BYTES_A_SLOT * count:
        low, high = np.frombuffer(raw, dtype="<f8", offset=_BYTES_A_SLOT * count).reshape(2, count)
    values = np.frombuffer(raw, dtype="<f8", count=count)
    return Series(row.starts, values, kinds, Unit(row.unit), row.source, fetched_at, row.stale, low, high)


def _series_of(connection: Connection, found: Row[Any]) -> dict[Quantity, Series]:
    query = sa.select(vintages).where(vintages.c.fetch_id == found.fetch_id)
    return {row.quantity: _series(row, found.fetched_at) for row in connection.execute(query)}


def _named(row: Row[Any]) -> RawAnswer:
    return RawAnswer(row.url, row.content_type, b"", row.sha256)


def _answer(row: Row[Any]) -> RawAnswer:
    try:
        answer = RawAnswer.of(row.url, row.content_type, zlib.decompress(row.body))
    except zlib.error as error:
        raise StoreUnavailable(f"the stored body {row.sha256} cannot be read: {error}", remedy=_DAMAGED) from error
    if answer.sha256 != row.sha256:
        raise StoreUnavailable(f"the stored body {row.sha256} has become {answer.sha256}", remedy=_DAMAGED)
    return answer


def _fetch(found: Row[Any], raw: tuple[RawAnswer, ...], series: Mapping[Quantity, Series]) -> Fetch:
    return Fetch(found.feed, found.zone, found.fetched_at, found.starts, found.ends, raw, series, found.error)


def _contents(
    connection: Connection, fetch_ids: Iterable[str]
) -> tuple[dict[str, list[Quantity]], dict[str, tuple[int, int]]]:
    """By fetch: the quantities it has figures of; how many answers it has and their bytes."""
    wanted = list(fetch_ids)
    quantities: dict[str, list[Quantity]] = {}
    named = sa.select(vintages.c.fetch_id, vintages.c.quantity).where(vintages.c.fetch_id.in_(wanted))
    for fetch_id, quantity in connection.execute(named):
        quantities.setdefault(fetch_id, []).append(quantity)
    counted = sa.select(answers.c.fetch_id, sa.func.count(), sa.func.sum(bodies.c.size)).join(bodies)
    rows = connection.execute(counted.where(answers.c.fetch_id.in_(wanted)).group_by(answers.c.fetch_id))
    return quantities, {fetch_id: (int(count), int(size)) for fetch_id, count, size in rows}


def _fetch_row(row: Row[Any], quantities: list[Quantity], sizes: tuple[int, int]) -> FetchRow:
    named = tuple(sorted(quantities))
    return FetchRow(row.fetch_id, row.feed, row.zone, row.fetched_at, row.starts, row.ends, row.error, named, *sizes)
