"""Publishes the catalogue to a discovery service, whenever another plan stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from beckn.correspondence import Correspondence
from beckn.identity import Identity
from beckn.protocol.actions import PUBLISH
from core.clock import Clock
from store.trading import Trading

LEAST = timedelta(minutes=5)
"""between two publications"""


class Publishing:
    """Owes the catalogue to the discovery service at ``url``; ``on_owed`` is called after it was stored."""

    def __init__(self, own: Identity, url: str, correspondence: Correspondence, trading: Trading, clock: Clock) -> None:
        self._own = own
        self._url = url
        self._correspondence = correspondence
        self._trading = trading
        self._clock = clock
        self._last: tuple[datetime, frozenset[str]] | None = None

    def publish(self, catalogues: Sequence[Mapping[str, Any]]) -> bool:
        """Publish what is for sale where its offers are others than last time; whether anything was owed."""
        offers = frozenset(offer["id"] for catalogue in catalogues for offer in catalogue["offers"])
        now, service = self._clock.now(), self._own.discovery_id
        if not catalogues or service is None:
            return False
        if self._last is not None and (self._last[1] == offers or now - self._last[0] < LEAST):
            return False
        message = {
            "catalogs": list(catalogues),
            "publishDirectives": [
                {"catalogId": catalogue["id"], "catalogType": "REGULAR", "updateMode": "FULL", **self._visible()}
                for catalogue in catalogues
            ],
        }
        with self._trading.work() as work:
            work.send(self._correspondence.request(PUBLISH, service, self._url, message))
        self._last = now, offers
        return True

    def _visible(self) -> dict[str, Any]:
        return {} if self._own.network_id is None else {"visibleTo": [self._own.network_id]}
