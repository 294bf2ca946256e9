"""A shelf to sell from, for tests of the catalog and of what reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from beckn.catalogue import Goods, Shelf, ShelfSite
from beckn.models import Certificate
from beckn.packs.contracts import Seller
from core.series import Kind
from core.trade import Product

START = datetime(2026, 4, 1, 8, 30, tzinfo=UTC)
BASE = "https://flex.example.org"
SELLER = Seller("flex.example.org", "Slackwater", "https://flex.example.org/beckn")
PLACES = (("london", "London", 51.5, -0.1, "GB-C", "GB"), ("berlin", "Berlin", 52.5, 13.4, "DE-LU", "DE"))


def shelf(sites: int = 2, slots: int = 6, tick_id: str = "tick-7") -> Shelf:
    """Two products over ``sites`` and ``slots``; nothing is for sale in the first half-hour of the first site."""
    rng = np.random.default_rng(3)
    shape = (sites, slots)
    shown = [
        ShelfSite(name if i < 2 else f"{name}-{i}", title, lat, lon, zone, country, "8x H100" if i == 0 else None)
        for i in range(sites)
        for name, title, lat, lon, zone, country in [PLACES[i % 2]]
    ]
    free, movable = rng.uniform(20, 400, shape), rng.uniform(5, 90, shape)
    free[0, 0], movable[0, 0] = 0.0, np.nan
    kinds = np.full(shape, Kind.FORECAST, np.int8)
    kinds[-1] = Kind.SIMULATED
    price = rng.uniform(0.05, 0.4, shape)
    return Shelf(
        start=START,
        sites=shown,
        goods={
            Product.COMPUTE_WINDOW: Goods(free, price, price / 2, kinds),
            Product.TURN_DOWN: Goods(movable, price * 2, price, kinds),
        },
        carbon=rng.uniform(40, 300, shape),
        carbon_kinds=np.full(shape, Kind.FORECAST, np.int8),
        confidence=rng.uniform(0.5, 1, shape),
        certificate=Certificate(tick_id=tick_id, objective_gbp=101.0, bound_gbp=100.0, gap=0.01, log_seq=42),
        valid_until=START - timedelta(minutes=5),
        notice=timedelta(minutes=30),
        longest=timedelta(hours=4),
        avoided_kg=rng.uniform(0, 9, shape),
    )
