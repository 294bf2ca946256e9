"""The catalogues of what is for sale, kept for as long as nothing has changed that they tell.

Whether something has is looked at once a second, and at once after a new plan or a contract of ours: a catalogue
promises nothing, and what is selected is priced as it is then.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Any

from beckn.catalogue import catalogues
from beckn.identity import Identity
from beckn.packs.contracts import Seller
from beckn.provider.stock import Mark, Stock
from core.clock import Clock

AGEING = 0.1
"""share of the time for which prices hold, after which they are told with a later end"""
LOOK_S = 1.0
"""real seconds for which nobody looks whether something has changed"""


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
        self._looked = -LOOK_S

    def catalogues(self) -> list[dict[str, Any]]:
        """What is for sale just now; :class:`Unavailable` before the first plan."""
        with self._lock:
            now = self._clock.now()
            if self._kept is not None and now < self._kept[1]:
                lately = time.monotonic() < self._looked + LOOK_S
                if lately and self._kept[0].tick_id == self._stock.tick_id:
                    return self._kept[2]
            self._looked = time.monotonic()  # first, so that a `look` meanwhile holds
            mark = self._stock.mark()
            if self._kept is not None and now < self._kept[1] and self._kept[0] == mark:
                return self._kept[2]
            shelf = self._stock.shelf()
            found = catalogues(shelf, self._own.url, self._seller)
            self._kept = mark, now + AGEING * (shelf.valid_until - now), found
            return found

    def look(self) -> None:
        """Have what is for sale looked at anew at the next question, because it has changed; waits for nobody."""
        self._looked = -LOOK_S
