"""Readings of the sites' meters, a row a site and settlement day; what was read once stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import sqlalchemy as sa

from core.readings import DayReading
from core.series import Kind
from store.database import Database
from store.tables import readings


class ReadingRepository:
    """What the meters said."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, days: Sequence[DayReading]) -> None:
        """Store days that were not read before; :class:`Conflict` when one was."""
        if not days:
            return
        with self._database.writing() as connection:
            connection.execute(sa.insert(readings), [_row(day) for day in days])

    def between(self, first: date, last: date) -> dict[tuple[str, date], DayReading]:
        """The days from ``first`` to ``last``, both included, by site and date."""
        query = sa.select(readings).where(readings.c.settlement_date.between(first, last))
        with self._database.reading() as connection:
            days = [
                DayReading(row.site_id, row.settlement_date, Kind(row.kind), tuple(map(_figure, row.kwh)))
                for row in connection.execute(query)
            ]
        return {(day.site_id, day.settlement_date): day for day in days}


def _row(day: DayReading) -> dict[str, object]:
    figures = [None if kwh is None else str(kwh) for kwh in day.kwh]
    return {
        "site_id": day.site_id,
        "settlement_date": day.settlement_date,
        "kind": int(day.kind),
        "kwh": figures,
    }


def _figure(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
