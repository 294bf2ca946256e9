"""Scores of forecasts: kept by model, zone, quantity, day of lead and the time of scoring."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from core.score import Score
from core.vintage import Quantity
from store.database import Database
from store.rows import columns_of
from store.tables import scores

KEY = ("model", "zone", "quantity", "day_ahead", "scored_at")
FIGURES = ("mae", "naive_mae", "slot_mean_mae", "coverage", "level")
_COLUMNS = tuple(scores.c[field.name] for field in fields(Score))


class ScoreRepository:
    """How forecasts did, until pruned."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: Sequence[Score]) -> None:
        """Store scores, all or none; one of the same model, zone, quantity, day and time takes the other's place."""
        if not new:
            return
        same = sa.and_(*(scores.c[name] == sa.bindparam(f"at_{name}", type_=scores.c[name].type) for name in KEY))
        with self._database.writing() as connection:
            connection.execute(
                sa.delete(scores).where(same), [{f"at_{name}": getattr(score, name) for name in KEY} for score in new]
            )
            connection.execute(sa.insert(scores), [columns_of(score) for score in new])

    def latest(self) -> list[Score]:
        """The newest score of each model, zone, quantity and day ahead, in this order."""
        newest = _newest().subquery()
        query = sa.select(*_COLUMNS).join(newest, sa.and_(*(scores.c[name] == newest.c[name] for name in KEY)))
        with self._database.reading() as connection:
            return [_score(row) for row in connection.execute(query.order_by(*(scores.c[name] for name in KEY)))]

    def since(self, zone: str, quantity: Quantity, instant: datetime) -> list[Score]:
        """Scores taken at ``instant`` or later, oldest first; of one time by model and day ahead."""
        query = sa.select(*_COLUMNS).where(
            scores.c.zone == zone, scores.c.quantity == quantity, scores.c.scored_at >= instant
        )
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(scores.c.scored_at, scores.c.model, scores.c.day_ahead))
            return [_score(row) for row in rows]

    def prune(self, before: datetime) -> int:
        """Forget scores taken before ``before``, but never the newest of its kind; how many."""
        newer = scores.alias("newer")
        superseded = sa.exists().where(
            *(newer.c[name] == scores.c[name] for name in KEY[:-1]), newer.c.scored_at > scores.c.scored_at
        )
        with self._database.writing() as connection:
            return connection.execute(sa.delete(scores).where(scores.c.scored_at < before, superseded)).rowcount


def _newest() -> sa.Select[Any]:
    """The keys of the newest scores."""
    kind = [scores.c[name] for name in KEY[:-1]]
    return sa.select(*kind, sa.func.max(scores.c.scored_at).label("scored_at")).group_by(*kind)


def _score(row: Row[Any]) -> Score:
    """SQLite keeps NaN, a figure that is not known, as NULL."""
    known = row._asdict()
    return Score(**known | {name: math.nan for name in FIGURES if known[name] is None})
