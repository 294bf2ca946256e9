"""Contracts of the trade in flexibility, as they stand."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from core.errors import Conflict, NotFound
from core.trade import Contract, ContractState, Product, Side
from store.database import Database
from store.rows import columns_of
from store.tables import contracts

_OF_TRANSACTION = (
    sa.select(contracts).where(contracts.c.transaction_id == sa.bindparam("of")).order_by(contracts.c.number)
)


class ContractRepository:
    """One row a contract; changes go through :mod:`store.trading`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, contract_id: str) -> Contract:
        """One contract; :class:`NotFound`."""
        with self._database.reading(snapshot=False) as connection:
            return get(connection, contract_id)

    def find(self, contract_id: str) -> Contract | None:
        """One contract, where there is one."""
        with self._database.reading(snapshot=False) as connection:
            return find(connection, contract_id)

    def of_transaction(self, transaction_id: str) -> list[Contract]:
        """Those of one transaction, the oldest first."""
        with self._database.reading(snapshot=False) as connection:
            return of_transaction(connection, transaction_id)

    def in_states(self, states: Collection[ContractState]) -> list[Contract]:
        """Those in one of ``states``, the oldest first."""
        return self._all(contracts.c.state.in_([state.value for state in states]))

    def latest(self, limit: int, before: int | None = None) -> list[tuple[int, Contract]]:
        """The newest first, each with its number; ``before`` a number, for the next page."""
        query = sa.select(contracts).order_by(contracts.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(contracts.c.number < before)
        with self._database.reading(snapshot=False) as connection:
            return [(row.number, _contract(row)) for row in connection.execute(query)]

    def listed(
        self, limit: int, offset: int = 0, *, side: Side | None = None, state: ContractState | None = None
    ) -> list[Contract]:
        """Those of a side and in a state, the newest first."""
        query = sa.select(contracts).order_by(contracts.c.number.desc()).limit(limit).offset(offset)
        if side is not None:
            query = query.where(contracts.c.side == side.value)
        if state is not None:
            query = query.where(contracts.c.state == state.value)
        with self._database.reading(snapshot=False) as connection:
            return [_contract(row) for row in connection.execute(query)]

    def changed(self, since: datetime | None) -> list[Contract]:
        """Those that changed at ``since`` or later, or all, the oldest first."""
        return self._all(sa.true() if since is None else contracts.c.updated_at >= since)

    def counts(self) -> dict[tuple[str, str], int]:
        """How many there are, by side and state."""
        columns = (contracts.c.side, contracts.c.state)
        with self._database.reading(snapshot=False) as connection:
            rows = connection.execute(sa.select(*columns, sa.func.count()).group_by(*columns))
            return {(side, state): count for side, state, count in rows}

    def _all(self, condition: sa.ColumnElement[bool]) -> list[Contract]:
        with self._database.reading(snapshot=False) as connection:
            rows = connection.execute(sa.select(contracts).where(condition).order_by(contracts.c.number))
            return [_contract(row) for row in rows]


def get(connection: Connection, contract_id: str) -> Contract:
    """One contract; :class:`NotFound`."""
    found = find(connection, contract_id)
    if found is None:
        raise NotFound(f"there is no contract {contract_id!r}")
    return found


def find(connection: Connection, contract_id: str) -> Contract | None:
    """One contract, where there is one."""
    row = connection.execute(sa.select(contracts).where(contracts.c.contract_id == contract_id)).first()
    return None if row is None else _contract(row)


def of_transaction(connection: Connection, transaction_id: str) -> list[Contract]:
    """Those of one transaction, the oldest first."""
    return [_contract(row) for row in connection.execute(_OF_TRANSACTION, {"of": transaction_id})]


def held_by(connection: Connection, peer_id: str) -> int:
    """How many drafts of a peer hold capacity."""
    held = sa.select(sa.func.count()).where(
        contracts.c.peer_id == peer_id,
        contracts.c.state == ContractState.DRAFT.value,
        contracts.c.held_until.is_not(None),
    )
    return int(connection.execute(held).scalar_one())


def let_lapse(connection: Connection, now: datetime) -> None:
    """Drafts hold nothing beyond their time."""
    lapsed = sa.and_(contracts.c.state == ContractState.DRAFT.value, contracts.c.held_until <= now)
    connection.execute(sa.update(contracts).where(lapsed).values(held_until=None, version=contracts.c.version + 1))


def save(connection: Connection, contract: Contract) -> Contract:
    """Write a contract; :class:`Conflict` where another change came between."""
    written = replace(contract, version=contract.version + 1)
    columns = columns_of(written)
    if contract.version == 0:
        connection.execute(sa.insert(contracts).values(columns))
        return written
    changed = connection.execute(
        sa.update(contracts)
        .where(contracts.c.contract_id == contract.contract_id, contracts.c.version == contract.version)
        .values(columns)
    )
    if changed.rowcount != 1:
        raise Conflict(f"contract {contract.contract_id} was changed meanwhile")
    return written


def _contract(row: Row[Any]) -> Contract:
    return Contract(
        contract_id=row.contract_id,
        side=Side(row.side),
        product=Product(row.product),
        transaction_id=row.transaction_id,
        peer_id=row.peer_id,
        peer_uri=row.peer_uri,
        state=ContractState(row.state),
        starts=row.starts,
        ends=row.ends,
        created_at=row.created_at,
        updated_at=row.updated_at,
        document=row.document,
        held_until=row.held_until,
        version=row.version,
        log_seq=row.log_seq,
    )
