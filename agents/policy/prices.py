"""Price rounds: raise prices where demand exceeds headroom, lower them where it does not.

Each round is a Polyak step along the averaged excess demand: ``step = theta * (target - bound) / |excess|^2``, with
``theta`` halved when the bound has not risen for a while (Held, Wolfe and Crowder 1974).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.bid import Market, Prices
from core.series import FloatArray

PATIENCE = 4
SMOOTHING = 0.6


@dataclass(slots=True)
class PriceRounds:
    """The state of the price rounds: the prices announced now and the best bound proved so far."""

    market: Market
    prices: Prices
    best: Prices
    best_bound_gbp: float = -np.inf
    theta: float = 1.0
    _stalled: int = 0
    _direction_kw: FloatArray | None = None
    _direction_kg: float = 0.0

    @classmethod
    def start(cls, market: Market, prices: Prices) -> PriceRounds:
        """Begin at given prices."""
        return cls(market, prices, prices)

    def observe(self, bound_gbp: float) -> None:
        """Keep the present prices when their bound is the best so far."""
        if bound_gbp > self.best_bound_gbp + 1e-9 * max(1.0, abs(bound_gbp)):
            self.best_bound_gbp, self.best, self._stalled = bound_gbp, self.prices, 0
            return
        self._stalled += 1
        if self._stalled >= PATIENCE:
            self.theta, self._stalled = self.theta / 2, 0
            self.prices = self.best

    def move(self, over_kw: FloatArray, over_kg: float, bound_gbp: float, target_gbp: float) -> None:
        """Announce the next prices, given excess demand (S, T) and the objective to aim for."""
        blend = over_kw if self._direction_kw is None else SMOOTHING * over_kw + (1 - SMOOTHING) * self._direction_kw
        blend_kg = SMOOTHING * over_kg + (1 - SMOOTHING) * self._direction_kg
        free = (blend < 0) & (self.prices.headroom <= 0)
        blend = np.where(free, 0.0, blend)
        size = float((blend**2).sum() + blend_kg**2)
        if size <= 0:
            return
        step = self.theta * max(target_gbp - bound_gbp, 1e-6 * max(1.0, abs(target_gbp))) / size
        headroom = np.maximum(0.0, self.prices.headroom + step * blend)
        capped = self.market.carbon_cap_kg is not None
        carbon = max(0.0, self.prices.carbon + step * blend_kg) if capped else 0.0
        self._direction_kw, self._direction_kg = blend, blend_kg
        self.prices = Prices(headroom, carbon)
