"""Vintages: what a feed said, when it said it, and the very bytes it said it in.

A :class:`Fetch` is one answer of one feed for one zone: the raw answers in the order they were asked for, and every
series that was read from them. Reading the stored answers again gives the same series: no figure without its bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from core.series import Series, Unit

Quantity = Literal[
    "price",
    "export_price",
    "standing_charge",
    "wholesale_price",
    "imbalance_price",
    "imbalance_volume",
    "carbon",
    "marginal_carbon",
    "demand",
    "wind",
    "solar",
    "frequency",
    "frequency_deviation",
    "share_biomass",
    "share_coal",
    "share_imports",
    "share_gas",
    "share_nuclear",
    "share_other",
    "share_hydro",
    "share_solar",
    "share_wind",
    "temperature",
    "humidity",
    "wet_bulb",
    "wind_speed",
    "cloud_cover",
    "difficulty",
    "bitcoin_price",
    "hashprice",
    "own_load",
    "grid_stress",
]
"""What a series is about. ``carbon`` is average and ``marginal_carbon`` marginal: neither ever stands for the other."""

_OWN_UNITS = {
    "price": Unit.GBP_PER_KWH,
    "export_price": Unit.GBP_PER_KWH,
    "standing_charge": Unit.GBP_PER_DAY,
    "wholesale_price": Unit.GBP_PER_KWH,
    "imbalance_price": Unit.GBP_PER_KWH,
    "imbalance_volume": Unit.MWH,
    "carbon": Unit.G_PER_KWH,
    "marginal_carbon": Unit.G_PER_KWH,
    "demand": Unit.MW,
    "wind": Unit.MW,
    "solar": Unit.MW,
    "frequency": Unit.HERTZ,
    "frequency_deviation": Unit.HERTZ,
    "temperature": Unit.CELSIUS,
    "wet_bulb": Unit.CELSIUS,
    "wind_speed": Unit.METRES_PER_SECOND,
    "difficulty": Unit.NONE,
    "bitcoin_price": Unit.GBP,
    "hashprice": Unit.GBP_PER_PH_DAY,
    "own_load": Unit.KW,
    "grid_stress": Unit.NONE,
}
UNITS: Mapping[Quantity, Unit] = {q: _OWN_UNITS.get(q, Unit.PERCENT) for q in get_args(Quantity)}
"""The one unit in which each quantity is held."""

OWN_FORECASTS = "slackwater-forecast"
"""The name under which our own forecasts are stored like a feed's answers; they are never history."""
FUELS = ("biomass", "coal", "imports", "gas", "nuclear", "other", "hydro", "solar", "wind")
"""The fuels of the generation mix; the share of each is the quantity ``share_<fuel>``, in percent of generation."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One body as it was received.

    :param url: what was asked, with its parameters, without anything secret.
    :param sha256: hex digest over ``body``.
    """

    url: str
    content_type: str
    body: bytes
    sha256: str

    @classmethod
    def of(cls, url: str, content_type: str, body: bytes) -> RawAnswer:
        """An answer with its digest."""
        return cls(url, content_type, body, hashlib.sha256(body).hexdigest())


@dataclass(frozen=True, slots=True)
class Fetch:
    """One answer of one feed for one zone, or the failure to give one.

    :param fetched_at: the clock's instant at which the feed was asked; every series carries it as ``issued_at``.
    :param start: first slot asked for.
    :param end: end of the slots asked for.
    :param answers: the bodies in the order asked.
    :param series: what was read from them, by quantity; empty where ``error`` is set.
    :param error: why the answers gave no figures; None when they did.
    """

    feed: str
    zone: str
    fetched_at: datetime
    start: datetime
    end: datetime
    answers: tuple[RawAnswer, ...]
    series: Mapping[Quantity, Series]
    error: str | None = None

    @property
    def fetch_id(self) -> str:
        """Stable name: ``fetch-`` and 16 hex digits over who was asked what, when, and the digests of the answers."""
        parts = [self.feed, self.zone, *(at.isoformat() for at in (self.fetched_at, self.start, self.end))]
        parts += [text for answer in self.answers for text in (answer.url, answer.sha256)]
        return f"fetch-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Vintage:
    """One series of a stored fetch, without the bytes."""

    fetch_id: str
    feed: str
    zone: str
    quantity: Quantity
    fetched_at: datetime
    series: Series
