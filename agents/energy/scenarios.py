"""Scenarios: how prices and carbon may turn out together, drawn from the intervals of what is quoted.

A figure with an interval errs by a standard normal shock times the half of the interval on its side; a published price
has none. Shocks hang together as the errors of our forecasts did on recorded figures (``make bench-signals`` prints
how): part of them stays for days, the rest fades within hours, and price and carbon of a zone err alike, since wind
moves both. Zones of one country err as one, those of different countries apart.

Shocks belong to the slot, not to the moment of drawing, so that the same scenarios are met again half an hour later
and plans do not move for chance. They come in opposite pairs and are centred: their mean is what is quoted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents.energy import noise
from agents.messages import EnergyQuote, Scenarios
from core.halfhours import indexes
from core.series import LEVEL_SIGMAS, FloatArray, IntArray, Series
from core.vintage import Quantity

LASTING_SLOTS = 336


@dataclass(frozen=True, slots=True)
class Persistence:
    """How standardised errors of one quantity hang together from slot to slot.

    :param lasting: share of their variance that stays for days.
    :param phi: what of the rest is left after one slot.
    """

    lasting: float
    phi: float


PERSISTENCE: Mapping[Quantity, Persistence] = {
    "price": Persistence(lasting=0.45, phi=0.80),
    "carbon": Persistence(lasting=0.55, phi=0.96),
}
ALIKE = 0.40
"""correlation of the shocks of price and carbon"""


def drawn(quote: EnergyQuote, count: int, seed: int) -> Scenarios:
    """``count`` scenarios of every zone quoted; slots without a figure stay NaN.

    :param count: even, at least 2.
    :raises ValueError: for another count.
    """
    if count < 2 or count % 2:
        raise ValueError(f"scenarios come in opposite pairs: {count} is not an even number from 2 on")
    index = indexes(quote.start, quote.slots)
    price, carbon = {}, {}
    shocks: dict[str, tuple[FloatArray, FloatArray]] = {}
    for zone in quote.price:
        country = zone.split("-")[0]
        if country not in shocks:
            shocks[country] = _shocks(country, index, count, seed)
        price[zone] = _around(quote.price[zone], shocks[country][0])
        carbon[zone] = np.maximum(0.0, _around(quote.carbon[zone], shocks[country][1]))
    return Scenarios(price, carbon)


def _shocks(country: str, index: IntArray, count: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """(count, T) standard normal shocks of price and of carbon."""
    pairs = range(count // 2)
    price = np.array([_process(seed, country, "price", pair, index) for pair in pairs])
    own = np.array([_process(seed, country, "carbon", pair, index) for pair in pairs])
    carbon = ALIKE * price + np.sqrt(1 - ALIKE**2) * own
    return np.concatenate([price, -price]), np.concatenate([carbon, -carbon])


def _process(seed: int, country: str, quantity: Quantity, pair: int, index: IntArray) -> FloatArray:
    """(T,) one shock slot by slot."""
    kept = PERSISTENCE[quantity]
    key = noise.key_of(seed, "scenario", country, quantity, str(pair))
    lasting = noise.smooth(key, index, LASTING_SLOTS)
    fading = noise.autoregressive(~key & (2**64 - 1), index, kept.phi)
    return np.asarray(np.sqrt(kept.lasting) * lasting + np.sqrt(1 - kept.lasting) * fading)


def _around(series: Series, shocks: FloatArray) -> FloatArray:
    """(count, T) a series as it may turn out."""
    low, high = series.interval
    above, below = np.maximum(0.0, high - series.values), np.maximum(0.0, series.values - low)
    error = np.where(shocks > 0, above, below) / LEVEL_SIGMAS * shocks
    return np.asarray(series.values + error - error.mean(axis=0))
