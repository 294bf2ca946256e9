"""Price rounds: raise prices where demand exceeds headroom, lower them where it does not.

Each round is a Polyak step along the averaged excess demand, ``step = (target - bound) / |excess|^2``. The target is
the best bound so far plus ``reach``, which grows while the bound keeps rising and is halved when it has not risen for
a while (a variable target, as in Nedic and Bertsekas 2001): penalties make the objective of early plans useless as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.bid import Market, Prices
from core.series import FloatArray

PATIENCE = 5
STREAK = 3
GROWTH = 2.0
SMOOTHING = 0.7
FIRST_REACH = 0.1
SETTLED = 1e-4


@dataclass(slots=True)
class PriceRounds:
    """The state of the price rounds: the prices announced now and the best bound proved so far."""

    market: Market
    prices: Prices
    best: Prices
    best_bound_gbp: float = -np.inf
    reach_gbp: float = np.inf
    _stalled: int = 0
    _rising: int = 0
    _direction_kw: FloatArray | None = None
    _direction_kg: float = 0.0

    @classmethod
    def start(cls, market: Market, prices: Prices) -> PriceRounds:
        """Begin at given prices."""
        return cls(market, prices, prices)

    @property
    def settled(self) -> bool:
        """True when further rounds are not expected to raise the bound by much."""
        return self.reach_gbp < SETTLED * abs(self.best_bound_gbp)

    def observe(self, bound_gbp: float) -> None:
        """Keep the present prices when their bound is the best so far."""
        rise = bound_gbp - self.best_bound_gbp
        if rise > 0:
            self.best_bound_gbp, self.best = bound_gbp, self.prices
        if rise > 0.1 * min(self.reach_gbp, abs(bound_gbp)):
            self._stalled, self._rising = 0, self._rising + 1
        else:
            self._stalled, self._rising = self._stalled + 1, 0
        if self._rising >= STREAK:
            self.reach_gbp, self._rising = GROWTH * self.reach_gbp, 0

    def move(self, over_kw: FloatArray, over_kg: float, bound_gbp: float, objective_gbp: float) -> None:
        """Announce the next prices, given excess demand (S, T) and the objective of the best plan."""
        self._aim(bound_gbp, objective_gbp)
        previous = over_kw if self._direction_kw is None else self._direction_kw
        blend = SMOOTHING * over_kw + (1 - SMOOTHING) * previous
        previous_kg = over_kg if self._direction_kw is None else self._direction_kg
        blend_kg = SMOOTHING * over_kg + (1 - SMOOTHING) * previous_kg
        blend = np.where((blend < 0) & (self.prices.headroom <= 0), 0.0, blend)
        capped = self.market.carbon_cap_kg is not None
        if not capped or (blend_kg < 0 and self.prices.carbon <= 0):
            blend_kg = 0.0
        self._direction_kw, self._direction_kg = blend, blend_kg
        size = float((blend**2).sum() + blend_kg**2)
        if size <= 0:
            return
        step = max(0.0, self.best_bound_gbp + self.reach_gbp - bound_gbp) / size
        headroom = np.maximum(0.0, self.prices.headroom + step * blend)
        self.prices = Prices(headroom, max(0.0, self.prices.carbon + step * blend_kg))

    def _aim(self, bound_gbp: float, objective_gbp: float) -> None:
        """Set the reach at first, and halve it and go back to the best prices after a stall."""
        most = max(objective_gbp - self.best_bound_gbp, 0.0)
        if not np.isfinite(self.reach_gbp):
            self.reach_gbp = max(FIRST_REACH * abs(bound_gbp), 0.1 * most)
        if self._stalled >= PATIENCE:
            self.reach_gbp, self._stalled = self.reach_gbp / 2, 0
            self.prices, self._direction_kw, self._direction_kg = self.best, None, 0.0
        self.reach_gbp = min(self.reach_gbp, most)
