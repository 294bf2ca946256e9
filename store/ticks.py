"""Ticks of the negotiation loop."""

from __future__ import annotations

from dataclasses import fields

import sqlalchemy as sa

from core.ledger import TickRecord
from store.database import Database
from store.rows import columns_of
from store.tables import ticks


class TickRepository:
    """What the loop has done."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, tick: TickRecord) -> None:
        """Store a tick."""
        with self._database.writing() as connection:
            connection.execute(sa.insert(ticks).values(columns_of(tick)))

    def latest(self, limit: int = 20) -> list[TickRecord]:
        """The latest ticks, newest first."""
        names = [field.name for field in fields(TickRecord)]
        query = sa.select(*(ticks.c[name] for name in names)).order_by(ticks.c.number.desc()).limit(limit)
        with self._database.reading() as connection:
            return [TickRecord(*row) for row in connection.execute(query)]
