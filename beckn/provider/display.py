"""The catalogues of what is for sale, kept for as long as nothing has changed that they tell."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

from beckn.catalogue import catalogues
from beckn.identity import Identity
from beckn.packs.contracts import Seller
from beckn.provider.stock import Mark, Stock
from core.clock import Clock

AGEING = 0.1
"""share of the time for which prices hold, after which they are told with a later end"""


class Display:
    """What is for sale, on the wire. Safe to use from several threads; what it gives must not be changed."""

    def __init__(self, stock: Stock, own: Identity, clock: Clock) -> None:
        self._stock = stock
        self._own = own
        self._clock = clock
        self._seller = Seller(own.subscriber_id, f"Slackwater at {own.subscriber_id}", own.url)
        self._lock = threading.Lock()
        self._kept: tuple[Mark, datetime, list[dict[str, Any]]] | None = None
        """what they are made of, until when they are good, and they"""

    def catalogues(self) -> list[dict[str, Any]]:
        """What is for sale just now; :class:`Unavailable` before the first plan."""
        with self._lock:
            mark, now = self._stock.mark(), self._clock.now()
            if self._kept is not None and self._kept[0] == mark and now < self._kept[1]:
                return self._kept[2]
            shelf = self._stock.shelf()
            found = catalogues(shelf, self._own.url, self._seller)
            self._kept = mark, now + AGEING * (shelf.valid_until - now), found
            return found
