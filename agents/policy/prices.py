"""Price rounds: prices rise where jobs draw more than there is, and fall where they leave some.

The rounds are a method of multipliers (Hestenes 1969, Powell 1969) with turns: within a round jobs choose one after
another, and each sees what those before it have taken, because the price of a site and slot rises with its load,
``max(0, price + slope * (load - room))``. After a round the prices become what they had risen or fallen to. Load then
settles near the room instead of swinging between too much and too little. Steep slopes settle it quickly; but a job
then sees prices that its own size has moved, and the bound suffers, so slopes become gentler from round to round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.market import Market, Prices
from core.series import FloatArray

STEEP, GENTLE = 3.0, 0.03
"""a slope adds this many times the usual cost of energy when a room is drawn twice: in the first round, in the last"""
LEAST_ROOM = 1e-3
BOUNDLESS = 1e12


@dataclass(slots=True)
class PriceRounds:
    """The prices announced now, their slopes, and the best bound proved so far.

    :param headroom_slope: (S, T) at steepness 1, ``hardware_slope`` (P, T), ``carbon_slope`` (C,).
    """

    market: Market
    prices: Prices
    best: Prices
    headroom_slope: FloatArray
    hardware_slope: FloatArray
    carbon_slope: FloatArray
    best_bound_gbp: float = -np.inf

    @classmethod
    def start(cls, market: Market, dearest_gbp_per_kw: float, opening: Prices) -> PriceRounds:
        """Begin at ``opening`` prices. Where there is no headroom at all it costs ``dearest_gbp_per_kw``."""
        shut = market.alone_kw <= LEAST_ROOM
        begin = replace(opening, headroom=np.where(shut, dearest_gbp_per_kw, opening.headroom))
        usual, usual_kg = _usual_gbp(market)
        hardware_kw = np.minimum(market.hardware_kw, BOUNDLESS)
        return cls(
            market,
            begin,
            begin,
            usual / np.maximum(market.headroom_kw, LEAST_ROOM),
            usual / np.maximum(hardware_kw, LEAST_ROOM),
            usual_kg / np.maximum(market.cap_kg, LEAST_ROOM),
        )

    def slopes(self, progress: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Slopes of headroom, hardware and carbon when that share of the rounds is over."""
        steepness = STEEP * (GENTLE / STEEP) ** progress
        return steepness * self.headroom_slope, steepness * self.hardware_slope, steepness * self.carbon_slope

    def observe(self, bound_gbp: float) -> bool:
        """Keep the present prices when their bound is the best so far; returns whether it is."""
        if bound_gbp > self.best_bound_gbp:
            self.best_bound_gbp, self.best = bound_gbp, self.prices
            return True
        return False

    def move(self, over: tuple[FloatArray, FloatArray, FloatArray], weights: FloatArray, progress: float) -> None:
        """Prices become what they had moved to at loads that are ``over`` the rooms: headroom, hardware, carbon."""
        headroom, hardware, carbon = self.slopes(progress)
        self.prices = Prices(
            np.maximum(0.0, self.prices.headroom + headroom * over[0]),
            np.maximum(0.0, self.prices.hardware + hardware * over[1]),
            np.maximum(0.0, self.prices.carbon + carbon * over[2]),
            weights,
        )


def _usual_gbp(market: Market) -> tuple[float, float]:
    """What a kW at the meter usually costs for one slot, and what that is for each kg it emits."""
    cost = np.abs(market.cost_gbp_per_kw(market.probability))
    if not cost.size:
        return 1.0, 1.0
    per_kg = cost.mean() / max(float(market.carbon_kg_per_kw.mean()), 1e-9)
    return max(float((cost / market.pue).mean()), 1e-6), max(float(per_kg), 1e-6)
