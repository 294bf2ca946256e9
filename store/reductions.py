"""Reductions: load that contracts move away from half-hours, as caps on what jobs may draw there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from core.trade import Hold, Reduction
from store.database import Database
from store.rows import columns_of
from store.tables import reductions

ACTIVE = (Hold.HELD.value, Hold.COMMITTED.value)


class ReductionRepository:
    """What is held and committed; changes go through :mod:`store.trading`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def active(self, start: datetime, end: datetime) -> list[Reduction]:
        """Held and committed reductions of half-hours that start in ``[start, end)``, by start, site and contract."""
        columns = reductions.c
        query = (
            sa.select(reductions)
            .where(columns.state.in_(ACTIVE), columns.starts >= start, columns.starts < end)
            .order_by(columns.starts, columns.site_id, columns.contract_id)
        )
        with self._database.reading(snapshot=False) as connection:
            return [_reduction(row) for row in connection.execute(query)]

    def of_contract(self, contract_id: str) -> list[Reduction]:
        """Those of one contract, by start and site."""
        columns = reductions.c
        query = sa.select(reductions).where(columns.contract_id == contract_id)
        with self._database.reading(snapshot=False) as connection:
            return [_reduction(row) for row in connection.execute(query.order_by(columns.starts, columns.site_id))]


def add(connection: Connection, held: Sequence[Reduction]) -> None:
    """Keep load movable for a contract; the caller has seen that it is."""
    if held:
        connection.execute(sa.insert(reductions), [columns_of(reduction) for reduction in held])


def change_of_contract(connection: Connection, contract_id: str, state: Hold) -> None:
    """Commit or release what a contract holds."""
    active = sa.and_(reductions.c.contract_id == contract_id, reductions.c.state.in_(ACTIVE))
    connection.execute(sa.update(reductions).where(active).values(state=state.value))


def put(connection: Connection, held: Sequence[Reduction]) -> None:
    """Keep these in place of what their contracts have in the same half-hours."""
    for reduction in held:
        same = sa.and_(
            reductions.c.contract_id == reduction.contract_id,
            reductions.c.site_id == reduction.site_id,
            reductions.c.starts == reduction.starts,
        )
        connection.execute(sa.delete(reductions).where(same))
    add(connection, held)


def drop(connection: Connection, contract_id: str) -> None:
    """Forget what a draft held."""
    connection.execute(sa.delete(reductions).where(reductions.c.contract_id == contract_id))


def lessen(connection: Connection, contract_id: str, place: tuple[str, datetime], left_kw: float) -> None:
    """Keep ``left_kw`` of what a contract moves away from a half-hour at a site."""
    of_place = sa.and_(
        reductions.c.contract_id == contract_id,
        reductions.c.site_id == place[0],
        reductions.c.starts == place[1],
        reductions.c.state.in_(ACTIVE),
    )
    values: dict[str, Any] = {"reduction_kw": left_kw} if left_kw > 0 else {"state": Hold.RELEASED.value}
    connection.execute(sa.update(reductions).where(of_place).values(values))


def release_lapsed(connection: Connection, now: datetime) -> set[str]:
    """Give back what is held beyond its time; the ids of the contracts."""
    lapsed = sa.and_(reductions.c.state == Hold.HELD.value, reductions.c.held_until <= now)
    found = {row.contract_id for row in connection.execute(sa.select(reductions.c.contract_id).where(lapsed))}
    if found:
        connection.execute(sa.update(reductions).where(lapsed).values(state=Hold.RELEASED.value))
    return found


def _reduction(row: Row[Any]) -> Reduction:
    return Reduction(
        contract_id=row.contract_id,
        site_id=row.site_id,
        starts=row.starts,
        baseline_kw=row.baseline_kw,
        reduction_kw=row.reduction_kw,
        state=Hold(row.state),
        held_until=row.held_until,
    )
