"""What is owed to peers: stored before it is sent, until it is delivered or a dead letter."""

from __future__ import annotations

from dataclasses import asdict, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from core.trade import Delivery
from store.tables import outbox


def add(connection: Connection, delivery: Delivery) -> None:
    """Owe a message, due at once."""
    due = replace(delivery, next_at=delivery.next_at or delivery.created_at)
    connection.execute(sa.insert(outbox).values({k: v for k, v in asdict(due).items() if k != "number"}))
