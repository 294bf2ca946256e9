"""Purchases over Beckn, and needs that were seen, as they stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from core.errors import Conflict, NotFound
from core.purchases import NeedState, Purchase, PurchaseState, SeenNeed
from store.database import Database
from store.rows import columns_of
from store.tables import needs, purchases


class PurchaseRepository:
    """Reads purchases and needs; changes go through :mod:`store.trading`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, purchase_id: str) -> Purchase:
        """One purchase; :class:`NotFound`."""
        with self._database.reading() as connection:
            found = find(connection, purchase_id)
        if found is None:
            raise NotFound(f"there is no purchase {purchase_id!r}", remedy="List them: GET /api/trade/purchases.")
        return found

    def latest(self, limit: int) -> list[Purchase]:
        """The newest first."""
        query = sa.select(purchases).order_by(purchases.c.number.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_purchase(row) for row in connection.execute(query)]

    def under_way(self) -> list[Purchase]:
        """Those that have not ended, the oldest first."""
        ended = [state.value for state in PurchaseState if state.ended]
        query = sa.select(purchases).where(purchases.c.state.not_in(ended)).order_by(purchases.c.number)
        with self._database.reading() as connection:
            return [_purchase(row) for row in connection.execute(query)]

    def need(self, need_id: str) -> SeenNeed:
        """One need; :class:`NotFound`."""
        with self._database.reading() as connection:
            found = find_need(connection, need_id)
        if found is None:
            raise NotFound(f"there is no need {need_id!r}", remedy="List them: GET /api/trade/needs.")
        return found

    def needs(self, after: datetime, limit: int) -> list[SeenNeed]:
        """Needs that end after an instant, the soonest first."""
        query = sa.select(needs).where(needs.c.ends > after).order_by(needs.c.ends, needs.c.need_id).limit(limit)
        with self._database.reading() as connection:
            return [_need(row) for row in connection.execute(query)]


def find(connection: Connection, purchase_id: str) -> Purchase | None:
    """One purchase, where there is one."""
    row = connection.execute(sa.select(purchases).where(purchases.c.purchase_id == purchase_id)).first()
    return None if row is None else _purchase(row)


def save(connection: Connection, purchase: Purchase) -> Purchase:
    """Write a purchase; :class:`Conflict` where another change came between."""
    written = replace(purchase, version=purchase.version + 1)
    _write(
        connection, purchases, purchases.c.purchase_id == purchase.purchase_id, columns_of(written), purchase.version
    )
    return written


def find_need(connection: Connection, need_id: str) -> SeenNeed | None:
    """One need, where there is one."""
    row = connection.execute(sa.select(needs).where(needs.c.need_id == need_id)).first()
    return None if row is None else _need(row)


def save_need(connection: Connection, need: SeenNeed) -> SeenNeed:
    """Write a need; :class:`Conflict` where another change came between."""
    written = replace(need, version=need.version + 1)
    _write(connection, needs, needs.c.need_id == need.need_id, columns_of(written), need.version)
    return written


def _write(
    connection: Connection, table: sa.Table, key: sa.ColumnElement[bool], columns: dict[str, Any], version: int
) -> None:
    if version == 0:
        connection.execute(sa.insert(table).values(columns))
        return
    changed = connection.execute(sa.update(table).where(key, table.c.version == version).values(columns))
    if changed.rowcount != 1:
        raise Conflict("it was changed meanwhile")


def _purchase(row: Row[Any]) -> Purchase:
    return Purchase(
        purchase_id=row.purchase_id,
        state=PurchaseState(row.state),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deadline=row.deadline,
        document=row.document,
        reason=row.reason,
        version=row.version,
    )


def _need(row: Row[Any]) -> SeenNeed:
    return SeenNeed(
        need_id=row.need_id,
        peer_id=row.peer_id,
        peer_uri=row.peer_uri,
        seen_at=row.seen_at,
        ends=row.ends,
        state=NeedState(row.state),
        document=row.document,
        reason=row.reason,
        contract_id=row.contract_id,
        version=row.version,
    )
