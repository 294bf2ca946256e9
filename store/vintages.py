"""Vintages: what feeds said, with the bytes they said it in (compressed)."""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Row

from core.series import Kind, Series, Unit
from core.vintage import Quantity, Vintage
from store.database import Database
from store.tables import vintages


class VintageRepository:
    """Every answer of every feed, until pruned."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, vintage: Vintage) -> None:
        """Store an answer; the same bytes again only renew the time at which they were fetched."""
        same = (
            (vintages.c.feed == vintage.feed)
            & (vintages.c.zone == vintage.zone)
            & (vintages.c.quantity == vintage.quantity)
            & (vintages.c.sha256 == vintage.sha256)
        )
        with self._database.writing() as connection:
            renewed = connection.execute(sa.update(vintages).where(same).values(fetched_at=vintage.fetched_at))
            if not renewed.rowcount:
                connection.execute(sa.insert(vintages).values(_columns(vintage)))

    def latest(self, feed: str, zone: str, quantity: Quantity) -> Vintage | None:
        """The answer fetched last, or None."""
        query = _of(feed, zone, quantity).order_by(vintages.c.fetched_at.desc(), vintages.c.number.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _vintage(row)

    def covering(self, feed: str, zone: str, quantity: Quantity, start: datetime, end: datetime) -> list[Vintage]:
        """Answers whose figures overlap ``[start, end)``, oldest first."""
        query = _of(feed, zone, quantity).where(vintages.c.starts < end, vintages.c.ends > start)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(vintages.c.fetched_at, vintages.c.number))
            return [_vintage(row) for row in rows]

    def prune(self, before: datetime) -> int:
        """Forget answers fetched before ``before``, but never the last one of a feed; how many."""
        newer = vintages.alias("newer")
        same = [newer.c[name] == vintages.c[name] for name in ("feed", "zone", "quantity")]
        superseded = sa.exists().where(*same, newer.c.fetched_at > vintages.c.fetched_at)
        with self._database.writing() as connection:
            gone = connection.execute(sa.delete(vintages).where(vintages.c.fetched_at < before, superseded))
            return int(gone.rowcount)


def _of(feed: str, zone: str, quantity: Quantity) -> sa.Select[Any]:
    return sa.select(vintages).where(vintages.c.feed == feed, vintages.c.zone == zone, vintages.c.quantity == quantity)


def _columns(vintage: Vintage) -> dict[str, Any]:
    series = vintage.series
    known = [
        None if kind == Kind.MISSING else value
        for value, kind in zip(series.values.tolist(), series.kinds.tolist(), strict=True)
    ]
    return {
        "feed": vintage.feed,
        "zone": vintage.zone,
        "quantity": vintage.quantity,
        "sha256": vintage.sha256,
        "fetched_at": vintage.fetched_at,
        "starts": series.start,
        "ends": series.end,
        "unit": series.unit.value,
        "source": series.source,
        "figures": {"values": known, "kinds": series.kinds.tolist(), "stale": series.stale},
        "body": zlib.compress(vintage.body),
    }


def _vintage(row: Row[Any]) -> Vintage:
    values = np.array([np.nan if value is None else value for value in row.figures["values"]], dtype=np.float64)
    series = Series(
        start=row.starts,
        values=values,
        kinds=np.array(row.figures["kinds"], dtype=np.int8),
        unit=Unit(row.unit),
        source=row.source,
        issued_at=row.fetched_at,
        stale=row.figures["stale"],
    )
    body = zlib.decompress(row.body)
    return Vintage(row.feed, row.zone, row.quantity, row.fetched_at, row.sha256, body, series)
