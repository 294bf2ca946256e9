"""What the upstream truthfully said, worked out apart from the feeds: the judge of figures that were used."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from tests.upstream.octopus import CURRENT, PRODUCTS, agile_exc_p, vat_at
from tests.upstream.world import GB_REGION, World, at, slot_of

REGION_OF = {"GB": GB_REGION, "GB-C": 13, "GB-M": 5}
LETTER_OF = {"GB": "C", "GB-C": "C", "GB-M": "M"}
ACTUAL_KNOWN_AFTER_SLOTS = 2


def price_gbp(world: World, zone: str, asked: np.ndarray) -> np.ndarray:
    """Agile prices of a GB zone with the VAT of each slot, GBP/kWh."""
    vat = np.array([vat_at(at(slot)) for slot in asked])
    return agile_exc_p(world, PRODUCTS[CURRENT], LETTER_OF[zone], asked) * (1 + vat) / 100


def carbon_g(world: World, zone: str, asked: np.ndarray, told_at: datetime) -> np.ndarray:
    """The figure that the Carbon Intensity API gave at ``told_at``: the national actual where it had one."""
    now = slot_of(told_at)
    forecast = world.carbon_forecast(REGION_OF[zone], asked, now)
    if zone != "GB":
        return forecast
    return np.where(asked + ACTUAL_KNOWN_AFTER_SLOTS <= now, world.carbon_actual(asked, now), forecast)


def told(world: World, zone: str, quantity: str, asked: np.ndarray, told_at: datetime) -> np.ndarray:
    """The figures of a GB zone's price or carbon as they were told at ``told_at``."""
    return price_gbp(world, zone, asked) if quantity == "price" else carbon_g(world, zone, asked, told_at)
