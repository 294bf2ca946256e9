"""Vintages: what a feed said, when it said it, and the bytes it said it in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.series import Series

Quantity = Literal["price", "carbon"]


@dataclass(frozen=True, slots=True)
class Vintage:
    """One answer of one feed for one zone.

    :param body: the raw bytes received; ``sha256`` is the hex digest over them.
    :param series: the figures read from the bytes; its ``issued_at`` equals ``fetched_at``.
    """

    feed: str
    zone: str
    quantity: Quantity
    fetched_at: datetime
    sha256: str
    body: bytes
    series: Series
